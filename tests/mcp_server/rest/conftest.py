"""The routes over a real port: three people with keys, and two vendors that are played by this machine."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
import uvicorn

from mcp_server import address
from mcp_server.app import create_app
from mcp_server.house import House
from mcp_server.server import create_server
from toolkit import Toolkit
from toolkit.access.scopes import ADMIN, CHAT, SEARCH
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer

T = TypeVar("T")
PEOPLE = {"ada": (CHAT, SEARCH), "bob": (CHAT, SEARCH), "reader": (SEARCH,), "root": (CHAT, SEARCH, ADMIN)}


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
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` gives, done in the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)


async def furnish(tk: Toolkit) -> None:
    """Make the chain anew: models that failed rest, and the next test is not to find them so."""
    for model in await tk.models.list():
        await tk.models.remove(model.name)
    await tk.models.add("openai", "gpt-4o", name="large", priority=10)
    await tk.models.add("anthropic", "claude-haiku-5-5", name="small", priority=20)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """A server over a new database, whose chain is `large` (OpenAI's), then `small` (Anthropic's)."""
    with VendorServer() as vendors:
        settings = Settings.from_env(vendors.environ(), database_url=f"sqlite:///{folder / 'toolkit.db'}")
        house = House(lambda: Toolkit.open(settings=settings))
        listening = address.listen("127.0.0.1:0")
        loop, ready = asyncio.new_event_loop(), threading.Event()
        config = uvicorn.Config(create_app(create_server(house), house), log_config=None, ws="none", lifespan="on")
        server = uvicorn.Server(config)

        async def serve() -> None:
            tk = await house.opened()
            await furnish(tk)
            ready.set()
            try:
                await server.serve(sockets=[listening])
            finally:
                await house.close()

        def run() -> None:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                runner.run(serve())

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        assert ready.wait(30)
        yield Served(address.url(listening), vendors, house.toolkit, loop)
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, dict[str, str]]]:
    """A server that asks for keys, and those of `PEOPLE`."""
    with serving(tmp_path_factory.mktemp("rest")) as served:
        keys = {
            name: served.run(served.tk.keys.create(name, user=name, scopes=scopes))[1]
            for name, scopes in PEOPLE.items()
        }
        yield served, keys


@pytest.fixture
def served(keyed: tuple[Served, dict[str, str]]) -> Iterator[Served]:
    """The server, whose vendors answer properly again afterwards."""
    served = keyed[0]
    served.vendors.requests.clear()
    yield served
    served.vendors.recover()
    served.run(furnish(served.tk))


@pytest.fixture(scope="session")
def people(keyed: tuple[Served, dict[str, str]]) -> Iterator[dict[str, httpx2.Client]]:
    """Everybody's client."""
    served, keys = keyed
    clients = {
        name: httpx2.Client(base_url=served.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        for name, key in keys.items()
    }
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture(scope="session")
def ada(people: dict[str, httpx2.Client]) -> httpx2.Client:
    return people["ada"]


@pytest.fixture(scope="session")
def bob(people: dict[str, httpx2.Client]) -> httpx2.Client:
    return people["bob"]


@pytest.fixture(scope="session")
def reader(people: dict[str, httpx2.Client]) -> httpx2.Client:
    """May search, and nothing else."""
    return people["reader"]


@pytest.fixture(scope="session")
def root(people: dict[str, httpx2.Client]) -> httpx2.Client:
    """May do everything."""
    return people["root"]
