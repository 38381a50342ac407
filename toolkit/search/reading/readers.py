"""Where files are read: on threads of this process, or in child processes that no file can take along."""

import asyncio
import json
import os
import pickle
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, TypeVarTuple

from toolkit.errors import ConfigError
from toolkit.search.documents import Loaded
from toolkit.search.reading.child import receive, send
from toolkit.search.reading.folder import Skipped

Args = TypeVarTuple("Args")
R = TypeVar("R")

SECONDS = 60.0
"""How long one file may take to be read; PDFium reads a thousand pages in 4 s."""

MEGABYTES = 1_024
"""The memory that reading one file may take, where the system can be asked for a limit."""

_IS_WINDOWS = os.name == "nt"
_BROKEN_OFF = "reading was broken off"
_CALLS = 1_000  # after so many calls a child is replaced, so that what its libraries leak stays small
_IN_FLIGHT = 4  # files per reader that are on their way
_AHEAD = 2  # calls per reader that should be under way: the one that it runs, and the next
_ON_THREADS = 32  # of threads: enough to keep the disk busy, few enough to fit in memory
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from toolkit.search.reading.child import main
main(*map(int, sys.argv[2:]))
"""


class Broken(Exception):
    """A child process did not finish; `reason` says why, in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Readers:
    """Runs functions that read files. Close it when they are read: at once, or as an `async with`.

    A child process is started when first needed, by the interpreter that runs this program and from nothing: it shares
    no memory, no lock and no open file. What runs in it must be a function of a module, and its arguments and its
    result must be such as can be pickled.

    Args:
        workers: child processes that run all functions; 0: threads of this process do, and one child those that ask
            for one.
        seconds: how long a call in a child may take.
        megabytes: the memory that a call in a child may take beyond what the child itself has, on Linux.

    Raises:
        ConfigError: `workers` is negative.
    """

    def __init__(self, workers: int = 0, *, seconds: float = SECONDS, megabytes: int = MEGABYTES) -> None:
        if workers < 0:
            raise ConfigError(f"workers is {workers}; it must be 0 or the number of processes that read files.")
        self.workers = workers
        self._seconds = seconds
        self._megabytes = megabytes
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._threads = ThreadPoolExecutor(max(1, workers), "readers")
        self._closed = False

    @property
    def at_once(self) -> int:
        """Calls that should be under way for nobody to wait."""
        return _AHEAD * self.workers or _ON_THREADS

    async def run(self, function: Callable[[*Args], R], /, *args: *Args, isolated: bool = False) -> R:
        """What `function(*args)` gives.

        Cancelling ends the child that runs it; a thread goes on to the end of the function.

        Args:
            function: what reads.
            args: for it.
            isolated: run it in a child, even where there are no `workers`.

        Raises:
            Broken: the child took too long, too much memory, or broke down.
            Exception: whatever the function raises.
        """
        if not (self.workers or isolated):
            return await asyncio.to_thread(function, *args)
        call = _Call(pickle.dumps((function, args, self._seconds, self._megabytes)))
        try:
            result: R = await asyncio.get_running_loop().run_in_executor(self._threads, self._do, call)
        except asyncio.CancelledError:
            call.cancel()
            raise
        return result

    async def load(self, path: Path, source: str) -> Loaded | Skipped:
        """The file `path` as a document called `source`; else the reason why it is none."""
        from toolkit.search.reading import loader  # noqa: PLC0415 - the loaders cost 40 ms that a child pays, not we

        try:
            return await self.run(loader.load, path, source, isolated=loader.is_risky(path))
        except Broken as broken:
            return Skipped(path, broken.reason)

    async def load_many(self, files: Iterable[tuple[Path, str]]) -> AsyncIterator[tuple[str, Loaded | Skipped]]:
        """`(source, document or reason)` of each `(path, source)`, as they get ready; few are in memory at once."""
        waiting = iter(files)
        most = _IN_FLIGHT * max(1, self.workers)
        tasks: set[asyncio.Task[tuple[str, Loaded | Skipped]]] = set()
        try:
            while True:
                while len(tasks) < most and (each := next(waiting, None)) is not None:
                    tasks.add(asyncio.create_task(self._named(*each)))
                if not tasks:
                    return
                done, tasks = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    yield task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _named(self, path: Path, source: str) -> tuple[str, Loaded | Skipped]:
        return source, await self.load(path, source)

    async def aclose(self) -> None:
        """End every child, whatever it is doing."""
        self.close()

    def close(self) -> None:
        """End every child, whatever it is doing; what waits for one gets `Broken`."""
        self._closed = True
        for child in (*self._busy, *self._idle):
            child.kill()
        self._idle.clear()
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _do(self, call: "_Call") -> Any:
        """Run a call in a child that is free; on a thread of its own, for the child is waited for."""
        child = self._free()
        try:
            result = child.call(call.message, self._seconds, self._megabytes) if call.starts(child) else None
        except Broken:
            child.kill()
            raise
        finally:
            call.ends()
            self._busy.discard(child)
            if child.is_usable and not self._closed:
                self._idle.append(child)
            else:
                child.kill()
        if result is None:
            raise Broken(_BROKEN_OFF)
        succeeded, value = pickle.loads(result)  # noqa: S301 - of our own child
        if isinstance(value, MemoryError):
            raise Broken(f"needs more than {self._megabytes:,} MB of memory to be read")
        if not succeeded:
            raise value
        return value

    def _free(self) -> "_Child":
        """A child that is free, now busy."""
        child = None
        while self._idle and child is None:
            child = self._idle.pop()
            child = child if child.is_usable else None
        child = child or _Child()
        self._busy.add(child)
        if self._closed:
            child.kill()
            raise Broken(_BROKEN_OFF)
        return child


