"""A turn is two ways to the database; a ledger that cannot be written costs no turn, and loses none."""

from typing import Any, cast

import pytest

from tests.sessions.conftest import House
from toolkit.db import Database, Statement
from toolkit.errors import AllModelsFailed, DatabaseUnavailable, QuotaExceeded
from toolkit.messages import ChatRequest, Message, ToolCall
from toolkit.usage import entries

HI = (Message("user", "hi"),)


class Writes:
    """Counts what is written."""

    def __init__(self, db: Database, patch: pytest.MonkeyPatch) -> None:
        self._write = db.write
        self.lists: list[tuple[Statement, ...]] = []
        self.failure: Exception | None = None
        patch.setattr(db, "write", self)

    async def __call__(self, *statements: Statement, **given: Any) -> Any:
        self.lists.append(statements)
        if self.failure:
            raise self.failure
        return await self._write(*statements, **given)


@pytest.fixture
def writes(db: Database, monkeypatch: pytest.MonkeyPatch) -> Writes:
    return Writes(db, monkeypatch)


async def test_a_turn_is_taken_in_one_write_and_kept_with_its_cost_in_another(house: House, writes: Writes) -> None:
    session = await house.sessions.create()
    writes.lists.clear()
    house.script.say("hello")

    await house.chat.run(HI, session=session.id)

    assert [len(written) > 1 for written in writes.lists] == [False, True]
    assert [m.text for m in await house.sessions.messages(session.id)] == ["hi", "hello"]
    assert [(call.session_id, call.status) for call in await house.ledger.calls()] == [(session.id, "ok")]


async def test_a_ledger_that_cannot_be_written_costs_no_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    session = await house.sessions.create()
    monkeypatch.setitem(cast("dict[str, str]", entries.KEEP), "calls", "INSERT INTO no_such_table (id) VALUES (:id)")
    house.script.say("hello")

    reply = await house.chat.run(HI, session=session.id)

    assert reply.text == "hello"
    assert [m.text for m in await house.sessions.messages(session.id)] == ["hi", "hello"]
    assert house.ledger.failures == 1


async def test_what_was_paid_for_a_turn_that_could_not_be_kept_is_in_the_ledger_all_the_same(
    house: House,
) -> None:
    session = await house.sessions.create()

    async def vanish() -> str:
        """Delete the session."""
        await house.sessions.delete(session.id)
        return "gone"

    house.tools.add(vanish, name="vanish")
    house.script.say(Message("assistant", tool_calls=(ToolCall("1", "vanish", {}),)), "hello")

    with pytest.raises(Exception, match="no session"):
        await house.chat.run(HI, session=session.id, tools=("vanish",))
    assert [call.status for call in await house.ledger.calls()] == ["ok", "ok"]


async def test_a_database_that_is_away_is_asked_once_for_the_turn(house: House, writes: Writes) -> None:
    session = await house.sessions.create()

    async def goes_away(_request: ChatRequest) -> str:
        writes.lists.clear()
        writes.failure = DatabaseUnavailable("It is away.")
        return "hello"

    house.script.say(goes_away)
    with pytest.raises(DatabaseUnavailable):
        await house.chat.run(HI, session=session.id)
    assert len(writes.lists) == 3  # the turn, then the ledger's row by itself, and the session is given back
    assert house.ledger.failures == 1


async def test_the_row_of_a_failure_is_written_before_anyone_is_told(house: House) -> None:
    house.script.say(QuotaExceeded("No money.", provider="scripted"))

    with pytest.raises(AllModelsFailed):
        await house.chat.run(HI)
    assert [call.attempt.error for call in await house.ledger.calls()] == ["QuotaExceeded"]
