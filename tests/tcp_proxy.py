"""A wire that can be cut: forwards to a port of 127.0.0.1, and fails there as networks do, at an exact byte."""

import asyncio
import socket
import struct
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self, TypeAlias

Way: TypeAlias = Literal["up", "down"]  # to the server, or from it
Scissors: TypeAlias = Callable[[bytes], int | None]  # how many bytes may still pass before the cut; None: go on

_NO_FAREWELL = struct.pack("ii", 1, 0)


class TcpProxy:
    """Listens on `port` of 127.0.0.1 while its block lasts.

    Args:
        target: the port that it forwards to.

    Attributes:
        port: where it listens, the same one until the end.
        forwarded: bytes that passed, by way.
        cut_off: set once a cut that was asked for by `cut_after` or `cut_at` has been made.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.forwarded: dict[Way, int] = {"up": 0, "down": 0}
        self.cut_off = asyncio.Event()
        self._target = target
        self._server: asyncio.Server | None = None
        self._lines: set[_Line] = set()
        self._conversations: set[asyncio.Task[None]] = set()
        self._scissors: dict[Way, Scissors] = {}
        self._stalled = False
        self._stalling = False  # what was asked for is no cut

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    async def listen(self) -> None:
        """Take connections, again after `refuse`."""
        if self._server is None:
            self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port, reuse_address=True)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    def cut(self) -> None:
        """Reset every connection; new ones are taken."""
        for line in list(self._lines):
            line.cut()

    def stall(self) -> None:
        """From now on nothing passes, in old connections and in new ones, and nobody is told."""
        self._stalled = True
        self.forget()

    def forget(self) -> None:
        """From now on nothing passes in the connections that there are, not even their end; new ones work."""
        for line in self._lines:
            line.flowing.clear()

    def flow(self) -> None:
        """Let pass what was held up, and all that follows."""
        self._stalled = False
        for line in self._lines:
            line.flowing.set()

    def cut_after(self, count: int, way: Way) -> None:
        """Let `count` more bytes pass that way, then reset every connection, once."""
        left = count

        def scissors(data: bytes) -> int | None:
            nonlocal left
            if len(data) > left:
                return left
            left -= len(data)
            return None

        self._arm(way, scissors)

    def stall_at(self, pattern: bytes, way: Way) -> None:
        """Let nothing pass any more from the packet on in which `pattern` comes that way; sets `cut_off`, too."""
        self.cut_at(pattern, way, swallow=True)
        self._stalling = True

    def cut_at(self, pattern: bytes, way: Way, *, swallow: bool) -> None:
        """Reset every connection when `pattern` passes that way, once.

        Args:
            pattern: looked for across the borders of packets.
            way: `"up"` is what the client says, `"down"` what the server answers.
            swallow: the end of `pattern` does not arrive any more; else exactly up to its last byte does.
        """
        seen = b""

        def scissors(data: bytes) -> int | None:
            nonlocal seen
            before, seen = len(seen), seen + data
            at = seen.find(pattern)
            if at < 0:
                seen = seen[-len(pattern) :]
                return None
            return max(0, at + len(pattern) - before - (1 if swallow else 0))

        self._arm(way, scissors)

    def _arm(self, way: Way, scissors: Scissors) -> None:
        self.cut_off.clear()
        self._stalling = False
        self._scissors[way] = scissors

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _reset(writer)
            return
        if self._server is None:  # it was to be refused meanwhile
            _reset(writer)
            _reset(server_writer)
            return
        line = _Line(writer, server_writer)
        if not self._stalled:
            line.flowing.set()
        self._lines.add(line)
        line.tasks = (
            asyncio.create_task(self._forward(line, "up", reader, server_writer)),
            asyncio.create_task(self._forward(line, "down", server_reader, writer)),
        )
        await asyncio.wait(line.tasks)
        self._lines.discard(line)

    async def _forward(
        self, line: "_Line", way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await reader.read(1 << 16):
                await line.flowing.wait()
                scissors = self._scissors.get(way)
                allowed = scissors(data) if scissors else None
                if allowed is not None and self._stalling:
                    del self._scissors[way]
                    allowed = None
                    self.stall()
                    self.cut_off.set()
                    await line.flowing.wait()
                writer.write(data[:allowed])
                self.forwarded[way] += len(data[:allowed])
                await writer.drain()
                if allowed is not None:
                    del self._scissors[way]
                    self.cut()
                    self.cut_off.set()
                    return
        except OSError:
            pass
        await line.flowing.wait()
        line.close()


class _Line:
    """One connection: its two ends, and what forwards between them."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self._ends = ends
        self.flowing = asyncio.Event()
        self.tasks: tuple[asyncio.Task[None], ...] = ()

    def close(self) -> None:
        """One side has said goodbye, or is gone: pass that on."""
        for end in self._ends:
            end.close()

    def cut(self) -> None:
        """End it without goodbye. The server is told properly: it must notice, and what it has read counts."""
        client, server = self._ends
        _reset(client)
        server.close()
        for task in self.tasks:
            if task is not asyncio.current_task():
                task.cancel()


def _reset(writer: asyncio.StreamWriter) -> None:
    if end := writer.get_extra_info("socket"):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_FAREWELL)
    writer.transport.abort()
