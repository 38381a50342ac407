"""The words for a conversation, its cost and its JSON."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from toolkit.conversation import conversation
from toolkit.messages import Attempt, Image, Message, Reply, ToolCall, Usage, cost_of, question_of

ANSWERED = Attempt("small", "openai", "gpt", usage=Usage(10, 5), cost_nano_usd=2_500)
FAILED = Attempt("large", "openai", "gpt-large", error="RateLimited", message="Come back later.")


@given(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        text=st.text(),
        images=st.lists(st.builds(Image, st.text()), max_size=2).map(tuple),
        tool_calls=st.lists(
            st.builds(ToolCall, st.text(), st.text(), st.dictionaries(st.text(), st.integers())), max_size=2
        ).map(tuple),
        tool_call_id=st.none() | st.text(min_size=1),
    )
)
def test_a_message_comes_back_from_json_as_it_went_in(message: Message) -> None:
    assert Message.from_json(message.to_json()) == message


def test_a_prompt_is_a_text_a_message_or_several_in_any_form() -> None:
    hello = Message("user", "Hello")
    assert conversation("Hello") == conversation(hello) == (hello,)
    assert conversation([{"role": "user", "content": "Hello"}, hello]) == (hello, hello)
    assert conversation([{"role": "assistant", "content": None}]) == (Message("assistant"),)


def test_a_question_is_found_behind_the_passages_that_were_put_before_it() -> None:
    assert question_of((Message("user", "Passages:\n\n[1] x\n\nQuestion: Why?"),)) == "Why?"
    assert question_of((Message("user", "Why?"), Message("assistant", "Because."))) == "Why?"


def test_an_unknown_price_makes_the_whole_cost_unknown_and_never_zero() -> None:
    unpriced = replace(ANSWERED, cost_nano_usd=None)
    assert cost_of([FAILED, ANSWERED]) == 2.5e-6
    assert cost_of([ANSWERED, unpriced]) is None
    assert cost_of([FAILED]) == 0


def test_a_reply_adds_up_what_its_attempts_used() -> None:
    reply = Reply(Message("assistant", "Hi"), "small", (FAILED, ANSWERED, ANSWERED), "id")
    assert (reply.usage.total_tokens, reply.cost_usd, reply.text) == (30, 5e-6, "Hi")


COUNTS = st.builds(Usage, st.integers(0, 9), st.integers(0, 9), cached_tokens=st.integers(0, 9))
ATTEMPTS = st.builds(
    Attempt,
    st.text(),
    st.text(),
    st.text(),
    error=st.none() | st.text(),
    status=st.none() | st.integers(100, 599),
    milliseconds=st.floats(0, 1e6),
    usage=st.none() | COUNTS,
    cost_nano_usd=st.none() | st.integers(0),
    key=st.none() | st.text(),
    uncounted=st.booleans(),
)


@given(
    st.builds(
        Reply,
        st.builds(Message, st.just("assistant"), st.text()),
        st.text(),
        st.lists(ATTEMPTS, max_size=3).map(tuple),
        st.text(),
        finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
        session_id=st.none() | st.text(),
        cached=st.booleans(),
        milliseconds=st.floats(0, 1e6),
        trimmed=st.integers(0, 99),
    )
)
def test_a_reply_comes_back_from_json_as_it_went_in(reply: Reply) -> None:
    assert Reply.from_json(json.loads(json.dumps(reply.to_json()))) == reply


def test_a_reply_leaves_behind_in_json_what_only_python_knows() -> None:
    reply = Reply(Message("assistant", "{}"), "small", (ANSWERED,), "id", parsed=object())
    assert Reply.from_json(json.loads(json.dumps(reply.to_json()))) == replace(reply, parsed=None)


def test_a_cost_of_nothing_stays_apart_from_an_unknown_one_in_json() -> None:
    free, unknown = replace(ANSWERED, cost_nano_usd=0), replace(ANSWERED, cost_nano_usd=None)
    assert [Attempt.from_json(each.to_json()).cost_nano_usd for each in (free, unknown)] == [0, None]
