"""Wakes listeners when something was committed to a SQLite database, by this process or another."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import suppress

from toolkit.errors import DatabaseError

PAUSE = 0.025  # seconds between two looks


class Feed:
    """Looks for commits while somebody listens, once for all listeners of an event loop.

    SQLite has nothing that would tell another process of a commit: it is asked for a number that changes with each.

    Args:
        look: gives something that differs from what it gave before once anything was committed meanwhile.
    """

    def __init__(self, look: Callable[[], Awaitable[Hashable]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._watches: dict[asyncio.AbstractEventLoop, _Watch] = {}

    async def listen(self) -> AsyncGenerator[None, None]:
        """Yield at once, and whenever something was committed since; end when the feed ends."""
        loop = asyncio.get_running_loop()
        with self._lock:
            watch = self._watches.get(loop)
            if watch is None:
                watch = self._watches[loop] = _Watch(self._look)
            woken = watch.join()
        try:
            while not watch.ended:
                yield
                await woken.wait()
                woken.clear()
        finally:
            with self._lock:
                if watch.leave(woken) and self._watches.get(loop) is watch:
                    del self._watches[loop]

    def end(self) -> None:
        """End all that listen, in any event loop; later ones begin anew."""
        with self._lock:
            watches, self._watches = self._watches, {}
        for loop, watch in watches.items():
            with suppress(RuntimeError):  # the loop was closed: nobody listens any more
                loop.call_soon_threadsafe(watch.end)


class _Watch:
    """The listeners of one event loop, and the task that looks for them."""

    def __init__(self, look: Callable[[], Awaitable[Hashable]]) -> None:
        self.ended = False
        self._look = look
        self._listeners: set[asyncio.Event] = set()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    def join(self) -> asyncio.Event:
        woken = asyncio.Event()
        self._listeners.add(woken)
        return woken

    def leave(self, woken: asyncio.Event) -> bool:
        """Whether that was the last."""
        self._listeners.discard(woken)
        if not self._listeners:
            self._task.cancel()
        return not self._listeners

    def end(self) -> None:
        self.ended = True
        self._task.cancel()
        self._wake()

    def _wake(self) -> None:
        for woken in self._listeners:
            woken.set()

    async def _watch(self) -> None:
        seen: Hashable = None  # the first look wakes everyone: somebody may have joined before it
        while True:
            with suppress(DatabaseError):  # a file that cannot be read just now may be read again later
                found = await self._look()
                if found != seen:
                    seen = found
                    self._wake()
            await asyncio.sleep(PAUSE)
