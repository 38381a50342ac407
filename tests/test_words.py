"""Messages, errors, stamps and redaction: the words that every room uses."""

import inspect
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit import errors, stamps
from toolkit.errors import AllModelsFailed, DeadlineExceeded, choices
from toolkit.messages import Attempt, Image, Message, Reply, ToolCall, Usage, conversation, cost_of, question_of
from toolkit.redaction import looks_like_key, redact

ANSWERED = Attempt("small", "openai", "gpt", usage=Usage(10, 5), cost_nano_usd=2_500)
FAILED = Attempt("large", "openai", "gpt-large", error="RateLimited", message="Come back later.")


def test_the_page_of_errors_names_every_error_and_which_are_worth_a_retry() -> None:
    named = dict(re.findall(r"── (\w+)\s+(↻)?", inspect.getdoc(errors) or ""))
    classes = {
        name: kind
        for name, kind in vars(errors).items()
        if inspect.isclass(kind) and issubclass(kind, errors.ToolkitError)
    }
    assert named.keys() == classes.keys() - {"ToolkitError"}
    assert {name for name, mark in named.items() if mark} == {name for name, kind in classes.items() if kind.retryable}


def test_that_all_models_failed_says_of_each_why_and_of_one_that_answered_nothing() -> None:
    assert str(AllModelsFailed([FAILED, ANSWERED])) == "No model answered. large: RateLimited (Come back later)."
    assert str(DeadlineExceeded(2.5)) == "No answer within 2.5 s."


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "there is none"),
        (["a"], "there is 'a'"),
        (["a", "b"], "there are 'a', 'b'"),
        (map(str, range(21)), "there are " + ", ".join(f"'{n}'" for n in range(20)) + ", …"),
    ],
)
def test_what_there_is_instead_is_told_in_one_sentence(names: list[str], said: str) -> None:
    assert choices(names) == said


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


def test_ids_are_version_7_and_sort_by_the_time_they_were_made() -> None:
    with stamps.freeze(datetime(2026, 1, 1, tzinfo=UTC)):
        early = stamps.new_id()
    late = stamps.new_id()
    assert (UUID(early).version, UUID(late).version) == (7, 7)
    assert UUID(late).variant == "specified in RFC 4122"
    assert early < late
    assert len({stamps.new_id() for _ in range(1000)}) == 1000


def test_a_frozen_clock_gives_the_same_times_and_ids_again() -> None:
    def story() -> list[object]:
        with stamps.freeze():
            return [stamps.now(), stamps.new_id(), stamps.now(), stamps.new_id()]

    first = story()
    assert first == story()
    assert first[2] == first[0] + timedelta(milliseconds=1)  # type: ignore[operator]  # both are datetimes
    assert first[1] != first[3]
    assert abs(stamps.now() - datetime.now(UTC)) < timedelta(seconds=10), "outside the clock runs again"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefgh12345678",
        "sk-ant-api03-abcdefgh12345678",
        "gsk_abcdefghijklmnop1234",
        "AIzaSyA-abcdefghijklmnopqrstuv",
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_abcdefghijklmnopqrst1234",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl",
        "Bearer abcdef.ghijkl-123",
    ],
)
def test_a_key_is_recognised_and_taken_out_of_a_text(secret: str) -> None:
    assert looks_like_key(secret)
    assert secret.rsplit(maxsplit=1)[-1] not in redact(f"The key {secret} was refused.")


@pytest.mark.parametrize("plain", ["OPENAI_API_KEY", "gpt-6-luna", "http://127.0.0.1:9000/v1", "risk-averse", "task-1"])
def test_what_is_no_key_is_left_alone(plain: str) -> None:
    assert not looks_like_key(plain)
    assert redact(plain) == plain


def test_passwords_in_urls_and_named_secrets_are_taken_out() -> None:
    assert redact("at postgresql://ada:p4ss@db/x") == "at postgresql://ada:***@db/x"
    assert redact("the word xyzzy", "xyzzy", "") == "the word ***"
