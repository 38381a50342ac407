"""Folds the log of a collection into segments and blocks of vectors, and joins small ones, while others go on.

What is new is written first, in small transactions, in rows that nobody reads. One list then makes it visible, says up
to where the log is folded, and tells the readers. So a process that is killed at any moment leaves the index as it was,
or as it is to be, and maybe rows that nobody reads: whoever has the lease next deletes them. Segments and blocks that
were replaced are deleted a minute later, when no search reads them any more.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count
from typing import Final, NamedTuple

import numpy as np

from toolkit import stamps
from toolkit.db import Database, Row, Rows, Statement
from toolkit.search.index import bodies, folding, lease, postings, sealed, tables
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.folding import Fold
from toolkit.search.index.lease import Held, Lost
from toolkit.search.index.pieces import Piece
from toolkit.search.index.postings import Block
from toolkit.search.index.state import CollectionState
from toolkit.search.index.states import States
from toolkit.search.words.segment import Segment

LONG: Final = 256
"""Rows of the log from which it is folded: each is read when a state is made anew."""

LARGE: Final = 8_192
"""Chunks in the log from which it is folded: their postings are in the memory of every reader."""

GRACE: Final = 60.0
"""Seconds after which what was replaced is deleted: a search may read it that began before."""

_AT_ONCE = 256  # blocks of postings in one transaction: 2 MB
_TRIMMED = 8  # versions whose rows of the log are deleted in one transaction: a megabyte each, at most
_POSTINGS = {"segment": "BIGINT", "block": "BIGINT", "body": "BYTEA"}
_SEGMENTS = {
    "id": "BIGINT",
    "collection": "TEXT",
    "state": "TEXT",
    "version": "BIGINT",
    "chunks": "BIGINT",
    "head": "BYTEA",
    "dead": "BYTEA",
    "changed_at": "TIMESTAMPTZ",
}
_VECTORS = {
    "id": "BIGINT",
    "collection": "TEXT",
    "embedder": "TEXT",
    "state": "TEXT",
    "version": "BIGINT",
    "vectors": "BIGINT",
    "body": "BYTEA",
    "changed_at": "TIMESTAMPTZ",
}


class Made(NamedTuple):
    """Rows that were written and that nobody reads yet: the ids of segments, and of blocks of vectors."""

    segments: list[int]
    blocks: list[int]


class Sealing:
    """Seals collections.

    Args:
        db: where they are.
        states: what is known of them.
    """

    def __init__(self, db: Database, states: States) -> None:
        self._db = db
        self._states = states

    async def seal(self, key: str) -> bool:
        """Fold the log if it tells of something; whether it was done. Another process may be doing it already."""
        if not await self._length(key):
            return False
        held = await lease.take(self._db, key)
        if held is None:
            return False
        try:
            await self.fold(held)
        except Lost:
            return False
        finally:
            await lease.give_back(self._db, held)
        return True

    async def tend(self, key: str) -> None:
        """Fold the log if it has grown, and sweep."""
        if await self.seal(key):
            return
        held = await lease.take(self._db, key)
        if held is None:
            if key not in await tables.collections(self._db, [key]):
                await self.sweep(key, None)
            return
        try:
            await self.sweep(key, held)
        except Lost:
            pass
        finally:
            await lease.give_back(self._db, held)

    async def grown(self) -> list[str]:
        """The collections whose log is so long that it should be folded, or that have something to be swept."""
        rows = await self._db.fetch_all(
            """
            SELECT collection FROM search_log
             WHERE kind NOT IN ('sealed', 'settings')
               AND version > (SELECT sealed FROM collections WHERE key = collection)
             GROUP BY collection
            HAVING COUNT(*) >= :long OR SUM(chunks) >= :large
             UNION
            SELECT collection FROM segments WHERE state <> 'live' AND changed_at < :before
             UNION
            SELECT collection FROM vector_blocks WHERE state <> 'live' AND changed_at < :before
            """,
            long=LONG,
            large=LARGE,
            before=_before(),
        )
        return [row["collection"] for row in rows]

    async def fold(self, held: Held) -> None:
        """Fold all that was written until now, under a lease.

        Raises:
            Lost: it took too long, and others have begun.
        """
        key = held.collection.key
        await self.sweep(key, held)
        await self._trim(held, held.collection.sealed)
        row = (await tables.collections(self._db, [key])).get(key)
        if row is None or row.id != held.collection.id:
            raise Lost
        state = await self._states.current(row)
        fold = await self._planned(state)
        made = Made([], [])
        for pieces in fold.groups:
            segment = await self._merged(pieces)
            made.segments.append(await self._write_segment(held, segment, state.version))
        for vectors in fold.vectors:
            made.blocks.append(await self._write_vectors(held, vectors, state.version))
        await self._publish(held, state, fold, made)
        await self._trim(held, state.version)

    async def sweep(self, key: str, held: Held | None) -> None:
        """Delete what nobody reads: what was replaced some time ago, and under a lease what others left unfinished.

        Args:
            key: of the collection.
            held: the lease; None where the collection itself is gone.
        """
        keep = [held.keep()] if held else []
        values = {"key": key, "before": _before(), "all": int(held is None), "held": int(held is not None)}
        which = """
            collection = :key
            AND (:all = 1 OR (state = 'building' AND :held = 1) OR (state = 'gone' AND changed_at < :before))
            """
        for row in await self._db.fetch_all(f"SELECT id FROM segments WHERE {which}", **values):  # noqa: S608 - ours
            for first in count(0, _AT_ONCE):
                some = {"id": row["id"], "first": first}
                there = await self._db.fetch_one(
                    "SELECT 1 AS there FROM postings WHERE segment = :id AND block >= :first LIMIT 1", **some
                )
                if there is None:
                    break
                some["last"] = first + _AT_ONCE
                delete = "DELETE FROM postings WHERE segment = :id AND block >= :first AND block < :last"
                await self._db.write(*keep, Statement(delete, some), subject=key)
            delete = "DELETE FROM segments WHERE id = :id"
            await self._db.write(*keep, Statement(delete, {"id": row["id"]}), subject=key)
        for row in await self._db.fetch_all(f"SELECT id FROM vector_blocks WHERE {which}", **values):  # noqa: S608 - ours
            delete = "DELETE FROM vector_blocks WHERE id = :id"
            await self._db.write(*keep, Statement(delete, {"id": row["id"]}), subject=key)

    async def _length(self, key: str) -> int:
        row = await self._db.fetch_one(
            """
            SELECT COUNT(*) AS n FROM search_log
             WHERE collection = :key AND kind NOT IN ('sealed', 'settings')
               AND version > (SELECT sealed FROM collections WHERE key = :key)
            """,
            key=key,
        )
        return row["n"] if row else 0

    async def _planned(self, state: CollectionState) -> Fold:
        groups, segments = folding.groups(state.pieces)
        log = await tables.log(self._db, state.key, state.collection.sealed, vectors_only=True)
        fresh = [bodies.to_vectors(each.body) for each in log if each.version <= state.version]
        rows = await tables.vector_blocks(self._db, state.key, -1)
        wanted = [name for name in (state.embedder, state.next_embedder) if name is not None]
        vectors: list[Vectors] = []
        gone = [row["id"] for row in rows if row["embedder"] not in wanted]
        for name in wanted:
            parts = [each for each in fresh if each.embedder == name]
            again = folding.blocks(rows, name, state.sides.get(name), len(parts))
            found = [await tables.vector_block(self._db, own) for own in again]
            parts = [*(bodies.to_vectors(body) for body in found if body is not None), *parts]
            gone += again
            vectors += await asyncio.to_thread(folding.packed, parts, state.pieces)
        return Fold(groups, segments, vectors, gone)

    async def _merged(self, pieces: Sequence[Piece]) -> Segment:
        """The living chunks of pieces as one segment."""
        segments = [
            postings.whole(piece.segment, await self._blocks(piece.stored.id)) if piece.stored else piece.segment
            for piece in pieces
        ]
        return await asyncio.to_thread(Segment.merge, segments, [piece.alive for piece in pieces])

    async def _blocks(self, segment: int) -> list[Block]:
        """All postings of a segment."""
        found: list[Block] = []
        while True:
            rows = await self._db.fetch_all(
                """
                SELECT body FROM postings
                 WHERE segment = :segment AND block >= :first AND block < :last
                 ORDER BY block
                """,
                segment=segment,
                first=len(found),
                last=len(found) + _AT_ONCE,
            )
            found += await asyncio.to_thread(_read, rows)
            if len(rows) < _AT_ONCE:
                return found

    async def _write_segment(self, held: Held, segment: Segment, version: int) -> int:
        """Write a segment that nobody reads yet; gives its id."""
        key, own_id = held.collection.key, _new_id()
        written = await asyncio.to_thread(lambda: list(postings.blocks(segment)))
        head = await asyncio.to_thread(sealed.write_head, segment, [first for first, _ in written])
        row = (own_id, key, tables.BUILDING, version, len(segment), head, b"", stamps.now())
        await self._db.write(held.keep(), Rows("segments", _SEGMENTS, [row]), subject=key)
        for start in range(0, len(written), _AT_ONCE):
            some = written[start : start + _AT_ONCE]
            rows = [(own_id, number, body) for number, (_, body) in enumerate(some, start)]
            await self._db.write(held.keep(), Rows("postings", _POSTINGS, rows), subject=key)
        return own_id

    async def _write_vectors(self, held: Held, vectors: Vectors, version: int) -> int:
        """Write a block of vectors that nobody reads yet; gives its id."""
        key, own_id = held.collection.key, _new_id()
        body = await asyncio.to_thread(bodies.of_vectors, vectors)
        row = (own_id, key, vectors.embedder, tables.BUILDING, version, len(vectors.hashes), body, stamps.now())
        await self._db.write(held.keep(), Rows("vector_blocks", _VECTORS, [row]), subject=key)
        return own_id

    async def _publish(self, held: Held, state: CollectionState, fold: Fold, made: Made) -> None:
        """Make visible what was written, in place of what it was made of."""
        key, now = state.key, stamps.now()
        dead = await self._deaths(state, set(fold.segments))
        upto = {"key": key, "version": state.version}
        await self._db.write(
            held.keep(),
            tables.touch(key, held.collection.id, otherwise=Lost()),
            *tables.change_state("segments", fold.segments, tables.GONE, now),
            *tables.change_state("segments", made.segments, tables.LIVE, now),
            *tables.change_state("vector_blocks", fold.blocks, tables.GONE, now),
            *tables.change_state("vector_blocks", made.blocks, tables.LIVE, now),
            *dead,
            Statement("UPDATE collections SET sealed = :version WHERE key = :key", upto),
            tables.entry(key, bodies.SEALED, b"", 0),
            subject=key,
        )

    async def _trim(self, held: Held, version: int) -> None:
        """Delete the rows of the log up to a version, which are folded; a few at a time, so that nobody waits long."""
        key = held.collection.key
        oldest = "SELECT MIN(version) AS version FROM search_log WHERE collection = :key"
        delete = "DELETE FROM search_log WHERE collection = :key AND version <= :version"
        while row := await self._db.fetch_one(oldest, key=key):
            if row["version"] is None or row["version"] > version:
                return
            upto = {"key": key, "version": min(version, row["version"] + _TRIMMED - 1)}
            await self._db.write(held.keep(), Statement(delete, upto), subject=key)

    async def _deaths(self, state: CollectionState, replaced: set[int]) -> list[Statement]:
        """Says of the segments that stay which of their chunks are dead, where more are than before."""
        rows = await self._db.fetch_all(
            "SELECT id, dead FROM segments WHERE collection = :key AND state = 'live'", key=state.key
        )
        known = {row["id"]: row["dead"] for row in rows}
        changed = {
            piece.stored.id: dead
            for piece in state.pieces
            if piece.stored and piece.stored.id not in replaced and piece.alive is not None
            if (dead := np.packbits(~piece.alive).tobytes()) != known.get(piece.stored.id)
        }
        sql = "UPDATE segments SET dead = :dead WHERE id = :id"
        return [Statement(sql, {"id": own, "dead": dead}) for own, dead in changed.items()]


def _read(rows: Sequence[Row]) -> list[Block]:
    return [postings.read_block(row["body"]) for row in rows]


def _new_id() -> int:
    """A random number that fits into a BIGINT."""
    return int.from_bytes(bytes.fromhex(stamps.fresh_id().replace("-", ""))[-8:]) >> 1


def _before() -> datetime:
    return stamps.now() - timedelta(seconds=GRACE)
