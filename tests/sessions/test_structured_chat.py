"""Answers that must fit a type: asked again until they do, in sessions, with tools, in pieces."""

import asyncio
import json
import time
from typing import Any

import pytest
from pydantic import BaseModel, ValidationInfo, field_validator

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import (
    AllModelsFailed,
    AnswerInvalid,
    BadAnswer,
    ConfigError,
    ContentRefused,
    DeadlineExceeded,
    StreamInterrupted,
    ToolError,
)
from toolkit.messages import Attempt, ChatRequest, Completion, Delta, Message, Reply
from toolkit.sessions.chat import ChatOptions

HI = (Message("user", "Which city?"),)


class City(BaseModel):
    """A city."""

    name: str
    people: int

    @field_validator("name")
    @classmethod
    def in_the_text(cls, value: str, info: ValidationInfo) -> str:
        if info.context and value not in info.context["text"]:
            raise ValueError("must stand in the text")
        return value


GOOD = '{"name": "Ulm", "people": 126000}'
BAD = '{"name": "Ulm", "people": "many"}'
ULM = City(name="Ulm", people=126_000)


def asking(**more: Any) -> ChatOptions:
    return ChatOptions(**{"response_model": City, **more})


@pytest.fixture(params=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "streamed")


async def pieces_of(house: House, options: ChatOptions, **keywords: Any) -> list[Delta]:
    return [delta async for delta in house.chat.stream(HI, options=options, **keywords)]


async def ask(house: House, options: ChatOptions, *, streamed: bool, **keywords: Any) -> Reply:
    if not streamed:
        return await house.chat.run(HI, options=options, **keywords)
    reply = (await pieces_of(house, options, **keywords))[-1].reply
    assert reply is not None
    return reply


async def test_the_reply_has_the_instance_and_its_json(house: House, streamed: bool) -> None:
    house.script.say(GOOD)
    reply = await ask(house, asking(), streamed=streamed)
    assert (reply.parsed, reply.text, len(reply.attempts)) == (ULM, GOOD, 1)
    output = house.script.asked[0].output
    assert output is not None
    assert (output.name, output.schema["description"]) == ("City", "A city.")


async def test_without_a_type_nothing_is_parsed(house: House, streamed: bool) -> None:
    house.script.say(GOOD)
    reply = await ask(house, ChatOptions(), streamed=streamed)
    assert (reply.parsed, reply.text, house.script.asked[0].output) == (None, GOOD, None)


async def test_what_is_no_object_is_unwrapped(house: House, streamed: bool) -> None:
    house.script.say(f'{{"answer": [{GOOD}]}}', '{"answer": null}')
    assert (await ask(house, asking(response_model=list[City]), streamed=streamed)).parsed == [ULM]
    assert (await ask(house, asking(response_model=City | None), streamed=streamed)).parsed is None


async def test_an_answer_that_does_not_fit_is_asked_for_again_with_what_is_wrong(house: House, streamed: bool) -> None:
    house.script.say(BAD, GOOD)
    reply = await ask(house, asking(), streamed=streamed)
    assert (reply.parsed, len(reply.attempts), reply.usage.output_tokens) == (ULM, 2, 10)
    assert [call.attempt.error for call in await house.ledger.calls(call_id=reply.call_id)] == [None, None]
    said = house.script.asked[1].messages
    assert [(message.role, message.text) for message in said[:2]] == [("user", "Which city?"), ("assistant", BAD)]
    assert (said[2].role, len(said)) == ("user", 3)
    assert 'people: Input should be a valid integer, unable to parse string as an integer (got "many")' in said[2].text


async def test_a_model_that_did_not_try_json_is_told_the_form_in_words(house: House, streamed: bool) -> None:
    house.script.say("Ulm.", BAD, GOOD)
    assert (await ask(house, asking(), streamed=streamed)).parsed == ULM
    first, second = (request.messages[-1].text for request in house.script.asked[1:])
    schema = '"required":["name","people"]'
    assert ("it is not valid JSON" in first, schema in first, schema in second) == (True, True, False)


