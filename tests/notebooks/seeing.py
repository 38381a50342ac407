"""What tests of panels share: waiting for what is shown, and counting what is left."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ipywidgets.widgets.widget import _instances

from toolkit.bridge import own_loop


async def seen(panel: Any, widget: Any, trait: str, true: Callable[[Any], object], *, seconds: float = 20) -> Any:
    """Wait until what a widget of a panel shows is `true`, and the panel has shown all that belongs to it; gives it."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def note(_: Any) -> None:
        loop.call_soon_threadsafe(changed.set)

    widget.observe(note, trait)
    try:
        async with asyncio.timeout(seconds):
            while not true(value := getattr(widget, trait)):
                changed.clear()
                if not true(getattr(widget, trait)):  # it may have changed between the two
                    await changed.wait()
    except TimeoutError:
        raise AssertionError(f"{trait} stays {getattr(widget, trait)!r}") from None
    finally:
        widget.unobserve(note, trait)
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_look_over(panel), panel._home))
    return value


async def _look_over(panel: Any) -> None:
    async with panel._looking:
        return


async def tasks() -> set[Any]:
    """What runs on the toolkit's own loop."""

    async def all_of_them() -> set[Any]:
        return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(all_of_them(), own_loop()))


@contextmanager
def no_widget_left() -> Iterator[None]:
    """Every widget that is made inside is closed at the end."""
    before = set(_instances)
    yield
    left = [widget for key, widget in dict(_instances).items() if key not in before]
    assert left == []
