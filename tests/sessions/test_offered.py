"""Tools that the caller runs, and answers whose form is a JSON Schema."""

from contextlib import aclosing

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import AnswerInvalid, ConfigError
from toolkit.messages import Message, ToolSpec
from toolkit.sessions.chat import ChatOptions
from toolkit.sessions.schema_form import SchemaForm

HI = (Message("user", "How warm is it in Bergen?"),)
WEATHER = ToolSpec("weather", "How warm it is.", {"type": "object", "properties": {"city": {"type": "string"}}})
OFFERED = ChatOptions(offered=(WEATHER,))
RESULT = Message("tool", "9 degrees", tool_call_id="call-0")
CITY = {"title": "City", "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


async def test_an_answer_that_asks_for_the_callers_tool_is_the_last_of_its_turn(house: House) -> None:
    house.script.say(wants(("weather", {"city": "Bergen"}), text="Let me see."))
    reply = await house.chat.run(HI, options=OFFERED)
    assert (reply.text, reply.finish_reason) == ("Let me see.", "tool_calls")
    assert [(call.name, call.arguments) for call in reply.message.tool_calls] == [("weather", {"city": "Bergen"})]
    (asked,) = house.script.asked
    assert asked.tools == (WEATHER,)


async def test_in_a_session_the_results_are_the_next_turn(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("weather", {"city": "Bergen"})), "It is 9 degrees.")
    await house.chat.run(HI, session=session.id, options=OFFERED)
    reply = await house.chat.run((RESULT,), session=session.id, options=OFFERED)
    assert reply.text == "It is 9 degrees."
    assert [m.role for m in house.script.asked[1].messages] == ["user", "assistant", "tool"]
    assert [m.role for m in await house.sessions.messages(session.id)] == ["user", "assistant", "tool", "assistant"]


async def test_a_call_that_the_caller_never_answers_does_not_spoil_the_session(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(wants(("weather", {}), ("weather", {})), "As you like.")
    await house.chat.run(HI, session=session.id, options=OFFERED)
    await house.chat.run((RESULT, Message("user", "Never mind.")), session=session.id, options=OFFERED)
    told = house.script.asked[1].messages
    assert [(m.role, m.tool_call_id) for m in told[2:]] == [("tool", "call-0"), ("tool", "call-1"), ("user", None)]
    assert "went on without" in told[3].text
    kept = await house.sessions.messages(session.id)
    assert all("went on without" not in message.text for message in kept)


async def test_streamed_its_calls_come_as_pieces_and_in_the_reply(house: House) -> None:
    house.script.say(wants(("weather", {"city": "Bergen"}), text="Let me see."))
    async with aclosing(house.chat.stream(HI, options=OFFERED)) as stream:
        deltas = [delta async for delta in stream]
    assert [fragment.name for delta in deltas for fragment in delta.tool_calls] == ["weather"]
    assert deltas[-1].reply
    assert deltas[-1].reply.finish_reason == "tool_calls"


async def test_the_first_piece_says_who_failed_and_who_speaks(house: House) -> None:
    await house.catalog.add("scripted", "two", name="two", priority=1)
    house.script.say(ConfigError("no key"), "It is 9 degrees.")
    async with aclosing(house.chat.stream(HI)) as stream:
        first, *others = [delta async for delta in stream]
    assert [(attempt.name, attempt.error) for attempt in first.attempts] == [("two", "ConfigError"), ("one", None)]
    assert all(not delta.attempts for delta in others)


async def test_tools_of_both_kinds_at_once_are_refused(house: House) -> None:
    with pytest.raises(ConfigError, match="not both"):
        await house.chat.run(HI, tools=("add",), options=OFFERED)


@pytest.mark.parametrize("choice", ["required", "none", "weather"])
async def test_the_choice_of_a_tool_reaches_the_model(house: House, choice: str) -> None:
    house.script.say("ok")
    await house.chat.run(HI, options=ChatOptions(offered=(WEATHER,), tool_choice=choice))
    assert house.script.asked[0].tool_choice == choice


async def test_a_choice_holds_until_the_model_has_asked_for_a_tool(house: House) -> None:
    house.script.say(wants(("add", {"a": 1, "b": 2})), "3")
    await house.chat.run(HI, tools=("add",), options=ChatOptions(tool_choice="required"))
    assert [asked.tool_choice for asked in house.script.asked] == ["required", None]


@pytest.mark.parametrize("choice", ["required", "wether"])
async def test_a_choice_among_tools_that_are_not_there_is_refused(house: House, choice: str) -> None:
    options = ChatOptions(tool_choice=choice, offered=() if choice == "required" else (WEATHER,))
    with pytest.raises(ConfigError, match=f"tool_choice is '{choice}', and among the tools there is"):
        await house.chat.run(HI, options=options)
    assert house.script.asked == []


async def test_an_answer_fits_the_schema_or_is_asked_for_again(house: House) -> None:
    house.script.say('{"nam": "Bergen"}', '{"name": "Bergen"}')
    reply = await house.chat.run(HI, options=ChatOptions(response_model=CITY))
    assert (reply.parsed, reply.text) == ({"name": "Bergen"}, '{"name": "Bergen"}')
    assert "name is missing" in house.script.asked[1].messages[-1].text.replace("`", "")


async def test_an_answer_that_never_fits_the_schema_says_where(house: House) -> None:
    house.script.say("no JSON", '{"name": 5}')
    with pytest.raises(AnswerInvalid, match=r"asked 2 times for City.*name.*must be text"):
        await house.chat.run(HI, options=ChatOptions(response_model=CITY, validation_retries=1))


@pytest.mark.parametrize(
    ("schema", "said"),
    [({"type": "array"}, "of type object"), ({"type": "object", "properties": 5}, "no JSON Schema")],
)
def test_what_is_no_schema_of_an_object_is_refused(schema: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        SchemaForm(schema)


def test_a_schema_that_refers_to_what_is_not_in_it_is_told_and_nothing_is_fetched() -> None:
    form = SchemaForm({"properties": {"a": {"$ref": "http://127.0.0.1:9/a.json"}}})
    with pytest.raises(ConfigError, match="which is not part of it"):
        form.read('{"a": 1}')


def test_a_form_is_called_by_its_title_as_vendors_take_it() -> None:
    assert SchemaForm({"title": "Große Stadt!"}).output.name == "Gro_e_Stadt"
    assert SchemaForm({}).output.name == "Answer"