async def test_it_is_asked_as_often_as_allowed_and_then_the_error_says_what_does_not_fit(
    house: House, streamed: bool
) -> None:
    house.script.say(BAD, BAD, '{"people": 1}')
    with pytest.raises(AnswerInvalid, match=r"asked 3 times for City, .*: name: Field required\.$") as caught:
        await ask(house, asking(), streamed=streamed)
    error = caught.value
    assert (error.text, error.errors, len(error.attempts)) == ('{"people": 1}', ("name: Field required",), 3)
    assert type(error.__cause__).__name__ == "ValidationError"
    assert len(house.script.asked) == 3


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (1, 2), (4, 5)])
async def test_how_often_is_for_the_caller_to_say(house: House, retries: int, asked: int, streamed: bool) -> None:
    house.script.say(*[BAD] * 9)
    with pytest.raises(AnswerInvalid):
        await ask(house, asking(validation_retries=retries), streamed=streamed)
    assert len(house.script.asked) == asked


async def test_the_validators_get_the_context_and_their_words_go_to_the_model(house: House, streamed: bool) -> None:
    house.script.say(GOOD, GOOD.replace("Ulm", "Bonn"))
    options = asking(validation_context={"text": "Bonn, Berlin"})
    assert (await ask(house, options, streamed=streamed)).parsed.name == "Bonn"
    assert 'name: must stand in the text (got "Ulm")' in house.script.asked[1].messages[-1].text


async def test_a_session_keeps_the_question_and_the_answer_that_fits_and_nothing_between(
    house: House, streamed: bool
) -> None:
    session = await house.sessions.create()
    house.script.say(BAD, "no json", GOOD, "It is.")
    await ask(house, asking(), streamed=streamed, session=session.id)
    kept = await house.sessions.messages(session.id)
    assert [(message.role, message.text) for message in kept] == [("user", "Which city?"), ("assistant", GOOD)]
    await ask(house, ChatOptions(), streamed=streamed, session=session.id)
    assert [message.text for message in house.script.asked[3].messages] == ["Which city?", GOOD, "Which city?"]


async def test_of_a_turn_without_an_answer_that_fits_a_session_keeps_nothing(house: House, streamed: bool) -> None:
    session = await house.sessions.create()
    house.script.say(*[BAD] * 3)
    with pytest.raises(AnswerInvalid):
        await ask(house, asking(), streamed=streamed, session=session.id)
    assert await house.sessions.messages(session.id) == []


async def test_tools_are_called_before_the_answer_and_after_one_that_did_not_fit(house: House, streamed: bool) -> None:
    session = await house.sessions.create()
    add = wants(("add", {"a": 1, "b": 2}), text="Let me see.")
    house.script.say(add, BAD, add, GOOD)
    reply = await ask(house, asking(), streamed=streamed, session=session.id, tools=("add",))
    assert (reply.parsed, len(reply.attempts)) == (ULM, 4)
    kept = await house.sessions.messages(session.id)
    assert [message.role for message in kept] == ["user", *["assistant", "tool"] * 2, "assistant"]
    assert BAD not in [message.text for message in kept]


async def test_answers_that_do_not_fit_do_not_count_as_wishes_for_tools(house: House) -> None:
    add = wants(("add", {"a": 1, "b": 2}))
    house.script.say(BAD, BAD, add, GOOD)
    options = asking(max_rounds=2)
    assert (await house.chat.run(HI, tools=("add",), options=options)).parsed == ULM
    house.script.say(add, add)
    with pytest.raises(ToolError, match="asked for tools 2 times"):
        await house.chat.run(HI, tools=("add",), options=options)


