"""A cloud that hosts the models of many vendors."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import AuthenticationFailed, ConfigError, ProviderTimeout
from toolkit.providers.wire.cloud import Authorized, Cloud
from toolkit.testing.vendors import VendorServer


class Opening:
    """Opens Anthropic's wire at the server, and counts."""

    def __init__(self, vendors: VendorServer) -> None:
        self.opened: list[str] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self._url = vendors.anthropic_url

    def __call__(self, name: str) -> Any:
        self.may_go_on.wait()
        self.opened.append(name)
        if name == "broken":
            raise RuntimeError("no such thing")
        if name == "locked":
            raise AuthenticationFailed("set a key", provider="cloud")
        return providers.connect("anthropic", {"api_key": KEY, "base_url": self._url}, {})


@pytest.fixture
def opening(vendors: VendorServer) -> Opening:
    return Opening(vendors)


@pytest.fixture
async def cloud(opening: Opening) -> AsyncIterator[Cloud]:
    cloud = Cloud("cloud", lambda model: model.partition("/")[0], opening)
    yield cloud
    await cloud.close()


async def test_a_wire_is_opened_once_when_it_is_first_needed(cloud: Cloud, opening: Opening) -> None:
    assert opening.opened == []
    await asyncio.gather(*(cloud.complete(HELLO, f"a/{number}", timeout=LONG) for number in range(3)))
    texts = [delta.text async for delta in cloud.stream(HELLO, "b/1", timeout=LONG)]
    assert "".join(texts) == "You said: hi there"
    assert opening.opened == ["a", "b"]


async def test_opening_counts_into_the_time_that_there_is(cloud: Cloud, opening: Opening) -> None:
    opening.may_go_on.clear()
    with pytest.raises(ProviderTimeout, match=r"cloud took longer than 0\.1 s"):
        await cloud.complete(HELLO, "a/1", timeout=0.1)
    with pytest.raises(ProviderTimeout):
        await anext(cloud.stream(HELLO, "a/1", timeout=0.1))
    opening.may_go_on.set()
    assert (await cloud.complete(HELLO, "a/1", timeout=LONG)).message.text == "You said: hi there"


async def test_what_goes_wrong_in_opening_is_told_and_tried_again(cloud: Cloud, opening: Opening) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"cloud cannot be set up \(RuntimeError: no such thing\)"):
            await cloud.complete(HELLO, "broken/1", timeout=LONG)
    assert opening.opened == ["broken", "broken"]
    with pytest.raises(AuthenticationFailed, match="set a key"):
        await cloud.complete(HELLO, "locked/1", timeout=LONG)


async def test_a_client_without_credentials_sends_nothing() -> None:
    class Client:
        async def post(self, *_: object, **__: object) -> None:
            raise AssertionError("it was sent")

        async def close(self) -> None: ...

    async def authorize() -> None:
        raise AuthenticationFailed("set a key", provider="cloud")

    with pytest.raises(AuthenticationFailed):
        await Authorized(Client(), authorize).post("/v1/messages")
