"""A piece of the inverted index that never changes, and how it is packed for a database.

Packed it is one value of bytes; numbers are little-endian, arrays lie side by side without gaps:

| bytes | what |
|---|---|
| 4 | `WSEG` |
| 1 | version of the format, 1 |
| 1 | 1: with postings (`pack`), 0: without (`head`) |
| 1 | bytes of an ordinal in `ids`: 1 if there are at most 256 chunks, else 2 |
| 1 | 0 |
| 4 | CRC-32 of everything after the first 32 bytes |
| 4 | n, the number of chunks |
| 4 | m, the number of terms; 0 in a head |
| 4 | s, the bytes of all terms; 0 in a head |
| 8 | p, the number of postings; 0 in a head |
| 8n, 8n, 4n, 4n | `docs` int64, `hashes` uint64, `positions` int32, `lengths` uint32 |
| 4m | how many postings each term has, uint32 |
| p or 2p | `ids`: the chunks of the first term, ascending, then those of the second, … |
| p | `counts`, uint8, beside them |
| s | the terms in UTF-8, a newline between two |
"""

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import DatabaseError
from toolkit.search.words.analyser import Analyser, Vocabulary
from toolkit.search.words.distinct import distinct_all
from toolkit.search.words.tokens import coarse

MOST_CHUNKS = 1 << 16
"""Chunks of one segment: an ordinal fits into two bytes."""

MOST_COUNTED = 255
"""How often a term is counted in one chunk; BM25 makes no difference between more."""

_MAGIC, _VERSION = b"WSEG", 1
_HEADER = struct.Struct("<4s4BIIIIQ")
_NARROW = 1 << 8
_CHUNK_BITS, _COUNT_BITS = 16, 8


class Postings(NamedTuple):
    """The chunks of one segment that hold a term.

    Attributes:
        ids: uint16[n], the chunks' ordinals in the segment, ascending.
        counts: uint8[n], how often the term stands in each; `MOST_COUNTED` means: at least so often.
    """

    ids: NDArray[np.uint16]
    counts: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Texts:
    """Chunks to be indexed.

    Attributes:
        docs: int64[n], the document of each.
        positions: int32[n], its position there.
        hashes: uint64[n], the hash of what an embedder reads of it.
        bodies: n texts, what its words are taken from; see `body`.
    """

    docs: NDArray[np.int64]
    positions: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    bodies: Sequence[str]


def body(title: str, heading: str, text: str) -> str:
    """What the words of a chunk are taken from: its title counts twice.

    On three judged collections whose texts have titles that is worth 0.012, 0.004 and -0.001 nDCG@10
    (`benchmarks.retrieval`). A heading counts once: it mostly stands in the text, too.
    """
    return f"{title}\n{title}\n{heading}\n{text}"


class Lists(NamedTuple):
    """The postings of all terms of a segment.

    Attributes:
        terms: m distinct terms, in no order.
        starts: int64[m + 1], where the postings of each begin; the last is where they end.
        ids: uint16[p], the chunks of the first term, then those of the second, …; see `Postings`.
        counts: uint8[p], beside them.
    """

    terms: Sequence[str] = ()
    starts: NDArray[np.int64] = np.zeros(1, np.int64)
    ids: NDArray[np.uint16] = np.zeros(0, np.uint16)
    counts: NDArray[np.uint8] = np.zeros(0, np.uint8)


