"""Turns that fail, wait, run out of time or are cancelled."""

import asyncio
import time
from datetime import UTC, datetime

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import (
    AllModelsFailed,
    Conflict,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    ProviderUnavailable,
    SessionExpired,
)
from toolkit.messages import ChatRequest, Message
from toolkit.sessions.chat import ChatOptions
from toolkit.stamps import freeze, now

HI = (Message("user", "hi"),)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_an_unknown_or_expired_session_costs_nothing(house: House) -> None:
    with freeze(NOON):
        session = await house.sessions.create(ttl=1)
    for gone, error in ((session.id, SessionExpired), ("nope", NotFound)):
        with pytest.raises(error):
            await house.chat.run(HI, session=gone)
        with pytest.raises(error):
            async for _ in house.chat.stream(HI, session=gone):
                pass
    assert house.script.asked == []


async def test_a_session_that_expires_while_the_model_thinks_still_gets_its_turn(house: House) -> None:
    async def slow(_request: ChatRequest) -> str:
        for _ in range(2000):  # a frozen clock moves one millisecond per question
            now()
        with pytest.raises(SessionExpired):
            await house.sessions.get(session.id)
        return "done"

    house.script.say(slow)
    with freeze(NOON):
        session = await house.sessions.create(ttl=1)
        await house.chat.run(HI, session=session.id)
        assert len(await house.sessions.messages(session.id)) == 2


@pytest.mark.parametrize("round_of_failure", [1, 2])
async def test_a_turn_that_failed_leaves_nothing(house: House, round_of_failure: int) -> None:
    session = await house.sessions.create()
    if round_of_failure == 2:
        house.script.say(wants(("add", {"a": 1, "b": 2})))
    house.script.say(InvalidRequest("no", provider="scripted"))
    with pytest.raises(InvalidRequest):
        await house.chat.run(HI, session=session.id, tools=("add",))
    assert await house.sessions.messages(session.id) == []
    house.script.say("now")
    assert (await house.chat.run(HI, session=session.id)).text == "now"


async def test_when_nobody_answers_the_reasons_are_given(house: House) -> None:
    house.script.say(*[ProviderUnavailable("down", provider="scripted")] * 9)
    with pytest.raises(AllModelsFailed, match="down"):
        await house.chat.run(HI)


async def test_a_cancelled_turn_leaves_nothing_and_lets_the_next_one_in(house: House) -> None:
    session = await house.sessions.create()
    began = asyncio.Event()

    async def never(_request: ChatRequest) -> str:
        began.set()
        await asyncio.Event().wait()
        raise AssertionError

    house.script.say(never, "next")
    turn = asyncio.create_task(house.chat.run(HI, session=session.id))
    await began.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert await house.sessions.messages(session.id) == []
    assert (await house.chat.run(HI, session=session.id)).text == "next"


async def test_a_turn_cancelled_while_a_tool_runs_cancels_the_tool_and_leaves_nothing(house: House) -> None:
    session = await house.sessions.create()
    began, ended = asyncio.Event(), asyncio.Event()

    @house.tools.tool
    async def wait() -> str:
        """Wait."""
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return ""

    house.script.say(wants(("wait", {})))
    turn = asyncio.create_task(house.chat.run(HI, session=session.id, tools=("wait",)))
    await began.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert ended.is_set()
    assert await house.sessions.messages(session.id) == []


