"""A row names variables; keys come from the environment, and only from there."""

from typing import Any

import pytest

from toolkit.models.keys import keys_of, secrets_of
from toolkit.models.model import Model


def row(provider: str = "openai", auth: dict[str, str] | None = None, config: dict[str, Any] | None = None) -> Model:
    return Model("id", "name", provider, "model", auth=auth or {}, config=config or {})


def auth_of(model: Model, environ: dict[str, str]) -> dict[str, str]:
    (key,) = keys_of(model, environ)
    return dict(key.auth)


def test_the_name_of_a_variable_becomes_what_the_variable_holds() -> None:
    model = row(auth={"api_key_env": "TEAM_KEY", "base_url": "http://h/v1", "organization_env": "TEAM_ORG"})

    assert auth_of(model, {"TEAM_KEY": "k", "TEAM_ORG": "o", "OPENAI_API_KEY": "other"}) == {
        "api_key": "k",
        "organization": "o",
        "base_url": "http://h/v1",
    }


@pytest.mark.parametrize("environ", [{}, {"TEAM_KEY": ""}, {"OPENAI_API_KEY": "other"}])
def test_a_variable_that_is_missing_or_empty_leaves_its_key_out(environ: dict[str, str]) -> None:
    assert auth_of(row(auth={"api_key_env": "TEAM_KEY"}), environ) == {}


@pytest.mark.parametrize(("provider", "prefix"), [("openai", "OPENAI"), ("anthropic", "ANTHROPIC")])
def test_a_row_that_names_nothing_uses_the_vendors_own_variables(provider: str, prefix: str) -> None:
    environ = {f"{prefix}_API_KEY": "k", f"{prefix}_BASE_URL": "http://h"}

    assert auth_of(row(provider), environ) == {"api_key": "k", "base_url": "http://h"}
    assert auth_of(Model.unlisted(provider, "m"), environ) == {"api_key": "k", "base_url": "http://h"}


def test_a_rows_own_address_wins_over_the_vendors_variable() -> None:
    environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://other"}

    assert auth_of(row(config={"base_url": "http://mine"}), environ) == {"api_key": "k"}
    assert auth_of(row(auth={"base_url": "http://mine"}), environ)["base_url"] == "http://mine"


def test_a_vendor_without_variables_of_its_own_gets_nothing() -> None:
    assert auth_of(row("offline"), {"OPENAI_API_KEY": "k"}) == {}


def test_a_key_is_a_secret_and_an_address_is_not() -> None:
    model = row(auth={"api_key_env": "K", "session_token_env": "T", "base_url_env": "U"})

    assert secrets_of(model, {"K": "k", "T": "t", "U": "http://h"}) == ("k", "t")


def test_a_variable_with_several_keys_is_a_pool_each_known_by_its_place() -> None:
    keys = keys_of(
        row(auth={"api_keys_env": "TEAM_KEYS"}, config={"base_url": "http://h"}), {"TEAM_KEYS": "k1, k2,,k1 ,k3"}
    )

    assert [key.auth for key in keys] == [{"api_key": "k1"}, {"api_key": "k2"}, {"api_key": "k3"}]
    assert [key.label for key in keys] == ["TEAM_KEYS[1]", "TEAM_KEYS[2]", "TEAM_KEYS[3]"]
    assert "k1" not in repr(keys)


def test_the_vendors_own_variable_may_be_a_pool_and_then_wins_over_the_single_key() -> None:
    environ = {"OPENAI_API_KEYS": "k1,k2", "OPENAI_API_KEY": "k0", "OPENAI_BASE_URL": "http://h"}

    assert [key.auth for key in keys_of(row(), environ)] == [
        {"api_key": "k1", "base_url": "http://h"},
        {"api_key": "k2", "base_url": "http://h"},
    ]
    assert [key.auth["api_key"] for key in keys_of(row(), {"OPENAI_API_KEYS": "k1"})] == ["k1"]
    assert keys_of(row(), {"OPENAI_API_KEYS": "k1"})[0].label is None


def test_a_row_that_names_its_key_takes_no_part_in_the_vendors_pool() -> None:
    environ = {"OPENAI_API_KEYS": "k1,k2", "TEAM_KEY": "mine"}

    assert auth_of(row(auth={"api_key_env": "TEAM_KEY"}), environ) == {"api_key": "mine"}


def test_an_empty_pool_is_a_missing_key() -> None:
    assert auth_of(row(auth={"api_keys_env": "TEAM_KEYS"}), {"TEAM_KEYS": " , ", "OPENAI_API_KEY": "k"}) == {}
    assert auth_of(row(auth={"api_keys_env": "TEAM_KEYS"}), {"OPENAI_API_KEY": "k"}) == {}


def test_every_key_of_a_pool_is_a_secret() -> None:
    assert secrets_of(row(), {"OPENAI_API_KEYS": "k1,k2"}) == ("k1", "k2")
