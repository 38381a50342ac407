from collections.abc import Callable, Iterator
from typing import Any

import pytest

from notebooks.sessions.panel import SessionsPanel


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
