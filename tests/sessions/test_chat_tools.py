"""The loop of a model that wants tools."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import (
    NotFound,
    ToolError,
)
from toolkit.messages import Caller, ChatRequest, Message
from toolkit.sessions.chat import ChatOptions
from toolkit.sessions.results import LONGEST

HI = (Message("user", "hi"),)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_wanted_tool_is_called_and_the_model_asked_again(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("add", {"a": 1, "b": 2}), ("add", {"a": "3", "b": 4}), text="Let me see."), "3 and 7")
    reply = await house.chat.run(HI, session=session.id, tools=("add",))

    assert reply.text == "3 and 7"
    results = [m for m in house.script.asked[1].messages if m.role == "tool"]
    assert [(m.tool_call_id, m.text) for m in results] == [("call-0", "3"), ("call-1", "7")]
    kept = await house.sessions.messages(session.id)
    assert kept == [*HI, *house.script.asked[1].messages[1:], Message("assistant", "3 and 7")]
    assert [m.role for m in kept] == ["user", "assistant", "tool", "tool", "assistant"]


async def test_the_attempts_of_all_rounds_are_in_the_reply_under_one_call(house: House) -> None:
    session = await house.sessions.create(user="ada")
    house.script.say(wants(("add", {"a": 1, "b": 2})), "3")
    caller = Caller(user="ada", origin="app")
    reply = await house.chat.run(HI, session=session.id, tools=("add",), options=ChatOptions(caller=caller))
    assert [attempt.ok for attempt in reply.attempts] == [True, True]
    assert reply.usage.total_tokens == 30
    calls = await house.ledger.calls(call_id=reply.call_id)
    assert [(c.session_id, c.user, c.origin) for c in calls] == [(session.id, "ada", "app")] * 2


async def test_the_calls_of_one_answer_run_at_the_same_time(house: House) -> None:
    arrived = asyncio.Barrier(3)

    @house.tools.tool
    async def meet() -> str:
        """Wait for the others."""
        await arrived.wait()
        return "met"

    house.script.say(wants(("meet", {}), ("meet", {}), ("meet", {})), "ok")
    assert (await house.chat.run(HI, tools=("meet",))).text == "ok"


async def test_a_tool_knows_in_whose_name_it_is_called(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("who", {})), "ok")
    options = ChatOptions(caller=Caller(user="ada", origin="app"))
    await house.chat.run(HI, session=session.id, tools=("who",), options=options)
    assert house.script.asked[1].messages[-1].text == f"{session.id} ada app"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (("add", {"a": 1}), 'Error: add: `b` is missing; right is, for example, {"a": 1, "b": 1}.'),
        (("ad", {}), "Error: There is no tool 'ad'; the nearest is 'add'."),
        (("secret", {}), "Error: There is no tool 'secret'; there are 'add', 'flood'."),
        (("flood", {"length": 10}), "xxxxxxxxxx"),
    ],
)
async def test_what_went_wrong_with_a_call_is_told_to_the_model_in_words(
    house: House, call: tuple[str, dict[str, object]], told: str
) -> None:
    house.script.say(wants(call), "sorry")
    reply = await house.chat.run(HI, tools=("add", "flood"))
    assert house.script.asked[1].messages[-1].text == told
    assert reply.text == "sorry"


async def test_a_tool_that_was_removed_meanwhile_is_told_to_the_model(house: House) -> None:
    async def removed_then_wanted(_request: ChatRequest) -> Message:
        house.tools.remove("add")
        return wants(("add", {"a": 1, "b": 2}))

    house.script.say(removed_then_wanted, "sorry")
    await house.chat.run(HI, tools=("add",))
    assert house.script.asked[1].messages[-1].text.startswith("Error: There is no tool 'add'")


async def test_a_long_result_is_cut_and_the_model_told_so(house: House) -> None:
    house.script.say(wants(("flood", {"length": LONGEST}), ("flood", {"length": LONGEST + 1})), "ok")
    await house.chat.run(HI, tools=("flood",))
    whole, cut = (m.text for m in house.script.asked[1].messages if m.role == "tool")
    assert whole == "x" * LONGEST
    assert cut == "x" * LONGEST + (
        '\n[Cut: characters 0 to 40,000 of 40,001. Read on with read_result(result_id="call-1", offset=40000).]'
    )


async def test_a_result_that_no_wire_can_carry_is_mended(house: House) -> None:
    @house.tools.tool
    def raw() -> str:
        """Give raw bytes as text."""
        return "a\0b\ud800"

    house.script.say(wants(("raw", {})), "ok")
    await house.chat.run(HI, tools=("raw",))
    assert house.script.asked[1].messages[-1].text == "a�b�"


async def test_a_model_that_never_answers_is_stopped_and_nothing_is_kept(house: House) -> None:
    called: list[int] = []

    @house.tools.tool
    def count() -> int:
        """Count."""
        called.append(1)
        return len(called)

    session = await house.sessions.create()
    house.script.say(*[wants(("count", {}))] * 9)
    with pytest.raises(ToolError, match="asked for tools 3 times and never answered; raise max_rounds"):
        await house.chat.run(HI, session=session.id, tools=("count",), options=ChatOptions(max_rounds=3))
    assert (len(house.script.asked), len(called)) == (3, 2)
    assert await house.sessions.messages(session.id) == []


async def test_an_unknown_tool_is_refused_before_a_model_is_asked(house: House) -> None:
    with pytest.raises(NotFound, match="There is no tool 'addd'; the nearest is 'add'"):
        await house.chat.run(HI, tools=("addd",))
    assert house.script.asked == []
