"""Two who use one session at the same moment."""

import asyncio
from datetime import datetime, timedelta

import asyncpg
import pytest

from tests.sessions.said import LATER, NOON, TURN, begun, said
from toolkit.db import Database, open_database
from toolkit.errors import NotFound, SessionExpired
from toolkit.messages import Message
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.stamps import freeze


async def test_a_session_deleted_while_a_turn_is_under_way_is_not_found(
    sessions: Sessions, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await sessions.create()
    living = sessions._living

    async def living_then_deleted(session_id: str, at: datetime, owner: str | None) -> Session:
        found = await living(session_id, at, owner)
        await sessions.delete(session_id)
        return found

    monkeypatch.setattr(sessions, "_living", living_then_deleted)  # the race, made certain
    with pytest.raises(NotFound, match="There is no session"):
        await sessions.append(session.id, said("x"))
    assert await db.fetch_all("SELECT * FROM messages") == []


async def test_a_session_that_expires_between_look_and_write_is_expired(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await begun(sessions)
    living = sessions._living

    async def living_then_shortened(session_id: str, at: datetime, owner: str | None) -> Session:
        monkeypatch.setattr(sessions, "_living", living)
        found = await living(session_id, at, owner)
        with freeze(NOON - timedelta(seconds=10)):
            await sessions.extend(session_id, ttl=1)
        return found

    monkeypatch.setattr(sessions, "_living", living_then_shortened)  # the race, made certain

    with freeze(NOON), pytest.raises(SessionExpired):
        await sessions.append(session.id, said("x"))


async def test_a_session_that_expires_between_look_and_extension_stays_expired(
    sessions: Sessions, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await begun(sessions)
    get = sessions.get

    async def get_then_end(session_id: str, *, owner: str | None) -> Session:
        found = await get(session_id, owner=owner)
        await db.execute("UPDATE sessions SET expires_at = :at WHERE id = :id", at=NOON, id=session_id)
        return found

    monkeypatch.setattr(sessions, "get", get_then_end)  # the race, made certain
    with freeze(NOON), pytest.raises(SessionExpired):
        await sessions.extend(session.id, ttl=3600)


async def test_a_turn_does_not_take_back_an_extension_made_meanwhile(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await begun(sessions)
    living = sessions._living

    async def living_then_extended(session_id: str, at: datetime, owner: str | None) -> Session:
        monkeypatch.setattr(sessions, "_living", living)
        found = await living(session_id, at, owner)
        await sessions.extend(session_id, ttl=3600)
        return found

    monkeypatch.setattr(sessions, "_living", living_then_extended)  # the race, made certain
    with freeze(NOON):
        used = await sessions.append(session.id, said("x"))
    assert used.expires_at > NOON + timedelta(minutes=59)


async def test_a_session_deleted_while_it_is_forked_leaves_no_fork(
    sessions: Sessions, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await sessions.create()
    await sessions.append(session.id, TURN)
    read = sessions.read

    async def read_then_deleted(session_id: str, *, owner: str | None) -> tuple[Session, list[Message]]:
        found = await read(session_id, owner=owner)
        await sessions.delete(session_id)
        return found

    monkeypatch.setattr(sessions, "read", read_then_deleted)  # the race, made certain
    with pytest.raises(NotFound):
        await sessions.fork(session.id)
    assert await db.fetch_all("SELECT * FROM sessions") == []


async def test_a_session_that_is_extended_while_the_sweep_waits_for_it_stays(postgres_dsn: str) -> None:
    db = open_database(Settings(postgres_dsn))
    await db.execute("DELETE FROM sessions")  # of earlier tests, whose frozen ids are the same
    sessions = Sessions(db)
    with freeze(NOON):
        session = await sessions.create(ttl=1)
    other = await asyncpg.connect(postgres_dsn)
    try:
        async with other.transaction():
            extend = "UPDATE toolkit.sessions SET expires_at = $1 WHERE id = $2"
            await other.execute(extend, LATER + timedelta(hours=1), session.id)
            with freeze(LATER):
                sweep = asyncio.create_task(sessions.sweep())
            waiting = (
                "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while not await other.fetchval(waiting) and not sweep.done():  # noqa: ASYNC110 - a server has no event
                await asyncio.sleep(0.01)
        assert await sweep == 0
        with freeze(LATER):
            await sessions.delete(session.id)
    finally:
        await other.close()
        await db.close()


async def test_turns_appended_at_once_over_two_connections_stay_whole_and_get_positions_of_their_own(
    database_url: str,
) -> None:
    db, other = (open_database(Settings(database_url)) for _ in range(2))
    one, two = Sessions(db), Sessions(other)
    session = await one.create()
    turns = [said(*(f"{turn}.{part}" for part in range(3))) for turn in range(20)]
    await asyncio.gather(*((one, two)[n % 2].append(session.id, turn) for n, turn in enumerate(turns)))

    kept = [message.text for message in await one.messages(session.id)]
    assert sorted(kept) == sorted(message.text for turn in turns for message in turn)
    assert all(kept[at : at + 3] == [f"{kept[at].split('.')[0]}.{part}" for part in range(3)] for at in range(0, 60, 3))
    rows = await db.fetch_all("SELECT position FROM messages ORDER BY position")
    assert [row["position"] for row in rows] == list(range(1, 61))
    await db.close()
    await other.close()


async def test_many_sessions_used_at_once_over_two_connections_all_get_their_turns(database_url: str) -> None:
    db, other = (open_database(Settings(database_url)) for _ in range(2))
    one, two = Sessions(db), Sessions(other)
    ids = [(await one.create()).id for _ in range(10)]
    # In opposite order: each side commits several turns together, and must not wait for the other in a ring.
    turns = [one.append(each, said("a")) for each in ids] + [two.append(each, said("b")) for each in reversed(ids)]
    await asyncio.gather(*turns)
    assert [sorted(m.text for m in await one.messages(each)) for each in ids] == [["a", "b"]] * 10
    await db.close()
    await other.close()
