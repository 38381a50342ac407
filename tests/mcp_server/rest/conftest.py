"""The routes over a real port: three people with keys, and two vendors that are played by this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.mcp_server.inside import Served, serving
from toolkit import Toolkit
from toolkit.access.scopes import ADMIN, CHAT, SEARCH
from toolkit.testing.vendors import VendorServer

PEOPLE = {"ada": (CHAT, SEARCH), "bob": (CHAT, SEARCH), "reader": (SEARCH,), "root": (CHAT, SEARCH, ADMIN)}


async def furnish(tk: Toolkit) -> None:
    """Make the chain anew: models that failed rest, and the next test is not to find them so."""
    for model in await tk.models.list():
        await tk.models.remove(model.name)
    await tk.models.add("openai", "gpt-4o", name="large", priority=10)
    await tk.models.add("anthropic", "claude-haiku-5-5", name="small", priority=20)


@contextmanager
def furnished(folder: Path) -> Iterator[Served]:
    """A server over a new database, whose chain is `large` (OpenAI's), then `small` (Anthropic's)."""
    with VendorServer() as vendors, serving(f"sqlite:///{folder / 'toolkit.db'}", vendors) as served:
        served.run(furnish(served.tk))
        yield served


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, dict[str, str]]]:
    """A server that asks for keys, and those of `PEOPLE`."""
    with furnished(tmp_path_factory.mktemp("rest")) as served:
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
