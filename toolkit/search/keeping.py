"""The statements that keep documents and remove them; each list of them begins by locking its collection."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias

from toolkit.db import Rows, Sql, Statement
from toolkit.search.collection import name_of
from toolkit.search.documents import Chunk, Document, Loaded

_DOCUMENTS: Final = {
    "id": "TEXT",
    "collection": "TEXT",
    "source": "TEXT",
    "title": "TEXT",
    "kind": "TEXT",
    "language": "TEXT",
    "metadata": "JSONB",
    "content_hash": "TEXT",
    "bytes": "BIGINT",
    "chunks": "BIGINT",
    "root": "TEXT",
    "encoding": "TEXT",
    "analysed": "TEXT",
    "created_at": "TIMESTAMPTZ",
    "updated_at": "TIMESTAMPTZ",
}
_CHUNKS: Final = {
    "id": "TEXT",
    "document_id": "TEXT",
    "collection": "TEXT",
    "position": "BIGINT",
    "heading": "TEXT",
    "text": "TEXT",
    "line_start": "BIGINT",
    "line_end": "BIGINT",
    "byte_start": "BIGINT",
    "byte_end": "BIGINT",
    "place": "TEXT",
    "content_hash": "TEXT",
}
ChunkRow: TypeAlias = tuple[str, str, str, int, str, str, int, int, int | None, int | None, str, str]
"""A chunk as it is written: what `_CHUNKS` names."""

_STAYS = ("id", "collection", "source", "created_at")
_REPLACE = "ON CONFLICT (id) DO UPDATE SET " + ", ".join(f"{n} = excluded.{n}" for n in _DOCUMENTS if n not in _STAYS)
_KEPT = "CASE WHEN created_at = updated_at THEN 'document.added' ELSE 'document.changed' END"
_REMOVED = "'document.removed'"

# A document of another root may be taken over only if it is the same file.
_FREE = Sql(
    """
    SELECT 1 AS free
     WHERE NOT EXISTS (
        SELECT 1
          FROM json_each(:places) AS place
          JOIN documents ON documents.id = json_extract(place.value, '$[0]')
         WHERE documents.root NOT IN (json_extract(place.value, '$[1]'), json_extract(place.value, '$[2]')))
    """,
    """
    SELECT 1 AS free
     WHERE NOT EXISTS (
        SELECT 1
          FROM jsonb_array_elements(:places) AS place (value)
          JOIN documents ON documents.id = place.value ->> 0
         WHERE documents.root NOT IN (place.value ->> 1, place.value ->> 2))
    """,
)
_THESE = Sql("IN (SELECT value FROM json_each(:ids))", "IN (SELECT jsonb_array_elements_text(:ids))")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be kept.

    Attributes:
        collection: the key of the collection.
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


class Written(NamedTuple):
    """A document as it is written: flat, for most come from another process.

    Attributes:
        id: of the document.
        source: what it is called in its collection.
        title: what it is called by people, or its source.
        root: the folder or file given to `ingest`; empty for a document that is no file.
        path: the file itself; empty for a document that is no file.
        replaces: ids of documents that were made of the same file for another root.
        row: of the table `documents`, without what is only known when it is written.
        chunks: the rows of its chunks.
    """

    id: str
    source: str
    title: str
    root: str
    path: str
    replaces: tuple[str, ...]
    row: tuple[Any, ...]
    chunks: Sequence[ChunkRow]


def written(prepared: Prepared) -> Written:
    """The rows of a document."""
    document, key = prepared.document, prepared.collection
    source, title = document.source, document.title or document.source
    about = (document.kind, document.language, dict(document.metadata))
    size = (prepared.content_hash, prepared.bytes, len(prepared.chunks), prepared.root)
    encoding = document.encoding if isinstance(document, Loaded) else "utf-8"
    row = (prepared.id, key, source, title, *about, *size, encoding)
    chunks = [_row(chunk, key) for chunk in prepared.chunks]
    return Written(prepared.id, source, title, prepared.root, prepared.path, prepared.replaces, row, chunks)


def keep(
    documents: Sequence[Written], *, key: str, analysed: str, now: datetime, taken: Exception
) -> list[Statement | Rows]:
    """Keeps documents, each in place of what was kept under its id; behind the statement that locks the collection.

    Args:
        documents: with different ids.
        key: of their collection.
        analysed: how their words are indexed.
        now: the moment, by which those that were written are told from others.
        taken: raised where one would replace another folder's file.
    """
    name, when = name_of(key), (analysed, now, now)
    ids = {"ids": [each.id for each in documents], "now": now, "name": name}
    others = replaced(documents)
    places = [[each.id, each.root, each.path] for each in documents]
    return [
        Statement(_FREE, {"places": places}, unmatched=taken),
        *(remove({"ids": others, "name": name}, now=now) if others else ()),
        Rows("documents", _DOCUMENTS, [each.row + when for each in documents], _REPLACE),
        Statement(_with("DELETE FROM chunks WHERE document_id {these}"), ids),
        Rows("chunks", _CHUNKS, [row for each in documents for row in each.chunks]),
        _told(_KEPT, "id {these}", ids),
    ]


def replaced(documents: Sequence[Written]) -> list[str]:
    """The ids of the documents that go for these to come."""
    own = {each.id for each in documents}
    return [old for old in dict.fromkeys(old for each in documents for old in each.replaces) if old not in own]


def remove(
    values: Mapping[str, Any], *, now: datetime, which: str = "id {these}", unmatched: Exception | None = None
) -> tuple[Statement, Statement, Statement]:
    """Removes the documents that `which` is true of, and tells of each; gives their ids first.

    They are marked before: what is marked at this moment is told of, and deleted.

    Args:
        values: of `which`, and the `name` of the collection.
        now: the moment.
        which: the condition; as it is written here it needs `ids`.
        unmatched: raised where there is none.
    """
    marked = {**values, "now": now}
    return (
        Statement(_with(f"UPDATE documents SET updated_at = :now WHERE {which} RETURNING id"), marked, unmatched),  # noqa: S608 - only `which` of ours
        _told(_REMOVED, which, marked),
        Statement(_with(f"DELETE FROM documents WHERE {which} AND updated_at = :now"), marked),  # noqa: S608 - as above
    )


def all_there(ids: Sequence[str], root: str, *, otherwise: Exception) -> Statement:
    """Raises unless all of these documents belong to `root`."""
    sql = _with(
        "SELECT 1 AS there WHERE (SELECT COUNT(*) FROM documents WHERE id {these} AND root = :root) "
        "= CAST(:count AS BIGINT)"
    )
    return Statement(sql, {"ids": list(ids), "root": root, "count": len(ids)}, unmatched=otherwise)


def _told(kind: str, which: str, values: Mapping[str, Any]) -> Statement:
    """Tells that `kind` happened to those documents that `which` is true of, and that were written at `now`."""
    sqlite, postgres = (
        f"""
        INSERT INTO events (kind, subject, body, created_at)
        SELECT {kind}, id, {body}('collection', CAST(:name AS TEXT), 'source', source), updated_at
          FROM documents
         WHERE {which} AND updated_at = :now
        """  # noqa: S608 - only `which` of ours
        for body in ("json_object", "jsonb_build_object")
    )
    told = Sql(sqlite.format(these=_THESE.sqlite), postgres.format(these=_THESE.postgres))
    return Statement(told, values, wakes=True)


def _with(template: str) -> Sql:
    """A statement with `{these}` as each database says it: is one of the list `:ids`."""
    return Sql(template.format(these=_THESE.sqlite), template.format(these=_THESE.postgres))


def _row(chunk: Chunk, collection: str) -> ChunkRow:
    digest = hashlib.sha256(f"{chunk.heading}\0{chunk.text}".encode()).hexdigest()
    said = (chunk.id, chunk.document_id, collection, chunk.position, chunk.heading, chunk.text)
    return (*said, chunk.line_start, chunk.line_end, chunk.byte_start, chunk.byte_end, chunk.place, digest)
