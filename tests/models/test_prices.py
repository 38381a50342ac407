"""A price is known or it is null; a row's own price wins."""

from typing import Any

import pytest

from toolkit.messages import Usage
from toolkit.models.prices import cost_nano_usd
from toolkit.models.seeds import seeds

MILLION = Usage(1_000_000, 1_000_000)


def test_a_listed_model_costs_what_the_list_says() -> None:
    # gpt-4o-mini: 0.15 and 0.60 dollars per million tokens, 0.075 for cached ones.
    assert cost_nano_usd("openai", "gpt-4o-mini", MILLION, {}) == 750_000_000
    assert cost_nano_usd("openai", "gpt-4o-mini", Usage(1_000_000, 0, cached_tokens=1_000_000), {}) == 75_000_000


def test_tokens_written_to_the_cache_have_their_own_price() -> None:
    # claude-haiku-4-5: 1 dollar per million in, 1.25 for those written to the cache.
    assert cost_nano_usd("anthropic", "claude-haiku-4-5", Usage(1_000_000, 0, 0, 1_000_000), {}) == 1_250_000_000


def test_the_default_models_of_the_seeds_have_a_price() -> None:
    environ = {"OPENAI_API_KEY": "x", "ANTHROPIC_API_KEY": "x"}

    costs = [cost_nano_usd(model.provider, model.model, MILLION, {}) for _, model in seeds(environ)]

    assert len(costs) == 3
    assert None not in costs


@pytest.mark.parametrize(
    ("provider", "model", "usage"),
    [
        ("openai", "a-model-nobody-knows", MILLION),
        ("a-vendor-nobody-knows", "gpt-4o-mini", MILLION),
        ("openai", "gpt-4o-mini", None),
        ("openai", "gpt-4o-mini", Usage(10, 0, cached_tokens=20)),
    ],
)
def test_an_unknown_price_or_count_is_null_and_never_zero(provider: str, model: str, usage: Usage | None) -> None:
    assert cost_nano_usd(provider, model, usage, {}) is None


def test_a_rows_own_price_wins_over_the_list() -> None:
    config = {"input_usd_per_million": 0.1, "output_usd_per_million": 2}

    assert cost_nano_usd("openai", "gpt-4o-mini", Usage(3, 1), config) == 2_300
    assert cost_nano_usd("openai", "a-model-nobody-knows", Usage(3, 1), config) == 2_300


@pytest.mark.parametrize("config", [{"input_usd_per_million": 1}, {"output_usd_per_million": 1}])
def test_half_a_price_is_none(config: dict[str, Any]) -> None:
    assert cost_nano_usd("openai", "a-model-nobody-knows", MILLION, config) is None


@pytest.mark.parametrize("provider", ["offline", "scripted"])
def test_what_asks_no_vendor_is_free(provider: str) -> None:
    assert cost_nano_usd(provider, "extractive", None, {}) == 0
