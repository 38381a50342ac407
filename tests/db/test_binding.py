"""The values of a statement are found, checked and put in order."""

from enum import StrEnum
from typing import Any

import pytest

from toolkit.db.binding import Binder, numbered
from toolkit.errors import DatabaseError


def upper(name: str, value: Any) -> str:
    return f"{name}={value}"


BINDER = Binder("SELECT :b, :a, ':c', :b -- :d", {dict: upper, list: upper}, structured=(dict, list))


def test_values_come_in_the_order_in_which_they_are_first_named_and_others_are_left_out() -> None:
    assert BINDER.names == ("b", "a")
    assert tuple(BINDER.bind({"a": 1, "x": 3, "b": 2}).values) == (2, 1)
    assert numbered("SELECT :b, :a, ':c', :b -- :d", BINDER.names) == "SELECT ?1, ?2, ':c', ?1 -- :d"


@pytest.mark.parametrize(("sql", "values"), [("SELECT 1", ()), ("SELECT :a", (1,)), ("SELECT :a, :b", (1, 2))])
def test_a_statement_has_as_many_values_as_it_names(sql: str, values: tuple[int, ...]) -> None:
    assert tuple(Binder(sql, {}, ()).bind({"a": 1, "b": 2}).values) == values


def test_a_value_that_is_missing_is_named() -> None:
    with pytest.raises(DatabaseError, match="no value for :a"):
        BINDER.bind({"b": 1})


def test_values_go_through_the_converter_of_their_type_or_of_its_base() -> None:
    class Own(dict[str, int]):
        pass

    bound = BINDER.bind({"a": Own(x=1), "b": "text"})
    assert list(bound.values) == ["text", "a={'x': 1}"]
    assert bound.structured == ("a",)
    assert BINDER.bind({"a": 1, "b": "text"}).structured == ()


@pytest.mark.parametrize("wrong", ["\0", "a\0b", "\ud800", StrEnum("Odd", {"X": "a\0"}).X])  # type: ignore[attr-defined]  # made here
@pytest.mark.parametrize("other", ["plain", "größer", 7, None])
def test_a_text_that_cannot_be_kept_is_named_whatever_is_beside_it(wrong: str, other: Any) -> None:
    with pytest.raises(DatabaseError, match="The value 'a' contains"):
        BINDER.bind({"b": other, "a": wrong})
    with pytest.raises(DatabaseError, match="The value 'b' contains"):
        BINDER.bind({"a": other, "b": wrong})


@pytest.mark.parametrize(
    ("values", "least"),
    [
        ({"a": "x" * 10, "b": "y" * 5}, 15),
        ({"a": "日" * 10, "b": 1}, 30),
        ({"a": b"\0" * 99, "b": None}, 99),
        ({"a": {"k": "日" * 10}, "b": "x"}, 31),
    ],
)
def test_the_size_is_never_less_than_the_bytes(values: dict[str, Any], least: int) -> None:
    assert least <= BINDER.bind(values).size <= 4 * least + 100
