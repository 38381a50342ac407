"""Postings in blocks, and those that are remembered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import DatabaseError
from toolkit.search.index import postings
from toolkit.search.index.postings import Remembered, Stored, blocks, read_block, whole
from toolkit.search.words.analyser import Analyser
from toolkit.search.words.segment import Postings, Segment, Texts

ANALYSER = Analyser("und")
words = st.text(st.sampled_from("abcdéñ日本🙂"), min_size=1, max_size=6)


def segment(*texts: str) -> Segment:
    n = len(texts)
    docs, positions = np.arange(n, dtype=np.int64), np.ones(n, np.int32)
    return Segment.build(ANALYSER, Texts(docs, positions, np.arange(n, dtype=np.uint64), texts))


def same(one: Postings | None, other: Postings | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(one.ids.tolist() == other.ids.tolist() and one.counts.tolist() == other.counts.tolist())


@settings(max_examples=60)
@given(texts=st.lists(st.lists(words, max_size=12).map(" ".join), min_size=1, max_size=30), full=st.integers(1, 200))
def test_every_posting_is_found_in_the_block_in_which_it_must_be(texts: list[str], full: int) -> None:
    made = segment(*texts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "BLOCK", full)
        written = list(blocks(made))
    stored = Stored(1, [first for first, _ in written])
    assert sorted(stored.firsts) == stored.firsts
    for term in [*made.terms, "absent", "", "~"]:
        number = stored.block_of(term)
        found = read_block(written[number][1]).postings(term) if number >= 0 else None
        assert same(found, made.postings(term)), term
    again = whole(made, [read_block(body) for _, body in written])
    assert {term: again.postings(term) is not None for term in again.terms} == dict.fromkeys(made.terms, True)
    assert all(same(again.postings(term), made.postings(term)) for term in made.terms)


def test_blocks_are_about_as_large_as_is_said_and_a_long_list_has_one_of_its_own() -> None:
    made = segment(*(f"common w{n} x{n % 7}" for n in range(4_000)))
    sizes = {first: len(body) for first, body in blocks(made)}
    assert sizes["common"] > postings.BLOCK
    assert all(postings.BLOCK / 2 < size < postings.BLOCK * 1.1 for first, size in list(sizes.items())[1:-8])


@pytest.mark.parametrize("at", [0, 3, 12, 20, -1])
def test_a_damaged_block_is_refused(at: int) -> None:
    ((_, body),) = blocks(segment("one two three", "two"))
    spoilt = bytearray(body)
    spoilt[at] ^= 1
    for wrong in (bytes(spoilt), body[:-1], body[:5], b""):
        with pytest.raises(DatabaseError, match="is damaged"):
            read_block(wrong)


def test_what_is_remembered_never_takes_more_than_it_may_and_the_oldest_goes_first() -> None:
    ids, counts = np.arange(100, dtype=np.uint16), np.ones(100, np.uint8)
    memory = Remembered(10_000)
    for n in range(100):
        memory.put(1, f"t{n}", Postings(ids, counts))
        memory.get(1, ["t0"])
        assert memory.nbytes <= 10_000
    known, unknown = memory.get(1, ["t0", "t99", "t50"])
    assert set(known) == {"t0", "t99"}
    assert unknown == ["t50"]
    assert memory.get(2, ["t0"]) == ({}, ["t0"])


def test_that_a_term_is_absent_is_remembered_too() -> None:
    memory = Remembered()
    memory.put(1, "absent", None)
    assert memory.get(1, ["absent"]) == ({}, [])
