"""A model that fails again and again is left in peace, tried out by one call at a time, and waited for if alone."""

import asyncio

import pytest

from tests.models.conftest import HELLO, Deaf, Dripping, Stage, outcomes
from toolkit.errors import (
    AllModelsFailed,
    AuthenticationFailed,
    ConfigError,
    ContextTooLong,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamInterrupted,
)
from toolkit.messages import ChatRequest, Completion, Image, Message, ToolSpec
from toolkit.models.retry import PATIENCE
from toolkit.models.router import Router
from toolkit.providers.scripted import Line, Scripted

DOWN = ProviderUnavailable("Out of order.", provider="scripted", status=503)
POOL = {"POOL": "k1,k2,k3"}


class Held(Scripted):
    """A vendor that answers when it is let.

    Attributes:
        open: set as long as it answers at once.
        asked: set when a question waits.
    """

    def __init__(self, *lines: Line) -> None:
        super().__init__(*lines)
        self.open, self.asked = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        if not self.open.is_set():
            self.asked.set()
            await self.open.wait()
        return await super().complete(request, model, timeout=timeout)


def limited(seconds: float | None = None) -> RateLimited:
    return RateLimited("Slow down.", provider="scripted", status=429, retry_after=seconds)


def refused() -> AuthenticationFailed:
    return AuthenticationFailed("No.", provider="scripted", status=401)


async def broken(stage: Stage, *then: Line) -> Scripted:
    """A chain whose first model has failed until its breaker opened."""
    sick = await stage.add("sick", DOWN, DOWN, DOWN, *then)
    await stage.add("well", *["Hello."] * 20)
    for _ in range(2):
        await stage.router.complete(HELLO)
    assert len(sick.requests) == 3
    return sick


async def test_a_model_that_keeps_failing_is_passed_over_and_the_reply_says_so(stage: Stage) -> None:
    sick = await broken(stage)
    stage.clock.now += 1.0

    reply = await stage.router.complete(HELLO)

    assert outcomes(reply.attempts) == [("sick", "Resting"), ("well", None)]
    assert reply.attempts[0].message == "It rests after this: Out of order."
    assert len(sick.requests) == 3
    assert (await stage.recorded())[-1] == ("well", "ok", None)


async def test_streams_that_fail_open_it_too(stage: Stage) -> None:
    sick = await stage.add("sick", DOWN, ["Hel", DOWN], DOWN)
    await stage.add("well", "lo.", "Hello.", "Hello.")
    for _ in range(2):
        async for _delta in stage.router.stream(HELLO):
            pass
    assert [health.failures for health in stage.router.health()] == [3, 0]

    deltas = [delta async for delta in stage.router.stream(HELLO)]

    assert deltas[-1].reply is not None
    assert outcomes(deltas[-1].reply.attempts) == [("sick", "Resting"), ("well", None)]
    assert len(sick.requests) == 3


async def test_after_its_rest_it_is_tried_out_and_is_back_if_it_answers(stage: Stage) -> None:
    await broken(stage, "Back.", "Again.")
    stage.clock.now += 2.0

    assert (await stage.router.complete(HELLO)).text == "Back."
    assert (await stage.router.complete(HELLO)).text == "Again."
    assert stage.router.health()[0].state == "closed"


async def test_no_more_than_one_call_tries_it_out_at_a_time(stage: Stage) -> None:
    sick = Held(DOWN, DOWN, DOWN, "Back.")
    await stage.put("sick", sick)
    await stage.add("well", *["Hello."] * 20)
    for _ in range(2):
        await stage.router.complete(HELLO)
    stage.clock.now += 2.0
    sick.open.clear()
    probe = asyncio.create_task(stage.router.complete(HELLO))
    await sick.asked.wait()

    replies = await asyncio.gather(*(stage.router.complete(HELLO) for _ in range(9)))

    assert [outcomes(reply.attempts) for reply in replies] == [[("sick", "Resting"), ("well", None)]] * 9
    sick.open.set()
    assert (await probe).text == "Back."
    assert len(sick.requests) == 4


async def test_a_lone_model_is_asked_again_for_a_few_seconds(stage: Stage) -> None:
    await stage.add("alone", DOWN, DOWN, DOWN, "Back.")

    reply = await stage.router.complete(HELLO)

    assert reply.text == "Back."
    assert outcomes(reply.attempts) == [("alone", "ProviderUnavailable")] * 3 + [("alone", None)]
    assert 2.0 < sum(stage.clock.slept) < PATIENCE


