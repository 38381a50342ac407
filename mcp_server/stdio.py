"""MCP on standard input and output, ended by the end of input or by a signal, in the same orderly way.

The SDK reads and writes on threads, which takes a third of the time of a small call. Here the event loop itself waits
for both, where the system can do that.
"""

import asyncio
import os
import select
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any, cast

import anyio
from mcp.server import Server
from mcp.server.stdio import stdio_server

_READ = 1 << 16  # bytes at a time: what a pipe holds
_PATIENCE = 2.0  # seconds


async def serve_stdio(server: Server[Any]) -> signal.Signals | None:
    """Serve one client until its input ends; gives the signal that ended it earlier, None without one."""
    if sys.platform == "win32":
        await _serve(server)  # There Ctrl-C arrives as a KeyboardInterrupt, and only the client ends the input.
        return None
    stdin, stdout = _Input(), _Output()
    stdin.when_ended, stdout.when_gone = stdout.hurry, stdin.end
    told: list[signal.Signals] = []
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        told.append(number)
        stdin.end()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)  # Whoever asks twice does not want to wait.

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    try:
        await _serve(server, stdin, stdout)
    finally:
        stdout.give_back()
    return told[0] if told else None


async def _serve(server: Server[Any], stdin: "_Input | None" = None, stdout: "_Output | None" = None) -> None:
    # The SDK asks of both only what is here, not all that the type has.
    async with stdio_server(
        cast("anyio.AsyncFile[str] | None", stdin), cast("anyio.AsyncFile[str] | None", stdout)
    ) as (read, write):
        await server.run(read, write, server.create_initialization_options())


class _Input:
    """Standard input, a line at a time; it can be ended from inside.

    Descriptor 0 is given the null device, so that no child process reads what the client sends.
    """

    def __init__(self) -> None:
        self._input = os.dup(0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self._ended = False
        self._ready = asyncio.Event()
        self.when_ended: Callable[[], None] = _nobody

    def end(self) -> None:
        """Let the next read find the end of input."""
        self._ended = True
        self._ready.set()

    async def __aiter__(self) -> AsyncGenerator[str, None]:
        parts: list[bytes] = []  # of a line that is not whole yet
        while not self._ended:
            await _until(asyncio.get_running_loop().add_reader, self._input, self._ready)
            data = b"" if self._ended else os.read(self._input, _READ)
            if not data:
                break
            *lines, rest = data.split(b"\n")
            for line in lines:
                yield _text(parts, line)
                parts = []
            parts.append(rest)
        if any(parts):
            yield _text(parts, b"")
        self.when_ended()


class _Output:
    """Standard output, which nobody else writes to: what is printed meanwhile goes to standard error."""

    def __init__(self) -> None:
        self.when_gone: Callable[[], None] = _nobody
        self._patience: float | None = None
        self._lost = False
        self._output = os.dup(1)
        os.dup2(2, 1)
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLOUT)
        self._ready = asyncio.Event()

    async def write(self, text: str) -> None:
        """Write all of it, and let others work while the client does not read."""
        left = memoryview(text.encode())
        try:
            while left and not self._lost:
                if self._poll.poll(0):
                    # What takes any bytes takes so many without waiting.
                    left = left[os.write(self._output, left[: select.PIPE_BUF]) :]
                else:
                    async with asyncio.timeout(self._patience):
                        await _until(asyncio.get_running_loop().add_writer, self._output, self._ready)
        except (BrokenPipeError, TimeoutError):
            self._lost = True
            self.when_gone()

    async def flush(self) -> None:
        """Nothing: nothing is held back."""

    def hurry(self) -> None:
        """From now on wait for a client that does not read for a moment only: nothing is to come any more."""
        self._patience = _PATIENCE
        self._ready.set()

    def give_back(self) -> None:
        """Let others print again."""
        os.dup2(self._output, 1)


async def _until(watch: Callable[..., None], descriptor: int, ready: asyncio.Event) -> None:
    """Wait until the descriptor can be read or written, or somebody sets `ready`; a file always can."""
    loop = asyncio.get_running_loop()
    try:
        watch(descriptor, ready.set)
    except OSError:  # nobody can wait for a file
        return
    try:
        await ready.wait()
    finally:
        ready.clear()
        loop.remove_reader(descriptor)
        loop.remove_writer(descriptor)


def _nobody() -> None:
    """Nobody wants to hear of it."""


def _text(parts: list[bytes], end: bytes) -> str:
    return b"".join([*parts, end]).decode("utf-8", "replace")
