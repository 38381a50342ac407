"""What is searched: documents, the chunks that they are cut into, and what a search or an ingest gives back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["markdown", "text", "code", "notebook"]


@dataclass(frozen=True, slots=True)
class Document:
    """One text to be searched.

    Attributes:
        source: its name within the collection: a path, an address, any words. The same name replaces it.
        text: all of it.
        title: what a person would call it; empty: its source.
        kind: how it is cut; `notebook` means Markdown with the code cells fenced.
        language: the programming language of code, lower case, else None.
        metadata: the application's own data, JSON; a search can ask for equality with it.
    """

    source: str
    text: str
    title: str = ""
    kind: Kind = "text"
    language: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of a document, of whole lines.

    Attributes:
        id: the document's id, a dash, and the position.
        position: 1 is the document's first chunk.
        heading: where it stands: `"Guide › Install"`, `"class Router"`, or empty.
        line_start: 1 is the document's first line.
        line_end: the last line, itself included. A line too long for one chunk is shared by several.
        source: the document's.
        title: the document's.
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

    @property
    def lines(self) -> tuple[int, int]:
        """First and last line, counted from 1, both included."""
        return (self.line_start, self.line_end)


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that fits a query.

    Attributes:
        title: the document's.
        heading: where in the document it stands; may be empty.
        lines: first and last line, counted from 1, both included.
        score: 1.0 for the best hit of the query, the others in proportion; four decimals.
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


@dataclass(frozen=True, slots=True)
class StoredDocument:
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


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A named set of documents, and when it last changed."""

    name: str
    documents: int
    chunks: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Status:
    """How much is searchable; `pending` chunks are found by their words and not yet by their meaning."""

    documents: int
    chunks: int
    pending: int = 0


@dataclass(frozen=True, slots=True)
class IngestProgress:
    """`done` of `total` documents have been looked at; `source` is the last one."""

    done: int
    total: int
    source: str


@dataclass(frozen=True, slots=True)
class IngestReport:
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