async def test_a_lone_model_that_does_not_come_back_is_given_up(stage: Stage) -> None:
    await stage.add("alone", *[DOWN] * 20)

    with pytest.raises(AllModelsFailed, match="alone: ProviderUnavailable"):
        await stage.router.complete(HELLO)
    assert sum(stage.clock.slept) < PATIENCE

    with pytest.raises(AllModelsFailed, match=r"Resting \(It rests after this: Out of order"):
        await stage.router.complete(HELLO, timeout=2.0)


async def test_all_models_are_asked_again_before_anyone_gives_up(stage: Stage) -> None:
    await stage.add("a", DOWN, DOWN, "Back.")
    await stage.add("b", DOWN, DOWN, DOWN, DOWN)

    reply = await stage.router.complete(HELLO)

    asked = [name for name, _ in outcomes(reply.attempts)]
    assert asked[:4] == ["a", "a", "b", "b"]
    assert (reply.text, asked[-1]) == ("Back.", "a")


async def test_a_rest_that_a_vendor_asked_for_is_waited_for_by_the_next_call_too(stage: Stage) -> None:
    await stage.add("alone", limited(30.0), "Back.")
    with pytest.raises(AllModelsFailed):
        await stage.router.complete(HELLO, timeout=10.0)

    reply = await stage.router.complete(HELLO, timeout=60.0)

    assert (reply.text, stage.clock.slept) == ("Back.", [30.0])


async def test_a_key_that_is_limited_rests_and_the_next_one_is_asked_at_once(stage: Stage) -> None:
    stage.environ.update(POOL)
    vendor = await stage.add("a", limited(3600.0), "One.", "Two.", "Three.", auth={"api_keys_env": "POOL"})

    first = await stage.router.complete(HELLO)
    others = [await stage.router.complete(HELLO) for _ in range(2)]

    assert [(attempt.key, attempt.error) for attempt in first.attempts] == [
        ("POOL[1]", "RateLimited"),
        ("POOL[2]", None),
    ]
    assert [reply.attempts[0].key for reply in others] == ["POOL[3]", "POOL[2]"]
    assert stage.clock.slept == []
    assert len(vendor.requests) == 4


async def test_a_refused_key_is_left_out_and_only_when_all_are_the_next_model_is_asked(stage: Stage) -> None:
    stage.environ.update(POOL)
    await stage.add("a", refused(), refused(), refused(), auth={"api_keys_env": "POOL"})
    other = await stage.add("b", "Hello.", "Again.")

    reply = await stage.router.complete(HELLO)

    assert [attempt.key for attempt in reply.attempts] == ["POOL[1]", "POOL[2]", "POOL[3]", None]
    assert outcomes((await stage.router.complete(HELLO)).attempts) == [("a", "Resting"), ("b", None)]
    assert len(other.requests) == 2


async def test_a_refused_key_is_tried_again_at_once_where_nobody_else_can_answer(stage: Stage) -> None:
    await stage.add("alone", refused(), "The key works now.")
    with pytest.raises(AllModelsFailed):
        await stage.router.complete(HELLO)

    reply = await stage.router.complete(HELLO)

    assert reply.text == "The key works now."
    assert stage.clock.slept == []


