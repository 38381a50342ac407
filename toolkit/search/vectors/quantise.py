"""Unit vectors as bytes: each row is divided by a scale of its own, so that its largest component is ±127.

The scale makes up for vectors whose weight lies on a few components. Of 384 components, as the embedded model makes
them, a cosine differs from the true one by at most 0.003, and of the ten best rows 99 in 100 are found
(`python -m benchmarks.embedding`).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Bytes: TypeAlias = npt.NDArray[np.int8]

MOST: Final = 127
"""The largest step; -128 is left out, so that a vector and its opposite are rounded alike."""


class Quantised(NamedTuple):
    """Vectors as bytes: vector i is about `scales[i] * rows[i]`.

    Attributes:
        scales: float32, shape (n,); 0 for a vector that is zero.
        rows: int8, shape (n, dimension).
    """

    scales: Floats
    rows: Bytes

    def take(self, which: npt.NDArray[np.integer] | npt.NDArray[np.bool_]) -> "Quantised":
        """Some of the vectors, copied: those at these places, or those that a mask keeps."""
        return Quantised(self.scales[which], self.rows[which])


def quantise(vectors: npt.ArrayLike) -> Quantised:
    """Round each vector to steps of a scale of its own.

    Args:
        vectors: finite numbers of shape (n, dimension); unit rows, if scans shall give cosines.
    """
    floats = np.asarray(vectors, dtype=np.float32)
    largest = np.abs(floats).max(axis=1, initial=0.0)
    scales = (largest / MOST).astype(np.float32)
    steps = np.divide(floats, scales[:, None], out=np.zeros_like(floats), where=scales[:, None] > 0)
    return Quantised(scales, np.rint(steps).clip(-MOST, MOST).astype(np.int8))


def restore(quantised: Quantised) -> Floats:
    """The vectors again, float32 of shape (n, dimension), made unit rows; what was rounded away stays away."""
    floats = quantised.rows.astype(np.float32)
    lengths = np.linalg.norm(floats, axis=1, keepdims=True)
    floats /= np.where(lengths > 0, lengths, 1.0)
    return floats


def concatenate(parts: Sequence[Quantised]) -> Quantised:
    """The vectors of all parts (at least one, of one dimension), in order."""
    return Quantised(np.concatenate([part.scales for part in parts]), np.concatenate([part.rows for part in parts]))
