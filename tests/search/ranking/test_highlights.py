"""Where the words of a query stand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.search.ranking.highlights import highlights
from toolkit.search.words.analyser import Analyser

ENGLISH, GERMAN = Analyser("en"), Analyser("de")


def marked(text: str, query: str, analyser: Analyser = ENGLISH) -> list[str]:
    spans, _ = highlights(text, frozenset(analyser.query(query)), analyser.terms)
    return [text[start:end] for start, end in spans]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("Herons fish; a heron fished.", "fishing heron", ["Herons", "fish", "heron", "fished"]),
        ("A stork's nest.", "stork", ["stork"]),
        ("call semantic_search() here", "search", ["search"]),
        ("call semantic_search() here", "semantic_search", ["semantic_search"]),
        ("class AllModelsFailed:", "models", ["Models"]),
        ("Python 3.11.7 is out", "3.11.7", ["3.11.7"]),
        ("nothing of it", "heron", []),
        ("", "heron", []),
    ],
)
def test_words_are_marked_in_any_form(text: str, query: str, expected: list[str]) -> None:
    assert [span.rstrip("'s") if "'" in span else span for span in marked(text, query)] == expected


def test_other_languages_are_marked_by_their_own_rules() -> None:
    assert marked("Die Störche nisten. Ein Storch.", "Storch", GERMAN) == ["Störche", "Storch"]
    assert marked("我在北京大学学习", "北京") == ["北京"]


def test_the_terms_that_were_met_are_told() -> None:
    wanted = frozenset(ENGLISH.query("heron stork"))
    assert highlights("Herons fish.", wanted, ENGLISH.terms)[1] == frozenset(ENGLISH.terms("heron"))


@given(st.text(max_size=200), st.text(min_size=1, max_size=30))
def test_marks_lie_within_the_text_in_order_and_apart(text: str, query: str) -> None:
    spans, met = highlights(text, frozenset(ENGLISH.query(query)), ENGLISH.terms)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] < other[0] for one, other in pairwise(spans))
    assert bool(met) == bool(spans)
