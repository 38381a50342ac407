from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from notebooks.sessions.panel import SessionsPanel
from toolkit.bridge import awaitable
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer
from toolkit.toolkit import Toolkit


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'toolkit.db'}" if "elsewhere" in request.fixturenames else "sqlite://"


@pytest.fixture
def toolkit(vendors: VendorServer, url: str) -> Toolkit:
    return Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=url))


@pytest.fixture
async def elsewhere(vendors: VendorServer, url: str) -> AsyncIterator[Any]:
    """Another toolkit on the same file, as another process has it."""
    async with awaitable(Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=url))) as other:
        yield other


@pytest.fixture
async def paris(tk: Any) -> str:
    """A conversation in which a question was asked and answered, by a model that needs no vendor."""
    session = await tk.sessions.create(title="Paris", user="ada", origin="claude-code")
    await tk.complete("Where is the **Eiffel** tower?", session=session.id)
    identity: str = session.id
    return identity


@pytest.fixture
def made() -> Iterator[Callable[..., SessionsPanel]]:
    """Makes panels that are closed at the end."""
    panels: list[SessionsPanel] = []

    def make(tk: Any, **options: Any) -> SessionsPanel:
        panels.append(SessionsPanel(tk, **options))
        return panels[-1]

    yield make
    for panel in panels:
        panel.close()


@pytest.fixture
def panel(tk: Any, paris: str, made: Callable[..., SessionsPanel]) -> SessionsPanel:
    """A panel that shows `paris`."""
    assert paris
    return made(tk)


def titles(panel: SessionsPanel) -> list[str]:
    """The conversations that are shown, from top to bottom."""
    return [row.title.description for row in panel._list.children]
