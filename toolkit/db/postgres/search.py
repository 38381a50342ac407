"""The word index of Postgres: a tsvector column under a GIN index."""

from collections.abc import Sequence

from toolkit.db.database import Database, Match
from toolkit.db.words import phrases

# Postgres's own rank of a whole query does not know which words are rare. So each phrase is ranked alone and counts
# by its rarity, and as in BM25 a word said often in one chunk says less and less: rank / (rank + 0.1).
_MATCH = """
WITH terms AS MATERIALIZED (
    SELECT number, weight,
           to_tsquery('english', regexp_replace(normalize(phrase, NFD), '[\\u0300-\\u036f]', '', 'g')) AS query
      FROM jsonb_to_recordset(:terms) AS term (number INTEGER, phrase TEXT, weight INTEGER)
), hits AS MATERIALIZED (
    SELECT chunks.id, terms.number, terms.weight,
           ts_rank('{0.5, 0.5, 0.5, 1.0}', chunks.words, terms.query, 1) AS rank  -- a heading's words count twice
      FROM terms
      JOIN chunks ON chunks.words @@ terms.query
     WHERE CAST(:collections AS JSONB) IS NULL OR CAST(:collections AS JSONB) ? chunks.collection
), rarity AS (
    SELECT number, ln(1 + (SELECT COUNT(*) FROM chunks) / CAST(COUNT(*) AS DOUBLE PRECISION)) AS factor
      FROM hits
     GROUP BY number
)
SELECT hits.id AS chunk_id, SUM(hits.weight * rarity.factor * hits.rank / (hits.rank + 0.1)) AS score
  FROM hits
  JOIN rarity ON rarity.number = hits.number
 GROUP BY hits.id
 ORDER BY score DESC, hits.id COLLATE "C"
 LIMIT :top_k
"""


class PostgresLexicalIndex:
    """See `LexicalIndex`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def match(self, terms: Sequence[str], *, collections: Sequence[str] | None, top_k: int) -> list[Match]:
        """See `LexicalIndex.match`."""
        found = [
            {"number": number, "phrase": f"'{phrase}'", "weight": times}
            for number, (phrase, times) in enumerate(phrases(terms))
        ]
        if not found:
            return []
        wanted = None if collections is None else list(collections)
        rows = await self._db.fetch_all(_MATCH, terms=found, collections=wanted, top_k=top_k)
        return [Match(row["chunk_id"], row["score"]) for row in rows]
