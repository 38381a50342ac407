"""Groq: what only some of its models can do."""

import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import InvalidRequest
from toolkit.messages import ChatRequest, OutputSchema
from toolkit.testing.vendors import VendorServer

FORM = OutputSchema("city", {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]})


@pytest.mark.parametrize(
    ("model", "strict"),
    [
        ("openai/gpt-oss-20b", True),
        ("openai/gpt-oss-120b", True),
        ("openai/gpt-oss-safeguard-20b", None),
        ("meta-llama/llama-4-scout-17b-16e-instruct", None),
    ],
)
async def test_strict_mode_is_asked_of_the_models_that_have_it(
    vendors: VendorServer, model: str, strict: bool | None
) -> None:
    provider = providers.connect("groq", {"api_key": KEY}, {"base_url": vendors.url("groq") + "/openai/v1"})
    await provider.complete(ChatRequest(HELLO.messages, output=FORM), model, timeout=LONG)
    await provider.close()
    assert vendors.requests[0].body["response_format"]["json_schema"].get("strict") == strict


async def test_a_field_that_groq_refuses_is_sent_if_somebody_asks_for_it(vendors: VendorServer) -> None:
    provider = providers.connect("groq", {"api_key": KEY}, {"base_url": vendors.url("groq") + "/openai/v1"})
    with pytest.raises(InvalidRequest, match="'logprobs' is unsupported"):
        await provider.complete(ChatRequest(HELLO.messages, extra={"logprobs": True}), "m", timeout=LONG)
    await provider.close()


def test_a_schema_is_asked_for_by_a_tool_because_groqs_own_way_neither_streams_nor_takes_tools() -> None:
    assert providers.vendor("groq").structured("openai/gpt-oss-20b") == "tool"
