"""MCP on standard input and output, ended by the end of input or by a signal, in the same orderly way."""

import asyncio
import io
import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server import Server
from mcp.server.stdio import stdio_server

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


async def serve_stdio(server: Server[Any]) -> signal.Signals | None:
    """Serve one client until its input ends; gives the signal that ended it earlier, None without one."""
    if sys.platform == "win32":
        await _serve(server, None)  # There Ctrl-C arrives as a KeyboardInterrupt, and only the client ends the input.
        return None
    stdin = _EndableStdin()
    told: list[signal.Signals] = []
    loop = asyncio.get_running_loop()

    def end(number: signal.Signals) -> None:
        told.append(number)
        stdin.end()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(each)  # Whoever asks twice does not want to wait.

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end, number)
    lines = io.TextIOWrapper(io.BufferedReader(stdin, 1 << 16), encoding="utf-8", errors="replace")
    await _serve(server, anyio.wrap_file(lines))
    return told[0] if told else None


async def _serve(server: Server[Any], stdin: anyio.AsyncFile[str] | None) -> None:
    async with stdio_server(stdin) as (read, write):
        await server.run(read, write, server.create_initialization_options())


class _EndableStdin(io.RawIOBase):
    """Standard input that can be ended from inside.

    A thread that waits for a line cannot be cancelled; this one waits for a line or for the end of a pipe of our own.
    Descriptor 0 is given the null device, so that no child process reads what the client sends.
    """

    def __init__(self) -> None:
        self._input = os.dup(0)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        self._ended, self._end = os.pipe()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        ready, _, _ = select.select([self._input, self._ended], [], [])
        return 0 if self._ended in ready else os.readv(self._input, [buffer])

    def end(self) -> None:
        """Let the next read find the end of input."""
        os.close(self._end)
