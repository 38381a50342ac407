"""Anthropic's Messages, asked by Anthropic's own client; vendors of both kinds answer."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.inside import Served
from toolkit.messages import Completion, Message, ToolCall, Usage
from toolkit.testing.faults import Fault

HELLO: Any = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER: Any = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
CALLS = (ToolCall("call_1", "get_weather", {"city": "Paris"}), ToolCall("call_2", "get_weather", {"city": "Rome"}))
PIXEL = base64.b64encode(b"\x89PNG\r\n").decode()


@pytest.fixture
async def claude(served: Served) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """Anthropic's own client, which asks once."""
    async with anthropic.AsyncAnthropic(base_url=served.url, api_key="none", max_retries=0, timeout=20) as client:
        yield client


@pytest.mark.parametrize("model", [LARGE, SMALL])
async def test_any_model_answers_and_the_headers_say_which(
    served: Served, claude: anthropic.AsyncAnthropic, model: str
) -> None:
    served.vendors.say(Completion(Message("assistant", "Paris."), usage=Usage(20, 3, cached_tokens=5)))
    raw = await claude.messages.with_raw_response.create(model=model, max_tokens=50, messages=HELLO, system="Be brief.")
    answer = await raw.parse()
    assert (_text(answer), answer.stop_reason, answer.model) == ("Paris.", "end_turn", model)
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (15, 5, 3)
    assert raw.headers["x-toolkit-model"] == model
    assert raw.headers["x-toolkit-attempts"] == f"{model}=ok"
    assert "Be brief." in json.dumps(served.vendors.requests[-1].body)


async def test_a_dead_vendor_is_not_noticed_but_in_the_headers(
    served: Served, claude: anthropic.AsyncAnthropic
) -> None:
    served.vendors.fail("anthropic", Fault.status(529))
    served.vendors.say("Paris.")
    raw = await claude.messages.with_raw_response.create(
        model=SMALL, max_tokens=50, messages=HELLO, extra_body={"fallbacks": "chain"}
    )
    assert _text(await raw.parse()) == "Paris."
    assert raw.headers["x-toolkit-model"] == LARGE
    assert raw.headers["x-toolkit-attempts"].startswith(f"{SMALL}=ProviderUnavailable")


@pytest.mark.parametrize("model", [LARGE, SMALL])
@pytest.mark.parametrize("streamed", [False, True])
async def test_parallel_tools_go_round(
    served: Served, claude: anthropic.AsyncAnthropic, model: str, streamed: bool
) -> None:
    served.vendors.say(Message("assistant", "Let me look.", tool_calls=CALLS), "It is warm.")
    asked: dict[str, Any] = {"model": model, "max_tokens": 50, "tools": [WEATHER], "tool_choice": {"type": "any"}}
    said: Any = [{"role": "user", "content": "How is the weather in Paris and in Rome?"}]
    answer = await _answer(claude, streamed, messages=said, **asked)
    assert answer.stop_reason == "tool_use"
    assert [block.type for block in answer.content] == ["text", "tool_use", "tool_use"]
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [(call.name, call.arguments) for call in CALLS]
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "21 °C"},
        {
            "type": "tool_result",
            "tool_use_id": calls[1].id,
            "is_error": True,
            "content": [{"type": "text", "text": "no station"}],
        },
    ]
    said += [answer.to_param(), {"role": "user", "content": [*results, {"type": "text", "text": "Well?"}]}]
    last = await _answer(claude, streamed, messages=said, **{**asked, "tool_choice": {"type": "auto"}})
    assert _text(last) == "It is warm."
    told = json.dumps(served.vendors.requests[-1].body, ensure_ascii=False)
    assert "21 °C" in told
    assert "Error: no station" in told


def _text(answer: anthropic.types.Message) -> str:
    return "".join(block.text for block in answer.content if block.type == "text")


async def _answer(client: anthropic.AsyncAnthropic, streamed: bool, **asked: Any) -> anthropic.types.Message:
    if not streamed:
        whole: anthropic.types.Message = await client.messages.create(**asked)
        return whole
    async with client.messages.stream(**asked) as stream:
        return await stream.get_final_message()


async def test_a_stream_comes_in_pieces_and_adds_up(served: Served, claude: anthropic.AsyncAnthropic) -> None:
    served.vendors.say(Completion(Message("assistant", "Paris it is, and has been."), usage=Usage(20, 6)))
    async with claude.messages.stream(model=LARGE, max_tokens=50, messages=HELLO) as stream:
        pieces = [text async for text in stream.text_stream]
        answer = await stream.get_final_message()
    assert len(pieces) > 3
    assert "".join(pieces) == _text(answer) == "Paris it is, and has been."
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.stop_reason) == (20, 6, "end_turn")


