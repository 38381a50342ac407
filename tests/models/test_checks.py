"""The settings of a row are checked when they are written, each in words."""

from dataclasses import replace
from typing import Any

import pytest

from toolkit.errors import ConfigError
from toolkit.models.checks import SETTINGS, check_config, check_row
from toolkit.models.facts import Facts
from toolkit.models.model import Model

GOOD: dict[str, Any] = {
    "base_url": "http://127.0.0.1:9/v1",
    "temperature": 0.5,
    "max_tokens": 5,
    "timeout": 0.5,
    "first_token_timeout": 3,
    "silence_timeout": 2.5,
    "max_concurrency": 4,
    "rpm": 60,
    "tpm": 100_000,
    "on_refusal": "next",
    "structured": "tool",
    "api": "responses",
    "extra": {"user": "ada"},
    "context_window": 128_000,
    "max_output": 4_096,
    "vision": False,
    "tools": True,
    "input_usd_per_million": 0,
    "output_usd_per_million": 2.5,
    "cached_input_usd_per_million": 0.1,
    "cache_write_usd_per_million": 3,
}


def row(**config: Any) -> Model:
    return Model("", "a", "openai", "a", config=config)


def test_every_setting_is_taken_as_it_should_be() -> None:
    assert GOOD.keys() == SETTINGS.keys()
    assert set(Facts.__slots__) <= SETTINGS.keys()
    check_row(row(**GOOD))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("first_token_timeout", 0, "a number of seconds above 0"),
        ("silence_timeout", "5", "a number of seconds above 0"),
        ("timeout", float("inf"), "a number of seconds above 0"),
        ("max_concurrency", 0, "a whole number of at least 1"),
        ("rpm", 0, "a whole number of at least 1"),
        ("tpm", 1.5, "a whole number of at least 1"),
        ("max_concurrency", 1.5, "a whole number of at least 1"),
        ("on_refusal", "ignore", "one of 'fail', 'next'"),
        ("on_refusal", ["fail"], "one of 'fail', 'next'"),
        ("structured", True, "one of 'native', 'tool', 'instruction'"),
        ("api", "completions", "one of 'chat', 'responses'"),
        ("context_window", 0, "a whole number of tokens"),
        ("max_output", True, "a whole number of tokens"),
        ("vision", "yes", "true or false"),
        ("tools", 1, "true or false"),
        ("cached_input_usd_per_million", -1, "a price"),
        ("cache_write_usd_per_million", float("nan"), "a price"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_its_name(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}' of a model must be {words}"):
        check_config({name: value})


@pytest.mark.parametrize("name", ["first_token_timout", "max_concurency", "structered", "contextwindow", "Timeout"])
def test_a_setting_that_is_ours_mistyped_is_refused_with_the_right_one(name: str) -> None:
    with pytest.raises(ConfigError, match=f"no setting '{name}' of a model; did you mean"):
        check_row(row(**{name: 1}))


def test_a_setting_that_only_a_vendor_knows_is_kept_and_one_that_is_there_does_not_keep_a_model_from_answering() -> (
    None
):
    check_row(row(region="eu-west-1", api_version="2026-01-01", deployment="x", max_output_tokens=5))
    check_config({"temprature": 1})


@pytest.mark.parametrize("name", ["api_key", "api_keys", "apikeys", "x_api_keys", "password"])
def test_what_is_called_a_secret_is_refused_wherever_it_stands(name: str) -> None:
    for model in (
        row(**{name: "anything"}),
        row(extra={"headers": [{name: "anything"}]}),
        replace(row(), auth={name: "anything"}),
    ):
        with pytest.raises(ConfigError, match="looks like a secret") as caught:
            check_row(model)
        assert "anything" not in str(caught.value)


@pytest.mark.parametrize("fields", [{"name": 5}, {"scope": None}, {"priority": "1"}, {"priority": True}])
def test_a_field_of_the_wrong_kind_is_refused_in_words(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(fields))):
        check_row(Model(**{"id": "", "name": "a", "provider": "openai", "model": "a", **fields}))


def test_a_config_without_end_is_refused_before_anything_is_lost_in_it() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless

    with pytest.raises(ConfigError, match="levels deep"):
        check_row(row(extra=endless))
