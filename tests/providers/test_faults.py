"""What can go wrong with a vendor, on both wires, streamed or not, against a server that does it."""

import asyncio
import socket
import traceback
from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG, Ask
from toolkit import errors, providers
from toolkit.errors import BadAnswer, ProviderError, ProviderTimeout, ProviderUnavailable
from toolkit.providers.base import Provider
from toolkit.testing.vendors import Fault, VendorServer

SHORT = 0.2
FIRST, LATER = 1, 3  # numbers of requests, one between them being answered

STATUSES: list[tuple[Fault, type[ProviderError]]] = [
    (Fault.status(400), errors.InvalidRequest),
    (Fault.status(401), errors.AuthenticationFailed),
    (Fault.status(402), errors.QuotaExceeded),
    (Fault.status(403), errors.AuthenticationFailed),
    (Fault.status(404), errors.ModelNotFound),
    (Fault.status(408), errors.ProviderUnavailable),
    (Fault.status(409), errors.ProviderUnavailable),
    (Fault.status(413), errors.ContextTooLong),
    (Fault.status(422), errors.InvalidRequest),
    (Fault.status(429), errors.RateLimited),
    (Fault.status(500), errors.ProviderUnavailable),
    (Fault.status(502, body="<html>Bad Gateway</html>"), errors.ProviderUnavailable),
    (Fault.status(503), errors.ProviderUnavailable),
    (Fault.status(529), errors.ProviderUnavailable),
    (Fault.status(307, headers={"location": "http://127.0.0.1:9/"}), errors.BadAnswer),
    (Fault.status(429, error_code="insufficient_quota"), errors.QuotaExceeded),
    (Fault.status(429, error_code="enforced_spend_limit_reached"), errors.QuotaExceeded),
    (Fault.status(400, "Your credit balance is too low to access the API."), errors.QuotaExceeded),
    (Fault.status(400, error_code="context_length_exceeded"), errors.ContextTooLong),
    (Fault.status(400, "prompt is too long: 210000 tokens > 200000 maximum"), errors.ContextTooLong),
    (Fault.status(400, "This model's maximum context length is 8192 tokens."), errors.ContextTooLong),
    (Fault.status(400, error_code="content_policy_violation"), errors.ContentRefused),
    (Fault.status(400, error_code="content_filter"), errors.ContentRefused),
    (Fault.status(400, "Output blocked by content filtering policy"), errors.ContentRefused),
    (Fault.status(400, "API key not valid. Please pass a valid API key."), errors.AuthenticationFailed),
    (Fault.status(400, "The model was retired.", error_code="model_decommissioned"), errors.ModelNotFound),
    (Fault.status(400, "Failed to call a function.", error_code="tool_use_failed"), errors.BadAnswer),
]

BROKEN: list[tuple[Fault, type[ProviderError]]] = [
    (Fault.reset(), ProviderUnavailable),
    (Fault.hang(), ProviderTimeout),
    (Fault.stall(), ProviderTimeout),
    (Fault.stall(after=2), ProviderTimeout),
    (Fault.cut(), ProviderUnavailable),
    (Fault.cut(after=2), ProviderUnavailable),
    (Fault.end(), BadAnswer),
    (Fault.end(after=2), BadAnswer),
    (Fault.error_event(after=2), ProviderUnavailable),
    (Fault.error_event(error_type="overloaded_error"), ProviderUnavailable),
    (Fault.error_event(error_type="rate_limit_error", after=1), errors.RateLimited),
    (Fault.error_event(error_type="invalid_request_error"), errors.InvalidRequest),
    (Fault.error_event("prompt is too long", error_type="invalid_request_error"), errors.ContextTooLong),
    (Fault.garbage(after=1), BadAnswer),
    (Fault.not_json(), BadAnswer),
    (Fault.not_json(body="[]"), BadAnswer),
    (Fault.not_json(body="{}"), BadAnswer),
    (Fault.not_json(body='{"choices": "none", "content": 7}'), BadAnswer),
    (Fault.not_json(body=""), BadAnswer),
    (Fault.empty(), BadAnswer),
]


def describe(value: Any) -> str:
    """A fault or a class of error in a test's name."""
    if not isinstance(value, Fault):
        return str(value.__name__)
    said = value.error_code or value.error_type or value.message or value.body or ""
    return f"{value.kind}-{value.status_code}-{value.after}-{said}"


async def get_ready(ask: Ask, vendors: VendorServer, number: int) -> None:
    """Make the next request the first, which the SDK makes, or a later one, which is made in the likeness of it."""
    vendors.recover()
    if number == LATER:
        await ask()
    vendors.requests.clear()


def assert_plain(error: ProviderError, vendor: str) -> None:
    """The error's message is one line, ends as a sentence, and names the vendor."""
    message = str(error)
    assert vendor in message
    assert message.endswith(".")
    assert not message.endswith("..")
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(("fault", "kind"), STATUSES, ids=describe)
async def test_a_status_and_what_it_says_become_the_error_that_they_mean_in_one_sentence_and_without_a_retry(
    ask: Ask, vendor: str, vendors: VendorServer, fault: Fault, kind: type[ProviderError]
) -> None:
    for number in (FIRST, LATER):
        await get_ready(ask, vendors, number)
        vendors.fail(vendor, fault)
        with pytest.raises(ProviderError) as caught:
            await ask()
        assert type(caught.value) is kind
        assert caught.value.provider == vendor
        assert caught.value.status == fault.status_code
        assert caught.value.request_id == f"req_{number}"
        assert_plain(caught.value, vendor)
        assert len(vendors.requests) == 1


