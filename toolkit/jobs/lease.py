"""Who works on a batch: one generator of one process at a time, as long as it gives signs of life."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import TypeVar

from toolkit.errors import Conflict, DatabaseError
from toolkit.jobs.store import LEASE, JobStore
from toolkit.stamps import fresh_id

T = TypeVar("T")

SIGN_OF_LIFE = LEASE / 3
"""Seconds between two of them."""

_log = logging.getLogger(__name__)


class Lease:
    """A worker's hold on one job.

    Attributes:
        worker: who holds it, or wants to.
        held: whether it is held, as far as is known.
    """

    def __init__(self, store: JobStore, job_id: str) -> None:
        self.worker = fresh_id()
        self.held = False
        self._store = store
        self._job_id = job_id
        self._taking = asyncio.Lock()
        self._asking: set[asyncio.Task[object]] = set()
        self._stopped = False

    async def take(self) -> bool:
        """Hold it from now on; False while somebody else does.

        Raises:
            Conflict: the job was cancelled.
        """
        async with self._taking:
            if not self.held:
                self.held = await self._store.take(self._job_id, self.worker)
                if not self.held:
                    await self._look()
        return self.held

    async def during(self, work: Awaitable[T]) -> T:
        """What `work` gives, unless the job is cancelled meanwhile.

        Raises:
            Conflict: it was cancelled.
        """
        task = asyncio.ensure_future(work)
        self._asking.add(task)
        try:
            if self._stopped:
                task.cancel()
            return await task
        except asyncio.CancelledError:
            me = asyncio.current_task()
            if self._stopped and me is not None and not me.cancelling():
                raise cancelled(self._job_id) from None
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            self._asking.discard(task)

    def stop(self) -> None:
        """Cancel what is under way: the job was cancelled."""
        self._stopped, self.held = True, False
        for task in self._asking:
            task.cancel()

    @asynccontextmanager
    async def kept_alive(self) -> AsyncGenerator[None, None]:
        """Give signs of life meanwhile, and let go of the job in the end."""
        beating = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait({beating})
            await self._store.release(self.worker)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(SIGN_OF_LIFE)
            try:
                if self.held and self._job_id not in await self._store.renew(self.worker):
                    self.held = False
                    await self._look()
            except Conflict:
                self.stop()
            except DatabaseError as error:
                _log.warning("The job %s could give no sign of life: %s", self._job_id, error)

    async def _look(self) -> None:
        if (await self._store.state(self._job_id))["status"] == "cancelled":
            raise cancelled(self._job_id)


def cancelled(job_id: str) -> Conflict:
    """What is raised where a job was cancelled."""
    return Conflict(f"The job {job_id!r} was cancelled; `toolkit jobs resume` goes on with it.")
