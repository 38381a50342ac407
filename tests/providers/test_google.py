"""Gemini: signed tool calls, two names of the key, and what its models can do."""

from typing import Any

import pytest

from tests.providers.conftest import KEY, LONG
from toolkit import providers
from toolkit.messages import ChatRequest, Message, ToolCall, ToolSpec
from toolkit.providers.google import connect
from toolkit.testing.vendors import VendorServer

WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {}})
CALLS = (ToolCall("a", "weather", {}), ToolCall("b", "weather", {}))


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_signature_goes_back_with_the_call_that_it_came_with(vendors: VendorServer, streamed: bool) -> None:
    provider = providers.connect("google", {"api_key": KEY}, {"base_url": vendors.url("google") + "/v1beta/openai"})
    vendors.say(Message("assistant", tool_calls=CALLS))
    question = ChatRequest((Message("user", "?"),), tools=(WEATHER,))
    if streamed:
        last = [delta async for delta in provider.stream(question, "m", timeout=LONG)][-1]
        assert last.completion
        said = last.completion.message
    else:
        said = (await provider.complete(question, "m", timeout=LONG)).message
    results = tuple(Message("tool", "20 °C", tool_call_id=call.id) for call in CALLS)
    await provider.complete(ChatRequest((*question.messages, said, *results), tools=(WEATHER,)), "m", timeout=LONG)
    await provider.close()
    sent = vendors.requests[1].body["messages"][1]["tool_calls"]
    assert sent[0]["extra_content"] == {"google": {"thought_signature": "signed-req_1"}}
    assert "extra_content" not in sent[1]


@pytest.mark.parametrize("name", ["api_key", "gemini_api_key"])
async def test_the_key_may_come_under_either_of_its_names(name: str) -> None:
    provider = connect({name: KEY}, {})
    client: Any = provider._connection._client
    assert (client.api_key, client.base_url.host) == (KEY, "generativelanguage.googleapis.com")
    await provider.close()
    assert providers.vendor("google").variables[name] in {"GOOGLE_API_KEY", "GEMINI_API_KEY"}


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("gemini-2.5-flash", "tool"),
        ("models/gemini-1.5-pro", "tool"),
        ("gemini-3.8-flash", "native"),
        ("gemini-flash-latest", "native"),
        ("gemma-3-27b-it", "instruction"),
        ("gemma-3n-e4b-it", "instruction"),
        ("gemma-4-31b-it", "native"),
    ],
)
def test_each_model_answers_in_a_schema_in_the_way_that_it_can(model: str, how: str) -> None:
    assert providers.vendor("google").structured(model) == how