@pytest.mark.parametrize(("fault", "kind"), BROKEN, ids=describe)
async def test_an_answer_that_breaks_becomes_the_error_that_it_is_in_one_sentence_and_without_a_retry(
    ask: Ask, vendor: str, vendors: VendorServer, fault: Fault, kind: type[ProviderError]
) -> None:
    waits = kind is ProviderTimeout
    for number in (FIRST, LATER):
        await get_ready(ask, vendors, number)
        vendors.fail(vendor, fault)
        with pytest.raises(ProviderError) as caught:
            await ask(timeout=SHORT if waits else LONG)
        assert type(caught.value) is kind
        assert_plain(caught.value, vendor)
        # On a busy machine a short time may be over before the server has read the request.
        assert len(vendors.requests) in ((0, 1) if waits else (1,))


async def test_a_vendor_that_recovers_answers_on_the_same_connection(
    ask: Ask, vendor: str, vendors: VendorServer
) -> None:
    for fault in (Fault.cut(1), Fault.end(1), Fault.garbage(), Fault.not_json(), Fault.status(500), Fault.empty()):
        vendors.fail(vendor, fault, times=1)
        with pytest.raises(ProviderError):
            await ask()
        assert (await ask()).message.text == "You said: hi there"


async def test_what_a_vendor_repeats_of_the_key_appears_nowhere_in_the_error(
    ask: Ask, vendor: str, vendors: VendorServer
) -> None:
    said = f"Incorrect API key provided: {KEY}."
    for fault in (
        Fault.status(401, said),
        Fault.status(500, body=said),
        Fault.error_event(said),
        Fault.not_json(said),
    ):
        vendors.fail(vendor, fault, times=1)
        with pytest.raises(ProviderError) as caught:
            await ask()
        assert KEY not in "".join(traceback.format_exception(caught.value))
        assert KEY not in repr(vars(caught.value))
    assert KEY not in repr(vendors.requests)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-3"}, 0.0),
        ({}, None),
    ],
)
async def test_retry_after_is_read_in_every_form(
    ask: Ask, vendor: str, vendors: VendorServer, headers: dict[str, str], seconds: float | None
) -> None:
    for status in (429, 503):
        vendors.fail(vendor, Fault.status(status, headers=headers), times=1)
        with pytest.raises(ProviderError) as caught:
            await ask()
        assert caught.value.retry_after == seconds


async def test_a_connection_that_is_refused_is_a_vendor_that_cannot_be_reached(vendor: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer there
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        provider = providers.connect(vendor, {"api_key": KEY}, {"base_url": url})
        try:
            with pytest.raises(ProviderUnavailable, match=f"cannot be reached at {url}"):
                await provider.complete(HELLO, "m", timeout=LONG)
        finally:
            await provider.close()


async def test_the_timeout_of_a_whole_answer_bounds_all_of_it(
    provider: Provider, vendor: str, vendors: VendorServer
) -> None:
    vendors.fail(vendor, Fault.drip(0.04))  # some 25 pieces, so no single wait is long
    with pytest.raises(ProviderTimeout, match=r"0\.2 s"):
        await provider.complete(HELLO, "m", timeout=SHORT)


async def test_the_timeout_of_a_stream_bounds_each_wait_and_not_their_sum(
    openai: Provider, vendors: VendorServer
) -> None:
    vendors.say("word " * 25)
    vendors.fail("openai", Fault.drip(0.1))  # 2.5 s in all
    pieces = [delta async for delta in openai.stream(HELLO, "m", timeout=2.0)]
    assert len(pieces) == 26


async def test_what_arrived_before_a_stream_broke_off_has_been_yielded(
    provider: Provider, vendor: str, vendors: VendorServer
) -> None:
    vendors.fail(vendor, Fault.cut(after=3))
    arrived: list[str] = []

    async def listen() -> None:
        async for delta in provider.stream(HELLO, "m", timeout=LONG):
            arrived.append(delta.text)  # noqa: PERF401 - a comprehension would lose them

    with pytest.raises(ProviderUnavailable):
        await listen()
    assert arrived == ["You", " said:", " hi"]


@pytest.mark.parametrize("fault", [Fault.hang(), Fault.stall()], ids=describe)
async def test_cancelling_the_task_closes_the_request_at_once(
    ask: Ask, vendor: str, vendors: VendorServer, fault: Fault
) -> None:
    vendors.fail(vendor, fault)
    task = asyncio.create_task(ask())
    while not vendors.requests:  # noqa: ASYNC110 - another thread fills the list
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, LONG)


async def test_closing_a_stream_closes_the_request_at_once(
    provider: Provider, vendor: str, vendors: VendorServer
) -> None:
    vendors.fail(vendor, Fault.stall(after=1))
    stream: Any = provider.stream(HELLO, "m", timeout=LONG)
    assert (await anext(stream)).text == "You"
    await stream.aclose()
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, LONG)


async def test_a_request_that_timed_out_is_closed(ask: Ask, vendor: str, vendors: VendorServer) -> None:
    vendors.fail(vendor, Fault.stall(after=1))
    with pytest.raises(ProviderTimeout):
        await ask(timeout=SHORT)
    assert await asyncio.to_thread(vendors.requests[0].abandoned.wait, LONG)
