"""An answer put together from its pieces."""

from datetime import UTC, datetime

import pytest

from toolkit import stamps
from toolkit.errors import BadAnswer, ContentRefused
from toolkit.messages import Completion, Message, ToolCall, ToolCallFragment, Usage
from toolkit.providers.wire.assembly import Assembly


@pytest.fixture
def answer() -> Assembly:
    return Assembly("x")


def test_pieces_become_one_answer(answer: Assembly) -> None:
    answer.add_text("Yes, ")
    answer.add_text("sir.")
    answer.finish_reason = "stop"
    answer.usage = Usage(1, 2)
    assert answer.completion("r") == Completion(Message("assistant", "Yes, sir."), "stop", Usage(1, 2), "r")


def test_the_pieces_of_parallel_calls_may_come_in_any_order(answer: Assembly) -> None:
    answer.add_call(0, "a", "f", '{"x":')
    answer.add_call(1, "b", "g", "")
    assert answer.add_call(0, "", "", " 1}") == ToolCallFragment(0, arguments=" 1}")
    answer.finish_reason = "tool_calls"
    assert answer.completion(None).message.tool_calls == (ToolCall("a", "f", {"x": 1}), ToolCall("b", "g", {}))


def test_a_vendor_that_repeats_the_id_on_each_piece_means_one_call(answer: Assembly) -> None:
    answer.add_call(0, "a", "f", '{"x":')
    answer.add_call(0, "a", "f", "1}")
    answer.finish_reason = "stop"
    assert answer.completion(None).message.tool_calls == (ToolCall("a", "f", {"x": 1}),)


def test_another_id_means_another_call_even_under_the_same_number(answer: Assembly) -> None:
    assert answer.add_call(0, "a", "f", "{}").index == 0
    assert answer.add_call(0, "b", "f", "{}").index == 1
    assert answer.add_call(0, "", "", "").index == 1


def test_a_call_without_an_id_gets_one_that_a_test_can_freeze(answer: Assembly) -> None:
    with stamps.freeze(datetime(2026, 1, 1, tzinfo=UTC)):
        made = answer.add_call(0, "", "f", "").id
    with stamps.freeze(datetime(2026, 1, 1, tzinfo=UTC)):
        assert made == stamps.new_id()


def test_an_answer_that_has_not_been_finished_is_none(answer: Assembly) -> None:
    answer.add_text("Yes")
    with pytest.raises(BadAnswer, match="broke off") as caught:
        answer.completion("r")
    assert (caught.value.status, caught.value.request_id, caught.value.provider) == (200, "r", "x")


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_answer_that_says_nothing_is_none(answer: Assembly, text: str) -> None:
    answer.add_text(text)
    answer.finish_reason = "stop"
    with pytest.raises(BadAnswer, match="empty"):
        answer.completion(None)


def test_a_refusal_wins_over_what_was_said_before_it(answer: Assembly) -> None:
    answer.add_text("I would")
    answer.refusal = "No\nway. " * 100
    answer.finish_reason = "stop"
    with pytest.raises(ContentRefused, match="No way") as caught:
        answer.completion(None)
    assert len(str(caught.value)) < 300


def test_a_call_that_is_cut_off_by_the_limit_says_what_to_raise(answer: Assembly) -> None:
    answer.add_call(0, "a", "f", '{"x": ')
    answer.finish_reason = "length"
    with pytest.raises(BadAnswer, match=r"'f' are not a JSON object.*raise max_tokens"):
        answer.completion("r")
