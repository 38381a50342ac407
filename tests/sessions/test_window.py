"""A conversation that is too long loses its oldest turns first, and never half of one."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.messages import Message, ToolCall
from toolkit.sessions.window import fit, room


def one(_: Message) -> int:
    return 1


def said(*words: str) -> list[Message]:
    """Messages from `u1 a1 u2 …`: u user, a assistant, s system, c assistant with a call, t its result; ! is pinned."""
    roles = {"u": "user", "a": "assistant", "s": "system", "c": "assistant", "t": "tool"}
    messages: list[Message] = []
    for word in words:
        kind, name, pinned = word[0], word.strip("!"), word.endswith("!")
        number = name[1:]
        calls = (ToolCall(f"call{number}", "search", {}),) if kind == "c" else ()
        answered = f"call{number}" if kind == "t" else None
        role = roles[kind]
        messages.append(Message(role, name, tool_calls=calls, tool_call_id=answered, pinned=pinned))  # type: ignore[arg-type]
    return messages


def names(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages]


def test_what_fits_stays_whole() -> None:
    messages = said("s1", "u1", "a1", "u2")
    fitted = fit(messages, 4, one)
    assert fitted.messages == messages
    assert fitted.dropped == []


def test_the_oldest_turns_go_first_and_whole() -> None:
    fitted = fit(said("u1", "a1", "u2", "a2", "u3"), 3, one)
    assert names(fitted.messages) == ["u2", "a2", "u3"]
    assert names(fitted.dropped) == ["u1", "a1"]
    assert names(fit(said("u1", "a1", "u2", "a2", "u3"), 2, one).messages) == ["u3"]


def test_instructions_and_the_last_question_stay_even_where_there_is_no_room() -> None:
    assert names(fit(said("s1", "u1", "a1", "u2", "c3", "t3"), 0, one).messages) == ["s1", "u2", "c3", "t3"]


def test_a_pinned_message_stays() -> None:
    assert names(fit(said("u1!", "a1", "u2", "a2", "u3"), 2, one).messages) == ["u1", "u3"]


@pytest.mark.parametrize("pinned", ["c1", "t1", "t2"])
def test_a_pinned_call_keeps_its_results_and_a_pinned_result_its_call(pinned: str) -> None:
    two_calls = Message("assistant", "c1", tool_calls=(ToolCall("call1", "s", {}), ToolCall("call2", "s", {})))
    messages = [two_calls if m.text == "c1" else m for m in said("u1", "c1", "t1", "t2", "a1", "u2")]
    messages = [Message.from_json({**m.to_json(), "pinned": m.text == pinned}) for m in messages]
    assert names(fit(messages, 0, one).messages) == ["c1", "t1", "t2", "u2"]


WORDS = st.lists(st.sampled_from(["u", "a", "ct", "ctt", "s"]), max_size=30)


@given(kinds=WORDS, tokens=st.integers(0, 40), pins=st.sets(st.integers(0, 60)))
def test_whatever_is_left_out_calls_and_results_stay_together_and_the_order_stays(
    kinds: list[str], tokens: int, pins: set[int]
) -> None:
    messages: list[Message] = []
    for number, kind in enumerate(kinds):
        if not kind.startswith("c"):
            messages += said(f"{kind}{number}")
            continue
        calls = tuple(ToolCall(f"{number}-{n}", "s", {}) for n in range(len(kind) - 1))
        messages.append(Message("assistant", f"c{number}", tool_calls=calls))
        messages += [Message("tool", f"t{call.id}", tool_call_id=call.id) for call in calls]
    messages = [Message.from_json({**m.to_json(), "pinned": n in pins}) for n, m in enumerate(messages)]
    fitted = fit(messages, tokens, one)
    told = {id(m) for m in fitted.messages}
    assert [m for m in messages if id(m) in told] == fitted.messages
    assert len(fitted.messages) + len(fitted.dropped) == len(messages)
    called = {call.id for m in fitted.messages for call in m.tool_calls}
    answered = {m.tool_call_id for m in fitted.messages if m.role == "tool"}
    assert called == answered
    assert not any(m.pinned or m.role == "system" for m in fitted.dropped)
    if len(messages) <= tokens:
        assert not fitted.dropped


def test_room_is_left_for_the_answer_and_at_least_half_is_the_conversations() -> None:
    assert room(8_000, None) == 7_000
    assert room(8_000, 500) == 7_500
    assert room(8_000, 7_900) == 4_000
