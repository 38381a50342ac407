"""A stream survives its provider: nothing of a failure is seen before the first piece, and little after it."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from tests.models.conftest import HELLO, Deaf, Stage, outcomes
from toolkit.errors import (
    AllModelsFailed,
    ContentRefused,
    DeadlineExceeded,
    InvalidRequest,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    StreamInterrupted,
)
from toolkit.messages import ChatRequest, Completion, Delta, Message, Reply, Source, ToolCall, ToolCallFragment
from toolkit.models.streaming import OnInterrupt, go_on, overlap

CUT = ProviderUnavailable("The line is dead.", provider="scripted")
WISH = Message("assistant", tool_calls=(ToolCall("1", "look_up", {"word": "x"}),))


class Seen:
    """What a reader of the stream has seen."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self.text = ""
        self.reply: Reply | None = None

    async def read(self, stream: AsyncGenerator[Delta, None]) -> "Seen":
        async for delta in stream:
            self.deltas.append(delta)
            self.text = delta.text if delta.restarted else self.text + delta.text
            self.reply = delta.reply
        return self

    @property
    def answer(self) -> Reply:
        assert self.reply is not None
        return self.reply

    @property
    def restarts(self) -> int:
        return sum(delta.restarted for delta in self.deltas)


async def read(stage: Stage, **options: Any) -> Seen:
    return await Seen().read(stage.router.stream(options.pop("request", HELLO), **options))


async def test_pieces_come_as_they_are_and_the_last_one_has_the_reply(stage: Stage) -> None:
    await stage.add("a", ["One ", "two ", "three."])

    seen = await read(stage)

    assert [delta.text for delta in seen.deltas] == ["One ", "two ", "three.", ""]
    assert (seen.answer.text, seen.answer.model, outcomes(seen.answer.attempts)) == (
        "One two three.",
        "a",
        [("a", None)],
    )
    (call,) = await stage.ledger.calls()
    assert (call.kind, call.status) == ("stream", "ok")
    assert call.attempt.usage is not None


async def test_a_failure_before_the_first_piece_is_not_seen(stage: Stage) -> None:
    await stage.add("a", RateLimited("Slow down.", provider="scripted", retry_after=3600.0))
    await stage.add("b", [CUT], [CUT])
    await stage.add("c", "Hello.")

    seen = await read(stage)

    assert (seen.text, seen.restarts) == ("Hello.", 0)
    assert [name for name, _ in outcomes(seen.answer.attempts)] == ["a", "b", "b", "c"]


async def test_pieces_without_words_are_not_the_first_piece(stage: Stage) -> None:
    await stage.add("a", ["", "", ProviderTimeout("Nothing.", provider="scripted")])
    await stage.add("b", ["", "Hello."])

    seen = await read(stage)

    assert [delta.text for delta in seen.deltas] == ["Hello.", ""]


async def test_an_interrupted_answer_is_finished_by_the_next_model(stage: Stage) -> None:
    first = await stage.add("a", ["The capital ", "of France ", CUT])
    second = await stage.add("b", ["is ", "Paris."])

    seen = await read(stage)

    assert (seen.text, seen.restarts) == ("The capital of France is Paris.", 0)
    assert seen.answer.text == seen.text
    assert seen.answer.model == "b"
    assert outcomes(seen.answer.attempts) == [("a", "ProviderUnavailable"), ("b", None)]
    assert len(first.requests) == 1
    (asked,) = second.requests
    assert asked.messages == (
        *HELLO.messages,
        Message("assistant", "The capital of France "),
        Message("user", go_on("The capital of France ")),
    )
    assert await stage.recorded() == [("a", "error", "ProviderUnavailable"), ("b", "ok", None)]


async def test_an_answer_may_be_interrupted_more_than_once(stage: Stage) -> None:
    await stage.add("a", ["One ", CUT])
    await stage.add("b", ["two ", CUT])
    await stage.add("c", ["three."])

    assert (await read(stage)).answer.text == "One two three."


async def test_a_stream_without_its_end_mark_is_interrupted(stage: Stage) -> None:
    async def cut_off(*_: object, **__: object) -> AsyncGenerator[Delta, None]:
        yield Delta("Half ")

    vendor = await stage.add("a")
    vendor.stream = cut_off  # type: ignore[method-assign]  # a fault is injected where it would occur
    await stage.add("b", "an answer.")

    seen = await read(stage)

    assert seen.text == "Half an answer."
    assert outcomes(seen.answer.attempts) == [("a", "BadAnswer"), ("b", None)]


async def test_an_empty_stream_is_no_answer(stage: Stage) -> None:
    async def empty(*_: object, **__: object) -> AsyncGenerator[Delta, None]:
        yield Delta(completion=Completion(Message("assistant")))

    vendor = await stage.add("a")
    vendor.stream = empty  # type: ignore[method-assign]  # a fault is injected where it would occur
    await stage.add("b", "Hello.")

    seen = await read(stage)

    assert outcomes(seen.answer.attempts) == [("a", "BadAnswer"), ("a", "BadAnswer"), ("b", None)]


