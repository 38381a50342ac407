"""What is asked of the tables of the index, and the statements that write to them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import numpy as np

from toolkit import stamps
from toolkit.db import Database, Row, Sql, Statement
from toolkit.errors import Conflict
from toolkit.search.collection import COLUMNS, Collection
from toolkit.search.index import bodies
from toolkit.search.index.building import title_of
from toolkit.search.index.draft import Entry
from toolkit.search.index.identity import Docs
from toolkit.search.index.pieces import Hashes

LIVE: Final = "live"
BUILDING: Final = "building"
GONE: Final = "gone"

_AT_ONCE = 500  # keys of one query
_ROWS = 32  # of the log that one query reads: a megabyte each, at most, while other readers wait

_LOG = """
SELECT version, kind, body FROM search_log
 WHERE collection = :key AND version > :after AND (CAST(:kind AS TEXT) IS NULL OR kind = :kind)
 ORDER BY version, kind
 LIMIT :most
"""
_BLOCKS = Sql(
    """
    SELECT postings.segment, postings.block, postings.body
      FROM json_each(:wanted) AS wanted
      JOIN postings ON postings.segment = json_extract(wanted.value, '$[0]')
                   AND postings.block = json_extract(wanted.value, '$[1]')
    """,
    """
    SELECT postings.segment, postings.block, postings.body
      FROM jsonb_array_elements(:wanted) AS wanted (value)
      JOIN postings ON postings.segment = CAST(wanted.value ->> 0 AS BIGINT)
                   AND postings.block = CAST(wanted.value ->> 1 AS BIGINT)
    """,
)
_ENTRY = Sql(
    """
    INSERT INTO search_log (collection, version, kind, chunks, body)
    SELECT key, version, :kind, :chunks, :body FROM collections WHERE key = :key
    """,
    """
    INSERT INTO search_log (collection, version, kind, chunks, body)
    SELECT key, version, CAST(:kind AS TEXT), CAST(:chunks AS BIGINT), CAST(:body AS BYTEA)
      FROM collections
     WHERE key = :key
    """,
)
_TEXTS = Sql(
    """
    SELECT chunks.id, chunks.heading, chunks.text, documents.title, documents.source
      FROM json_each(:ids) AS wanted
      JOIN chunks ON chunks.id = wanted.value
      JOIN documents ON documents.id = chunks.document_id
    """,
    """
    SELECT chunks.id, chunks.heading, chunks.text, documents.title, documents.source
      FROM jsonb_array_elements_text(:ids) AS wanted (value)
      JOIN chunks ON chunks.id = wanted.value
      JOIN documents ON documents.id = chunks.document_id
    """,
)


class SegmentRow(NamedTuple):
    """A sealed segment; `head` is None where it is known already."""

    id: int
    version: int
    dead: bytes
    head: bytes | None


class ChunkText(NamedTuple):
    """What a chunk says, and under which names."""

    id: str
    title: str
    heading: str
    text: str


async def collections(db: Database, keys: Sequence[str]) -> dict[str, Collection]:
    """The collections of these keys, by key; one that is not there is left out."""
    found: dict[str, Collection] = {}
    for start in range(0, len(keys), _AT_ONCE):
        values = {f"k{n}": key for n, key in enumerate(keys[start : start + _AT_ONCE])}
        places = ", ".join(f":{name}" for name in values)
        rows = await db.fetch_all(f"SELECT {COLUMNS} FROM collections WHERE key IN ({places})", **values)  # noqa: S608 - only names of values
        found |= {row["key"]: Collection.from_row(row) for row in rows}
    return found


async def every_collection(db: Database) -> list[Collection]:
    """All collections."""
    return [Collection.from_row(row) for row in await db.fetch_all(f"SELECT {COLUMNS} FROM collections ORDER BY key")]  # noqa: S608 - our own columns


async def log(db: Database, key: str, after: int, *, vectors_only: bool = False) -> list[Entry]:
    """The rows of the log behind a version, in order."""
    kind = bodies.VECTORS if vectors_only else None
    found: list[Entry] = []
    while True:
        rows = await db.fetch_all(_LOG, key=key, after=after, kind=kind, most=_ROWS)
        part = [Entry(row["version"], row["kind"], row["body"]) for row in rows]
        if len(part) < _ROWS:
            return found + part
        after = part[-1].version - 1  # of the last version there may be more
        found += [each for each in part if each.version <= after]


async def segments(db: Database, key: str, known: Iterable[int]) -> tuple[Collection | None, list[SegmentRow]]:
    """The collection and its sealed segments, of one moment and in order; None where there is no such collection.

    Args:
        db: where.
        key: of the collection.
        known: segments whose heads need not be read again.
    """
    values = {f"s{n}": own for n, own in enumerate(known)}
    places = ", ".join(f":{name}" for name in values) or "NULL"
    columns = ", ".join(f"collections.{name}" for name in Collection.__slots__)
    rows = await db.fetch_all(
        f"""
        SELECT {columns}, segments.id AS segment, segments.version AS made, segments.dead,
               CASE WHEN segments.id IN ({places}) THEN NULL ELSE segments.head END AS head
          FROM collections
          LEFT JOIN segments ON segments.collection = collections.key AND segments.state = 'live'
         WHERE collections.key = :key
         ORDER BY segments.version, segments.id
        """,  # noqa: S608 - only names of columns and values
        key=key,
        **values,
    )
    if not rows:
        return None, []
    found = [
        SegmentRow(row["segment"], row["made"], row["dead"], row["head"]) for row in rows if row["segment"] is not None
    ]
    return Collection.from_row(rows[0]), found


async def vector_blocks(db: Database, key: str, after: int) -> list[Row]:
    """`id`, `embedder`, `version` and `vectors` of the blocks with vectors that came after a version."""
    return await db.fetch_all(
        """
        SELECT id, embedder, version, vectors FROM vector_blocks
         WHERE collection = :key AND state = 'live' AND version > :after
         ORDER BY version, id
        """,
        key=key,
        after=after,
    )


async def vector_block(db: Database, own_id: int) -> bytes | None:
    """The body of a block of vectors, None if it is gone."""
    row = await db.fetch_one("SELECT body FROM vector_blocks WHERE id = :id", id=own_id)
    return row["body"] if row else None


async def postings(db: Database, wanted: Sequence[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Blocks of postings by segment and number; those that are gone are left out."""
    rows = await db.fetch_all(_BLOCKS, wanted=[list(each) for each in wanted]) if wanted else []
    return {(row["segment"], row["block"]): row["body"] for row in rows}


