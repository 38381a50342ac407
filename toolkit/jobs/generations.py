"""Questions that are answered in the background, and taken up by another process where one ends."""

import asyncio
import logging

from toolkit.errors import DatabaseError
from toolkit.jobs import lease
from toolkit.jobs.outcomes import Ask, outcome_of
from toolkit.jobs.patience import insisting, queued
from toolkit.jobs.store import JobStore
from toolkit.stamps import fresh_id

_log = logging.getLogger(__name__)


class Generations:
    """The background work of one process.

    Args:
        store: where the questions are kept.
        ask: answers one.
        concurrency: how many at once.
        queue: seconds that a question waits, at most, where our own limits are reached.

    Attributes:
        worker: who this process is to the others.
    """

    def __init__(self, store: JobStore, ask: Ask, *, concurrency: int, queue: float) -> None:
        self.worker = fresh_id()
        self._store = store
        self._ask = ask
        self._queue = queue
        self._most = 4 * concurrency  # that are taken from others, or from an earlier life, at once
        self._hands = asyncio.Semaphore(concurrency)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._beating: asyncio.Task[None] | None = None
        self._adopts = False

    def begin(self, job_id: str) -> None:
        """Work on a question that is ours, as soon as there is a free hand."""
        if job_id in self._tasks:
            return
        task = asyncio.create_task(self._work(job_id), name=f"generation {job_id}")
        self._tasks[job_id] = task
        task.add_done_callback(lambda _done: self._tasks.pop(job_id, None))
        self._live()

    async def resume(self) -> int:
        """Take up what nobody takes care of, now and from now on, as far as there are free hands; how many now."""
        self._adopts = True
        self._live()
        return await self._adopt()

    def stop(self, job_id: str) -> None:
        """Cancel the work on a question."""
        if task := self._tasks.get(job_id):
            task.cancel()

    async def drained(self) -> None:
        """Until nothing is left to do here."""
        while self._tasks or (self._adopts and await self._adopt()):
            await asyncio.wait(set(self._tasks.values()))

    async def close(self) -> None:
        """Cancel what is under way, and give it back."""
        tasks = [*self._tasks.values(), *([self._beating] if self._beating else [])]
        begun, self._adopts, self._beating = bool(tasks), False, None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if begun:
            await self._store.release(self.worker)

    def _live(self) -> None:
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat(), name="signs of life of generations")

    async def _work(self, job_id: str) -> None:
        async with self._hands:
            try:
                if not await self._store.take(job_id, self.worker):
                    return  # it was cancelled, or somebody else was first
                (item,) = await self._store.page(job_id, 0, 1)
                outcome = await outcome_of(queued(self._ask, item.request, self._queue))
                await insisting(lambda: self._store.conclude(job_id, outcome))
            except DatabaseError as error:
                _log.warning("The generation %s is left to the next start: %s", job_id, error)

    async def _adopt(self) -> int:
        free = self._most - len(self._tasks)
        found = await self._store.adopt(self.worker, free) if free > 0 else []
        for job_id in found:
            self.begin(job_id)
        return len(found)

    async def _beat(self) -> None:
        while self._tasks or self._adopts:
            await asyncio.sleep(lease.SIGN_OF_LIFE)
            try:
                if self._tasks:
                    mine = set(self._tasks)  # those that begin meanwhile are not looked for
                    for lost in mine - await self._store.renew(self.worker):
                        self.stop(lost)
                if self._adopts:
                    await self._adopt()
            except DatabaseError as error:
                _log.warning("The generations could give no sign of life: %s", error)
        self._beating = None
