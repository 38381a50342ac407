"""The tables of documents and chunks."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from toolkit import stamps
from toolkit.db import Database, Row, Sql, Statement, as_json, as_time
from toolkit.errors import ConfigError, Conflict, NotFound, choices
from toolkit.search.documents import Chunk, CollectionInfo, Document, Status, StoredDocument

MOST_NEIGHBORS = 20
"""Chunks on each side of one: 40 of them are a chapter; who wants more wants the document."""

_MOST_NAME = 200
_ROWS = (50, 10, 1)  # rows of one INSERT; few sizes, so that the database has few statements to prepare

_PUT = """
INSERT INTO documents (id, collection, source, title, kind, language, metadata, content_hash, bytes, chunks, root,
                       created_at, updated_at)
VALUES (:id, :collection, :source, :title, :kind, :language, :metadata, :content_hash, :bytes, :chunks, :root,
        :now, :now)
ON CONFLICT (id) DO UPDATE
   SET title = excluded.title, kind = excluded.kind, language = excluded.language, metadata = excluded.metadata,
       content_hash = excluded.content_hash, bytes = excluded.bytes, chunks = excluded.chunks, root = excluded.root,
       updated_at = excluded.updated_at
 WHERE documents.root IN (excluded.root, :path)
RETURNING id
"""
# Told of the documents that were written at this moment: which those are, only the database knows.
_TELL = """
INSERT INTO events (kind, subject, body, created_at)
SELECT {kind}, id, {body}('collection', collection, 'source', source), updated_at
  FROM documents
 WHERE {which} AND updated_at = :now
"""
_KEPT = "CASE WHEN created_at = updated_at THEN 'document.added' ELSE 'document.changed' END"
_CHUNK_COLUMNS = (
    *("id", "document_id", "collection", "position", "heading"),
    *("text", "line_start", "line_end", "content_hash"),
)
_CHUNKS = """
SELECT chunks.*, documents.source, documents.title
  FROM chunks
  JOIN documents ON documents.id = chunks.document_id
"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be kept.

    Attributes:
        content_hash: of its bytes and of the chunker's version.
        bytes: its size before it was cut.
        root: the folder or file given to `ingest`; empty for a document that is no file.
        path: the file itself; empty for a document that is no file.
        replaces: ids of documents that were made of the same file for another root.
    """

    document: Document
    chunks: Sequence[Chunk]
    id: str
    collection: str
    content_hash: str
    bytes: int
    root: str = ""
    path: str = ""
    replaces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What tells whether a document is still the same."""

    id: str
    content_hash: str
    chunks: int


