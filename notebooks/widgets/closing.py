"""Widgets that are no longer needed: a browser and the kernel keep every one until it is closed."""

from collections.abc import Iterator
from typing import Any


def discard(widget: Any) -> None:
    """Close a widget and everything in it, also what says how each looks: ipywidgets closes none of that by itself."""
    for part in tuple(parts(widget)):
        part.close()


def parts(widget: Any) -> Iterator[Any]:
    """A widget, everything in it, and the layouts and styles of these; the innermost first."""
    for child in getattr(widget, "children", ()):
        yield from parts(child)
    yield from (found for name in ("layout", "style") if (found := getattr(widget, name, None)) is not None)
    yield widget
