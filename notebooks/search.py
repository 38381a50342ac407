"""A search over the ingested documents in a notebook."""

import asyncio
import re
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from html import escape
from typing import Any

from ipywidgets import HTML

from notebooks.entry import Entry
from notebooks.panel import Panel, named, sentence
from toolkit.bridge import Lane
from toolkit.search.documents import Hit
from toolkit.terms import terms

EXCERPT = 320
"""Characters shown of a passage; the rest unfolds."""

_STEM, _ENDING = 4, r"[^\W_]{0,3}"


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
        self._entry = Entry("Search", "Search the documents…", "Search", partial(self._guarded, self._begin))
        self._found = HTML()
        super().__init__(tk, "search", named(self._entry, "first"), self._found)

    def __repr__(self) -> str:
        """The same at every run: without ids and times."""
        count = len(self.hits)
        return f"SearchPanel({_places(self.collection)}, {count} hit{'' if count == 1 else 's'})"

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


def page(hits: Sequence[Hit], query: str, collection: str | Sequence[str] | None = None) -> str:
    """The hits as HTML, with the words of `query` marked."""
    if not hits:
        said = f"Nothing in {_places(collection)} fits “{query}”; try other words."
        return f'<div class="toolkit-note" role="status">{escape(said)}</div>'
    count = f"{len(hits)} passage{'' if len(hits) == 1 else 's'} in {_places(collection)}"
    cards = "".join(_card(number, hit, query) for number, hit in enumerate(hits, start=1))
    return f'<div class="toolkit-note" role="status">{escape(count)}</div><ol class="toolkit-hits">{cards}</ol>'


def marked(text: str, query: str) -> str:
    """`text` as HTML, with the words of `query` marked, also where they carry another ending."""
    pattern = _words(query)
    parts, at = [], 0
    for match in pattern.finditer(text) if pattern else ():
        parts += [escape(text[at : match.start()]), f"<mark>{escape(match.group())}</mark>"]
        at = match.end()
    return "".join([*parts, escape(text[at:])])


def _card(number: int, hit: Hit, query: str) -> str:
    excerpt = _excerpt(hit.text, query)
    whole = f'<div class="toolkit-passage">{marked(hit.text, query)}</div>'
    more = "" if excerpt == hit.text.strip() else f"<details><summary>whole passage</summary>{whole}</details>"
    heading = "" if hit.heading in {"", hit.title} else f"<span>{escape(hit.heading)}</span>"
    return (
        f'<li><span class="toolkit-number">[{number}]</span>'
        f'<span class="toolkit-title">{escape(hit.title or hit.source)}{heading}</span>'
        f'<span class="toolkit-score" title="score, beside the best hit\'s 1">'
        f'<i style="--share: {max(0.0, min(1.0, hit.score)):.0%}"></i>{hit.score:.2f}</span>'
        f'<span class="toolkit-path">{escape(hit.source)}:{hit.lines[0]}–{hit.lines[1]}</span>'
        f'<div class="toolkit-passage">{marked(excerpt, query)}</div>{more}</li>'
    )


def _excerpt(text: str, query: str) -> str:
    text = text.strip()
    if len(text) <= EXCERPT:
        return text
    pattern = _words(query)
    first = pattern.search(text) if pattern else None
    # From the beginning of the line of the first match, or so near to it that the match is seen.
    begin = text.rfind("\n", 0, first.start()) + 1 if first else 0
    if first and first.start() - begin > EXCERPT // 2:
        begin = text.rfind(" ", 0, first.start() - EXCERPT // 4) + 1
    end = len(text) if len(text) - begin <= EXCERPT else text.rfind(" ", begin, begin + EXCERPT)
    end = begin + EXCERPT if end <= begin else end
    return f"{'… ' if begin else ''}{text[begin:end].strip()}{' …' if end < len(text) else ''}"


def _words(query: str) -> re.Pattern[str] | None:
    # The index compares stems: words of four letters and more may end in an s less, or in three other letters more.
    words = sorted({term.casefold() for term in terms(query)}, key=lambda word: (-len(word), word))
    branches = [re.escape(word) if len(word) < _STEM else re.escape(re.sub("s$", "", word)) + _ENDING for word in words]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(branches)})(?![^\W_])", re.IGNORECASE) if branches else None


def _places(collection: str | Sequence[str] | None) -> str:
    if collection is None:
        return "all collections"
    return collection if isinstance(collection, str) else ", ".join(collection)
