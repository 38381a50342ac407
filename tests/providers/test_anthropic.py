"""Anthropic's wire, through the real SDK."""

from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG, Ask
from toolkit.errors import (
    AuthenticationFailed,
    BadAnswer,
    ConfigError,
    ContentRefused,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    ProviderTimeout,
)
from toolkit.messages import (
    ChatRequest,
    Completion,
    FinishReason,
    Image,
    Message,
    OutputSchema,
    Role,
    ToolCall,
    ToolSpec,
    Usage,
)
from toolkit.providers.anthropic import VENDOR, connect
from toolkit.providers.base import Provider
from toolkit.providers.wire.messages_answer import Answer, blocks_of
from toolkit.testing.vendors import Fault, VendorServer

CITY = OutputSchema("city", {"type": "object", "properties": {"name": {"type": "string"}}})
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture
def vendor() -> str:
    return "anthropic"


async def test_an_answer_comes_with_its_usage_where_input_counts_what_was_cached_too(
    ask: Ask, vendors: VendorServer
) -> None:
    usage = Usage(100, 20, 30, cache_write_tokens=5, reasoning_tokens=7, cache_write_1h_tokens=2)
    vendors.say(Completion(Message("assistant", "Paris, of course."), usage=usage))
    assert await ask() == Completion(Message("assistant", "Paris, of course."), "stop", usage, "req_1")


async def test_a_stream_yields_each_word_as_it_comes_and_the_whole_at_last(
    anthropic: Provider, vendors: VendorServer
) -> None:
    vendors.say("One two\n\nthree.")
    deltas = [delta async for delta in anthropic.stream(HELLO, "m", timeout=LONG)]
    assert [delta.text for delta in deltas] == ["One", " two", "\n\nthree.", ""]
    assert [delta.completion is not None for delta in deltas] == [False, False, False, True]


async def test_tools_and_their_calls_and_results_go_there_and_back(ask: Ask, vendors: VendorServer) -> None:
    calls = (ToolCall("a", "weather", {"city": "Zürich"}), ToolCall("b", "weather", {}))
    vendors.say(Message("assistant", "Let me see.", tool_calls=calls))
    question = Message("user", "Where is it warmer?")
    first = await ask(ChatRequest((question,), tools=(WEATHER,)))
    assert first.message == Message("assistant", "Let me see.", tool_calls=calls)
    assert first.finish_reason == "tool_calls"

    results = (Message("tool", "20 °C", tool_call_id="a"), Message("tool", "", tool_call_id="b"))
    await ask(ChatRequest((question, first.message, *results, Message("user", "And?")), tools=(WEATHER,)))
    body = vendors.requests[1].body
    assert body["tools"] == [{"name": "weather", "description": "The weather.", "input_schema": WEATHER.parameters}]
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Zürich"}},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text", "text": "20 °C"}]},
                {"type": "tool_result", "tool_use_id": "b", "content": []},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


async def test_tools_used_earlier_are_declared_even_if_none_may_be_used_now(ask: Ask, vendors: VendorServer) -> None:
    used = Message("assistant", tool_calls=(ToolCall("a", "weather", {}),))
    await ask(ChatRequest((Message("user", "x"), used, Message("tool", "20 °C", tool_call_id="a"))))
    body = vendors.requests[0].body
    assert [tool["name"] for tool in body["tools"]] == ["weather"]
    assert body["tool_choice"] == {"type": "none"}


async def test_tool_calls_stream_in_fragments_that_tell_whose_they_are(
    anthropic: Provider, vendors: VendorServer
) -> None:
    calls = (ToolCall("a", "f", {"x": "long enough to be cut"}), ToolCall("b", "g", {}))
    vendors.say(Message("assistant", "Now:", tool_calls=calls))
    fragments = [f async for delta in anthropic.stream(HELLO, "m", timeout=LONG) for f in delta.tool_calls]
    assert [(f.index, f.id, f.name) for f in fragments if f.id] == [(0, "a", "f"), (1, "b", "g")]
    assert "".join(f.arguments for f in fragments if f.index == 0) == '{"x": "long enough to be cut"}'


