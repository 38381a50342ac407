"""From a hash to its row: sorted runs, in which a million hashes are looked up at once.

A dictionary of a million Python integers takes 150 MB and is asked one by one; these arrays take 12 bytes an entry.
Each append makes a run, and runs are merged as long as the last one is not much smaller than the one before it: so
there are few of them, and an entry is copied a few times in all.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

_MERGED: Final = 4
"""Runs are merged while the last one has at least one fourth of the entries of the one before it."""


_SORTED: Final = 4_096
"""Hashes from which on they are looked up in order: what is looked up next is then in the processor's cache."""


class _Run(NamedTuple):
    """Hashes in order, and the row of each."""

    hashes: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int32]


class Places:
    """Which row a hash has. It is never changed: `with_` makes another, which shares what stayed."""

    def __init__(self, runs: tuple[_Run, ...] = ()) -> None:
        self._runs = runs

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return sum(run.hashes.nbytes + run.rows.nbytes for run in self._runs)

    def with_(self, hashes: npt.NDArray[np.uint64], row: int) -> "Places":
        """These places and those of further hashes, none of which is here yet, in rows from `row` on."""
        order = np.argsort(hashes)
        runs = [*self._runs, _Run(hashes[order], (order + row).astype(np.int32))]
        while len(runs) > 1 and len(runs[-1].hashes) * _MERGED >= len(runs[-2].hashes):
            last, before = runs.pop(), runs.pop()
            runs.append(_merged(before, last))
        return Places(tuple(runs))

    def of(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
        """The row of each hash, -1 where there is none."""
        if len(hashes) < _SORTED:
            return self._of(hashes)
        order = np.argsort(hashes)
        found = np.empty(len(hashes), np.int32)
        found[order] = self._of(hashes[order])
        return found

    def _of(self, hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int32]:
        found = np.full(len(hashes), -1, np.int32)
        for run in self._runs:
            at = np.searchsorted(run.hashes, hashes)
            at[at == len(run.hashes)] = 0
            hit = np.flatnonzero(run.hashes[at] == hashes)
            found[hit] = run.rows[at[hit]]
        return found


def _merged(one: _Run, other: _Run) -> _Run:
    hashes = np.concatenate([one.hashes, other.hashes])
    order = np.argsort(hashes, kind="stable")  # two sorted halves: numpy's stable sort merges them
    return _Run(hashes[order], np.concatenate([one.rows, other.rows])[order])
