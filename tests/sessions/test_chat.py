"""What a model is asked, and what a session remembers of it."""

from datetime import UTC, datetime

import pytest

from tests.sessions.conftest import House
from toolkit.errors import (
    ConfigError,
    NotFound,
)
from toolkit.messages import Caller, ChatRequest, Message, Source
from toolkit.sessions.chat import ChatOptions

HI = (Message("user", "hi"),)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def texts(request: ChatRequest) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in request.messages]


async def test_without_a_session_the_question_is_all_that_is_asked_and_nothing_is_kept(house: House) -> None:
    house.script.say("hello")
    reply = await house.chat.run(HI)
    assert (reply.text, reply.session_id, reply.model) == ("hello", None, "one")
    assert texts(house.script.asked[0]) == [("user", "hi")]
    assert await house.sessions.list() == []


async def test_a_session_remembers(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("hello", "you said hi")
    first = await house.chat.run(HI, session=session.id)
    await house.chat.run((Message("user", "what did I say?"),), session=session.id)
    assert first.session_id == session.id
    assert texts(house.script.asked[1]) == [("user", "hi"), ("assistant", "hello"), ("user", "what did I say?")]
    assert [m.text for m in await house.sessions.messages(session.id)] == [
        "hi",
        "hello",
        "what did I say?",
        "you said hi",
    ]


async def test_the_options_reach_the_model(house: House) -> None:
    house.script.say("ok")
    source = Source("c-1", "a.md", "text")
    options = ChatOptions(temperature=0.5, max_tokens=7, stop=("x",), seed=3, extra={"k": 1})
    await house.chat.run(HI, sources=(source,), tools=("add",), options=options)
    asked = house.script.asked[0]
    assert (asked.temperature, asked.max_tokens, asked.stop, asked.seed, asked.extra) == (0.5, 7, ("x",), 3, {"k": 1})
    assert asked.sources == (source,)
    assert [tool.name for tool in asked.tools] == ["add"]


async def test_an_explicit_model_is_the_one_that_is_asked(house: House) -> None:
    with pytest.raises(NotFound, match="two"):
        await house.chat.run(HI, options=ChatOptions(model="two"))


async def test_system_comes_first_for_this_call_and_is_not_kept(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("a", "b")
    await house.chat.run(HI, session=session.id, system="Be brief.")
    await house.chat.run((Message("user", "more"),), session=session.id)
    assert texts(house.script.asked[0]) == [("system", "Be brief."), ("user", "hi")]
    assert texts(house.script.asked[1]) == [("user", "hi"), ("assistant", "a"), ("user", "more")]


async def test_instructions_among_the_messages_are_kept_once_and_said_first(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("a", "b", "c")
    pirate, brief = Message("system", "Be a pirate."), Message("system", "Be brief.")
    await house.chat.run((pirate, *HI), session=session.id)
    await house.chat.run((pirate, Message("user", "more")), session=session.id)
    await house.chat.run((brief, Message("user", "last")), session=session.id, system="Be a pirate.")
    assert texts(house.script.asked[1]) == [
        ("system", "Be a pirate."),
        ("user", "hi"),
        ("assistant", "a"),
        ("user", "more"),
    ]
    assert texts(house.script.asked[2])[:3] == [("system", "Be a pirate."), ("system", "Be brief."), ("user", "hi")]
    kept = await house.sessions.messages(session.id)
    assert [m.role for m in kept] == ["system", "user", "assistant", "user", "assistant", "system", "user", "assistant"]


async def test_what_is_remembered_may_be_another_question_than_the_one_asked(house: House) -> None:
    session = await house.sessions.create()
    house.script.say("yes")
    pasted = (Message("system", "Use the passages."), Message("user", "[1] long passage\n\nIs it?"))
    await house.chat.run(pasted, session=session.id, remember=(Message("user", "Is it?"),))
    assert texts(house.script.asked[0])[1] == ("user", "[1] long passage\n\nIs it?")
    assert [(m.role, m.text) for m in await house.sessions.messages(session.id)] == [
        ("user", "Is it?"),
        ("assistant", "yes"),
    ]


async def test_an_empty_question_is_refused_before_a_model_is_asked(house: House) -> None:
    with pytest.raises(ConfigError, match="nothing to ask"):
        await house.chat.run(())
    assert house.script.asked == []


@pytest.mark.parametrize(
    ("caller", "named"),
    [
        (Caller(), ("ada", "app")),
        (Caller(user="bob"), ("bob", "app")),
        (Caller(origin="cli"), ("ada", "cli")),
    ],
)
async def test_what_the_caller_does_not_say_of_itself_the_session_says(
    house: House, caller: Caller, named: tuple[str, str]
) -> None:
    session = await house.sessions.create(user="ada", origin="app")
    house.script.say("Hello.")
    reply = await house.chat.run(HI, session=session.id, options=ChatOptions(caller=caller))
    [call] = await house.ledger.calls(call_id=reply.call_id)
    assert (call.user, call.origin) == named
    assert call.session_id == session.id
