"""A row names variables; keys come from the environment, and only from there."""

from typing import Any

import pytest

from toolkit.models.keys import resolve_auth, secrets_of
from toolkit.models.model import Model


def row(provider: str = "openai", auth: dict[str, str] | None = None, config: dict[str, Any] | None = None) -> Model:
    return Model("id", "name", provider, "model", auth=auth or {}, config=config or {})


def test_the_name_of_a_variable_becomes_what_the_variable_holds() -> None:
    model = row(auth={"api_key_env": "TEAM_KEY", "base_url": "http://h/v1", "organization_env": "TEAM_ORG"})

    assert resolve_auth(model, {"TEAM_KEY": "k", "TEAM_ORG": "o", "OPENAI_API_KEY": "other"}) == {
        "api_key": "k",
        "organization": "o",
        "base_url": "http://h/v1",
    }


@pytest.mark.parametrize("environ", [{}, {"TEAM_KEY": ""}, {"OPENAI_API_KEY": "other"}])
def test_a_variable_that_is_missing_or_empty_leaves_its_key_out(environ: dict[str, str]) -> None:
    assert resolve_auth(row(auth={"api_key_env": "TEAM_KEY"}), environ) == {}


@pytest.mark.parametrize(("provider", "prefix"), [("openai", "OPENAI"), ("anthropic", "ANTHROPIC")])
def test_a_row_that_names_nothing_uses_the_vendors_own_variables(provider: str, prefix: str) -> None:
    environ = {f"{prefix}_API_KEY": "k", f"{prefix}_BASE_URL": "http://h"}

    assert resolve_auth(row(provider), environ) == {"api_key": "k", "base_url": "http://h"}
    assert resolve_auth(Model.unlisted(provider, "m"), environ) == {"api_key": "k", "base_url": "http://h"}


def test_a_rows_own_address_wins_over_the_vendors_variable() -> None:
    environ = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://other"}

    assert resolve_auth(row(config={"base_url": "http://mine"}), environ) == {"api_key": "k"}
    assert resolve_auth(row(auth={"base_url": "http://mine"}), environ)["base_url"] == "http://mine"


def test_a_vendor_without_variables_of_its_own_gets_nothing() -> None:
    assert resolve_auth(row("offline"), {"OPENAI_API_KEY": "k"}) == {}


def test_a_key_is_a_secret_and_an_address_is_not() -> None:
    assert secrets_of({"api_key": "k", "session_token": "t", "base_url": "http://h"}) == ("k", "t")
