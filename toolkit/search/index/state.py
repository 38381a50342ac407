"""What is known of a collection at a moment, in memory: its chunks, where words stand in them, and their vectors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from toolkit.search.collection import Collection
from toolkit.search.index import identity
from toolkit.search.index.identity import Docs
from toolkit.search.index.pieces import Hashes, Ordinals, Piece, Truths
from toolkit.search.index.sides import Side
from toolkit.search.vectors import restore
from toolkit.search.words.analyser import Analyser

Floats: TypeAlias = NDArray[np.float32]
T = TypeVar("T", bound=np.generic)


class Column(Generic[T]):
    """A value for each chunk of a state, left lying in its pieces: a copy of them all would take as much again.

    `column[ordinals]` gives those of some chunks, `numpy.asarray(column)` joins all.
    """

    def __init__(self, parts: Sequence[NDArray[T]], starts: NDArray[np.int64], kind: type[T]) -> None:
        self._parts = parts
        self._starts = starts
        self.dtype: np.dtype[T] = np.dtype(kind)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, ordinals: NDArray[np.integer] | Sequence[int]) -> NDArray[T]:
        wanted = np.asarray(ordinals, np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"Chunks {wanted.min()} to {wanted.max()} are asked of a state that has {len(self)}.")
        found = np.empty(len(wanted), self.dtype)
        within = np.searchsorted(self._starts, wanted, side="right") - 1
        for number in np.unique(within).tolist():
            here = within == number
            found[here] = self._parts[number][wanted[here] - self._starts[number]]
        return found

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.concatenate([np.empty(0, self.dtype), *self._parts]).astype(dtype or self.dtype, copy=False)


class Unembedded(NamedTuple):
    """Texts that lack a vector: their hashes, and a chunk that has each."""

    hashes: Hashes
    chunk_ids: list[str]


class Reads(Protocol):
    """What a state asks of the index that it came from."""

    async def lexical(self, states: "Sequence[CollectionState]", query: Mapping[str, float]) -> list[Floats]:
        """BM25 of every chunk of some states."""
        ...

    async def ready(self, state: "CollectionState") -> "CollectionState":
        """The collection with its vectors."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class CollectionState:
    """A collection as it was at one version. It never changes; `Index.sync` gives others.

    Its chunks are counted from 0 in the order of its pieces, also those that no longer count: these ordinals mean
    nothing to another state.

    Attributes:
        collection: the collection's row.
        version: what was applied; at least the row's.
        pieces: sealed ones, then those that just came.
        sides: the vectors by embedder: of the present one and of the next.
        loaded: whether the vectors were read; before that no chunk seems to have one.
        analyser: takes the collection's words.
        reads: the index.
    """

    collection: Collection
    version: int
    pieces: tuple[Piece, ...]
    sides: Mapping[str, Side]
    loaded: bool
    analyser: Analyser
    reads: Reads
    starts: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        ends = np.cumsum([0, *map(len, self.pieces)], dtype=np.int64)
        object.__setattr__(self, "starts", ends)

    @property
    def key(self) -> str:
        """The collection's."""
        return self.collection.key

    @property
    def name(self) -> str:
        """What it is called."""
        return self.collection.name

    @property
    def owner(self) -> str | None:
        """Whose it is; None: everyone's."""
        return self.collection.owner

    @property
    def language(self) -> str:
        """Of its words."""
        return self.collection.language

    @property
    def embedder(self) -> str | None:
        """Whose vectors are searched; None: there are none yet."""
        return self.collection.embedder

    @property
    def next_embedder(self) -> str | None:
        """Who takes over once no chunk lacks a vector of it."""
        return self.collection.next_embedder

    @property
    def dimension(self) -> int | None:
        """Of the vectors that are searched."""
        return self.collection.dimension

    def __len__(self) -> int:
        """How many ordinals there are."""
        return int(self.starts[-1])

    @property
    def living(self) -> int:
        """How many chunks still count."""
        return sum(piece.living for piece in self.pieces)

    @property
    def docs(self) -> Column[np.int64]:
        """The document of each chunk."""
        return self._column(lambda piece: piece.segment.docs, np.int64)

    @property
    def positions(self) -> Column[np.int32]:
        """The position of each chunk in its document."""
        return self._column(lambda piece: piece.segment.positions, np.int32)

    @property
    def hashes(self) -> Column[np.uint64]:
        """The hash of what an embedder reads of each chunk."""
        return self._column(lambda piece: piece.segment.hashes, np.uint64)

    @property
    def alive(self) -> Column[np.bool_]:
        """Whether each chunk still counts."""
        return self._column(lambda piece: piece.mask, np.bool_)

    def chunk_ids(self, ordinals: NDArray[np.integer] | Sequence[int]) -> list[str]:
        """The ids of some chunks, in the same order."""
        return identity.chunk_ids(self.docs[ordinals], self.positions[ordinals])

    def among(self, docs: Docs) -> Truths:
        """Which chunks belong to `docs`, which are in order and distinct; dead ones may be among them."""
        return np.concatenate([np.empty(0, np.bool_), *(piece.lookup.among(docs) for piece in self.pieces)])

    async def lexical(self, query: Mapping[str, float]) -> Floats:
        """BM25 of every chunk, 0 where nothing fits; of terms with their weights, as `analyser.query` gives them."""
        return (await self.reads.lexical([self], query))[0]

    async def ready(self) -> "CollectionState":
        """The collection with its vectors, as it is or a newer one; a large one answers by its words before."""
        return self if self.loaded else await self.reads.ready(self)

    @property
    def side(self) -> Side | None:
        """The vectors that are searched; None while there are none."""
        return self.sides.get(self.embedder or "")

    def semantic(self, vector: NDArray[np.floating]) -> Floats:
        """The cosine of a unit vector with every chunk's; NaN for one that has none. It takes a while: use a thread."""
        if self.side is None:
            return np.full(len(self), np.nan, np.float32)
        # A chunk without a vector has the row -1, which is the last one.
        cosines = np.append(self.side.matrix.scan(vector), np.float32(np.nan))
        return np.concatenate([np.empty(0, np.float32), *(cosines[places] for places in self.side.places)])

    def vectors_of(self, ordinals: NDArray[np.integer] | Sequence[int]) -> Floats:
        """The unit vectors of some chunks, float32[n, d]; a row of NaN for one that has none."""
        side = self.side
        if side is None:
            return np.full((len(ordinals), self.dimension or 0), np.nan, np.float32)
        places = Column(side.places, self.starts, np.int32)[ordinals]
        found = np.full((len(places), side.matrix.dimension), np.nan, np.float32)
        there = places >= 0
        found[there] = restore(side.matrix.take(places[there]))
        return found

    @property
    def vectors(self) -> int:
        """How many living chunks have a vector of the present embedder."""
        return 0 if self.side is None else self.living - sum(self.side.lacking)

    @property
    def pending(self) -> int:
        """How many living chunks have none of the next embedder, or, where there is no next one, of the present."""
        side = self.sides.get(self.collection.wanted or "")
        return self.living if side is None else sum(side.lacking)

    def unembedded(self, n: int, skip: Hashes | None = None) -> Unembedded:
        """At most `n` distinct texts of those chunks, oldest first, without those to `skip`."""
        side = self.sides.get(self.collection.wanted or "")
        passed = np.zeros(0, np.uint64) if skip is None else skip
        found: dict[int, str] = {}
        for number, piece in enumerate(self.pieces):
            if side is not None and not side.lacking[number]:
                continue
            lacking = piece.mask if side is None else piece.mask & (side.places[number] < 0)
            for hashes, ids in _parts(piece, np.flatnonzero(lacking), passed):
                for own, chunk in zip(hashes, ids, strict=True):
                    found.setdefault(own, chunk)
                    if len(found) == n:
                        return _unembedded(found)
        return _unembedded(found)

    def _column(self, values: Callable[[Piece], NDArray[T]], kind: type[T]) -> Column[T]:
        return Column([values(piece) for piece in self.pieces], self.starts, kind)


def _parts(piece: Piece, ordinals: Ordinals, skip: Hashes) -> Iterator[tuple[list[int], list[str]]]:
    """Hashes and chunk ids, a few hundred at a time: a million is mostly more than was asked for."""
    segment, few = piece.segment, 512
    for start in range(0, len(ordinals), few):
        part = ordinals[start : start + few]
        part = part[~np.isin(segment.hashes[part], skip)]
        yield segment.hashes[part].tolist(), identity.chunk_ids(segment.docs[part], segment.positions[part])


def _unembedded(found: Mapping[int, str]) -> Unembedded:
    return Unembedded(np.fromiter(found, np.uint64, len(found)), list(found.values()))
