"""Ollama: where it is."""

from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import ConfigError
from toolkit.providers.ollama import connect
from toolkit.testing.vendors import VendorServer


@pytest.mark.parametrize(
    ("auth", "config", "url"),
    [
        ({}, {}, "http://127.0.0.1:11434/v1/"),
        ({"base_url": "http://box:11434"}, {}, "http://box:11434/v1/"),
        ({"base_url": "http://box:11434/v1/"}, {}, "http://box:11434/v1/"),
        ({"base_url": "https://box/ollama/"}, {}, "https://box/ollama/v1/"),
        ({"base_url": "http://box"}, {"base_url": "http://row"}, "http://row/v1/"),
        ({"base_url": "http://box", "host": "other"}, {}, "http://box/v1/"),
        ({"host": "box"}, {}, "http://box:11434/v1/"),
        ({"host": " 0.0.0.0 "}, {}, "http://127.0.0.1:11434/v1/"),
        ({"host": ":9999"}, {}, "http://127.0.0.1:9999/v1/"),
        ({"host": "box:9999"}, {}, "http://box:9999/v1/"),
        ({"host": "[::]:9999"}, {}, "http://127.0.0.1:9999/v1/"),
        ({"host": "[fe80::1]"}, {}, "http://[fe80::1]:11434/v1/"),
        ({"host": "http://box"}, {}, "http://box/v1/"),
        ({"host": "https://box/ollama"}, {}, "https://box/ollama/v1/"),
    ],
)
async def test_it_is_found_where_its_variables_say(auth: dict[str, str], config: dict[str, str], url: str) -> None:
    provider = connect(auth, config)
    client: Any = provider._connection._client
    assert str(client.base_url) == url
    await provider.close()


@pytest.mark.parametrize("host", ["box:port", "box:99999", "http://[box"])
def test_a_host_that_is_none_is_refused_by_name(host: str) -> None:
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        connect({"host": host}, {})


async def test_it_needs_no_key_and_costs_nothing(vendors: VendorServer) -> None:
    provider = providers.connect("ollama", {}, {"base_url": vendors.url("ollama")})
    assert (await provider.complete(HELLO, "llama3.2", timeout=LONG)).message.text == "You said: hi there"
    await provider.close()
    vendor = providers.vendor("ollama")
    assert (vendor.free, vendor.required, vendor.structured("llama3.2")) == (True, (), "native")


async def test_a_key_for_one_that_wants_it_is_sent(vendors: VendorServer) -> None:
    provider = providers.connect("ollama", {"api_key": KEY}, {"base_url": vendors.url("ollama")})
    await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()
    assert vendors.requests[0].headers["authorization"] == "present"
