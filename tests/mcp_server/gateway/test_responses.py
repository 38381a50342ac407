"""OpenAI's Responses, asked by OpenAI's own client; vendors of both kinds answer."""

import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.inside import Served
from toolkit.messages import Completion, Message, ToolCall, Usage
from toolkit.testing.faults import Fault

HELLO = "What is the capital of France?"
WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
CALLS = (ToolCall("call_1", "get_weather", {"city": "Paris"}), ToolCall("call_2", "get_weather", {"city": "Rome"}))
PIXEL = "data:image/png;base64,iVBORw0KGgo="


class City(BaseModel):
    """What is asked for."""

    city: str


async def _answer(client: openai.AsyncOpenAI, streamed: bool, **asked: Any) -> Response:
    if not streamed:
        whole: Response = await client.responses.create(**asked)
        return whole
    async with client.responses.stream(**asked) as stream:
        return await stream.get_final_response()


async def _read(stream: openai.AsyncStream[Any], kinds: list[str]) -> None:
    async for event in stream:
        kinds.append(event.type)  # noqa: PERF401 - the last ones count, where it breaks off


@pytest.mark.parametrize("model", [LARGE, SMALL])
async def test_any_model_answers_and_the_headers_say_which(
    served: Served, client: openai.AsyncOpenAI, model: str
) -> None:
    served.vendors.say(Completion(Message("assistant", "Paris."), usage=Usage(20, 3, cached_tokens=5)))
    raw = await client.responses.with_raw_response.create(
        model=model, input=HELLO, instructions="Be brief.", metadata={"job": "7"}
    )
    answer = raw.parse()
    assert (answer.output_text, answer.status, answer.model) == ("Paris.", "completed", model)
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.input_tokens_details.cached_tokens) == (20, 5)
    assert (answer.instructions, answer.metadata) == ("Be brief.", {"job": "7"})
    assert (raw.headers["x-toolkit-model"], raw.headers["x-toolkit-attempts"]) == (model, f"{model}=ok")
    assert "Be brief." in json.dumps(served.vendors.requests[-1].body)


