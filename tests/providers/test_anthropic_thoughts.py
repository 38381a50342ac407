"""What Anthropic's models think before they call a tool, which they want back."""

from dataclasses import replace
from typing import Any

import pytest

from tests.providers.conftest import LONG, Ask
from toolkit.errors import InvalidRequest
from toolkit.messages import ChatRequest, Delta, Message, ToolCall, ToolSpec
from toolkit.providers.base import Provider
from toolkit.testing.vendors import VendorServer

THINKER = "claude-sonnet-4-5"
WEATHER = ToolSpec("weather", "The weather.", {"type": "object", "properties": {"city": {"type": "string"}}})


@pytest.fixture
def vendor() -> str:
    return "anthropic"


def thoughts(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": {"model": THINKER, "blocks": list(blocks)}}


SIGNED = {"type": "thinking", "thinking": "Let me think it through.", "signature": f"signed by {THINKER}"}
HIDDEN = {"type": "redacted_thinking", "data": "c2VjcmV0"}
CALL = ToolCall("a", "weather", {"city": "Zürich"})
QUESTION = Message("user", "Where is it warmer?")
RESULT = Message("tool", "20 °C", tool_call_id="a")
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
TOLD = Message(
    "assistant",
    "Let me see.",
    tool_calls=(CALL,),
    opaque=thoughts(SIGNED, {"type": "text", "length": 11}, HIDDEN, {"type": "tool_use"}),
)


def content(vendors: VendorServer, number: int = 1) -> list[dict[str, Any]]:
    """What the assistant said, as the server was told it in the last request."""
    blocks: list[dict[str, Any]] = vendors.requests[-1].body["messages"][number]["content"]
    return blocks


async def test_thoughts_before_a_tool_call_come_back_word_for_word_in_their_places(
    ask: Ask, vendors: VendorServer
) -> None:
    vendors.say(TOLD)
    first = await ask(ChatRequest((QUESTION,), tools=(WEATHER,), extra=THINKING), model=THINKER)
    assert first.message == TOLD
    kept = Message.from_json(first.message.to_json())
    vendors.say("Zürich.")
    again = ChatRequest((QUESTION, kept, RESULT), tools=(WEATHER,), extra=THINKING)
    assert (await ask(again, model=THINKER)).message == Message("assistant", "Zürich.")
    assert content(vendors) == [
        SIGNED,
        {"type": "text", "text": "Let me see."},
        HIDDEN,
        {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Zürich"}},
    ]


async def test_a_loop_without_its_thoughts_would_be_refused(anthropic: Provider) -> None:
    bare = Message("assistant", "Let me see.", tool_calls=(CALL,))
    request = ChatRequest((QUESTION, bare, RESULT), tools=(WEATHER,), extra=THINKING)
    with pytest.raises(InvalidRequest, match="Expected `thinking`"):
        await anthropic.complete(request, THINKER, timeout=LONG)


async def test_thoughts_go_to_nobody_but_the_model_that_had_them(anthropic: Provider, vendors: VendorServer) -> None:
    request = ChatRequest((QUESTION, TOLD, RESULT), tools=(WEATHER,))
    await anthropic.complete(request, "claude-opus-5", timeout=LONG)
    assert [block["type"] for block in content(vendors)] == ["text", "tool_use"]


async def test_thoughts_of_earlier_turns_are_left_out(anthropic: Provider, vendors: VendorServer) -> None:
    second = Message("assistant", "", tool_calls=(CALL,), opaque=thoughts(SIGNED, {"type": "tool_use"}))
    messages = (QUESTION, TOLD, RESULT, Message("assistant", "Zürich."), QUESTION, second, RESULT, second, RESULT)
    await anthropic.complete(ChatRequest(messages, tools=(WEATHER,)), THINKER, timeout=LONG)
    said = [content(vendors, number) for number in (1, 3, 5, 7)]
    assert [[block["type"] for block in blocks] for blocks in said] == [
        ["text", "tool_use"],
        ["text"],
        ["thinking", "tool_use"],
        ["thinking", "tool_use"],
    ]


async def test_thoughts_stand_before_a_message_that_is_no_longer_what_it_was(
    anthropic: Provider, vendors: VendorServer
) -> None:
    changed = replace(TOLD, text="Let me see, please.")
    await anthropic.complete(ChatRequest((QUESTION, changed, RESULT), tools=(WEATHER,)), THINKER, timeout=LONG)
    assert content(vendors)[:3] == [SIGNED, HIDDEN, {"type": "text", "text": "Let me see, please."}]


async def test_thoughts_of_an_answer_that_calls_no_tool_are_not_kept(ask: Ask, vendors: VendorServer) -> None:
    vendors.say(Message("assistant", "Zürich.", opaque=thoughts(SIGNED, {"type": "text", "length": 7})))
    assert (await ask(model=THINKER)).message == Message("assistant", "Zürich.")


async def test_thoughts_are_signs_of_life_in_a_stream(anthropic: Provider, vendors: VendorServer) -> None:
    vendors.say(TOLD)
    deltas = [d async for d in anthropic.stream(ChatRequest((QUESTION,), tools=(WEATHER,)), THINKER, timeout=LONG)]
    first = next(number for number, delta in enumerate(deltas) if delta.text)
    assert deltas[:first] == [Delta()] * first
    assert first >= len(SIGNED["thinking"].split())
