"""Hits that do not all say the same: maximal marginal relevance (Carbonell and Goldstein, 1998)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def diverse(
    scores: NDArray[np.float32], likeness: NDArray[np.float32], count: int, diversity: float
) -> NDArray[np.int64]:
    """Which to take, in the order in which they were chosen.

    The first is the best; each further one is that with the largest `(1 − diversity) × score − diversity × likeness` to
    what it is most like of those already chosen. Of equally good ones the first.

    Args:
        scores: 0 to 1, shape (n,).
        likeness: of each to each, −1 to 1, shape (n, n).
        count: how many at most.
        diversity: 0 takes the best, 1 looks only at how unlike they are.
    """
    gain = (1 - diversity) * scores.astype(np.float64)
    most_like = np.zeros(len(scores))
    left = np.ones(len(scores), bool)
    chosen: list[int] = []
    while left.any() and len(chosen) < count:
        worth = gain - (diversity * most_like if chosen else 0.0)
        worth[~left] = -np.inf
        pick = int(np.argmax(worth))
        chosen.append(pick)
        left[pick] = False
        most_like = likeness[pick].astype(np.float64) if len(chosen) == 1 else np.maximum(most_like, likeness[pick])
    return np.array(chosen, np.int64)


def likeness(vectors: NDArray[np.float32], terms: Sequence[frozenset[str]]) -> NDArray[np.float32]:
    """How alike chunks are: by the cosine of their meanings, and where one has no vector by the words that they share.

    Args:
        vectors: unit rows, shape (n, d); zeros where there is none.
        terms: of each chunk.

    Returns:
        Shape (n, n), symmetric, 1 on the diagonal.
    """
    alike: NDArray[np.float32] = vectors @ vectors.T
    for n in np.flatnonzero(~vectors.any(axis=1)).tolist():
        shares = np.array([_shared(terms[n], other) for other in terms], np.float32)
        alike[n, :] = alike[:, n] = shares
    np.fill_diagonal(alike, 1)
    return alike


def _shared(one: frozenset[str], other: frozenset[str]) -> float:
    """Cosine of two sets."""
    if not one or not other:
        return 0.0
    return float(len(one & other) / (len(one) * len(other)) ** 0.5)
