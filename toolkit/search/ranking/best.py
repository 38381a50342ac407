"""The best of many scores, in an order that is always the same."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 512
_FEW = 16_384
_NOTHING = np.float32(0)


def best(scores: NDArray[np.float32], count: int, *, least: np.float32 = _NOTHING) -> NDArray[np.int64]:
    """Where the `count` largest scores stand, and all that are as large as the last of them.

    Exact. Of many scores most are never looked at twice: the `count`-th largest of the blocks' largest scores is a
    lower bound of what is looked for (a million scores take about a millisecond).

    Args:
        scores: any number of them, none NaN.
        count: at least 1.
        least: what is smaller is left out.
    """
    size, bound = len(scores), least
    blocks = size // _BLOCK
    if size > _FEW and count <= blocks:
        largest = scores[: blocks * _BLOCK].reshape(blocks, _BLOCK).max(axis=1)
        bound = max(bound, np.partition(largest, blocks - count)[blocks - count])
    found = np.flatnonzero(scores >= bound)
    if len(found) > count:
        kept = scores[found]
        found = found[kept >= np.partition(kept, len(kept) - count)[len(kept) - count]]
    return found


def order(scores: NDArray[np.float32], docs: NDArray[np.int64], positions: NDArray[np.int32]) -> NDArray[np.int64]:
    """The order by score, the largest first, then by document's id and place in it.

    Args:
        scores: shape (n,); as are the others.
        docs: the documents' ids as numbers; they are ordered as the ids are when they are written in base32.
        positions: of the chunks in their documents.
    """
    return np.lexsort((positions, _as_written(docs), -scores))


def _as_written(docs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers in the order in which the same ids stand as texts: there the digits 2–7 are before the letters a–z."""
    made = np.zeros(len(docs), np.int64)
    for shift in range(0, 60, 5):
        made |= (((docs >> shift) & 31) + 6 & 31) << shift
    return made