async def test_no_more_are_sent_at_once_than_the_row_allows_and_the_rest_go_on(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("narrow", deaf, config={"max_concurrency": 1, "timeout": 3600.0})
    other = await stage.add("wide", "Hello.")
    asking = asyncio.create_task(stage.router.complete(HELLO, timeout=3600.0))
    await deaf.asked.wait()

    reply = await stage.router.complete(HELLO)

    assert outcomes(reply.attempts) == [("narrow", "Resting"), ("wide", None)]
    assert len(other.requests) == 1
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_who_finds_the_only_key_in_use_waits_for_it(stage: Stage) -> None:
    vendor = await stage.add("narrow", "One.", "Two.", "Three.", config={"max_concurrency": 1})
    router = Router(stage.catalog, stage.ledger, {}, connect=stage.connect)

    replies = await asyncio.gather(*(router.complete(HELLO) for _ in range(3)))

    assert sorted(reply.text for reply in replies) == ["One.", "Three.", "Two."]
    assert len(vendor.requests) == 3
    await router.close()


async def test_messages_that_are_too_long_go_on_to_a_larger_window_only(stage: Stage) -> None:
    too_long = ContextTooLong("Too long.", provider="scripted", status=400)
    await stage.add("a", too_long, config={"context_window": 8_000})
    smaller = await stage.add("b", "Never.", config={"context_window": 8_000})
    await stage.add("c", "Hello.", config={"context_window": 100_000})

    assert outcomes((await stage.router.complete(HELLO)).attempts) == [("a", "ContextTooLong"), ("c", None)]
    assert smaller.requests == []


async def test_messages_that_cannot_fit_are_not_sent(stage: Stage) -> None:
    small = await stage.add("a", "Never.", "At last.", config={"context_window": 8_000})
    await stage.add("b", "Hello.", config={"context_window": 200_000})
    long = ChatRequest((Message("user", "word " * 40_000),))

    assert (await stage.router.complete(long)).model == "b"
    assert small.requests == []
    await stage.router.complete(long, model="a")
    assert len(small.requests) == 1


async def test_a_model_known_not_to_see_or_to_call_tools_is_not_asked_to_while_another_can(stage: Stage) -> None:
    blind = await stage.add("a", "Words.", config={"vision": False, "tools": False})
    await stage.add("b", "A cat.", "Called.")
    picture = ChatRequest((Message("user", "What is it?", images=(Image("https://h/cat.png"),)),))
    tools = ChatRequest(HELLO.messages, tools=(ToolSpec("t", "Does.", {"type": "object"}),))

    assert (await stage.router.complete(picture)).model == "b"
    assert (await stage.router.complete(tools)).model == "b"
    assert blind.requests == []
    assert (await stage.router.complete(picture, model="a")).model == "a"


async def test_requirements_choose_among_the_chain_and_their_order_is_that_of_the_attempts(stage: Stage) -> None:
    await stage.add("a", "Never.", config={"context_window": 8_000, "vision": True})
    await stage.add("b", limited(3600.0), config={"context_window": 32_000, "vision": False})
    await stage.add("c", limited(3600.0), config={"context_window": 64_000, "vision": True})
    await stage.add("d", "Hello.", config={"context_window": 16_000, "vision": True})

    reply = await stage.router.complete(
        HELLO, requirements={"vision": True, "context_window": 10_000, "prefer": "largest_context"}
    )

    assert [name for name, _ in outcomes(reply.attempts)] == ["c", "d"]


async def test_a_disabled_model_is_asked_if_its_row_is_given(stage: Stage) -> None:
    await stage.add("a", "Hello.", enabled=False)

    assert (await stage.router.complete(HELLO, model=await stage.catalog.get("a"))).text == "Hello."


async def test_a_hedged_call_takes_the_faster_model_and_accounts_for_the_slower(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("slow", deaf)
    await stage.add("quick", "Hello.")

    reply = await stage.router.complete(HELLO, hedge=0.01)

    assert reply.text == "Hello."
    assert deaf.cancelled
    slow, quick = reply.attempts
    assert (slow.name, quick.name, quick.ok) == ("slow", "quick", True)
    assert (slow.error, slow.message, slow.uncounted) == ("Cancelled", "Another model was faster.", True)
    assert sorted(await stage.recorded()) == [("quick", "ok", None), ("slow", "cancelled", "Cancelled")]
    assert [health.inside for health in stage.router.health()] == [0, 0]


@pytest.mark.parametrize("hedge", [0.0, -1.0, float("nan")])
async def test_a_hedge_that_is_no_time_is_refused(stage: Stage, hedge: float) -> None:
    vendor = await stage.add("a", "Never.")

    with pytest.raises(ConfigError, match="hedge"):
        await stage.router.complete(HELLO, hedge=hedge)
    with pytest.raises(ConfigError, match="hedge"):
        await anext(stage.router.stream(HELLO, hedge=hedge))
    assert vendor.requests == []


async def test_a_call_that_is_cancelled_before_it_asks_leaves_the_door_open(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = asyncio.Event()

    async def forever(*_: object, **__: object) -> list[float]:
        reached.set()
        await asyncio.Event().wait()
        raise AssertionError("it is cancelled before")

    await stage.add("a", "Hello.", config={"max_concurrency": 1})
    monkeypatch.setattr(stage.ledger, "latencies", forever)
    asking = asyncio.create_task(stage.router.complete(HELLO, hedge=True))
    await reached.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert (await stage.router.complete(HELLO)).text == "Hello."


async def test_a_hedged_stream_goes_on_with_whose_words_come_first(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("slow", deaf)
    await stage.add("quick", ["Hel", "lo."])

    deltas = [delta async for delta in stage.router.stream(HELLO, hedge=0.01)]

    assert [delta.text for delta in deltas] == ["Hel", "lo.", ""]
    assert deaf.cancelled
    assert deltas[-1].reply is not None
    assert {name for name, _ in outcomes(deltas[-1].reply.attempts)} == {"slow", "quick"}
    assert [health.inside for health in stage.router.health()] == [0, 0]


async def test_the_hedge_waits_for_what_95_of_100_answers_took(stage: Stage) -> None:
    async def answers(seconds: float, times: int) -> None:
        for _ in range(times):
            vendor.say(stage.clock.passing(seconds, "Hello."))
            await stage.router.complete(HELLO, model="a")

    vendor = await stage.add("a")
    other = await stage.add("b", "Never.")
    await answers(0.001, 5)
    vendor.say("Hello.")
    await stage.router.complete(HELLO, hedge=True)
    assert await stage.router._pace.p95("a", "whole") is None

    await answers(3600.0, 1)
    await answers(0.001, 50)
    p95 = await stage.router._pace.p95("a", "whole")
    assert p95 is not None
    assert 0.001 <= p95 < 1.0
    assert other.requests == []


async def test_a_model_that_says_nothing_is_left_after_its_own_limit_for_the_first_words(stage: Stage) -> None:
    deaf = Deaf()
    await stage.put("a", deaf, config={"first_token_timeout": 0.01})
    await stage.add("b", "Hello.")

    async with asyncio.timeout(10):
        deltas = [delta async for delta in stage.router.stream(HELLO)]

    assert deltas[-1].reply is not None
    assert outcomes(deltas[-1].reply.attempts) == [("a", "ProviderTimeout"), ("b", None)]
    assert deaf.cancelled


async def test_a_model_that_falls_silent_is_left_after_its_own_limit_for_silence(stage: Stage) -> None:
    deaf = Deaf("Hel")
    await stage.put("a", deaf, config={"silence_timeout": 0.01})
    await stage.add("b", "lo.")

    async with asyncio.timeout(10):
        deltas = [delta async for delta in stage.router.stream(HELLO)]

    assert deltas[-1].reply is not None
    assert deltas[-1].reply.text == "Hello."
    assert deltas[-1].reply.attempts[0].uncounted


async def test_a_model_that_drips_is_left_while_another_can_still_end_in_time(stage: Stage) -> None:
    await stage.put("a", Dripping(stage.clock, 5.0))
    await stage.add("b", "the end.")

    deltas = [delta async for delta in stage.router.stream(HELLO, timeout=60.0)]

    reply = deltas[-1].reply
    assert reply is not None
    assert reply.text == "drip " * 10 + "the end."
    assert outcomes(reply.attempts) == [("a", "ProviderTimeout"), ("b", None)]
    assert reply.attempts[0].message == "a speaks too slowly to end in time."


async def test_a_model_that_speaks_quickly_is_no_drip_however_late_it_began(stage: Stage) -> None:
    await stage.add("slow", stage.clock.passing(40.0, ProviderTimeout("Silence.", provider="scripted")))
    await stage.put("late", Dripping(stage.clock, 0.25))
    other = await stage.add("other", "Never.")

    heard = 0
    stream = stage.router.stream(HELLO, timeout=60.0)
    async for _ in stream:
        heard += 1
        if stage.clock.now > 1050.0:  # in the fifth of the time that one who drips does not get
            break
    await stream.aclose()

    assert heard > 30
    assert other.requests == []


async def test_a_model_that_drips_alone_is_heard_until_the_deadline(stage: Stage) -> None:
    await stage.put("a", Dripping(stage.clock, 5.0))

    with pytest.raises(StreamInterrupted) as caught:
        async for _ in stage.router.stream(HELLO, timeout=60.0):
            pass
    assert caught.value.text.count("drip") >= 11
