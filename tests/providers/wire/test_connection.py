"""What a provider's connection does beyond asking and answering, against a server that answers byte by byte."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Any, cast

import httpx2
import pytest
from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import AuthenticationFailed, BadAnswer, InvalidRequest, ProviderError, ProviderUnavailable
from toolkit.messages import ChatRequest, Completion, Message, Usage
from toolkit.providers.wire import connection
from toolkit.providers.wire.chat import SOMEWHERE, ChatCompletions
from toolkit.providers.wire.connection import Connection, _certificates, http_client, server_sent
from toolkit.testing.listener import Exchange, HttpRequest, Listener
from toolkit.testing.vendors import Fault, VendorServer

STREAM = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
TEXT = {"choices": [{"delta": {"content": "Yes."}}]}
STOP = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
COUNT = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}


@contextmanager
def server(answer: Callable[[Exchange], Awaitable[None]]) -> Iterator[tuple[str, list[HttpRequest]]]:
    """A server that answers every request by `answer`: its address, and the requests."""
    seen: list[HttpRequest] = []

    async def handle(request: HttpRequest, exchange: Exchange) -> None:
        seen.append(request)
        await answer(exchange)

    listener = Listener(handle)
    listener.start()
    try:
        yield f"http://127.0.0.1:{listener.port}", seen
    finally:
        listener.stop()


async def last(url: str, *, timeout: float = LONG) -> Completion:
    provider = providers.connect("openai", {"api_key": KEY}, {"base_url": url})
    try:
        deltas = [delta async for delta in provider.stream(HELLO, "m", timeout=timeout)]
    finally:
        await provider.close()
    assert deltas[-1].completion
    return deltas[-1].completion


def sse(*events: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events)


@pytest.mark.parametrize("how", ["the connection drops", "it hangs", "what follows is garbage", "it just ends"])
async def test_an_answer_that_was_whole_stays_one_whatever_happens_afterwards(how: str) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.begin(200, STREAM)
        await exchange.chunk(sse(TEXT, STOP))
        match how:
            case "the connection drops":
                exchange.drop()
            case "it hangs":
                await asyncio.Event().wait()
            case "what follows is garbage":
                await exchange.chunk(b"data: {oh\n\n")
                await exchange.end()
            case _:
                await exchange.end()

    with server(answer) as (url, _):
        completion = await last(url, timeout=1.0)
    assert (completion.message.text, completion.usage) == ("Yes.", None)


async def test_a_server_that_keeps_the_response_open_after_its_last_mark_does_not_keep_the_answer_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.begin(200, STREAM)
        await exchange.chunk(sse(TEXT, STOP, COUNT) + b"data: [DONE]\n\n")
        await asyncio.Event().wait()

    # Without the last mark it would now wait for minutes, and the test would fail by its own limit.
    monkeypatch.setattr(connection, "_AFTERWARDS", 1000.0 / 2)
    monkeypatch.setattr(connection, "_AFTER_DONE", 0.01)
    with server(answer) as (url, seen):
        async with asyncio.timeout(LONG):
            completion = await last(url, timeout=1000.0)
        assert await asyncio.to_thread(seen[0].abandoned.wait, LONG)
    assert (completion.message.text, completion.usage) == ("Yes.", Usage(3, 1))


async def test_a_mark_that_the_stream_is_over_does_not_make_an_answer_whole() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.begin(200, STREAM)
        await exchange.chunk(sse(TEXT) + b"data: [DONE]\n\n")
        await exchange.end()

    with server(answer) as (url, _), pytest.raises(BadAnswer, match="end mark"):
        await last(url)


async def test_a_stream_that_was_asked_for_and_not_sent_is_a_bad_answer() -> None:
    async def answer(exchange: Exchange) -> None:
        whole = {"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]}
        await exchange.send(200, {"content-type": "application/json"}, json.dumps(whole).encode())

    with server(answer) as (url, _), pytest.raises(BadAnswer, match="asked for a stream"):
        await last(url)


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_a_redirect_is_not_followed_so_that_nothing_goes_to_another_host(vendor: str) -> None:
    async def take_in(exchange: Exchange) -> None:
        await exchange.send(200, {}, b"{}")

    with server(take_in) as (elsewhere, arrived):

        async def answer(exchange: Exchange) -> None:
            await exchange.send(307, {"location": elsewhere}, b"")

        with server(answer) as (url, _):
            provider = providers.connect(vendor, {"api_key": KEY}, {"base_url": url})
            with pytest.raises(BadAnswer, match="base_url"):
                await provider.complete(HELLO, "m", timeout=LONG)
            await provider.close()
    assert not arrived


class Lines:
    """The connections of a client."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    @property
    def _connector(self) -> Any:
        return cast("Any", self._http._transport).client.connector

    @property
    def unused(self) -> int:
        """How many wait for a request."""
        return sum(map(len, self._connector._conns.values()))

    @property
    def used(self) -> int:
        """How many are at one."""
        return len(self._connector._acquired)


