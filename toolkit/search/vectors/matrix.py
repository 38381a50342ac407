"""The vectors of a collection in memory: rows of bytes that are only ever added, scanned from end to end.

One writer appends while any number of readers scan. What a reader goes by is one immutable description of the rows
(`_State`), replaced as a whole once the new rows are in place: it sees all of an append or nothing of it.
"""

from threading import Lock
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import simsimd

from toolkit.search.vectors.places import Places
from toolkit.search.vectors.quantise import Bytes, Floats, Quantised, quantise

Hashes: TypeAlias = npt.NDArray[np.uint64]

BLOCK: Final = 32_768
"""Rows that are allocated at once when there are many: growing never copies more than this."""

TAKEN_OVER: Final = 16_384
"""Rows from which a part is taken over as it is, not copied: what a blob of the database held is then held once."""

_FIRST = 64
_STRETCH = 512


class _Block(NamedTuple):
    """Consecutive rows; the arrays have room for more than the `rows` that are in use."""

    rows: int
    hashes: Hashes
    scales: Floats
    matrix: Bytes


class _State(NamedTuple):
    rows: int
    blocks: tuple[_Block, ...]
    places: Places


class Matrix:
    """Vectors by the hash of the text that they stand for.

    Args:
        dimension: of every vector.
    """

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._state = _State(0, (), Places())
        self._writing = Lock()

    @property
    def dimension(self) -> int:
        """How many components each vector has."""
        return self._dimension

    def __len__(self) -> int:
        return self._state.rows

    @property
    def nbytes(self) -> int:
        """Bytes that are held, with the room that was made for further rows."""
        blocks = sum(block.hashes.nbytes + block.scales.nbytes + block.matrix.nbytes for block in self._state.blocks)
        return blocks + self._state.places.nbytes

    @property
    def hashes(self) -> Hashes:
        """The hash of every row, uint64 in the order of the rows; a copy."""
        return np.concatenate([np.empty(0, np.uint64), *(b.hashes[: b.rows] for b in self._state.blocks)])

    def append(self, hashes: npt.ArrayLike, quantised: Quantised) -> int:
        """Add vectors; of a hash that is there already, the vector that is there stays.

        Args:
            hashes: uint64, shape (n,).
            quantised: n vectors. From `TAKEN_OVER` on the arrays themselves are kept: do not change them.

        Returns:
            How many were added.

        Raises:
            ValueError: the shapes do not belong together.
        """
        new = np.asarray(hashes, dtype=np.uint64)
        if quantised.rows.shape != (len(new), self._dimension) or quantised.scales.shape != new.shape:
            raise ValueError(
                f"{len(new)} hashes with rows of shape {quantised.rows.shape} and {len(quantised.scales)} scales "
                f"do not fit a matrix of dimension {self._dimension}."
            )
        with self._writing:
            state = self._state
            fresh = _firsts(new) & (state.places.of(new) < 0)
            if not fresh.all():
                new, quantised = new[fresh], quantised.take(fresh)
            if not len(new):
                return 0
            places = state.places.with_(new, state.rows)
            self._state = _State(state.rows + len(new), self._grown(state.blocks, new, quantised), places)
            return len(new)

    def rows_of(self, hashes: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """The row of each hash, -1 for one that is not there; shape (n,)."""
        return self._state.places.of(np.asarray(hashes, dtype=np.uint64))

    def scan(self, query: npt.ArrayLike) -> Floats:
        """The cosine of `query` with every row, float32 of shape (rows,), to about 0.003.

        Args:
            query: a unit vector, shape (dimension,).
        """
        state = self._state
        scale, steps = self._query(query)
        found = np.empty((1, state.rows), np.float32)
        start = 0
        for block in state.blocks:
            part = found[:, start : start + block.rows]
            np.multiply(_dots(steps, block.matrix[: block.rows]), block.scales[: block.rows], out=part)
            start += block.rows
        cosines: Floats = found[0]
        cosines *= scale
        return cosines

    def scan_rows(self, query: npt.ArrayLike, rows: npt.ArrayLike) -> Floats:
        """The cosine of `query` with some rows, in their order; NaN for a row of -1.

        Args:
            query: a unit vector, shape (dimension,).
            rows: integers, shape (n,).
        """
        wanted = np.asarray(rows, dtype=np.int64)
        found = np.full(wanted.shape, np.nan, np.float32)
        there = wanted >= 0
        if there.any():
            some = self.take(wanted[there])
            scale, steps = self._query(query)
            found[there] = _dots(steps, some.rows)[0] * some.scales * scale
        return found

    def top(
        self, query: npt.ArrayLike, k: int, *, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[npt.NDArray[np.int64], Floats]:
        """The rows nearest to `query`, best first, and their cosines; of equal ones the earlier row.

        Args:
            query: a unit vector, shape (dimension,).
            k: how many at most, at least 1.
            allowed: one truth for each row that may be found; rows added since it was made may not.
        """
        cosines = self.scan(query)
        if allowed is not None:
            known = min(len(allowed), len(cosines))
            rows = np.flatnonzero(allowed[:known])
            cosines = cosines[rows]
        else:
            rows = np.arange(len(cosines))
        if k < len(rows):
            among = np.flatnonzero(cosines >= _least(cosines, k))
            rows, cosines = rows[among], cosines[among]
        order = np.lexsort((rows, -cosines))[:k]
        return rows[order], cosines[order]

    def take(self, rows: npt.ArrayLike) -> Quantised:
        """A copy of some rows, none of them -1, in the order asked for.

        Raises:
            IndexError: there is no such row.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        state = self._state
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < state.rows:
            raise IndexError(f"Rows {wanted.min()} to {wanted.max()} are asked of a matrix with {state.rows}.")
        taken = Quantised(np.empty(len(wanted), np.float32), np.empty((len(wanted), self._dimension), np.int8))
        starts = np.cumsum([0, *(block.rows for block in state.blocks)])
        within = np.searchsorted(starts, wanted, side="right") - 1
        for number in np.unique(within):
            here = np.flatnonzero(within == number)
            block, places = state.blocks[number], wanted[here] - starts[number]
            taken.scales[here] = block.scales[places]
            taken.rows[here] = block.matrix[places]
        return taken

    def _query(self, query: npt.ArrayLike) -> tuple[float, Bytes]:
        vector = np.asarray(query, dtype=np.float32)
        if vector.shape != (self._dimension,):
            raise ValueError(f"A query of shape {vector.shape} does not fit a matrix of dimension {self._dimension}.")
        scales, steps = quantise(vector[None])
        return float(scales[0]), steps

    def _grown(self, blocks: tuple[_Block, ...], hashes: Hashes, quantised: Quantised) -> tuple[_Block, ...]:
        """The blocks with these rows behind them."""
        if len(hashes) >= TAKEN_OVER:
            return (*blocks, _Block(len(hashes), hashes, *_contiguous(quantised)))
        start = 0
        while start < len(hashes):
            last = blocks[-1] if blocks else None
            if last is None or last.rows >= BLOCK:
                blocks = (*blocks, self._empty(_room(len(blocks) > 0, len(hashes) - start)))
            elif last.rows == len(last.hashes):
                blocks = (*blocks[:-1], self._larger(last, len(hashes) - start))
            last = blocks[-1]
            stop = min(len(hashes), start + len(last.hashes) - last.rows)
            into = slice(last.rows, last.rows + stop - start)
            last.hashes[into] = hashes[start:stop]
            last.scales[into] = quantised.scales[start:stop]
            last.matrix[into] = quantised.rows[start:stop]
            blocks = (*blocks[:-1], last._replace(rows=into.stop))
            start = stop
        return blocks

    def _empty(self, room: int) -> _Block:
        matrix = np.empty((room, self._dimension), np.int8)
        return _Block(0, np.empty(room, np.uint64), np.empty(room, np.float32), matrix)

    def _larger(self, block: _Block, further: int) -> _Block:
        """A copy with room for twice as many rows or for `further` more, at most `BLOCK`."""
        larger = self._empty(min(BLOCK, max(2 * block.rows, block.rows + further)))
        larger.hashes[: block.rows] = block.hashes[: block.rows]
        larger.scales[: block.rows] = block.scales[: block.rows]
        larger.matrix[: block.rows] = block.matrix[: block.rows]
        return larger._replace(rows=block.rows)


def _dots(steps: Bytes, rows: Bytes) -> Floats:
    """The product of one row of bytes with each of `rows`, shape (1, n)."""
    # Not into an array of ours, `out=`: then simsimd gives back a reference to None that it never took, at each call,
    # and the interpreter dies of that in the end.
    dots: Floats = np.asarray(simsimd.cdist(steps, rows, metric="dot", out_dtype="float32"))
    return dots


def _least(cosines: Floats, k: int) -> float:
    """A number that at least `k` of the cosines reach, and not many more.

    It is the k-th largest among the maxima of stretches: each of the best k stretches has one that reaches it.
    """
    stretch = max(1, min(_STRETCH, len(cosines) // k))
    maxima = np.maximum.reduceat(cosines, np.arange(0, len(cosines), stretch))
    return float(np.partition(maxima, len(maxima) - k)[len(maxima) - k])


def _room(others: bool, wanted: int) -> int:
    return BLOCK if others else min(BLOCK, max(_FIRST, wanted))


def _contiguous(quantised: Quantised) -> Quantised:
    return Quantised(np.ascontiguousarray(quantised.scales, np.float32), np.ascontiguousarray(quantised.rows, np.int8))


def _firsts(hashes: Hashes) -> npt.NDArray[np.bool_]:
    """Where each hash stands for the first time."""
    first = np.zeros(len(hashes), np.bool_)
    first[np.unique(hashes, return_index=True)[1]] = True
    return first
