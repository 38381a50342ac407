"""Postgres with pgvector alone: halfvec under HNSW beside a tsvector under GIN, joined by reciprocal ranks."""

import re
from collections.abc import Sequence
from typing import Any

import asyncpg
import numpy as np

from benchmarks.corpus import DIMENSION, Query, Section, Vectors
from benchmarks.engines.engine import Engine, Kind, Place

CANDIDATES, RANK, SEARCHED = 50, 60, 200
_TABLE = f"""
CREATE EXTENSION IF NOT EXISTS vector;
CREATE TABLE IF NOT EXISTS sections (
    id BIGINT PRIMARY KEY, text TEXT NOT NULL, vector halfvec({DIMENSION}),
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', text)) STORED
);
CREATE INDEX IF NOT EXISTS sections_words ON sections USING gin (words);
"""
_HYBRID = """
WITH near AS (
    SELECT id, row_number() OVER (ORDER BY vector <=> $1) AS rank
      FROM (SELECT id, vector FROM sections ORDER BY vector <=> $1 LIMIT $3) AS best
), said AS (
    SELECT id, row_number() OVER (ORDER BY score DESC) AS rank
      FROM (SELECT id, ts_rank_cd(words, query) AS score FROM sections, to_tsquery('english', $2) AS query
             WHERE words @@ query ORDER BY score DESC LIMIT $3) AS best
)
SELECT id, text
  FROM (SELECT id, SUM(1.0 / ($4 + rank)) AS score
          FROM (SELECT * FROM near UNION ALL SELECT * FROM said) AS found GROUP BY id) AS joined
  JOIN sections USING (id)
 ORDER BY score DESC
 LIMIT $5
"""
_NEAR = "SELECT id, text FROM sections ORDER BY vector <=> $1 LIMIT $2"


class Pgvector:
    """See `Engine`."""

    async def open(self, place: Place) -> None:
        """See `Engine`."""
        self._db: Any = await asyncpg.connect(place.server)
        await self._db.execute(_TABLE)
        await self._db.set_type_codec("halfvec", encoder=_encoded, decoder=_decoded, format="binary")
        await self._db.execute(f"SET hnsw.ef_search = {SEARCHED}")

    async def add(self, sections: Sequence[Section], vectors: Vectors, *, together: int) -> None:
        """See `Engine`."""
        del together
        rows = ((section.number, section.text, vector) for section, vector in zip(sections, vectors, strict=True))
        await self._db.copy_records_to_table("sections", records=rows, columns=["id", "text", "vector"])

    async def settle(self) -> None:
        """See `Engine`."""
        await self._db.execute("SET maintenance_work_mem = '4GB'")
        await self._db.execute("SET max_parallel_maintenance_workers = 2")
        await self._db.execute("CREATE INDEX IF NOT EXISTS near ON sections USING hnsw (vector halfvec_cosine_ops)")
        await self._db.execute("VACUUM ANALYZE sections")

    async def ready(self) -> None:
        """See `Engine`."""

    async def ask(self, query: Query, kind: Kind, k: int) -> list[int]:
        """See `Engine`."""
        if kind == "hybrid":
            words = " | ".join(re.findall(r"\w+", query.text))
            asked = self._db.fetch(_HYBRID, query.vector, words, CANDIDATES, RANK, k)
        else:
            asked = self._db.fetch(_NEAR, query.vector, k)
        return [row["id"] for row in await asked]

    async def change(self, section: Section, vector: Vectors) -> None:
        """See `Engine`."""
        update = "UPDATE sections SET text = $2, vector = $3 WHERE id = $1"
        await self._db.execute(update, section.number, section.text, vector)

    async def delete(self, number: int) -> None:
        """See `Engine`."""
        await self._db.execute("DELETE FROM sections WHERE id = $1", number)

    async def close(self) -> None:
        """See `Engine`."""
        await self._db.close()


def _encoded(vector: Vectors) -> bytes:
    return len(vector).to_bytes(2, "big") + b"\0\0" + vector.astype(">f2").tobytes()


def _decoded(data: bytes) -> Any:
    return np.frombuffer(data, ">f2", offset=4)


def make() -> Engine:
    """The engine."""
    return Pgvector()