@asynccontextmanager
async def spoken_to(url: str, *, direct: bool) -> AsyncIterator[tuple[ChatCompletions, Lines]]:
    """A provider whose connections the test can count; `direct`: the SDK makes the first request only."""
    http = http_client(DefaultAioHttpClient)
    client = AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0, http_client=http)
    line = Connection("openai", client, AsyncStream[object], KEY, below=http if direct else None)
    provider = ChatCompletions(line, "openai", SOMEWHERE)
    try:
        yield provider, Lines(http)
    finally:
        await provider.close()


@pytest.mark.parametrize("direct", [False, True])
async def test_one_connection_serves_one_answer_after_another(vendors: VendorServer, *, direct: bool) -> None:
    async with spoken_to(vendors.openai_url, direct=direct) as (provider, lines):
        for _ in range(3):
            await provider.complete(HELLO, "m", timeout=LONG)
            async for _delta in provider.stream(HELLO, "m", timeout=LONG):
                pass
            assert (lines.unused, lines.used) == (1, 0)


async def test_a_request_that_leaves_the_sdk_aside_is_the_one_that_the_sdk_would_make(vendors: VendorServer) -> None:
    for direct in (False, True):
        async with spoken_to(vendors.openai_url, direct=direct) as (provider, _):
            for _ in range(2):
                await provider.complete(HELLO, "m", timeout=LONG)
    *_, by_sdk, _, by_itself = vendors.requests
    assert by_itself.body == by_sdk.body
    told = {"x-stainless-read-timeout", "x-stainless-timeout"}
    assert {k: v for k, v in by_itself.headers.items() if k not in told} == {
        k: v for k, v in by_sdk.headers.items() if k not in told
    }


async def test_a_request_that_leaves_the_sdk_aside_says_nothing_twice(vendors: VendorServer) -> None:
    said: list[list[str]] = []

    async def note(request: httpx2.Request) -> None:
        said.append([name for name, _ in request.headers.multi_items()])

    async with spoken_to(vendors.openai_url, direct=True) as (provider, _):
        below = provider._connection._below
        assert below
        below.event_hooks = {"request": [note]}
        for _ in range(2):
            await provider.complete(HELLO, "m", timeout=LONG)
    for names in said:
        assert len(names) == len(set(names))
    assert "x-stainless-read-timeout" not in said[1]


async def test_an_error_that_comes_without_the_sdk_says_the_same_and_no_secret(vendors: VendorServer) -> None:
    said: list[ProviderError] = []
    for direct in (False, True):
        async with spoken_to(vendors.openai_url, direct=direct) as (provider, _):
            await provider.complete(HELLO, "m", timeout=LONG)
            vendors.fail("openai", Fault.status(401, f"Incorrect API key provided: {KEY}."), times=1)
            with pytest.raises(AuthenticationFailed) as caught:
                await provider.complete(HELLO, "m", timeout=LONG)
            said.append(caught.value)
    assert str(said[0]) == str(said[1])
    assert [error.status for error in said] == [401, 401]
    assert KEY not in str(said[1])


