"""The parts of a streamed answer, whatever the order in which a vendor sends its pieces."""

import pytest

from mcp_server.gateway.parts import Parts
from toolkit.errors import StreamInterrupted
from toolkit.messages import Delta, ToolCallFragment


def told(*deltas: Delta) -> list[tuple[str, int, str]]:
    """What becomes of `deltas`: the moment, the part's number, and what it is longer by."""
    parts = Parts()
    steps = [step for delta in deltas for step in parts.take(delta)]
    return [(step.moment, step.part.number, step.text) for step in [*steps, *parts.end()]]


def piece(index: int, arguments: str, name: str = "") -> Delta:
    """A piece of a tool's call; with a name its first."""
    return Delta(tool_calls=(ToolCallFragment(index, f"call_{index}" if name else "", name, arguments),))


def test_a_text_ends_where_a_call_begins() -> None:
    assert told(Delta("Let me"), Delta(" see."), piece(0, '{"a":', "look"), piece(0, "1}")) == [
        ("begins", 0, ""),
        ("goes on", 0, "Let me"),
        ("goes on", 0, " see."),
        ("ends", 0, ""),
        ("begins", 1, ""),
        ("goes on", 1, '{"a":'),
        ("goes on", 1, "1}"),
        ("ends", 1, ""),
    ]


def test_interwoven_calls_are_told_one_after_the_other() -> None:
    mixed = [piece(0, "", "a"), piece(1, "", "b"), piece(1, '{"b":2'), piece(0, '{"a"'), piece(1, "}"), piece(0, ":1}")]
    assert told(*mixed) == [
        ("begins", 0, ""),
        ("goes on", 0, '{"a"'),
        ("goes on", 0, ":1}"),
        ("ends", 0, ""),
        ("begins", 1, ""),
        ("goes on", 1, '{"b":2}'),
        ("ends", 1, ""),
    ]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    assert told(piece(0, "", "now")) == [("begins", 0, ""), ("goes on", 0, "{}"), ("ends", 0, "")]


def test_a_text_that_begins_again_is_a_part_of_its_own() -> None:
    assert told(Delta("Par"), Delta("Paris.", restarted=True)) == [
        ("begins", 0, ""),
        ("goes on", 0, "Par"),
        ("breaks off", 0, ""),
        ("begins", 1, ""),
        ("goes on", 1, "Paris."),
        ("ends", 1, ""),
    ]


def test_a_call_that_begins_again_is_an_error_because_it_cannot_be_taken_back() -> None:
    parts = Parts()
    assert list(parts.take(piece(0, '{"a"', "look")))
    with pytest.raises(StreamInterrupted, match="begins it again"):
        list(parts.take(Delta(tool_calls=piece(0, "{}", "look").tool_calls, restarted=True)))