async def test_a_dead_vendor_is_not_noticed_but_in_the_headers(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.fail("openai", Fault.status(503))
    served.vendors.say("Paris.")
    raw = await client.responses.with_raw_response.create(
        model=LARGE, input=HELLO, reasoning={"effort": "low"}, prompt_cache_key="k", extra_body={"fallbacks": "chain"}
    )
    assert raw.parse().output_text == "Paris."
    assert raw.headers["x-toolkit-model"] == SMALL
    assert raw.headers["x-toolkit-attempts"].startswith(f"{LARGE}=ProviderUnavailable")
    assert not served.vendors.requests[-1].body.keys() & {"reasoning", "reasoning_effort", "prompt_cache_key"}


@pytest.mark.parametrize("model", [LARGE, SMALL])
@pytest.mark.parametrize("streamed", [False, True])
async def test_parallel_tools_go_round(served: Served, client: openai.AsyncOpenAI, model: str, streamed: bool) -> None:
    served.vendors.say(Message("assistant", "Let me look.", tool_calls=CALLS), "It is warm.")
    said: Any = [{"role": "user", "content": "How is the weather in Paris and in Rome?"}]
    answer = await _answer(
        client, streamed, model=model, input=said, tools=[WEATHER], tool_choice="required", parallel_tool_calls=True
    )
    assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
    calls = [item for item in answer.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [(c.name, c.arguments) for c in CALLS]
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": output}
        for call, output in zip(calls, ["21 °C", [{"type": "input_text", "text": "no station"}]], strict=True)
    ]
    last = await _answer(client, streamed, model=model, input=[*said, *answer.output, *results], tools=[WEATHER])
    assert last.output_text == "It is warm."
    told = json.dumps(served.vendors.requests[-1].body, ensure_ascii=False)
    assert "21 °C" in told
    assert "no station" in told


async def test_a_stream_comes_in_pieces_and_adds_up(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say(Completion(Message("assistant", "Paris it is, and has been."), usage=Usage(20, 6)))
    async with client.responses.stream(model=LARGE, input=HELLO) as stream:
        pieces = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        answer = await stream.get_final_response()
    assert len(pieces) > 3
    assert "".join(pieces) == answer.output_text == "Paris it is, and has been."
    assert answer.usage
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (20, 6)


async def test_the_events_of_a_stream_are_openais_in_their_order(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.say(Message("assistant", "One moment.", tool_calls=CALLS[:1]))
    answer = await http.post("/v1/responses", json={"model": LARGE, "input": HELLO, "tools": [WEATHER], "stream": True})
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data:")]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    kinds = [event["type"].removeprefix("response.") for event in events]
    assert [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert events[-1]["response"]["output"] == [e["item"] for e in events if e["type"].endswith("output_item.done")]


async def test_a_stream_survives_its_vendor(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say("Paris is the capital", vendor="anthropic")
    served.vendors.say(" of France.", vendor="openai")
    served.vendors.fail("anthropic", Fault.cut(after=4))
    answer = await _answer(client, True, model=SMALL, input=HELLO, extra_body={"fallbacks": [LARGE]})
    assert answer.output_text == "Paris is the capital of France."


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", [LARGE, SMALL])
async def test_an_answer_fits_its_form(served: Served, client: openai.AsyncOpenAI, model: str, streamed: bool) -> None:
    served.vendors.say('{"town": "Paris"}', '{"city": "Paris"}')
    if streamed:
        async with client.responses.stream(model=model, input=HELLO, text_format=City) as stream:
            parsed = (await stream.get_final_response()).output_parsed
    else:
        parsed = (await client.responses.parse(model=model, input=HELLO, text_format=City)).output_parsed
    assert parsed == City(city="Paris")
    assert len(served.vendors.requests) == 2


async def test_pictures_reach_the_model_also_those_in_a_tools_result(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    said: Any = [
        {"role": "user", "content": [{"type": "input_image", "image_url": "https://example.com/cat.png"}]},
        {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"},
        {
            "type": "function_call_output",
            "call_id": "call_1",
            "output": [{"type": "input_image", "image_url": PIXEL, "detail": "auto"}],
        },
    ]
    await client.responses.create(model=LARGE, input=said, tools=[WEATHER])
    messages = served.vendors.requests[-1].body["messages"]
    shown = [part["image_url"]["url"] for m in messages if isinstance(m["content"], list) for part in m["content"]]
    assert shown == ["https://example.com/cat.png", PIXEL]


@pytest.mark.parametrize("streamed", [False, True])
async def test_tools_that_take_a_text_or_have_a_namespace_are_the_clients_own(
    served: Served, client: openai.AsyncOpenAI, streamed: bool
) -> None:
    tools: Any = [
        {"type": "custom", "name": "apply_patch", "description": "Changes files."},
        {"type": "namespace", "name": "mcp__sky", "description": "The sky.", "tools": [WEATHER]},
    ]
    patch, weather = "*** Begin Patch\n", ToolCall("call_2", "mcp__sky__get_weather", {"city": "Rome"})
    calls = (ToolCall("call_1", "apply_patch", {"input": patch}), weather)
    served.vendors.say(Message("assistant", tool_calls=calls), "Done.")
    answer = await _answer(client, streamed, model=LARGE, input="Mend it.", tools=tools)
    one, two = answer.output
    assert (one.type, two.type) == ("custom_tool_call", "function_call")
    assert one.type == "custom_tool_call"
    assert one.input == patch
    assert two.type == "function_call"
    assert (two.namespace, two.name) == ("mcp__sky", "get_weather")
    results = [
        {"type": "custom_tool_call_output", "call_id": "call_1", "output": "ok"},
        {"type": "function_call_output", "call_id": "call_2", "output": "19 °C"},
    ]
    said: Any = [{"role": "user", "content": "Mend it."}, *answer.output, *results]
    assert (await _answer(client, streamed, model=LARGE, input=said, tools=tools)).output_text == "Done."
    back = served.vendors.requests[-1].body["messages"][1]["tool_calls"]
    assert [(c["function"]["name"], json.loads(c["function"]["arguments"])) for c in back] == [
        (call.name, call.arguments) for call in calls
    ]


async def test_thoughts_come_back_to_the_model_that_had_them(served: Served, client: openai.AsyncOpenAI) -> None:
    for streamed in (False, True):
        served.vendors.say(Message("assistant", tool_calls=CALLS[:1]), "Warm.")
        said: Any = [{"role": "user", "content": "Weather in Paris?"}]
        asked: dict[str, Any] = {"model": "gpt-5-codex", "tools": [WEATHER], "store": False}
        asked["include"] = ["reasoning.encrypted_content"]
        answer = await _answer(client, streamed, input=said, **asked)
        assert [item.type for item in answer.output] == ["function_call", "reasoning"]
        said += [*answer.output, {"type": "function_call_output", "call_id": "call_1", "output": "21 °C"}]
        assert (await _answer(client, streamed, input=said, **asked)).output_text == "Warm."
        back = served.vendors.requests[-1].body["input"]
        assert [item.get("type", item.get("role")) for item in back][1:3] == ["reasoning", "function_call"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_stored_answer_is_gone_on_from_as_often_as_one_likes(
    served: Served, client: openai.AsyncOpenAI, streamed: bool
) -> None:
    first = await _answer(client, streamed, model=LARGE, input="My name is Ada.", store=True)
    second = await _answer(client, streamed, model=LARGE, input="Who am I?", store=True, previous_response_id=first.id)
    other = await _answer(client, streamed, model=LARGE, input="Spell it.", previous_response_id=first.id)
    assert len({first.id, second.id, other.id}) == 3
    asked = [json.dumps(request.body["messages"]) for request in served.vendors.requests]
    assert "My name is Ada." in asked[1]
    assert "My name is Ada." in asked[2]
    assert "Who am I?" not in asked[2]
    assert second.previous_response_id == first.id
    assert [answer.to_dict()["store"] for answer in (first, second, other)] == [True, True, False]


async def test_an_answer_that_was_not_stored_or_failed_leaves_nothing(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    before = len(served.run(served.tk.sessions.list(limit=1000)))
    answer = await client.responses.create(model=LARGE, input=HELLO)
    with pytest.raises(openai.NotFoundError, match="asked for without `store`"):
        await client.responses.create(model=LARGE, input=HELLO, previous_response_id=answer.id)
    served.vendors.fail("openai", Fault.status(400, "no"))
    for streamed in (False, True):
        with pytest.raises(openai.BadRequestError):
            await _answer(client, streamed, model=LARGE, input=HELLO, store=True)
    assert len(served.run(served.tk.sessions.list(limit=1000))) == before


async def test_a_session_remembers_without_being_told_again(served: Served, client: openai.AsyncOpenAI) -> None:
    session = served.run(served.tk.sessions.create())
    mine = {"session_id": session.id}
    await client.responses.create(model=LARGE, input="My name is Ada.", extra_body=mine)
    await client.responses.create(model=SMALL, input="Who am I?", extra_body=mine)
    assert "My name is Ada." in json.dumps(served.vendors.requests[-1].body["messages"])
    with pytest.raises(openai.BadRequestError, match="leave out `store`"):
        await client.responses.create(model=SMALL, input="Who am I?", store=True, extra_body=mine)


async def test_an_answer_that_was_cut_short_is_incomplete(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say(Completion(Message("assistant", "Paris is"), "length"))
    answer = await client.responses.create(model=LARGE, input=HELLO, max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details
    assert answer.incomplete_details.reason == "max_output_tokens"


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"temprature": 1}, "temprature"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input.0.type"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input.0.content.0.type"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "nothing"}}, "tool_choice"),
        ({"background": True}, "background"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    served: Served, client: openai.AsyncOpenAI, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await client.responses.create(model=LARGE, input=HELLO, extra_body=asked)
    assert refused.value.param == field
    assert not served.vendors.requests


async def test_failures_have_the_statuses_that_openais_client_knows(served: Served, client: openai.AsyncOpenAI) -> None:
    for streamed in (False, True):
        with pytest.raises(openai.NotFoundError, match="no model 'nobody'"):
            await _answer(client, streamed, model="nobody", input=HELLO)
        served.vendors.fail("openai", Fault.status(401))
        served.vendors.fail("anthropic", Fault.status(401))
        with pytest.raises(openai.InternalServerError) as failed:
            await _answer(client, streamed, model="default", input=HELLO)
        assert failed.value.status_code == 503
        assert failed.value.body["attempts"]  # type: ignore[index]
        served.vendors.recover()


async def test_a_stream_that_nobody_finishes_ends_with_an_error(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say("Paris is the capital of France.")
    served.vendors.fail("openai", Fault.cut(after=2))
    stream = await client.responses.create(model=LARGE, input=HELLO, stream=True, extra_body={"timeout": 2})
    kinds: list[str] = []
    with pytest.raises(openai.APIError, match="broke off"):
        await _read(stream, kinds)
    assert kinds[-1] == "response.failed"


async def test_who_hangs_up_ends_the_vendors_work(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.fail("openai", Fault.stall(after=2))
    async with client.responses.stream(model=LARGE, input=HELLO) as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                break
    assert served.vendors.requests[-1].abandoned.wait(10)