async def test_the_only_model_goes_on_with_its_own_answer(stage: Stage) -> None:
    await stage.add("a", ["One ", CUT], ["two."])

    seen = await read(stage)

    assert seen.answer.text == "One two."
    assert outcomes(seen.answer.attempts) == [("a", "ProviderUnavailable"), ("a", None)]


@pytest.mark.parametrize(
    ("shown", "continuation", "whole"),
    [
        ("The capital of Fr", ["ance is Paris."], "The capital of France is Paris."),
        ("The capital of Fr", ["Fr", "ance is Paris."], "The capital of France is Paris."),
        ("The capital of France ", ["The capital ", "of France ", "is Paris."], "The capital of France is Paris."),
        ("The capital of France", ["of ", "France is Paris."], "The capital of France is Paris."),
        ("It is a", [" nice day."], "It is a nice day."),
        ("Done, all of it.", ["all of it."], "Done, all of it."),
        ("a b a ", ["b c"], "a b a b c"),
    ],
)
async def test_what_a_continuation_repeats_is_removed(
    stage: Stage, shown: str, continuation: list[str], whole: str
) -> None:
    await stage.add("a", [shown, CUT])
    await stage.add("b", continuation)

    seen = await read(stage)

    assert seen.text == whole
    assert seen.answer.text == whole


def test_words_that_only_look_alike_are_no_repetition() -> None:
    assert overlap("hel", "lo") == 0
    assert overlap("banana", "nasal") == 0
    assert overlap("It is a", "a nice") == 0
    assert overlap("", "anything") == 0
    assert overlap("to the end", "") == 0
    assert overlap("see the", "the end") == 3


async def test_restart_announces_itself_and_begins_again(stage: Stage) -> None:
    await stage.add("a", ["The capital ", CUT])
    second = await stage.add("b", ["Paris ", "it is."])

    seen = await read(stage, on_interrupt="restart")

    assert [(delta.text, delta.restarted) for delta in seen.deltas] == [
        ("The capital ", False),
        ("Paris ", True),
        ("it is.", False),
        ("", False),
    ]
    assert seen.answer.text == "Paris it is."
    assert second.requests == [HELLO]


async def test_raise_gives_the_text_so_far_and_the_attempts(stage: Stage) -> None:
    await stage.add("a", ["The capital ", CUT])
    other = await stage.add("b", "Never.")

    with pytest.raises(StreamInterrupted, match="after 12 characters: a failed with ProviderUnavailable") as caught:
        await read(stage, on_interrupt="raise")
    assert caught.value.text == "The capital "
    assert outcomes(caught.value.attempts) == [("a", "ProviderUnavailable")]
    assert caught.value.__cause__ is CUT
    assert other.requests == []


async def test_an_answer_that_begins_again_with_nothing_does_not_pass_off_what_was_void(stage: Stage) -> None:
    async def empty(*_: object, **__: object) -> AsyncGenerator[Delta, None]:
        yield Delta(completion=Completion(Message("assistant")))

    await stage.add("a", ["The capital ", ProviderTimeout("Silence.", provider="scripted")])
    vendor = await stage.add("b")
    vendor.stream = empty  # type: ignore[method-assign]  # a fault is injected where it would occur

    with pytest.raises(StreamInterrupted) as caught:
        await read(stage, on_interrupt="restart")
    assert caught.value.attempts[-1].error == "BadAnswer"


@pytest.mark.parametrize("on_interrupt", ["continue", "restart"])
async def test_when_nobody_finishes_the_answer_the_error_has_what_was_shown(
    stage: Stage, on_interrupt: OnInterrupt
) -> None:
    await stage.add("a", ["The capital ", ProviderTimeout("Silence.", provider="scripted")])
    await stage.add("b", RateLimited("Slow down.", provider="scripted", retry_after=3600.0))

    seen = Seen()
    with pytest.raises(StreamInterrupted) as caught:
        await seen.read(stage.router.stream(HELLO, on_interrupt=on_interrupt))
    assert (caught.value.text, seen.text, seen.restarts) == ("The capital ", "The capital ", 0)
    assert outcomes(caught.value.attempts) == [("a", "ProviderTimeout"), ("b", "RateLimited")]


async def test_when_nobody_begins_the_errors_are_those_of_complete(stage: Stage) -> None:
    await stage.add("a", RateLimited("Slow down.", provider="scripted", retry_after=3600.0))

    with pytest.raises(AllModelsFailed) as caught:
        await read(stage)
    assert isinstance(caught.value.__cause__, RateLimited)


@pytest.mark.parametrize("kind", [InvalidRequest, ContentRefused])
async def test_what_every_vendor_would_refuse_ends_a_stream_too(stage: Stage, kind: type[ProviderError]) -> None:
    await stage.add("a", kind("No.", provider="scripted"), ["Some text", kind("No.", provider="scripted")])
    await stage.add("b", "Never.")

    with pytest.raises(kind):
        await read(stage)
    with pytest.raises(StreamInterrupted) as caught:
        await read(stage)
    assert (caught.value.text, type(caught.value.__cause__)) == ("Some text", kind)


