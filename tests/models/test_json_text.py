"""JSON among words, and JSON that is still coming."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.models.json_text import JsonText, PartialJson, json_in

PLAIN = '{"a": [1, {"b": "}]\\" {"}], "c": "é"}'

AROUND = [
    "{}",
    "  {}\n",
    "```json\n{}\n```",
    "```\n{}\n```\nIs there anything else?",
    "Here you are: {}",
    "Sure! The answer to {{your}} question:\n\n{}\n\nI hope {{this}} helps.",
    '<think>Is it {{"a": 0}}? No.</think>{}',
    '<think>{{"a": 0}}\n</think>\n\n```json\n{}\n```',
]
TEXTS = st.text(max_size=8)
SCALARS = st.none() | st.booleans() | st.integers() | TEXTS | st.floats(allow_nan=False, allow_infinity=False)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)


def streamed(text: str, *, size: int) -> tuple[str, JsonText]:
    found = JsonText()
    return "".join(found.feed(text[start : start + size]) for start in range(0, len(text), size)), found


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_json_is_found_among_words_fences_and_thoughts_however_it_is_cut(around: str, size: int) -> None:
    text = around.replace("{{", "\0").replace("}}", "\1").replace("{}", PLAIN).replace("\0", "{").replace("\1", "}")
    assert json_in(text) == PLAIN
    said, found = streamed(text, size=size)
    assert (said.strip(), found.ended) == (PLAIN, True)


@settings(deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=3) | st.lists(VALUES, max_size=3), st.integers(1, 9), st.booleans())
def test_any_object_or_list_is_let_through_whole_and_nothing_after_it(value: Any, size: int, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    said, found = streamed(f"```json\n{text}\n```\nThat is {{all}}.", size=size)
    assert (said, found.ended) == (text, True)
    assert json_in(f"```json\n{text}\n```") == text


@settings(deadline=None)
@given(VALUES)
def test_what_is_json_is_left_alone(value: Any) -> None:
    text = json.dumps(value)
    assert json_in(text) == text


@pytest.mark.parametrize("text", ["I cannot do that.", "", "Set {x} to {y}.", "<think>hm"])
def test_where_there_is_no_json_the_text_is_given_as_it_is(text: str) -> None:
    assert json_in(text) == text
    said, found = streamed(text, size=3)
    assert (said, found.begun, found.held) == ("", False, text)


def test_json_that_is_cut_off_is_given_as_far_as_it_goes_and_not_an_object_inside_of_it() -> None:
    assert json_in('Here: {"a": {"b": 1}, "c": ') == '{"a": {"b": 1}, "c":'


def test_an_example_that_is_no_json_does_not_hide_the_answer_after_it() -> None:
    assert json_in('Like {"a": …}, so: {"a": 1}') == '{"a": 1}'
    assert json_in('Like {"a": …}.') == '{"a": …}'


def test_a_text_in_partial_json_grows_and_a_number_comes_whole() -> None:
    partial = PartialJson()
    seen = [partial.add(piece) for piece in ("", "{", '"name', '": "Pa', "ris", '", "n": ', "12", "}")]
    assert seen == [
        None,
        {},
        {},
        {"name": "Pa"},
        {"name": "Paris"},
        {"name": "Paris"},
        {"name": "Paris", "n": 12},
        {"name": "Paris", "n": 12},
    ]


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_partial_json_is_never_an_error_and_ends_as_the_whole(value: dict[str, Any]) -> None:
    partial = PartialJson()
    last = None
    for character in json.dumps(value):
        last = partial.add(character)
        assert last is None or isinstance(last, dict)
    assert partial.whole() == value


def test_words_are_no_partial_json() -> None:
    partial = PartialJson()
    assert [partial.add(word) for word in ("Let ", "me ", "see.")] == [None, None, None]


def test_each_object_that_was_given_stays_as_it_was() -> None:
    partial = PartialJson()
    first = partial.add('{"a": [1')
    partial.add(", 2]}")
    assert first == {"a": [1]}


def test_a_long_text_is_read_again_in_proportion_to_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(text: str, **_: object) -> object:
        read.append(len(text))
        return {}

    monkeypatch.setattr("toolkit.models.json_text.from_json", counted)
    partial = PartialJson()
    for _ in range(30_000):
        partial.add("four")
    assert sum(read) <= 260 * 120_000
    assert 120_000 - read[-1] <= 120_000 // 256


def test_a_short_text_is_read_with_every_piece() -> None:
    partial = PartialJson()
    assert [len(partial.add(piece)["a"]) for piece in ('{"a": "', *["word"] * 50)] == list(range(0, 201, 4))
