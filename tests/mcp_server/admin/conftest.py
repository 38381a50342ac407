"""The pages over a real port, a vendor that this machine plays, and a person who has no JavaScript."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
import uvicorn

from mcp_server import address
from mcp_server.app import create_app
from mcp_server.house import House
from mcp_server.server import create_server
from tests.mcp_server.admin.person import Person
from toolkit import Toolkit
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer

T = TypeVar("T")


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

    def clear(self) -> None:
        """Leave no model, and a vendor that answers."""
        self.vendors.recover()
        self.vendors.requests.clear()
        for model in self.run(self.tk.models.list()):
            self.run(self.tk.models.remove(model.id))


@contextmanager
def serving(database: str, vendors: VendorServer, **environ: str) -> Iterator[Served]:
    """A server in a thread of this process, without models."""
    settings = Settings.from_env({**vendors.environ(), **environ}, database_url=database)
    house = House(lambda: Toolkit.open(settings=settings))
    app = create_app(create_server(house), house, settings.http)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, ws="none", lifespan="on"))
    listening = address.listen("127.0.0.1:0")
    loops: list[asyncio.AbstractEventLoop] = []
    ready = threading.Event()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await house.opened()
        ready.set()
        try:
            await server.serve(sockets=[listening])
        finally:
            await house.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="admin", daemon=True)
    thread.start()
    assert ready.wait(30)
    served = Served(address.url(listening), vendors, house.toolkit, loops[0])
    served.clear()
    yield served
    server.should_exit = True
    thread.join(20)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server that asks nobody who they are, for all tests of this process."""
    database = f"sqlite:///{tmp_path_factory.mktemp('admin') / 'toolkit.db'}"
    with VendorServer() as vendors, serving(database, vendors) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Served:
    """The same, as if nothing had been before."""
    shared.clear()
    return shared


@pytest.fixture
def person(served: Served) -> Iterator[Person]:
    """Somebody on this machine."""
    with Person(served.url) as somebody:
        yield somebody
