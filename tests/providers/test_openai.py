"""OpenAI's wire, through the real SDK."""

from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG, Ask
from toolkit import providers
from toolkit.errors import AuthenticationFailed, BadAnswer, ContentRefused, RateLimited
from toolkit.messages import (
    ChatRequest,
    Completion,
    Embeddings,
    FinishReason,
    Image,
    Message,
    ToolCall,
    ToolSpec,
    Usage,
)
from toolkit.providers.base import Provider
from toolkit.providers.openai import connect
from toolkit.providers.wire.chat import _Reader
from toolkit.testing.vendors import Fault, VendorServer

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture
def vendor() -> str:
    return "openai"


async def test_an_answer_comes_with_its_usage_and_the_id_of_its_request(ask: Ask, vendors: VendorServer) -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cached_tokens=30, cache_write_tokens=5, reasoning_tokens=7)
    vendors.say(Completion(Message("assistant", "Paris, of course."), usage=usage))
    assert await ask() == Completion(Message("assistant", "Paris, of course."), "stop", usage, "req_1")


async def test_a_stream_yields_each_word_as_it_comes_and_the_whole_at_last(
    openai: Provider, vendors: VendorServer
) -> None:
    vendors.say("One two\n\nthree.")
    deltas = [delta async for delta in openai.stream(HELLO, "m", timeout=LONG)]
    assert [delta.text for delta in deltas] == ["One", " two", "\n\nthree.", ""]
    assert [delta.completion is not None for delta in deltas] == [False, False, False, True]


async def test_characters_that_end_a_line_elsewhere_do_not_break_an_event(ask: Ask, vendors: VendorServer) -> None:
    vendors.say("one\u2028two\u2029three\x85four\x0bfive")
    assert (await ask()).message.text == "one\u2028two\u2029three\x85four\x0bfive"


async def test_tools_and_their_calls_and_results_go_there_and_back(ask: Ask, vendors: VendorServer) -> None:
    calls = (ToolCall("a", "weather", {"city": "Zürich"}), ToolCall("b", "weather", {"city": "Paris", "days": [1, 2]}))
    vendors.say(Message("assistant", "Let me see.", tool_calls=calls))
    question = Message("user", "Where is it warmer?")
    first = await ask(ChatRequest((question,), tools=(WEATHER,)))
    assert first.message == Message("assistant", "Let me see.", tool_calls=calls)
    assert first.finish_reason == "tool_calls"

    results = (Message("tool", "20 °C", tool_call_id="a"), Message("tool", "25 °C", tool_call_id="b"))
    await ask(ChatRequest((question, first.message, *results), tools=(WEATHER,)))
    body = vendors.requests[1].body
    assert body["tools"] == [
        {
            "type": "function",
            "function": {"name": "weather", "description": "The weather.", "parameters": WEATHER.parameters},
        }
    ]
    assert body["messages"][1]["content"] == "Let me see."
    assert [call["function"]["arguments"] for call in body["messages"][1]["tool_calls"]] == [
        '{"city": "Zürich"}',
        '{"city": "Paris", "days": [1, 2]}',
    ]
    assert body["messages"][2:] == [
        {"role": "tool", "content": "20 °C", "tool_call_id": "a"},
        {"role": "tool", "content": "25 °C", "tool_call_id": "b"},
    ]


async def test_tool_calls_stream_in_fragments_that_tell_whose_they_are(openai: Provider, vendors: VendorServer) -> None:
    vendors.say(
        Message("assistant", tool_calls=(ToolCall("a", "f", {"x": "long enough to be cut"}), ToolCall("b", "g", {})))
    )
    fragments = [f async for delta in openai.stream(HELLO, "m", timeout=LONG) for f in delta.tool_calls]
    assert [(f.index, f.id, f.name) for f in fragments if f.id] == [(0, "a", "f"), (1, "b", "g")]
    assert "".join(f.arguments for f in fragments if f.index == 0) == '{"x": "long enough to be cut"}'
    assert "".join(f.arguments for f in fragments if f.index == 1) == "{}"


