"""Any server that speaks OpenAI's chat completions."""

from typing import Any

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit import providers
from toolkit.errors import AuthenticationFailed, ConfigError
from toolkit.messages import ChatRequest, Message, ToolCall
from toolkit.testing.vendors import VendorServer


def test_without_an_address_the_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="set base_url"):
        providers.connect("compatible", {}, {})


async def test_it_needs_no_key_has_no_prices_and_tells_a_form_in_words(vendors: VendorServer) -> None:
    provider = providers.connect("compatible", {"base_url": vendors.url("compatible") + "/v1"}, {})
    assert (await provider.complete(HELLO, "m", timeout=LONG)).message.text == "You said: hi there"
    await provider.close()
    vendor = providers.vendor("compatible")
    assert (vendor.prices, vendor.free, vendor.required) == (None, False, ())
    assert vendor.structured("m") == "instruction"


async def test_a_row_says_what_its_server_refuses(vendors: VendorServer) -> None:
    config = {"base_url": vendors.url("compatible") + "/v1", "lacks": ["seed", "stream_options"]}
    provider = providers.connect("compatible", {}, config)
    request = ChatRequest(HELLO.messages, seed=1, temperature=0.5)
    assert [delta async for delta in provider.stream(request, "m", timeout=LONG)][-1].completion
    await provider.close()
    body = vendors.requests[0].body
    assert not body.keys() & {"seed", "stream_options"}
    assert body["temperature"] == 0.5


@pytest.mark.parametrize("lacks", ["seed", [1], {"seed": True}])
def test_what_it_refuses_must_be_a_list_of_names(lacks: Any) -> None:
    with pytest.raises(ConfigError, match="'lacks'"):
        providers.connect("compatible", {}, {"base_url": "http://x", "lacks": lacks})


def test_a_key_that_was_copied_badly_is_refused() -> None:
    with pytest.raises(AuthenticationFailed, match="the variable that the row's auth names"):
        providers.connect("compatible", {"api_key": "a\nb"}, {"base_url": "http://x"})


async def test_thoughts_before_a_call_go_back_with_it_as_deepseek_wants(vendors: VendorServer) -> None:
    provider = providers.connect("compatible", {}, {"base_url": vendors.url("compatible") + "/v1"})
    thoughts = {"chat": {"message": {"reasoning_content": "I must look."}}}
    vendors.say(Message("assistant", tool_calls=(ToolCall("a", "f", {}),), opaque=thoughts))
    said = (await provider.complete(HELLO, "m", timeout=LONG)).message
    result = Message("tool", "x", tool_call_id="a")
    await provider.complete(ChatRequest((*HELLO.messages, said, result)), "m", timeout=LONG)
    await provider.close()
    assert vendors.requests[1].body["messages"][1]["reasoning_content"] == "I must look."
