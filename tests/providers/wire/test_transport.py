"""Connections that are opened, kept, dropped and refused, against servers that do the same."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from toolkit.providers.wire import transport as module
from toolkit.providers.wire.transport import Transport
from toolkit.testing.listener import Exchange, HttpRequest, Listener

LONG = 30.0
OK = {"content-type": "text/plain"}


@contextmanager
def server(answer: Callable[[HttpRequest, Exchange], Awaitable[None]]) -> Iterator[str]:
    listener = Listener(answer)
    listener.start()
    try:
        yield f"http://127.0.0.1:{listener.port}"
    finally:
        listener.stop()


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport(ssl.create_default_context())
    yield made
    await made.aclose()


async def say(request: HttpRequest, exchange: Exchange) -> None:
    """Answers with the path and the body."""
    await exchange.send(200, OK, request.path.encode() + b" " + request.body)


async def ask(transport: Transport, url: str, body: bytes = b"") -> bytes:
    async with httpx2.AsyncClient(transport=_Lent(transport)) as client:
        return (await client.post(url, content=body)).content


class _Lent(httpx2.AsyncBaseTransport):
    """A transport that outlives the client that uses it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return await self._transport.handle_async_request(request)


async def test_a_question_is_answered_and_its_connection_kept_for_the_next(transport: Transport) -> None:
    with server(say) as url:
        for n in range(3):
            assert await ask(transport, f"{url}/{n}", b"x" * n * 100_000) == b"/%d " % n + b"x" * n * 100_000
            assert (transport.idle, transport.open) == (1, 1)


async def test_questions_at_once_have_a_connection_each(transport: Transport) -> None:
    with server(say) as url:
        answers = await asyncio.gather(*(ask(transport, f"{url}/{n}") for n in range(20)))
        assert answers == [b"/%d " % n for n in range(20)]
        assert (transport.idle, transport.open) == (20, 20)


