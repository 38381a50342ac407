"""What is folded into what when a collection is sealed; pure, it reads and writes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from toolkit.db import Row
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.pieces import Hashes, Piece, Truths
from toolkit.search.index.sides import Side
from toolkit.search.vectors import concatenate
from toolkit.search.words.segment import MOST_CHUNKS

BLOCK: Final = 4_096
"""Vectors of a full block: 1.6 MB at 384 dimensions."""

_ROTTEN = 2 / 3  # of a segment's chunks: it is made anew when fewer are alive
_LARGER = 2  # times as large as what it is joined with: a chunk is then written anew a few times in all


@dataclass(frozen=True, slots=True)
class Fold:
    """What is made of what.

    Attributes:
        groups: pieces that become one segment each.
        segments: the ids of the sealed ones among them, and of those in which nothing is alive.
        vectors: what becomes one block each.
        blocks: the ids of the blocks that these were in, and of those that nobody searches any more.
    """

    groups: Sequence[Sequence[Piece]]
    segments: Sequence[int]
    vectors: Sequence[Vectors]
    blocks: Sequence[int]


def groups(pieces: Sequence[Piece]) -> tuple[list[list[Piece]], list[int]]:
    """The pieces that become one segment each, and the ids of the sealed ones that are not needed any more."""
    fresh = [piece for piece in pieces if piece.stored is None]
    size = sum(piece.living for piece in fresh)
    chosen: list[Piece] = []
    for piece in sorted((p for p in pieces if p.stored), key=lambda p: p.living):
        rotten = piece.living < _ROTTEN * len(piece)
        if rotten or piece.living <= min(_LARGER * size, _LARGER * MOST_CHUNKS // 3):
            chosen.append(piece)
            size += piece.living
    taken = set(map(id, chosen))
    found: list[list[Piece]] = []
    room = 0
    for piece in (p for p in pieces if p.living and (p.stored is None or id(p) in taken)):
        if piece.living > room:
            found.append([])
            room = MOST_CHUNKS
        found[-1].append(piece)
        room -= piece.living
    return found, [piece.stored.id for piece in chosen if piece.stored]


def blocks(rows: Sequence[Row], embedder: str, side: Side | None, fresh: int) -> list[int]:
    """The ids of the blocks of an embedder that are made anew together with so many vectors of the log."""
    own = [row for row in rows if row["embedder"] == embedder]
    if side is not None and side.wasteful:
        return [row["id"] for row in own]
    return [row["id"] for row in own if fresh and row["vectors"] < BLOCK // 2]


def packed(parts: Sequence[Vectors], pieces: Sequence[Piece]) -> list[Vectors]:
    """The vectors of one embedder that belong to a living chunk, each once, in full blocks as far as they go."""
    if not parts:
        return []
    hashes = np.concatenate([part.hashes for part in parts])
    everything = concatenate([part.quantised for part in parts])
    firsts = np.zeros(len(hashes), np.bool_)
    firsts[np.unique(hashes, return_index=True)[1]] = True
    kept = np.flatnonzero(firsts & living(pieces, hashes))
    return [
        Vectors(parts[0].embedder, hashes[some], everything.take(some))
        for some in (kept[start : start + BLOCK] for start in range(0, len(kept), BLOCK))
    ]


def living(pieces: Iterable[Piece], hashes: Hashes) -> Truths:
    """Which of `hashes` belong to a living chunk."""
    found = np.zeros(len(hashes), np.bool_)
    for piece in pieces:
        ordinals, which = piece.lookup.of_hashes(hashes)
        found[which if piece.alive is None else which[piece.alive[ordinals]]] = True
    return found
