"""The index of a database's collections: what is written to it, and what is searched in memory."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import numpy as np

from toolkit import stamps
from toolkit.db import Database, Row
from toolkit.errors import Conflict
from toolkit.search.index import bodies, claims, embedders, tables
from toolkit.search.index.backlog import Backlog
from toolkit.search.index.behind import Behind
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.filters import Filters
from toolkit.search.index.identity import Docs
from toolkit.search.index.loading import Removed
from toolkit.search.index.pieces import Hashes
from toolkit.search.index.postings import CACHED, Remembered
from toolkit.search.index.sealing import LARGE, LONG, Sealing
from toolkit.search.index.state import CollectionState, Floats
from toolkit.search.index.states import States
from toolkit.search.index.tables import ChunkText
from toolkit.search.vectors import Quantised
from toolkit.search.words.segment import MOST_CHUNKS

CLAIMED_FOR: Final = 120.0
"""Seconds for which texts that somebody embeds are his."""


class Index:
    """What is known of the words and meanings of every collection. One for each `Database`, for any number of tasks.

    A search takes the states of its collections from `sync`, which has every write that was acknowledged before, by
    whatever process, and asks them. What it costs does not depend on the size of a collection, but on what was written
    to it since.

    Memory, for each chunk of a collection that was searched: 24 bytes for ids, hash and length, 1 where chunks of its
    segment have died, 2 to 12 once documents were changed or filtered by, and with vectors 30 + the dimension. Measured
    with a million chunks: 55 bytes each, and 500 with vectors of 384 dimensions. Postings lie in the database; `cached`
    bytes of those that were asked for last are kept.

    Args:
        db: where everything is kept.
        cached: bytes of postings that are kept in memory.
    """

    def __init__(self, db: Database, *, cached: int = CACHED) -> None:
        self._db = db
        self._own = stamps.fresh_id()
        self._states = States(db, Remembered(cached))
        self._sealing = Sealing(db, self._states)
        self._sealing_behind = Behind("sealing")
        self._backlog = Backlog(db, self._sealing)
        self._filters = Filters(db, self._states.known)
        self._added: Counter[str] = Counter()  # chunks since the log was folded

    async def sync(self, keys: Sequence[str]) -> list[CollectionState]:
        """The states of collections, in the order of `keys`; one that is not there is left out.

        Documents that were ingested by an earlier version are indexed first, as far as that takes a few seconds.
        """
        rows = await tables.collections(self._db, keys)
        if any(self._backlog.has(row) for row in rows.values()):
            await self._backlog.work([row for row in rows.values() if self._backlog.has(row)])
            rows = await tables.collections(self._db, keys)
        states = []
        for key in keys:
            if key in rows:
                try:
                    states.append(await self._states.current(rows[key]))
                except Removed:
                    self._states.forget(key)
            else:
                self._states.forget(key)
        return states

    async def lexical(self, states: Sequence[CollectionState], query: Mapping[str, float]) -> list[Floats]:
        """BM25 of every chunk of several collections of one language, as if they were one; an array for each.

        Args:
            states: of `sync`.
            query: terms with their weights, as the collections' `analyser.query` gives them.

        Raises:
            DatabaseBusy: a state is more than a minute old, and its postings are gone.
        """
        return await self._states.lexical(states, query)

    async def texts(self, chunk_ids: Sequence[str]) -> list[ChunkText]:
        """What chunks say, in that order; those that are gone are left out."""
        return await tables.texts(self._db, chunk_ids)

    async def documents_where(self, keys: Sequence[str], where: Mapping[str, Any] | None) -> Docs | None:
        """The documents of collections that satisfy `where`, in order; None if there is nothing to satisfy.

        It is at least as new as the states that `sync` gave last.

        Raises:
            ConfigError: `where` is none; the message says what is wrong with it.
        """
        return await self._filters.documents(keys, where) if where else None

    async def claim(self, key: str, embedder: str, hashes: Hashes, *, seconds: float = CLAIMED_FOR) -> Hashes:
        """Those of `hashes` that nobody else embeds, and that have no vector: for so many seconds they are ours."""
        mine = await claims.take(
            self._db, key, embedder, hashes, token=f"{self._own}:{stamps.fresh_id()}", seconds=seconds
        )
        if not len(mine):
            return mine
        # Others may have kept some between the look at what is pending and the claim.
        states = [await self._states.ready(state) for state in await self.sync([key])]
        side = states[0].sides.get(embedder) if states else None
        known = side.matrix.rows_of(mine) >= 0 if side else np.zeros(len(mine), np.bool_)
        if known.any():
            await self.release(key, embedder, mine[known])
        return mine[~known]

    async def release(self, key: str, embedder: str, hashes: Hashes) -> None:
        """Give claims of this process back."""
        await self._db.write(claims.give_back(key, embedder, hashes, self._own), subject=key)

    async def keep_vectors(self, key: str, embedder: str, hashes: Hashes, quantised: Quantised) -> bool:
        """Keep vectors, and give their claims back. A collection that has no embedder yet takes this one.

        Args:
            key: the collection's.
            embedder: who made them.
            hashes: uint64[n], of the texts that they stand for.
            quantised: the n vectors.

        Returns:
            False where the collection has another embedder by now, or is gone: then nothing is kept.
        """
        if not len(hashes):
            return True
        vectors = Vectors(embedder, np.asarray(hashes, np.uint64), quantised)
        body = await asyncio.to_thread(bodies.of_vectors, vectors)
        unwanted = Conflict(f"The collection {key!r} has no use for vectors of {embedder!r} any more.")
        try:
            rows = await self._db.write(
                embedders.learn(key, embedder, quantised.rows.shape[1], otherwise=unwanted),
                tables.entry(key, bodies.VECTORS, body, 0),
                claims.settled(key, embedder, hashes),
                subject=key,
            )
        except Conflict as error:
            if error is not unwanted:
                raise
            return False
        self.written(key, rows[0][0])
        await self._hand_over(key)
        return True

    async def set_embedder(self, key: str, embedder: str) -> None:
        """Change whose vectors a collection has; those that are there are searched until the new ones are complete.

        Raises:
            NotFound: there is no such collection.
        """
        await self._db.write(embedders.change(key, embedder), tables.entry(key, bodies.SETTINGS, b"", 0), subject=key)
        await self._hand_over(key)

    def written(self, key: str, row: Row, chunks: int = 0) -> None:
        """Have the log of a collection folded that was written to, if it has become long; nobody waits for that.

        Args:
            key: the collection's.
            row: the first row that the list gave.
            chunks: how many it added. As long as they come fast they are folded into full segments.
        """
        self._added[key] += chunks
        if row["version"] - row["sealed"] > LONG or self._added[key] >= MOST_CHUNKS:
            self._sealing_behind.begin(key, lambda: self._seal(key))

    async def tidy(self, key: str) -> None:
        """Fold what was added to a collection in this process, if it is much; ends when it is done."""
        task = self._sealing_behind.going_on(key)
        if task:
            await asyncio.wait([task])
        if self._added[key] >= LARGE:
            await self.seal(key)

    async def seal(self, key: str) -> bool:
        """Fold what was written to a collection; whether it was done. Another process may be doing it."""
        self._added[key] = 0
        return await self._sealing.seal(key)

    async def housekeeping(self) -> None:
        """Index what waits for it, fold what has grown, and delete what nobody reads any more."""
        waiting = [row for row in await tables.every_collection(self._db) if self._backlog.has(row)]
        if waiting:
            await self._backlog.work(waiting)
        for key in await self._sealing.grown():
            await self._sealing.tend(key)

    async def removed(self, key: str) -> None:
        """Let go of a collection that was removed, in memory and in the tables."""
        self._states.forget(key)
        await self._sealing.sweep(key, None)

    async def close(self) -> None:
        """End what goes on behind the searches of this event loop."""
        await self._sealing_behind.close()
        await self._backlog.close()
        await self._states.close()

    async def _seal(self, key: str) -> None:
        await self.seal(key)

    async def _hand_over(self, key: str) -> None:
        """Search the next embedder's vectors once no chunk lacks one."""
        for state in await self.sync([key]):
            if state.next_embedder:
                whole = await self._states.ready(state)
                if not whole.pending and whole.next_embedder:
                    # Where more was written meanwhile, whoever makes the vectors of that does it.
                    with suppress(Conflict):
                        change = embedders.hand_over(whole, otherwise=Conflict("More was written meanwhile."))
                        await self._db.write(change, tables.entry(key, bodies.SETTINGS, b"", 0), subject=key)