async def test_time_that_runs_out_before_the_first_piece_is_a_deadline(stage: Stage) -> None:
    await stage.add("a", stage.clock.passing(20.0, ProviderTimeout("Slow.", provider="scripted")))

    with pytest.raises(DeadlineExceeded):
        await read(stage, timeout=20.0)


async def test_time_that_runs_out_after_it_interrupts_the_answer(stage: Stage) -> None:
    deaf = Deaf("Some text.")
    await stage.put("a", deaf)
    stream = stage.router.stream(HELLO, timeout=20.0)

    assert (await anext(stream)).text == "Some text."
    stage.clock.now += 20.0
    with pytest.raises(StreamInterrupted) as caught:
        await anext(stream)
    assert caught.value.text == "Some text."


async def test_a_vendor_that_falls_silent_in_the_middle_is_left(stage: Stage) -> None:
    deaf = Deaf("One ")
    await stage.put("a", deaf, config={"timeout": 0.01})
    await stage.add("b", "two.")

    seen = await read(stage)

    assert seen.answer.text == "One two."
    assert outcomes(seen.answer.attempts) == [("a", "ProviderTimeout"), ("b", None)]
    assert deaf.cancelled


async def test_a_tool_call_is_shown_in_pieces_and_whole_in_the_reply(stage: Stage) -> None:
    await stage.add("a", WISH)

    seen = await read(stage)

    assert "".join(f.arguments for delta in seen.deltas for f in delta.tool_calls) == '{"word": "x"}'
    assert seen.answer.message == WISH
    assert seen.answer.finish_reason == "tool_calls"


def half_a_tool_call(text: str) -> Any:
    async def stream(*_: object, **__: object) -> AsyncGenerator[Delta, None]:
        if text:
            yield Delta(text)
        yield Delta(tool_calls=(ToolCallFragment(0, "1", "look_up", '{"wo'),))
        raise CUT

    return stream


@pytest.mark.parametrize(
    ("text", "on_interrupt"), [("", "continue"), ("", "raise"), ("", "restart"), ("Let me", "continue")]
)
async def test_half_a_tool_call_is_never_completed_and_the_answer_begins_again(
    stage: Stage, text: str, on_interrupt: OnInterrupt
) -> None:
    vendor = await stage.add("a")
    vendor.stream = half_a_tool_call(text)  # type: ignore[method-assign]  # a fault is injected where it would occur
    second = await stage.add("b", "Without tools.")

    seen = await read(stage, on_interrupt=on_interrupt)

    assert (seen.text, seen.restarts) == ("Without tools.", 1)
    assert seen.answer.message == Message("assistant", "Without tools.")
    assert second.requests == [HELLO]


async def test_half_a_tool_call_after_text_is_raised_where_nobody_else_may_be_asked(stage: Stage) -> None:
    vendor = await stage.add("a")
    vendor.stream = half_a_tool_call("Let me")  # type: ignore[method-assign]  # as above
    await stage.add("b", "Never.")

    with pytest.raises(StreamInterrupted) as caught:
        await read(stage, on_interrupt="raise")
    assert caught.value.text == "Let me"


async def test_a_continuation_may_end_in_a_tool_call(stage: Stage) -> None:
    await stage.add("a", ["Let me ", CUT])
    await stage.add("b", replace(WISH, text="look."))

    seen = await read(stage)

    assert seen.answer.message == replace(WISH, text="Let me look.")


async def test_a_last_resort_cannot_go_on_with_anothers_text_and_begins_again(stage: Stage) -> None:
    request = ChatRequest(HELLO.messages, sources=(Source("1", "t", "x"),))
    await stage.add("a", ["I think ", CUT])
    last = await stage.add("offline", "From the sources.", provider="offline")

    seen = await read(stage, request=request)

    assert (seen.text, seen.restarts) == ("From the sources.", 1)
    assert last.requests == [request]


async def test_closing_the_stream_early_cancels_the_vendor_and_the_ledger_says_so(stage: Stage) -> None:
    deaf = Deaf("One ", "two ", "three.")
    await stage.put("a", deaf)
    stream = stage.router.stream(HELLO)
    await anext(stream)

    await stream.aclose()

    assert deaf.cancelled
    assert await stage.recorded() == [("a", "cancelled", "Cancelled")]


async def test_cancelling_the_reader_cancels_the_vendor_and_the_ledger_says_so(stage: Stage) -> None:
    deaf = Deaf("One ")
    await stage.put("a", deaf)
    await stage.add("b", "Never.")
    reading = asyncio.create_task(read(stage))
    await deaf.asked.wait()

    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading

    await stage.ledger.flush()
    assert deaf.cancelled
    assert await stage.recorded() == [("a", "cancelled", "Cancelled")]


async def test_the_row_gives_a_stream_what_the_request_leaves_open(stage: Stage) -> None:
    vendor = await stage.add("a", "Hello.", config={"temperature": 0.3})

    await read(stage)

    assert vendor.requests[0].temperature == 0.3
