"""A collection's state out of the tables: its sealed segments, its vectors, and the log behind them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.db import Database
from toolkit.errors import DatabaseBusy
from toolkit.search.collection import Collection
from toolkit.search.index import bodies, sealed, tables
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.building import analyser
from toolkit.search.index.draft import Draft, Entry
from toolkit.search.index.pieces import Piece, Truths
from toolkit.search.index.sides import Places, Side
from toolkit.search.index.state import CollectionState, Reads
from toolkit.search.index.tables import SegmentRow
from toolkit.search.vectors import Matrix

MANY = 65_536
"""Vectors that are read before the first search is answered; more are read behind it."""

_TRIES = 20  # how often the index may be folded while it is read


class Removed(Exception):
    """The collection is there no more."""


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a collection, of one moment.

    Attributes:
        collection: its row.
        segments: the sealed ones.
        vectors: of blocks that are not in memory yet; None: there are too many, and they are left for later.
        log: what came behind them.
    """

    collection: Collection
    segments: Sequence[SegmentRow]
    vectors: Sequence[Vectors] | None
    log: Sequence[Entry]


async def load(db: Database, key: str, before: CollectionState | None, reads: Reads) -> CollectionState:
    """The state of a collection as it is now.

    Args:
        db: where it is kept.
        key: the collection's.
        before: an earlier state of it, of which what is still true is taken over; None: there is none.
        reads: what the state asks of the index.

    Raises:
        Removed: there is no such collection.
        DatabaseError: what is kept of it cannot be read.
    """
    for _ in range(_TRIES):
        found = await _read(db, key, before)
        if found:
            return await asyncio.to_thread(_made, found, _same(before, found.collection), reads)
    raise DatabaseBusy(f"The search index of {key!r} is rebuilt again and again by others; try again.")


async def _read(db: Database, key: str, before: CollectionState | None) -> Read | None:
    """None where it was folded meanwhile."""
    known = [] if before is None else [piece.stored.id for piece in before.pieces if piece.stored]
    collection, segments = await tables.segments(db, key, known)
    if collection is None:
        raise Removed
    before = _same(before, collection)
    vectors = await _vectors(db, collection, before.version if before and has_sides(before, collection) else -1)
    log = upto(await tables.log(db, key, collection.sealed), collection.version)
    return Read(collection, segments, vectors, log) if follows(log, collection.sealed, collection.version) else None


async def _vectors(db: Database, collection: Collection, after: int) -> list[Vectors] | None:
    """The vectors of blocks behind a version; None where they are to be read later."""
    rows = await tables.vector_blocks(db, collection.key, after)
    wanted = [row for row in rows if row["embedder"] in (collection.embedder, collection.next_embedder)]
    if after < 0 and sum(row["vectors"] for row in wanted) > MANY:
        return None
    found = [await tables.vector_block(db, row["id"]) for row in wanted]
    return [bodies.to_vectors(body) for body in found if body is not None]


def upto(log: Sequence[Entry], version: int) -> list[Entry]:
    """The rows of the log that a collection's row of that version knows of."""
    return [each for each in log if each.version <= version]


def follows(log: Sequence[Entry], after: int, last: int) -> bool:
    """Whether rows of the log are all that came behind a version, up to another."""
    return sorted({each.version for each in log}) == list(range(after + 1, last + 1))


def has_sides(state: CollectionState | None, collection: Collection) -> bool:
    """Whether a state has all vectors that it can have of the embedders that count."""
    if state is None or not state.loaded or state.collection.id != collection.id:
        return False
    had = (state.collection.embedder, state.collection.next_embedder)
    return all(name is None or name in had for name in (collection.embedder, collection.next_embedder))


def _same(state: CollectionState | None, collection: Collection) -> CollectionState | None:
    return state if state and state.collection.id == collection.id else None


def _made(found: Read, before: CollectionState | None, reads: Reads) -> CollectionState:
    collection = found.collection
    old = {piece.stored.id: n for n, piece in enumerate(before.pieces) if piece.stored} if before else {}
    pieces = [_piece(row, before.pieces[old[row.id]] if before and row.id in old else None) for row in found.segments]
    draft = Draft(collection.sealed, pieces, {}, loaded=found.vectors is not None)
    if found.vectors is not None:
        sides = before.sides if before and has_sides(before, collection) else {}
        places = [old.get(row.id) for row in found.segments]
        draft.sides = _sides(collection, found.vectors, pieces, sides, places)
    for each in found.log:
        draft.apply(each, collection)
    return draft.finished(collection, analyser(collection.language), reads)


def _piece(row: SegmentRow, before: Piece | None) -> Piece:
    if before is None or row.head is not None:
        segment, stored = sealed.read_head(row.id, row.head or b"")
        return Piece.of(segment, stored, _alive(row.dead, len(segment)))
    return before.now(_alive(row.dead, len(before)))


def _alive(dead: bytes, chunks: int) -> Truths | None:
    if not dead:
        return None
    return ~np.unpackbits(np.frombuffer(dead, np.uint8), count=chunks).astype(np.bool_)


def _sides(
    collection: Collection,
    vectors: Sequence[Vectors],
    pieces: Sequence[Piece],
    before: Mapping[str, Side],
    places: Sequence[int | None],
) -> dict[str, Side]:
    """The sides of sealed pieces.

    Args:
        collection: says whose vectors count.
        vectors: what was read.
        pieces: sealed ones.
        before: the sides of an earlier state.
        places: for each piece its number there; None: it is new.
    """
    sides: dict[str, Side] = {}
    for embedder in filter(None, (collection.embedder, collection.next_embedder)):
        own = [each for each in vectors if each.embedder == embedder]
        side = before.get(embedder)
        if side is None and not own:
            continue
        matrix = side.matrix if side else Matrix(own[0].quantised.rows.shape[1])
        for each in own:
            matrix.append(each.hashes, each.quantised)
        known: list[Places | None] = [side.places[n] if side and n is not None else None for n in places]
        made = Side.of(embedder, matrix, pieces, known)
        for each in own if side else ():
            made = made.learnt(pieces, each.hashes)
        sides[embedder] = made.compact(pieces) if made.wasteful else made
    return sides
