"""What changes while hosts are connected: tools, prompts, documents, sessions, in this process or another one.

Tools are told by the registry, rows of the database by the feed of events. Files say nothing by themselves, so those
that the user may edit are looked at once a second. Nothing is watched before somebody has what could change.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ServerEvent,
    ToolsListChanged,
)

from mcp_server.house import SOURCES_WITHIN, House
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.db.feed import Event
    from toolkit.toolkit import Toolkit

EACH_SECONDS: Final = 1.0
"""The same is told at most so often, and files are looked at so often."""

KINDS: Final[Mapping[str, ServerEvent | None]] = {
    "document.added": ResourcesListChanged(),
    "document.changed": None,
    "document.removed": ResourcesListChanged(),
    "session.created": ResourcesListChanged(),
    "session.updated": None,
    "session.deleted": ResourcesListChanged(),
    "prompt.updated": PromptsListChanged(),
    "generation.completed": None,
    "generation.failed": None,
}
"""The events that a host may hear of, and the list that each changes."""

Hear: TypeAlias = Callable[[str], None]
"""Told the id of what was changed; of the usage it is `usage`."""

_log = logging.getLogger(__name__)
_Marks: TypeAlias = dict[str, tuple[int, int, int]]


class Changes:
    """Tells what has changed, each thing at most once in `EACH_SECONDS`; it is the SDK's `SubscriptionBus`.

    Args:
        house: what is watched.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._listeners: dict[object, Callable[[ServerEvent], None]] = {}
        self._waiting: set[ServerEvent] = set()
        self._told: dict[ServerEvent, float] = {}  # when, by the clock of the loop
        self._stale = asyncio.Event()  # the sources of tools are to be asked again
        self._feed: asyncio.Task[None] | None = None
        self._beginning = asyncio.Lock()
        self.hear: Hear = lambda _subject: None

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Watch from the moment on in which the house is furnished, until the block is left."""
        tasks = [asyncio.create_task(watch()) for watch in (self._watch_tools, self._watch_files, self._refresh)]
        try:
            yield
        finally:
            tasks += [self._feed] if self._feed else []
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def begin(self) -> None:
        """Miss nothing of what is written to the database from now on, by whatever process.

        Where it cannot be opened, the next one who needs it says so; then this is tried again.
        """
        async with self._beginning:
            if self._feed and not self._feed.done():
                return
            try:
                tk = await self._house.opened()
                place = await tk.events.last()
            except ToolkitError as error:
                _log.info("Changes of the database are not told yet: %s", error)
                return
            self._feed = asyncio.create_task(self._watch_database(tk, place))

    async def publish(self, event: ServerEvent) -> None:
        """The same as `tell`, as the SDK calls it."""
        self.tell(event)

    def tell(self, event: ServerEvent) -> None:
        """Tell it to everybody who listens, now or as soon as a second has passed since the last time."""
        if event not in self._waiting:
            self._waiting.add(event)
            loop = asyncio.get_running_loop()
            loop.call_at(max(loop.time(), self._told.get(event, 0.0) + EACH_SECONDS), self._tell, event)

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Have `listener` told of everything; gives what ends it."""
        token = object()
        self._listeners[token] = listener

        def end() -> None:
            self._listeners.pop(token, None)

        return end

    def forget(self, event: ServerEvent) -> None:
        """Nobody wants to hear of it any more."""
        self._told.pop(event, None)

    def _tell(self, event: ServerEvent) -> None:
        self._waiting.discard(event)
        self._told[event] = asyncio.get_running_loop().time()
        for listener in list(self._listeners.values()):
            listener(event)

    async def _watch_tools(self) -> None:
        await self._house.furnished.wait()
        async for _ in self._house.toolkit.tools.changes():
            self.tell(ToolsListChanged())

    async def _watch_database(self, tk: "Toolkit", place: str) -> None:
        try:
            async with aclosing(tk.events.subscribe(*KINDS, after=place)) as events:
                async for event in events:
                    self._take(event)
        except ToolkitError as error:
            _log.warning("Changes of the database are not told any more: %s", error)

    def _take(self, event: "Event") -> None:
        if changed := KINDS[event.kind]:
            self.tell(changed)
        if event.kind == "prompt.updated":
            self._stale.set()  # it may be a tool
        self.hear("usage" if event.kind.startswith("generation.") else event.subject)

    async def _watch_files(self) -> None:
        await self._house.furnished.wait()
        settings = self._house.toolkit.settings
        if not (settings.tools_file or settings.prompts_dir):
            return
        before = await asyncio.to_thread(self._marks)
        while True:
            await asyncio.sleep(EACH_SECONDS)
            marks = await asyncio.to_thread(self._marks)  # a folder on a network may hang
            changed = {path for path in marks.keys() | before.keys() if marks.get(path) != before.get(path)}
            before = marks
            if changed - {str(settings.tools_file)}:
                self.tell(PromptsListChanged())
            if changed:
                self._stale.set()

    def _marks(self) -> _Marks:
        """What tells whether a file is still the same, by path."""
        settings = self._house.toolkit.settings
        paths = [settings.tools_file] if settings.tools_file else []
        found: _Marks = {}
        try:
            paths += settings.prompts_dir.glob("*.md") if settings.prompts_dir else []
        except OSError as error:
            _log.info("The prompts cannot be looked at: %s", error)
        for path in paths:
            try:
                state = path.stat()
            except OSError:
                continue  # it is gone
            found[str(path)] = (state.st_mtime_ns, state.st_size, state.st_ino)
        return found

    async def _refresh(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            for problem in await self._house.toolkit.tools.refresh(SOURCES_WITHIN):
                _log.warning("%s", problem)
