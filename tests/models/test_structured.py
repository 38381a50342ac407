"""A model made to answer in a form: natively, by a tool, in words; with the real SDKs over either vendor's wire."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from toolkit import providers
from toolkit.errors import BadAnswer, ContentRefused, InvalidRequest
from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Json,
    Message,
    OutputSchema,
    ToolCall,
    ToolCallFragment,
    ToolSpec,
)
from toolkit.models.structured import shaped
from toolkit.providers.base import Provider, Structured
from toolkit.providers.scripted import Line, Scripted
from toolkit.testing.vendors import Fault, VendorServer

LONG = 30.0
SCHEMA: Json = {
    "type": "object",
    "description": "A city.",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}
CITY = OutputSchema("City", SCHEMA)
ANSWER = {"name": "Zürich", "people": 436_332}
TEXT = json.dumps(ANSWER, ensure_ascii=False)
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
QUESTION = (Message("user", "Which city?"),)
ASKED = ChatRequest(QUESTION, output=CITY)
WITH_TOOLS = ChatRequest(QUESTION, tools=(WEATHER,), output=CITY)


@pytest.fixture
def vendors() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@pytest.fixture(params=["openai", "anthropic"])
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def provider(vendor: str, vendors: VendorServer) -> AsyncIterator[Provider]:
    url = {"openai": vendors.openai_url, "anthropic": vendors.anthropic_url}[vendor]
    provider = providers.connect(vendor, {"api_key": "test", "base_url": url}, {})
    yield provider
    await provider.close()


@pytest.fixture(params=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "streamed")


async def pieces_of(provider: Provider, request: ChatRequest) -> list[Delta]:
    return [delta async for delta in provider.stream(request, "m", timeout=LONG)]


async def ask(provider: Provider, request: ChatRequest, *, streamed: bool) -> Completion:
    """The answer; of a stream, what its pieces are together must be the answer."""
    if not streamed:
        return await provider.complete(request, "m", timeout=LONG)
    *pieces, last = await pieces_of(provider, request)
    assert last.completion is not None
    assert all(piece.completion is None for piece in pieces)
    if not last.completion.message.tool_calls:
        assert "".join(piece.text for piece in pieces) == last.completion.message.text
    return last.completion


def choice_of(body: Json) -> str | None:
    """The one tool that must be called, `"any"`, or None, in either vendor's words."""
    match body.get("tool_choice"):
        case {"type": "function", "function": {"name": name}} | {"type": "tool", "name": name}:
            return str(name)
        case "required" | {"type": "any"}:
            return "any"
    return None


def tools_of(body: Json) -> dict[str, Any]:
    tools = [tool.get("function", tool) for tool in body.get("tools", ())]
    return {tool["name"]: tool.get("parameters") or tool.get("input_schema") for tool in tools}


def native_schema(body: Json) -> Any:
    match body:
        case {"response_format": {"type": "json_schema", "json_schema": {"name": "City", "schema": schema}}}:
            return schema
        case {"output_config": {"format": {"type": "json_schema", "schema": schema}}}:
            return schema
    return None


def answers(completion: Completion) -> tuple[object, str, tuple[ToolCall, ...]]:
    return json.loads(completion.message.text), completion.finish_reason, completion.message.tool_calls


# Natively.


async def test_natively_the_vendor_is_given_the_form(provider: Provider, vendors: VendorServer, streamed: bool) -> None:
    vendors.say(TEXT)
    completion = await ask(shaped(provider, "native"), ASKED, streamed=streamed)
    assert answers(completion) == (ANSWER, "stop", ())
    body = vendors.requests[0].body
    assert native_schema(body)["properties"].keys() == {"name", "people"}
    assert (tools_of(body), choice_of(body)) == ({}, None)


