"""A thread that owns one SQLite connection and runs what any number of tasks hand it, in batches."""

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.errors import DatabaseUnavailable

MAX_BATCH = 256  # jobs that share one commit
MAX_WAITING = 4096  # jobs that one event loop may have in the queue; more wait their turn outside it

Work: TypeAlias = Callable[[Connection], Any]


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Work, and the future of the task that waits for it."""

    work: Work
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: its result, or the error that its caller is told."""

    job: Job
    result: Any = None
    error: Exception | None = None


class ConnectionThread:
    """Runs jobs on a connection of its own, and settles each on the loop that it came from.

    Args:
        name: what the thread is called.
        where: the database as a person calls it.
        connect: opens the connection; called on the thread.
        run_batch: runs jobs and gives the outcome of each; called on the thread.
    """

    def __init__(
        self,
        name: str,
        *,
        where: str,
        connect: Callable[[], Connection],
        run_batch: Callable[[Connection, list[Job]], list[Outcome]],
    ) -> None:
        self._where = where
        self._connect = connect
        self._run_batch = run_batch
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._room: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._connected = threading.Event()
        self._gate = threading.Lock()  # between "is it still running?" and "put it into the queue"
        self._ended: BaseException | None = None
        self._accepting = True
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

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

    async def run(self, work: Work) -> Any:
        """Run `work` on the thread and give its result."""
        loop = asyncio.get_running_loop()
        room = self._room.get(loop)
        if room is None:
            room = self._room.setdefault(loop, asyncio.Semaphore(MAX_WAITING))
        async with room:
            future = loop.create_future()
            with self._gate:
                if not self._accepting:
                    raise self._gone()
                self._queue.put(Job(work, loop, future))
            return await future

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
                _settle(self._run_batch(connection, batch))
        except BaseException as error:  # noqa: BLE001 - whoever waits must be told that nobody works any more
            self._end(error, batch)
        finally:
            with suppress(sqlite3.Error):  # a busy file: the statistics are as good as before
                connection.execute("PRAGMA optimize")
            connection.close()

    def _next_batch(self) -> list[Job]:
        """At least one job that somebody still waits for, in order; none when the thread shall end."""
        batch: list[Job] = []
        while not batch:
            job = self._queue.get()
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
        _settle([Outcome(job, error=self._gone()) for job in batch])

    def _gone(self) -> DatabaseUnavailable:
        if self._ended is None:
            return DatabaseUnavailable(f"The connection to {self._where} is closed; open it again.")
        return DatabaseUnavailable(
            f"The thread that serves {self._where} ended ({self._ended!r}); close the database and open it again."
        )


def _settle(outcomes: list[Outcome]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.job.loop, []).append(outcome)
    for loop, settled in by_loop.items():
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(_deliver, settled)


def _deliver(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.job.future.done():  # its caller was cancelled meanwhile
            continue
        if outcome.error is None:
            outcome.job.future.set_result(outcome.result)
        else:
            outcome.job.future.set_exception(outcome.error)
