"""Lists in pages."""

import base64
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import MCPError
from mcp.types import INVALID_PARAMS

from mcp_server.pages import closed, opened, page


@dataclass(frozen=True)
class Item:
    name: str


def items(*names: str) -> list[Item]:
    return [Item(name) for name in names]


def all_pages(listed: list[Item], size: int) -> list[Item]:
    found, cursor = page(listed, None, size)
    while cursor is not None:
        more, cursor = page(listed, cursor, size)
        assert len(more) <= size
        found += more
    return found


@given(st.lists(st.text(), unique=True), st.integers(1, 7))
def test_the_pages_together_are_the_list(names: list[str], size: int) -> None:
    assert all_pages(items(*names), size) == items(*names)


def test_a_list_that_fits_has_one_page_and_no_cursor() -> None:
    assert page(items("a", "b"), None, 2) == (items("a", "b"), None)
    assert page([], None, 2) == ([], None)


def test_what_comes_and_goes_before_a_cursor_neither_repeats_nor_hides_an_item() -> None:
    _, cursor = page(items("b", "d", "f"), None, 2)
    assert page(items("a", "b", "c", "d", "e", "f"), cursor, 2) == (items("e", "f"), None)
    assert page(items("d", "f"), cursor, 2) == (items("f"), None)


def test_where_the_last_item_is_gone_its_place_counts() -> None:
    _, cursor = page(items("a", "b", "c", "d"), None, 2)
    assert page(items("a", "c", "d"), cursor, 2) == (items("c", "d"), None)
    assert page(items("x"), cursor, 2) == ([], None)


@pytest.mark.parametrize(
    "cursor",
    ["", "nope", "é", "\0", closed("a", 1), closed(1), base64.b64encode(b"\xff").decode(), "W" * 100_000],
)
def test_a_cursor_of_somebody_else_is_a_wrong_parameter(cursor: str) -> None:
    with pytest.raises(MCPError) as raised:
        page(items("a"), cursor)
    assert raised.value.code == INVALID_PARAMS
    assert "list without one" in raised.value.message


def test_a_cursor_keeps_its_place() -> None:
    assert opened(closed(3, "é/\n"), int, str) == [3, "é/\n"]