async def test_system_messages_wherever_they_stand_become_the_system_prompt(ask: Ask, vendors: VendorServer) -> None:
    messages = (Message("system", "Be kind."), Message("user", "hi"), Message("system", "Be brief."))
    await ask(ChatRequest(messages))
    body = vendors.requests[0].body
    assert body["system"] == "Be kind.\n\nBe brief."
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]


async def test_what_one_side_says_in_sequence_is_one_turn_and_what_is_empty_is_left_out(
    ask: Ask, vendors: VendorServer
) -> None:
    said: list[tuple[Role, str]] = [
        ("user", "a"),
        ("user", "b"),
        ("assistant", " "),
        ("user", "c"),
        ("assistant", "d"),
        ("assistant", "e \n"),
    ]
    await ask(ChatRequest(tuple(Message(role, text) for role, text in said)))
    turns = vendors.requests[0].body["messages"]
    assert [(turn["role"], [block["text"] for block in turn["content"]]) for turn in turns] == [
        ("user", ["a", "b", "c"]),
        ("assistant", ["d", "e"]),
    ]


async def test_images_go_as_blocks_with_an_address_or_with_their_bytes(ask: Ask, vendors: VendorServer) -> None:
    pictures = (Image("https://example.com/cat.png"), Image("data:image/png;base64,iVBORw0KGgo="))
    await ask(ChatRequest((Message("user", "What is this?", images=pictures),)))
    assert vendors.requests[0].body["messages"][0]["content"][1:] == [
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]


async def test_an_image_that_cannot_be_read_is_an_invalid_request(ask: Ask) -> None:
    with pytest.raises(InvalidRequest, match="data:image/png;base64"):
        await ask(ChatRequest((Message("user", "x", images=(Image("data:nonsense"),)),)))


async def test_every_option_of_a_request_is_in_its_body_and_no_other(ask: Ask, vendors: VendorServer) -> None:
    turns = [{"role": "user", "content": [{"type": "text", "text": "hi there"}]}]
    plain = {"model": "claude-sonnet-4-6", "messages": turns, "max_tokens": 16_384}
    streamed = {"stream": True} if ask.streamed else {}
    await ask(model="claude-sonnet-4-6")
    assert vendors.requests[0].body == plain | streamed

    request = ChatRequest(HELLO.messages, (), (), 0.0, 9, ("END",), 7, {"top_k": 5})
    await ask(request, model="claude-sonnet-4-6")
    options = {"temperature": 0.0, "max_tokens": 9, "stop_sequences": ["END"], "top_k": 5}
    assert vendors.requests[1].body == plain | streamed | options


@pytest.mark.parametrize(
    "model",
    [
        "claude-3-5-haiku-latest",
        "claude-3-opus-20240229",
        "claude-sonnet-4-20250514",
        "claude-opus-4-1-20250805",
        "claude-opus-4-6",
        "claude-haiku-4-5-20251001",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    ],
)
async def test_a_model_that_takes_a_temperature_gets_it_on_a_scale_that_ends_at_one(
    anthropic: Provider, vendors: VendorServer, model: str
) -> None:
    for temperature in (0.3, 1.7):
        await anthropic.complete(ChatRequest(HELLO.messages, temperature=temperature), model, timeout=LONG)
    assert [request.body["temperature"] for request in vendors.requests] == [0.3, 1.0]


@pytest.mark.parametrize("model", ["claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-fable-5-2", "m"])
async def test_a_model_that_takes_no_temperature_or_is_unknown_gets_none(
    anthropic: Provider, vendors: VendorServer, model: str
) -> None:
    await anthropic.complete(ChatRequest(HELLO.messages, temperature=0.3), model, timeout=LONG)
    assert "temperature" not in vendors.requests[0].body


@pytest.mark.parametrize(("said", "reason"), [("stop", "stop"), ("length", "length")])
async def test_the_reason_why_a_model_stopped_is_told(
    ask: Ask, vendors: VendorServer, said: FinishReason, reason: FinishReason
) -> None:
    vendors.say(Completion(Message("assistant", "Well"), said))
    assert (await ask()).finish_reason == reason


async def test_a_refusal_is_refused_content(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Completion(Message("assistant", "I would"), "content_filter"))
    with pytest.raises(ContentRefused):
        await ask()


