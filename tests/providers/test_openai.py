"""OpenAI's wire, through the real SDK."""

import pytest

from tests.providers.conftest import HELLO, KEY, LONG, Ask
from toolkit import providers
from toolkit.errors import AuthenticationFailed, BadAnswer, RateLimited
from toolkit.messages import (
    ChatRequest,
    Completion,
    Embeddings,
    Image,
    Message,
    ToolCall,
    ToolSpec,
    Usage,
)
from toolkit.providers.base import Provider
from toolkit.providers.openai import connect
from toolkit.testing.vendors import Fault, VendorServer

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture
def vendor() -> str:
    return "openai"


async def test_an_answer_comes_with_its_usage_and_the_id_of_its_request(ask: Ask, vendors: VendorServer) -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cached_tokens=30, cache_write_tokens=5, reasoning_tokens=7)
    vendors.say(Completion(Message("assistant", "Paris, of course."), usage=usage))
    assert await ask() == Completion(Message("assistant", "Paris, of course."), "stop", usage, "req_1")


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


@pytest.mark.parametrize(
    ("url", "limit"),
    [
        (None, "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_completion_tokens"),
        ("http://x", "max_tokens"),
    ],
)
def test_openai_itself_gets_the_new_limit_for_every_model_and_other_servers_the_old_one(
    url: str | None, limit: str
) -> None:
    wire = connect({"api_key": KEY}, {"base_url": url}).wire("gpt-4o")
    assert wire._body(ChatRequest(HELLO.messages, max_tokens=9), "gpt-4o")[limit] == 9
