"""Limits, the cache and approvals, on the way from a question to its answer."""

import asyncio
from typing import Any

import pytest

from tests.sessions.conftest import House
from tests.sessions.script import wants
from toolkit.errors import AllModelsFailed, BudgetExceeded, ContextTooLong, RateLimited
from toolkit.messages import Caller, ChatRequest, Delta, Message, ToolCall
from toolkit.sessions.chat import ChatOptions
from toolkit.sessions.results import LONGEST
from toolkit.tools.tool import Tool

HI = (Message("user", "hi"),)
ADA = Caller(user="ada")
CACHED = ChatOptions(cache=True)


async def test_who_has_used_up_a_limit_is_told_when_to_come_back_and_no_model_is_asked(house: House) -> None:
    await house.limits.set("user", "ada", rpm=1)
    house.script.say("one", "two")
    await house.chat.run(HI, options=ChatOptions(caller=ADA))
    with pytest.raises(RateLimited) as refused:
        await house.chat.run(HI, options=ChatOptions(caller=ADA))
    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 60
    assert len(house.script.asked) == 1
    await house.chat.run(HI, options=ChatOptions(caller=Caller(user="bob")))


async def test_who_may_wait_gets_an_answer_when_there_is_room_again(house: House) -> None:
    await house.limits.set("user", "ada", rpm=6_000)
    house.script.say(*["ok"] * 6_001)
    options = ChatOptions(caller=ADA, queue=5.0)
    await house.limits.admit(ADA, tokens=0, price=_free)
    for _ in range(3):
        assert (await house.chat.run(HI, options=options)).text == "ok"


async def _free() -> int | None:
    return 0


async def test_tokens_are_counted_as_the_vendor_did(house: House) -> None:
    await house.limits.set("user", "ada", tpm=1_000)
    house.script.say("one")
    await house.chat.run(HI, options=ChatOptions(caller=ADA, max_tokens=900))
    (tokens,) = await house.limits.status(user="ada")
    assert 980 <= tokens.left <= 1_000, "15 were used, not the 900 that were set aside"


async def test_a_budget_that_is_spent_refuses_before_a_model_is_asked(house: House) -> None:
    prices = {"input_usd_per_million": 1_000.0, "output_usd_per_million": 1_000.0}
    await house.catalog.set("one", config=prices)
    await house.limits.set("user", "ada", usd_per_day=0.10)
    house.script.say("one", "two")
    options = ChatOptions(caller=ADA, max_tokens=60)
    await house.chat.run(HI, options=options)
    with pytest.raises(BudgetExceeded):
        await house.chat.run(HI, options=ChatOptions(caller=ADA, max_tokens=90))
    assert len(house.script.asked) == 1


async def test_what_failed_gives_back_what_was_set_aside(house: House) -> None:
    prices = {"input_usd_per_million": 1_000.0, "output_usd_per_million": 1_000.0}
    await house.catalog.set("one", config=prices)
    await house.limits.set("user", "ada", usd_per_day=0.10)
    options = ChatOptions(caller=ADA, max_tokens=60, timeout=0.5)
    for _ in range(3):
        house.script.say(ContextTooLong("It does not fit.", provider="scripted"))
        with pytest.raises(AllModelsFailed, match="does not fit"):
            await house.chat.run(HI, options=options)
    house.script.say("ok")
    assert (await house.chat.run(HI, options=options)).text == "ok"


async def test_the_same_question_is_answered_from_the_cache_and_costs_nothing(house: House) -> None:
    house.script.say("an answer")
    first = await house.chat.run(HI, options=CACHED)
    again = await house.chat.run(HI, options=CACHED)
    assert (first.cached, again.cached) == (False, True)
    assert (again.text, again.model) == ("an answer", "one")
    assert again.attempts == ()
    assert again.cost_usd == 0
    assert again.usage.total_tokens == 0
    assert len(house.script.asked) == 1
    stats = await house.ledger.stats()
    assert (stats.calls, stats.cached) == (1, 1)


async def test_without_the_wish_nothing_is_cached(house: House) -> None:
    house.script.say("one", "two")
    assert (await house.chat.run(HI)).text == "one"
    assert (await house.chat.run(HI)).text == "two"


async def test_refresh_asks_anew_and_keeps_that(house: House) -> None:
    house.script.say("old", "new")
    await house.chat.run(HI, options=CACHED)
    assert (await house.chat.run(HI, options=ChatOptions(cache="refresh"))).text == "new"
    assert (await house.chat.run(HI, options=CACHED)).text == "new"


