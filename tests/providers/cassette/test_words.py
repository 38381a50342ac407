"""Answers and errors become plain data, and come back as they were."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import BadAnswer, ContextTooLong, RateLimited, ToolArgumentsError
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Message, ToolCall, ToolCallFragment, Usage
from toolkit.providers.cassette import words
from toolkit.providers.cassette.form import dump, load
from toolkit.providers.cassette.veil import Veil

VEIL = Veil({"cwd": "/home/ada/birds"})


def through_a_file(value: Any) -> Any:
    return load(dump(value))


@given(st.lists(st.lists(st.floats(allow_nan=False), max_size=20), max_size=3))
def test_vectors_survive_to_the_last_bit(vectors: list[list[float]]) -> None:
    kept = through_a_file(words.vectors(Embeddings(vectors, Usage(3), "req_1")))
    found = words.embeddings(kept)
    assert [[math.copysign(1, x) for x in v] for v in found.vectors] == [
        [math.copysign(1, x) for x in v] for v in vectors
    ]
    assert found == Embeddings(vectors, Usage(3), "req_1")


def test_vectors_of_single_precision_take_four_bytes_a_number() -> None:
    packed = words.vectors(Embeddings([[0.5] * 1536]))["vectors"][0]
    assert len(packed) < 1536 * 4 * 1.4


def test_an_error_keeps_all_that_it_says() -> None:
    error = RateLimited("Slow /home/ada/birds down.", provider="x", status=429, request_id="r", retry_after=1.5)
    error.usage = Usage(5, 7)
    told = through_a_file(words.failure(error, "x", VEIL, []))
    assert told["message"] == "Slow {cwd} down."
    again = words.exception(told, "x", VEIL, [])
    assert isinstance(again, RateLimited)
    assert (str(again), vars(again)) == (str(error), vars(error))


@pytest.mark.parametrize(
    "error", [TimeoutError(), KeyError("x"), ToolArgumentsError("No x."), ConnectionResetError("gone"), OSError("disk")]
)
def test_any_other_error_keeps_its_class_and_its_words(error: Exception) -> None:
    again = words.exception(through_a_file(words.failure(error, "x", VEIL, [])), "x", VEIL, [])
    assert (type(again), str(again)) == (type(error), str(error)) or isinstance(error, KeyError)
    assert type(again).__name__ == type(error).__name__


def test_an_error_of_an_unknown_library_keeps_its_name() -> None:
    class StrangeError(Exception):
        def __init__(self, one: int, two: int) -> None:
            super().__init__(f"{one} {two}")

    again = words.exception(words.failure(StrangeError(1, 2), "x", VEIL, []), "x", VEIL, [])
    assert (type(again).__name__, str(again)) == ("StrangeError", "1 2")


@pytest.mark.parametrize("joined", [False, True])
def test_an_answer_keeps_its_pieces_its_calls_and_what_only_the_vendor_reads(joined: bool) -> None:
    fragments = (ToolCallFragment(0, "call_1", "look"), ToolCallFragment(0, arguments='{"a": "/home/ada/birds"}'))
    completion = Completion(
        Message(
            "assistant",
            "In /home/ada/birds, of course.",
            tool_calls=(ToolCall("call_1", "look", {"a": "/home/ada/birds"}),),
            opaque={"messages": [{"signature": "x" * 1000}]},
        ),
        finish_reason="tool_calls",
        usage=Usage(1, 2, reasoning_tokens=1),
        request_id="req_1",
        tier="flex",
    )
    deltas = [Delta("In /home/"), Delta("ada/birds, of "), Delta("", fragments[:1]), Delta("course.", fragments[1:])]
    last = (
        Delta(deltas[-1].text, deltas[-1].tool_calls, completion=completion) if joined else Delta(completion=completion)
    )
    streamed = [*deltas[:-1], last] if joined else [*deltas, last]
    kept = through_a_file(words.said(completion, streamed, VEIL, []))
    assert "/home/ada" not in str(kept)
    assert words.answer(kept, VEIL, []) == completion
    pieces = list(words.pieces(kept, VEIL, []))
    assert [piece.tool_calls for piece in pieces] == [delta.tool_calls for delta in deltas]
    assert "".join(piece.text for piece in pieces) == completion.message.text
    assert [piece.text for piece in pieces] == ["In /home/ada/birds", ", of ", "", "course."], "no name is cut"


def test_an_error_of_another_class_of_the_toolkit_is_that_class() -> None:
    for kind in (BadAnswer, ContextTooLong):
        error = kind("No.", provider="other")
        again = words.exception(words.failure(error, "x", VEIL, []), "x", VEIL, [])
        assert isinstance(again, kind)
        assert again.provider == "other"


def test_what_only_a_session_knows_of_a_message_is_not_recorded() -> None:
    plain, marked = Message("assistant", "Hi"), Message("assistant", "Hi", pinned=True, stopped=True)
    first, second = (words.question(ChatRequest((message,)), VEIL, []) for message in (plain, marked))
    assert first == second
