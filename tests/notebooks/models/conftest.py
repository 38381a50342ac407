from collections.abc import Callable, Iterator
from typing import Any

import pytest

from notebooks.models.panel import ModelsPanel
from notebooks.models.row import Row


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
