"""The whole application over a real port, in a thread of this process, and vendors that this machine plays."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import uvicorn

from mcp_server import address
from mcp_server.app import create_app
from mcp_server.house import House
from mcp_server.server import create_server
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
        """Leave no model, and vendors that answer."""
        self.vendors.recover()
        self.vendors.requests.clear()
        for model in self.run(self.tk.models.list()):
            self.run(self.tk.models.remove(model.id))


@contextmanager
def serving(database: str, vendors: VendorServer, **environ: str) -> Iterator[Served]:
    """A server without models."""
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

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="server", daemon=True)
    thread.start()
    assert ready.wait(30)
    served = Served(address.url(listening), vendors, house.toolkit, loops[0])
    served.clear()
    yield served
    server.should_exit = True
    thread.join(20)
