"""The part of a search panel where documents come in."""

import asyncio
import time
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from functools import partial
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeAlias

from ipywidgets import HTML, HBox, VBox

from notebooks.search import telling
from notebooks.widgets.controls import button, line
from notebooks.widgets.entry import GRACE_SECONDS, Entry
from notebooks.widgets.panel import named, sentence
from toolkit.bridge import Lane
from toolkit.errors import Conflict
from toolkit.search.documents import Document, IngestProgress, IngestReport

UPDATES_PER_SECOND = 10
"""How often the progress of an ingest is shown."""

Ingest: TypeAlias = Callable[[Any, str, Callable[[IngestProgress], None]], Awaitable[IngestReport]]
"""`Toolkit.ingest` of something, into a collection, telling of progress."""


class Intake(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """How much there is, and below it, where that is wanted, lines for what is to be added and to which collection.

    Args:
        guard: calls what a widget's message calls, and tells its errors.
        ingest: does it.
        home: gives the event loop on which that is done.

    Attributes:
        holding: how much can be searched.
        state: how far an ingest is, and what it did.
        collection: the line for the set that the documents are to belong to.
    """

    def __init__(
        self,
        guard: Callable[..., None],
        ingest: Ingest,
        home: Callable[[], AbstractEventLoop],
    ) -> None:
        self._guard, self._ingest, self._home = guard, ingest, home
        self._lane: Lane | None = None
        self._told_at = 0.0
        self.holding, self.state = named(HTML(), "holding"), named(HTML(), "intake-state")
        self._toggle = button("Add documents", partial(guard, self._fold), look="link")
        place = "A file, a folder or an address…"
        self.entry = Entry("What to ingest", place, "Ingest", partial(guard, self._take_in), self.stop)
        self.collection = named(line("Collection to add to", "default"), "collection")
        self.entry.children = [self.entry.text, self.collection, self.entry.button]
        super().__init__([named(HBox([self.holding, self._toggle]), "status"), self.entry, self.state])
        named(self, "intake")
        self.unfold(is_open=False)
        self._say("")

    def unfold(self, *, is_open: bool) -> None:
        """Show the lines, or hide them."""
        self.entry.layout.display = "" if is_open else "none"
        self._toggle.description = "Hide" if is_open else "Add documents"
        self._toggle.tooltip = "Hide the lines for adding documents" if is_open else ""

    def begin(self, what: Any, collection: str | None = None) -> tuple[Lane, Future[Any]]:
        """Ingest `what` into `collection`, None being the one that is written there.

        Raises:
            Conflict: the ingest before has not ended yet.
        """
        place = collection or self.collection.value.strip() or "default"
        return self._begin(_words(what), partial(self._work, what, place))

    def _begin(self, words: str, work: Callable[[], Awaitable[IngestReport | None]]) -> tuple[Lane, Future[Any]]:
        if self._lane is not None:
            raise Conflict("The ingest before has not ended yet; wait for it, or press Stop.")
        self.unfold(is_open=True)
        self.entry.button.description = "Stop"
        self.entry.button.add_class("toolkit-stop")
        self._say(telling.begun(words))
        self._lane = lane = Lane(self._home())
        outcome = lane.call(work)
        outcome.add_done_callback(lambda _: self._guard(self._ended, lane))
        return lane, outcome

    def stop(self) -> bool:
        """Cancel the ingest that runs; false if none does."""
        if self._lane is None:
            return False
        self._lane.cancel()
        return True

    def _take_in(self, text: str) -> None:
        self._begin(text[:100], self._take_in_what_is_written)

    async def _take_in_what_is_written(self) -> IngestReport | None:
        await asyncio.sleep(GRACE_SECONDS)  # a browser may send the other line after the press
        what = _place(self.entry.text.value.strip())
        return await self._work(what, self.collection.value.strip() or "default")

    async def _work(self, what: Any, collection: str) -> IngestReport | None:
        try:
            report = await self._ingest(what, collection, self._progress)
        except asyncio.CancelledError:
            return None  # to a cell that is to go on; one that was interrupted hears of it all the same
        except Exception as error:
            self._end(telling.failed(sentence(error)))
            raise
        self._end(telling.told(report, collection))
        return report

    def _progress(self, progress: IngestProgress) -> None:
        now = time.monotonic()
        if now - self._told_at >= 1 / UPDATES_PER_SECOND:
            self._told_at = now
            self._say(telling.reading(progress))

    def _end(self, said: str) -> None:
        self._lane = None
        self._say(said)
        self.entry.button.remove_class("toolkit-stop")
        self.entry.button.description = "Ingest"

    def _ended(self, lane: Lane) -> None:
        lane.end()
        if self._lane is lane:
            self._end(telling.stopped())

    def _say(self, html: str) -> None:
        self.state.value = html
        self.state.layout.display = "" if html else "none"

    def _fold(self) -> None:
        self.unfold(is_open=self.entry.layout.display == "none")


def _place(text: str) -> str | Path:
    """The address or the path that a line is; never a text of several words: who mistypes a path is told so."""
    return text if "://" in text else Path(text).expanduser()


def _words(what: Any) -> str:
    """What is ingested, in a few words."""
    if isinstance(what, Document):
        return what.source
    if isinstance(what, str | PathLike):
        return next(iter(str(fspath(what)).splitlines()), "")[:100]
    return f"{len(what)} things" if isinstance(what, Sequence) else "them"
