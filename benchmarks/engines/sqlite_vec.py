"""sqlite-vec beside FTS5 in one SQLite file, joined by reciprocal ranks as its documentation shows.

Through apsw: many a Python's own sqlite3 was built without extensions.
"""

import re
from collections.abc import Sequence
from typing import Any

import apsw
import sqlite_vec

from benchmarks.corpus import DIMENSION, Query, Section, Vectors
from benchmarks.engines.engine import Engine, Kind, Place

CANDIDATES, RANK = 50, 60
_HYBRID = """
WITH near AS (
    SELECT rowid, row_number() OVER (ORDER BY distance) AS rank
      FROM vectors WHERE vector MATCH :vector AND k = :candidates
), said AS (
    SELECT rowid, row_number() OVER (ORDER BY rank) AS rank
      FROM words WHERE words MATCH :words ORDER BY rank LIMIT :candidates
)
SELECT sections.id, sections.text
  FROM (SELECT rowid, rank FROM near UNION ALL SELECT rowid, rank FROM said) AS found
  JOIN sections ON sections.id = found.rowid
 GROUP BY sections.id
 ORDER BY SUM(1.0 / (:rank + found.rank)) DESC
 LIMIT :k
"""
_NEAR = """
SELECT sections.id, sections.text
  FROM (SELECT rowid, distance FROM vectors WHERE vector MATCH :vector AND k = :k) AS found
  JOIN sections ON sections.id = found.rowid
 ORDER BY found.distance
"""


class SqliteVec:
    """See `Engine`."""

    async def open(self, place: Place) -> None:
        """See `Engine`."""
        self._db: Any = apsw.Connection(str(place.folder / "bench.db"))
        self._db.enable_load_extension(True)
        self._db.load_extension(sqlite_vec.loadable_path())
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute(
            f"""
            CREATE TABLE IF NOT EXISTS sections (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
            CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(text, content = 'sections', content_rowid = 'id',
                                                                tokenize = 'porter unicode61');
            CREATE VIRTUAL TABLE IF NOT EXISTS vectors USING vec0(vector float[{DIMENSION}] distance_metric = cosine);
            """
        )

    async def add(self, sections: Sequence[Section], vectors: Vectors, *, together: int) -> None:
        """See `Engine`."""
        del together
        texts = [(section.number, section.text) for section in sections]
        rows = [(section.number, vector.tobytes()) for section, vector in zip(sections, vectors, strict=True)]
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO sections (id, text) VALUES (?, ?)", texts)
        self._db.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", texts)
        self._db.executemany("INSERT INTO vectors (rowid, vector) VALUES (?, ?)", rows)
        self._db.execute("COMMIT")

    async def settle(self) -> None:
        """See `Engine`."""

    async def ready(self) -> None:
        """See `Engine`."""

    async def ask(self, query: Query, kind: Kind, k: int) -> list[int]:
        """See `Engine`."""
        words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", query.text))
        values = {"vector": query.vector.tobytes(), "words": words, "candidates": CANDIDATES, "rank": RANK, "k": k}
        return [row[0] for row in self._db.execute(_HYBRID if kind == "hybrid" else _NEAR, values)]

    async def change(self, section: Section, vector: Vectors) -> None:
        """See `Engine`."""
        self._db.execute("BEGIN IMMEDIATE")
        self._forget(section.number)
        self._db.execute("INSERT INTO sections (id, text) VALUES (?, ?)", (section.number, section.text))
        self._db.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (section.number, section.text))
        self._db.execute("INSERT INTO vectors (rowid, vector) VALUES (?, ?)", (section.number, vector.tobytes()))
        self._db.execute("COMMIT")

    async def delete(self, number: int) -> None:
        """See `Engine`."""
        self._db.execute("BEGIN IMMEDIATE")
        self._forget(number)
        self._db.execute("COMMIT")

    def _forget(self, number: int) -> None:
        (text,) = self._db.execute("SELECT text FROM sections WHERE id = ?", (number,)).fetchone()
        self._db.execute("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)", (number, text))
        self._db.execute("DELETE FROM vectors WHERE rowid = ?", (number,))
        self._db.execute("DELETE FROM sections WHERE id = ?", (number,))

    async def close(self) -> None:
        """See `Engine`."""
        self._db.close()


def make() -> Engine:
    """The engine."""
    return SqliteVec()
