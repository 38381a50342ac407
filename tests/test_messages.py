"""The words for a conversation, its cost and its JSON."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from toolkit.messages import Attempt, Image, Message, Reply, ToolCall, Usage, conversation, cost_of, question_of

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
