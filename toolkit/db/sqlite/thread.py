"""A thread that owns one SQLite connection and runs what any number of tasks hand it, in batches."""

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import attrgetter
from time import monotonic
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.errors import DatabaseUnavailable

MAX_BATCH = 256  # jobs that share one commit
MAX_WAITING = 4096  # jobs that one event loop may have in the queue; more wait their turn outside it

Work: TypeAlias = Callable[[Connection], Any]


class Job:
    """Work, the future of the task that waits for it, and how it ended: with a result, or with an error.

    Attributes:
        since: when it was handed over, in seconds of the monotonic clock.
        alone: whether it may not share a transaction with its neighbours.
        relaxed: whether its commit need not wait for the disk.
    """

    # No dataclass: a frozen one takes several times as long to make, and one is made for each read and write.
    __slots__ = ("alone", "error", "future", "loop", "relaxed", "result", "since", "work")

    def __init__(self, work: Work, loop: asyncio.AbstractEventLoop, *, alone: bool, relaxed: bool = False) -> None:
        self.work = work
        self.loop = loop
        self.alone = alone
        self.relaxed = relaxed
        self.since = monotonic()
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None


RunJobs: TypeAlias = Callable[[Connection, list[Job]], None]


class ConnectionThread:
    """Runs jobs on a connection of its own, and settles each on the loop that it came from.

    Args:
        name: what the thread is called.
        where: the database as a person calls it.
        connect: opens the connection; called on the thread.
        together: runs neighbouring jobs and says in each how it ended; called on the thread.
        apart: the same for jobs that are to be `alone`.
    """

    def __init__(
        self, name: str, *, where: str, connect: Callable[[], Connection], together: RunJobs, apart: RunJobs
    ) -> None:
        self.busy = False
        self._where = where
        self._connect = connect
        self._together = together
        self._apart = apart
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._room: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._connected = threading.Event()
        self._gate = threading.Lock()  # between "is it still running?" and "put it into the queue"
        self._ended: BaseException | None = None
        self._accepting = True
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._queue.qsize()

    def start(self) -> None:
        """Open the connection; blocks until that is done, and raises what it raised."""
        self._thread.start()
        self._connected.wait()
        if self._ended is not None:
            self._thread.join()
            raise self._ended

    def stop(self) -> None:
        """Run what is in the queue, then close the connection; blocks until that is done."""
        with self._gate:
            self._accepting = False
            self._queue.put(None)
        self._thread.join()

    async def run(self, work: Work, *, alone: bool = False, relaxed: bool = False) -> Any:
        """Run `work` on the thread and give its result."""
        loop = asyncio.get_running_loop()
        room = self._room.get(loop)
        if room is None:
            room = self._room.setdefault(loop, asyncio.Semaphore(MAX_WAITING))
        async with room:
            job = Job(work, loop, alone=alone, relaxed=relaxed)
            with self._gate:
                if not self._accepting:
                    raise self._gone()
                self._queue.put(job)
            return await job.future

    def _main(self) -> None:
        batch: list[Job] = []
        try:
            connection = self._connect()
        except BaseException as error:  # noqa: BLE001 - `start` raises it where somebody can act on it
            self._end(error, batch)
            self._connected.set()
            return
        self._connected.set()
        try:
            while batch := self._next_batch():
                for alone, jobs in groupby(batch, _is_alone):
                    group = list(jobs)
                    (self._apart if alone else self._together)(connection, group)
                    settle(group)
                    batch = batch[len(group) :]  # what is settled stays so, whatever becomes of the rest
        except BaseException as error:  # noqa: BLE001 - whoever waits must be told that nobody works any more
            self._end(error, batch)
        finally:
            with suppress(sqlite3.Error):  # a busy file: the statistics are as good as before
                connection.execute("PRAGMA busy_timeout = 0")  # closing waits for nobody
                connection.execute("PRAGMA optimize")
            connection.close()

    def _next_batch(self) -> list[Job]:
        """At least one job that somebody still waits for, in order; none when the thread shall end."""
        batch: list[Job] = []
        while not batch:
            self.busy = False
            job = self._queue.get()
            self.busy = True
            while job is not None:
                if not job.future.cancelled():
                    batch.append(job)
                if len(batch) == MAX_BATCH:
                    return batch
                try:
                    job = self._queue.get_nowait()
                except queue.Empty:
                    break
            if job is None:
                if batch:
                    self._queue.put(None)  # found again once this batch is done
                return batch
        return batch

    def _end(self, error: BaseException, batch: list[Job]) -> None:
        with self._gate:
            self._accepting = False
            self._ended = error
        while not self._queue.empty():
            if job := self._queue.get():
                batch.append(job)
        for job in batch:
            job.error = self._gone()
        settle(batch)

    def _gone(self) -> DatabaseUnavailable:
        if self._ended is None:
            return DatabaseUnavailable(f"The connection to {self._where} is closed; open it again.")
        return DatabaseUnavailable(
            f"The thread that serves {self._where} ended ({self._ended!r}); close the database and open it again."
        )


_is_alone = attrgetter("alone")


def settle(jobs: Sequence[Job]) -> None:
    """Tell the tasks that wait for `jobs` how these ended."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver, settled)


def _deliver(jobs: list[Job]) -> None:
    for job in jobs:
        if job.future.done():  # its caller was cancelled meanwhile, or it was told before
            continue
        if job.error is None:
            job.future.set_result(job.result)
        else:
            job.future.set_exception(job.error)
