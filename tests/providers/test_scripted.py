"""The model that says what it was told to."""

import asyncio
from typing import Any

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit import providers
from toolkit.errors import BadAnswer, ConfigError, InvalidRequest, ProviderTimeout, RateLimited
from toolkit.messages import ChatRequest, Completion, Delta, Message, ToolCall, Usage
from toolkit.providers.scripted import Pause, Scripted, connect


async def stream(model: Scripted, *, timeout: float = LONG) -> list[Delta]:
    return [delta async for delta in model.stream(HELLO, "m", timeout=timeout)]


async def test_each_question_takes_the_next_line_and_is_remembered() -> None:
    model = Scripted("One.", Message("assistant", "Two."))
    model.say(Completion(Message("assistant", "Three."), "length", Usage(1, 2), "id"))
    answers = [await model.complete(HELLO, "m", timeout=LONG) for _ in range(3)]
    assert [answer.message.text for answer in answers] == ["One.", "Two.", "Three."]
    assert answers[0].usage == Usage(2, 1)
    assert answers[2] == Completion(Message("assistant", "Three."), "length", Usage(1, 2), "id")
    assert model.requests == [HELLO] * 3


async def test_a_script_without_a_line_left_is_an_error_that_says_what_to_do() -> None:
    model = Scripted("The last line.")
    await model.complete(HELLO, "m", timeout=LONG)
    with pytest.raises(InvalidRequest, match=r"add one with say"):
        await model.complete(HELLO, "m", timeout=LONG)


async def test_a_text_streams_word_by_word_and_a_list_in_its_own_pieces() -> None:
    model = Scripted("One two\nthree.", ["One t", "wo"])
    assert [delta.text for delta in await stream(model)] == ["One", " two", "\nthree.", ""]
    deltas = await stream(model)
    assert [delta.text for delta in deltas] == ["One t", "wo", ""]
    assert deltas[-1].completion
    assert deltas[-1].completion.message.text == "One two"


async def test_an_exception_is_raised_and_in_a_list_it_breaks_the_answer_off_there() -> None:
    error = RateLimited("Slow down.", provider="scripted")
    model = Scripted(error, ["One", error, "two"], ["One", error])
    with pytest.raises(RateLimited):
        await model.complete(HELLO, "m", timeout=LONG)
    pieces: Any = model.stream(HELLO, "m", timeout=LONG)
    assert (await anext(pieces)).text == "One"
    with pytest.raises(RateLimited):
        await anext(pieces)
    with pytest.raises(RateLimited):
        await model.complete(HELLO, "m", timeout=LONG)


async def test_a_pause_waits_and_one_that_is_too_long_is_a_timeout() -> None:
    model = Scripted(Pause(0.01), "One.", Pause(LONG), "Two.", ["One", Pause(0.01), "two"], ["One", Pause(LONG)])
    assert (await model.complete(HELLO, "m", timeout=LONG)).message.text == "One."
    with pytest.raises(ProviderTimeout):
        await model.complete(HELLO, "m", timeout=0.01)
    assert (await model.complete(HELLO, "m", timeout=LONG)).message.text == "Two."
    assert len(await stream(model)) == 3
    with pytest.raises(ProviderTimeout):
        await stream(model, timeout=0.01)


async def test_tool_calls_are_said_whole_and_streamed_in_fragments() -> None:
    message = Message("assistant", "Let me see.", tool_calls=(ToolCall("a", "f", {"x": 1}), ToolCall("b", "g", {})))
    model = Scripted(message, message)
    answer = await model.complete(HELLO, "m", timeout=LONG)
    assert (answer.message, answer.finish_reason) == (message, "tool_calls")
    fragments = [fragment for delta in await stream(model) for fragment in delta.tool_calls]
    assert [(f.index, f.id, f.name) for f in fragments if f.id] == [(0, "a", "f"), (1, "b", "g")]
    assert "".join(f.arguments for f in fragments if f.index == 0) == '{"x": 1}'


async def test_a_function_answers_what_it_was_asked() -> None:
    model = Scripted(lambda request: request.messages[-1].text.upper(), lambda _: RateLimited("x", provider="s"))
    assert (await model.complete(HELLO, "m", timeout=LONG)).message.text == "HI THERE"
    with pytest.raises(RateLimited):
        await model.complete(HELLO, "m", timeout=LONG)


@pytest.mark.parametrize("line", ["", " \n", [], Message("assistant")])
async def test_an_empty_line_is_a_bad_answer_as_it_is_with_every_vendor(line: Any) -> None:
    with pytest.raises(BadAnswer, match="empty"):
        await Scripted(line).complete(HELLO, "m", timeout=LONG)


async def test_cancelling_it_is_not_a_failure() -> None:
    task = asyncio.create_task(Scripted(Pause(LONG), "x").complete(HELLO, "m", timeout=LONG))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_text_has_always_the_same_vector_and_another_text_another() -> None:
    a, b, c = (await Scripted().embed(["a", "b", "a"], "m", timeout=LONG)).vectors
    assert a == c != b
    assert all(-1 <= number <= 1 for number in a)


async def test_a_row_says_the_lines_of_its_settings_and_then_the_last_one_again_and_again() -> None:
    say = [
        "One.",
        ["Two", "!"],
        {"error": "RateLimited", "message": "Slow down."},
        {"role": "assistant", "text": "Bye."},
    ]
    model = providers.connect("scripted", {}, {"say": say})
    ask = ChatRequest(HELLO.messages)
    assert (await model.complete(ask, "m", timeout=LONG)).message.text == "One."
    assert (await model.complete(ask, "m", timeout=LONG)).message.text == "Two!"
    with pytest.raises(RateLimited, match=r"Slow down\."):
        await model.complete(ask, "m", timeout=LONG)
    for _ in range(3):
        assert (await model.complete(ask, "m", timeout=LONG)).message.text == "Bye."
    await model.close()


@pytest.mark.parametrize("config", [{}, {"say": []}, {"say": None}])
def test_a_row_without_a_script_is_refused_in_words_that_say_what_to_set(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r'set its config to \{"say"'):
        connect({}, config)


@pytest.mark.parametrize("line", [7, [1], {"error": "ToolkitError"}, {"error": "Nonsense"}, {"role": "user"}])
def test_a_line_that_cannot_be_said_is_refused(line: Any) -> None:
    with pytest.raises(ConfigError, match="cannot say"):
        connect({}, {"say": [line]})