async def test_natively_tools_may_be_called_before(provider: Provider, vendors: VendorServer, streamed: bool) -> None:
    vendors.say(Message("assistant", "Let me see.", tool_calls=(ToolCall("a", "weather", {"city": "x"}),)), TEXT)
    first = await ask(shaped(provider, "native"), WITH_TOOLS, streamed=streamed)
    assert (first.message.tool_calls[0].name, first.message.text) == ("weather", "Let me see.")
    result = Message("tool", "20 °C", tool_call_id="a")
    again = ChatRequest((*QUESTION, first.message, result), tools=(WEATHER,), output=CITY)
    assert answers(await ask(shaped(provider, "native"), again, streamed=streamed)) == (ANSWER, "stop", ())
    assert choice_of(vendors.requests[0].body) is None


async def test_a_server_that_ignores_the_form_and_chats_is_understood(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    vendors.say(f"Sure, here it is:\n```json\n{TEXT}\n```\nAnything else?")
    completion = await ask(shaped(provider, "native"), ASKED, streamed=streamed)
    assert completion.message.text == TEXT


async def test_natively_a_stream_comes_piece_by_piece(provider: Provider, vendors: VendorServer) -> None:
    vendors.say(TEXT)
    texts = [piece.text for piece in await pieces_of(shaped(provider, "native"), ASKED) if piece.text]
    assert texts == ['{"name":', ' "Zürich",', ' "people":', " 436332}"]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"all": {"type": "array", "items": {"type": "object"}}}},
        {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}},
            "$defs": {"Node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}},
        },
    ],
    ids=["free keys", "free keys within", "contains itself"],
)
async def test_what_vendors_cannot_say_natively_is_asked_for_by_tool(schema: Json) -> None:
    scripted = Scripted("{}")
    await shaped(scripted, "native").complete(ChatRequest(QUESTION, output=OutputSchema("X", schema)), "m", timeout=1)
    assert (scripted.requests[0].output, scripted.requests[0].tool_choice) == (None, "X")


@pytest.mark.parametrize("how", ["native", "tool"])
@pytest.mark.parametrize("more", [{}, {"properties": {}, "additionalProperties": True}])
async def test_any_object_at_all_is_asked_for_in_words(how: Structured, more: Json, streamed: bool) -> None:
    scripted = Scripted('{"a": 1}')
    asked = ChatRequest(QUESTION, output=OutputSchema("object", {"type": "object", **more}))
    completion = await ask(shaped(scripted, how), asked, streamed=streamed)
    assert completion.message.text == '{"a": 1}'
    assert (scripted.requests[0].output, scripted.requests[0].tools) == (None, ())
    assert "one JSON object" in scripted.requests[0].messages[0].text


# By a tool.


def by_tool(*others: ToolCall, text: str = "", name: str = "City") -> Message:
    return Message("assistant", text, tool_calls=(*others, ToolCall("c", name, ANSWER)))


