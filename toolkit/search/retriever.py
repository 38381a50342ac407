"""From a question to the chunks that fit it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.db import Database, Match, as_json
from toolkit.errors import ConfigError
from toolkit.search.documents import Hit
from toolkit.search.store import checked_name, no_collection
from toolkit.terms import terms

MOST_HITS = 1_000
"""The largest `top_k`: a list that long is read by a program, and more is a job for SQL."""

COLUMNS = ("kind", "language", "source", "title")
"""What a filter may name beside the keys of a document's own metadata; these names win."""

_IDS_AT_ONCE = 500


class Retriever:
    """Finds chunks by the words that they share with a question; which is all that it does by itself.

    Args:
        db: where the documents are kept.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def search(
        self,
        query: str,
        *,
        collection: str | Sequence[str] | None = None,
        top_k: int = 5,
        where: Mapping[str, Any] | None = None,
    ) -> list[Hit]:
        """The chunks that fit `query` best, best first; of equally good ones the order is always the same.

        Args:
            query: words, a question, code; any text with a word in it.
            collection: where to look, one name or several; None is everywhere.
            top_k: how many at most, 1 to `MOST_HITS`.
            where: equalities that a hit's document must satisfy, on `COLUMNS` or on its metadata, e.g.
                `{"kind": "code", "lang": "en"}`.

        Raises:
            ConfigError: `query` has no word, `top_k` is out of bounds, or `where` compares with a list or an object.
            NotFound: no such collection, or nothing was ingested yet; the message says what there is.
        """
        if not 1 <= top_k <= MOST_HITS:
            raise ConfigError(f"top_k is {top_k}; it must be 1 to {MOST_HITS}.")
        wanted = terms(query)
        if not wanted:
            raise ConfigError("The query has no words; say in a few of them what to look for.")
        names = None if collection is None else [collection] if isinstance(collection, str) else list(collection)
        await self._check(names)
        if where:
            matches = await self._filtered(wanted, names, top_k, await self._allowed(where))
        else:
            matches = await self._db.lexical.match(wanted, collections=names, top_k=top_k)
        return await self._hits(matches)

    async def _check(self, names: Sequence[str] | None) -> None:
        """Raise NotFound if one of the collections, or any at all, is missing."""
        sql = "SELECT collection FROM documents WHERE CAST(:name AS TEXT) IS NULL OR collection = :name LIMIT 1"
        asked = [None] if names is None else [checked_name(name) for name in names]
        for name, row in zip(
            asked, await asyncio.gather(*(self._db.fetch_one(sql, name=n) for n in asked)), strict=True
        ):
            if row is None:
                rows = await self._db.fetch_all("SELECT DISTINCT collection FROM documents ORDER BY collection")
                raise no_collection(name or "", [each["collection"] for each in rows])

    async def _allowed(self, where: Mapping[str, Any]) -> set[str]:
        """Ids of the documents that satisfy `where`; compared here, since the databases ask JSON differently."""
        for key, value in where.items():
            if not (value is None or isinstance(value, str | int | float | bool)):
                raise ConfigError(f"where compares {key!r} with {value!r}; it can compare with a text or number only.")
        rows = await self._db.fetch_all("SELECT id, kind, language, source, title, metadata FROM documents")
        return {row["id"] for row in rows if all(_same(_field(row, key), value) for key, value in where.items())}

    async def _filtered(
        self, wanted: Sequence[str], names: Sequence[str] | None, top_k: int, allowed: set[str]
    ) -> list[Match]:
        """The best matches within the allowed documents: more and more are asked for until enough are among them."""
        asked = top_k * 4
        while allowed:
            matches = await self._db.lexical.match(wanted, collections=names, top_k=asked)
            kept = [match for match in matches if match.chunk_id.rpartition("-")[0] in allowed]
            if len(kept) >= top_k or len(matches) < asked:
                return kept[:top_k]
            asked *= 8
        return []

    async def _hits(self, matches: Sequence[Match]) -> list[Hit]:
        rows: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(matches), _IDS_AT_ONCE):
            ids = {f"id{n}": match.chunk_id for n, match in enumerate(matches[start : start + _IDS_AT_ONCE])}
            # Only the names of the values are put into the text.
            found = await self._db.fetch_all(
                f"""
                SELECT chunks.id, chunks.document_id, chunks.collection, chunks.heading, chunks.text,
                       chunks.line_start, chunks.line_end, documents.source, documents.title
                  FROM chunks
                  JOIN documents ON documents.id = chunks.document_id
                 WHERE chunks.id IN ({", ".join(f":{name}" for name in ids)})
                """,  # noqa: S608 - see above
                **ids,
            )
            rows |= {row["id"]: row for row in found}
        # A chunk may have been removed since it matched.
        kept = sorted((m for m in matches if m.chunk_id in rows), key=lambda m: (-m.score, m.chunk_id))
        return [_hit(rows[match.chunk_id], match.score / kept[0].score) for match in kept]


def _hit(row: Mapping[str, Any], score: float) -> Hit:
    return Hit(
        chunk_id=row["id"],
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        heading=row["heading"],
        lines=(row["line_start"], row["line_end"]),
        text=row["text"],
        score=round(score, 4),
        collection=row["collection"],
    )


def _field(row: Mapping[str, Any], key: str) -> Any:
    return row[key] if key in COLUMNS else as_json(row["metadata"]).get(key)


def _same(kept: Any, wanted: Any) -> bool:
    """Equality as JSON has it: 1 is 1.0, but true is not 1."""
    return kept == wanted and isinstance(kept, bool) == isinstance(wanted, bool)
