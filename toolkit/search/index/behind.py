"""What goes on behind the searches: one task of each name in each event loop."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary


class Behind:
    """Begins tasks, and ends them.

    Args:
        what: they do, for whoever looks at the tasks of a loop.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._lock = Lock()
        self._tasks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[None]]]
        self._tasks = WeakKeyDictionary()

    def begin(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> "asyncio.Task[None]":
        """The task of that name which goes on; a new one that does `work` where there is none."""
        task = self.going_on(name)
        if task is None:
            task = asyncio.get_running_loop().create_task(work(), name=f"toolkit {self._what} {name}")
            task.add_done_callback(lambda done: done.cancelled() or done.exception())  # maybe nobody waits
            self._here()[name] = task
        return task

    def going_on(self, name: str) -> "asyncio.Task[None] | None":
        """The task of that name, None where none goes on."""
        task = self._here().get(name)
        return None if task is None or task.done() else task

    async def close(self) -> None:
        """End the tasks of this event loop."""
        with self._lock:
            tasks = list(self._tasks.pop(asyncio.get_running_loop(), {}).values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):  # whoever waits for it hears of it
                await task

    def _here(self) -> dict[str, "asyncio.Task[None]"]:
        with self._lock:
            return self._tasks.setdefault(asyncio.get_running_loop(), {})
