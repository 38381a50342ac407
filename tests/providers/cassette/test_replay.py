"""What was recorded with real clients is replayed without any, and is the same each time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import pytest

from tests.providers.cassette.conftest import HELLO, house, recorded, replayed, text_of
from toolkit import stamps
from toolkit.errors import (
    AllModelsFailed,
    CassetteMiss,
    DeadlineExceeded,
    ProviderError,
    StreamInterrupted,
    ToolkitError,
)
from toolkit.messages import ChatRequest, Delta, Image, Message, Reply, ToolCall, ToolSpec
from toolkit.models.router import Router
from toolkit.providers.cassette import Cassette
from toolkit.testing.vendors import Fault, VendorServer

Story = Callable[[Router], Awaitable[Any]]


def told(reply: Reply) -> list[Any]:
    """What of a reply is the same in the recording and in its replay."""
    attempts = [
        (a.name, a.provider, a.error, a.message, a.status, a.request_id, a.usage, a.cost_nano_usd, a.key)
        for a in reply.attempts
    ]
    return [reply.message, reply.model, reply.finish_reason, attempts]


async def heard(router: Router, request: ChatRequest = HELLO, **how: Any) -> tuple[list[Any], Reply]:
    """The pieces of a stream, and its reply."""
    pieces: list[Delta] = [delta async for delta in router.stream(request, **how)]
    assert pieces[-1].reply
    return [(p.text, p.tool_calls, p.restarted) for p in pieces[:-1]], pieces[-1].reply


async def test_an_answer_is_replayed_without_network_and_keys(file: Path, vendors: VendorServer) -> None:
    vendors.say("Paris,\n\nof course.")
    async with recorded(file, vendors) as router:
        first = await router.complete(HELLO)
    assert len(vendors.requests) == 1
    async with replayed(file) as router:
        again = await router.complete(HELLO)
    assert told(again) == told(first)
    assert again.attempts[0].cost_nano_usd
    assert len(vendors.requests) == 1


async def test_every_replay_is_the_same_to_the_last_bit(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(503), times=2)

    async def asked(router: Router, word: str) -> Reply:
        stamps.begin()
        return await router.complete(ChatRequest((Message("user", word),)))

    async def story(router: Router, *, forget: bool = False) -> list[Any]:
        one = await asked(router, "d")
        pieces, two = await heard(router)
        if forget:  # as when half a second passed: the three then wait for the table, and take turns elsewhere
            router._candidates._known.clear()
        three = await asyncio.gather(*(asked(router, word) for word in "abc"))
        return [asdict(reply) for reply in (one, two, *three)] + [pieces, stamps.now(), stamps.new_id()]

    async with recorded(file, vendors) as router:
        await story(router)
    tellings = []
    for number in range(6):
        async with replayed(file) as router:
            tellings.append(repr(await story(router, forget=number % 2 == 1)))
    assert len(set(tellings)) == 1
    assert "'milliseconds': 0.0" not in tellings[0]


async def test_a_stream_comes_in_the_same_pieces(file: Path, vendors: VendorServer) -> None:
    vendors.say("One two  three,\r\nfour.\n", vendor="openai")
    async with recorded(file, vendors) as router:
        pieces, reply = await heard(router)
    async with replayed(file) as router:
        again, replayed_reply = await heard(router)
    assert len(pieces) > 2
    assert again == pieces
    assert told(replayed_reply) == told(reply)


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
async def test_tool_calls_come_in_the_same_fragments(file: Path, vendors: VendorServer, vendor: str) -> None:
    tools = (ToolSpec("weather", "Says the weather.", {"type": "object", "properties": {"city": {"type": "string"}}}),)
    request = ChatRequest(HELLO.messages, tools=tools)
    vendors.say(
        Message("assistant", "Let me look.", tool_calls=(ToolCall("call_1", "weather", {"city": "Paris é\n"}),))
    )
    how: dict[str, Any] = {"model": f"{vendor}/m"}
    async with recorded(file, vendors) as router:
        pieces, reply = await heard(router, request, **how)
    async with replayed(file) as router:
        again, replayed_reply = await heard(router, request, **how)
    assert any(fragments for _, fragments, _ in pieces)
    assert again == pieces
    assert replayed_reply.message == reply.message
    assert replayed_reply.message.tool_calls[0].arguments == {"city": "Paris é\n"}


async def test_a_recorded_429_is_replayed_with_its_fallback(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(429, headers={"retry-after": "7"}))
    vendors.say("Paris.", vendor="anthropic")
    async with recorded(file, vendors) as router:
        first = await router.complete(HELLO)
    async with replayed(file) as router:
        again = await router.complete(HELLO)
        resting = [key for key in router.health() if key.state == "open"]
    assert [(a.provider, a.error, a.status) for a in first.attempts] == [
        ("openai", "RateLimited", 429),
        ("anthropic", None, None),
    ]
    assert told(again) == told(first)
    assert [key.model for key in resting] == [first.attempts[0].name]


async def test_pauses_between_attempts_are_not_waited_for(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(429, headers={"retry-after": "1"}), times=1)
    async with recorded(file, vendors) as router:
        first = await router.complete(HELLO, model="openai/m")
    async with replayed(file) as router, asyncio.timeout(0.9):
        again = await router.complete(HELLO, model="openai/m")
    assert [a.error for a in again.attempts] == ["RateLimited", None]
    assert told(again) == told(first)
    assert again.milliseconds > 1000


async def test_a_stream_that_breaks_off_breaks_off_at_the_same_place(file: Path, vendors: VendorServer) -> None:
    vendors.say("One two three four five six seven.", vendor="openai")
    vendors.fail("openai", Fault.cut(after=3))

    async def story(router: Router) -> tuple[str, str, list[Any]]:
        with pytest.raises(StreamInterrupted) as caught:
            await heard(router, model="openai/m", on_interrupt="raise")
        return str(caught.value), caught.value.text, [(a.error, a.message) for a in caught.value.attempts]

    async with recorded(file, vendors) as router:
        first = await story(router)
    async with replayed(file) as router:
        assert await story(router) == first
    assert first[1]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_timeout_is_replayed_at_once(file: Path, vendors: VendorServer, streamed: bool) -> None:
    vendors.fail("openai", Fault.hang())
    how: dict[str, Any] = {"model": "openai/m", "timeout": 1.0}

    async def story(router: Router) -> list[Any]:
        with pytest.raises((DeadlineExceeded, AllModelsFailed)) as caught:
            await (heard(router, **how) if streamed else router.complete(HELLO, **how))
        # On a busy machine the whole call may be late as well, and is then called so.
        return [(a.error, a.message) for a in cast("AllModelsFailed", caught.value).attempts]

    async with recorded(file, vendors) as router:
        first = await story(router)
    async with replayed(file) as router, asyncio.timeout(0.9):
        assert await story(router) == first


async def test_equal_calls_get_their_answers_in_the_order_of_the_recording(file: Path, vendors: VendorServer) -> None:
    vendors.say("First.", "Second.")
    async with recorded(file, vendors) as router:
        for _ in range(2):
            await router.complete(HELLO)
    async with replayed(file) as router:
        assert [(await router.complete(HELLO)).text for _ in range(2)] == ["First.", "Second."]
        with pytest.raises(CassetteMiss, match=r"recorded 2 times and is made once more.*TOOLKIT_RECORD=new_episodes"):
            await router.complete(HELLO)


async def test_the_order_of_different_calls_does_not_matter(file: Path, vendors: VendorServer) -> None:
    questions = [ChatRequest((Message("user", f"Question {number}"),)) for number in range(8)]
    async with recorded(file, vendors) as router:
        first = [(await router.complete(question)).text for question in questions]
    async with replayed(file) as router:
        replies = await asyncio.gather(*(router.complete(question) for question in reversed(questions)))
    assert [reply.text for reply in reversed(replies)] == first


async def test_a_pool_of_keys_is_as_large_as_it_was(file: Path, vendors: VendorServer) -> None:
    environ = {**vendors.environ(), "OPENAI_API_KEYS": "key-number-one, key-number-two,key-number-three"}
    async with house(Cassette.open(file, "all", environ=environ), environ) as router:
        first = [told(await router.complete(HELLO)) for _ in range(4)]
    async with replayed(file) as router:
        again = [told(await router.complete(HELLO)) for _ in range(4)]
    assert again == first
    assert {attempts[0][-1] for *_, attempts in again} == {f"OPENAI_API_KEYS[{place}]" for place in (1, 2, 3)}
    assert "key-number" not in text_of(file)


async def test_vectors_are_the_same_to_the_last_bit(file: Path, vendors: VendorServer) -> None:
    texts = ["one", "two words", "é\r\n\ud800"[:3]]
    async with recorded(file, vendors) as router:
        first = await router.embed(texts, model="openai/embedder")
    async with replayed(file) as router:
        assert await router.embed(texts, model="openai/embedder") == first


async def test_a_key_that_rested_while_time_passed_is_asked_again(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(429, headers={"retry-after": "1"}), times=1)

    async def story(router: Router, pause: float) -> list[Any]:
        replies = []
        for _ in range(2):
            stamps.begin()
            replies.append(told(await router.complete(HELLO)))
            await asyncio.sleep(pause)
        return replies

    async with recorded(file, vendors) as router:
        first = await story(router, 1.1)
    assert first[1][1] != first[0][1]
    async with replayed(file) as router:
        assert await story(router, 0) == first


async def test_the_slower_of_two_is_cancelled_again(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.hang())
    async with recorded(file, vendors) as router:
        first = await router.complete(HELLO, hedge=0.2)
    async with replayed(file) as router:
        again = await router.complete(HELLO, hedge=0.2)
    assert [a.error for a in first.attempts] == ["Cancelled", None]
    assert told(again) == told(first)


async def test_a_stream_that_was_left_is_left_at_the_same_place_or_not_at_all(
    file: Path, vendors: VendorServer
) -> None:
    vendors.say("One two three four five six seven.", vendor="openai")

    async def first_two(router: Router) -> list[str]:
        pieces = []
        stream = router.stream(HELLO, model="openai/m")
        async for delta in stream:
            pieces.append(delta.text)
            if len(pieces) == 2:
                break
        await stream.aclose()
        return pieces

    async with recorded(file, vendors) as router:
        first = await first_two(router)
    async with replayed(file) as router:
        assert await first_two(router) == first
    async with replayed(file) as router:
        with pytest.raises((ToolkitError, StreamInterrupted), match="was left in the middle when it was recorded"):
            await heard(router, model="openai/m")


async def test_a_missing_extra_or_key_is_replayed_too(file: Path, vendors: VendorServer) -> None:
    async def story(router: Router) -> list[Any]:
        return told(await router.complete(HELLO, model="groq/llama", fallbacks="chain"))

    async with recorded(file, vendors) as router:
        first = await story(router)
    async with replayed(file) as router:
        assert await story(router) == first
    assert first[-1][0][2] == "AuthenticationFailed"


async def test_pictures_and_signed_thoughts_are_matched_by_what_they_hold(file: Path, vendors: VendorServer) -> None:
    def asks(data: str) -> ChatRequest:
        return ChatRequest((Message("user", "What is this?", images=(Image(f"data:image/png;base64,{data}"),)),))

    async with recorded(file, vendors) as router:
        await router.complete(asks("iVBORw0KGgo" * 100))
    assert len(text_of(file)) < 2000
    async with replayed(file) as router:
        await router.complete(asks("iVBORw0KGgo" * 100))
        with pytest.raises(CassetteMiss):
            await router.complete(asks("iVBORw0KGgo" * 99))


async def test_provider_errors_keep_all_that_they_say(file: Path, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(401))
    async with recorded(file, vendors) as router:
        with pytest.raises(AllModelsFailed) as caught:
            await router.complete(HELLO, model="openai/m")
        first = caught.value
    async with replayed(file) as router:
        with pytest.raises(AllModelsFailed) as caught:
            await router.complete(HELLO, model="openai/m")
    assert str(caught.value) == str(first)
    cause, was = caught.value.__cause__, first.__cause__
    assert isinstance(cause, ProviderError)
    assert isinstance(was, ProviderError)
    assert (type(cause), cause.status, cause.request_id, cause.retry_after, cause.provider) == (
        type(was),
        was.status,
        was.request_id,
        was.retry_after,
        was.provider,
    )
