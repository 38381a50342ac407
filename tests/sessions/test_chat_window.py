"""A conversation that outgrows the models' windows goes on, and the reply says what was left out."""

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import AllModelsFailed, ContextTooLong
from toolkit.messages import Caller, ChatRequest, Message
from toolkit.models.tokens import count
from toolkit.sessions.chat import ChatOptions
from toolkit.sessions.session import Session, Summary

LONG = "word " * 1_000
TOO_LONG = ContextTooLong("It does not fit.", provider="scripted")


def asks(text: str) -> tuple[Message]:
    return (Message("user", text),)


async def after(house: House, turns: int) -> Session:
    """A session in which that many turns of about 2,000 tokens were said."""
    session = await house.sessions.create()
    for n in range(1, turns + 1):
        said = [Message("user", f"question {n} {LONG}"), Message("assistant", f"answer {n} {LONG}")]
        await house.sessions.append(session.id, said)
    return session


def heard(request: ChatRequest) -> list[str]:
    """The first two words of every message that a model was sent."""
    return [" ".join(message.text.split()[:2]) for message in request.messages]


async def test_what_fits_into_the_window_is_told_whole(house: House) -> None:
    await house.catalog.set("one", config={"context_window": 100_000})
    session = await after(house, 4)
    house.script.say("ok")
    reply = await house.chat.run(asks("and now"), session=session.id)
    assert len(house.script.asked[0].messages) == 9
    assert reply.trimmed == 0


async def test_the_oldest_turns_are_left_out_where_the_window_is_known(house: House) -> None:
    await house.catalog.set("one", config={"context_window": 8_000})
    session = await after(house, 6)
    house.script.say("ok")
    reply = await house.chat.run(asks("and now"), session=session.id, system="Be brief.")
    assert count(house.script.asked[0].messages) <= 8_000
    assert heard(house.script.asked[0])[0] == "Be brief."
    assert heard(house.script.asked[0])[-3:] == ["question 6", "answer 6", "and now"]
    assert reply.trimmed == 12 - (len(house.script.asked[0].messages) - 2)
    assert len(await house.sessions.messages(session.id)) == 14, "what was not told is not forgotten"


async def test_nothing_is_left_out_for_one_model_while_another_has_room(house: House) -> None:
    await house.catalog.set("one", config={"context_window": 10_000})
    await house.catalog.add("scripted", "two", config={"context_window": 200_000}, priority=200)
    session = await after(house, 6)
    house.script.say(TOO_LONG, "ok")
    reply = await house.chat.run(asks("and now"), session=session.id)
    assert reply.trimmed == 0
    assert len(house.script.asked[-1].messages) == 13


async def test_a_window_that_nobody_knows_is_found_by_trying(house: House) -> None:
    session = await after(house, 6)
    house.script.say(TOO_LONG, TOO_LONG, "ok")
    reply = await house.chat.run(asks("and now"), session=session.id)
    lengths = [len(request.messages) for request in house.script.asked]
    assert lengths[0] == 13
    assert lengths == sorted(lengths, reverse=True)
    assert reply.trimmed == 13 - lengths[-1]
    assert [attempt.error for attempt in reply.attempts] == ["ContextTooLong", "ContextTooLong", None]


async def test_a_question_that_is_too_long_by_itself_says_so(house: House) -> None:
    session = await house.sessions.create()
    house.script.say(TOO_LONG)
    with pytest.raises(AllModelsFailed, match="It does not fit"):
        await house.chat.run(asks(LONG * 10), session=session.id)


async def test_a_stream_is_cut_to_the_window_too(house: House) -> None:
    session = await after(house, 6)
    house.script.say(TOO_LONG, "it fits")
    text, trimmed = "", 0
    async for delta in house.chat.stream(asks("and now"), session=session.id):
        text += delta.text
        trimmed = delta.reply.trimmed if delta.reply else trimmed
    assert text == "it fits"
    assert trimmed


async def test_results_of_this_turns_tools_are_never_left_out(house: House) -> None:
    await house.catalog.set("one", config={"context_window": 8_000})
    session = await after(house, 4)
    house.script.say(wants(("flood", {"length": 4_000})), "ok")
    await house.chat.run(asks("and now"), session=session.id, tools=("flood",))
    last = house.script.asked[-1].messages
    assert [message.role for message in last[-3:]] == ["user", "assistant", "tool"]


async def test_a_cheap_model_sums_up_what_is_left_out_and_the_summary_is_kept(house: House) -> None:
    await house.catalog.set("one", config={"context_window": 12_000})
    await house.catalog.add("scripted", "cheap", enabled=True, priority=900, config={"context_window": 100_000})
    chat = house.summing_up("cheap")
    session = await after(house, 6)
    house.script.say("They spoke of words.", "ok")
    options = ChatOptions(model="one")
    reply = await chat.run(asks("and now"), session=session.id, options=options)
    told = house.script.asked[1].messages
    assert told[0].role == "system"
    assert "They spoke of words." in told[0].text
    assert reply.trimmed
    kept = (await house.sessions.get(session.id)).summary
    assert isinstance(kept, Summary)
    assert kept.text == "They spoke of words."
    house.script.say("ok again")
    await chat.run(asks("and then"), session=session.id, options=options)
    assert len(house.script.asked) == 3, "the summary holds for the next turn"
    assert "They spoke of words." in house.script.asked[2].messages[0].text


async def test_a_model_that_cannot_sum_up_does_not_keep_the_answer_from_coming(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    await house.catalog.set("one", config={"context_window": 8_000})
    session = await after(house, 6)
    house.script.say("ok")
    reply = await house.summing_up("nobody").run(asks("and now"), session=session.id, options=ChatOptions(model="one"))
    assert reply.text == "ok"
    assert "could not be summed up" in caplog.text


async def test_a_budget_that_is_spent_keeps_the_model_that_sums_up_from_being_asked(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    prices = {"input_usd_per_million": 1_000.0, "output_usd_per_million": 1_000.0}
    await house.catalog.set("one", config={"context_window": 12_000})
    await house.catalog.add("scripted", "cheap", enabled=True, config={"context_window": 100_000, **prices})
    await house.limits.set("user", "ada", usd_per_day=0.05)
    session = await after(house, 6)
    house.script.say("ok")
    options = ChatOptions(model="one", caller=Caller(user="ada"))
    reply = await house.summing_up("cheap").run(asks("and now"), session=session.id, options=options)
    assert (reply.text, len(house.script.asked)) == ("ok", 1)
    assert "could not be summed up" in caplog.text
