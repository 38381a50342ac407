"""The whole application in this process, with vendors behind it that this machine plays."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mcp_server.app import create_app
from mcp_server.house import House
from mcp_server.server import create_server
from toolkit import Toolkit
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer


@dataclass(frozen=True)
class Inside:
    """An application, its client, and its toolkit."""

    http: httpx2.AsyncClient
    tk: Toolkit
    vendors: VendorServer

    async def chat(self, text: str, **more: object) -> httpx2.Response:
        body = {"messages": [{"role": "user", "content": text}], **more}
        return await self.http.post("/v1/chat/completions", json=body)

    async def figures(self) -> dict[str, float]:
        """What a scrape finds, by name and labels, which are sorted by theirs: `toolkit_tokens_total/large/input`."""
        return by_name((await self.http.get("/metrics")).text)


def by_name(text: str) -> dict[str, float]:
    return {
        "/".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def vendors() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@contextlib.asynccontextmanager
async def opened(vendors: VendorServer, **env: str) -> AsyncIterator[Inside]:
    vendors.recover()
    settings = Settings.from_env({**vendors.environ(), **env}, database_url="sqlite://")
    house = House(lambda: Toolkit.open(settings=settings))
    app = create_app(create_server(house), house, settings.http, log_content=settings.log_content)
    tk = await house.opened()
    for seeded in await tk.models.list():
        await tk.models.remove(seeded.name)
    await tk.models.add("openai", "gpt-4o-mini", name="large", priority=10, config={"base_url": vendors.openai_url})
    await tk.models.add("anthropic", "claude-haiku-4-5", name="small", priority=20)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1") as http:
        yield Inside(http, tk, vendors)
    await house.close()


@pytest.fixture
async def inside(vendors: VendorServer) -> AsyncIterator[Inside]:
    async with opened(vendors) as found:
        yield found
