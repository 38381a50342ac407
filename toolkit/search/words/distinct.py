"""The tokens of many texts at once, each distinct one looked at once.

Every token as a value of Python's, looked up in a dictionary of all that were ever seen, takes most of the time of
indexing: a text repeats its words, and a large dictionary lies in no cache. So a token is first the eight, sixteen or
more bytes of it as one to four numbers, of which arrays find the distinct ones. It is exact: what is longer, or what
arrays cannot tell apart within a few rounds, is compared as bytes.
"""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.search.words.tokens import marked

Places: TypeAlias = NDArray[np.int64]

_BLOCK: Final = 1 << 21  # characters of one go: of more, few words are new, and they take more memory
_WORD: Final = 8
_WORDS: Final = (1, 2, 4)  # of a token as numbers
_ROUNDS: Final = 8
_SPACE: Final = ord(" ")
_MASKS: Final = np.array([(1 << 8 * count) - 1 for count in range(_WORD + 1)], np.uint64)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ by the golden ratio: neighbors come to lie far apart


def distinct_all(texts: Sequence[str]) -> Iterator[tuple[list[bytes], Places]]:
    """The distinct tokens of `texts`, and which of them stands at each place, some texts at a time.

    Tokens are those of `coarse`, with `BREAK` after each text.
    """
    start = size = 0
    for end, text in enumerate(texts, 1):
        size += len(text) + 1
        if size >= _BLOCK or end == len(texts):
            yield _distinct(marked(texts[start:end]))
            start, size = end, 0


def _distinct(content: bytes) -> tuple[list[bytes], Places]:
    """The distinct words of `content`, between which are spaces, and which of them stands at each place."""
    padded = b"".join((b" ", content, b" " * (_WORD * _WORDS[-1])))
    edges = np.flatnonzero(np.diff(np.frombuffer(padded, np.uint8) == _SPACE)) + 1
    starts, ends = edges[::2], edges[1::2]
    firsts = _firsts(padded, starts, ends - starts)
    is_first = firsts == np.arange(len(firsts))
    bounds = zip(starts[is_first].tolist(), ends[is_first].tolist(), strict=True)
    return [padded[start:end] for start, end in bounds], (np.cumsum(is_first) - 1)[firsts]


def _firsts(content: bytes, starts: Places, lengths: Places) -> Places:
    """For each word a place at which the same word stands, the same for all of them."""
    firsts = np.arange(len(starts))
    shorter, rest = 0, []
    for words in _WORDS:
        some = np.flatnonzero((lengths > shorter) & (lengths <= words * _WORD))
        same, left = _same(_columns(content, starts[some], lengths[some], words))
        firsts[some] = some[same]
        rest.append(some[left])
        shorter = words * _WORD
    known: dict[bytes, int] = {}
    for place in np.concatenate([*rest, np.flatnonzero(lengths > shorter)]).tolist():
        word = content[starts[place] : starts[place] + lengths[place]]
        firsts[place] = known.setdefault(word, place)
    return firsts


def _columns(content: bytes, starts: Places, lengths: Places, words: int) -> list[NDArray[np.uint64]]:
    """Words as so many numbers of eight bytes each; what is behind their end is zero."""
    windows = np.ndarray(len(content) - _WORD + 1, "<u8", content, strides=(1,))
    return [windows[starts + at] & _MASKS[np.clip(lengths - at, 0, _WORD)] for at in range(0, words * _WORD, _WORD)]


def _same(columns: Sequence[NDArray[np.uint64]]) -> tuple[Places, Places]:
    """For each row of `columns` one that is equal to it, the same for all equal ones; and rows that have none yet.

    In each round every row puts its number into a place that follows from its values; who then finds there the number
    of one that is equal to it is done, and the others try other places.
    """
    count = len(columns[0])
    left, found = np.arange(count), np.arange(count)
    shift = np.uint64(63 - max(1, count.bit_length()))
    table = np.empty(1 << (64 - int(shift)), np.int64)
    mixed = columns[0] * _MIX
    for column in columns[1:]:
        mixed = (mixed ^ (mixed >> shift) ^ column) * _MIX
    for _ in range(_ROUNDS):
        if not left.size:
            break
        slots = mixed >> shift
        table[slots] = left
        there = table[slots]
        equal = np.ones(len(left), np.bool_)
        for column in columns:
            equal &= column[left] == column[there]
        found[left[equal]] = there[equal]
        left, mixed = left[~equal], (mixed[~equal] ^ (mixed[~equal] >> shift)) * _MIX
    return found, left
