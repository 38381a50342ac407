"""Chunks are found by document and by hash, die, and keep their places when pieces are joined."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from toolkit.search.index.pieces import Piece, joined
from toolkit.search.words.analyser import Analyser
from toolkit.search.words.segment import Segment, Texts

ANALYSER = Analyser("und")
numbers = st.lists(st.integers(0, 6), min_size=1, max_size=25)


def piece(docs: list[int]) -> Piece:
    n = len(docs)
    hashes = np.array([doc * 7 % 5 for doc in docs], np.uint64)
    bodies = [f"word{doc} all" for doc in docs]
    return Piece.of(
        Segment.build(ANALYSER, Texts(np.array(docs, np.int64), np.arange(n, dtype=np.int32), hashes, bodies))
    )


def where(mask: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(mask).tolist()


@settings(max_examples=100)
@given(docs=numbers, wanted=st.sets(st.integers(0, 8)))
def test_chunks_are_found_by_document_and_by_hash(docs: list[int], wanted: set[int]) -> None:
    one = piece(docs)
    asked = np.array(sorted(wanted), np.int64)
    expected = [n for n, doc in enumerate(docs) if doc in wanted]
    assert sorted(one.lookup.of_docs(asked).tolist()) == expected
    assert where(one.lookup.among(asked)) == expected
    ordinals, which = one.lookup.of_hashes(asked.astype(np.uint64))
    assert sorted(zip(ordinals.tolist(), asked[which].tolist(), strict=True)) == [
        (n, doc * 7 % 5) for n, doc in enumerate(docs) if doc * 7 % 5 in wanted
    ]


@settings(max_examples=100)
@given(docs=numbers, first=st.sets(st.integers(0, 6)), second=st.sets(st.integers(0, 6)))
def test_the_dead_stay_dead_and_what_was_before_does_not_change(
    docs: list[int], first: set[int], second: set[int]
) -> None:
    one = piece(docs)
    two, dying = one.without(np.array(sorted(first), np.int64))
    three, later = two.without(np.array(sorted(second), np.int64))
    assert one.alive is None
    assert sorted(dying.tolist()) == [n for n, doc in enumerate(docs) if doc in first]
    assert sorted(later.tolist()) == [n for n, doc in enumerate(docs) if doc in second - first]
    assert where(three.mask) == [n for n, doc in enumerate(docs) if doc not in first | second]
    assert three.living == len(where(three.mask))
    assert three.terms == int(three.segment.lengths[three.mask].sum())
    assert (two is one) == (not len(dying))


@settings(max_examples=50)
@given(parts=st.lists(numbers, min_size=1, max_size=5), gone=st.sets(st.integers(0, 6)))
def test_joined_pieces_keep_every_chunk_at_its_place(parts: list[list[int]], gone: set[int]) -> None:
    pieces = [piece(docs).without(np.array(sorted(gone), np.int64))[0] for docs in parts]
    one = joined(pieces)
    flat = [doc for docs in parts for doc in docs]
    assert one.segment.docs.tolist() == flat
    assert where(one.mask) == [n for n, doc in enumerate(flat) if doc not in gone]
    postings = one.segment.postings("word3")
    assert ([] if postings is None else postings.ids.tolist()) == [n for n, doc in enumerate(flat) if doc == 3]