async def test_the_events_of_a_stream_are_anthropics_in_their_order(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.say(Message("assistant", "One moment.", tool_calls=CALLS[:1]))
    body = {"model": LARGE, "max_tokens": 50, "stream": True, "tools": [WEATHER], "messages": HELLO}
    answer = await http.post("/v1/messages", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-toolkit-model"] == LARGE
    kinds = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    squeezed = [kind for kind, before in zip(kinds, ["", *kinds], strict=False) if kind != before]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert squeezed == ["message_start", "ping", *block, *block, "message_delta", "message_stop"]


async def test_a_stream_survives_its_vendor(served: Served, claude: anthropic.AsyncAnthropic) -> None:
    served.vendors.say("Paris is the capital", vendor="openai")
    served.vendors.say(" of France.", vendor="anthropic")
    served.vendors.fail("openai", Fault.cut(after=4))
    async with claude.messages.stream(
        model=LARGE, max_tokens=50, messages=HELLO, extra_body={"fallbacks": [SMALL]}
    ) as s:
        answer = await s.get_final_message()
    assert _text(answer) == "Paris is the capital of France."


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_fits_its_form(served: Served, claude: anthropic.AsyncAnthropic, streamed: bool) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form: Any = {"format": {"type": "json_schema", "schema": schema | {"additionalProperties": False}}}
    served.vendors.say('{"town": "Paris"}', '{"city": "Paris"}')
    answer = await _answer(claude, streamed, model=LARGE, max_tokens=50, messages=HELLO, output_config=form)
    assert json.loads(_text(answer)) == {"city": "Paris"}
    assert len(served.vendors.requests) == 2


async def test_a_form_may_be_asked_for_by_its_older_name(served: Served, http: httpx2.AsyncClient) -> None:
    form = {"type": "json_schema", "schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    body = {"model": SMALL, "max_tokens": 50, "messages": HELLO, "output_format": form}
    served.vendors.say('{"city": "Paris"}')
    answer = await http.post("/v1/messages", json=body)
    # Not all clients take null where Anthropic leaves a field out.
    assert answer.json()["content"] == [{"type": "text", "text": '{"city": "Paris"}'}]
    asked = served.vendors.requests[-1].body
    assert "city" in asked["output_config"]["format"]["schema"]["properties"]
    other = {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}
    refused = await http.post("/v1/messages", json={**body, **other})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "output_format")


async def test_pictures_reach_the_model_also_those_in_a_tools_result(
    served: Served, claude: anthropic.AsyncAnthropic
) -> None:
    png: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    url: Any = {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}}
    said: Any = [
        {"role": "user", "content": [url, {"type": "text", "text": "What is this?"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "look", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": [png]}]},
    ]
    tools: Any = [{"name": "look", "input_schema": {"type": "object"}}]
    await claude.messages.create(model=LARGE, max_tokens=50, messages=said, tools=tools)
    shown = [
        part["image_url"]["url"]
        for message in served.vendors.requests[-1].body["messages"]
        if isinstance(message["content"], list)
        for part in message["content"]
        if part["type"] == "image_url"
    ]
    assert shown == ["https://example.com/cat.png", f"data:image/png;base64,{PIXEL}"]


async def test_what_only_anthropic_knows_is_told_to_nobody_else(
    served: Served, claude: anthropic.AsyncAnthropic
) -> None:
    asked: Any = {
        "max_tokens": 2000,
        "messages": HELLO,
        "thinking": {"type": "adaptive"},
        "extra_body": {"top_k": 5},
        "metadata": {"user_id": "u-1"},
        "output_config": {"effort": "low"},
        "tools": [{**WEATHER, "cache_control": {"type": "ephemeral"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "extra_headers": {"anthropic-beta": "context-1m-2025-08-07"},
    }
    await claude.messages.create(model=SMALL, **asked)
    await claude.messages.create(model=LARGE, **asked)
    to_claude, to_openai = (request.body for request in served.vendors.requests)
    known = {name: to_claude[name] for name in ("thinking", "top_k", "metadata", "output_config", "tool_choice")}
    assert known == {name: asked[name] for name in known if name in asked} | {"top_k": 5}
    assert not to_openai.keys() & (known.keys() - {"tool_choice"} | {"reasoning_effort"})
    assert to_openai["parallel_tool_calls"] is False


async def test_thoughts_come_back_to_the_model_that_had_them(served: Served, claude: anthropic.AsyncAnthropic) -> None:
    thought = {"type": "thinking", "thinking": "Rome or Paris?", "signature": ""}
    opaque = {"messages": {"model": "", "blocks": [thought, {"type": "tool_use"}]}}
    for streamed in (False, True):
        served.vendors.say(Message("assistant", tool_calls=CALLS[:1], opaque=opaque), "Warm.", vendor="anthropic")
        asked: Any = {"model": SMALL, "max_tokens": 2000, "tools": [WEATHER]}
        asked["thinking"] = {"type": "enabled", "budget_tokens": 1024}
        said: Any = [{"role": "user", "content": "Weather in Paris?"}]
        answer = await _answer(claude, streamed, messages=said, **asked)
        assert answer.content[-1].type == "redacted_thinking"
        assert "Rome or Paris" not in answer.to_json()
        result = {"type": "tool_result", "tool_use_id": "call_1", "content": "21 °C"}
        said += [answer.to_param(), {"role": "user", "content": [result]}]
        await _answer(claude, streamed, messages=said, **asked)
        back = served.vendors.requests[-1].body["messages"][1]["content"]
        assert [block["type"] for block in back] == ["thinking", "tool_use"]
        assert back[0]["thinking"] == "Rome or Paris?"


async def test_a_session_remembers_without_being_told_again(served: Served, claude: anthropic.AsyncAnthropic) -> None:
    session = served.run(served.tk.sessions.create())
    mine: Any = {"extra_body": {"session_id": session.id}, "model": LARGE, "max_tokens": 50}
    await claude.messages.create(messages=[{"role": "user", "content": "My name is Ada."}], **mine)
    await claude.messages.create(messages=[{"role": "user", "content": "Who am I?"}], **mine)
    assert "My name is Ada." in json.dumps(served.vendors.requests[-1].body["messages"])
    assert len(served.run(served.tk.sessions.messages(session.id))) == 4


async def test_tokens_are_counted_and_no_vendor_is_asked(served: Served, claude: anthropic.AsyncAnthropic) -> None:
    short = await claude.messages.count_tokens(model=SMALL, messages=HELLO)
    long = await claude.messages.count_tokens(model=SMALL, messages=HELLO, system="Be brief. " * 50, tools=[WEATHER])
    assert 5 < short.input_tokens < 20
    assert long.input_tokens > short.input_tokens + 100
    assert not served.vendors.requests


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"temprature": 1}, "temprature"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0.type"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": {}}]}]},
            "messages.0.content.0.type",
        ),
        ({"max_tokens": 0}, "max_tokens"),
        ({"tools": [WEATHER], "tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ],
)
async def test_what_cannot_be_done_is_refused_by_name(
    served: Served, claude: anthropic.AsyncAnthropic, asked: dict[str, Any], field: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        await claude.messages.create(model=LARGE, max_tokens=50, messages=HELLO, extra_body=asked)
    assert field in str(refused.value)
    assert refused.value.body["error"]["param"] == field  # type: ignore[index]
    assert not served.vendors.requests


async def test_failures_have_the_statuses_that_anthropics_client_knows(
    served: Served, claude: anthropic.AsyncAnthropic
) -> None:
    for streamed in (False, True):
        with pytest.raises(anthropic.NotFoundError, match="no model 'nobody'"):
            await _answer(claude, streamed, model="nobody", max_tokens=50, messages=HELLO)
        served.vendors.fail("openai", Fault.status(500))
        served.vendors.fail("anthropic", Fault.status(529))
        with pytest.raises(anthropic.APIStatusError) as failed:
            await _answer(claude, streamed, model="default", max_tokens=50, messages=HELLO, extra_body={"timeout": 0.5})
        assert failed.value.status_code in (503, 504)
        assert failed.value.body["error"]["attempts"]  # type: ignore[index]
        served.vendors.recover()


async def test_a_stream_that_nobody_finishes_ends_with_an_error(
    served: Served, claude: anthropic.AsyncAnthropic
) -> None:
    served.vendors.say("Paris is the capital of France.")
    served.vendors.fail("openai", Fault.cut(after=2))
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        await _answer(claude, True, model=LARGE, max_tokens=50, messages=HELLO, extra_body={"timeout": 2})


async def test_who_hangs_up_ends_the_vendors_work(served: Served, claude: anthropic.AsyncAnthropic) -> None:
    served.vendors.fail("openai", Fault.stall(after=2))
    async with claude.messages.stream(model=LARGE, max_tokens=50, messages=HELLO) as stream:
        async for _ in stream.text_stream:
            break
    assert served.vendors.requests[-1].abandoned.wait(10)
