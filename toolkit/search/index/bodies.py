"""What the rows of the log hold, as bytes and back.

`words`: segments as they pack themselves, each behind its length (uint32). `gone`: documents, int64. `sealed` (what is
folded is to be looked at again) and `settings` (the collection's row is another): nothing. `vectors`, and the body of a
block of vectors: a header, the embedder's name in UTF-8, n hashes (uint64), n scales (float32) and n rows of d bytes.
The header: `VECS`, the version 1, a CRC-32 of everything behind it, the bytes of the name, n, and d. All numbers are
little-endian.
"""

import struct
import zlib
from collections.abc import Iterable
from typing import Final, NamedTuple

import numpy as np

from toolkit.errors import DatabaseError
from toolkit.search.index.identity import Docs
from toolkit.search.index.pieces import Hashes
from toolkit.search.vectors import Quantised
from toolkit.search.words.segment import Segment

WORDS: Final = "words"
GONE: Final = "gone"
VECTORS: Final = "vectors"
SEALED: Final = "sealed"
SETTINGS: Final = "settings"

_LENGTH = struct.Struct("<I")
_HEADER = struct.Struct("<4sBIHII")
_MAGIC, _VERSION = b"VECS", 1


class Vectors(NamedTuple):
    """Vectors of one embedder, and the hashes of the texts that they stand for."""

    embedder: str
    hashes: Hashes
    quantised: Quantised


def of_words(segments: Iterable[Segment]) -> bytes:
    """The body of a row `words`."""
    packed = [segment.pack() for segment in segments]
    return b"".join(part for each in packed for part in (_LENGTH.pack(len(each)), each))


def to_words(body: bytes) -> list[Segment]:
    """The segments of a row `words`.

    Raises:
        DatabaseError: it is damaged.
    """
    segments, at = [], 0
    while at < len(body):
        if at + _LENGTH.size > len(body):
            raise _damaged()
        (length,) = _LENGTH.unpack_from(body, at)
        at += _LENGTH.size + length
        if at > len(body):
            raise _damaged()
        segments.append(Segment.unpack(body[at - length : at]))
    return segments


def of_gone(docs: Docs) -> bytes:
    """The body of a row `gone`."""
    return docs.astype("<i8", copy=False).tobytes()


def to_gone(body: bytes) -> Docs:
    """The documents of a row `gone`.

    Raises:
        DatabaseError: it is damaged.
    """
    if len(body) % 8:
        raise _damaged()
    return np.frombuffer(body, "<i8").astype(np.int64, copy=False)


def of_vectors(vectors: Vectors) -> bytes:
    """The body of a row `vectors`, or of a block."""
    name = vectors.embedder.encode()
    count, dimension = vectors.quantised.rows.shape
    content = b"".join(
        (
            name,
            vectors.hashes.astype("<u8", copy=False).tobytes(),
            vectors.quantised.scales.astype("<f4", copy=False).tobytes(),
            vectors.quantised.rows.tobytes(),
        )
    )
    return _HEADER.pack(_MAGIC, _VERSION, zlib.crc32(content), len(name), count, dimension) + content


def to_vectors(body: bytes) -> Vectors:
    """What `of_vectors` made; the arrays are views of it.

    Raises:
        DatabaseError: it is damaged, or of another version.
    """
    if len(body) < _HEADER.size:
        raise _damaged()
    magic, version, checksum, named, count, dimension = _HEADER.unpack_from(body)
    at = _HEADER.size
    right = magic == _MAGIC and version == _VERSION and len(body) == at + named + count * (12 + dimension)
    if not right or zlib.crc32(memoryview(body)[at:]) != checksum:
        raise _damaged()
    embedder = body[at : at + named].decode()
    at += named
    hashes = np.frombuffer(body, "<u8", count, at)
    scales = np.frombuffer(body, "<f4", count, at + 8 * count)
    rows = np.frombuffer(body, np.int8, count * dimension, at + 12 * count).reshape(count, dimension)
    return Vectors(embedder, hashes, Quantised(scales, rows))


def _damaged() -> DatabaseError:
    return DatabaseError("A row of the search log cannot be read: it is damaged. Ingest the documents anew.")
