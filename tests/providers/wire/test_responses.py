"""OpenAI's responses, through the real SDK."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG, Ask
from tests.providers.test_faults import BROKEN, SHORT, STATUSES, assert_plain, describe
from tests.providers.wire.test_connection import server
from toolkit import errors, providers
from toolkit.errors import BadAnswer, ContentRefused, InvalidRequest, ProviderError, ProviderTimeout
from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    FinishReason,
    Image,
    Message,
    OutputSchema,
    ToolCall,
    ToolSpec,
    Usage,
)
from toolkit.providers.base import Provider
from toolkit.providers.wire.responses import _Reader
from toolkit.testing.listener import Exchange
from toolkit.testing.vendors import Fault, VendorServer

THINKER = "gpt-6-sol"
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
QUESTION = Message("user", "Where is it warmer?")
CALLS = (ToolCall("a", "weather", {"city": "Zürich"}), ToolCall("b", "weather", {"city": "Paris", "days": [1, 2]}))
RESULTS = (Message("tool", "20 °C", tool_call_id="a"), Message("tool", "25 °C", tool_call_id="b"))


@pytest.fixture
def vendor() -> str:
    return "openai"


@pytest.fixture
async def provider(vendors: VendorServer) -> AsyncIterator[Provider]:
    found = providers.connect("openai", {"api_key": KEY, "base_url": vendors.openai_url}, {"api": "responses"})
    yield found
    await found.close()


async def test_an_answer_comes_with_its_usage_its_tier_and_the_id_of_its_request(
    ask: Ask, vendors: VendorServer
) -> None:
    usage = Usage(input_tokens=100, output_tokens=20, cached_tokens=30, cache_write_tokens=5, reasoning_tokens=7)
    said = Completion(Message("assistant", "Paris, of course."), usage=usage, tier="flex")
    vendors.say(said)
    assert await ask() == replace(said, request_id="req_1")
    assert vendors.requests[0].path == "/v1/responses"


async def test_a_stream_yields_each_word_as_it_comes_and_the_whole_at_last(
    provider: Provider, vendors: VendorServer
) -> None:
    vendors.say("One two\n\nthree.")
    deltas = [delta async for delta in provider.stream(HELLO, "m", timeout=LONG)]
    assert [delta.text for delta in deltas] == ["One", " two", "\n\nthree.", ""]
    assert [delta.completion is not None for delta in deltas] == [False, False, False, True]


async def test_a_model_that_thinks_gives_signs_of_life_before_its_first_word(
    provider: Provider, vendors: VendorServer
) -> None:
    vendors.say("Yes.")
    request = replace(HELLO, extra={"reasoning": {"summary": "auto"}})
    deltas = [delta async for delta in provider.stream(request, THINKER, timeout=LONG)]
    texts = [delta.text for delta in deltas]
    assert texts.index("Yes.") > 5
    assert "".join(texts) == "Yes."


async def test_only_what_the_request_says_is_in_its_body(ask: Ask, vendors: VendorServer) -> None:
    plain: dict[str, Any] = {"model": "m", "input": [{"role": "user", "content": "hi there"}], "store": False}
    if ask.streamed:
        plain["stream"] = True
    await ask()
    assert vendors.requests[0].body == plain

    await ask(ChatRequest(HELLO.messages, (), (), 0.0, 90, ("END",), 7, {"top_p": 0.5, "service_tier": "flex"}))
    options = {"temperature": 0.0, "max_output_tokens": 90, "top_p": 0.5, "service_tier": "flex"}
    assert vendors.requests[1].body == plain | options


async def test_what_extra_says_stands_beside_what_the_request_says(ask: Ask, vendors: VendorServer) -> None:
    extra = {"tools": [{"type": "web_search"}], "include": ["web_search_call.results"], "text": {"verbosity": "low"}}
    output = OutputSchema("city", {"type": "object", "properties": {}, "additionalProperties": False})
    await ask(ChatRequest(HELLO.messages, (WEATHER,), extra=extra, output=output), model=THINKER)
    body = vendors.requests[0].body
    assert [tool["type"] for tool in body["tools"]] == ["function", "web_search"]
    assert body["include"] == ["reasoning.encrypted_content", "web_search_call.results"]
    assert body["text"].keys() == {"format", "verbosity"}


@pytest.mark.parametrize("model", ["o3-pro", "gpt-5-codex", "gpt-6-sol", "codex-mini-latest", "openai/o1-pro"])
async def test_a_model_that_thinks_gets_no_temperature_and_is_asked_for_its_sealed_thoughts(
    ask: Ask, vendors: VendorServer, model: str
) -> None:
    await ask(replace(HELLO, temperature=0.2), model=model)
    body = vendors.requests[0].body
    assert "temperature" not in body
    assert body["include"] == ["reasoning.encrypted_content"]


@pytest.mark.parametrize("model", ["gpt-4o", "gpt-5-chat-latest", "computer-use-preview"])
async def test_a_model_that_does_not_think_gets_the_temperature_and_is_not_asked_for_thoughts(
    ask: Ask, vendors: VendorServer, model: str
) -> None:
    await ask(replace(HELLO, temperature=0.2), model=model)
    body = vendors.requests[0].body
    assert body["temperature"] == 0.2
    assert "include" not in body


async def test_a_limit_that_openai_would_refuse_as_too_small_is_its_smallest(ask: Ask, vendors: VendorServer) -> None:
    await ask(replace(HELLO, max_tokens=1))
    assert vendors.requests[0].body["max_output_tokens"] == 16


async def test_system_messages_at_the_beginning_are_instructions_and_later_ones_stay_where_they_are(
    ask: Ask, vendors: VendorServer
) -> None:
    first, second, later = (Message("system", text) for text in ("Be kind.", "Be short.", "Now be rude."))
    said = Message("assistant", "Hello!")
    await ask(ChatRequest((first, second, *HELLO.messages, said, later, QUESTION)))
    body = vendors.requests[0].body
    assert body["instructions"] == "Be kind.\n\nBe short."
    assert body["input"] == [
        {"role": "user", "content": "hi there"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "system", "content": "Now be rude."},
        {"role": "user", "content": "Where is it warmer?"},
    ]
    await ask(ChatRequest((first,)))
    assert vendors.requests[1].body["input"] == [{"role": "system", "content": "Be kind."}]


async def test_tools_and_their_calls_and_results_go_there_and_back(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", "Let me see.", tool_calls=CALLS))
    first = await ask(ChatRequest((QUESTION,), tools=(WEATHER,)))
    assert first.message == Message("assistant", "Let me see.", tool_calls=CALLS)
    assert first.finish_reason == "tool_calls"

    await ask(ChatRequest((QUESTION, first.message, *RESULTS), tools=(WEATHER,)))
    body = vendors.requests[1].body
    assert body["tools"] == [
        {
            "type": "function",
            "name": "weather",
            "description": "The weather.",
            "parameters": WEATHER.parameters,
            "strict": False,
        }
    ]
    assert body["input"][1:] == [
        {"role": "assistant", "content": "Let me see."},
        {"type": "function_call", "call_id": "a", "name": "weather", "arguments": '{"city": "Zürich"}'},
        {"type": "function_call", "call_id": "b", "name": "weather", "arguments": '{"city": "Paris", "days": [1, 2]}'},
        {"type": "function_call_output", "call_id": "a", "output": "20 °C"},
        {"type": "function_call_output", "call_id": "b", "output": "25 °C"},
    ]


async def test_tool_calls_stream_in_fragments_that_tell_whose_they_are(
    provider: Provider, vendors: VendorServer
) -> None:
    long = (ToolCall("a", "f", {"x": "long enough to be cut"}), ToolCall("b", "g", {}))
    vendors.say(Message("assistant", tool_calls=long))
    fragments = [f async for delta in provider.stream(HELLO, "m", timeout=LONG) for f in delta.tool_calls]
    assert [(f.index, f.id, f.name) for f in fragments if f.id] == [(0, "a", "f"), (1, "b", "g")]
    assert "".join(f.arguments for f in fragments if f.index == 0) == '{"x": "long enough to be cut"}'
    assert "".join(f.arguments for f in fragments if f.index == 1) == "{}"


@pytest.mark.parametrize(
    ("choice", "sent"), [("required", "required"), ("weather", {"type": "function", "name": "weather"})]
)
async def test_a_tool_that_must_be_called_is_named(ask: Ask, vendors: VendorServer, choice: str, sent: Any) -> None:
    await ask(ChatRequest((QUESTION,), tools=(WEATHER,), tool_choice=choice))
    assert vendors.requests[0].body["tool_choice"] == sent


async def test_sealed_thoughts_come_back_before_the_calls_that_they_led_to(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", "Let me see.", tool_calls=CALLS))
    first = await ask(ChatRequest((QUESTION,), tools=(WEATHER,)), model=THINKER)
    stored = Message.from_json(first.message.to_json())
    # The server refuses thoughts whose seal it does not know, and thoughts that do not stand before what they led to.
    await ask(ChatRequest((QUESTION, stored, *RESULTS), tools=(WEATHER,)), model=THINKER)
    items = vendors.requests[1].body["input"][1:-2]
    assert [item["type"] for item in items] == ["reasoning", "message", "function_call", "function_call"]
    assert items[0]["encrypted_content"].startswith("gAAA")
    assert items[1]["phase"] == "commentary"


async def test_sealed_thoughts_do_not_go_to_a_model_that_cannot_open_them(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", tool_calls=CALLS))
    first = await ask(ChatRequest((QUESTION,), tools=(WEATHER,)), model=THINKER)
    await ask(ChatRequest((QUESTION, first.message, *RESULTS), tools=(WEATHER,)), model="o3-pro")
    assert [item["type"] for item in vendors.requests[1].body["input"][1:3]] == ["function_call", "function_call"]


async def test_a_message_that_was_changed_since_goes_as_it_is_now(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", tool_calls=CALLS))
    first = await ask(ChatRequest((QUESTION,), tools=(WEATHER,)), model=THINKER)
    changed = replace(first.message, tool_calls=CALLS[:1])
    await ask(ChatRequest((QUESTION, changed, RESULTS[0]), tools=(WEATHER,)), model=THINKER)
    assert [item.get("call_id") for item in vendors.requests[1].body["input"]] == [None, "a", "a"]


async def test_an_answer_comes_back_as_the_answer_that_it_was_and_without_its_thoughts(
    ask: Ask, vendors: VendorServer
) -> None:
    first = await ask(model=THINKER)
    await ask(ChatRequest((*HELLO.messages, first.message, QUESTION)), model=THINKER)
    items = vendors.requests[1].body["input"]
    assert [item.get("phase") for item in items] == [None, "final_answer", None]
    assert (await ask(model="o3-pro")).message.opaque == {}


async def test_images_go_as_parts_beside_the_text_and_in_a_tools_result(ask: Ask, vendors: VendorServer) -> None:
    cat, data = Image("https://example.com/cat.png"), Image("data:image/png;base64,iVBORw0KGgo=")
    call = Message("assistant", tool_calls=CALLS[:1])
    seen = Message("tool", images=(data,), tool_call_id="a")
    await ask(ChatRequest((Message("user", "What is this?", images=(cat, data)), call, seen), extra={"detail": "low"}))
    body = vendors.requests[0].body
    assert body["input"][0]["content"] == [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": cat.url, "detail": "low"},
        {"type": "input_image", "image_url": data.url, "detail": "low"},
    ]
    assert body["input"][2]["output"] == [{"type": "input_image", "image_url": data.url, "detail": "low"}]
    assert "detail" not in body


async def test_a_form_goes_as_a_strict_schema_where_strict_mode_can_say_it(ask: Ask, vendors: VendorServer) -> None:
    closed = {"type": "object", "properties": {"name": {"type": "string", "default": "?"}}}
    opened = {"type": "object", "additionalProperties": {"type": "integer"}}
    vendors.say('{"name": "Paris"}')
    assert (await ask(replace(HELLO, output=OutputSchema("city", closed)))).message.text == '{"name": "Paris"}'
    await ask(replace(HELLO, output=OutputSchema("counts", opened)))
    form, loose = (request.body["text"]["format"] for request in vendors.requests)
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "city", True)
    assert (form["schema"]["required"], form["schema"]["additionalProperties"]) == (["name"], False)
    assert loose == {"type": "json_schema", "name": "counts", "schema": opened, "strict": False}


@pytest.mark.parametrize("said", ["stop", "length"])
async def test_the_reason_why_a_model_stopped_is_told(ask: Ask, vendors: VendorServer, said: FinishReason) -> None:
    vendors.say(Completion(Message("assistant", "Well"), said))
    assert (await ask()).finish_reason == said


async def test_an_answer_that_the_vendors_filter_stopped_is_refused_content(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Completion(Message("assistant", "I would"), "content_filter"))
    with pytest.raises(ContentRefused):
        await ask()


async def test_an_answer_that_used_up_its_tokens_in_thought_says_what_to_raise(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Completion(Message("assistant", ""), "length"))
    with pytest.raises(BadAnswer, match="raise max_tokens"):
        await ask(model=THINKER)


async def test_a_request_that_the_vendor_refuses_says_why(ask: Ask) -> None:
    orphan = Message("tool", "20 °C", tool_call_id="a")
    with pytest.raises(InvalidRequest, match="No tool call found for function call output with call_id a"):
        await ask(ChatRequest((QUESTION, orphan)))


async def test_vectors_are_made_as_ever(provider: Provider, vendors: VendorServer) -> None:
    found = await provider.embed(["a", "b"], "text-embedding-3-small", timeout=LONG)
    assert len(found.vectors) == 2
    assert vendors.requests[0].path == "/v1/embeddings"


@pytest.mark.parametrize(("fault", "kind"), STATUSES, ids=describe)
async def test_a_status_and_what_it_says_become_the_error_that_they_mean(
    ask: Ask, vendors: VendorServer, fault: Fault, kind: type[ProviderError]
) -> None:
    vendors.fail("openai", fault)
    with pytest.raises(ProviderError) as caught:
        await ask()
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.request_id) == (fault.status_code, "req_1")
    assert_plain(caught.value, "openai")


@pytest.mark.parametrize("model", ["m", THINKER])
@pytest.mark.parametrize(("fault", "kind"), BROKEN, ids=describe)
async def test_an_answer_that_breaks_becomes_the_error_that_it_is(
    ask: Ask, vendors: VendorServer, fault: Fault, kind: type[ProviderError], model: str
) -> None:
    vendors.fail("openai", fault)
    with pytest.raises(ProviderError) as caught:
        await ask(model=model, timeout=SHORT if kind is ProviderTimeout else LONG)
    assert type(caught.value) is kind
    assert_plain(caught.value, "openai")
    assert len(vendors.requests) == 1


async def test_a_vendor_that_recovers_answers_on_the_same_connection(ask: Ask, vendors: VendorServer) -> None:
    for fault in (Fault.cut(1), Fault.end(1), Fault.garbage(), Fault.not_json(), Fault.status(500), Fault.empty()):
        vendors.fail("openai", fault, times=1)
        with pytest.raises(ProviderError):
            await ask()
        assert (await ask()).message.text == "You said: hi there"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("server_error", errors.ProviderUnavailable),
        ("rate_limit_exceeded", errors.RateLimited),
        ("insufficient_quota", errors.QuotaExceeded),
        ("invalid_prompt", errors.InvalidRequest),
        ("image_parse_error", errors.InvalidRequest),
        ("context_length_exceeded", errors.ContextTooLong),
        ("image_content_policy_violation", errors.ContentRefused),
        ("bio_policy", errors.ContentRefused),
        ("of_the_future", errors.ProviderUnavailable),
    ],
)
async def test_an_answer_that_failed_is_the_error_that_its_code_names(
    ask: Ask, vendors: VendorServer, code: str, kind: type[ProviderError]
) -> None:
    vendors.fail("openai", Fault.error_event(f"It failed for {KEY}.", error_type=code))
    with pytest.raises(ProviderError) as caught:
        await ask()
    assert type(caught.value) is kind
    assert caught.value.request_id == "req_1"
    assert KEY not in str(caught.value)


async def test_a_stream_that_says_that_it_failed_is_the_error_that_it_names() -> None:
    failed = {"status": "failed", "output": [], "error": {"code": "rate_limit_exceeded", "message": f"Slower, {KEY}."}}

    async def answer(exchange: Exchange) -> None:
        exchange.begin(200, {"content-type": "text/event-stream", "transfer-encoding": "chunked"})
        await exchange.chunk(b"data: %s\n\n" % json.dumps({"type": "response.failed", "response": failed}).encode())
        await exchange.end()

    with server(answer) as (url, _):
        provider = providers.connect("openai", {"api_key": KEY}, {"base_url": url, "api": "responses"})
        with pytest.raises(errors.RateLimited, match="Slower") as caught:
            await anext(aiter(provider.stream(HELLO, "m", timeout=LONG)))
        await provider.close()
    assert KEY not in str(caught.value)


def read(*events: dict[str, Any]) -> Completion:
    reader = _Reader("openai", "m")
    for event in events:
        reader.feed(event)
    return reader.completion(None)


def done(index: int, **item: Any) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


END = {"type": "response.completed", "response": {"status": "completed", "output": []}}
TEXT = {"type": "output_text", "text": "Yes."}


def test_events_of_the_future_are_passed_over() -> None:
    odd: list[dict[str, Any]] = [{"type": "response.sung", "delta": "la"}, {"type": "keepalive"}, {}]
    assert read(*odd, done(0, type="song", tune="la"), done(1, type="message", content=[TEXT]), END).message == Message(
        "assistant", "Yes."
    )


@pytest.mark.parametrize(
    "kind",
    ["response.reasoning_text.delta", "response.web_search_call.searching", "response.reasoning_summary_part.done"],
)
def test_an_event_of_thinking_or_searching_is_a_sign_of_life(kind: str) -> None:
    assert _Reader("openai", "m").feed({"type": kind}) == Delta()


def test_that_the_model_begins_to_think_is_a_sign_of_life_and_that_it_begins_to_speak_is_none() -> None:
    def added(kind: str) -> dict[str, Any]:
        return {"type": "response.output_item.added", "output_index": 0, "item": {"type": kind}}

    assert _Reader("openai", "m").feed(added("reasoning")) == Delta()
    assert _Reader("openai", "m").feed(added("message")) is None


def test_items_that_did_not_come_in_pieces_are_read_whole() -> None:
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": '{"x": 1}'}
    begun = {"type": "response.output_item.added", "output_index": 1, "item": {**call, "arguments": ""}}
    answer = read(done(0, type="message", content=[TEXT]), begun, done(1, **call), END)
    assert answer.message == Message("assistant", "Yes.", tool_calls=(ToolCall("a", "f", {"x": 1}),))


def test_a_refusal_in_words_is_refused_content_and_the_words_are_told() -> None:
    refusal = {"type": "refusal", "refusal": "I cannot help with that."}
    with pytest.raises(ContentRefused, match="I cannot help with that"):
        read(done(0, type="message", content=[refusal]), END)


@pytest.mark.parametrize("status", ["failed", "cancelled", "queued", "in_progress"])
def test_a_whole_body_that_is_not_completed_is_no_answer(status: str) -> None:
    reader = _Reader("openai", "m")
    reader.feed_whole({"status": status, "output": [{"type": "message", "content": [TEXT]}]})
    with pytest.raises(BadAnswer, match="end mark"):
        reader.completion(None)


def test_thoughts_that_are_not_sealed_are_not_kept() -> None:
    thought: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": None}
    call = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
    assert read(done(0, **thought), done(1, **call), END).message.opaque == {}
