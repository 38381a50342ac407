"""Lists of different subjects share transactions; lists of one subject keep their order."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable, Sequence

from toolkit.db.postgres.transaction import Job

MOST = 256  # lists in one transaction
SLOTS = 2  # transactions of lists with subjects at a time


class Batches:
    """Puts lists of one shape and different subjects together, as many as wait while a transaction runs.

    A list waits until every earlier one of its subject is settled. Shapes take turns, so that a stream of one does not
    hold up the others.

    Args:
        settle: runs lists of one shape and settles each, whatever happens. It is given a function to call when it is
            held up, so that others need not wait for it.
    """

    def __init__(self, settle: Callable[[Sequence[Job], Callable[[], None]], Awaitable[None]]) -> None:
        self._settle = settle
        self._ready: OrderedDict[Hashable, deque[Job]] = OrderedDict()  # by shape; the next turn is the first's
        self._later: dict[str, deque[Job]] = {}  # by subject that is ready or runs: what comes after
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._planned = False

    @property
    def busy(self) -> bool:
        """Whether a list is waiting or running."""
        return bool(self._later)

    @property
    def waiting(self) -> int:
        """Lists that wait for their turn."""
        return sum(map(len, self._ready.values())) + sum(map(len, self._later.values()))

    def add(self, job: Job) -> None:
        """Run `job` as soon as it is its turn; it has a subject."""
        assert job.subject is not None  # noqa: S101 - said in the contract
        job.then = self._next
        later = self._later.get(job.subject)
        if later is None:
            self._later[job.subject] = deque()
            self._make_ready(job)
        else:
            later.append(job)

    async def drain(self) -> None:
        """Wait until every list is settled."""
        while self._later:
            await (asyncio.wait(self._tasks) if self._tasks else asyncio.sleep(0))

    def _make_ready(self, job: Job) -> None:
        self._ready.setdefault(job.shape, deque()).append(job)
        if not self._planned and self._running < SLOTS:
            self._planned = True
            # A moment later those that are added in the same moment are there, too.
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._planned = False
        while self._ready and self._running < SLOTS:
            jobs = self._take()
            if jobs:
                self._running += 1
                task = asyncio.get_running_loop().create_task(self._run(jobs))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _take(self) -> list[Job]:
        shape, ready = next(iter(self._ready.items()))
        jobs: list[Job] = []
        while ready and len(jobs) < MOST:
            job = ready.popleft()
            if job.answer.done():  # its caller has gone
                self._next(job)
            else:
                jobs.append(job)
        if ready:
            self._ready.move_to_end(shape)
        else:
            del self._ready[shape]
        # Two processes that lock the same rows do it in the same order.
        jobs.sort(key=lambda job: job.subject or "")
        return jobs

    async def _run(self, jobs: Sequence[Job]) -> None:
        held_up = False

        def let_others() -> None:
            nonlocal held_up
            if not held_up:
                held_up = True
                self._running -= 1
                self._start()

        try:
            await self._settle(jobs, let_others)
        finally:
            let_others()

    def _next(self, job: Job) -> None:
        """Let the subject's next list come."""
        later = self._later[job.subject or ""]
        if later:
            self._make_ready(later.popleft())
        else:
            del self._later[job.subject or ""]
