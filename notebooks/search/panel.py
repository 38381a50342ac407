"""A search over the ingested documents in a notebook."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from ipywidgets import HTML

from notebooks.search.hits import page, places
from notebooks.widgets.entry import Entry
from notebooks.widgets.panel import Panel, named, sentence
from toolkit.bridge import Lane
from toolkit.search.documents import Hit


class SearchPanel(Panel):
    """A line to search in, and the passages that fit best, with where they stand.

    Args:
        tk: a toolkit from `connect`, `connect_sync` or `Toolkit.open`.
        collection: where to look; None is everywhere.
        top_k: how many passages, at least 1.
    """

    def __init__(self, tk: Any, collection: str | Sequence[str] | None = None, *, top_k: int = 5) -> None:
        self.collection, self.top_k = collection, top_k
        self.hits: list[Hit] = []
        self._entry = Entry("Search", "Search the documents…", "Search", partial(self._guard, self._begin))
        self._found = HTML()
        super().__init__(tk, "search", named(self._entry, "first"), self._found)

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self.hits)
        return f"SearchPanel({places(self.collection)}, {count} hit{'' if count == 1 else 's'})"

    async def search(self, query: str) -> list[Hit]:
        """Search as if `query` had been typed, and wait for the hits, best first.

        Raises:
            ToolkitError: it cannot be searched; the panel shows why as well.
        """
        self._entry.text.value = query
        lane, outcome = self._begin(query)
        hits: list[Hit] = await lane.result(outcome)
        return hits

    def _begin(self, query: str) -> tuple[Lane, Future[Any]]:
        self.stop()  # who searches again no longer waits for the search before
        self._lane = lane = Lane(self._home)
        outcome = lane.call(partial(self._tk.search, query, collection=self.collection, top_k=self.top_k))
        outcome.add_done_callback(partial(self._finish, lane, query))
        return lane, outcome

    def _finish(self, lane: Lane, query: str, outcome: Future[Any]) -> None:
        lane.end()
        if self._lane is not lane:
            return
        error = outcome.exception()
        self.hits = [] if error else outcome.result()
        self._found.value = "" if error else page(self.hits, query, self.collection)
        self._tell("" if error is None or isinstance(error, asyncio.CancelledError) else sentence(error))
