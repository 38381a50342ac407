from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from notebooks.models.panel import ModelsPanel
from notebooks.models.row import Row
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
def made() -> Iterator[Callable[..., ModelsPanel]]:
    """Makes panels that are closed at the end."""
    panels: list[ModelsPanel] = []

    def make(tk: Any, **options: Any) -> ModelsPanel:
        panels.append(ModelsPanel(tk, **options))
        return panels[-1]

    yield make
    for panel in panels:
        panel.close()


@pytest.fixture
def panel(tk: Any, made: Callable[..., ModelsPanel]) -> ModelsPanel:
    return made(tk)


def row(panel: ModelsPanel, name: str) -> Row:
    """The row of a model."""
    rows: tuple[Row, ...] = panel._list.children
    return next(each for each in rows if each.standing.model.name == name)


def names(panel: ModelsPanel) -> list[str]:
    """The models that are shown, from top to bottom."""
    return [each.standing.model.name for each in panel._list.children]