async def test_a_very_long_answer_is_streamed_whoever_asks(ask: Ask, vendors: VendorServer) -> None:
    completion = await ask(ChatRequest(HELLO.messages, max_tokens=100_000))
    assert completion.message.text == "You said: hi there"
    assert vendors.requests[0].body["max_tokens"] == 100_000
    assert vendors.requests[0].body["stream"] is True


async def test_a_very_long_answer_is_waited_for_no_longer_than_asked(
    anthropic: Provider, vendors: VendorServer
) -> None:
    vendors.say(" ".join(["word"] * 100))
    vendors.fail("anthropic", Fault.drip(0.02))
    with pytest.raises(ProviderTimeout, match=r"longer than 0\.3 s"):
        await anthropic.complete(ChatRequest(HELLO.messages, max_tokens=100_000), "m", timeout=0.3)


async def test_features_that_are_not_released_are_asked_for_by_name(vendors: VendorServer) -> None:
    config = {"base_url": vendors.anthropic_url, "betas": ["fast-mode-2026-02-01", "context-management-2025-06-27"]}
    provider = connect({"api_key": KEY}, config)
    for _ in range(2):
        await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()
    asked = [request.headers["anthropic-beta"] for request in vendors.requests]
    assert asked == ["fast-mode-2026-02-01,context-management-2025-06-27"] * 2
    with pytest.raises(ConfigError, match="must be a list of names"):
        connect({"api_key": KEY}, {"betas": "fast-mode"})


async def test_there_are_no_vectors(anthropic: Provider) -> None:
    with pytest.raises(ModelNotFound, match="no models for embeddings"):
        await anthropic.embed(["a"], "m", timeout=LONG)


def test_anthropic_itself_needs_a_key_and_the_error_names_its_variable() -> None:
    with pytest.raises(AuthenticationFailed, match="set ANTHROPIC_API_KEY"):
        connect({}, {})


@pytest.mark.parametrize(
    ("choice", "sent"),
    [(None, None), ("required", {"type": "any"}), ("weather", {"type": "tool", "name": "weather"})],
)
async def test_a_tool_may_have_to_be_called(
    ask: Ask, vendors: VendorServer, choice: str | None, sent: dict[str, str] | None
) -> None:
    await ask(ChatRequest(HELLO.messages, tools=(WEATHER,), tool_choice=choice))
    assert vendors.requests[0].body.get("tool_choice") == sent


async def test_a_form_is_asked_for_natively_beside_other_settings_of_the_output(
    ask: Ask, vendors: VendorServer
) -> None:
    request = ChatRequest(HELLO.messages, output=CITY, extra={"output_config": {"effort": "low"}})
    vendors.say('{"name": "Bern"}')
    assert (await ask(request, model="claude-opus-5")).message.text == '{"name": "Bern"}'
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False}
    assert vendors.requests[0].body["output_config"] == {
        "format": {"type": "json_schema", "schema": schema},
        "effort": "low",
    }


async def test_a_form_that_cannot_be_said_natively_is_refused_with_the_reason(ask: Ask) -> None:
    form = OutputSchema("counts", {"type": "object", "additionalProperties": {"type": "integer"}})
    with pytest.raises(InvalidRequest, match=r"JSON Schema 'counts' is not one that anthropic takes .*free keys"):
        await ask(ChatRequest(HELLO.messages, output=form))


def test_the_models_that_have_forms_are_known_by_name() -> None:
    models = ("claude-opus-4-1", "claude-sonnet-4-5", "claude-fable-5-2", "somebody-elses")
    assert [VENDOR.structured(model) for model in models] == ["tool", "native", "native", "tool"]


async def test_the_tier_of_service_is_told_and_a_fast_answer_is_one(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Completion(Message("assistant", "Yes."), tier="priority"))
    assert (await ask()).tier == "priority"
    assert (await ask()).tier is None
    fast = {"type": "message_start", "message": {"usage": {"service_tier": "standard", "speed": "fast"}}}
    assert read(fast, *text("Yes."), stop("end_turn")).tier == "fast"


