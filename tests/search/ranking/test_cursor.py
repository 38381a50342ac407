"""Where a page of hits ended."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import ConfigError
from toolkit.search.ranking.cursor import Cursor, search_digest

SEARCH = search_digest({"query": "heron"})


@given(st.lists(st.from_regex(r"[a-z2-7]{12}-[1-9][0-9]{0,3}", fullmatch=True), unique=True, max_size=50))
def test_a_cursor_is_read_as_it_was_written(ids: list[str]) -> None:
    cursor = Cursor(SEARCH, 0.75).after(ids)
    read = Cursor.read(cursor.write(), SEARCH)
    assert read == cursor
    assert all(map(read.has, ids))


def test_a_cursor_of_a_hundred_hits_fits_into_an_address() -> None:
    assert len(Cursor(SEARCH, 1.0).after(f"abcdefghijkl-{n}" for n in range(100)).write()) < 600


@given(st.text(max_size=60))
def test_what_is_no_cursor_is_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^The cursor (cannot be read|belongs to another search)"):
        Cursor.read(text, SEARCH)


def test_the_cursor_of_another_search_is_refused() -> None:
    other = search_digest({"query": "stork"})
    assert other != SEARCH
    with pytest.raises(ConfigError, match="belongs to another search"):
        Cursor.read(Cursor(SEARCH, 1.0).write(), other)
