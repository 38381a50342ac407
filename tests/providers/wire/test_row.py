"""What a model's row tells its vendor."""

from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import AuthenticationFailed, ConfigError
from toolkit.providers.wire.row import address, key
from toolkit.testing.vendors import VendorServer


async def test_the_address_of_a_row_wins_over_the_one_of_the_key(vendor: str, vendors: VendorServer) -> None:
    url = {"openai": vendors.openai_url, "anthropic": vendors.anthropic_url}[vendor]
    provider = providers.connect(vendor, {"api_key": KEY, "base_url": "http://127.0.0.1:9"}, {"base_url": url})
    await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()
    assert [request.vendor for request in vendors.requests] == [vendor]


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
