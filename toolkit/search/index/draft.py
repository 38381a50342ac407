"""The next state of a collection, made of the one before and of what was written since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from toolkit.search.collection import Collection
from toolkit.search.index import bodies
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.identity import Docs
from toolkit.search.index.pieces import JOINED, Piece, joined
from toolkit.search.index.sides import Side
from toolkit.search.index.state import CollectionState, Reads
from toolkit.search.vectors import Matrix
from toolkit.search.words.analyser import Analyser


class Entry(NamedTuple):
    """A row of the log."""

    version: int
    kind: str
    body: bytes


@dataclass(slots=True)
class Draft:
    """A state in the making. It changes only itself: what it is made of stays as it is.

    Attributes:
        version: what was applied.
        pieces: so far.
        sides: so far, by embedder.
        loaded: whether vectors are to be taken in; before the others are read they would be in the way.
    """

    version: int
    pieces: list[Piece]
    sides: dict[str, Side]
    loaded: bool

    @classmethod
    def after(cls, state: CollectionState) -> "Draft":
        """What follows `state`."""
        return cls(state.version, list(state.pieces), dict(state.sides), state.loaded)

    def apply(self, entry: Entry, collection: Collection) -> None:
        """Take in a row of the log; they come in order.

        Args:
            entry: the row.
            collection: says whose vectors count.

        Raises:
            DatabaseError: it is damaged.
        """
        if entry.kind == bodies.WORDS:
            segments = bodies.to_words(entry.body)
            self._kill(np.concatenate([np.empty(0, np.int64), *(segment.docs for segment in segments)]))
            for segment in segments:
                self._add(Piece.of(segment))
        elif entry.kind == bodies.GONE:
            self._kill(bodies.to_gone(entry.body))
        elif entry.kind == bodies.VECTORS and self.loaded:
            vectors = bodies.to_vectors(entry.body)
            if vectors.embedder in (collection.embedder, collection.next_embedder):
                self.learn(vectors)
        self.version = max(self.version, entry.version)

    def learn(self, vectors: Vectors) -> None:
        """Take in vectors."""
        side = self.sides.get(vectors.embedder)
        if side is None:
            dimension = vectors.quantised.rows.shape[1]
            side = Side.of(vectors.embedder, Matrix(dimension), self.pieces)
        if vectors.quantised.rows.shape[1] != side.matrix.dimension:
            return  # of another model of that name; what it says cannot be compared
        side.matrix.append(vectors.hashes, vectors.quantised)
        self.sides[vectors.embedder] = side.learnt(self.pieces, vectors.hashes)

    def finished(self, collection: Collection, analyser: Analyser, reads: Reads) -> CollectionState:
        """The state."""
        wanted = (collection.embedder, collection.next_embedder)
        sides: Mapping[str, Side] = {name: side for name, side in self.sides.items() if name in wanted}
        return CollectionState(collection, self.version, tuple(self.pieces), sides, self.loaded, analyser, reads)

    def _kill(self, docs: Docs) -> None:
        docs = np.unique(docs)
        for number, piece in enumerate(self.pieces):
            left, ordinals = piece.without(docs)
            if left is not piece:
                self.pieces[number] = left
                for name, side in self.sides.items():
                    self.sides[name] = side.died(number, ordinals, left)

    def _add(self, piece: Piece) -> None:
        self.pieces.append(piece)
        for name, side in self.sides.items():
            self.sides[name] = side.extended(piece)
        first = _joining(self.pieces)
        if first < len(self.pieces) - 1:
            self.pieces[first:] = [joined(self.pieces[first:])]
            for name, side in self.sides.items():
                self.sides[name] = side.joined(first)


def _joining(pieces: Sequence[Piece]) -> int:
    """The first of the last pieces that are to be joined: each is at most twice as large as all behind it."""
    first = len(pieces) - 1
    size = len(pieces[first])
    while first and pieces[first - 1].stored is None:
        before = len(pieces[first - 1])
        if before > 2 * size or before + size > JOINED:
            break
        size += before
        first -= 1
    return first