async def test_no_more_connections_are_kept_than_are_of_use(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_IDLE", 2)
    with server(say) as url:
        await asyncio.gather(*(ask(transport, url) for _ in range(5)))
        assert transport.idle == 2


async def test_a_connection_that_was_unused_for_long_is_not_trusted(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports: list[HttpRequest] = []

    async def note(request: HttpRequest, exchange: Exchange) -> None:
        ports.append(request)
        await say(request, exchange)

    with server(note) as url:
        await ask(transport, url)
        (line,) = transport._lines
        monkeypatch.setattr(module, "_IDLE", 0.0)
        await ask(transport, url)
        assert line not in [each for each in transport._lines if each.alive]
        assert transport.idle == 1


async def test_a_connection_that_the_server_has_closed_is_not_used_again(transport: Transport) -> None:
    with server(say) as url:
        await ask(transport, url)
    while transport.open:  # the news that the server is gone is on its way  # noqa: ASYNC110 - nobody else tells
        await asyncio.sleep(0.001)
    with pytest.raises(httpx2.ConnectError):
        await ask(transport, url)


async def test_an_answer_that_is_left_before_its_end_takes_its_connection_with_it(transport: Transport) -> None:
    async def half(request: HttpRequest, exchange: Exchange) -> None:
        exchange.begin(200, {"content-length": "10"})
        await exchange.write(b"half")
        await asyncio.to_thread(request.abandoned.wait, LONG)

    with server(half) as url:
        response = await transport.handle_async_request(httpx2.Request("POST", url))
        await response.aclose()
        assert (transport.idle, transport.open) == (0, 0)


async def test_whoever_stops_waiting_for_the_head_takes_the_connection_with_him(transport: Transport) -> None:
    async def hang(_request: HttpRequest, _exchange: Exchange) -> None:
        await asyncio.Event().wait()

    with server(hang) as url:
        asking = asyncio.create_task(ask(transport, url))
        while not transport.open:  # noqa: ASYNC110 - nobody else tells
            await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert transport.open == 0


async def test_closing_ends_what_is_under_way_with_an_error(transport: Transport) -> None:
    async def half(_request: HttpRequest, exchange: Exchange) -> None:
        exchange.begin(200, {"content-length": "10"})
        await exchange.write(b"half")
        await asyncio.Event().wait()

    with server(half) as url:
        response = await transport.handle_async_request(httpx2.Request("POST", url))
        reading = asyncio.create_task(response.aread())
        await asyncio.sleep(0)
        await transport.aclose()
        with pytest.raises(httpx2.RemoteProtocolError, match="before its answer was whole"):
            await reading


async def test_a_reset_is_an_error_of_the_connection(transport: Transport) -> None:
    async def reset(_request: HttpRequest, exchange: Exchange) -> None:
        exchange.reset()

    with server(reset) as url, pytest.raises(httpx2.ReadError):
        await ask(transport, url)


async def test_an_answer_that_nobody_reads_makes_the_server_wait(
    transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_UNREAD", 100_000)
    size = 20_000_000

    async def flood(_request: HttpRequest, exchange: Exchange) -> None:
        await exchange.send(200, OK, b"x" * size)

    with server(flood) as url:
        response = await transport.handle_async_request(httpx2.Request("POST", url))
        (line,) = transport._lines
        while not line._paused:  # noqa: ASYNC110 - nobody else tells
            await asyncio.sleep(0.001)
        assert line._incoming is not None
        assert line._incoming.unread < 1_000_000
        assert len(await response.aread()) == size


async def test_an_address_at_which_nobody_answers_cannot_be_connected_to(transport: Transport) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        with pytest.raises(httpx2.ConnectError):
            await ask(transport, f"http://127.0.0.1:{taken.getsockname()[1]}")


@asynccontextmanager
async def secret_server(folder: Path) -> AsyncIterator[tuple[str, Path]]:
    """A server that speaks TLS, and the file with its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "the test")])
    at = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), at, at + timedelta(1))
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    file = folder / "server.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    conversations: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversations.append(asyncio.create_task(answer(reader, writer)))

    listening = await asyncio.start_server(begin, "127.0.0.1", 0, ssl=context)
    async with listening:
        yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}", file
        await asyncio.gather(*conversations)
        while listening._active_count:  # type: ignore[attr-defined]  # noqa: ASYNC110 - Python 3.11 cannot wait for them
            await asyncio.sleep(0.001)


async def test_a_server_whose_certificate_is_trusted_is_spoken_to_in_secret(tmp_path: Path) -> None:
    async with secret_server(tmp_path) as (url, certificate):
        transport = Transport(ssl.create_default_context(cafile=certificate))
        for _ in range(2):
            assert await ask(transport, url) == b"secret"
        assert transport.open == 1
        await transport.aclose()


async def test_a_server_whose_certificate_nobody_knows_is_told_nothing(transport: Transport, tmp_path: Path) -> None:
    async with secret_server(tmp_path) as (url, _):
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await ask(transport, url)
        assert transport.open == 0


async def test_an_address_of_another_kind_is_refused(transport: Transport) -> None:
    with pytest.raises(httpx2.UnsupportedProtocol, match="ftp"):
        await ask(transport, "ftp://127.0.0.1/file")


async def test_a_header_cannot_smuggle_another_request(transport: Transport) -> None:
    with server(say) as url:
        request = httpx2.Request("POST", url, headers=[(b"X-A", b"1\r\n\r\nPOST /evil HTTP/1.1")])
        with pytest.raises(httpx2.LocalProtocolError):
            await transport.handle_async_request(request)


async def test_the_time_for_connecting_is_bounded(transport: Transport) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(1)  # the handshake of TLS is never answered
        url = f"https://127.0.0.1:{deaf.getsockname()[1]}"
        request = httpx2.Request("POST", url, extensions={"timeout": {"connect": 0.05}})
        with pytest.raises(httpx2.ConnectTimeout):
            await transport.handle_async_request(request)
