"""Pieces of a collection in memory: a segment each, what of it still counts, and how its chunks are found."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.search.index.identity import Docs
from toolkit.search.index.postings import Stored
from toolkit.search.words.segment import Segment

Ordinals: TypeAlias = NDArray[np.int64]
Truths: TypeAlias = NDArray[np.bool_]
Hashes: TypeAlias = NDArray[np.uint64]

JOINED: Final = 2_048
"""Chunks up to which pieces that just came are joined: a query's time grows with the number of pieces, and joining
larger ones would hold up the query that does it."""


class Lookup:
    """Finds the chunks of a segment by document and by hash; what it takes is made when it is first asked.

    It needs two bytes a chunk for each of the two; who filters, two more and eight a document.
    """

    __slots__ = ("_by_doc", "_by_hash", "_numbered", "_segment")

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._by_doc: NDArray[np.integer] | None = None
        self._by_hash: NDArray[np.integer] | None = None
        self._numbered: tuple[Docs, NDArray[np.integer]] | None = None

    def of_docs(self, docs: Docs) -> Ordinals:
        """The chunks of `docs`, in no order."""
        return _equal(self._segment.docs, self._order_of_docs(), docs)[0]

    def of_hashes(self, hashes: Hashes) -> tuple[Ordinals, Ordinals]:
        """The chunks that have one of `hashes`, in no order, and for each which of `hashes` that is."""
        if self._by_hash is None:
            self._by_hash = _order(self._segment.hashes)
        return _equal(self._segment.hashes, self._by_hash, hashes)

    def among(self, docs: Docs) -> Truths:
        """Which chunks belong to `docs`, which are in order and distinct."""
        if self._numbered is None:
            self._numbered = self._numbers()
        distinct, numbers = self._numbered
        met = np.zeros(len(distinct), np.bool_)
        if len(docs) < len(distinct):
            places = np.minimum(np.searchsorted(distinct, docs), len(distinct) - 1)
            met[places[distinct[places] == docs]] = True
        elif len(docs):
            places = np.minimum(np.searchsorted(docs, distinct), len(docs) - 1)
            met = docs[places] == distinct
        found: Truths = met[numbers]
        return found

    def _order_of_docs(self) -> NDArray[np.integer]:
        if self._by_doc is None:
            self._by_doc = _order(self._segment.docs)
        return self._by_doc

    def _numbers(self) -> tuple[Docs, NDArray[np.integer]]:
        """The distinct documents in order, and for each chunk which of them it belongs to."""
        order = self._order_of_docs()
        docs = self._segment.docs[order]
        new = np.diff(docs, prepend=-1) != 0
        numbers = np.empty_like(order)
        numbers[order] = np.cumsum(new) - 1
        return docs[new], numbers


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A segment of a state. It never changes: what is done to it gives another that shares all that stays.

    Attributes:
        segment: its chunks, and the postings if it is fresh.
        lookup: finds them.
        stored: where the postings lie in the database; None: the segment has them.
        alive: which chunks still count; None: all.
        living: how many do.
        terms: how many terms these have, repeats included.
    """

    segment: Segment
    lookup: Lookup
    stored: Stored | None
    alive: Truths | None
    living: int
    terms: int

    @classmethod
    def of(cls, segment: Segment, stored: Stored | None = None, alive: Truths | None = None) -> Self:
        """The piece of a segment."""
        return cls(segment, Lookup(segment), stored, None, 0, 0).now(alive)

    def __len__(self) -> int:
        return len(self.segment)

    @property
    def mask(self) -> Truths:
        """Which chunks still count, as an array in any case."""
        return np.ones(len(self), np.bool_) if self.alive is None else self.alive

    def without(self, docs: Docs) -> tuple[Self, Ordinals]:
        """The piece after the chunks of `docs` have died, and which of them were alive; itself if none was."""
        dying = self.lookup.of_docs(docs)
        if self.alive is not None:
            dying = dying[self.alive[dying]]
        if not len(dying):
            return self, dying
        alive = self.mask.copy()
        alive[dying] = False
        return self.now(alive), dying

    def now(self, alive: Truths | None) -> Self:
        """The piece with these of its chunks alive; None: all."""
        lengths = self.segment.lengths if alive is None else self.segment.lengths[alive]
        return replace(self, alive=alive, living=len(lengths), terms=int(lengths.sum(dtype=np.int64)))


def joined(pieces: Sequence[Piece]) -> Piece:
    """Fresh pieces as one; every chunk keeps its place in their order, also a dead one."""
    segment = Segment.merge([piece.segment for piece in pieces], [None] * len(pieces))
    alive = None if all(piece.alive is None for piece in pieces) else np.concatenate([piece.mask for piece in pieces])
    return Piece.of(segment, None, alive)


def _order(values: NDArray[np.int64] | Hashes) -> NDArray[np.integer]:
    """What sorts `values`, in as few bytes as will do."""
    order = np.argsort(values, kind="stable")
    return order.astype(np.uint16 if len(values) <= 1 << 16 else np.int64)


def _equal(
    values: NDArray[np.int64] | Hashes, order: NDArray[np.integer], wanted: NDArray[np.int64] | Hashes
) -> tuple[Ordinals, Ordinals]:
    """The places in `values` of each of `wanted`, and for each place which of `wanted` stands there."""
    firsts = np.searchsorted(values, wanted, side="left", sorter=order)
    counts = np.searchsorted(values, wanted, side="right", sorter=order) - firsts
    which = np.repeat(np.arange(len(wanted)), counts)
    within = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[firsts[which] + within].astype(np.int64), which