async def test_by_tool_the_model_must_call_a_tool_that_takes_the_form(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    vendors.say(by_tool(text="Here you are:"))
    completion = await ask(shaped(provider, "tool"), ASKED, streamed=streamed)
    assert answers(completion) == (ANSWER, "stop", ())
    body = vendors.requests[0].body
    assert (tools_of(body), choice_of(body), native_schema(body)) == ({"City": SCHEMA}, "City", None)


async def test_by_tool_a_stream_of_the_call_is_a_stream_of_text(provider: Provider, vendors: VendorServer) -> None:
    vendors.say(by_tool())
    *pieces, last = await pieces_of(shaped(provider, "tool"), ASKED)
    assert len([piece for piece in pieces if piece.text]) > 2
    assert not any(piece.tool_calls for piece in pieces)
    assert last.completion is not None
    assert last.completion.message == Message("assistant", "".join(piece.text for piece in pieces))


async def test_beside_other_tools_it_may_choose_and_must_call_one(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    other = ToolCall("a", "weather", {"city": "Zürich"})
    vendors.say(Message("assistant", "Let me see.", tool_calls=(other,)), by_tool(text="So:"))
    form = shaped(provider, "tool")
    first = await ask(form, WITH_TOOLS, streamed=streamed)
    assert (first.message.tool_calls, first.finish_reason) == ((other,), "tool_calls")
    again = ChatRequest((*QUESTION, first.message, Message("tool", "20", tool_call_id="a")), (WEATHER,), output=CITY)
    assert answers(await ask(form, again, streamed=streamed)) == (ANSWER, "stop", ())
    for asked in vendors.requests:
        assert (sorted(tools_of(asked.body)), choice_of(asked.body)) == (["City", "weather"], "any")


async def test_words_before_the_call_of_another_tool_are_shown(vendors: VendorServer, provider: Provider) -> None:
    vendors.say(Message("assistant", "Let me see.", tool_calls=(ToolCall("a", "weather", {}),)))
    pieces = await pieces_of(shaped(provider, "tool"), WITH_TOOLS)
    assert "".join(piece.text for piece in pieces) == "Let me see."
    assert [call.name for piece in pieces for call in piece.tool_calls if call.name] == ["weather"]


async def test_the_answer_ends_the_turn_whatever_else_is_called_beside_it(streamed: bool) -> None:
    calls = (ToolCall("a", "weather", {}), ToolCall("b", "City", ANSWER), ToolCall("c", "City", {"name": "no"}))
    scripted = Scripted(Message("assistant", "", tool_calls=calls))
    completion = await ask(shaped(scripted, "tool"), WITH_TOOLS, streamed=streamed)
    assert answers(completion) == (ANSWER, "stop", ())


async def test_a_model_that_writes_the_json_instead_of_calling_is_understood(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    vendors.say(f"```json\n{TEXT}\n```")
    completion = await ask(shaped(provider, "tool"), ASKED, streamed=streamed)
    assert (completion.message.text, completion.finish_reason) == (TEXT, "stop")


async def test_a_model_that_calls_the_only_tool_by_another_name_is_understood(streamed: bool) -> None:
    completion = await ask(shaped(Scripted(by_tool(name="city_info")), "tool"), ASKED, streamed=streamed)
    assert answers(completion) == (ANSWER, "stop", ())


async def test_the_tool_of_the_form_has_a_name_that_no_other_tool_has(streamed: bool) -> None:
    tools = (ToolSpec("City", "", {}), ToolSpec("City_2", "", {}))
    scripted = Scripted(Message("assistant", "", tool_calls=(ToolCall("c", "City", {}),)), by_tool(name="City_3"))
    form, request = shaped(scripted, "tool"), ChatRequest(QUESTION, tools=tools, output=CITY)
    assert (await ask(form, request, streamed=streamed)).message.tool_calls == (ToolCall("c", "City", {}),)
    assert answers(await ask(form, request, streamed=streamed)) == (ANSWER, "stop", ())


async def test_a_form_without_anything_in_it_is_still_an_object(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    vendors.say(Message("assistant", "", tool_calls=(ToolCall("c", "City", {}),)))
    assert (await ask(shaped(provider, "tool"), ASKED, streamed=streamed)).message.text == "{}"


async def test_a_call_that_streams_no_arguments_is_an_empty_object() -> None:
    class Silent(Scripted):
        async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> Any:
            yield Delta(tool_calls=(ToolCallFragment(0, "c", "City"),))
            yield Delta(completion=await self.complete(request, model, timeout=timeout))

    scripted = Silent(Message("assistant", "", tool_calls=(ToolCall("c", "City", {}),)))
    assert (await ask(shaped(scripted, "tool"), ASKED, streamed=True)).message.text == "{}"


async def test_what_a_vendor_wants_back_with_a_call_goes_with_the_call(streamed: bool) -> None:
    said = Message("assistant", "", tool_calls=(ToolCall("c", "City", ANSWER),), opaque={"messages": {"x": 1}})
    completion = await ask(shaped(Scripted(said), "tool"), ASKED, streamed=streamed)
    assert completion.message.opaque == {}
    kept = Message("assistant", TEXT, opaque={"messages": {"x": 1}})
    completion = await ask(shaped(Scripted(kept), "native"), ASKED, streamed=streamed)
    assert completion.message == kept


# In words.


@pytest.mark.parametrize("said", [TEXT, f"Here:\n```json\n{TEXT}\n```\nBye.", f"<think>{{}}</think>\n{TEXT}"])
async def test_in_words_the_json_is_found(provider: Provider, vendors: VendorServer, said: str, streamed: bool) -> None:
    vendors.say(said)
    completion = await ask(shaped(provider, "instruction"), ASKED, streamed=streamed)
    assert completion.message.text == TEXT
    body = vendors.requests[0].body
    assert (tools_of(body), native_schema(body)) == ({}, None)
    assert json.dumps(SCHEMA, separators=(",", ":")) in (body.get("system") or body["messages"][0]["content"])


async def test_the_form_is_told_in_the_first_of_the_instructions(streamed: bool) -> None:
    scripted = Scripted(TEXT, TEXT)
    form = shaped(scripted, "instruction")
    await ask(form, ChatRequest((Message("system", "Be kind."), *QUESTION), output=CITY), streamed=streamed)
    await ask(form, ASKED, streamed=streamed)
    roles = [[message.role for message in request.messages] for request in scripted.requests]
    assert roles == [["system", "user"], ["system", "user"]]
    assert scripted.requests[0].messages[0].text.startswith("Be kind.\n\nYour final answer must be one JSON object")


async def test_in_words_tools_may_be_called_before(provider: Provider, vendors: VendorServer, streamed: bool) -> None:
    vendors.say(Message("assistant", "Let me see.", tool_calls=(ToolCall("a", "weather", {}),)))
    completion = await ask(shaped(provider, "instruction"), WITH_TOOLS, streamed=streamed)
    assert (completion.message.tool_calls, completion.message.text) == (
        (ToolCall("a", "weather", {}),),
        "Let me see.",
    )
    assert tools_of(vendors.requests[0].body).keys() == {"weather"}


async def test_an_answer_without_json_is_given_as_it_is(
    provider: Provider, vendors: VendorServer, streamed: bool
) -> None:
    vendors.say("I would rather not.")
    completion = await ask(shaped(provider, "instruction"), ASKED, streamed=streamed)
    assert (completion.message.text, completion.finish_reason) == ("I would rather not.", "stop")


# Whatever the way.


@pytest.mark.parametrize("how", ["native", "tool", "instruction"])
async def test_what_is_cut_off_says_so(how: Structured, streamed: bool) -> None:
    half = Completion(Message("assistant", '{"name": "Zü'), "length")
    completion = await ask(shaped(Scripted(half), how), ASKED, streamed=streamed)
    assert (completion.message.text, completion.finish_reason) == ('{"name": "Zü', "length")


@pytest.mark.parametrize("how", ["native", "tool", "instruction"])
async def test_a_question_without_a_form_goes_through_as_it_is(how: Structured, streamed: bool) -> None:
    scripted = Scripted("Some {x} text.")
    request = ChatRequest(QUESTION, tools=(WEATHER,))
    assert (await ask(shaped(scripted, how), request, streamed=streamed)).message.text == "Some {x} text."
    assert scripted.requests == [request]


async def test_a_stream_without_a_form_is_the_providers_own() -> None:
    class Known(Scripted):
        def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> Any:
            return (request, model, timeout)

    stream: Any = shaped(Known(), "tool").stream(ChatRequest(QUESTION), "m", timeout=3)
    assert stream == (ChatRequest(QUESTION), "m", 3)


@pytest.mark.parametrize("how", ["native", "tool", "instruction"])
async def test_a_refusal_is_a_refusal(how: Structured, streamed: bool) -> None:
    line = ContentRefused("No.", provider="scripted")
    with pytest.raises(ContentRefused, match="No"):
        await ask(shaped(Scripted(line), how), ASKED, streamed=streamed)


@pytest.mark.parametrize("how", ["native", "tool", "instruction"])
async def test_a_stream_that_is_left_is_closed(how: Structured) -> None:
    closed = []

    class Watched(Scripted):
        async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> Any:
            try:
                async for piece in super().stream(request, model, timeout=timeout):
                    yield piece
            finally:
                closed.append(True)

    stream: Any = shaped(Watched(TEXT), how).stream(ASKED, "m", timeout=1)
    await anext(stream)
    await stream.aclose()
    assert closed == [True]


async def test_vectors_and_the_farewell_go_through() -> None:
    form = shaped(Scripted(), "tool")
    assert (await form.embed(["a"], "m", timeout=1)).vectors == (await Scripted().embed(["a"], "m", timeout=1)).vectors
    await form.close()


# A vendor that does not know how to be asked.

UNKNOWN: dict[Structured, str] = {
    "native": "Unrecognized request argument supplied: response_format",
    "tool": "registry/gemma does not support tools",
}


@pytest.mark.parametrize("how", ["native", "tool"])
async def test_a_server_that_does_not_know_the_way_is_asked_in_words_and_from_then_on_at_once(
    provider: Provider, vendor: str, vendors: VendorServer, how: Structured, streamed: bool
) -> None:
    vendors.fail(vendor, Fault.status(400, UNKNOWN[how]), times=1)
    vendors.say(TEXT, TEXT)
    form = shaped(provider, how)
    assert (await ask(form, ASKED, streamed=streamed)).message.text == TEXT
    assert (await ask(form, ASKED, streamed=streamed)).message.text == TEXT
    asked = [(bool(native_schema(each.body)), choice_of(each.body)) for each in vendors.requests]
    assert asked == [(how == "native", "City" if how == "tool" else None), (False, None), (False, None)]


@pytest.mark.parametrize("how", ["native", "tool", "instruction"])
async def test_any_other_refused_request_is_final(how: Structured, streamed: bool) -> None:
    scripted = Scripted(InvalidRequest("temperature is too high", provider="scripted"))
    with pytest.raises(InvalidRequest, match="temperature"):
        await ask(shaped(scripted, how), ASKED, streamed=streamed)
    assert len(scripted.requests) == 1


async def test_a_server_that_refuses_the_words_as_well_is_not_asked_a_third_time(streamed: bool) -> None:
    refused = InvalidRequest("Invalid schema for function 'weather'", provider="scripted")
    scripted = Scripted(refused, refused)
    with pytest.raises(InvalidRequest, match="weather"):
        await ask(shaped(scripted, "native"), WITH_TOOLS, streamed=streamed)
    assert len(scripted.requests) == 2


async def test_a_stream_that_is_refused_after_it_began_is_not_begun_again() -> None:
    lines: Line = ['{"name": ', InvalidRequest("response_format", provider="scripted")]
    scripted = Scripted(lines, TEXT)
    with pytest.raises(InvalidRequest):
        await pieces_of(shaped(scripted, "native"), ASKED)
    assert len(scripted.requests) == 1


async def test_a_broken_answer_is_no_reason_to_ask_in_another_way(streamed: bool) -> None:
    scripted = Scripted(BadAnswer("response_format", provider="scripted"), TEXT)
    with pytest.raises(BadAnswer):
        await ask(shaped(scripted, "native"), ASKED, streamed=streamed)
    assert len(scripted.requests) == 1


async def test_another_form_is_asked_for_in_the_usual_way_though_one_was_refused() -> None:
    scripted = Scripted(InvalidRequest("bad json_schema", provider="scripted"), TEXT, TEXT)
    form = shaped(scripted, "native")
    await form.complete(ASKED, "m", timeout=1)
    other = ChatRequest(QUESTION, output=OutputSchema("Other", SCHEMA))
    await form.complete(other, "m", timeout=1)
    assert scripted.requests[2].output == other.output


# The script of a user's own tests.


async def test_a_script_may_say_an_instance(streamed: bool) -> None:

    class City(BaseModel):
        name: str
        people: int

    scripted = Scripted(*[City(name="Zürich", people=436_332)] * 4)
    hows: list[Structured] = ["native", "tool", "instruction"]
    for how in hows:
        assert answers(await ask(shaped(scripted, how), ASKED, streamed=streamed)) == (ANSWER, "stop", ())
    assert (await ask(shaped(scripted, "tool"), WITH_TOOLS, streamed=streamed)).message.text == TEXT
    assert [bool(request.output) for request in scripted.requests] == [True, False, False, False]
    assert [request.tool_choice for request in scripted.requests] == [None, "City", None, "required"]
