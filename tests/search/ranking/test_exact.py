"""What of a query is meant as it is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.search.ranking.exact import Exact, exact


@pytest.mark.parametrize(
    ("query", "texts", "alone"),
    [
        ("AllModelsFailed", ("allmodelsfailed",), True),
        ("semantic_search()", ("semantic_search",), True),
        ("router.complete(top_k)", ("router.complete",), True),
        ("std::variant", ("std::variant",), True),
        ("--max-tokens", ("--max-tokens",), True),
        ("E1234", ("e1234",), True),
        ("TOOLKIT_DB_URL?", ("toolkit_db_url",), True),
        ("docs/install.md", ("docs/install.md",), True),
        ("AllModelsFailed router.complete", ("allmodelsfailed", "router.complete"), True),
        ('"the circuit  breaker"', ("the circuit breaker",), True),
        ("what is “fail fast” about?", ("fail fast",), False),
        ("what does `top_k` do", ("top_k",), False),
        ("what does `router.complete(x)` do", ("router.complete",), False),
        ('"one" and "two"', ("one", "two"), False),
    ],
)
def test_quoted_phrases_and_lone_identifiers_are_meant_as_written(
    query: str, texts: tuple[str, ...], alone: bool
) -> None:
    assert exact(query) == Exact(texts, alone)


@pytest.mark.parametrize(
    "query",
    ["", "heron", "HTTP", "circuit breaker", "what does semantic_search do?", "the heron's nest", '""', '"?"', "C++"],
)
def test_plain_words_are_not(query: str) -> None:
    assert exact(query) is None


def test_a_stack_trace_is_not_read_for_phrases() -> None:
    assert exact('File "x.py", line 1\n' * 5_000) is None


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("call router.complete(x) now", 1.0),
        ("ROUTER.COMPLETE", 1.0),
        ("my_router.complete", 0.0),
        ("router.completed", 0.0),
        ("router complete", 0.0),
        ("router.completed, then router.complete", 1.0),
        ("", 0.0),
    ],
)
def test_a_text_has_it_where_it_stands_as_a_word_of_its_own(text: str, share: float) -> None:
    assert Exact(("router.complete",), True).share(text) == share


def test_white_space_and_case_do_not_matter_and_each_text_counts() -> None:
    wanted = Exact(("circuit breaker", "half open", "closed"), False)
    assert wanted.share("The Circuit\n  Breaker is half open.") == pytest.approx(2 / 3)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_what_stands_there_comes_before_all_that_only_means_it(one: float, other: float, share: float) -> None:
    alone, among = Exact(("x_y",), True), Exact(("x_y",), False)
    assert alone.raised(one, 1.0) >= alone.raised(other, 0.0)
    for wanted in (alone, among):
        assert 0 <= wanted.raised(one, share) <= 1
        if one > other:
            assert wanted.raised(one, share) >= wanted.raised(other, share)


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_text_can_be_asked_for_and_looked_at(query: str, text: str) -> None:
    wanted = exact(query)
    assert wanted is None or 0 <= wanted.share(text) <= 1
