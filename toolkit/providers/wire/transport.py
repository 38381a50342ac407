"""HTTP/1.1 straight on asyncio's connections, under the SDKs' own client.

The client that the SDKs bring goes through several layers for every request and every few bytes of a stream; what it
spends there is most of what a call costs. `python -m benchmarks.chat` measures it. This does what vendors' APIs need
and leaves the rest out: HTTP/2, proxies (see `connection.http_client`), requests whose body is a stream.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TypeAlias
from weakref import WeakKeyDictionary, WeakSet

import httpx2

from toolkit.providers.wire.http1 import Incoming

_IDLE = 30.0
"""Seconds that an unused connection is trusted: most servers let go of it after a minute."""

_MOST_IDLE = 100
"""Unused connections that are kept for one address."""

_MOST_UNREAD = 1_000_000
"""Bytes of an answer that nobody has read yet, from which on the server is made to wait."""

_Address: TypeAlias = tuple[str, str, int]  # scheme, host, port
_PORTS = {"http": 80, "https": 443}


class Transport(httpx2.AsyncBaseTransport):
    """Connections to any number of servers, each used for one request at a time and kept for the next.

    It sets a limit to connecting only. Whoever waits for an answer bounds that by himself, and cancels it.

    Args:
        certificates: whom to trust.
    """

    def __init__(self, certificates: ssl.SSLContext) -> None:
        self._certificates = certificates
        # A connection belongs to the event loop that opened it.
        self._idle: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[_Address, list[_Line]]] = WeakKeyDictionary()
        self._lines: WeakSet[_Line] = WeakSet()

    @property
    def idle(self) -> int:
        """How many connections wait for a request."""
        return sum(len(lines) for by_address in self._idle.values() for lines in by_address.values())

    @property
    def open(self) -> int:
        """How many connections there are."""
        return sum(line.alive for line in self._lines)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request; the response is given as soon as its head is there.

        Raises:
            ConnectError: nobody answers at the address, or it cannot be trusted.
            ConnectTimeout: it does not within the request's time for that.
            UnsupportedProtocol: the address is neither http nor https.
            ReadError: the connection broke.
            RemoteProtocolError: it was closed too early, or what came is no HTTP.
        """
        line = self._unused(request) or await self._connect(request)
        try:
            line.send(_bytes(request))
            incoming = await line.head()
        except BaseException:
            line.drop()
            raise
        return httpx2.Response(incoming.status, headers=incoming.headers, stream=_Body(line, self))

    async def aclose(self) -> None:
        """Close every connection."""
        for line in list(self._lines):
            line.drop()
        self._idle.clear()

    def take_back(self, line: "_Line") -> None:
        """Keep a connection whose answer is read to its end; close any other."""
        kept = self._idle.setdefault(line.loop, {}).setdefault(line.address, [])
        if line.rest() and len(kept) < _MOST_IDLE:
            kept.append(line)
        else:
            line.drop()

    def _unused(self, request: httpx2.Request) -> "_Line | None":
        loop = asyncio.get_running_loop()
        lines = self._idle.get(loop, {}).get(_address(request), [])
        while lines:
            line = lines.pop()  # the one that was used last is the most likely to be alive
            if line.alive and loop.time() - line.since < _IDLE:
                return line
            line.drop()
        return None

    async def _connect(self, request: httpx2.Request) -> "_Line":
        scheme, host, port = address = _address(request)
        if scheme not in _PORTS:
            raise httpx2.UnsupportedProtocol(f"The address begins with {scheme!r}, not with http or https")
        loop = asyncio.get_running_loop()
        certificates = self._certificates if scheme == "https" else None
        try:
            async with asyncio.timeout(request.extensions.get("timeout", {}).get("connect")):
                _, line = await loop.create_connection(
                    lambda: _Line(loop, address), host, port, ssl=certificates, happy_eyeballs_delay=0.25
                )
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("Nobody answers", request=request) from error
        except OSError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        self._lines.add(line)
        return line


class _Line(asyncio.Protocol):
    """One connection.

    Attributes:
        loop: the event loop that it belongs to.
        address: where it leads.
        since: when it was last put aside, by the loop's clock.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, address: _Address) -> None:
        self.loop = loop
        self.address = address
        self.since = 0.0
        self._incoming: Incoming | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._failure: Exception | None = None
        self._paused = False

    @property
    def alive(self) -> bool:
        """Whether neither side has closed it."""
        return not self._transport.is_closing()

    def send(self, request: bytes) -> None:
        """Send a whole request."""
        self._incoming = Incoming()
        self._transport.write(request)

    async def head(self) -> Incoming:
        """The response, once its head has come."""
        while not (incoming := self._response()).status:
            await self._something()
        return incoming

    async def more(self) -> bytes:
        """The next bytes of the body; empty at its end."""
        while not (incoming := self._response()).unread and not incoming.whole:
            await self._something()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return incoming.take()

    def rest(self) -> bool:
        """Whether the connection can be used again, now that its answer is done with."""
        incoming, self._incoming = self._incoming, None
        self.since = self.loop.time()
        return incoming is not None and incoming.whole and incoming.keeps and self.alive

    def drop(self) -> None:
        """Close it at once."""
        with suppress(RuntimeError):  # its loop was closed, and the connection with it
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]  # what a protocol gets from TCP

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        if self._incoming is None:
            self.drop()  # a server that speaks without being asked
            return
        try:
            self._incoming.feed(data)
        except httpx2.RemoteProtocolError as error:
            self._fail(error)
            return
        if self._incoming.unread > _MOST_UNREAD and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is no more."""
        if self._incoming is None or self._failure:
            return
        try:
            self._incoming.end()
        except httpx2.RemoteProtocolError as error:
            self._failure = httpx2.ReadError(str(exc)) if exc else error
        self._wake()

    def _response(self) -> Incoming:
        incoming = self._incoming
        if incoming is None:
            raise httpx2.StreamClosed
        # What has come before the connection broke is given first.
        if self._failure and not incoming.unread and not incoming.whole:
            raise self._failure
        return incoming

    async def _something(self) -> None:
        self._waiting = self.loop.create_future()
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_result(None)

    def _fail(self, error: Exception) -> None:
        self._failure = error
        self.drop()
        self._wake()


class _Body(httpx2.AsyncByteStream):
    """The body of a response; closing it gives the connection back."""

    def __init__(self, line: _Line, transport: Transport) -> None:
        self._line = line
        self._transport = transport
        self._closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self._line.more():
            yield piece

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self._transport.take_back(self._line)


def _address(request: httpx2.Request) -> _Address:
    url = request.url
    return url.scheme, url.raw_host.decode("ascii"), url.port or _PORTS.get(url.scheme, 0)


def _bytes(request: httpx2.Request) -> bytes:
    """A request as it is sent: in one piece, which takes one call of the system where two pieces take two."""
    lines = [b"%s %s HTTP/1.1" % (request.method.encode("ascii"), request.url.raw_path)]
    lines += [b"%s: %s" % header for header in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
        raise httpx2.LocalProtocolError("A header has a line break in it", request=request)
    return b"%s\r\n\r\n%s" % (head, request.content)