async def texts(db: Database, ids: Sequence[str]) -> list[ChunkText]:
    """What chunks say, in the order of `ids`; those that are gone are left out."""
    rows = {row["id"]: row for row in await db.fetch_all(_TEXTS, ids=list(ids))} if ids else {}
    return [
        ChunkText(own, title_of(row["title"], row["source"]), row["heading"], row["text"])
        for own in ids
        if (row := rows.get(own)) is not None
    ]


def put(key: str, *, name: str, owner: str | None, language: str, analysed: str, otherwise: Exception) -> Statement:
    """Begins a list that adds documents: locks the collection, which is made if it is missing, and counts its version.

    Args:
        key: the collection's.
        name: what it is called.
        owner: whose it is.
        language: in which the documents were analysed.
        analysed: how they were.
        otherwise: raised where the collection has another language.
    """
    return Statement(
        """
        INSERT INTO collections (key, name, owner, id, language, analysed, version, sealed, created_at, updated_at)
        VALUES (:key, :name, :owner, :id, :language, :analysed, 1, 0, :now, :now)
        ON CONFLICT (key) DO UPDATE
           SET version = collections.version + 1, updated_at = excluded.updated_at,
               analysed = CASE WHEN collections.analysed = excluded.analysed THEN excluded.analysed ELSE '' END
         WHERE collections.language = excluded.language
        RETURNING version, sealed
        """,
        {
            "key": key,
            "name": name,
            "owner": owner,
            "id": stamps.fresh_id(),
            "language": language,
            "analysed": analysed,
            "now": stamps.now(),
        },
        unmatched=otherwise,
    )


def touch(
    key: str, own_id: str | None = None, *, language: str | None = None, otherwise: Exception | None = None
) -> Statement:
    """Begins a list that changes a collection otherwise: locks it, and counts its version.

    Args:
        key: the collection's.
        own_id: which one of that key; None: whichever is there.
        language: which it has to have; None: any.
        otherwise: raised where there is none.
    """
    return Statement(
        """
        UPDATE collections SET version = version + 1
         WHERE key = :key AND (CAST(:id AS TEXT) IS NULL OR id = :id)
           AND (CAST(:language AS TEXT) IS NULL OR language = :language)
        RETURNING version, sealed
        """,
        {"key": key, "id": own_id, "language": language},
        unmatched=otherwise or Conflict("The collection was removed meanwhile."),
    )


def entry(key: str, kind: str, body: bytes, chunks: int) -> Statement:
    """Tells in the log what the list does; it stands behind `put` or `touch`."""
    return Statement(_ENTRY, {"key": key, "kind": kind, "body": body, "chunks": chunks})


def gone(key: str, docs: Docs) -> Statement:
    """Tells that documents are gone."""
    return entry(key, bodies.GONE, bodies.of_gone(docs), 0)


def removal(key: str, at: datetime) -> list[Statement]:
    """Removes a collection and all that its index knows; what is large becomes something that nobody reads."""
    values = {"key": key, "at": at}
    return [
        Statement("DELETE FROM search_log WHERE collection = :key", values),
        Statement("UPDATE segments SET state = 'gone', changed_at = :at WHERE collection = :key", values),
        Statement("UPDATE vector_blocks SET state = 'gone', changed_at = :at WHERE collection = :key", values),
        Statement("DELETE FROM embedding_claims WHERE collection = :key", values),
        Statement("DELETE FROM collections WHERE key = :key", values),
    ]


def signed(hashes: Hashes) -> list[int]:
    """Hashes as a BIGINT keeps them: the same bits."""
    numbers: list[int] = np.ascontiguousarray(hashes, np.uint64).view(np.int64).tolist()
    return numbers


def unsigned(numbers: Sequence[int]) -> Hashes:
    """The hashes again."""
    return np.array(numbers, np.int64).view(np.uint64)


def change_state(table: str, ids: Sequence[int], state: str, at: datetime) -> list[Statement]:
    """Changes the state of segments or blocks of vectors."""
    sql = f"UPDATE {table} SET state = :state, changed_at = :at WHERE id = :id"  # noqa: S608 - our own tables
    return [Statement(sql, {"id": own, "state": state, "at": at}, repeatable=True) for own in ids]


def among(column: str, name: str) -> Sql:
    """The condition that `column` is one of the texts of the list `:name`, for `filled`."""
    return Sql(
        f"{column} IN (SELECT value FROM json_each(:{name}))",  # noqa: S608 - our own columns
        f"{column} IN (SELECT jsonb_array_elements_text(:{name}))",
    )


def filled(template: str, **parts: Sql | str) -> Sql:
    """A statement out of a template and the parts that differ."""
    sqlite: Mapping[str, Any] = {name: part if isinstance(part, str) else part.sqlite for name, part in parts.items()}
    postgres = {name: part if isinstance(part, str) else part.postgres for name, part in parts.items()}
    return Sql(template.format(**sqlite), template.format(**postgres))
