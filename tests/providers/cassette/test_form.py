"""The file's form: everything survives exactly, whoever reads it, and people can read it, too."""

from textwrap import dedent
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.providers.cassette.form import Flow, FlowList, dump, load, loader

_ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(" \t\n\r:#-'\"|>{}[]&*!%@`,?\\0aé\u2028\x85\ufeff")
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
_FAST = pytest.mark.parametrize("fast", [True, False])


@_FAST
@given(_JSON)
@example("trailing spaces  \nof a line")
@example("ends with two\n\n")
@example("\r\nline by line\r\n")
@example("\0 \ud800 \udc00 \ud83d\ude00 \ufeff \u2028 \x85 \x7f")
@example("  begins with spaces\nand goes on")
@example("\n  begins with an empty line")
@example("a tab\t\n\tand another")
@example("- no\n- list: 1\n# no comment\n--- no document\n...\n")
@example("2026-01-01")
@example("yes")
@example("1_000")
@example("=")
@example("word " * 60)
@example("é" * 200)
@example("")
@example({"a": {}, "b": [], "": 1e300, "null": -0.0})
def test_everything_survives_exactly(fast: bool, value: Any) -> None:
    text = dump([{"text": value, "next": 1}])
    assert yaml.load(text, Loader=loader(fast=fast)) == [{"text": value, "next": 1}]
    assert (
        yaml.load(f"episodes:\n{text}{text}", Loader=loader(fast=fast))["episodes"] == [{"text": value, "next": 1}] * 2
    )


def test_long_texts_are_blocks_and_what_is_short_stands_on_one_line() -> None:
    answer = {"text": "First line.\nSecond line.\n", "usage": Flow({"in": 3}), "pieces": FlowList([1, 2])}
    assert dump([{"role": "user", "answer": answer}]) == dedent("""\
        - role: user
          answer:
            text: |
              First line.
              Second line.
            usage: {in: 3}
            pieces: [1, 2]
        """)
    one_line = "What is the difference between a list and a tuple in Python, and when is which of them used?"
    assert dump({"text": one_line}) == f"text: |-\n  {one_line}\n"


def test_names_keep_their_order_and_equal_parts_are_written_out() -> None:
    part = {"b": 1, "a": 2}
    assert dump({"z": part, "c": part}) == "z:\n  b: 1\n  a: 2\nc:\n  b: 1\n  a: 2\n"


def test_what_is_no_yaml_is_told_with_its_place() -> None:
    with pytest.raises(ValueError, match="line 2"):
        load("a: 1\nb: ]")


def test_a_file_cannot_make_objects() -> None:
    with pytest.raises(ValueError, match="could not determine a constructor"):
        load("a: !!python/object/apply:os.system ['true']")