class Segment:
    """Up to `MOST_CHUNKS` chunks and, unless it was read from a head, the postings of their terms.

    Attributes:
        docs: int64[n], the document of each chunk.
        positions: int32[n], its position in the document.
        hashes: uint64[n], the hash of what an embedder reads of it.
        lengths: uint32[n], how many terms it has, repeats included.
        lists: the postings; none if it was read from a head.
    """

    __slots__ = ("_places", "docs", "hashes", "lengths", "lists", "positions")

    def __init__(
        self,
        docs: NDArray[np.int64],
        positions: NDArray[np.int32],
        hashes: NDArray[np.uint64],
        lengths: NDArray[np.uint32],
        *,
        lists: Lists | None = None,
    ) -> None:
        self.docs, self.positions, self.hashes, self.lengths = docs, positions, hashes, lengths
        self.lists = lists or Lists()
        self._places: dict[str, int] | None = None

    def __len__(self) -> int:
        return len(self.docs)

    @property
    def terms(self) -> Sequence[str]:
        """The distinct terms, in no order; empty if it was read from a head."""
        return self.lists.terms

    def postings(self, term: str) -> Postings | None:
        """Where `term` stands; None if nowhere."""
        if self._places is None:
            self._places = dict(zip(self.terms, range(len(self.terms)), strict=True))
        place = self._places.get(term)
        if place is None:
            return None
        part = slice(self.lists.starts[place], self.lists.starts[place + 1])
        return Postings(self.lists.ids[part], self.lists.counts[part])

    def found(self, terms: Iterable[str]) -> dict[str, Postings]:
        """The postings of those `terms` that stand in it."""
        return {term: postings for term in terms if (postings := self.postings(term)) is not None}

    @classmethod
    def build(cls, analyser: Analyser, texts: Texts) -> Self:
        """Index `texts`; a few thousand at once are fastest.

        Raises:
            ValueError: there are more than `MOST_CHUNKS`.
        """
        n = _checked(len(texts.bodies))
        words = analyser.vocabulary
        codes = [
            np.fromiter(map(words.__getitem__, tokens), np.int64, len(tokens))[places]
            for tokens, places in distinct_all(texts.bodies)
        ]
        terms, chunks = _terms(np.concatenate([np.zeros(0, np.int64), *codes]), words.several)
        bare = np.flatnonzero(np.bincount(chunks, minlength=n) == 0).tolist()
        rest = [(words.number(t), chunk) for chunk in bare for t in analyser.stop_words(coarse(texts.bodies[chunk]))]
        more = np.array(rest, np.int64).reshape(-1, 2)
        terms, chunks = np.append(terms, more[:, 0]), np.append(chunks, more[:, 1])
        pairs = np.sort((terms << _CHUNK_BITS) | chunks)
        first = np.flatnonzero(np.diff(pairs, prepend=-1))
        counts = np.minimum(np.diff(first, append=len(pairs)), MOST_COUNTED)
        return cls(
            np.asarray(texts.docs, np.int64),
            np.asarray(texts.positions, np.int32),
            np.asarray(texts.hashes, np.uint64),
            np.bincount(chunks, minlength=n).astype(np.uint32),
            lists=_lists((pairs[first] << _COUNT_BITS) | counts, words.terms),
        )

    @classmethod
    def merge(cls, segments: Sequence["Segment"], alive: Sequence[NDArray[np.bool_] | None]) -> Self:
        """One segment of the chunks of all `segments`, in their order, without those that are dead.

        It is the same as what `build` makes of the texts of those that are alive.

        Args:
            segments: whole ones, not read from heads; at least one.
            alive: for each, bool[n], which of its chunks are kept; None: all.

        Raises:
            ValueError: more than `MOST_CHUNKS` are alive.
        """
        masks = [np.ones(len(s), np.bool_) if a is None else a for s, a in zip(segments, alive, strict=True)]
        _checked(sum(int(np.count_nonzero(mask)) for mask in masks))
        numbers: dict[str, int] = {}
        parts, base = [], 0
        for segment, mask in zip(segments, masks, strict=True):
            known = np.array([numbers.setdefault(term, len(numbers)) for term in segment.terms], np.int64)
            places = np.cumsum(mask, dtype=np.int64) + (base - 1)
            parts.append(_Part(known, *_alive(segment.lists, mask, places)))
            base += int(np.count_nonzero(mask))
        pairs = list(zip(segments, masks, strict=True))
        return cls(
            np.concatenate([segment.docs[mask] for segment, mask in pairs]),
            np.concatenate([segment.positions[mask] for segment, mask in pairs]),
            np.concatenate([segment.hashes[mask] for segment, mask in pairs]),
            np.concatenate([segment.lengths[mask] for segment, mask in pairs]),
            lists=_laid(list(numbers), parts),
        )

    def pack(self) -> bytes:
        """All of it in one value, for `unpack`."""
        width = 1 if len(self) <= _NARROW else 2
        lists = (
            np.diff(self.lists.starts).astype("<u4").tobytes(),
            self.lists.ids.astype(f"<u{width}", copy=False).tobytes(),
            self.lists.counts.tobytes(),
            "\n".join(self.terms).encode(),
        )
        sizes = (len(self.terms), len(lists[-1]), len(self.lists.ids))
        return self._packed((1, width), sizes, lists)

    def head(self) -> bytes:
        """What a search needs of it beside the postings of the query's terms, for `from_head`."""
        return self._packed((0, 2), (0, 0, 0), ())

    def _packed(self, kind: tuple[int, int], sizes: tuple[int, int, int], lists: Iterable[bytes]) -> bytes:
        chunks = (
            self.docs.astype("<i8", copy=False),
            self.hashes.astype("<u8", copy=False),
            self.positions.astype("<i4", copy=False),
            self.lengths.astype("<u4", copy=False),
        )
        content = b"".join([*(array.tobytes() for array in chunks), *lists])
        return _HEADER.pack(_MAGIC, _VERSION, *kind, 0, zlib.crc32(content), len(self), *sizes) + content

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """What `pack` packed; its arrays are views of `data`.

        Raises:
            DatabaseError: it is damaged, or of another version.
        """
        return cls._unpacked(data, whole=1)

    @classmethod
    def from_head(cls, data: bytes) -> Self:
        """A segment without postings, of what `head` gave; its arrays are views of `data`.

        Raises:
            DatabaseError: it is damaged, or of another version.
        """
        return cls._unpacked(data, whole=0)

    @classmethod
    def _unpacked(cls, data: bytes, whole: int) -> Self:
        if len(data) < _HEADER.size:
            raise _damaged("it is too short")
        magic, version, kind, width, _, checksum, n, m, named, p = _HEADER.unpack_from(data)
        if magic != _MAGIC or version != _VERSION or kind != whole or width not in (1, 2):
            raise _damaged(f"it is of another kind or version than {_VERSION}")
        if len(data) != _HEADER.size + 24 * n + 4 * m + (1 + width) * p + named:
            raise _damaged("its length is wrong")
        if zlib.crc32(memoryview(data)[_HEADER.size :]) != checksum:
            raise _damaged("its checksum is wrong")
        arrays, at = [], _HEADER.size
        for code, count in (("<i8", n), ("<u8", n), ("<i4", n), ("<u4", n), ("<u4", m), (f"<u{width}", p), ("u1", p)):
            arrays.append(np.frombuffer(data, code, count, at))
            at += arrays[-1].nbytes
        docs, hashes, positions, lengths, sizes, ids, counts = arrays
        starts = np.zeros(m + 1, np.int64)
        np.cumsum(sizes, out=starts[1:])
        terms = data[at:].decode().split("\n") if m else ()
        lists = Lists(terms, starts, ids.astype(np.uint16, copy=False), counts)
        return cls(docs, positions, hashes, lengths, lists=lists)


