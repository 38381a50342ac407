"""Fireworks: full names of models, and thoughts that it wants back."""

from collections.abc import AsyncIterator

import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.messages import ChatRequest, Message, ToolCall
from toolkit.providers.base import Provider
from toolkit.testing.vendors import VendorServer


@pytest.fixture
async def fireworks(vendors: VendorServer) -> AsyncIterator[Provider]:
    url = vendors.url("fireworks") + "/inference/v1"
    provider = providers.connect("fireworks", {"api_key": KEY}, {"base_url": url})
    yield provider
    await provider.close()


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("kimi-k3", "accounts/fireworks/models/kimi-k3"),
        ("accounts/fireworks/models/kimi-k3", "accounts/fireworks/models/kimi-k3"),
        ("accounts/me/deployments/mine", "accounts/me/deployments/mine"),
    ],
)
async def test_a_model_may_be_given_by_its_short_name(
    fireworks: Provider, vendors: VendorServer, name: str, sent: str
) -> None:
    await fireworks.complete(HELLO, name, timeout=LONG)
    await fireworks.embed(["a"], name, timeout=LONG)
    assert [request.body["model"] for request in vendors.requests] == [sent, sent]


async def test_the_thoughts_before_a_call_go_back_with_it(fireworks: Provider, vendors: VendorServer) -> None:
    thoughts = {"chat": {"message": {"reasoning_content": "I must look."}}}
    vendors.say(Message("assistant", tool_calls=(ToolCall("a", "f", {}),), opaque=thoughts))
    deltas = [delta async for delta in fireworks.stream(HELLO, "m", timeout=LONG)]
    assert deltas[-1].completion
    said = deltas[-1].completion.message
    await fireworks.complete(
        ChatRequest((*HELLO.messages, said, Message("tool", "x", tool_call_id="a"))), "m", timeout=LONG
    )
    assert vendors.requests[1].body["messages"][1]["reasoning_content"] == "I must look."