async def test_an_answer_that_is_cut_off_is_not_asked_for_again_and_the_error_says_what_to_raise(
    house: House, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.script.say('{"name": "Ul')
    complete = house.script.complete

    async def cut(request: ChatRequest, model: str, /, *, timeout: float) -> Completion:
        completion = await complete(request, model, timeout=timeout)
        return Completion(completion.message, "length", completion.usage)

    monkeypatch.setattr(house.script, "complete", cut)
    with pytest.raises(AnswerInvalid, match=r"cut off .*raise max_tokens") as caught:
        await ask(house, asking(max_tokens=5), streamed=streamed)
    assert (caught.value.text, len(caught.value.attempts)) == ('{"name": "Ul', 1)

    house.script.say(BAD, GOOD)  # whole in spite of the limit
    assert (await ask(house, asking(), streamed=streamed)).parsed == ULM


async def test_a_refusal_is_none_of_this(house: House, streamed: bool) -> None:
    house.script.say(BAD, ContentRefused("No.", provider="scripted"))
    with pytest.raises(ContentRefused):
        await ask(house, asking(), streamed=streamed)


async def test_nobody_is_asked_again_after_the_deadline(house: House, streamed: bool) -> None:
    async def slow(_: ChatRequest) -> str:
        await asyncio.sleep(9)
        return BAD

    house.script.say(BAD, slow, GOOD)
    with pytest.raises(DeadlineExceeded, match=r"within 0\.6 s") as caught:
        await ask(house, asking(timeout=0.6, validation_retries=99), streamed=streamed)
    assert (len(house.script.asked), len(caught.value.attempts)) == (2, 2)


async def test_a_deadline_that_passes_between_two_askings_has_each_attempt_once(house: House, streamed: bool) -> None:
    class Slow(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def known(cls, value: str) -> str:
            time.sleep(1.1)
            raise ValueError(f"unknown: {value}")

    house.script.say(GOOD, GOOD)
    with pytest.raises(DeadlineExceeded, match=r"within 1 s") as caught:
        await ask(house, asking(response_model=Slow, timeout=1.0), streamed=streamed)
    assert len(caught.value.attempts) == 1


async def test_whoever_is_cancelled_between_two_askings_keeps_nothing(house: House, streamed: bool) -> None:
    session = await house.sessions.create()
    asked_again = asyncio.Event()

    async def forever(_: ChatRequest) -> str:
        asked_again.set()
        await asyncio.Event().wait()
        raise AssertionError

    house.script.say(BAD, forever, "next")
    turn = asyncio.create_task(ask(house, asking(), streamed=streamed, session=session.id))
    await asked_again.wait()
    turn.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turn
    assert await house.sessions.messages(session.id) == []
    assert (await house.chat.run(HI, session=session.id)).text == "next"


async def test_when_nobody_answers_the_second_time_the_error_has_all_attempts(house: House, streamed: bool) -> None:
    house.script.say(BAD, *[BadAnswer("no", provider="scripted")] * 5)
    with pytest.raises(AllModelsFailed, match=r"^No model answered\. one: BadAnswer \(no\)\.$") as caught:
        await ask(house, asking(), streamed=streamed)
    first, *others = [attempt.error for attempt in caught.value.attempts]
    assert (first, set(others)) == (None, {"BadAnswer"})


async def test_an_answer_that_breaks_off_the_second_time_is_an_error_with_all_attempts(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.script.say(BAD)
    stream = house.router.stream
    broken = StreamInterrupted("It broke off.", text='{"na', attempts=[Attempt("one", "scripted", "m", "BadAnswer")])

    async def breaks(request: ChatRequest, **keywords: Any) -> Any:
        if len(request.messages) > 1:
            raise broken
        async for piece in stream(request, **keywords):
            yield piece

    monkeypatch.setattr(house.router, "stream", breaks)
    with pytest.raises(StreamInterrupted, match="It broke off") as caught:
        await pieces_of(house, asking())
    assert [attempt.error for attempt in caught.value.attempts] == [None, "BadAnswer"]
    assert caught.value.text == '{"na'


@pytest.mark.parametrize(
    ("options", "words"),
    [({"response_model": 5}, "cannot be asked for '5'"), ({"validation_retries": -1}, "must be at least 0")],
)
async def test_what_cannot_be_asked_is_said_before_anybody_is(
    house: House, options: dict[str, Any], words: str, streamed: bool
) -> None:
    with pytest.raises(ConfigError, match=words):
        await ask(house, asking(**options), streamed=streamed)
    assert house.script.asked == []


async def test_an_error_of_a_validators_own_is_the_callers(house: House, streamed: bool) -> None:
    class Broken(BaseModel):
        name: str

        @field_validator("name")
        @classmethod
        def known(cls, value: str) -> str:
            return {"a": "b"}[value]

    house.script.say(GOOD)
    with pytest.raises(KeyError, match="Ulm"):
        await ask(house, asking(response_model=Broken), streamed=streamed)


# In pieces.


async def test_each_piece_has_the_json_so_far_and_the_last_the_instance(house: House) -> None:
    house.script.say('{"name": "New York", "people": 8 }')
    pieces = await pieces_of(house, asking())
    assert [piece.partial for piece in pieces] == [
        {},
        {"name": "New "},
        {"name": "New York"},
        {"name": "New York"},
        {"name": "New York", "people": 8},
        {"name": "New York", "people": 8},
        {"name": "New York", "people": 8},
    ]
    assert "".join(piece.text for piece in pieces) == '{"name": "New York", "people": 8 }'
    assert pieces[-1].reply is not None
    assert pieces[-1].reply.parsed == City(name="New York", people=8)


async def test_the_wrapping_is_not_in_the_partial(house: House) -> None:
    house.script.say('{"answer": [1, 22] }')
    pieces = await pieces_of(house, asking(response_model=list[int]))
    assert [piece.partial for piece in pieces] == [None, [1], [1, 22], [1, 22], [1, 22]]


async def test_without_a_type_there_is_no_partial(house: House) -> None:
    house.script.say(GOOD)
    assert {piece.partial for piece in await pieces_of(house, ChatOptions())} == {None}


async def test_a_new_answer_is_announced_by_its_first_piece_and_begins_anew(house: House) -> None:
    house.script.say(BAD, BAD, GOOD)
    pieces = await pieces_of(house, asking())
    starts = [number for number, piece in enumerate(pieces) if piece.restarted]
    assert starts == [4, 8]
    assert [pieces[number].partial for number in starts] == [{}, {}]
    assert "".join(piece.text for piece in pieces[8:]) == GOOD
    assert pieces[-1].reply is not None
    assert not pieces[-1].restarted


async def test_only_the_first_piece_after_an_answer_that_did_not_fit_is_announced(house: House) -> None:
    house.script.say(BAD, wants(("add", {"a": 1, "b": 2})), GOOD)
    pieces = await pieces_of(house, asking(), tools=("add",))
    assert [piece.restarted for piece in pieces if piece.text or piece.tool_calls] == [False] * 4 + [True] + [False] * 4


async def test_words_before_a_tool_are_passed_on_and_are_no_json(house: House) -> None:
    house.script.say(wants(("add", {"a": 1, "b": 2}), text="Let me see."), GOOD)
    pieces = await pieces_of(house, asking(), tools=("add",))
    assert "".join(piece.text for piece in pieces) == "Let me see." + GOOD
    assert pieces[0].partial is None
    assert pieces[-1].partial == json.loads(GOOD)


@pytest.mark.parametrize(("chosen", "given"), [("continue", "restart"), ("restart", "restart"), ("raise", "raise")])
async def test_an_answer_in_a_form_that_breaks_off_is_not_continued(
    house: House, chosen: Any, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    stream = house.router.stream

    def watched(*arguments: Any, **keywords: Any) -> Any:
        seen.append(keywords["on_interrupt"])
        return stream(*arguments, **keywords)

    monkeypatch.setattr(house.router, "stream", watched)
    house.script.say(GOOD, "free")
    await pieces_of(house, asking(on_interrupt=chosen))
    await pieces_of(house, ChatOptions(on_interrupt=chosen))
    assert seen == [given, chosen]


async def test_a_piece_of_the_router_that_begins_again_empties_the_partial(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stream(*_: Any, **__: Any) -> Any:
        yield Delta('{"name": "Bo')
        yield Delta(GOOD, restarted=True)
        yield Delta(reply=Reply(Message("assistant", GOOD), "one", (), "q"))

    monkeypatch.setattr(house.router, "stream", stream)
    pieces = await pieces_of(house, asking())
    assert [piece.partial for piece in pieces] == [{"name": "Bo"}, json.loads(GOOD), json.loads(GOOD)]
    assert [piece.restarted for piece in pieces] == [False, True, False]


async def test_whom_to_ask_goes_to_the_router(house: House, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    name = "stream" if streamed else "complete"
    real = getattr(house.router, name)

    def watched(*arguments: Any, **keywords: Any) -> Any:
        seen.append(keywords)
        return real(*arguments, **{**keywords, "requirements": None, "hedge": False})

    monkeypatch.setattr(house.router, name, watched)
    house.script.say(GOOD)
    await ask(house, asking(requirements={"structured": True}, hedge=0.5), streamed=streamed)
    assert (seen[0]["requirements"], seen[0]["hedge"]) == ({"structured": True}, 0.5)
