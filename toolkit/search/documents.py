"""What is searched: documents, the chunks that they are cut into, and what a search or an ingest gives back."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

from toolkit.display.card import Card
from toolkit.display.shown import Listing, Shown
from toolkit.search import cards

Kind: TypeAlias = Literal["markdown", "text", "code", "notebook", "html", "pdf", "docx", "pptx", "table"]
"""How a document is cut. Of `html`, `docx`, `pptx` and `notebook` the text is Markdown that was made of them; of a
`table` (CSV, JSON, a workbook) it is one record after another, each value with its name."""

REWRITTEN: frozenset[Kind] = frozenset({"html", "table"})
"""Kinds whose text has other lines than their source: `Chunk.lines` counts those of the source, so that chunks are put
together with one line end between them rather than on their lines."""


@dataclass(frozen=True, slots=True, repr=False)
class Document(Shown):
    """One text to be searched.

    Attributes:
        source: its name within the collection: a path, an address, any words. The same name replaces it.
        text: all of it.
        title: what a person would call it; empty: its source.
        kind: how it is cut; see `Kind`.
        language: the programming language of code, lower case, else None.
        metadata: the application's own data, JSON; a search can ask for equality with it.
    """

    source: str
    text: str
    title: str = ""
    kind: Kind = "text"
    language: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, repr=False)
class SourceMap(Shown):
    """Where the lines of a document's text stand in the bytes that it was made of.

    Attributes:
        starts: for each line of the text the byte at which it begins, -1 where that is not known; None: nowhere is.
        ends: for each line the byte after its last one, without the line's end; as long as `starts`.
        firsts: for each line the line of the source at which it begins, counted from 1; None: they are the same lines.
        lasts: for each line the line of the source with which it ends; as long as `firsts`.
        places: `(line, unit, number, sheet)`: from that line of the text on it is the page, slide, cell or row `number`
            of its source, of the sheet of that name; in order; rows are counted as in the file, from 1.
        outline: `(line, path)`: from that line of the text on it stands under these headings, where the text itself
            does not show them; in order.
        verbatim: a line of the text is, character by character, the bytes between its `starts` and `ends`.
    """

    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None
    firsts: Sequence[int] | None = None
    lasts: Sequence[int] | None = None
    places: Sequence[tuple[int, str, int, str]] = ()
    outline: Sequence[tuple[int, tuple[str, ...]]] = ()
    verbatim: bool = True


@dataclass(frozen=True, slots=True, repr=False)
class Loaded(Document):
    """A document that was made of a file's bytes.

    Attributes:
        encoding: what the bytes are decoded with, a name that Python knows, without a byte order mark of its own
            (`utf-16-le`); None where the file is no text.
        source_map: where the lines stand in the bytes.
    """

    encoding: str | None = None
    source_map: SourceMap | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Chunk(Shown):
    """A passage of a document, of whole lines.

    Attributes:
        id: the document's id, a dash, and the position.
        position: 1 is the document's first chunk.
        heading: where it stands: `"Guide › Install"`, `"class Router"`, or empty.
        line_start: 1 is the document's first line.
        line_end: the last line, itself included. A line too long for one chunk is shared by several.
        source: the document's.
        title: the document's.
        byte_start: where it begins in the bytes of the file, or in the UTF-8 of a text that came without a file; None
            where the file is no text (PDF, Office) or its text is wrapped in another form (notebooks).
        byte_end: the byte after its last one: `data[byte_start:byte_end].decode(encoding)` are its lines, with the
            line ends that the file has; of HTML and tables it is what they were made of.
        place: where it stands in a source that has pages, slides, sheets or cells, in words: `"page 3"`,
            `"slides 3–4"`, `"sheet Costs, rows 2–40"`, `"cell 5"`; else empty.
    """

    id: str
    document_id: str
    collection: str
    position: int
    heading: str
    text: str
    line_start: int
    line_end: int
    source: str
    title: str
    byte_start: int | None = None
    byte_end: int | None = None
    place: str = ""

    _shown = cards.chunk

    @property
    def lines(self) -> tuple[int, int]:
        """First and last line, counted from 1, both included."""
        return (self.line_start, self.line_end)

    @property
    def page(self) -> int | None:
        """The page or slide on which it begins, counted from 1; None where there are none."""
        return page_of(self.place)


@dataclass(frozen=True, slots=True, repr=False)
class Parts(Shown):
    """What a hit's score is made of.

    Attributes:
        lexical: BM25 of the words that it shares with the query, as a share of the best chunk's: 0 to 1; None where
            meaning alone counts.
        semantic: cosine between its meaning and the query's, −1 to 1; None where it is not known.
        weights: how much each of the two counts; they add up to 1.
        estimated: its meaning is not known yet, and counts as much as that of chunks with as many of the words.
        coverage: the share of the query's words that the chunk has, in any form, 0 to 1.
        exact: the share of the query's identifiers and quoted phrases that stand in it as they are written; None where
            the query is none and has none.
        weight: how much its collection counts.
        reranked: what a reranker said; None where none was asked. Its scale is the reranker's.
        total: all of them together, before it was put in proportion to the best hit's: comparable between searches.
        embedder: who made the meanings; None where they were not compared.
    """

    lexical: float | None = None
    semantic: float | None = None
    weights: tuple[float, float] = (1.0, 0.0)
    estimated: bool = False
    coverage: float = 0.0
    exact: float | None = None
    weight: float = 1.0
    reranked: float | None = None
    total: float = 0.0
    embedder: str | None = None

    _shown = cards.parts

    @property
    def explained(self) -> str:
        """The same in one line for people: `0.30 × words 0.81 + 0.70 × meaning 0.55 = 0.63`."""
        words, meaning = self.weights
        told = [f"{words:.2f} × words {self.lexical:.2f}"] if words and self.lexical is not None else []
        if meaning:
            known = "not known yet" if self.semantic is None else f"{self.semantic:.2f}"
            told.append(f"{meaning:.2f} × meaning {known}")
        line = " + ".join(told)
        if self.exact:
            line += f", as written {self.exact:.2f}"
        if self.weight != 1.0:
            line += f", collection × {self.weight:g}"
        if self.reranked is not None:
            line += f", reranked {self.reranked:.2f}"
        return f"{line} = {self.total:.2f}"


WORDS_ALONE = Parts()
"""What is known of a hit that nobody explained."""


@dataclass(frozen=True, slots=True, repr=False)
class Hit(Shown):
    """A chunk that fits a query.

    Attributes:
        title: the document's.
        heading: where in the document it stands; may be empty.
        lines: first and last line, counted from 1, both included.
        score: 1.0 for the best hit of the query, the others in proportion; four decimals.
        byte_start: as of the chunk.
        byte_end: as of the chunk.
        place: as of the chunk.
        parts: what the score is made of.
        highlights: first character and the one after the last of each place in `text` that has a word of the query in
            any of its forms, in order and apart from each other.
        metadata: the document's.
        neighbors: the chunks before and after it in its document, in order, where the search asked for some.
    """

    chunk_id: str
    document_id: str
    source: str
    title: str
    heading: str
    lines: tuple[int, int]
    text: str
    score: float
    collection: str
    byte_start: int | None = None
    byte_end: int | None = None
    place: str = ""
    parts: Parts = WORDS_ALONE
    highlights: tuple[tuple[int, int], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    neighbors: tuple[Chunk, ...] = ()

    _shown = cards.hit

    @property
    def page(self) -> int | None:
        """The page or slide on which it begins, counted from 1; None where there are none."""
        return page_of(self.place)


class Hits(Listing[Hit]):
    """The hits of one search, best first.

    Args:
        hits: this page's.
        cursor: what `search` takes as `cursor` to give the next page; None: there is none.
        note: why only words were compared although meanings were asked for; empty where nothing was left out.
    """

    def __init__(self, hits: Iterable[Hit] = (), *, cursor: str | None = None, note: str = "") -> None:
        super().__init__(hits)
        self.cursor = cursor
        self.note = note

    def _shown(self) -> Card:
        return cards.hits(self, super()._shown())


@dataclass(frozen=True, slots=True, repr=False)
class StoredDocument(Shown):
    """A document as it is kept.

    Attributes:
        text: its chunks put together again: every line that is not blank, on its line.
        root: the folder or file given to `ingest`; empty for a document that was no file.
        bytes: its size before it was cut.
        chunks: how many it has.
    """

    id: str
    collection: str
    source: str
    title: str
    kind: str
    language: str | None
    metadata: Mapping[str, Any]
    text: str
    root: str
    bytes: int
    chunks: int
    created_at: datetime
    updated_at: datetime

    _shown = cards.stored


@dataclass(frozen=True, slots=True, repr=False)
class CollectionInfo(Shown):
    """A named set of documents, and when it last changed; `owner` is whose it is, None: everyone's."""

    name: str
    documents: int
    chunks: int
    updated_at: datetime
    owner: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Status(Shown):
    """How much is searchable; `pending` chunks are found by their words and not yet by their meaning."""

    documents: int
    chunks: int
    pending: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class IngestProgress(Shown):
    """`done` of `total` documents have been looked at; `source` is the last one."""

    done: int
    total: int
    source: str


@dataclass(frozen=True, slots=True, repr=False)
class IngestReport(Shown):
    """What an ingest did.

    Attributes:
        added: documents that were not there before.
        updated: documents whose content had changed.
        unchanged: documents that were left untouched.
        removed: documents of the folder whose files are gone or can no longer be read as text.
        skipped: `(path, reason)` of every file that was not taken.
        documents: added, updated and unchanged together.
        chunks: what these documents have together.
    """

    added: int
    updated: int
    unchanged: int
    removed: int
    skipped: tuple[tuple[str, str], ...]
    documents: int
    chunks: int

    _shown = cards.report


_PAGE = re.compile(r"(?:page|slide)s? (\d+)")


def page_of(place: str) -> int | None:
    """The page or slide that a chunk's `place` begins with, None without one."""
    found = _PAGE.match(place)
    return int(found.group(1)) if found else None
