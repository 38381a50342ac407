"""The gateway over a real port, two vendors behind it that this machine plays, and the SDKs' clients before it."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2
import openai
import pytest
import uvicorn

from mcp_server import address
from mcp_server.app import create_app
from mcp_server.house import House
from mcp_server.server import create_server
from toolkit import Toolkit
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer

T = TypeVar("T")

LARGE, SMALL = "large", "small"
"""The chain: OpenAI's model first, then Anthropic's."""


@dataclass(frozen=True, slots=True)
class Served:
    """A server, seen from outside and from inside.

    Attributes:
        url: where it listens.
        vendors: whom its models belong to.
        tk: its toolkit; what is awaited of it goes through `run`.
    """

    url: str
    vendors: VendorServer
    tk: Toolkit
    _loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives, done in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server for all tests of this process; `served` is it, with nothing left of the test before."""
    with VendorServer() as vendors:
        database = f"sqlite:///{tmp_path_factory.mktemp('gateway') / 'toolkit.db'}"
        settings = Settings.from_env(vendors.environ(), database_url=database)
        house = House(lambda: Toolkit.open(settings=settings))
        config = uvicorn.Config(create_app(create_server(house), house), log_config=None, ws="none", lifespan="on")
        server = uvicorn.Server(config)
        listening = address.listen("127.0.0.1:0")
        started: list[asyncio.AbstractEventLoop] = []
        ready = threading.Event()

        async def serve() -> None:
            started.append(asyncio.get_running_loop())
            await house.opened()
            ready.set()
            try:
                await server.serve(sockets=[listening])
            finally:
                await house.close()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), name="gateway", daemon=True)
        thread.start()
        assert ready.wait(30)
        served = Served(address.url(listening), vendors, house.toolkit, started[0])
        for seeded in served.run(served.tk.models.list()):
            served.run(served.tk.models.remove(seeded.name))
        yield served
        server.should_exit = True
        thread.join(20)


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
