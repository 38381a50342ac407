"""What a search is asked for."""

from typing import Any

import pytest

from toolkit.errors import ConfigError
from toolkit.search.wish import wish


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top_k": 0}, "top_k is 0; it must be 1 to 1000"),
        ({"top_k": 1001}, "top_k is 1001"),
        ({"mode": "fast"}, "mode is 'fast'; it must be one of 'hybrid', 'lexical', 'semantic'"),
        ({"diversity": 1.5}, "diversity is 1.5; it must be 0"),
        ({"diversity": -0.1}, "diversity is -0.1"),
        ({"neighbors": 21}, "neighbors is 21; it must be 0 to 20"),
        ({"collection": {"default": 0}}, "The weight of 'default' is 0; it must be more than 0"),
        ({"collection": {"default": -1}}, "The weight of 'default' is -1"),
        ({"collection": {"default": "much"}}, "The weight of the collection 'default' is 'much'; give a number"),
        ({"collection": {"default": True}}, "is True; give a number"),
        ({"collection": {"default": float("nan")}}, "is nan; give a number"),
        ({"collection": ""}, "'' cannot name a collection"),
        ({"where": "en"}, "where is 'en'; name fields and what they must be"),
        ({"cursor": "page 2"}, "The cursor cannot be read"),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_words(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        wish("heron", **options)


@pytest.mark.parametrize("query", ["", "   ", "???", "_", "\0", "\ud800", "...!"])
def test_a_query_that_says_nothing_is_an_error(query: str) -> None:
    with pytest.raises(ConfigError, match="The query has no words; say in a few"):
        wish(query)


@pytest.mark.parametrize("query", ["x", "7", "C++", "🦆", "北京", "½", "€", "a\0b", "x \ud800"])
def test_whatever_has_a_letter_a_figure_or_a_symbol_can_be_looked_for(query: str) -> None:
    assert wish(query).query == query


def test_the_heaviest_collection_counts_whole() -> None:
    asked = wish("heron", collection={"a": 2, "b": 4.0, "c": 1})
    assert asked.names == ("a", "b", "c")
    assert asked.weights == {"a": 0.5, "b": 1.0, "c": 0.25}
    assert wish("heron", collection=["a", "b", "a"]).names == ("a", "b")
    assert wish("heron", collection="a").names == ("a",)
    assert wish("heron").names is None


def test_the_size_of_a_page_and_what_is_shown_of_a_hit_may_change_between_pages() -> None:
    first, other = wish("heron"), wish("heron", top_k=9, neighbors=2, highlight=False)
    assert first.cursor.search == other.cursor.search
    for changed in ({"mode": "lexical"}, {"where": {"kind": "code"}}, {"owner": "ada"}, {"rerank": len}):
        assert wish("heron", **changed).cursor.search != first.cursor.search
