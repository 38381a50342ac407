"""Documents whose words were not indexed as this version does it: they are indexed when they are first needed.

It goes on in batches, and where it was broken off. One process does it at a time, and the others wait for a while.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from toolkit.db import Database, Row, Sql, Statement
from toolkit.errors import Conflict
from toolkit.search.collection import Collection
from toolkit.search.documents import Chunk
from toolkit.search.index import bodies, lease, tables
from toolkit.search.index.behind import Behind
from toolkit.search.index.building import code, segments
from toolkit.search.index.lease import Held, Lost
from toolkit.search.index.sealing import Sealing

PATIENCE: Final = 10.0
"""Seconds that a search waits; what is not indexed by then it does not find yet."""

_LOOK_AGAIN = 0.1  # seconds until it is looked again whether another process is done
_DOCUMENTS, _CHUNKS = 256, 2_048  # of a batch, at most; one document is taken whole
_FOLDED = 32  # batches after which the log is folded

_WAITING = """
SELECT id, content_hash, chunks FROM documents
 WHERE collection = :key AND analysed <> :code AND id > :after
 ORDER BY id
 LIMIT :limit
"""
_CHUNKS_OF = tables.filled(
    """
    SELECT chunks.*, documents.source, documents.title
      FROM chunks
      JOIN documents ON documents.id = chunks.document_id
     WHERE {wanted}
     ORDER BY chunks.document_id, chunks.position
    """,
    wanted=tables.among("chunks.document_id", "ids"),
)
_SAME = Sql(
    "(id, content_hash) IN (SELECT key, value FROM json_each(:hashes))",
    "(id, content_hash) IN (SELECT key, value FROM jsonb_each_text(:hashes))",
)
_DONE = tables.filled("UPDATE documents SET analysed = :code WHERE {same}", same=_SAME)
_UNCHANGED = tables.filled(
    "SELECT 1 AS unchanged WHERE (SELECT COUNT(*) FROM documents WHERE {same}) = CAST(:count AS BIGINT)", same=_SAME
)
_COMPLETE = """
UPDATE collections SET analysed = :code
 WHERE key = :key AND id = :id AND language = :language
   AND NOT EXISTS (SELECT 1 FROM documents WHERE documents.collection = :key AND documents.analysed <> :code)
RETURNING key
"""


class Backlog:
    """Indexes what is waiting.

    Args:
        db: where it is.
        sealing: folds what was made.
    """

    def __init__(self, db: Database, sealing: Sealing) -> None:
        self._db = db
        self._sealing = sealing
        self._going_on = Behind("indexing")

    def has(self, collection: Collection) -> bool:
        """Whether documents of the collection are waiting."""
        return collection.analysed != code(collection.language)

    async def work(self, waiting: Sequence[Collection]) -> None:
        """Index what is waiting, for as long as a search can wait; the rest goes on behind it."""
        keys = [collection.key for collection in waiting]
        tasks = [self._going_on.begin(key, partial(self._until_done, key)) for key in keys]
        done, _ = await asyncio.wait(tasks, timeout=PATIENCE)
        for task in done:
            task.result()

    async def close(self) -> None:
        """Stop; what is left is done by whoever needs it next."""
        await self._going_on.close()

    async def _until_done(self, key: str) -> None:
        while True:
            row = (await tables.collections(self._db, [key])).get(key)
            if row is None or not self.has(row):
                return
            held = await lease.take(self._db, key)
            if held is None:
                await asyncio.sleep(_LOOK_AGAIN)
                continue
            try:
                with suppress(Lost):
                    await self._index(held)
            finally:
                await lease.give_back(self._db, held)

    async def _index(self, held: Held) -> None:
        """Index all documents of a collection that are waiting."""
        collection = held.collection
        after, batches = "", 0
        while rows := await self._waiting(collection, after):
            batch = _batch(rows)
            if await self._kept(held, batch):
                after = batch[-1]["id"]
            batches += 1
            if batches % _FOLDED == 0:
                await self._sealing.fold(held)
        await self._db.write(held.keep(), Statement(_COMPLETE, _named(collection)), subject=collection.key)

    async def _waiting(self, collection: Collection, after: str) -> list[Row]:
        return await self._db.fetch_all(
            _WAITING, key=collection.key, code=code(collection.language), after=after, limit=_DOCUMENTS
        )

    async def _kept(self, held: Held, batch: Sequence[Row]) -> bool:
        """Index some documents; whether none of them was changed meanwhile."""
        collection = held.collection
        rows = await self._db.fetch_all(_CHUNKS_OF, ids=[row["id"] for row in batch])
        chunks = [_chunk(row) for row in rows]
        made = await asyncio.to_thread(segments, collection.language, chunks)
        hashes = {row["id"]: row["content_hash"] for row in batch}
        values = {"hashes": hashes, "count": len(hashes), "code": code(collection.language)}
        changed = Conflict("A document was changed while it was indexed.")
        try:
            await self._db.write(
                held.keep(),
                tables.touch(collection.key, collection.id, language=collection.language, otherwise=Lost()),
                Statement(_UNCHANGED, values, unmatched=changed),
                Statement(_DONE, values),
                tables.entry(collection.key, bodies.WORDS, bodies.of_words(made), len(chunks)),
                subject=collection.key,
            )
        except Conflict as error:
            if error is not changed:
                raise
            return False
        return True


def _batch(rows: Sequence[Row]) -> Sequence[Row]:
    """The first of the documents that are indexed together."""
    total = 0
    for number, row in enumerate(rows):
        total += row["chunks"]
        if number and total > _CHUNKS:
            return rows[:number]
    return rows


def _chunk(row: Row) -> Chunk:
    return Chunk(**{name: row[name] for name in Chunk.__slots__})


def _named(collection: Collection) -> dict[str, str]:
    return {
        "key": collection.key,
        "id": collection.id,
        "language": collection.language,
        "code": code(collection.language),
    }
