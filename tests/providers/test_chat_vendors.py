"""What holds for every vendor that speaks OpenAI's chat completions, through the real SDK."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG, Ask
from toolkit import providers
from toolkit.errors import (
    AuthenticationFailed,
    BadAnswer,
    ConfigError,
    ContentRefused,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
)
from toolkit.messages import (
    ChatRequest,
    Completion,
    Embeddings,
    FinishReason,
    Image,
    Message,
    OutputSchema,
    ToolCall,
    ToolSpec,
    Usage,
)
from toolkit.providers.base import Provider
from toolkit.testing.vendors import Fault, VendorServer

HOMES = {
    "openai": ("openai", "/v1", {}),
    "azure": ("azure", "", {}),
    "azure with versions": ("azure", "", {"api_version": "2024-10-21"}),
    "google": ("google", "/v1beta/openai", {}),
    "groq": ("groq", "/openai/v1", {}),
    "fireworks": ("fireworks", "/inference/v1", {}),
    "ollama": ("ollama", "", {}),
    "compatible": ("compatible", "/v1", {}),
}
VARIABLES = {
    "azure": "AZURE_OPENAI_API_KEY",
    "google": "GOOGLE_API_KEY or GEMINI_API_KEY",
    "groq": "GROQ_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
}
STRICT = {"groq": "openai/gpt-oss-20b"}
PNG = Image("data:image/png;base64,iVBORw0KGgo=")
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})
CALLS = (ToolCall("a", "weather", {"city": "Zürich"}), ToolCall("b", "weather", {"city": "Paris", "days": [1, 2]}))
CITY = OutputSchema(
    "city",
    {
        "type": "object",
        "properties": {"name": {"type": "string"}, "river": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
        "required": ["name"],
    },
)


@pytest.fixture(params=HOMES)
def home(request: pytest.FixtureRequest) -> str:
    """A vendor, at one of its addresses."""
    return str(request.param)


@pytest.fixture
def vendor(home: str) -> str:
    return HOMES[home][0]


@pytest.fixture
async def provider(home: str, vendors: VendorServer) -> AsyncIterator[Provider]:
    name, path, config = HOMES[home]
    provider = providers.connect(name, {"api_key": KEY}, {"base_url": vendors.url(name) + path, **config})
    yield provider
    await provider.close()


async def stream(provider: Provider, request: ChatRequest = HELLO) -> list[Any]:
    return [delta async for delta in provider.stream(request, "m", timeout=LONG)]


async def test_an_answer_comes_with_its_usage_its_request_and_the_tier_that_it_was_served_in(
    ask: Ask, vendors: VendorServer
) -> None:
    vendors.say(Completion(Message("assistant", "Paris, of course."), usage=Usage(100, 20), tier="flex"))
    answer = await ask()
    assert (answer.message, answer.usage) == (Message("assistant", "Paris, of course."), Usage(100, 20))
    assert (answer.finish_reason, answer.request_id, answer.tier) == ("stop", "req_1", "flex")


async def test_every_word_of_a_stream_comes_as_it_is_said(provider: Provider, vendors: VendorServer) -> None:
    vendors.say("One two\n\nthree.")
    deltas = await stream(provider)
    assert [delta.text for delta in deltas] == ["One", " two", "\n\nthree.", ""]
    assert [delta.completion is not None for delta in deltas] == [False, False, False, True]


async def test_parallel_calls_go_there_and_back_in_words_that_the_vendor_takes(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", "Let me see.", tool_calls=CALLS))
    question = Message("user", "Where is it warmer?")
    first = await ask(ChatRequest((question,), tools=(WEATHER,)))
    assert (first.message.text, first.message.tool_calls) == ("Let me see.", CALLS)
    assert first.finish_reason == "tool_calls"

    results = (Message("tool", "20 °C", tool_call_id="a"), Message("tool", "25 °C", tool_call_id="b"))
    kept = Message.from_json(first.message.to_json())  # as a session keeps it
    await ask(ChatRequest((question, kept, *results), tools=(WEATHER,)))
    sent = vendors.requests[1].body["messages"]
    assert [call["function"]["arguments"] for call in sent[1]["tool_calls"]] == [
        '{"city": "Zürich"}',
        '{"city": "Paris", "days": [1, 2]}',
    ]
    assert [(message["role"], message["tool_call_id"]) for message in sent[2:]] == [("tool", "a"), ("tool", "b")]


async def test_a_conversation_with_the_calls_of_another_vendor_is_taken_as_well(
    ask: Ask, vendors: VendorServer
) -> None:
    elsewhere = {"chat": {"provider": "elsewhere", "message": {"reasoning_content": "hm"}, "calls": [{"x": 1}]}}
    said = Message("assistant", tool_calls=CALLS[:1], opaque=elsewhere)
    await ask(ChatRequest((Message("user", "?"), said, Message("tool", "20 °C", tool_call_id="a")), tools=(WEATHER,)))
    sent = vendors.requests[0].body["messages"][1]
    assert sent.keys() == {"role", "content", "tool_calls"}
    assert "x" not in sent["tool_calls"][0]


async def test_the_pieces_of_streamed_calls_tell_whose_they_are(provider: Provider, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", tool_calls=CALLS))
    fragments = [fragment for delta in await stream(provider) for fragment in delta.tool_calls]
    assert [(f.index, f.id, f.name) for f in fragments if f.id] == [(0, "a", "weather"), (1, "b", "weather")]
    arguments = ["".join(f.arguments for f in fragments if f.index == index) for index in (0, 1)]
    assert arguments == ['{"city": "Z\\u00fcrich"}', '{"city": "Paris", "days": [1, 2]}']


@pytest.mark.parametrize(
    ("choice", "sent"),
    [("required", "required"), ("weather", {"type": "function", "function": {"name": "weather"}})],
)
async def test_a_model_is_made_to_call_a_tool(ask: Ask, vendors: VendorServer, choice: str, sent: Any) -> None:
    await ask(ChatRequest(HELLO.messages, tools=(WEATHER,), tool_choice=choice))
    assert vendors.requests[0].body["tool_choice"] == sent


async def test_a_picture_goes_beside_the_text_in_the_detail_that_was_asked_for(ask: Ask, vendors: VendorServer) -> None:
    asked = Message("user", "What is this?", images=(PNG,))
    await ask(ChatRequest((asked,), extra={"detail": "low"}))
    body = vendors.requests[0].body
    assert body["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PNG.url, "detail": "low"}},
    ]
    assert "detail" not in body


async def test_a_picture_at_an_address_is_taken_by_all_but_ollama(ask: Ask, home: str) -> None:
    request = ChatRequest((Message("user", images=(Image("https://example.com/cat.png"),)),))
    if home != "ollama":
        assert (await ask(request)).finish_reason == "stop"
        return
    with pytest.raises(InvalidRequest, match="invalid image input"):
        await ask(request)


async def test_the_form_of_an_answer_is_asked_for_in_the_vendors_own_way(
    provider: Provider, vendors: VendorServer, home: str
) -> None:
    vendors.say('{"name": "Paris", "river": null}')
    request = ChatRequest(HELLO.messages, output=CITY)
    answer = await provider.complete(request, STRICT.get(home, "m"), timeout=LONG)
    assert answer.message.text == '{"name": "Paris", "river": null}'
    form = vendors.requests[0].body["response_format"]
    assert (form["type"], form["json_schema"]["name"]) == ("json_schema", "city")
    if home.startswith("azure") or home == "groq":
        assert form["json_schema"]["strict"] is True
        assert form["json_schema"]["schema"]["required"] == ["name", "river"]
    else:
        assert form["json_schema"] == {"name": "city", "schema": CITY.schema}


async def test_a_form_that_strict_mode_cannot_say_is_asked_for_without_it(
    provider: Provider, vendors: VendorServer, home: str
) -> None:
    scores = {"type": "object", "additionalProperties": {"type": "integer"}}
    request = ChatRequest(HELLO.messages, output=OutputSchema("scores", scores))
    await provider.complete(request, STRICT.get(home, "m"), timeout=LONG)
    form = vendors.requests[0].body["response_format"]["json_schema"]
    assert (form["schema"], form.get("strict", False)) == (scores, False)


async def test_a_form_can_be_streamed_except_at_groq(provider: Provider, vendors: VendorServer, home: str) -> None:
    vendors.say('{"name": "Paris"}')
    request = ChatRequest(HELLO.messages, output=CITY)
    if home == "groq":
        with pytest.raises(InvalidRequest, match="does not support streaming"):
            await stream(provider, request)
    else:
        assert "".join(delta.text for delta in await stream(provider, request)) == '{"name": "Paris"}'


async def test_tokens_are_counted_by_kind(ask: Ask, vendors: VendorServer, home: str) -> None:
    usage = Usage(
        input_tokens=100,
        output_tokens=20,
        cached_tokens=30,
        cache_write_tokens=5,
        reasoning_tokens=7,
        input_image_tokens=11,
        input_audio_tokens=13,
        output_audio_tokens=3,
    )
    vendors.say(Completion(Message("assistant", "Yes."), usage=usage))
    # Google tells the thoughts by the total only.
    counted = Usage(input_tokens=100, output_tokens=20, reasoning_tokens=7) if home == "google" else usage
    assert (await ask()).usage == counted


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thoughts_are_a_sign_of_life_and_no_text(provider: Provider, vendors: VendorServer, field: str) -> None:
    thoughts = {"chat": {"message": {field: "Hm, let me"}}}
    vendors.say(Message("assistant", "Yes.", opaque=thoughts))
    assert [delta.text for delta in await stream(provider)] == ["", "", "", "Yes.", ""]
    vendors.say(Message("assistant", "Yes.", opaque=thoughts))
    assert (await provider.complete(HELLO, "m", timeout=LONG)).message == Message("assistant", "Yes.")


@pytest.mark.parametrize(("said", "reason"), [("stop", "stop"), ("length", "length"), ("max_tokens", "length")])
async def test_the_reason_why_a_model_stopped_is_told(
    ask: Ask, vendors: VendorServer, said: Any, reason: FinishReason
) -> None:
    vendors.say(Completion(Message("assistant", "Well"), said))
    assert (await ask()).finish_reason == reason


@pytest.mark.parametrize("said", ["content_filter", "SAFETY", "content_filter: PROHIBITED_CONTENT"])
async def test_an_answer_that_a_filter_stopped_is_refused_content(ask: Ask, vendors: VendorServer, said: Any) -> None:
    vendors.say(Completion(Message("assistant", "I would"), said))
    with pytest.raises(ContentRefused):
        await ask()


@pytest.mark.parametrize("said", ["error", "function_call_filter: MALFORMED_FUNCTION_CALL"])
async def test_an_answer_that_the_vendor_gave_up_is_none(ask: Ask, vendors: VendorServer, said: Any) -> None:
    vendors.say(Completion(Message("assistant", "I wou"), said))
    with pytest.raises(BadAnswer, match=f"gave it up: {said}"):
        await ask()


async def test_no_field_is_sent_that_the_vendor_refuses_and_every_other_is(
    ask: Ask, vendors: VendorServer, home: str
) -> None:
    await ask(ChatRequest(HELLO.messages, (), (), 0.5, 9, ("END",), 7, {"top_p": 0.5}))
    body = vendors.requests[0].body
    azure_or_groq = home.startswith("azure") or home == "groq"
    limit = "max_completion_tokens" if azure_or_groq else "max_tokens"
    assert (body[limit], body["temperature"], body["stop"], body["top_p"]) == (9, 0.5, ["END"], 0.5)
    assert ("seed" in body) == (home != "google")


async def test_vectors_come_in_the_order_of_their_texts_however_many(
    provider: Provider, vendors: VendorServer, home: str
) -> None:
    texts = [f"text number {number}" for number in range(205)]
    if home == "groq":
        with pytest.raises(ModelNotFound):
            await provider.embed(texts, "m", timeout=LONG)
        return
    found = await provider.embed(texts, "m", timeout=LONG)
    sizes = [len(request.body["input"]) for request in vendors.requests]
    assert sizes == ([100, 100, 5] if home == "google" else [205])
    assert found.usage == Usage(input_tokens=3 * 205)
    again = await provider.embed([texts[204]], "m", timeout=LONG)
    assert (len(found.vectors), found.vectors[204]) == (205, again.vectors[0])
    assert await provider.embed([], "m", timeout=LONG) == Embeddings([])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, InvalidRequest),
        (401, AuthenticationFailed),
        (404, ModelNotFound),
        (429, RateLimited),
        (500, ProviderUnavailable),
    ],
)
async def test_a_vendors_errors_are_the_toolkits(
    ask: Ask, vendors: VendorServer, vendor: str, status: int, error: type[ProviderError]
) -> None:
    vendors.fail(vendor, Fault.status(status, "Nobody knows why."))
    with pytest.raises(error, match=f"{vendor} .*Nobody knows why") as caught:
        await ask()
    assert (caught.value.status, caught.value.request_id, caught.value.provider) == (status, "req_1", vendor)


async def test_an_answer_that_breaks_off_is_none(ask: Ask, vendors: VendorServer, vendor: str) -> None:
    for fault in (Fault.end(after=1), Fault.garbage(after=1), Fault.empty()):
        vendors.fail(vendor, fault, times=1)
        with pytest.raises(BadAnswer):
            await ask()


async def test_a_server_that_is_not_there_is_unavailable(home: str) -> None:
    name, _, config = HOMES[home]
    provider = providers.connect(name, {"api_key": KEY}, {"base_url": "http://127.0.0.1:9", **config})
    with pytest.raises(ProviderUnavailable, match=r"http://127\.0\.0\.1:9 "):
        await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()


@pytest.mark.parametrize("url", ["localhost:9000/v1", 9000, "ftp://x"])
def test_an_address_that_is_none_is_refused_before_it_is_used(vendor: str, url: Any) -> None:
    with pytest.raises(ConfigError, match=r"base_url.*must begin with http"):
        providers.connect(vendor, {"api_key": KEY}, {"base_url": url})


@pytest.mark.parametrize("home", VARIABLES)
def test_without_its_key_a_vendor_names_the_variable(vendor: str) -> None:
    auth = {"endpoint": "https://x.openai.azure.com"} if vendor == "azure" else {}
    with pytest.raises(AuthenticationFailed, match=f"set {VARIABLES[vendor]}"):
        providers.connect(vendor, auth, {})


@pytest.mark.parametrize("home", [home for home in HOMES if home != "openai"])
async def test_what_is_openais_alone_goes_to_nobody_else(
    home: str, vendors: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, path, config = HOMES[home]
    monkeypatch.setenv("OPENAI_ORG_ID", "org")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "x-gateway: secret")
    provider = providers.connect(name, {"api_key": KEY}, {"base_url": vendors.url(name) + path, **config})
    await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()
    assert not vendors.requests[0].headers.keys() & {"x-gateway", "openai-organization", "openai-project"}
