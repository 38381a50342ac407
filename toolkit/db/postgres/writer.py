"""Takes lists of statements, and sees to it that each gets its own answer."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress

import asyncpg

from toolkit.db.postgres.batch import Batches
from toolkit.db.postgres.failures import Blocked, is_one_lists_fault, translate
from toolkit.db.postgres.lease import Lease
from toolkit.db.postgres.line import Line
from toolkit.db.postgres.transaction import Job, Transaction, Unfit
from toolkit.errors import ToolkitError

SWEEP_AFTER = 1000  # transactions
SWEPT = 4000  # rows of `commits` that are deleted at once: more than came in meanwhile


class Writer:
    """Writes lists over a line.

    Args:
        line: to the server.
        schema: where the table `commits` is; None where there is none.
        where: the database as a person calls it.
        announce: called after a commit that listeners should know of.

    Attributes:
        batches: the lists that have a subject.
        writes: lists that were acknowledged.
        commits: transactions that they shared.
    """

    def __init__(self, line: Line, schema: str | None, where: str, announce: Callable[[], None]) -> None:
        self.batches = Batches(self._settle)
        self.writes = 0
        self.commits = 0
        self._line = line
        self._schema = schema
        self._where = where
        self._announce = announce
        self._clock = asyncio.get_running_loop().time
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_by_one = asyncio.Semaphore(max(1, line.pool.get_max_size() // 2))
        self._swept = -SWEEP_AFTER  # `commits` when the table of that name was last swept; at first it is soon

    def start(self, job: Job) -> None:
        """Run `job` and settle it; one whose answer is cancelled while it waits for its turn is not run."""
        if job.subject is None:
            self._begin(self._settle([job]))
        else:
            self.batches.add(job)

    async def drain(self) -> None:
        """Wait until every list is settled."""
        await self.batches.drain()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, jobs: Sequence[Job], let_others: Callable[[], None] | None = None) -> None:
        """Run lists of one shape; `let_others` is called before they wait long for a lock, None if nobody waits."""
        transaction = Transaction(jobs, self._schema, self._clock, hurried=let_others is not None)
        try:
            outcomes = await transaction.run(self._line)
        except Unfit as unfit:
            for place, verdict in unfit.verdicts.items():
                jobs[place].settle(verdict)
            rest = [job for place, job in enumerate(jobs) if place not in unfit.verdicts]
            if rest:
                await self._settle(rest, let_others)
        except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
            await self._part(jobs, error, let_others)
        else:
            self._count(jobs)
            for job, outcome in zip(jobs, outcomes, strict=True):
                job.settle(outcome)

    async def _part(self, jobs: Sequence[Job], error: Exception, let_others: Callable[[], None] | None) -> None:
        """Give each list its own verdict after they failed together."""
        if let_others and isinstance(error, asyncpg.LockNotAvailableError | Blocked):
            let_others()  # one list waits for somebody; who it is shows when each is run alone
            await asyncio.gather(*(self._alone(job) for job in jobs))
        elif len(jobs) > 1 and is_one_lists_fault(error):
            middle = len(jobs) // 2
            await self._settle(jobs[:middle], let_others)
            await self._settle(jobs[middle:], let_others)
        else:
            for job in jobs:
                job.settle(self._in_words(error))

    async def _alone(self, job: Job) -> None:
        async with self._one_by_one:
            await self._settle([job])

    def _in_words(self, error: Exception) -> Exception:
        if isinstance(error, ToolkitError):
            return error
        words = translate(error, self._where)
        words.__cause__ = error
        return words

    def _count(self, jobs: Sequence[Job]) -> None:
        self.commits += 1
        self.writes += len(jobs)
        if any(job.wakes for job in jobs):
            self._announce()
        if self._schema and self.commits - self._swept >= SWEEP_AFTER:
            self._swept = self.commits
            self._begin(self._sweep())

    async def _sweep(self) -> None:
        """Delete what is left of transactions of more than an hour ago: nobody tries those again."""
        table = f'"{self._schema}".commits'
        # An array, so that the rows are chosen once: a plan may run what stands behind IN again for every row.
        oldest = f"SELECT id FROM {table} ORDER BY id LIMIT {SWEPT} FOR UPDATE SKIP LOCKED"  # noqa: S608 - our own words
        old = f"id = ANY (ARRAY ({oldest})) AND at < CURRENT_TIMESTAMP - INTERVAL '1 hour'"
        sweep = f"DELETE FROM {table} WHERE {old}"  # noqa: S608 - our own words

        async def work(lease: Lease) -> None:
            await lease.script(sweep)

        with suppress(Exception):  # the next one does it
            await self._line.insist(work, self._clock())
