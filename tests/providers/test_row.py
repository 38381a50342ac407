"""What a model's row tells its vendor."""

from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import AuthenticationFailed, ConfigError
from toolkit.messages import ChatRequest
from toolkit.providers.row import address, key, with_defaults
from toolkit.testing.vendors import VendorServer

SAID = ChatRequest(HELLO.messages, temperature=1.0, max_tokens=9, extra={"top_p": 0.9})


async def test_the_settings_of_a_row_reach_the_vendor(vendor: str, vendors: VendorServer) -> None:
    url = {"openai": vendors.openai_url, "anthropic": vendors.anthropic_url}[vendor]
    config = {"base_url": url, "max_tokens": 50, "extra": {"top_p": 0.1}}
    provider = providers.connect(vendor, {"api_key": KEY, "base_url": "http://127.0.0.1:9"}, config)
    await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()
    assert (vendors.requests[0].body["max_tokens"], vendors.requests[0].body["top_p"]) == (50, 0.1)


def test_settings_hold_where_a_request_says_nothing() -> None:
    config = {"temperature": 0.0, "max_tokens": 50, "extra": {"top_p": 0.1, "n": 1}, "other": "x"}
    assert with_defaults(HELLO, config) == ChatRequest(HELLO.messages, (), (), 0.0, 50, extra={"top_p": 0.1, "n": 1})
    assert with_defaults(SAID, config) == ChatRequest(HELLO.messages, (), (), 1.0, 9, extra={"top_p": 0.9, "n": 1})


@pytest.mark.parametrize("config", [{}, {"base_url": "http://x"}])
def test_a_request_is_left_alone_by_a_row_without_such_settings(config: dict[str, Any]) -> None:
    assert with_defaults(SAID, config) == SAID


def test_the_rows_own_address_wins_over_the_one_that_belongs_to_the_key() -> None:
    assert address("x", {"base_url": "http://key"}, {"base_url": "http://row"}) == "http://row"
    assert address("x", {"base_url": "http://key"}, {}) == "http://key"
    assert address("x", {"base_url": ""}, {}) is None


@pytest.mark.parametrize("url", ["localhost:9000/v1", 9000, "ftp://x"])
def test_an_address_that_is_none_is_refused_before_it_is_used(vendor: str, url: Any) -> None:
    with pytest.raises(ConfigError, match=r"base_url.*must begin with http"):
        providers.connect(vendor, {"api_key": KEY}, {"base_url": url})


def test_a_key_loses_the_white_space_around_it_and_is_a_placeholder_where_none_is_needed() -> None:
    assert key("x", "X_KEY", {"api_key": f" {KEY}\n"}, needed=True) == KEY
    assert key("x", "X_KEY", {}, needed=False) == "none"


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_missing_key_is_an_error_that_names_its_variable(text: str) -> None:
    with pytest.raises(AuthenticationFailed, match="set X_KEY"):
        key("x", "X_KEY", {"api_key": text}, needed=True)


@pytest.mark.parametrize("text", ["sk-“smart”", "sk-smart\nsecond-line", "sk-smart\x00"])
def test_a_key_that_was_copied_badly_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(AuthenticationFailed, match="copy it again into X_KEY") as caught:
        key("x", "X_KEY", {"api_key": text}, needed=True)
    assert "smart" not in str(caught.value)
