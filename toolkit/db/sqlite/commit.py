"""How jobs are run on a SQLite connection: writes in groups that share a commit, reads one by one."""

from contextlib import suppress
from time import monotonic, perf_counter

from toolkit.db.slow import SlowQueries
from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.db.sqlite.failures import Place, is_busy, translate
from toolkit.db.sqlite.rows import NothingDone
from toolkit.db.sqlite.thread import Job, settle

_SOON = 0.1  # of the patience: who has waited nine tenths of it is not asked to wait for another turn


class GroupCommit:
    """Runs writing jobs in one transaction; nobody is acknowledged before its commit.

    Args:
        place: which database.
        patience: seconds that a job waits for a lock that somebody else holds, its time in the queue included.
        slow: where a statement that takes long is noted; waiting for a lock counts as a slow `BEGIN`.
        durable: the connection waits for the disk with each commit. It need not for a group of relaxed jobs only.

    Attributes:
        commits: transactions that were committed.
    """

    def __init__(self, place: Place, patience: float, slow: SlowQueries, *, durable: bool) -> None:
        self.commits = 0
        self._place = place
        self._patience = patience
        self._slow = slow
        self._durable = durable
        self._waits_for_disk = durable

    def __call__(self, connection: Connection, jobs: list[Job]) -> None:
        """Run `jobs` in order, and say in each how it ended.

        Groups are tried in the cheapest way first, since hardly any job fails: without savepoints. If one fails after
        it had changed something, all begin again with a savepoint each, so that it is undone alone. An error that
        destroys the whole transaction (no space, a broken disk) is nobody's verdict: each job is run on its own.
        """
        for savepoints in (False, True):
            jobs = self._begin(connection.conn, jobs)
            if not jobs or self._commit(connection, jobs, savepoints=savepoints) or len(jobs) == 1:
                return
        for job in jobs:
            if self._begin(connection.conn, [job]):
                self._commit(connection, [job], savepoints=False)

    def _wait_for_disk(self, raw: sqlite3.Connection, waits: bool) -> None:
        """Have the next commits wait for the disk, or not; it cannot be changed within a transaction."""
        if self._durable and waits != self._waits_for_disk:
            raw.execute(f"PRAGMA synchronous = {'FULL' if waits else 'NORMAL'}")
            self._waits_for_disk = waits

    def _begin(self, raw: sqlite3.Connection, jobs: list[Job]) -> list[Job]:
        """Take the write lock for `jobs`; those that had waited too long before it was free are told so at once.

        A job's patience begins when it is handed over. Otherwise each group that was queued behind one that waited
        in vain would wait for the same lock as long again, one after the other.
        """
        while jobs:
            left = self._patience - (monotonic() - jobs[0].since)
            waits = left < self._patience * (1 - _SOON)
            began = perf_counter()
            try:
                if waits:
                    raw.execute(f"PRAGMA busy_timeout = {max(0, int(left * 1000))}")
                try:
                    self._wait_for_disk(raw, not all(job.relaxed for job in jobs))
                    raw.execute("BEGIN IMMEDIATE")
                finally:
                    self._slow.note("BEGIN IMMEDIATE", perf_counter() - began)
                    if waits:
                        raw.execute(f"PRAGMA busy_timeout = {int(self._patience * 1000)}")
                return jobs
            except sqlite3.Error as error:
                if raw.in_transaction and _roll_back(raw):  # an earlier one, which could not be rolled back then
                    continue
                told = translate(error, self._place)
                latest = monotonic() - self._patience * (1 - _SOON)
                late = [job for job in jobs if not is_busy(error) or job.since <= latest]
                for job in late:
                    job.error = told
                settle(late)
                jobs = [job for job in jobs if job.error is None]
        return jobs

    def _commit(self, connection: Connection, jobs: list[Job], *, savepoints: bool) -> bool:
        """Whether the transaction was kept, with those of `jobs` that succeeded in it; if not, nothing is left."""
        try:
            for job in jobs:
                self._run(connection, job, savepoint=savepoints)
            began = perf_counter()
            connection.conn.execute("COMMIT")
            self._slow.note("COMMIT", perf_counter() - began)
        except Exception as error:  # noqa: BLE001 - every job gets its verdict, whatever went wrong
            _roll_back(connection.conn)
            for job in jobs:
                job.error = translate(error, self._place) if len(jobs) == 1 else None
            return False
        self.commits += 1
        return True

    def _run(self, connection: Connection, job: Job, *, savepoint: bool) -> None:
        raw = connection.conn
        if savepoint:
            raw.execute("SAVEPOINT job")
        try:
            job.result, job.error = job.work(connection), None
        except Exception as error:
            if not raw.in_transaction:  # SQLite itself has undone everything
                raise
            if savepoint:
                raw.execute("ROLLBACK TO job")
            elif not isinstance(error, NothingDone):
                raise
            job.error = translate(error, self._place)
        if savepoint:
            raw.execute("RELEASE job")


class RunEach:
    """Runs jobs in order without a transaction of their own: reads, each on the newest state, and what needs none.

    Args:
        place: which database.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def __call__(self, connection: Connection, jobs: list[Job]) -> None:
        """Run `jobs` in order, and say in each how it ended."""
        for job in jobs:
            try:
                job.result = job.work(connection)
            except Exception as error:  # noqa: BLE001 - every job gets its verdict, whatever went wrong
                job.error = translate(error, self._place)


def _roll_back(raw: sqlite3.Connection) -> bool:
    """Whether no transaction is open any more."""
    if raw.in_transaction:  # SQLite may have done it by itself
        with suppress(sqlite3.Error):  # a broken disk: tried again before the next transaction begins
            raw.execute("ROLLBACK")
    return not raw.in_transaction
