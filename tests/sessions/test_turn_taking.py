"""One turn at a time in a session, whichever process it is in."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.sessions.said import LATER, NOON, TURN, begun, said
from toolkit.db import Database, open_database
from toolkit.errors import ConfigError, Conflict, NotFound, SessionExpired
from toolkit.messages import Message
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.stamps import freeze, now

ROOT = Path(__file__).parent.parent.parent
SOON = NOON + timedelta(seconds=5)


async def take(sessions: Sessions, session: Session, turn_id: str, seconds: float = 10) -> list[Message] | None:
    taken = await sessions.begin_turn(session.id, turn_id=turn_id, seconds=seconds)
    return None if taken is None else taken[1]


async def speak(url: str, session: Session, name: str, turns: int, lease: float) -> asyncio.subprocess.Process:
    words = ["-m", "tests.sessions.speaker", url, session.id, name, str(turns), str(lease)]
    return await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE)


async def test_a_turn_that_begins_hears_what_was_said_before(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(SOON):
        taken = await sessions.begin_turn(session.id, turn_id="a", seconds=10)
    assert taken == (session, list(TURN))


async def test_nobody_else_begins_a_turn_until_it_is_appended_or_given_back(sessions: Sessions) -> None:
    session = await sessions.create()
    assert await take(sessions, session, "a") == []
    assert await take(sessions, session, "b") is None
    await sessions.append(session.id, said("one"), turn_id="a")
    assert await take(sessions, session, "b") == said("one")
    assert await take(sessions, session, "a") is None
    await sessions.end_turn(session.id, "a")  # not its own any more
    assert await take(sessions, session, "a") is None
    await sessions.end_turn(session.id, "b")
    assert await take(sessions, session, "a") == said("one")


async def test_who_has_the_turn_may_take_it_again(sessions: Sessions) -> None:
    session = await sessions.create()
    assert await take(sessions, session, "a") == []
    assert await take(sessions, session, "a") == []


async def test_a_turn_that_is_not_prolonged_is_over_after_its_seconds(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(SOON):
        assert await take(sessions, session, "a", 10) == list(TURN)
    with freeze(SOON + timedelta(seconds=9)):
        assert await take(sessions, session, "b") is None
        assert await sessions.renew_turn(session.id, "a", 10)
        assert not await sessions.renew_turn(session.id, "b", 10)
    with freeze(SOON + timedelta(seconds=18)):
        assert await take(sessions, session, "b") is None
    with freeze(SOON + timedelta(seconds=20)):
        assert await take(sessions, session, "b") == list(TURN)
        assert not await sessions.renew_turn(session.id, "a", 10)


async def test_a_lost_turn_that_nobody_took_is_kept(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(SOON):
        await take(sessions, session, "a", 1)
    with freeze(SOON + timedelta(seconds=10)):
        await sessions.append(session.id, said("late"), turn_id="a")
        assert (await sessions.messages(session.id))[-1].text == "late"


@pytest.mark.parametrize("other_is_done", [False, True])
async def test_a_turn_that_was_lost_to_another_writes_nothing(sessions: Sessions, *, other_is_done: bool) -> None:
    session = await begun(sessions)
    with freeze(SOON):
        await take(sessions, session, "a", 1)
    with freeze(SOON + timedelta(seconds=10)):
        await take(sessions, session, "b")
        if other_is_done:
            await sessions.append(session.id, said("b"), turn_id="b")
        before = await sessions.read(session.id)
        with pytest.raises(Conflict, match="somebody else has spoken there since; ask again"):
            await sessions.append(session.id, said("a"), turn_id="a")
        with pytest.raises(Conflict):
            await sessions.append(session.id, said("a"), turn_id="a", ttl=60, begun_at=SOON)
        assert await sessions.read(session.id) == before


async def test_what_is_added_without_a_turn_leaves_the_turn_to_who_has_it(sessions: Sessions) -> None:
    session = await sessions.create()
    await take(sessions, session, "a")
    await sessions.append(session.id, said("import"))
    assert await take(sessions, session, "b") is None
    await sessions.append(session.id, said("a"), turn_id="a")
    assert await sessions.messages(session.id) == said("import", "a")


async def test_a_turn_begins_in_no_session_that_expired_or_never_was(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(LATER), pytest.raises(SessionExpired, match="expired at"):
        await take(sessions, session, "a")
    for unknown in ("01890000-0000-7000-8000-000000000000", "nope", "a\0b"):
        with pytest.raises(NotFound, match="There is no session"):
            await sessions.begin_turn(unknown, turn_id="a", seconds=1)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), 1e12])
async def test_a_turn_is_held_for_a_time_that_is_one(sessions: Sessions, seconds: float) -> None:
    session = await sessions.create()
    with pytest.raises(ConfigError, match="A turn is held for more than 0"):
        await take(sessions, session, "a", seconds)
    with pytest.raises(ConfigError, match="A turn is held for more than 0"):
        await sessions.renew_turn(session.id, "a", seconds)


async def test_a_turn_that_outlives_its_session_is_kept(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    other = await begun_beside(sessions)
    with freeze(LATER - timedelta(seconds=2)):
        looked_at = now()
        await take(sessions, session, "a", 30)
    with freeze(LATER):
        assert await sessions.sweep() == 1  # the other one
        assert await sessions.prune(LATER) == 0
        await sessions.append(session.id, said("in time"), turn_id="a", begun_at=looked_at)
        assert (await sessions.messages(session.id))[-1].text == "in time"
    with freeze(LATER + timedelta(minutes=5)):
        assert await sessions.sweep() == 1
    assert await db.fetch_all("SELECT id FROM sessions WHERE id IN (:a, :b)", a=session.id, b=other.id) == []


async def begun_beside(sessions: Sessions) -> Session:
    with freeze(NOON + timedelta(milliseconds=500)):
        return await sessions.create(ttl=20)


async def test_a_turn_that_waited_for_a_write_hears_what_was_written(postgres_dsn: str) -> None:
    db = open_database(Settings(postgres_dsn))
    sessions = Sessions(db)
    session = await sessions.create()
    other = await asyncpg.connect(postgres_dsn)
    try:
        for look in range(5):
            async with other.transaction():
                touch = "UPDATE toolkit.sessions SET used_at = used_at WHERE id = $1"
                await other.execute(touch, session.id)
                add = "INSERT INTO toolkit.messages VALUES ($1, $2, 'user', $3, NULL, now())"
                await other.execute(add, session.id, look + 1, '{"role": "user", "text": "x"}')
                taking = asyncio.create_task(take(sessions, session, "a"))
                waiting = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                while not await other.fetchval(waiting):  # noqa: ASYNC110 - a server has no event
                    await asyncio.sleep(0.01)
            assert await taking == said("x") * (look + 1)
    finally:
        await other.close()
        await db.close()


async def test_three_processes_that_take_turns_each_hear_all_that_was_said(database_url: str) -> None:
    db = open_database(Settings(database_url))
    sessions = Sessions(db)
    session = await sessions.create()
    speakers = [await speak(database_url, session, name, 20, 30) for name in "abc"]
    assert [await speaker.wait() for speaker in speakers] == [0, 0, 0]

    texts = [message.text for message in await sessions.messages(session.id)]
    questions, answers = texts[::2], texts[1::2]
    assert sorted(q.partition(" after ")[0] for q in questions) == sorted(f"{n} {t}" for n in "abc" for t in range(20))
    assert answers == [f"to {q.partition(' after ')[0]}" for q in questions]
    assert [int(q.partition(" after ")[2]) for q in questions] == list(range(0, 120, 2))
    rows = await db.fetch_all("SELECT position FROM messages WHERE session_id = :id ORDER BY position", id=session.id)
    assert [row["position"] for row in rows] == list(range(1, 121))
    await db.close()


async def test_a_turn_whose_process_was_killed_is_taken_by_another_when_its_time_is_over(database_url: str) -> None:
    db = open_database(Settings(database_url))
    sessions = Sessions(db)
    session = await sessions.create()
    holder = await speak(database_url, session, "a", 0, 1.5)
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"taken\n"
    holder.kill()
    await holder.wait()
    assert await take(sessions, session, "b") is None

    other = await speak(database_url, session, "c", 1, 30)
    assert await other.wait() == 0
    assert [m.text for m in await sessions.messages(session.id)] == ["c 0 after 0", "to c 0"]
    await db.close()
