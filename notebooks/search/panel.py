"""A search over the ingested documents in a notebook."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import Any, TypeAlias

from ipywidgets import HTML, HBox, VBox

from notebooks.search import telling
from notebooks.search.hits import cards, counted, nothing, places
from notebooks.search.intake import Intake
from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button, dropdown
from notebooks.widgets.entry import Entry
from notebooks.widgets.live import LivePanel
from notebooks.widgets.panel import named, sentence
from toolkit.bridge import Lane
from toolkit.errors import ConfigError, NotFound
from toolkit.knowledge import Ingestible
from toolkit.search.documents import Hit, Hits, IngestProgress, IngestReport, Status
from toolkit.search.ranking.mode import Mode

LOOK_AGAIN_SECONDS = 1.0
"""How soon the index is looked at again while vectors are being made."""

Where: TypeAlias = str | tuple[str, ...] | None

_EVERYWHERE: tuple[str, ...] = ()  # in the list; None would be that nothing is chosen

_MODES: list[tuple[str, Mode]] = [("Hybrid", "hybrid"), ("Words", "lexical"), ("Meaning", "semantic")]


class SearchPanel(LivePanel):
    """A line to search in, the passages that fit best, and a line to add documents.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        collection: where to look; None is everywhere.
        chat: a ChatPanel; each hit can then be cited there.
        top_k: how many passages at once, at least 1.
        mode: `"hybrid"`, `"lexical"` for words alone, `"semantic"` for meaning alone.

    Attributes:
        hits: of the last search, best first, those of further pages too.
    """

    def __init__(
        self,
        tk: Any,
        collection: str | Sequence[str] | None = None,
        *,
        chat: Any = None,
        top_k: int = 5,
        mode: Mode = "hybrid",
    ) -> None:
        self.top_k, self.chat, self.hits = top_k, chat, Hits()
        self._last, self._offering = _Asked(ended=True), False
        self._entry = Entry("Search", "Search the documents…", "Search", partial(self._guard, self._begin))
        self._where = dropdown(
            "Collection", [("All collections", _EVERYWHERE)], partial(self._guard, self._search_again)
        )
        self._mode = dropdown("How to search", _MODES, partial(self._guard, self._search_again), mode)
        self._entry.children = [self._entry.text, self._mode, self._where, self._entry.button]
        self._found, self._cards = HTML(), named(VBox(), "cards")
        self._more = named(HBox([button("More hits", partial(self._guard, self._begin_more))]), "more")
        self._intake = Intake(self._guard, self._ingest, lambda: self._home)
        shown = [named(self._entry, "first"), self._found, self._cards, self._more, self._intake]
        super().__init__(tk, "search", *shown)
        self._more.layout.display = "none"
        self.collection = collection
        self._follow("document.added", "document.changed", "document.removed")

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self.hits)
        return f"SearchPanel({places(self.collection)}, {count} hit{'' if count == 1 else 's'})"

    @property
    def collection(self) -> Where:
        """Where is searched: a name, several, or None for everywhere."""
        chosen: str | tuple[str, ...] = self._where.value
        return None if chosen == _EVERYWHERE else chosen

    @collection.setter
    def collection(self, wanted: str | Sequence[str] | None) -> None:
        where = wanted if wanted is None or isinstance(wanted, str) else tuple(wanted)
        self._offer([name for _, name in self._where.options if isinstance(name, str)], where)
        self._intake.collection.value = where if isinstance(where, str) else ""

    def search(self, query: str) -> Any:
        """Search as if `query` had been typed, and wait for the hits, best first.

        Raises:
            ToolkitError: it cannot be searched; the panel shows why as well.
        """
        self._entry.text.value = query
        return self._given(*self._begin(query))

    def more(self) -> Any:
        """Add the next hits of the last search, and wait for all of them; the same as before if there are no more."""
        return self._given(*self._begin_more())

    def ingest(self, what: Ingestible | Sequence[Ingestible], *, collection: str | None = None) -> Any:
        """Add documents as if `what` had been written there, and wait for the report; None if it was stopped.

        Args:
            what: as in `Toolkit.ingest`.
            collection: what they are to belong to; None is what the panel says.

        Raises:
            IngestError: nothing can be read; the panel shows why as well.
        """
        return self._given(*self._intake.begin(what, collection))

    def cite(self, number: int) -> Any:
        """Cite the hit `number` of those that are shown, counted from 1, in the chat.

        Raises:
            ConfigError: the panel has no chat.
            NotFound: there is no such hit.
        """
        if self.chat is None:
            raise ConfigError("This panel has no chat to cite in; make it with `SearchPanel(tk, chat=chat)`.")
        if not 1 <= number <= len(self.hits):
            raise NotFound(f"There is no hit {number}; there are {len(self.hits)}.")
        return self.chat.cite(self.hits[number - 1])

    def to_frame(self) -> Any:
        """The hits as a pandas DataFrame.

        Raises:
            ConfigError: pandas is not installed.
        """
        return self.hits.to_frame()

    def stop(self) -> None:
        """Cancel the search and the ingest that run; nothing happens if none does."""
        super().stop()
        self._intake.stop()

    # Searching

    def _begin(self, query: str) -> tuple[Lane, Future[Any]]:
        self._found.value = telling.searching()
        return self._call(_Asked(query, self.collection, self._mode.value))

    def _begin_more(self) -> tuple[Lane, Future[Any]]:
        return self._call(self._last)

    def _call(self, asked: "_Asked") -> tuple[Lane, Future[Any]]:
        super().stop()  # who searches again no longer waits for the search before
        self._lane = lane = Lane(self._home)
        outcome = lane.call(partial(self._search, lane, asked))
        outcome.add_done_callback(lambda _: self._guard(self._searched, lane))
        return lane, outcome

    async def _search(self, lane: Lane, asked: "_Asked") -> Hits:
        """The hits, once the panel shows them: a cell that waits for them may look at the panel next."""
        if asked.ended:
            return self.hits
        where = list(asked.where) if isinstance(asked.where, tuple) else asked.where
        try:
            found: Hits = await self._tk.search(
                asked.query, collection=where, top_k=self.top_k, mode=asked.mode, cursor=asked.cursor
            )
        except Exception as error:
            if self._lane is lane:
                self._display(asked, Hits())
                self._found.value = ""
                self._tell(sentence(error))
            raise
        if self._lane is lane:
            self._tell("")
            self._display(asked, found)
        return self.hits

    def _searched(self, lane: Lane) -> None:
        lane.end()
        if self._lane is lane:
            self._lane = None
            if self._found.value == telling.searching():  # it was cancelled
                self._found.value = ""
            self._look_again()

    def _search_again(self, _: object) -> None:
        if self._offering:
            return
        if self._last.query:
            self._begin(self._last.query)
        if isinstance(self.collection, str):
            self._intake.collection.value = self.collection
        self._look_again()

    def _display(self, asked: "_Asked", found: Hits) -> None:
        before = Hits() if asked.cursor is None else self.hits
        self.hits = Hits([*before, *found], cursor=found.cursor, note=found.note)
        self._last = replace(asked, cursor=found.cursor, ended=found.cursor is None)
        said = counted(len(self.hits), asked.where) if self.hits else nothing(asked.query, asked.where)
        self._found.value = telling.note(said, found.note)
        self._more.layout.display = "" if found.cursor else "none"
        kept = self._cards.children if before else ()
        gone = () if before else self._cards.children
        self._cards.children = (*kept, *self._views(found, len(before) + 1))
        for each in gone:
            discard(each)

    def _views(self, hits: Sequence[Hit], first: int) -> list[Any]:
        if self.chat is None:
            return [HTML(cards(hits, first))] if hits else []
        return [self._citable(hit, number) for number, hit in enumerate(hits, start=first)]

    def _citable(self, hit: Hit, number: int) -> Any:
        cite = partial(self._guard, self.cite, number)
        tip = f"Cite [{number}] in the chat"
        return named(VBox([HTML(cards([hit], number)), button("Cite in chat", cite, tip=tip, look="link")]), "card")

    # What there is

    def _look_again(self) -> None:
        with Lane(self._home) as lane:
            lane.call(self._look).add_done_callback(self._looked)

    def _looked(self, outcome: Future[Any]) -> None:
        error = outcome.exception()
        if isinstance(error, Exception):
            self._tell(sentence(error))

    async def _show(self) -> float | None:
        names = sorted({info.name for info in await self._tk.documents.collections()})
        where = self.collection
        wanted = (where,) if where is None or isinstance(where, str) else where
        there = [await self._tk.documents.status(name) for name in wanted if name is None or name in names]
        whole = Status(*(sum(each) for each in zip(*map(astuple, there), strict=True))) if there else None
        self._offer(names, self.collection)
        self._intake.holding.value = telling.holding(whole, None if where is None else places(where)) if names else ""
        if not names and not self.hits and self._lane is None:
            self._found.value = telling.empty(waits=self._waits)
            self._intake.unfold(is_open=True)
        elif self._found.value == telling.empty(waits=self._waits):
            self._found.value = ""
        stands = self._tk.embedding.paused or any(self._tk.embedding.progress(name).problem for name in names)
        return LOOK_AGAIN_SECONDS if whole and whole.pending and not stands else None

    async def _ingest(self, what: Any, collection: str, progress: Callable[[IngestProgress], None]) -> IngestReport:
        report: IngestReport = await self._tk.ingest(what, collection=collection, progress=progress)
        await self._look()
        return report

    def _offer(self, names: Sequence[str], where: Where) -> None:
        chosen = _EVERYWHERE if where is None else where
        options = [("All collections", _EVERYWHERE), *((name, name) for name in names)]
        if chosen not in [value for _, value in options]:
            options.append((places(where), chosen))
        if tuple(options) != tuple(self._where.options) or self._where.value != chosen:
            self._offering = True
            try:
                self._where.options, self._where.value = options, chosen
            finally:
                self._offering = False


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search, and where it goes on; `ended`: it has no more hits."""

    query: str = ""
    where: Where = None
    mode: Mode = "hybrid"
    cursor: str | None = None
    ended: bool = False
