"""What a panel shows, and what a person does with it."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from ipywidgets import Button

from notebooks.chat.panel import ChatPanel
from notebooks.widgets.closing import parts


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - a widget has no event to wait for
            await asyncio.sleep(0.01)


def shown(panel: ChatPanel) -> str:
    """The turns on the page, as HTML."""
    return panel._log.page


def press(panel: ChatPanel) -> None:
    """Send, or Stop."""
    panel._entry.button.click()


def write(panel: ChatPanel, text: str) -> None:
    panel._entry.text.value = text


def buttons(widget: Any, label: str) -> list[Any]:
    """The buttons within a widget that say `label`."""
    return list(_buttons(widget, label))


def _buttons(widget: Any, label: str) -> Iterator[Any]:
    yield from (part for part in parts(widget) if isinstance(part, Button) and part.description == label)
