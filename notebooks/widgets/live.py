"""Panels that show what is kept, and are up to date whoever changes it."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import aclosing, suppress
from typing import Any

from notebooks.widgets.panel import Panel, sentence
from toolkit.bridge import Lane, Work, running

PAUSE = 0.1
"""Seconds between two looks: what happens meanwhile is seen at once."""

FIRST_LOOK = 5.0
"""Seconds that a new panel waits for what it shows, so that it is there when its cell ends."""


class LivePanel(Panel):
    """A panel that looks again whenever something happened, in this process or another one.

    A subclass says what it looks at, and calls `_follow` when it is made.
    """

    _following: "Following | None" = None

    def __init__(self, tk: Any, kind: str, *children: Any) -> None:
        self._tasks = set[Any]()  # what was asked for and is not done yet
        super().__init__(tk, kind, *children)
        self._looking = asyncio.Lock()  # what was read first must not be shown last

    def close(self) -> None:
        """Follow nothing any more, stop what runs, and take the panel off the page with everything in it."""
        if self._following is not None:
            self._following.end()
        for task in tuple(getattr(self, "_tasks", ())):  # a panel that could not be made has none
            with suppress(RuntimeError):  # the loop ended with the process
                self._home.call_soon_threadsafe(task.cancel)
        super().close()

    async def _look(self) -> float | None:
        async with self._looking:
            return await self._show()

    async def _show(self) -> float | None:
        """Read what is shown, and show it; gives the seconds after which it is otherwise by itself, None for never."""
        raise NotImplementedError

    def _follow(self, *kinds: str) -> None:
        """Look at once, and whenever events of these kinds come; waits for the first look where it can."""
        self._following = Following(self._tk.events, self._home, kinds, self._look, lambda e: self._tell(sentence(e)))
        if running() is not self._home:
            with suppress(TimeoutError):
                self._following.looked.result(FIRST_LOOK)

    def _asked(self, work: Work) -> Any:
        """What a method gives that a cell calls: what `work` gives, once the panel shows what came of it.

        Awaited or plain, as the toolkit is. An error is the caller's.
        """
        with Lane(self._home) as lane:
            return self._given(lane, lane.call(lambda: self._done(work)))

    def _pressed(self, work: Work, then: Callable[[Any], object] = lambda _: None) -> None:
        """The same for a button, until the panel is closed: it tells of an error, and shows again what is true."""
        self._do(lambda: self._done(work), then)

    async def _done(self, work: Work) -> Any:
        task = asyncio.current_task()
        self._tasks.add(task)
        try:
            try:
                given = await work()
            except Exception:
                await self._look()
                raise
            await self._look()
            return given
        finally:
            self._tasks.discard(task)


class Following:
    """Looks at once, and again whenever events come, until it is ended or the toolkit is closed.

    Args:
        feed: tells of events.
        home: the event loop on which it does so, and on which is looked.
        kinds: which events, as in `Feed.subscribe`.
        look: awaited; gives the seconds after which to look again in any case, None for none.
        failed: told what fails; it goes on.

    Attributes:
        looked: done after the first look.
    """

    def __init__(
        self,
        feed: Any,
        home: asyncio.AbstractEventLoop,
        kinds: tuple[str, ...],
        look: Callable[[], Awaitable[float | None]],
        failed: Callable[[Exception], object],
    ) -> None:
        self._feed, self._kinds, self._look, self._failed = feed, kinds, look, failed
        self.looked: Future[None] = Future()
        with Lane(home, at_end=self._note_look) as lane:
            lane.call(self._follow)
        self._lane = lane

    def end(self) -> Future[None]:
        """Listen no longer; the future is done when nothing of it runs any more. From any thread."""
        return self._lane.cancel()

    async def _follow(self) -> None:
        news = asyncio.Event()
        try:
            place = await self._feed.last()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._failed(error)
            return
        listening = asyncio.create_task(self._listen(place, news))
        try:
            while not listening.done():
                news.clear()
                again = await self._try()
                self._note_look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(again):
                        await news.wait()
                await asyncio.sleep(PAUSE)
        finally:
            listening.cancel()
            await asyncio.wait({listening})
            if not listening.cancelled() and isinstance(failure := listening.exception(), Exception):
                self._failed(failure)

    async def _listen(self, place: str, news: asyncio.Event) -> None:
        try:
            async with aclosing(self._feed.subscribe(*self._kinds, after=place)) as events:
                async for _ in events:
                    news.set()
        finally:
            news.set()

    async def _try(self) -> float | None:
        try:
            return await self._look()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._failed(error)
            return None

    def _note_look(self) -> None:
        if not self.looked.done():
            self.looked.set_result(None)
