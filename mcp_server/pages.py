"""Pages of a list, and the cursors between them."""

import base64
import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Final, TypeVar

from mcp import MCPError
from mcp.types import INVALID_PARAMS

SIZE: Final = 100
"""Items of a page."""

_Item = TypeVar("_Item")


def page(
    items: Sequence[_Item],
    cursor: str | None,
    size: int = SIZE,
    *,
    name: Callable[[_Item], str] = attrgetter("name"),
) -> tuple[list[_Item], str | None]:
    """A page of `items`, and the cursor of the next one, None on the last.

    A cursor knows the last item that was given by its name, so whatever comes or goes before it, none is given twice
    and none left out. Where that very item is gone, its former place counts.

    Args:
        items: all of them, always in the same order.
        cursor: that of the page before; None is the first page.
        size: at most so many, at least 1.
        name: what an item is called; no two are called the same.

    Raises:
        MCPError: the cursor is none of ours.
    """
    start = 0
    if cursor is not None:
        place = opened(cursor, int, str)
        names = [name(item) for item in items]
        start = names.index(place[1]) + 1 if place[1] in names else max(0, place[0])
    end = start + size
    given = list(items[start:end])
    return given, closed(end - 1, name(given[-1])) if end < len(items) else None


def closed(*place: str | int) -> str:
    """A place in a list as a cursor, which says nothing to a client."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def opened(cursor: str, *kinds: type) -> list[Any]:
    """The place that a cursor was made of.

    Args:
        cursor: as the client brings it.
        kinds: what the place consists of.

    Raises:
        MCPError: the cursor is none of ours.
    """
    try:
        place = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, RecursionError):  # no base64, no UTF-8, no JSON
        place = None
    if not isinstance(place, list) or [type(each) for each in place] != list(kinds):
        raise MCPError(INVALID_PARAMS, "The cursor is none that this server gave; list without one to begin anew.")
    return place
