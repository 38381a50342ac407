"""Postings of sealed segments: in blocks of many terms in the database, and those that were asked for in memory.

A segment of 65,536 chunks has some 100,000 terms, most of which stand in one chunk. Rows of one term would be mostly
keys, so that a row holds those of a stretch of the alphabet. Its body, numbers little-endian:

| bytes | what |
|---|---|
| 1 | version of the format, 1 |
| 4 | CRC-32 of everything behind the header of 13 bytes |
| 4 | n, the number of terms |
| 4 | s, the bytes of all terms |
| 4n | how many postings each term has, uint32 |
| 2p | the chunks of the first term, uint16, ascending, then those of the second, … |
| p | how often the term stands in each, uint8 |
| s | the terms in UTF-8, a newline between two, in the order of their code points |
"""

import struct
import zlib
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from threading import Lock
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatabaseError
from toolkit.search.words.segment import Lists, Postings, Segment

BLOCK: Final = 8_192
"""Bytes from which a block is full; a term of more has one of its own."""

CACHED: Final = 64_000_000
"""Bytes of postings that are kept in memory, in all collections together."""

_HEADER = struct.Struct("<BIII")
_VERSION = 1
_OVERHEAD = 250  # bytes of a remembered entry beside its arrays, about


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a sealed segment's postings are.

    Attributes:
        id: of the segment, in the table `segments`.
        firsts: the first term of each of its blocks.
    """

    id: int
    firsts: Sequence[str]

    def block_of(self, term: str) -> int:
        """The number of the only block in which `term` can stand; -1: none."""
        return bisect_right(self.firsts, term) - 1


class Block(NamedTuple):
    """The postings of a stretch of terms, which are in order; views of what was read."""

    terms: Sequence[str]
    starts: NDArray[np.int64]
    ids: NDArray[np.uint16]
    counts: NDArray[np.uint8]

    def postings(self, term: str) -> Postings | None:
        """Where `term` stands, None if nowhere; copies, so that the block is let go of."""
        place = bisect_left(self.terms, term)
        if place == len(self.terms) or self.terms[place] != term:
            return None
        part = slice(self.starts[place], self.starts[place + 1])
        return Postings(self.ids[part].copy(), self.counts[part].copy())


def blocks(segment: Segment) -> Iterator[tuple[str, bytes]]:
    """A whole segment's postings in blocks, each with its first term; in the order of the terms."""
    lists = segment.lists
    order = sorted(range(len(lists.terms)), key=lists.terms.__getitem__)
    terms = [lists.terms[place] for place in order]
    sizes = np.diff(lists.starts)[order]
    ends = np.cumsum(sizes)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    places = np.repeat(lists.starts[:-1][order], sizes) + within
    ids, counts = lists.ids[places].astype("<u2"), lists.counts[places]
    for first, last in _stretches(terms, sizes):
        part = slice(int(ends[first] - sizes[first]), int(ends[last - 1]))
        names = "\n".join(terms[first:last]).encode()
        content = b"".join(
            (sizes[first:last].astype("<u4").tobytes(), ids[part].tobytes(), counts[part].tobytes(), names)
        )
        header = _HEADER.pack(_VERSION, zlib.crc32(content), last - first, len(names))
        yield terms[first], header + content


def _stretches(terms: Sequence[str], sizes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """First and last place, the last not included, of the terms of each block."""
    full = np.cumsum([3 * size + len(term) + 5 for term, size in zip(terms, sizes.tolist(), strict=True)])
    first = 0
    while first < len(terms):
        before = full[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(full, before + BLOCK, side="right")))
        yield first, last
        first = last


def read_block(body: bytes) -> Block:
    """What `blocks` made.

    Raises:
        DatabaseError: it is damaged, or of another version.
    """
    if len(body) < _HEADER.size:
        raise _damaged()
    version, checksum, count, named = _HEADER.unpack_from(body)
    if version != _VERSION or zlib.crc32(memoryview(body)[_HEADER.size :]) != checksum:
        raise _damaged()
    sizes = np.frombuffer(body, "<u4", count, _HEADER.size)
    starts = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=starts[1:])
    total, at = int(starts[-1]), _HEADER.size + 4 * count
    if len(body) != at + 3 * total + named:
        raise _damaged()
    ids = np.frombuffer(body, "<u2", total, at)
    counts = np.frombuffer(body, np.uint8, total, at + 2 * total)
    return Block(body[at + 3 * total :].decode().split("\n"), starts, ids, counts)


def whole(head: Segment, found: Iterable[Block]) -> Segment:
    """A sealed segment with its postings again, to be merged with others.

    Args:
        head: as it was read without them.
        found: all of its blocks.
    """
    parts = list(found)
    offsets = list(accumulate((len(part.ids) for part in parts), initial=0))
    starts = [part.starts[:-1] + offset for part, offset in zip(parts, offsets[:-1], strict=True)]
    lists = Lists(
        [term for part in parts for term in part.terms],
        np.concatenate([*starts, np.array(offsets[-1:], np.int64)]),
        np.concatenate([np.zeros(0, np.uint16), *(part.ids for part in parts)]),
        np.concatenate([np.zeros(0, np.uint8), *(part.counts for part in parts)]),
    )
    return Segment(head.docs, head.positions, head.hashes, head.lengths, lists=lists)


class Remembered:
    """The postings that were asked for last, also those that are not there. Any number of threads may use it.

    Args:
        most: bytes that it may hold; one that is larger is not kept.
    """

    def __init__(self, most: int = CACHED) -> None:
        self._most = most
        self._held = 0
        self._kept: OrderedDict[tuple[int, str], Postings | None] = OrderedDict()
        self._lock = Lock()

    @property
    def nbytes(self) -> int:
        """Bytes that are held, about."""
        return self._held

    def get(self, segment: int, terms: Iterable[str]) -> tuple[dict[str, Postings], list[str]]:
        """The postings that are known of a segment, and the terms of which it is not known whether there are any."""
        known: dict[str, Postings] = {}
        unknown = []
        with self._lock:
            for term in terms:
                key = (segment, term)
                if key not in self._kept:
                    unknown.append(term)
                    continue
                self._kept.move_to_end(key)
                found = self._kept[key]
                if found is not None:
                    known[term] = found
        return known, unknown

    def put(self, segment: int, term: str, postings: Postings | None) -> None:
        """Remember what was found, and forget what was not asked for longest."""
        key = (segment, term)
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = postings
            self._held += _size(postings)
            while self._held > self._most and self._kept:
                self._held -= _size(self._kept.popitem(last=False)[1])


def _size(postings: Postings | None) -> int:
    return _OVERHEAD + (postings.ids.nbytes + postings.counts.nbytes if postings else 0)


def _damaged() -> DatabaseError:
    return DatabaseError("A block of the search index cannot be read: it is damaged. Ingest the documents anew.")