async def test_an_answer_that_could_not_be_kept_is_not_given(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await house.sessions.create()
    house.script.say("answer")

    async def delete_first(*args: object, **kwargs: object) -> None:
        await house.sessions.delete(session.id)
        monkeypatch.undo()
        await house.sessions.append(*args, **kwargs)  # type: ignore[arg-type] # passed on

    monkeypatch.setattr(house.sessions, "append", delete_first)
    with pytest.raises(NotFound):
        await house.chat.run(HI, session=session.id)


async def test_twenty_turns_at_once_in_one_session_are_put_in_the_order_in_which_they_came(house: House) -> None:
    session = await house.sessions.create()
    at_once = [0, 0]

    async def echo(request: ChatRequest) -> str:
        at_once[0] += 1
        at_once[1] = max(at_once)
        await asyncio.sleep(0)
        at_once[0] -= 1
        return f"{request.messages[-1].text}!"

    house.script.say(*[echo] * 20)
    turns = [house.chat.run((Message("user", str(n)),), session=session.id) for n in range(20)]
    replies = await asyncio.gather(*turns)

    assert at_once[1] == 1
    assert [reply.text for reply in replies] == [f"{n}!" for n in range(20)]
    kept = [m.text for m in await house.sessions.messages(session.id)]
    assert kept == [text for n in range(20) for text in (str(n), f"{n}!")]
    assert [len(request.messages) for request in house.script.asked] == [2 * n + 1 for n in range(20)]
    assert len(house.chat._exclusive._locks) == 0


async def test_turns_in_different_sessions_do_not_wait_for_each_other(house: House) -> None:
    one, two = await house.sessions.create(), await house.sessions.create()
    both = asyncio.Barrier(2)

    async def meet(_request: ChatRequest) -> str:
        await both.wait()
        return "met"

    house.script.say(meet, meet)
    await asyncio.gather(house.chat.run(HI, session=one.id), house.chat.run(HI, session=two.id))


async def test_a_tool_that_wants_a_turn_in_the_session_it_was_called_from_is_refused_at_once(house: House) -> None:
    session, other = await house.sessions.create(), await house.sessions.create()

    async def ask(where: str) -> str:
        """Ask a model."""
        return (await house.chat.run((Message("user", "inner"),), session=where)).text

    house.tools.add(ask)
    house.script.say(wants(("ask", {"where": session.id}), ("ask", {"where": other.id})), "inside", "outside")
    assert (await house.chat.run(HI, session=session.id, tools=("ask",))).text == "outside"
    refused, answered = (m.text for m in house.script.asked[2].messages if m.role == "tool")
    assert refused == (
        f"Error: Session {session.id} is in the middle of the turn that asks for this; leave the session out."
    )
    assert answered == "inside"
    assert Conflict.__name__ not in refused


class Clock:
    """The time module's clock, and how far a test has put it forward."""

    ahead = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("toolkit.sessions.turn.monotonic", clock.monotonic)
    return clock


async def forever(_request: ChatRequest) -> str:
    await asyncio.Event().wait()
    raise AssertionError


async def test_waiting_for_the_turn_before_counts_towards_the_deadline(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(forever)
    first = asyncio.create_task(house.chat.run(HI, session=session.id))
    while not house.script.asked:  # noqa: ASYNC110 - the script has no event for it
        await asyncio.sleep(0.001)
    with pytest.raises(DeadlineExceeded, match=r"No answer within 0\.1 s"):
        await house.chat.run(HI, session=session.id, options=ChatOptions(timeout=0.1))
    assert len(house.script.asked) == 1
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert len(house.chat._exclusive._locks) == 0


@pytest.mark.parametrize("left", [0.05, -1.0])
async def test_a_tool_that_takes_too_long_ends_the_turn(house: House, clock: Clock, left: float) -> None:
    @house.tools.tool
    async def wait() -> str:
        """Wait."""
        await asyncio.Event().wait()
        return ""

    async def slowly(_request: ChatRequest) -> Message:
        clock.ahead = 60 - left
        return wants(("wait", {}))

    house.script.say(slowly)
    with pytest.raises(DeadlineExceeded, match="No answer within 60 s") as caught:
        await house.chat.run(HI, tools=("wait",))
    assert [attempt.ok for attempt in caught.value.attempts] == [True]


async def test_later_rounds_have_what_the_earlier_ones_left_of_the_time(house: House, clock: Clock) -> None:
    async def slowly(_request: ChatRequest) -> Message:
        clock.ahead = 59.7
        return wants(("add", {"a": 1, "b": 2}))

    house.script.say(slowly, forever)
    with pytest.raises(DeadlineExceeded, match="No answer within 60 s") as caught:
        await house.chat.run(HI, tools=("add",))
    assert caught.value.attempts[0].ok


async def test_no_time_at_all_asks_nobody(house: House) -> None:
    with pytest.raises(DeadlineExceeded):
        await house.chat.run(HI, options=ChatOptions(timeout=0))
    assert house.script.asked == []
