"""Answers in pieces."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import (
    InvalidRequest,
    StreamInterrupted,
    ToolError,
)
from toolkit.messages import ChatRequest, Delta, Message, Reply
from toolkit.sessions.chat import ChatOptions

HI = (Message("user", "hi"),)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def heard(house: House, **keywords: object) -> tuple[list[str], Reply]:
    """The texts of a stream, and the reply of its last piece."""
    pieces = [delta async for delta in house.chat.stream(HI, **keywords)]  # type: ignore[arg-type] # passed on
    assert [delta.reply is not None for delta in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].reply is not None
    return [delta.text for delta in pieces if delta.text], pieces[-1].reply


async def test_a_stream_passes_pieces_on_and_ends_with_the_reply_that_was_kept(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two three")
    said, reply = await heard(house, session=session.id)
    assert said == ["one ", "two ", "three"]
    assert (reply.text, reply.session_id) == ("one two three", session.id)
    assert [m.text for m in await house.sessions.messages(session.id)] == ["hi", "one two three"]


async def test_the_turn_is_kept_before_the_last_piece_is_given(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two")
    async for delta in house.chat.stream(HI, session=session.id):
        kept = len(await house.sessions.messages(session.id))
        assert kept == (2 if delta.reply else 0)


async def test_a_stream_calls_tools_and_goes_on(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("add", {"a": 1, "b": 2}), text="let me see"), "it is 3")
    said, reply = await heard(house, session=session.id, tools=("add",))
    assert said == ["let ", "me ", "see", "it ", "is ", "3"]
    assert (reply.text, len(reply.attempts)) == ("it is 3", 2)
    assert [m.role for m in await house.sessions.messages(session.id)] == ["user", "assistant", "tool", "assistant"]


async def test_a_stream_that_is_left_keeps_nothing_and_lets_the_next_turn_in(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two three", "next")
    deltas = house.chat.stream(HI, session=session.id)
    assert (await anext(deltas)).text == "one "
    await deltas.aclose()
    assert await house.sessions.messages(session.id) == []
    assert (await house.chat.run(HI, session=session.id)).text == "next"


async def test_a_stream_that_fails_keeps_nothing(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("add", {"a": 1, "b": 2})), InvalidRequest("no", provider="scripted"))
    with pytest.raises(InvalidRequest):
        await heard(house, session=session.id, tools=("add",))
    assert await house.sessions.messages(session.id) == []


async def test_a_stream_that_ends_without_a_reply_is_interrupted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_args: object, **_keywords: object) -> AsyncGenerator[Delta, None]:
        yield Delta("half")

    monkeypatch.setattr(house.router, "stream", broken)
    session = await house.sessions.create()
    with pytest.raises(StreamInterrupted, match="ask again"):
        await heard(house, session=session.id)
    assert await house.sessions.messages(session.id) == []


async def test_text_on_the_last_piece_of_a_round_is_passed_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def packed(request: ChatRequest, **_keywords: object) -> AsyncGenerator[Delta, None]:
        message = Message("assistant", "done")
        if request.messages[-1].role != "tool":
            message = wants(("add", {"a": 1, "b": 2}), text="wait, ")
        yield Delta(message.text, reply=Reply(message, "one", (), "q"))

    monkeypatch.setattr(house.router, "stream", packed)
    assert (await heard(house, tools=("add",)))[0] == ["wait, ", "done"]


async def test_a_stream_of_tool_calls_alone_is_stopped(house: House) -> None:
    house.script.say(*[wants(("add", {"a": 1, "b": 2}))] * 3)
    with pytest.raises(ToolError, match="asked for tools 2 times"):
        await heard(house, tools=("add",), options=ChatOptions(max_rounds=2))


async def test_streams_and_runs_in_one_session_wait_for_each_other(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("one two", "three")
    deltas = house.chat.stream(HI, session=session.id)
    await anext(deltas)
    second = asyncio.create_task(house.chat.run((Message("user", "and?"),), session=session.id))
    await asyncio.sleep(0)
    assert [delta.text async for delta in deltas if delta.text] == ["two"]
    await second
    assert [m.text for m in await house.sessions.messages(session.id)] == ["hi", "one two", "and?", "three"]
