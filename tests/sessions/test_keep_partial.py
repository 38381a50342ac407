"""Answers that are stopped before their end, and what tools gave on the way."""

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.messages import NOT_APPROVED, CalledTool, Delta, Message, ToolCall
from toolkit.sessions.chat import ChatOptions
from toolkit.tools.tool import Tool

HI = (Message("user", "hi"),)
KEPT = ChatOptions(keep_partial=True)


async def left_after(house: House, session: str, pieces: int, **asked: Any) -> list[Delta]:
    """The first pieces of a stream that is closed then."""
    heard: list[Delta] = []
    async with aclosing(house.chat.stream(HI, session=session, **asked)) as deltas:
        async for delta in deltas:
            heard.append(delta)
            if len(heard) == pieces:
                break
    return heard


async def test_what_was_said_of_an_answer_that_is_left_is_kept_and_marked(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two three", "next")
    await left_after(house, session.id, 2, options=KEPT)
    assert await house.sessions.messages(session.id) == [*HI, Message("assistant", "one two ", stopped=True)]
    assert (await house.chat.run(HI, session=session.id)).text == "next"
    assert [m.text for m in house.script.asked[-1].messages] == ["hi", "one two ", "hi"]


async def test_what_was_said_of_an_answer_that_is_cancelled_is_kept(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two three")
    said = asyncio.Event()

    async def listen() -> None:
        async with aclosing(house.chat.stream(HI, session=session.id, options=KEPT)) as deltas:
            async for _ in deltas:
                said.set()
                await asyncio.Event().wait()

    listening = asyncio.create_task(listen())
    await said.wait()
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
    assert [(m.text, m.stopped) for m in await house.sessions.messages(session.id)] == [("hi", False), ("one ", True)]


async def test_the_ledger_says_that_a_kept_answer_was_stopped(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two three")
    await left_after(house, session.id, 1, options=KEPT)
    (call,) = await house.ledger.calls()
    assert (call.attempt.error, call.session_id) == ("Cancelled", session.id)


async def test_of_an_answer_that_is_left_before_its_first_word_nothing_is_kept(house: House) -> None:
    session = await house.sessions.create()
    never = asyncio.Event()

    async def silent(_request: Any) -> str:
        await never.wait()
        return ""

    house.script.say(silent)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await left_after(house, session.id, 1, options=KEPT)
    assert await house.sessions.messages(session.id) == []


async def test_a_whole_answer_that_is_left_is_kept_once_and_not_marked(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two")
    heard = await left_after(house, session.id, 3, options=KEPT)
    assert heard[-1].reply is not None
    assert await house.sessions.messages(session.id) == [*HI, Message("assistant", "one two")]


async def test_what_tools_gave_before_an_answer_was_stopped_is_kept(house: House) -> None:
    session = await house.sessions.create()
    call = wants(("add", {"a": 1, "b": 2}), text="wait")
    house.script.say(call, "it is 3")
    await left_after(house, session.id, 4, tools=("add",), options=KEPT)
    result = Message("tool", "3", tool_call_id="call-0")
    said = Message("assistant", "it ", stopped=True)
    assert await house.sessions.messages(session.id) == [*HI, call, result, said]


async def test_an_answer_that_is_stopped_right_after_its_tools_is_marked_at_the_calls(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("add", {"a": 1, "b": 2})), "it is 3")
    heard = await left_after(house, session.id, 2, tools=("add",), options=KEPT)
    assert heard[-1].called
    assert [(m.role, m.stopped) for m in await house.sessions.messages(session.id)] == [
        ("user", False),
        ("assistant", True),
        ("tool", False),
    ]


async def test_of_tools_that_run_the_results_that_are_there_are_kept(house: House) -> None:
    session = await house.sessions.create()
    running = asyncio.Event()

    @house.tools.tool
    async def quick() -> str:
        """Answer at once."""
        return "done"

    @house.tools.tool
    async def sleep() -> str:
        """Sleep."""
        for _ in range(100):  # as long as the other one takes
            await asyncio.sleep(0)
        running.set()
        await asyncio.Event().wait()
        return "slept"

    house.script.say(wants(("quick", {}), ("sleep", {})))
    asked = left_after(house, session.id, 9, tools=("quick", "sleep"), options=KEPT)
    asking = asyncio.create_task(asked)
    await running.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    told = [m.text for m in await house.sessions.messages(session.id) if m.role == "tool"]
    assert told == ["done", "Error: the user stopped the answer before this call had ended."]


async def test_of_an_answer_that_must_fit_a_type_no_part_is_kept(house: House) -> None:
    session = await house.sessions.create()
    house.script.say('{"a": 1, "b": 2}')
    await left_after(house, session.id, 1, options=ChatOptions(keep_partial=True, response_model=dict[str, int]))
    assert await house.sessions.messages(session.id) == []


async def test_a_stream_says_what_tools_gave_in_the_order_in_which_they_were_wanted(house: House) -> None:
    house.script.say(wants(("add", {"a": 1}), ("nothing", {}), ("add", {"a": 1, "b": 2})), "ok")
    called = [d.called async for d in house.chat.stream(HI, tools=("add",)) if d.called]
    ((bad, unknown, good),) = called
    assert [each.call.id for each in (bad, unknown, good)] == ["call-0", "call-1", "call-2"]
    assert (good.result, good.error, good.refused) == ("3", False, False)
    assert bad.error
    assert unknown.error
    assert bad.result.startswith("Error: ")
    assert "nothing" in unknown.result
    assert all(each.milliseconds >= 0 for each in (bad, unknown, good))


async def test_a_call_that_is_not_approved_is_told_as_refused(house: House) -> None:
    @house.tools.tool(destructive=True)
    def erase() -> str:
        """Erase."""
        raise AssertionError("it was not approved")

    def no(_call: Any, _tool: Tool) -> bool:
        return False

    house.script.say(wants(("erase", {})), "ok")
    options = ChatOptions(approve=no)
    ((told,),) = [d.called async for d in house.chat.stream(HI, tools=("erase",), options=options) if d.called]
    assert told == CalledTool(told.call, NOT_APPROVED, True, True, told.milliseconds)


async def test_the_time_that_a_person_takes_to_approve_does_not_count(house: House) -> None:
    @house.tools.tool(destructive=True)
    def erase() -> str:
        """Erase."""
        return "erased"

    async def slow(_call: Any, _tool: Tool) -> bool:
        await asyncio.sleep(0.5)
        return True

    house.script.say(wants(("erase", {})), "ok")
    reply = await house.chat.run(HI, tools=("erase",), options=ChatOptions(approve=slow, timeout=0.4))
    assert reply.text == "ok"


async def test_how_full_a_window_is_counts_the_session_and_the_tools(house: House) -> None:
    session = await house.sessions.create()
    await house.catalog.set("one", config={"context_window": 1000})
    empty = await house.chat.filling(session.id)
    assert (empty.model, empty.tokens, empty.window, empty.share) == ("one", 0, 1000, 0.0)
    house.script.say("one two three")
    await house.chat.run(HI, session=session.id)
    said = await house.chat.filling(session.id)
    assert 0 < said.tokens < (await house.chat.filling(session.id, tools=("add",))).tokens


async def test_calls_that_a_vendor_gave_the_same_id_keep_each_its_own_result(house: House) -> None:
    calls = tuple(ToolCall("", "add", {"a": 1, "b": b}) for b in (1, 2))
    house.script.say(Message("assistant", tool_calls=calls), "ok")
    (called,) = [d.called async for d in house.chat.stream(HI, tools=("add",)) if d.called]
    assert [each.result for each in called] == ["2", "3"]
    assert [m.text for m in house.script.asked[-1].messages if m.role == "tool"] == ["2", "3"]
