"""Which of OpenAI's wires a model is asked on."""

from typing import get_args

import pytest
from openai.types.shared import ChatModel, ResponsesModel

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import ConfigError
from toolkit.messages import Usage
from toolkit.models.prices import cost_nano_usd
from toolkit.providers.openai import connect
from toolkit.testing.vendors import VendorServer

BOTH = frozenset(get_args(ChatModel))
ONLY = frozenset(name for part in get_args(ResponsesModel) for name in get_args(part)) - BOTH
BESIDES = frozenset({"gpt-5.2-pro", "gpt-5.2-pro-2025-12-11", "gpt-5.1-codex", "codex-mini-latest"})
"""Models that the SDK lists for chat completions as well; they are asked as the others of their kind are."""


async def path(vendors: VendorServer, model: str, **config: str) -> str:
    provider = providers.connect("openai", {"api_key": KEY, "base_url": vendors.openai_url}, config)
    await provider.complete(HELLO, model, timeout=LONG)
    await provider.close()
    return vendors.requests[-1].path


@pytest.mark.parametrize(
    ("model", "how"),
    [
        ("gpt-6-luna", "native"),
        ("gpt-4o", "native"),
        ("gpt-4.1-mini", "native"),
        ("gpt-4o-2024-05-13", "tool"),
        ("gpt-4-turbo", "tool"),
        ("gpt-3.5-turbo", "tool"),
        ("gpt-35-turbo", "tool"),
        ("o1-mini", "instruction"),
        ("o1", "native"),
    ],
)
def test_a_model_that_knows_no_form_for_it_is_asked_for_a_schema_in_another_way(model: str, how: str) -> None:
    assert {providers.vendor(name).structured(model) for name in ("openai", "azure")} == {how}


async def test_a_model_that_only_answers_by_responses_is_asked_so_and_another_by_chat(vendors: VendorServer) -> None:
    assert await path(vendors, "o3-pro") == "/v1/responses"
    assert await path(vendors, "gpt-4o") == "/v1/chat/completions"


async def test_the_row_may_say_by_which_wire_its_model_is_asked(vendors: VendorServer) -> None:
    assert await path(vendors, "gpt-4o", api="responses") == "/v1/responses"
    assert await path(vendors, "o3-pro", api="chat") == "/v1/chat/completions"


async def test_both_wires_stream(vendors: VendorServer) -> None:
    provider = providers.connect("openai", {"api_key": KEY, "base_url": vendors.openai_url}, {})
    for model in ("o3-pro", "gpt-4o"):
        texts = [delta.text async for delta in provider.stream(HELLO, model, timeout=LONG)]
        assert "".join(texts) == "You said: hi there"
    assert [request.path for request in vendors.requests] == ["/v1/responses", "/v1/chat/completions"]
    await provider.close()


async def test_vectors_are_asked_for_as_ever(vendors: VendorServer) -> None:
    provider = providers.connect("openai", {"api_key": KEY, "base_url": vendors.openai_url}, {"api": "responses"})
    assert len((await provider.embed(["a"], "text-embedding-3-small", timeout=LONG)).vectors) == 1
    await provider.close()


@pytest.mark.parametrize("asked", ["completions", "", 7, ["chat"]])
def test_a_wire_that_is_not_there_is_refused_with_those_that_are(asked: object) -> None:
    with pytest.raises(ConfigError, match="there are 'chat', 'responses'"):
        connect({"api_key": KEY}, {"api": asked})


def test_the_names_that_the_sdk_lists_for_responses_only_are_known_and_all_others_are_chats() -> None:
    provider = connect({"api_key": KEY}, {})
    chat, responses = provider.wire("gpt-4o"), provider.wire("o3-pro")
    assert chat is not responses
    assert {name for name in ONLY if provider.wire(name) is chat} == set()
    assert {name for name in BOTH if provider.wire(name) is responses} == BESIDES


@pytest.mark.parametrize("model", ["openai/o3-pro", "gemini-2.5-pro", "my-codex", "gpt-4o-prototype", "ft:gpt-4o-pro"])
def test_a_gateways_model_and_a_name_that_only_looks_alike_are_chats(model: str) -> None:
    provider = connect({"api_key": KEY}, {})
    assert provider.wire(model) is provider.wire("gpt-4o")


@pytest.mark.parametrize("model", sorted((ONLY | BESIDES) - {"gpt-daybreak-blue-latest", "gpt-daybreak-red-latest"}))
def test_the_price_of_a_model_that_only_answers_by_responses_is_known(model: str) -> None:
    cost = cost_nano_usd("openai", model, Usage(input_tokens=1000, output_tokens=1000), {})
    assert cost is not None
    assert cost > 0
