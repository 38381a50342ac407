"""A small HTTP/1.1 server in a thread of its own, whose answers may break off at any byte.

A web framework would end a response properly whatever happens; here, breaking off is the point.
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """What a client sent.

    Attributes:
        method: e.g. `"POST"`.
        path: without the query.
        headers: by name in lower case.
        body: as it came.
        abandoned: set when the client went away before it had the whole answer.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    abandoned: threading.Event = field(default_factory=threading.Event, compare=False)


class Exchange:
    """The answer to one request, sent piece by piece."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.finished = False

    async def send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole response."""
        self.begin(status, {**headers, "content-length": str(len(body))})
        self.finished = True
        await self.write(body)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of a response."""
        lines = [f"HTTP/1.1 {status} {_phrase(status)}", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))

    async def write(self, piece: bytes) -> None:
        """The next bytes of a body whose length the head has told."""
        self._writer.write(piece)
        await self._writer.drain()

    async def chunk(self, piece: bytes) -> None:
        """The next piece of a body with `transfer-encoding: chunked`."""
        await self.write(b"%x\r\n%s\r\n" % (len(piece), piece))

    async def end(self) -> None:
        """The proper end of a body with `transfer-encoding: chunked`."""
        self.finished = True
        await self.write(b"0\r\n\r\n")

    def drop(self) -> None:
        """Close the connection where it stands."""
        self.finished = True
        self._writer.close()

    def reset(self) -> None:
        """Close the connection so that the client sees a reset."""
        self.finished = True
        no_farewell = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_farewell)
        self._writer.transport.abort()


_STEPS = 5
"""Steps of the loop in which whoever had connected before the stop is let in: asyncio forgets him after `close`."""

Handler: TypeAlias = Callable[[HttpRequest, Exchange], Awaitable[None]]


class Listener:
    """A server on a free port of 127.0.0.1, from `start` to `stop`."""

    def __init__(self, handle: Handler) -> None:
        self._handle = handle
        self._thread: threading.Thread | None = None
        self._conversations: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.WriteTransport] = set()
        self.port = 0

    def start(self) -> None:
        """Listen; returns when clients can connect."""
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="vendors", daemon=True)
        self._thread.start()
        ready.wait()

    def stop(self) -> None:
        """Drop every connection and listen no longer; returns when the thread is gone."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        self._thread = None

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await self._loop.create_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopping.wait()
        for listening in server.sockets:
            self._loop.remove_reader(listening.fileno())
        for _ in range(_STEPS):
            await asyncio.sleep(0)
        server.close()
        while self._conversations or self._open:
            for conversation in self._conversations:
                conversation.cancel()
            for transport in self._open:
                transport.abort()
            await asyncio.sleep(0)

    def _connected(self) -> asyncio.StreamReaderProtocol:
        gone = asyncio.Event()

        def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            conversation = asyncio.ensure_future(self._converse(reader, writer, gone))
            self._conversations.add(conversation)
            conversation.add_done_callback(self._conversations.discard)

        return _Connection(gone, converse, self._open)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while request := await _read(reader):
                    await self._answer(request, Exchange(writer), gone)
        finally:
            writer.transport.abort() if gone.is_set() else writer.close()

    async def _answer(self, request: HttpRequest, exchange: Exchange, gone: asyncio.Event) -> None:
        answer = asyncio.ensure_future(self._handle(request, exchange))
        departure = asyncio.ensure_future(gone.wait())
        try:
            await asyncio.wait({answer, departure}, return_when=asyncio.FIRST_COMPLETED)
            if not exchange.finished and gone.is_set():
                request.abandoned.set()
                raise ConnectionResetError
            await answer
        finally:
            answer.cancel()
            departure.cancel()
            await asyncio.gather(answer, departure, return_exceptions=True)


class _Connection(asyncio.StreamReaderProtocol):
    """A connection that says when the client has gone, even while nobody reads from it."""

    def __init__(
        self,
        gone: asyncio.Event,
        converse: Callable[[asyncio.StreamReader, asyncio.StreamWriter], None],
        opened: set[asyncio.WriteTransport],
    ) -> None:
        super().__init__(asyncio.StreamReader(), converse)
        self._gone = gone
        self._open = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._own: asyncio.WriteTransport = transport  # type: ignore[assignment]  # what a protocol gets from TCP
        self._open.add(self._own)
        super().connection_made(transport)

    def eof_received(self) -> bool | None:
        self._gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()
        self._open.discard(self._own)
        super().connection_lost(exc)


async def _read(reader: asyncio.StreamReader) -> HttpRequest | None:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return HttpRequest(method, target.partition("?")[0], headers, body)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
