"""OpenAI's responses on this machine, asked by OpenAI's own client."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from openai import APIError, AsyncOpenAI, BadRequestError
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from toolkit.messages import Completion, Json, Message, ToolCall, Usage
from toolkit.testing.responses_complaints import complaint, seal
from toolkit.testing.vendors import Fault, VendorServer

THINKER = "gpt-6-sol"
CALLS = (ToolCall("a", "f", {"x": "long enough to be cut"}), ToolCall("b", "g", {}))
SEALED: Any = {"reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}


class City(BaseModel):
    name: str
    sights: list[str]


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def openai(vendors: VendorServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-secret", base_url=vendors.openai_url, max_retries=0) as client:
        yield client


async def test_without_instructions_it_echoes(openai: AsyncOpenAI) -> None:
    answer = await openai.responses.create(model="gpt-4o", input="hi there", instructions="Be kind.")
    assert (answer.status, answer.output_text) == ("completed", "You said: hi there")
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (4, 4)


async def test_a_stream_builds_the_same_response_as_a_whole_answer(vendors: VendorServer, openai: AsyncOpenAI) -> None:
    said = Completion(Message("assistant", "Let me see.", tool_calls=CALLS), usage=Usage(9, 8, 7, 6, 5), tier="flex")
    vendors.say(said, said)
    whole = await openai.responses.create(model=THINKER, input="hi", **SEALED)
    async with openai.responses.stream(model=THINKER, input="hi", **SEALED) as stream:
        streamed = await stream.get_final_response()
    assert [item.type for item in whole.output] == ["reasoning", "message", "function_call", "function_call"]
    dumped = [each.model_dump(exclude={"id"}, mode="json") for each in (whole, streamed)]
    for item in (item for each in dumped for item in each["output"]):
        for name in ("id", "encrypted_content", "parsed_arguments"):
            item.pop(name, None)
        for part in item.get("content") or ():
            part.pop("parsed", None)
    assert dumped[0]["output"] == dumped[1]["output"]
    assert dumped[0]["usage"] == dumped[1]["usage"]
    assert streamed.service_tier == "flex"


async def test_a_form_is_parsed_by_the_client(vendors: VendorServer, openai: AsyncOpenAI) -> None:
    city = City(name="Paris", sights=["a tower"])
    vendors.say(city.model_dump_json(), city.model_dump_json())
    parsed = await openai.responses.parse(model="gpt-4o", input="hi", text_format=City)
    async with openai.responses.stream(model="gpt-4o", input="hi", text_format=City) as stream:
        streamed = await stream.get_final_response()
    assert parsed.output_parsed == streamed.output_parsed == city


async def test_every_event_has_the_shape_that_the_sdk_knows(vendors: VendorServer) -> None:
    known: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    vendors.say(Message("assistant", "Let me see.", tool_calls=CALLS))
    body = {"model": THINKER, "input": "hi", "stream": True, **SEALED}
    async with httpx2.AsyncClient() as client:
        text = (await client.post(f"{vendors.openai_url}/responses", json=body)).text
    blocks = [block.split("\ndata: ", 1) for block in text.strip().split("\n\n")]
    events = [known.validate_json(data) for _, data in blocks]
    assert [f"event: {event.type}" for event in events] == [name for name, _ in blocks]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert (events[0].type, events[-1].type) == ("response.created", "response.completed")


async def test_a_whole_response_has_the_shape_that_the_sdk_knows(vendors: VendorServer) -> None:
    body = {"model": THINKER, "input": "hi", **SEALED}
    async with httpx2.AsyncClient() as client:
        Response.model_validate_json((await client.post(f"{vendors.openai_url}/responses", json=body)).text)


@pytest.mark.parametrize(("reason", "because"), [("length", "max_output_tokens"), ("content_filter", "content_filter")])
async def test_an_answer_that_was_cut_short_says_why(
    vendors: VendorServer, openai: AsyncOpenAI, reason: Any, because: str
) -> None:
    vendors.say(*[Completion(Message("assistant", "Well"), reason)] * 2)
    whole = await openai.responses.create(model="gpt-4o", input="hi")
    *_, last = [event async for event in await openai.responses.create(model="gpt-4o", input="hi", stream=True)]
    assert last.type == "response.incomplete"
    for answer in (whole, last.response):
        assert answer.status == "incomplete"
        assert answer.incomplete_details
        assert answer.incomplete_details.reason == because


async def test_an_error_within_a_stream_is_an_event(vendors: VendorServer, openai: AsyncOpenAI) -> None:
    vendors.fail("openai", Fault.error_event("Broken.", after=1))
    events = [event async for event in await openai.responses.create(model="gpt-4o", input="hi", stream=True)]
    assert events[-1].type == "error"
    assert (events[-1].code, events[-1].message) == ("server_error", "Broken.")


async def test_a_stream_that_breaks_off_is_noticed_by_the_client(vendors: VendorServer, openai: AsyncOpenAI) -> None:
    vendors.fail("openai", Fault.cut(after=1))
    stream = await openai.responses.create(model="gpt-4o", input="hi", stream=True)
    with pytest.raises(APIError):
        async for _ in stream:
            pass


async def test_a_refusal_reaches_the_client(openai: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError, match="must be provided"):
        await openai.responses.create(model="gpt-4o", input=[])


async def test_it_answers_at_azures_address(vendors: VendorServer) -> None:
    url = f"{vendors.url('azure')}/openai/v1"
    async with AsyncOpenAI(api_key="x", base_url=url, max_retries=0) as client:
        assert (await client.responses.create(model="mine", input="hi")).output_text == "You said: hi"


USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "a", "output": "1"}
THOUGHT = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": seal(THINKER, "rs_1")}


def form(**schema: Any) -> Json:
    return {"format": {"type": "json_schema", "name": "f", "strict": True, "schema": {"type": "object", **schema}}}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"model": None}, "'model'"),
        ({"input": None}, "must be provided"),
        ({"input": ""}, "must be provided"),
        ({"messages": [USER]}, "Unknown parameter: 'messages'"),
        ({"stop": ["x"]}, "Unknown parameter: 'stop'"),
        ({"temperature": 0.5}, "'temperature' is not supported"),
        ({"max_output_tokens": 15}, ">= 16"),
        ({"model": "gpt-4o", "include": ["reasoning.encrypted_content"]}, "Encrypted content is not supported"),
        ({"model": "gpt-4o", "reasoning": {"effort": "low"}}, "'reasoning.effort' is not supported"),
        ({"previous_response_id": "resp_1"}, "not found"),
        ({"input": [USER, RESULT]}, "No tool call found"),
        ({"input": [USER, RESULT, CALL]}, "No tool call found"),
        ({"input": [USER, CALL]}, "No tool output found"),
        ({"input": [USER, THOUGHT]}, "without its required following item"),
        ({"input": [USER, THOUGHT, USER]}, "without its required following item"),
        ({"input": [USER, {**THOUGHT, "encrypted_content": None}, CALL, RESULT]}, "not persisted"),
        ({"input": [USER, {**THOUGHT, "encrypted_content": "gAAA"}, CALL, RESULT]}, "could not be verified"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]}, "Invalid value: 'text'"),
        ({"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "hi"}]}]}, "'input_text'"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "cat.png"}]}]}, "valid URL"),
        ({"input": [{"type": "song"}]}, "not an item"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "not found in 'tools'"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": form()}, "'additionalProperties'"),
        ({"text": form(additionalProperties=False, properties={"x": {"type": "string"}})}, "'required'"),
        ({"text": form(additionalProperties=False, properties={}, allOf=[])}, "'allOf' is not permitted"),
        ({"text": form(additionalProperties=False, **{"$defs": {"A": {"type": "object"}}})}, "'additionalProperties'"),
    ],
)
def test_what_openai_would_refuse_is_refused(body: Json, why: str) -> None:
    whole = {"model": THINKER, "input": "hi"}
    assert complaint(whole) is None
    assert why in (complaint(whole | body) or "")


def test_what_openai_takes_is_taken() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,AA=="}
    seen = {"role": "user", "content": [{"type": "input_text", "text": "x"}, image]}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    assert complaint({"model": THINKER, "input": [seen, THOUGHT, said, THOUGHT, CALL, RESULT, USER]}) is None
    assert complaint({"model": "gpt-4o", "input": "hi", "temperature": 0.5, "max_output_tokens": 16}) is None
