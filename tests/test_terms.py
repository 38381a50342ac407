"""What a question is about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.terms import MOST_REPEATS, MOST_TERMS, STOP_WORDS, telling_words, terms


def test_stop_words_are_left_out() -> None:
    assert terms("What is the default of a session?") == ["default", "session"]


def test_a_question_of_stop_words_only_keeps_them() -> None:
    assert terms("who is it") == ["who", "is", "it"]


def test_a_repeated_word_counts_as_often_as_it_was_said_up_to_a_bound() -> None:
    assert terms("retry retry policy") == ["retry", "retry", "policy"]
    assert terms("retry " * 50) == ["retry"] * MOST_REPEATS


@pytest.mark.parametrize(
    ("identifier", "words"),
    [
        ("AllModelsFailed", ["AllModelsFailed", "All", "Models", "Failed"]),
        ("semantic_search", ["semantic_search", "semantic", "search"]),
        ("HTTPServer", ["HTTPServer", "HTTP", "Server"]),
        ("__init__", ["init"]),
        ("top_k", ["top_k", "top"]),
        ("router.complete()", ["router", "complete"]),
    ],
)
def test_an_identifier_gives_itself_and_its_parts(identifier: str, words: list[str]) -> None:
    assert telling_words(identifier) == words


def test_an_identifier_counts_more_than_its_parts() -> None:
    found = terms("where is AllModelsFailed raised")
    assert found.count("AllModelsFailed") == MOST_REPEATS
    assert found.count("Models") == 1


def test_words_of_any_script_are_words() -> None:
    assert terms("Größe 北京 café") == ["Größe", "北京", "café"]


@given(st.text(max_size=3000))
def test_any_text_gives_a_bounded_number_of_words(text: str) -> None:
    found = terms(text)
    assert len({word.casefold() for word in found}) <= MOST_TERMS
    assert len(found) <= MOST_TERMS * MOST_REPEATS
    assert all(word.strip() for word in found)


def test_a_pasted_page_gives_its_first_terms() -> None:
    found = terms(" ".join(f"word{n}" for n in range(500)))
    assert found == [f"word{n}" for n in range(MOST_TERMS)]


def test_stop_words_are_lower_case_single_words() -> None:
    assert all(word == word.casefold() and word.isalpha() for word in STOP_WORDS)