async def test_an_answer_that_was_begun_is_gone_on_with_where_the_model_can(
    anthropic: Provider, vendors: VendorServer
) -> None:
    request = ChatRequest((*HELLO.messages, Message("assistant", "One, two,\n")))
    for model in ("claude-sonnet-4-5", "claude-sonnet-4-6", "claude-opus-5"):
        await anthropic.complete(request, model, timeout=LONG)
    begun = {"role": "assistant", "content": [{"type": "text", "text": "One, two,"}]}
    assert vendors.requests[0].body["messages"][-1] == begun
    for asked in vendors.requests[1:]:
        assert asked.body["messages"][-2] == begun
        assert asked.body["messages"][-1]["role"] == "user"
        assert "from exactly where it ends" in asked.body["messages"][-1]["content"][0]["text"]


async def test_settings_for_thinking_leave_room_for_it_and_no_temperature(
    anthropic: Provider, vendors: VendorServer
) -> None:
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 20_000}}
    request = ChatRequest(HELLO.messages, temperature=0.3, extra=thinking)
    await anthropic.complete(request, "claude-sonnet-4-5", timeout=LONG)
    body = vendors.requests[0].body
    assert body["max_tokens"] == 20_000 + 16_384
    assert "temperature" not in body


def test_an_interrupted_turn_of_the_vendors_own_tools_can_be_gone_on_with() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    delta = {"type": "input_json_delta", "partial_json": '{"query": "Bern"}'}
    answer = read(
        *text("I look it up."),
        {"type": "content_block_start", "index": 1, "content_block": search},
        {"type": "content_block_delta", "index": 1, "delta": delta},
        stop("pause_turn"),
    )
    assert (answer.message.text, answer.finish_reason) == ("I look it up.", "length")
    assert blocks_of(answer.message, "m") == [
        {"type": "text", "text": "I look it up."},
        search | {"input": {"query": "Bern"}},
    ]


def test_a_turn_that_was_interrupted_before_a_word_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="paused before it said anything"):
        read(stop("pause_turn"))


def test_a_block_of_which_a_part_is_unknown_is_not_kept() -> None:
    news = {"type": "content_block_delta", "index": 1, "delta": {"type": "news_delta"}}
    answer = read(
        *text("So."),
        {"type": "content_block_start", "index": 1, "content_block": {"type": "news"}},
        news,
        {"type": "content_block_start", "index": 2, "content_block": {"type": "thinking", "thinking": "unsigned"}},
        stop("pause_turn"),
    )
    assert blocks_of(answer.message, "m") == [{"type": "text", "text": "So."}]


def read(*events: dict[str, Any]) -> Completion:
    reader = Answer("anthropic", "m")
    for event in events:
        reader.feed(event)
    return reader.completion(None)


def text(said: str) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": said}},
        {"type": "content_block_stop", "index": 0},
    ]


def stop(reason: str, **details: Any) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, **details}, "usage": {"output_tokens": 2}}


def test_a_full_window_is_a_context_that_is_too_long() -> None:
    with pytest.raises(ContextTooLong, match="window"):
        read(*text("So"), stop("model_context_window_exceeded"))


def test_the_explanation_of_a_refusal_is_told() -> None:
    with pytest.raises(ContentRefused, match="This may cause harm"):
        read(*text("So"), stop("refusal", stop_details={"explanation": "This may cause harm."}))


def test_thoughts_and_events_that_nobody_knows_yet_are_passed_over() -> None:
    thought = {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}}
    news = {"type": "something_new", "x": 1}
    assert read(thought, news, *text("Yes."), stop("end_turn")).message.text == "Yes."


def test_the_counts_of_a_streams_start_and_end_are_put_together() -> None:
    start = {"input_tokens": 10, "cache_read_input_tokens": 4, "cache_creation_input_tokens": None, "output_tokens": 1}
    answer = read({"type": "message_start", "message": {"usage": start}}, *text("Yes."), stop("end_turn"))
    assert answer.usage == Usage(14, 2, 4)


def test_a_stream_that_ends_before_the_model_has_said_why_it_stopped_is_a_bad_answer() -> None:
    with pytest.raises(BadAnswer, match="end mark"):
        read(*text("Yes."))


def test_the_key_is_kept_out_of_what_a_connection_shows_of_itself() -> None:
    assert KEY not in repr(connect({"api_key": KEY}, {}))