async def test_images_go_as_parts_beside_the_text(ask: Ask, vendors: VendorServer) -> None:
    pictures = (Image("https://example.com/cat.png"), Image("data:image/png;base64,iVBORw0KGgo="))
    await ask(ChatRequest((Message("user", "What is this?", images=pictures),)))
    assert vendors.requests[0].body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    ]


async def test_every_option_of_a_request_is_in_its_body_and_no_other(ask: Ask, vendors: VendorServer) -> None:
    plain = {"model": "m", "messages": [{"role": "user", "content": "hi there"}]}
    streamed = {"stream": True, "stream_options": {"include_usage": True}} if ask.streamed else {}
    await ask()
    assert vendors.requests[0].body == plain | streamed

    await ask(ChatRequest(HELLO.messages, (), (), 0.0, 9, ("END",), 7, {"top_p": 0.5, "seed": 8}))
    options = {"temperature": 0.0, "max_tokens": 9, "stop": ["END"], "seed": 8, "top_p": 0.5}
    assert vendors.requests[1].body == plain | streamed | options


@pytest.mark.parametrize("model", ["o3-mini", "gpt-5", "gpt-5.2", "openai/gpt-6-sol", "azure/o1"])
async def test_a_model_that_thinks_gets_the_new_limit_and_no_temperature(
    ask: Ask, vendors: VendorServer, model: str
) -> None:
    await ask(ChatRequest(HELLO.messages, temperature=0.2, max_tokens=9), model=model)
    body = vendors.requests[0].body
    assert body["max_completion_tokens"] == 9
    assert not body.keys() & {"max_tokens", "temperature"}


async def test_a_new_model_that_does_not_think_gets_the_new_limit_and_the_temperature(
    ask: Ask, vendors: VendorServer
) -> None:
    await ask(ChatRequest(HELLO.messages, temperature=0.2, max_tokens=9), model="gpt-5-chat-latest")
    body = vendors.requests[0].body
    assert (body["max_completion_tokens"], body["temperature"]) == (9, 0.2)


@pytest.mark.parametrize("model", ["gpt-4o", "llama3.2", "qwen3:8b", "phi-o1"])
async def test_any_other_model_at_another_address_gets_the_old_limit_and_the_temperature(
    ask: Ask, vendors: VendorServer, model: str
) -> None:
    await ask(ChatRequest(HELLO.messages, temperature=0.2, max_tokens=9), model=model)
    body = vendors.requests[0].body
    assert (body["max_tokens"], body["temperature"]) == (9, 0.2)
    assert "max_completion_tokens" not in body


def test_openai_itself_gets_the_new_limit_for_every_model() -> None:
    at_home = connect({"api_key": KEY}, {})
    body = at_home._body(ChatRequest(HELLO.messages, max_tokens=9), "gpt-4o")
    assert body["max_completion_tokens"] == 9
    assert "max_tokens" not in body


@pytest.mark.parametrize(("said", "reason"), [("stop", "stop"), ("length", "length")])
async def test_the_reason_why_a_model_stopped_is_told(
    ask: Ask, vendors: VendorServer, said: FinishReason, reason: FinishReason
) -> None:
    vendors.say(Completion(Message("assistant", "Well"), said))
    assert (await ask()).finish_reason == reason


async def test_an_answer_that_the_vendors_filter_stopped_is_refused_content(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Completion(Message("assistant", "I would"), "content_filter"))
    with pytest.raises(ContentRefused):
        await ask()


async def test_an_answer_that_used_up_its_tokens_in_thought_says_what_to_raise(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Completion(Message("assistant", ""), "length"))
    with pytest.raises(BadAnswer, match="raise max_tokens"):
        await ask()


