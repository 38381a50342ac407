"""What can be changed about a session, and what comes of it: titles, contexts, pins, summaries, branches, scopes."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.sessions.said import LATER, NOON, TURN, begun, said
from toolkit.bridge import blocking
from toolkit.db import Database, as_json, open_database
from toolkit.errors import DatabaseUnavailable, NotFound
from toolkit.messages import Message, ToolCall
from toolkit.sessions.session import Session, Summary
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.stamps import freeze


async def told(db: Database, session: Session) -> list[tuple[str, Any]]:
    rows = await db.fetch_all("SELECT kind, body FROM events WHERE subject = :id ORDER BY seq", id=session.id)
    return [(row["kind"], as_json(row["body"])) for row in rows]


async def test_a_session_is_renamed_and_does_not_live_longer_for_it(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    with freeze(NOON + timedelta(seconds=30)):
        renamed = await sessions.rename(session.id, "Another 'title' 🙂")
        assert renamed == await sessions.get(session.id)
    assert (renamed.title, renamed.expires_at, renamed.context) == (
        "Another 'title' 🙂",
        session.expires_at,
        {"project": ["ä", 1]},
    )
    with freeze(NOON + timedelta(seconds=30)):
        assert (await sessions.rename(session.id, "")).title is None
    assert (await told(db, session))[2:] == [("session.updated", {"changed": ["title"]})] * 2


async def test_a_context_is_replaced_whole_and_what_is_not_named_stays(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    with freeze(NOON):
        assert await sessions.update(session.id) == session
        changed = await sessions.update(session.id, context={"new": [1, None]})
        assert (changed.title, changed.context) == ("T", {"new": [1, None]})
        both = await sessions.update(session.id, title="U", context={})
        assert (both.title, both.context) == ("U", {})
        assert both == await sessions.get(session.id)
    assert [body for _, body in await told(db, session)][2:] == [
        {"changed": ["context"]},
        {"changed": ["title", "context"]},
    ]


async def test_a_message_is_pinned_and_unpinned_and_nothing_else_of_it_changes(
    sessions: Sessions, db: Database
) -> None:
    session = await sessions.create()
    call = ToolCall("c", "t", {"big": 2**70, "odd": ["\n'\"", 1.5, None]})
    message = Message("assistant", "text 🙂", tool_calls=(call,), opaque={"messages": [{"x": "é"}]})
    await sessions.append(session.id, [*said("one"), message])
    pinned = await sessions.pin(session.id, 2)
    assert pinned.pinned
    assert await sessions.messages(session.id) == [*said("one"), pinned]
    assert await sessions.pin(session.id, 2) == pinned
    assert await sessions.pin(session.id, 2, pinned=False) == message
    assert await sessions.pin(session.id, 2, pinned=False) == message
    assert await sessions.messages(session.id) == [*said("one"), message]
    assert (await told(db, session))[-1] == ("session.updated", {"changed": ["pinned"], "position": 2})


@pytest.mark.parametrize("position", [0, -1, 3, 2**63, 2**70])
async def test_a_message_that_is_not_there_is_not_pinned(sessions: Sessions, position: int) -> None:
    session = await sessions.create()
    await sessions.append(session.id, said("one", "two"))
    with pytest.raises(NotFound, match=f"Session {session.id} has no such message"):
        await sessions.pin(session.id, position)


async def test_a_fork_keeps_pins_and_calls_and_a_summary_of_what_it_took_over(sessions: Sessions, db: Database) -> None:
    session = await sessions.create()
    await sessions.append(session.id, TURN, call_id="q1")
    await sessions.append(session.id, said("more"), call_id="q2")
    await sessions.pin(session.id, 1)
    await sessions.set_summary(session.id, 4, "about one")
    whole, first = await sessions.fork(session.id), await sessions.fork(session.id, at=1)

    assert await sessions.messages(whole.id) == await sessions.messages(session.id)
    assert [m.pinned for m in await sessions.messages(first.id)] == [True]
    assert (whole.summary, first.summary) == (Summary(4, "about one"), None)
    rows = await db.fetch_all("SELECT call_id FROM messages WHERE session_id = :id ORDER BY position", id=whole.id)
    assert [row["call_id"] for row in rows] == ["q1"] * 4 + ["q2"]


async def test_branches_are_those_that_were_forked_from_a_session_and_are_alive(sessions: Sessions) -> None:
    with freeze(NOON):
        session = await sessions.create(ttl=1000)
        one, two = await sessions.fork(session.id), await sessions.fork(session.id)
        inner = await sessions.fork(one.id)
        await sessions.extend(two.id, ttl=10)
        assert [s.id for s in await sessions.branches(session.id)] == [one.id, two.id]
        assert [s.id for s in await sessions.branches(one.id)] == [inner.id]
        assert await sessions.branches(two.id) == []
        await sessions.delete(inner.id)
        assert await sessions.branches(one.id) == []
    with freeze(LATER):
        assert [s.id for s in await sessions.branches(session.id)] == [one.id]


async def test_a_summary_is_kept_until_another_takes_its_place(sessions: Sessions) -> None:
    session = await begun(sessions)
    assert session.summary is None
    await sessions.set_summary(session.id, 2, "first\0")
    with freeze(LATER):  # a turn that began in time goes on
        kept = await sessions.set_summary(session.id, 3, "second")
    with freeze(NOON):
        assert (await sessions.get(session.id)).summary == kept.summary == Summary(3, "second")
        taken = await sessions.begin_turn(session.id, turn_id="t", seconds=1)
    assert taken
    assert taken[0].summary == Summary(3, "second")
    with pytest.raises(NotFound):
        await sessions.set_summary("nope", 1, "x")


async def test_a_scope_ends_with_its_session(sessions: Sessions, db: Database) -> None:
    async with sessions.scope(ttl=300, title="T", user="ada", origin="app", context={"a": 1}) as session:
        await sessions.append(session.id, said("x"))
        assert (session.ttl_seconds, session.title, session.user, session.origin) == (300, "T", "ada", "app")
    assert await db.fetch_all("SELECT id FROM sessions") == await db.fetch_all("SELECT position FROM messages") == []


async def test_a_scope_ends_with_its_session_also_by_an_error_or_a_cancellation(
    sessions: Sessions, db: Database
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with sessions.scope():
            raise ZeroDivisionError
    inside = asyncio.Event()

    async def stay() -> None:
        async with sessions.scope():
            inside.set()
            await asyncio.Event().wait()

    staying = asyncio.create_task(stay())
    await inside.wait()
    staying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await staying
    assert await db.fetch_all("SELECT id FROM sessions") == []


async def test_a_scope_whose_session_was_deleted_or_cannot_be_is_left_in_peace(
    sessions: Sessions, db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with sessions.scope() as session:
        await sessions.delete(session.id)
    assert caplog.text == ""
    async with sessions.scope() as session:
        await db.close()
    assert f"Session {session.id} could not be deleted" in caplog.text
    with pytest.raises(DatabaseUnavailable):
        await sessions.get(session.id)


def test_a_scope_is_a_plain_context_manager_without_await(any_url: str) -> None:
    db = open_database(Settings(any_url))
    sessions = blocking(Sessions(db))
    with sessions.scope(ttl=300) as session:
        sessions.append(session.id, said("x"))
        assert [m.text for m in sessions.messages(session.id)] == ["x"]
    with pytest.raises(NotFound):
        sessions.get(session.id)
    blocking(db).close()