class _Call:
    """A call that may be cancelled before or while it runs."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.is_cancelled = False
        self._child: _Child | None = None
        self._lock = threading.Lock()

    def starts(self, child: "_Child") -> bool:
        """Whether it may run in this child."""
        with self._lock:
            self._child = child
            return not self.is_cancelled

    def ends(self) -> None:
        """It runs no more: the child is another call's."""
        with self._lock:
            self._child = None

    def cancel(self) -> None:
        """End it with the child that runs it."""
        with self._lock:
            self.is_cancelled = True
            if self._child is not None:
                self._child.kill()


class _Child:
    """A process that waits for calls."""

    def __init__(self) -> None:
        theirs, ours = os.pipe()  # which the system closes if we are killed
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and words
                [sys.executable, "-c", _START, json.dumps(sys.path), *([] if _IS_WINDOWS else [str(theirs)])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=() if _IS_WINDOWS else (theirs,),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._calls = 0
        self._late = False
        self._end = weakref.finalize(self, _end, self._process, ours)

    @property
    def is_usable(self) -> bool:
        """Whether it can take another call."""
        return self._end.alive and self._calls < _CALLS and self._process.poll() is None

    def kill(self) -> None:
        """End it; twice is once."""
        self._end()

    def call(self, message: bytes, seconds: float, megabytes: int) -> bytes:
        """The answer to a message.

        Raises:
            Broken: there is none.
        """
        self._calls += 1
        timer = threading.Timer(seconds, self._be_late)
        timer.daemon = True
        timer.start()
        try:
            if self._process.stdin is None or self._process.stdout is None:  # which they are not
                raise BrokenPipeError
            send(self._process.stdin, message)
            answer = receive(self._process.stdout)
        except (OSError, ValueError):  # the pipe was closed from the other side, or from ours
            answer = None
        finally:
            timer.cancel()
        if answer is None:
            raise Broken(
                f"takes longer than {seconds:g} s to read"
                if self._late
                else f"broke its reader, or needs more than {megabytes:,} MB of memory"
            )
        return answer

    def _be_late(self) -> None:
        self._late = True
        self._process.kill()


def _end(process: "subprocess.Popen[bytes]", alive: int) -> None:
    process.kill()
    process.wait()
    os.close(alive)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:  # something was still to be sent
                continue