def _lists(entries: NDArray[np.int64], terms: Mapping[int, str]) -> Lists:
    """Postings of `entries`: the index of a term, a chunk and a count in one integer each, ascending."""
    indices = entries >> (_CHUNK_BITS + _COUNT_BITS)
    starts = np.flatnonzero(np.diff(indices, prepend=-1))
    return Lists(
        [terms[index] for index in indices[starts].tolist()],
        np.append(starts, len(entries)),
        (entries >> _COUNT_BITS).astype(np.uint16),
        entries.astype(np.uint8),
    )


class _Part(NamedTuple):
    """What one segment brings into another: the numbers of its terms there, how many postings each has, and these."""

    known: NDArray[np.int64]
    sizes: NDArray[np.int64]
    ids: NDArray[np.uint16]
    counts: NDArray[np.uint8]


def _alive(
    lists: Lists, mask: NDArray[np.bool_], places: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]]:
    """How many postings each term has in the chunks of `mask`, and these, the chunks by their new `places`."""
    sizes, ids = np.diff(lists.starts), places.astype(np.uint16)[lists.ids]
    if mask.all():
        return sizes, ids, lists.counts
    kept = mask[lists.ids]
    terms = np.repeat(np.arange(len(sizes)), sizes)[kept]
    return np.bincount(terms, minlength=len(sizes)), ids[kept], lists.counts[kept]


def _laid(terms: Sequence[str], parts: Sequence[_Part]) -> Lists:
    """The postings of all parts, those of a term in the order of the parts; each is laid where it belongs."""
    totals = np.zeros(len(terms), np.int64)
    for part in parts:
        totals[part.known] += part.sizes
    starts = np.cumsum(totals) - totals
    ids, counts = np.empty(totals.sum(), np.uint16), np.empty(totals.sum(), np.uint8)
    free = starts.copy()
    for part in parts:
        before = np.cumsum(part.sizes) - part.sizes
        places = np.arange(len(part.ids)) + np.repeat(free[part.known] - before, part.sizes)
        ids[places], counts[places] = part.ids, part.counts
        free[part.known] += part.sizes
    there = totals > 0
    left = [term for term, is_there in zip(terms, there.tolist(), strict=True) if is_there]
    return Lists(left, np.append(starts[there], len(ids)), ids, counts)


def _terms(
    codes: NDArray[np.int64], several: Mapping[int, tuple[int, ...]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The numbers of all terms of the texts, and beside them the chunks in which they stand; in no order.

    Args:
        codes: what the vocabulary says of each token of the texts.
        several: the numbers of the terms of the tokens that have more than one.
    """
    chunks = np.cumsum(codes == Vocabulary.ENDED)
    alone = codes >= 0
    many = np.flatnonzero(codes <= Vocabulary.SEVERAL)
    if not many.size:
        return codes[alone], chunks[alone]
    distinct, places = np.unique(codes[many], return_inverse=True)
    numbers = [several[code] for code in distinct.tolist()]
    sizes = np.array([len(terms) for terms in numbers])
    flat = np.array([number for terms in numbers for number in terms])
    times = sizes[places]
    ends = np.cumsum(times)
    shifts = np.repeat((np.cumsum(sizes) - sizes)[places] - (ends - times), times)
    found = flat[np.arange(ends[-1]) + shifts]
    return np.append(codes[alone], found), np.append(chunks[alone], np.repeat(chunks[many], times))


def _checked(chunks: int) -> int:
    if chunks > MOST_CHUNKS:
        raise ValueError(f"A segment holds {MOST_CHUNKS:,} chunks, not {chunks:,}.")
    return chunks


def _damaged(why: str) -> DatabaseError:
    """The error of who reads a segment that cannot be one."""
    return DatabaseError(f"A piece of the search index cannot be read: {why}. Index the collection's documents anew.")
