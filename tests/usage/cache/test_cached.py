"""An answer comes back as it was kept."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.usage.cache.conftest import answer
from toolkit.db.statements import checked_text
from toolkit.messages import Image, Message, ToolCall, Usage
from toolkit.usage.cache.cached import Cached, as_body, from_body


@given(st.text(), st.lists(st.integers(0, 9), max_size=4))
def test_any_text_comes_back_equal_and_a_database_can_keep_it(text: str, pieces: list[int]) -> None:
    kept = answer(text, pieces=tuple(pieces))
    body = checked_text("body", as_body(kept))
    assert from_body(body) == kept


def test_everything_of_an_answer_comes_back() -> None:
    message = Message(
        "assistant",
        "nul \0, half \ud83d, \U0001f600, \\u0000",
        images=(Image("data:image/png;base64,AA=="),),
        tool_calls=(ToolCall("1", "add", {"a": [1, 2.5, None, True], "\0": "\ud800"}),),
        opaque={"messages": [{"signature": "x\0"}]},
        pinned=True,
    )
    kept = Cached(message, "small", "openai", "gpt", "tool_calls", Usage(1, 2, 3, 4, 5, 6, 7, 8, 9), 17, (1, 2))
    assert from_body(checked_text("body", as_body(kept))) == kept


@pytest.mark.parametrize(
    "damage",
    ["", "{", "null", "[]", "7", '{"form": 1}', '{"form": 1, "message": null}', "[" * 100_000],
)
def test_what_is_damaged_is_no_answer(damage: str) -> None:
    assert from_body(damage) is None


@pytest.mark.parametrize("change", [{"form": 0}, {"form": 2}, {"usage": {"input": 1}}, {"message": {}}, {"pieces": 3}])
def test_what_another_version_wrote_is_no_answer(change: dict[str, object]) -> None:
    body = json.loads(as_body(answer("Hello")))
    assert from_body(json.dumps(body)) is not None
    assert from_body(json.dumps(body | change)) is None


@given(st.lists(st.text(), min_size=1))
def test_a_stream_is_given_again_in_its_pieces(pieces: list[str]) -> None:
    assert answer("".join(pieces), pieces=tuple(map(len, pieces))).chunks() == pieces


@given(st.text(), st.lists(st.integers(-3, 9), max_size=4))
def test_the_pieces_are_the_text_whatever_was_kept_of_them(text: str, pieces: list[int]) -> None:
    assert "".join(answer(text, pieces=tuple(pieces)).chunks()) == text


def test_an_answer_that_was_not_streamed_comes_word_by_word() -> None:
    assert answer("One two,\n\nthree.").chunks() == ["One ", "two,\n\n", "three."]
    assert max(map(len, answer("語" * 200).chunks())) == 40


def test_an_empty_answer_has_no_pieces() -> None:
    assert answer("").chunks() == []