async def test_a_herd_of_equal_questions_asks_once(house: House) -> None:
    async def slowly(_: ChatRequest) -> str:
        await asyncio.sleep(0.05)
        return "the answer"

    house.script.say(slowly)
    replies = await asyncio.gather(*(house.chat.run(HI, options=CACHED) for _ in range(20)))
    assert {reply.text for reply in replies} == {"the answer"}
    assert sorted(reply.cached for reply in replies) == [False] + [True] * 19


async def test_a_stream_from_the_cache_has_the_pieces_of_the_first(house: House) -> None:
    house.script.say("one two three")
    first = [delta async for delta in house.chat.stream(HI, options=CACHED)]
    again = [delta async for delta in house.chat.stream(HI, options=CACHED)]

    def texts(deltas: list[Delta]) -> list[str]:
        return [delta.text for delta in deltas if delta.text]

    assert texts(first) == texts(again) == ["one ", "two ", "three"]
    assert again[-1].reply
    assert again[-1].reply.cached


async def test_a_cached_answer_is_kept_in_the_session_as_any_other(house: House) -> None:
    house.script.say("hello")
    await house.chat.run(HI, options=CACHED)
    session = await house.sessions.create()
    reply = await house.chat.run(HI, session=session.id, options=CACHED)
    assert reply.cached
    assert [message.text for message in await house.sessions.messages(session.id)] == ["hi", "hello"]


async def test_an_answer_from_the_cache_takes_nothing_from_the_limits(house: House) -> None:
    await house.limits.set("user", "ada", rpm=1)
    house.script.say("ok")
    options = ChatOptions(cache=True, caller=ADA)
    for _ in range(3):
        assert (await house.chat.run(HI, options=options)).text == "ok"


@pytest.fixture
def erased(house: House) -> list[str]:
    erased: list[str] = []

    @house.tools.tool(destructive=True)
    def erase(name: str) -> str:
        """Erase something."""
        erased.append(name)
        return "erased"

    return erased


@pytest.mark.parametrize(("answer", "done"), [(True, ["a"]), (False, [])])
async def test_a_destructive_tool_is_called_only_if_it_is_approved(
    house: House, erased: list[str], answer: bool, done: list[str]
) -> None:
    asked: list[tuple[str, dict[str, Any], bool]] = []

    async def approve(call: ToolCall, tool: Tool) -> bool:
        asked.append((call.name, call.arguments, tool.destructive))
        return answer

    house.script.say(wants(("erase", {"name": "a"}), ("add", {"a": 1, "b": 2})), "ok")
    await house.chat.run(HI, tools=("erase", "add"), options=ChatOptions(approve=approve))
    assert erased == done
    assert asked == [("erase", {"name": "a"}, True)], "a harmless tool needs no approval"
    told = [message.text for message in house.script.asked[1].messages if message.role == "tool"]
    assert ("did not approve" in told[0]) is not answer


async def test_without_anyone_to_ask_what_was_offered_may_be_called(house: House, erased: list[str]) -> None:
    house.script.say(wants(("erase", {"name": "a"})), "ok")
    await house.chat.run(HI, tools=("erase",))
    assert erased == ["a"]


async def test_a_model_reads_on_in_a_result_that_was_cut(house: House) -> None:
    more = wants(("read_result", {"result_id": "call-0", "offset": LONGEST}))
    house.script.say(wants(("flood", {"length": LONGEST + 5})), more, "ok")
    await house.chat.run(HI, tools=("flood",))
    assert "read_result" not in [spec.name for spec in house.script.asked[0].tools]
    assert "read_result" in [spec.name for spec in house.script.asked[1].tools]
    assert house.script.asked[2].messages[-1].text == "x" * 5


async def test_a_stream_from_the_cache_asks_for_the_same_tools_and_is_a_stream_in_the_ledger(house: House) -> None:
    house.script.say(wants(("look", {"at": "the sea"})), "Nothing to see.")
    first = [delta async for delta in house.chat.stream(HI, options=CACHED)]
    again = [delta async for delta in house.chat.stream(HI, options=CACHED)]

    def calls(deltas: list[Delta]) -> list[tuple[str | None, str]]:
        return [(call.name, call.arguments) for delta in deltas for call in delta.tool_calls]

    assert "".join(arguments for _, arguments in calls(again)) == '{"at": "the sea"}'
    assert [name for name, _ in calls(first) if name] == [name for name, _ in calls(again) if name] == ["look"]
    assert [row.kind for row in await house.ledger.calls() if row.kind != "tool"] == ["stream"] * 4
    assert (await house.ledger.stats()).cached == 2
