"""The gateway over a real port, two vendors behind it that this machine plays, and the SDKs' clients before it."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import httpx2
import openai
import pytest

from tests.mcp_server.inside import Served, serving
from toolkit.testing.vendors import VendorServer

LARGE, SMALL = "large", "small"
"""The chain: OpenAI's model first, then Anthropic's."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of this process; `served` is it, with nothing left of the test before."""
    database = f"sqlite:///{tmp_path_factory.mktemp('gateway') / 'toolkit.db'}"
    with VendorServer() as vendors, serving(database, vendors) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Iterator[Served]:
    """The server, with two new models and vendors that answer properly."""
    tk = shared.tk
    shared.run(tk.models.add("openai", "gpt-4o", name=LARGE, priority=10))
    shared.run(tk.models.add("anthropic", "claude-haiku-5-5", name=SMALL, priority=20))
    shared.vendors.requests.clear()
    yield shared
    shared.vendors.recover()
    for name in (LARGE, SMALL):
        shared.run(tk.models.remove(name))
    with contextlib.suppress(Exception):
        for limit in shared.run(tk.limits.list()):
            shared.run(tk.limits.remove(limit.kind, limit.name))


@pytest.fixture
async def client(served: Served) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client, which asks once."""
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0, timeout=20) as client:
        yield client


@pytest.fixture
async def http(served: Served) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that shows every byte."""
    async with httpx2.AsyncClient(base_url=served.url, timeout=20) as client:
        yield client
