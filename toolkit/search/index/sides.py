"""The vectors of one embedder, laid beside the pieces of a state."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.search.index.pieces import Hashes, Ordinals, Piece
from toolkit.search.vectors import Matrix

Places: TypeAlias = NDArray[np.int32]

SPARE: Final = 4_096
"""Vectors beyond which it matters that most of them are not needed."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """Which vector each chunk has. It never changes, but the matrix grows, and is shared with what follows.

    Attributes:
        embedder: whose vectors they are.
        matrix: the vectors.
        places: for each piece, int32[n], the row of each chunk; -1 for one that has none, or is dead.
        lacking: for each piece how many living chunks have none.
    """

    embedder: str
    matrix: Matrix
    places: tuple[Places, ...]
    lacking: tuple[int, ...]

    @classmethod
    def of(cls, embedder: str, matrix: Matrix, pieces: Sequence[Piece], known: Sequence[Places | None] = ()) -> Self:
        """The side of `pieces`; `known` are the rows of their chunks as far as somebody looked them up before."""
        found = [
            _living(piece, matrix.rows_of(piece.segment.hashes) if rows is None else rows)
            for piece, rows in zip(pieces, known or [None] * len(pieces), strict=True)
        ]
        return cls(embedder, matrix, tuple(found), tuple(map(_lacking, pieces, found)))

    @property
    def wasteful(self) -> bool:
        """Whether most of the vectors belong to no chunk any more."""
        used = sum(int(np.count_nonzero(places >= 0)) for places in self.places)
        return len(self.matrix) > 2 * used + SPARE

    def compact(self, pieces: Sequence[Piece]) -> Self:
        """The same with a matrix of its own that has only what is needed."""
        rows = np.unique(np.concatenate([np.empty(0, np.int32), *self.places]))
        rows = rows[rows >= 0]
        matrix = Matrix(self.matrix.dimension)
        matrix.append(self.matrix.hashes[rows], self.matrix.take(rows))
        return self.of(self.embedder, matrix, pieces)

    def died(self, number: int, ordinals: Ordinals, left: Piece) -> Self:
        """After chunks of the piece with that number have died, which is now `left`."""
        places = self.places[number].copy()
        places[ordinals] = -1
        return self._with(number, left, places)

    def learnt(self, pieces: Sequence[Piece], hashes: Hashes) -> Self:
        """After vectors of `hashes` came into the matrix."""
        rows = self.matrix.rows_of(hashes)
        side = self
        for number, piece in enumerate(pieces):
            if not self.lacking[number]:
                continue
            ordinals, which = piece.lookup.of_hashes(hashes)
            if piece.alive is not None:
                ordinals, which = ordinals[piece.alive[ordinals]], which[piece.alive[ordinals]]
            if len(ordinals):
                places = side.places[number].copy()
                places[ordinals] = rows[which]
                side = side._with(number, piece, places)
        return side

    def extended(self, piece: Piece) -> Self:
        """With one piece more."""
        places = _living(piece, self.matrix.rows_of(piece.segment.hashes))
        lacking = (*self.lacking, _lacking(piece, places))
        return replace(self, places=(*self.places, places), lacking=lacking)

    def joined(self, first: int) -> Self:
        """With the pieces from `first` on as one."""
        places = (*self.places[:first], np.concatenate(self.places[first:]))
        return replace(self, places=places, lacking=(*self.lacking[:first], sum(self.lacking[first:])))

    def _with(self, number: int, piece: Piece, places: Places) -> Self:
        lacking = (*self.lacking[:number], _lacking(piece, places), *self.lacking[number + 1 :])
        return replace(self, places=(*self.places[:number], places, *self.places[number + 1 :]), lacking=lacking)


def _living(piece: Piece, places: Places) -> Places:
    return places if piece.alive is None else np.where(piece.alive, places, np.int32(-1))


def _lacking(piece: Piece, places: Places) -> int:
    return piece.living - int(np.count_nonzero(places >= 0))
