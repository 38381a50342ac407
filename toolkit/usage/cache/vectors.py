"""Vectors of questions: kept as text, compared without anything installed."""

import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from math import hypot, isfinite
from operator import mul
from typing import NamedTuple

_ROUNDING = 1e-6  # float32 may say of a vector that it is not quite itself


class Candidate(NamedTuple):
    """An answer whose question may be alike: its key and the kept vector."""

    key: str
    vector: str


def unit(vector: Sequence[float]) -> "array[float] | None":
    """`vector` at length one; None if it has no direction."""
    length = hypot(*vector)
    if not isfinite(length) or length == 0:
        return None
    return array("f", [value / length for value in vector])


def pack(vector: "array[float]") -> str:
    """A vector as base64 of its float32 values, the lowest byte first."""
    return b64encode(_little(vector)).decode()


def unpack(text: str) -> "array[float]":
    """The vector that `pack` wrote.

    Raises:
        ValueError: it is damaged.
    """
    vector = array("f")
    vector.frombytes(b64decode(text, validate=True))
    return array("f", _little(vector))


def nearest(vector: "array[float]", candidates: Iterable[Candidate], least: float) -> str | None:
    """The key of the candidate whose vector is most alike; None if none reaches `least`.

    Alike is the cosine of their angle: 1 is the same direction. Vectors of another length, from another model, and
    damaged ones are passed over. The first of equals wins.

    Args:
        vector: of length one, as all candidates are.
        candidates: newest first.
        least: from 0 to 1.
    """
    best, found = least - _ROUNDING, None
    for candidate in candidates:
        try:
            other = unpack(candidate.vector)
        except ValueError:
            continue
        if len(other) != len(vector):
            continue
        alike = sum(map(mul, vector, other))
        if alike > best:
            best, found = alike, candidate.key
    return found


def _little(vector: "array[float]") -> bytes:
    if sys.byteorder == "big":
        vector = array("f", vector)
        vector.byteswap()
    return vector.tobytes()
