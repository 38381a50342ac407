"""Pieces of the inverted index: built, merged, packed, and read again."""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.errors import DatabaseError
from toolkit.search.words.analyser import Analyser
from toolkit.search.words.segment import MOST_CHUNKS, MOST_COUNTED, Segment, Texts, body

ENGLISH = Analyser("en")
WORDS = ["fox", "Foxes", "the", "run_fast", "C++", "v1.2.3", "東京都", "é", "\0", "🎉", "is", ""]
BODIES = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), max_size=12)


def texts(bodies: Sequence[str], first: int = 0) -> Texts:
    """Chunks, each of a document of its own."""
    numbers = np.arange(first, first + len(bodies))
    return Texts(numbers * 7 - 3, numbers.astype(np.int32), numbers.astype(np.uint64) << np.uint64(40), bodies)


def build(bodies: Sequence[str], first: int = 0) -> Segment:
    return Segment.build(ENGLISH, texts(bodies, first))


def content(segment: Segment) -> dict[str, object]:
    """All that is in a segment, as plain values."""
    postings = {term: segment.postings(term) for term in segment.terms}
    return {
        "docs": segment.docs.tolist(),
        "positions": segment.positions.tolist(),
        "hashes": segment.hashes.tolist(),
        "lengths": segment.lengths.tolist(),
        "postings": {
            term: list(zip(p.ids.tolist(), p.counts.tolist(), strict=True)) for term, p in postings.items() if p
        },
    }


@given(BODIES)
@example(["the fox is", "", "the", "🎉", "a\0b fox"])
def test_a_segment_holds_the_terms_of_each_text_as_often_as_they_stand_there(bodies: list[str]) -> None:
    expected: dict[str, list[tuple[int, int]]] = {}
    terms = [ENGLISH.terms(text) for text in bodies]
    for chunk, each in enumerate(terms):
        for term, times in Counter(each).items():
            expected.setdefault(term, []).append((chunk, times))
    found = content(build(bodies))
    assert found["postings"] == expected
    assert found["lengths"] == [len(each) for each in terms]
    assert found["docs"] == [7 * n - 3 for n in range(len(bodies))]


def test_a_count_stops_at_what_a_byte_holds_and_the_length_does_not() -> None:
    segment = build(["fox " * 1_000])
    assert content(segment)["postings"] == {"fox": [(0, MOST_COUNTED)]}
    assert segment.lengths.tolist() == [1_000]


@given(BODIES, st.integers(0, 300))
def test_what_is_packed_is_unpacked_the_same(bodies: list[str], more: int) -> None:
    segment = build([*bodies, *["more of it"] * more])
    assert content(Segment.unpack(segment.pack())) == content(segment)


@given(BODIES)
def test_a_head_is_the_segment_without_its_postings(bodies: list[str]) -> None:
    segment = build(bodies)
    head = Segment.from_head(segment.head())
    assert content(head) == {**content(segment), "postings": {}}
    assert head.found(segment.terms) == {}


@given(st.lists(BODIES, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_merged_segments_are_the_one_built_of_what_is_alive(parts: list[list[str]], chance: random.Random) -> None:
    segments, masks, left, first = [], [], [], 0
    for part in parts:
        segments.append(build(part, first))
        mask = np.array([chance.random() < 0.7 for _ in part], np.bool_)
        masks.append(None if mask.all() else mask)
        left += [(first + n, text) for n, text in enumerate(part) if mask[n]]
        first += len(part)
    whole = build([text for _, text in left])
    merged = content(Segment.merge(segments, masks))
    assert merged["docs"] == [7 * n - 3 for n, _ in left]
    assert merged["positions"] == [n for n, _ in left]
    assert merged["hashes"] == [n << 40 for n, _ in left]
    assert merged["lengths"] == content(whole)["lengths"]
    assert merged["postings"] == content(whole)["postings"]


def test_what_was_unpacked_can_be_merged() -> None:
    first, second = build(["fox one", "fox two"]), build(["fox three"], 2)
    again = [Segment.unpack(first.pack()), Segment.unpack(second.pack())]
    assert content(Segment.merge(again, [None, None])) == content(build(["fox one", "fox two", "fox three"]))


def test_a_segment_takes_as_many_chunks_as_two_bytes_can_number_and_no_more() -> None:
    full = build(["fox"] * MOST_CHUNKS)
    assert full.found(["fox"])["fox"].ids[-1] == MOST_CHUNKS - 1
    assert len(Segment.unpack(full.pack())) == MOST_CHUNKS
    with pytest.raises(ValueError, match="65,536 chunks, not 65,537"):
        build(["fox"] * (MOST_CHUNKS + 1))
    with pytest.raises(ValueError, match="65,536 chunks, not 65,537"):
        Segment.merge([full, build(["fox"])], [None, None])


def test_threads_build_what_one_would() -> None:
    shared = Analyser("en")
    batches = [texts([f"word{n} other_name{n * m % 13} é{m}" for n in range(200)]) for m in range(12)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda batch: content(Segment.build(shared, batch)), batches))
    assert found == [content(Segment.build(ENGLISH, batch)) for batch in batches]


@pytest.mark.parametrize("read", [Segment.unpack, Segment.from_head], ids=["packed", "head"])
def test_damaged_bytes_are_refused_in_plain_words(read: Callable[[bytes], Segment]) -> None:
    whole = build(["fox runs", "the fox"])
    good = whole.pack() if read == Segment.unpack else whole.head()
    read(good)
    damaged = [good[:cut] for cut in range(0, len(good), 5)]
    damaged += [good[:at] + bytes([good[at] ^ 0x10]) + good[at + 1 :] for at in range(len(good)) if at != 7]
    damaged += [good + b"\0", whole.head() if read == Segment.unpack else whole.pack()]
    for data in damaged:
        with pytest.raises(
            DatabaseError, match=r"search index cannot be read: .*\. Index the collection's documents anew"
        ):
            read(data)


def test_a_format_once_written_is_read_for_ever() -> None:
    segment = Segment.unpack(bytes.fromhex(GOLDEN))
    assert content(segment) == content(build(["fox one", "The foxes"]))
    assert segment.pack() == bytes.fromhex(GOLDEN)


GOLDEN = (
    "5753454701010100ea32e2440200000002000000070000000300000000000000fdffffffffffffff04000000000000000000"
    "0000000000000000000000010000000000000100000002000000010000000200000001000000000100010101666f780a6f6e"
    "65"
)


def test_a_title_counts_twice() -> None:
    assert Counter(ENGLISH.terms(body("Retrying", "Backoff", "retry later"))) == {"retri": 3, "backoff": 1, "later": 1}
