"""The ids of documents and chunks as numbers, and back.

A document's id is 12 characters of base32 (60 bits), and is the same as an int64 from 0 to 2⁶⁰ - 1. A chunk's id is its
document's, a dash, and its position.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatabaseError

Docs: TypeAlias = NDArray[np.int64]
Positions: TypeAlias = NDArray[np.int32]

LENGTH: Final = 12
"""Characters of a document's id."""

_LETTERS = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", np.uint8)
_BITS = 5
_NONE = 255  # no letter of base32
_VALUES = np.full(256, _NONE, np.uint8)
_VALUES[_LETTERS] = np.arange(len(_LETTERS))
_SHIFTS = np.arange(LENGTH - 1, -1, -1, dtype=np.int64) * _BITS


def docs_of(ids: Sequence[str]) -> Docs:
    """The documents of `ids` as numbers, in the same order.

    Raises:
        DatabaseError: one of them is no id of a document.
    """
    if any(len(each) != LENGTH for each in ids):
        raise _no_id(next(each for each in ids if len(each) != LENGTH))
    return docs_in("".join(ids))


def docs_in(joined: str) -> Docs:
    """The same for ids that stand one behind the other without a gap."""
    values = _VALUES[np.frombuffer(joined.encode("utf-8", "replace"), np.uint8)]
    if len(values) % LENGTH or (values == _NONE).any():
        raise _no_id(joined[:LENGTH])
    found: Docs = (values.reshape(-1, LENGTH).astype(np.int64) << _SHIFTS).sum(axis=1, dtype=np.int64)
    return found


def ids_of(docs: Docs) -> list[str]:
    """The ids of documents, in the same order."""
    letters = _LETTERS[(docs[:, None] >> _SHIFTS) & (len(_LETTERS) - 1)].tobytes().decode("ascii")
    return [letters[start : start + LENGTH] for start in range(0, len(letters), LENGTH)]


def chunk_ids(docs: Docs, positions: Positions) -> list[str]:
    """The ids of chunks, in the same order."""
    return [f"{own}-{position}" for own, position in zip(ids_of(docs), positions.tolist(), strict=True)]


def _no_id(text: str) -> DatabaseError:
    return DatabaseError(f"{text[:50]!r} is no document's id; an id is made by `document_id(collection, source)`.")
