"""The real SDKs' clients, connected to a server on this machine."""

from collections.abc import AsyncIterator, Iterator

import pytest

from toolkit import providers
from toolkit.messages import ChatRequest, Completion, Message
from toolkit.providers.base import Provider
from toolkit.testing.vendors import VendorServer

KEY = "key-of-a-shape-that-nobody-knows"
LONG = 30.0
HELLO = ChatRequest((Message("user", "hi there"),))


@pytest.fixture
def vendors() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@pytest.fixture
async def openai(vendors: VendorServer) -> AsyncIterator[Provider]:
    provider = providers.connect("openai", {"api_key": KEY, "base_url": vendors.openai_url}, {})
    yield provider
    await provider.close()


@pytest.fixture
async def anthropic(vendors: VendorServer) -> AsyncIterator[Provider]:
    provider = providers.connect("anthropic", {"api_key": KEY, "base_url": vendors.anthropic_url}, {})
    yield provider
    await provider.close()


@pytest.fixture(params=["openai", "anthropic"])
def vendor(request: pytest.FixtureRequest) -> str:
    """Either vendor."""
    return str(request.param)


@pytest.fixture
def provider(vendor: str, openai: Provider, anthropic: Provider) -> Provider:
    """The connection to `vendor`."""
    return {"openai": openai, "anthropic": anthropic}[vendor]


@pytest.fixture(params=["whole", "streamed"])
def ask(request: pytest.FixtureRequest, provider: Provider) -> "Ask":
    """Asks `provider` for a whole answer, or for a stream of which only the end counts."""
    return Ask(provider, streamed=request.param == "streamed")


class Ask:
    def __init__(self, provider: Provider, *, streamed: bool) -> None:
        self.provider = provider
        self.streamed = streamed

    async def __call__(self, request: ChatRequest = HELLO, *, model: str = "m", timeout: float = LONG) -> Completion:
        if not self.streamed:
            return await self.provider.complete(request, model, timeout=timeout)
        async for delta in self.provider.stream(request, model, timeout=timeout):
            if delta.completion:
                return delta.completion
        raise AssertionError("the stream ended without its completion")