async def test_vectors_come_in_the_order_of_their_texts_however_many(openai: Provider, vendors: VendorServer) -> None:
    texts = [f"text number {number}" for number in range(2050)]
    found = await openai.embed(texts, "text-embedding-3-small", timeout=LONG)
    assert len(found.vectors) == 2050
    assert found.usage == Usage(input_tokens=3 * 2050)
    assert [len(request.body["input"]) for request in vendors.requests] == [2048, 2]
    again = await openai.embed([texts[2049]], "text-embedding-3-small", timeout=LONG)
    assert found.vectors[2049] == again.vectors[0]
    assert await openai.embed([], "text-embedding-3-small", timeout=LONG) == Embeddings([])


async def test_a_vendor_that_fails_at_vectors_fails_in_the_toolkits_words(
    openai: Provider, vendors: VendorServer
) -> None:
    vendors.fail("openai", Fault.status(429), times=1)
    with pytest.raises(RateLimited):
        await openai.embed(["a"], "m", timeout=LONG)
    vendors.fail("openai", Fault.not_json('{"data": [{"index": 0}]}'), times=1)
    with pytest.raises(BadAnswer, match="KeyError"):
        await openai.embed(["a"], "m", timeout=LONG)


async def test_a_server_at_another_address_needs_no_key(vendors: VendorServer) -> None:
    provider = providers.connect("openai", {}, {"base_url": vendors.openai_url})
    assert (await provider.complete(HELLO, "m", timeout=LONG)).message.text == "You said: hi there"
    await provider.close()


def test_openai_itself_needs_a_key_and_the_error_names_its_variable() -> None:
    with pytest.raises(AuthenticationFailed, match="set OPENAI_API_KEY"):
        connect({"api_key": " "}, {})


def read(*events: dict[str, Any]) -> Completion:
    reader = _Reader("openai")
    for event in events:
        reader.feed(event)
    return reader.completion(None)


def chunk(finish_reason: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def test_parallel_calls_that_a_server_counts_all_as_the_first_are_told_apart_by_their_ids() -> None:
    calls = [{"index": 0, "id": key, "function": {"name": "f", "arguments": f'{{"x": "{key}"}}'}} for key in "ab"]
    answer = read(chunk(tool_calls=[calls[0]]), chunk(tool_calls=[calls[1]]), chunk("tool_calls"))
    assert [call.arguments for call in answer.message.tool_calls] == [{"x": "a"}, {"x": "b"}]


def test_calls_without_an_index_or_an_id_or_with_arguments_as_an_object_are_understood() -> None:
    calls = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "g"}}]
    answer = read(chunk("stop", tool_calls=calls))
    assert [(call.name, call.arguments) for call in answer.message.tool_calls] == [("f", {"x": 1}), ("g", {})]
    assert len({call.id for call in answer.message.tool_calls}) == 2
    assert answer.finish_reason == "tool_calls"


@pytest.mark.parametrize("arguments", ['{"x": ', "[1]", "not json"])
def test_a_call_whose_arguments_nobody_can_read_is_a_bad_answer(arguments: str) -> None:
    with pytest.raises(BadAnswer, match="'f' are not a JSON object"):
        read(
            chunk("tool_calls", tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}}])
        )


def test_a_whole_body_that_does_not_say_why_the_model_stopped_is_an_answer_and_a_stream_is_none() -> None:
    said = {"content": "Yes."}
    assert read({"choices": [{"message": said}]}).finish_reason == "stop"
    with pytest.raises(BadAnswer, match="end mark"):
        read({"choices": [{"delta": said}]})


def test_a_refusal_in_words_is_refused_content_and_the_words_are_told() -> None:
    with pytest.raises(ContentRefused, match="I cannot help with that"):
        read(chunk(refusal="I cannot help "), chunk("stop", refusal="with that"))


def test_content_in_parts_is_read_without_its_thoughts() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "Yes."}]
    assert read(chunk("stop", content=parts)).message.text == "Yes."


def test_the_last_count_of_the_tokens_holds_and_a_server_that_never_counts_gives_none() -> None:
    counted = [chunk(content="a") | {"usage": {"prompt_tokens": 3, "completion_tokens": n}} for n in (1, 2)]
    assert read(*counted, chunk("stop")).usage == Usage(3, 2)
    assert read(chunk("stop", content="a")).usage is None
