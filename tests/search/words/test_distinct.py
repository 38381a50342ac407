"""Distinct tokens, found by arrays, are those that bytes would tell apart."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.search.words import distinct
from toolkit.search.words.distinct import distinct_all
from toolkit.search.words.tokens import marked

WORDS = ["a", "ab", "b", "abcdefgh", "abcdefghi", "abcdefgi", "x" * 16, "x" * 17, "x" * 32, "x" * 33, "x" * 34, "Größe"]


def spelled(texts: list[str]) -> list[bytes]:
    """The tokens in order, of what `distinct_all` gives."""
    found = []
    for tokens, places in distinct_all(texts):
        assert len(set(tokens)) == len(tokens)
        found += [tokens[place] for place in places.tolist()]
    return found


@given(st.lists(st.lists(st.sampled_from(WORDS)).map(" ".join) | st.text(), min_size=1, max_size=8))
@example([""])
@example(["a\0b", "", "\0", "c"])
def test_each_place_has_its_token_and_no_token_is_there_twice(texts: list[str]) -> None:
    assert spelled(texts) == marked(texts).split()


def test_no_text_has_no_tokens() -> None:
    assert spelled([]) == []


def test_tokens_are_told_apart_also_where_arrays_do_not_get_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(WORDS * 3)
    expected = spelled([text])
    monkeypatch.setattr(distinct, "_MIX", np.uint64(0))  # all have one place: a round finds one of them
    monkeypatch.setattr(distinct, "_ROUNDS", 2)
    assert spelled([text]) == expected


def test_texts_are_cut_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"text number {n}" for n in range(20)]
    monkeypatch.setattr(distinct, "_BLOCK", 50)
    assert len(list(distinct_all(texts))) > 1
    assert spelled(texts) == [token for text in texts for token in marked([text]).split()]
