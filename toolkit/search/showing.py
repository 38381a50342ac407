"""The chunks that were found, as hits that people and programs can read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from toolkit.db import Database, Row, as_json
from toolkit.search.documents import Chunk, Hit, Parts
from toolkit.search.ranking.highlights import Marker
from toolkit.search.wish import Wish

_IDS_AT_ONCE = 500
_ROWS = """
SELECT chunks.*, documents.source, documents.title, documents.metadata
  FROM chunks
  JOIN documents ON documents.id = chunks.document_id
 WHERE chunks.id IN ({ids})
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk that was found.

    Attributes:
        ground: which of the search's collections.
        ordinal: which of its chunks.
        total: its score so far.
        parts: what it is made of so far.
    """

    chunk_id: str
    ground: int
    ordinal: int
    total: float
    parts: Parts


async def chunk_rows(db: Database, chunk_ids: Sequence[str]) -> dict[str, Row]:
    """The rows of chunks with their documents' names and metadata, by id; those that are gone are left out."""
    rows: dict[str, Row] = {}
    for start in range(0, len(chunk_ids), _IDS_AT_ONCE):
        ids = {f"id{n}": chunk_id for n, chunk_id in enumerate(chunk_ids[start : start + _IDS_AT_ONCE])}
        # Only the names of the values are put into the text.
        found = await db.fetch_all(_ROWS.format(ids=", ".join(f":{name}" for name in ids)), **ids)
        rows |= {row["id"]: row for row in found}
    return rows


def neighbors_of(chunk_id: str, count: int) -> list[str]:
    """The ids of the chunks before and after one, as far as there may be any, in order."""
    document, _, position = chunk_id.rpartition("-")
    own = int(position)
    return [f"{document}-{n}" for n in range(max(1, own - count), own + count + 1) if n != own]


def written(row: Row) -> str:
    """All that a chunk says, with what it stands under."""
    return f"{row['title']}\n{row['heading']}\n{row['text']}"


def hit(
    found: Found,
    rows: Mapping[str, Row],
    *,
    best: float,
    collection: str,
    wanted: frozenset[str],
    marker: Marker,
    wish: Wish,
) -> Hit:
    """A chunk as a hit.

    Args:
        found: the chunk.
        rows: its own and those of its neighbors.
        best: the total of the best hit.
        collection: what its collection is called.
        wanted: the terms of the query.
        marker: finds them.
        wish: what was asked for.
    """
    row = rows[found.chunk_id]
    spans, met = marker.mark(row["text"])
    if len(met) < len(wanted):
        met |= marker.mark(f"{row['title']}\n{row['heading']}")[1]
    coverage = round(len(met) / len(wanted), 4) if wanted else 0.0
    near = [rows[own] for own in neighbors_of(found.chunk_id, wish.neighbors) if own in rows]
    return Hit(
        chunk_id=row["id"],
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        heading=row["heading"],
        lines=(row["line_start"], row["line_end"]),
        text=row["text"],
        score=round(min(1.0, found.total / best), 4),
        collection=collection,
        **{name: row[name] for name in ("byte_start", "byte_end", "place") if name in row},
        parts=replace(found.parts, coverage=coverage, total=round(found.total, 4)),
        highlights=spans if wish.highlight else (),
        metadata=as_json(row["metadata"]) or {},
        neighbors=tuple(_chunk(each, collection) for each in near),
    )


def _chunk(row: Row, collection: str) -> Chunk:
    kept = {name: row[name] for name in Chunk.__slots__ if name in row}
    return Chunk(**{**kept, "collection": collection})
