"""Cutting: whole functions, and a note for what is left out."""

import ast

import pytest

from toolkit.tools.code.cutting import cut

CODE = '''"""A module."""
import os

LIMIT = 3


@os.wraps
def first():
    """Long."""
    a = 1
    return a


class Shop:
    name = "s"

    def sell(self):
        return 1

    def buy(self):
        return 2


async def last():
    return 3
'''


def lines(text: str) -> int:
    return text.count("\n") + 1


def test_what_fits_is_left_alone() -> None:
    assert cut(CODE, 100, lines).text == CODE
    assert cut(CODE, 100, lines).left_out == ()


@pytest.mark.parametrize("most", range(9, 24))
def test_functions_are_kept_whole_or_left_out_with_a_note(most: int) -> None:
    found = cut(CODE, most, lines)
    kept = {
        node.name
        for node in ast.walk(ast.parse(found.text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    gone = {said.rpartition(": ")[2].rpartition(".")[2] for said in found.left_out}

    assert kept | gone == {"first", "sell", "buy", "last"}
    assert not kept & gone
    assert all(f"# … left out: {said}" in found.text for said in found.left_out)
    assert lines(found.text) - len(found.left_out) <= most
    assert "import os" in found.text


def test_what_the_focus_names_is_kept_first() -> None:
    assert "def last" not in cut(CODE, 12, lines).text
    for focus in ("is last() right?", "`last`"):
        found = cut(CODE, 12, lines, focus=focus)
        assert "async def last():\n    return 3" in found.text
    assert "def buy" not in cut(CODE, 13, lines).text
    assert "def buy" in cut(CODE, 13, lines, focus="Shop.buy").text


def test_a_decorator_belongs_to_its_function() -> None:
    found = cut(CODE, 13, lines, focus="sell buy last")
    assert "@os.wraps" not in found.text
    assert "lines 7-13: first" in found.left_out


def test_what_is_no_python_keeps_its_beginning() -> None:
    text = "\n".join(f"line {n} (" for n in range(1, 101))

    found = cut(text, 10, lines)

    assert found.text.splitlines()[:2] == ["line 1 (", "line 2 ("]
    assert lines(found.text) == 11
    assert found.left_out == ("lines 11-100",)


def test_a_single_function_that_is_too_long_keeps_its_beginning() -> None:
    code = "def f():\n" + "    x = 1\n" * 50
    assert cut(code, 5, lines).left_out == ("lines 6-51",)
    assert cut("x" * 1000, 10, len).text.startswith("x" * 10 + "\n# … left out")