class DocumentStore:
    """Documents and chunks, kept: one document is written as a whole or not at all."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put(self, prepared: Prepared) -> None:
        """Keep a document with its chunks in place of what was kept under its id.

        Raises:
            Conflict: another folder's file has the same name in the collection.
        """
        document, now = prepared.document, stamps.now()
        taken = Conflict(
            f"The collection {prepared.collection!r} has another document called {document.source!r}; "
            "give this one another source or another collection."
        )
        values = {
            "id": prepared.id,
            "collection": prepared.collection,
            "source": document.source,
            "title": document.title or document.source,
            "kind": document.kind,
            "language": document.language,
            "metadata": dict(document.metadata),
            "content_hash": prepared.content_hash,
            "bytes": prepared.bytes,
            "chunks": len(prepared.chunks),
            "root": prepared.root,
            "path": prepared.path,
            "now": now,
        }
        others = [old for old in prepared.replaces if old != prepared.id]
        # The document comes first: its row is the lock that puts two ingests of the same file in order.
        await self._db.write(
            Statement(_PUT, values, unmatched=taken),
            *(removal for old in others for removal in _removal("id = :id", {"id": old})),
            Statement("DELETE FROM chunks WHERE document_id = :id", {"id": prepared.id}),
            *_inserts(prepared.chunks),
            _told(_KEPT, "id = :id", {"id": prepared.id, "now": now}),
        )

    async def roots(self, collection: str) -> list[tuple[str, str]]:
        """Every root of the collection with the source of one of its documents."""
        rows = await self._db.fetch_all(
            """
            SELECT root, MIN(source) AS source
              FROM documents
             WHERE collection = :collection AND root <> ''
             GROUP BY root
            """,
            collection=collection,
        )
        return [(row["root"], row["source"]) for row in rows]

    async def known(self, collection: str, root: str) -> dict[str, Known]:
        """The documents of a root by source."""
        rows = await self._db.fetch_all(
            "SELECT source, id, content_hash, chunks FROM documents WHERE collection = :collection AND root = :root",
            collection=collection,
            root=root,
        )
        return {row["source"]: Known(row["id"], row["content_hash"], row["chunks"]) for row in rows}

    async def known_id(self, document_id: str) -> Known | None:
        """The document of that id, None if there is none."""
        row = await self._db.fetch_one("SELECT id, content_hash, chunks FROM documents WHERE id = :id", id=document_id)
        return Known(row["id"], row["content_hash"], row["chunks"]) if row else None

    async def forget(self, root: str, ids: Sequence[str]) -> int:
        """Remove those documents that still belong to `root`; gives their number."""
        removed = 0
        for start in range(0, len(ids), 100):
            which = "id = :id AND root = :root"
            batch = [_removal(which, {"id": each, "root": root}) for each in ids[start : start + 100]]
            # All of one kind together: Postgres takes statements of the same text at once.
            touched, told, deleted = zip(*batch, strict=True)
            rows = await self._db.write(*touched, *told, *deleted)
            removed += sum(map(len, rows[: len(batch)]))
        return removed

    async def status(self, collection: str | None = None) -> Status:
        """How much is searchable, in one collection or in all.

        Raises:
            NotFound: no such collection.
        """
        row = await self._db.fetch_one(
            """
            SELECT COUNT(*) AS documents, CAST(COALESCE(SUM(chunks), 0) AS BIGINT) AS chunks
              FROM documents
             WHERE CAST(:collection AS TEXT) IS NULL OR collection = :collection
            """,
            collection=collection if collection is None else checked_name(collection),
        )
        if row is None or (collection is not None and not row["documents"]):
            raise await self.no_collection(collection or "")
        return Status(documents=row["documents"], chunks=row["chunks"])

    async def collections(self) -> list[CollectionInfo]:
        """What can be searched, by name."""
        rows = await self._db.fetch_all(
            """
            SELECT collection, COUNT(*) AS documents, CAST(SUM(chunks) AS BIGINT) AS chunks,
                   MAX(updated_at) AS updated_at
              FROM documents
             GROUP BY collection
             ORDER BY collection
            """
        )
        return [
            CollectionInfo(row["collection"], row["documents"], row["chunks"], as_time(row["updated_at"]))
            for row in rows
        ]

    async def chunk(self, chunk_id: str, neighbors: int = 0) -> list[Chunk]:
        """A chunk, with up to `neighbors` chunks of its document before and after it, in order.

        Args:
            chunk_id: as a hit gives it.
            neighbors: 0 to `MOST_NEIGHBORS`.

        Raises:
            NotFound: no such chunk.
        """
        if not 0 <= neighbors <= MOST_NEIGHBORS:
            raise ConfigError(f"neighbors is {neighbors}; it must be 0 to {MOST_NEIGHBORS}.")
        rows = await self._db.fetch_all(
            f"""
            {_CHUNKS}
              JOIN chunks AS wanted ON wanted.document_id = chunks.document_id
             WHERE wanted.id = :id
               AND chunks.position BETWEEN wanted.position - :neighbors AND wanted.position + :neighbors
             ORDER BY chunks.position
            """,
            id=_kept(chunk_id),
            neighbors=neighbors,
        )
        if not rows:
            raise NotFound(f"There is no chunk {chunk_id!r}; take the id of a search's hit.")
        return [_chunk(row) for row in rows]

    async def document(self, document_id: str) -> StoredDocument:
        """A document with its text.

        Raises:
            NotFound: no such document.
        """
        row = await self._db.fetch_one("SELECT * FROM documents WHERE id = :id", id=_kept(document_id))
        if row is None:
            raise _no_document(document_id)
        rows = await self._db.fetch_all(
            f"{_CHUNKS} WHERE chunks.document_id = :id ORDER BY chunks.position",
            id=document_id,
        )
        return StoredDocument(
            id=row["id"],
            collection=row["collection"],
            source=row["source"],
            title=row["title"],
            kind=row["kind"],
            language=row["language"],
            metadata=as_json(row["metadata"]),
            text="".join(_joined([_chunk(each) for each in rows])),
            root=row["root"],
            bytes=row["bytes"],
            chunks=row["chunks"],
            created_at=as_time(row["created_at"]),
            updated_at=as_time(row["updated_at"]),
        )

    async def remove_document(self, document_id: str) -> None:
        """Remove a document with its chunks.

        Raises:
            NotFound: no such document.
        """
        removal = _removal("id = :id", {"id": _kept(document_id)}, unmatched=_no_document(document_id))
        await self._db.write(*removal)

    async def remove_collection(self, name: str) -> int:
        """Remove a collection with its documents; gives their number.

        Raises:
            NotFound: no such collection.
        """
        rows = await self._db.write(*_removal("collection = :name", {"name": checked_name(name)}))
        if not rows[0]:
            raise await self.no_collection(name)
        return len(rows[0])

    async def no_collection(self, name: str) -> NotFound:
        """The error that says that there is no such collection, and what there is."""
        return no_collection(name, [info.name for info in await self.collections()])


def no_collection(name: str, names: Sequence[str]) -> NotFound:
    """The error that says that there is no collection `name`, only those of `names`."""
    if not names:
        return NotFound("Nothing has been ingested yet; add documents first, e.g. with `toolkit ingest docs/`.")
    return NotFound(f"There is no collection {name!r}; {choices(names)}.")


def checked_name(collection: str) -> str:
    """`collection`, if it can name one.

    Raises:
        ConfigError: it is empty, too long, or not printable.
    """
    if not collection.strip() or len(collection) > _MOST_NAME or not collection.isprintable():
        raise ConfigError(f"{collection[:50]!r} cannot name a collection; use 1 to {_MOST_NAME} printable characters.")
    return collection


def _no_document(document_id: str) -> NotFound:
    return NotFound(f"There is no document {document_id!r}; the id is the part of a chunk's id before the dash.")


def _kept(wanted: str) -> str:
    """An id as one that a database can be asked for; no id that was made has other characters."""
    return wanted if wanted.isascii() and wanted.isprintable() else ""


def _removal(
    which: str, values: Mapping[str, Any], *, unmatched: Exception | None = None
) -> tuple[Statement, Statement, Statement]:
    """Removes the documents that `which` is true of, and tells of each; gives their ids first.

    They are marked before, which locks them: on Postgres, what another writer adds or takes meanwhile would be in one
    of the other two statements and not in both.
    """
    marked = {**values, "now": stamps.now()}
    touch = f"UPDATE documents SET updated_at = :now WHERE {which} RETURNING id"  # noqa: S608 - only `which` of ours
    delete = f"DELETE FROM documents WHERE {which} AND updated_at = :now"  # noqa: S608 - only `which` of ours
    return (
        Statement(touch, marked, unmatched=unmatched),
        _told("'document.removed'", which, marked),
        Statement(delete, marked),
    )


def _told(kind: str, which: str, values: Mapping[str, Any]) -> Statement:
    """Tells that `kind` happened to those documents that `which` is true of, and that were written at `now`."""
    sqlite, postgres = (
        _TELL.format(kind=kind, body=body, which=which) for body in ("json_object", "jsonb_build_object")
    )
    return Statement(Sql(sqlite, postgres), values, wakes=True)


def _inserts(chunks: Sequence[Chunk]) -> Iterator[Statement]:
    start = 0
    while start < len(chunks):
        count = next(size for size in _ROWS if start + size <= len(chunks))
        values = {
            f"{column}{n}": value
            for n, chunk in enumerate(chunks[start : start + count])
            for column, value in zip(_CHUNK_COLUMNS, _row(chunk), strict=True)
        }
        rows = ", ".join(f"({', '.join(f':{column}{n}' for column in _CHUNK_COLUMNS)})" for n in range(count))
        # Only names of columns and of values are put into the text.
        yield Statement(f"INSERT INTO chunks ({', '.join(_CHUNK_COLUMNS)}) VALUES {rows}", values)  # noqa: S608
        start += count


def _row(chunk: Chunk) -> tuple[str | int, ...]:
    digest = hashlib.sha256(f"{chunk.heading}\0{chunk.text}".encode()).hexdigest()
    where = (chunk.id, chunk.document_id, chunk.collection, chunk.position)
    return (*where, chunk.heading, chunk.text, chunk.line_start, chunk.line_end, digest)


def _chunk(row: Row) -> Chunk:
    return Chunk(**{name: row[name] for name in Chunk.__slots__})


def _joined(chunks: Sequence[Chunk]) -> Iterator[str]:
    """The chunks' texts, with as many line ends between them as keep every line on its number."""
    line = 1
    for chunk in chunks:
        yield "\n" * (chunk.line_start - line)
        yield chunk.text
        line = chunk.line_end