async def test_what_an_sdk_cannot_send_cannot_be_sent_without_it(vendors: VendorServer) -> None:
    async with spoken_to(vendors.openai_url, direct=True) as (provider, _):
        for _ in range(2):
            with pytest.raises(InvalidRequest, match="cannot be sent"):
                await provider.complete(replace(HELLO, extra={"top_p": float("nan")}), "m", timeout=LONG)
            await provider.complete(HELLO, "m", timeout=LONG)


async def test_many_questions_at_once_get_each_its_own_answer(vendors: VendorServer) -> None:
    provider = providers.connect("openai", {"api_key": KEY}, {"base_url": vendors.openai_url})
    questions = [ChatRequest((Message("user", f"number {n}"),)) for n in range(50)]
    answers = await asyncio.gather(*(provider.complete(question, "m", timeout=LONG) for question in questions))
    assert [answer.message.text for answer in answers] == [f"You said: number {n}" for n in range(50)]
    await provider.close()


async def test_a_proxy_of_the_environment_is_used(vendors: VendorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.send(502, {}, b"I am the proxy")

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with server(answer) as (proxy, seen):
        monkeypatch.setenv("http_proxy", proxy)
        provider = providers.connect("openai", {"api_key": KEY}, {"base_url": "http://vendor.example/v1"})
        with pytest.raises(ProviderUnavailable, match="I am the proxy"):
            await provider.complete(HELLO, "m", timeout=LONG)
        await provider.close()
    assert len(seen) == 1
    assert not vendors.requests


async def test_the_certificates_are_read_once_for_all_clients() -> None:
    one = http_client(DefaultAioHttpClient)
    read = _certificates.cache_info().misses
    other = http_client(DefaultAioHttpClient)
    assert _certificates.cache_info().misses == read > 0
    await one.aclose()
    await other.aclose()


@pytest.mark.parametrize(
    ("chunks", "events"),
    [
        ([b"data: a\n\ndata: b\n\n"], [b"a", b"b"]),
        ([b"da", b"ta: a\r\n\r", b"\nda", b"ta:b\n", b"\n"], [b"a", b"b"]),
        ([b": a comment\n\nevent: x\nid: 1\ndata: a\ndata: b\n\n"], [b"a\nb"]),
        ([b"data: a\n\ndata: cut off"], [b"a"]),
        ([b"data: a\n\ndata: not closed\n"], [b"a"]),
        ([b"nothing: here\n\n\n\n"], []),
    ],
)
async def test_events_are_read_however_their_bytes_arrive(chunks: list[bytes], events: list[bytes]) -> None:
    async def coming() -> Any:
        for chunk in chunks:
            yield chunk

    assert [event async for event in server_sent(coming())] == events


async def test_a_fault_does_not_leave_its_connection_behind(vendors: VendorServer) -> None:
    async with spoken_to(vendors.openai_url, direct=True) as (provider, lines):
        for fault in (Fault.end(1), Fault.garbage(1), Fault.error_event(after=1), Fault.cut(1), Fault.stall(1)):
            vendors.fail("openai", fault, times=1)
            with pytest.raises(ProviderError):
                async for _delta in provider.stream(HELLO, "m", timeout=0.1 if fault.kind == "stall" else LONG):
                    pass
        assert lines.used == 0


async def test_a_compressed_stream_is_read() -> None:
    async def answer(exchange: Exchange) -> None:
        exchange.begin(200, {**STREAM, "content-encoding": "gzip"})
        await exchange.chunk(gzip.compress(sse(TEXT, STOP)))
        await exchange.end()

    with server(answer) as (url, _):
        assert (await last(url)).message.text == "Yes."
