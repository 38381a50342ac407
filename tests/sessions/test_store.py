"""What is kept of a conversation, and for how long."""

from datetime import timedelta
from typing import Any

import pytest

from tests.sessions.said import LATER, NOON, TURN, begun, said
from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound, SessionExpired
from toolkit.messages import Message, ToolCall
from toolkit.sessions.store import Sessions
from toolkit.stamps import freeze


async def test_a_session_keeps_what_it_was_created_with(sessions: Sessions) -> None:
    with freeze(NOON):
        made = await sessions.create(ttl=3600, user="ada", origin="app", title="T", context={"project": ["ä", 1]})
        assert await sessions.get(made.id) == made
    assert (made.user, made.origin, made.title, made.context) == ("ada", "app", "T", {"project": ["ä", 1]})
    assert made.ttl_seconds == 3600
    assert made.created_at == made.used_at
    assert made.expires_at == made.created_at + timedelta(hours=1)
    assert (made.parent_id, made.parent_at) == (None, None)


async def test_a_session_without_a_ttl_has_the_stores(sessions: Sessions) -> None:
    assert (await sessions.create()).ttl_seconds == 60


@pytest.mark.parametrize("ttl", [0, -1, 10**12, 1.5, "5"])
async def test_a_ttl_out_of_bounds_is_refused(sessions: Sessions, ttl: Any) -> None:
    with pytest.raises(ConfigError, match=r"ttl must be from 1 to 315,360,000 seconds"):
        await sessions.create(ttl=ttl)
    session = await sessions.create()
    with pytest.raises(ConfigError, match="ttl must be"):
        await sessions.extend(session.id, ttl=ttl)


async def test_messages_come_back_as_they_were_said_in_order(sessions: Sessions) -> None:
    session = await sessions.create()
    await sessions.append(session.id, TURN)
    await sessions.append(session.id, said("two?"))
    assert await sessions.messages(session.id) == [*TURN, *said("two?")]


async def test_a_turn_moves_the_end_ahead_and_says_when_it_was(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(NOON + timedelta(seconds=50)):
        used = await sessions.append(session.id, said("again"))
    assert used.used_at - session.used_at > timedelta(seconds=49)
    assert used.expires_at == used.used_at + timedelta(seconds=60)
    with freeze(NOON + timedelta(seconds=100)):
        assert await sessions.get(session.id) == used


async def test_the_rows_of_a_turn_carry_its_call(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    rows = await db.fetch_all("SELECT position, role, call_id FROM messages WHERE session_id = :id", id=session.id)
    assert sorted((row["position"], row["role"], row["call_id"]) for row in rows) == [
        (1, "user", "q1"),
        (2, "assistant", "q1"),
        (3, "tool", "q1"),
        (4, "assistant", "q1"),
    ]


async def test_an_expired_session_says_when_and_what_to_do(sessions: Sessions) -> None:
    session = await begun(sessions)
    sentence = rf"Session {session.id} expired at 2026-03-01T12:01:00\+00:00; create a new one with tk.sessions.create"
    with freeze(LATER):
        for refused in (
            sessions.get(session.id),
            sessions.messages(session.id),
            sessions.extend(session.id, ttl=3600),
            sessions.fork(session.id),
            sessions.append(session.id, said("late")),
        ):
            with pytest.raises(SessionExpired, match=sentence):
                await refused
        assert await sessions.list() == []
    with freeze(NOON):
        assert await sessions.messages(session.id) == list(TURN)


async def test_a_session_is_gone_at_the_moment_of_its_end_and_not_before(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(session.expires_at - timedelta(milliseconds=2)):
        await sessions.get(session.id)
        with pytest.raises(SessionExpired):
            await sessions.get(session.id)  # a frozen clock moves one millisecond per question


@pytest.mark.parametrize(
    "unknown", ["01890000-0000-7000-8000-000000000000", "", "nope", "a\0b", "\ud800", "' OR 1=1 --"]
)
async def test_a_session_that_never_was_is_not_found(sessions: Sessions, unknown: str) -> None:
    for refused in (
        sessions.get(unknown),
        sessions.messages(unknown),
        sessions.extend(unknown),
        sessions.fork(unknown),
        sessions.append(unknown, said("x")),
        sessions.delete(unknown),
    ):
        with pytest.raises(NotFound, match="There is no session") as caught:
            await refused
        assert not isinstance(caught.value, SessionExpired)


async def test_a_turn_that_began_in_time_is_taken_after_the_end(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(LATER):
        with pytest.raises(SessionExpired):
            await sessions.append(session.id, said("late"), begun_at=session.expires_at)
        used = await sessions.append(session.id, said("in time"), begun_at=NOON + timedelta(seconds=30))
        assert used.expires_at > LATER + timedelta(seconds=59)
        assert (await sessions.messages(session.id))[-1].text == "in time"


async def test_messages_come_in_the_order_of_their_positions_however_the_rows_lie(
    sessions: Sessions, db: Database
) -> None:
    session = await sessions.create()
    insert = """
        INSERT INTO messages (session_id, position, role, body, created_at)
        VALUES (:id, :position, 'user', :body, :at)
        """
    for position in (3, 1, 2):
        body = Message("user", str(position)).to_json()
        await db.execute(insert, id=session.id, position=position, body=body, at=NOON)
    assert [message.text for message in await sessions.messages(session.id)] == ["1", "2", "3"]


async def test_a_turn_that_cannot_be_written_leaves_nothing(sessions: Sessions) -> None:
    session = await begun(sessions)
    bad = Message(None, "x")  # type: ignore[arg-type] # the column `role` refuses it, after the first message was written
    with freeze(NOON + timedelta(seconds=30)):
        with pytest.raises(Exception, match=r"(?i)null"):
            await sessions.append(session.id, [*said("first"), bad])
        assert await sessions.messages(session.id) == list(TURN)
        assert await sessions.get(session.id) == session


async def test_what_no_database_can_keep_is_replaced(sessions: Sessions) -> None:
    session = await sessions.create()
    call = ToolCall("c", "t", {"x\0": [float("nan"), float("inf"), "\udc00", 1.5]})
    await sessions.append(session.id, [Message("assistant", "a\0b \ud83d\ude00 \ud800 ä", tool_calls=(call,))])
    kept = (await sessions.messages(session.id))[0]
    assert kept.text == "a�b 😀 � ä"
    assert kept.tool_calls[0].arguments == {"x�": [None, None, "�", 1.5]}


async def test_extending_sets_a_new_time_to_live_longer_or_shorter(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(NOON + timedelta(seconds=10)):
        longer = await sessions.extend(session.id, ttl=7200)
        assert (longer.ttl_seconds, longer.expires_at - longer.used_at) == (7200, timedelta(hours=2))
        same = await sessions.extend(session.id)
        assert (same.ttl_seconds, same.expires_at - same.used_at) == (7200, timedelta(hours=2))
        shorter = await sessions.extend(session.id, ttl=1)
        assert (shorter.ttl_seconds, shorter.expires_at - shorter.used_at) == (1, timedelta(seconds=1))


async def test_live_sessions_are_listed_last_used_first(sessions: Sessions) -> None:
    with freeze(NOON):
        first, second, other = [await sessions.create(user=user) for user in ("ada", "ada", "bob")]
        await sessions.create(user="ada", ttl=1)
        await sessions.append(first.id, said("x"))
    with freeze(NOON + timedelta(seconds=10)):
        assert [s.id for s in await sessions.list()] == [first.id, other.id, second.id]
        assert [s.id for s in await sessions.list(user="ada")] == [first.id, second.id]
        assert [s.id for s in await sessions.list(limit=1)] == [first.id]
        assert await sessions.list(user="eve") == []
        with pytest.raises(ConfigError, match="`limit` must be at least 1"):
            await sessions.list(limit=0)


async def test_a_fork_takes_over_what_was_said_and_goes_its_own_way(sessions: Sessions) -> None:
    session = await begun(sessions)
    with freeze(NOON + timedelta(seconds=30)):
        whole = await sessions.fork(session.id)
        begin = await sessions.fork(session.id, at=1)
        none = await sessions.fork(session.id, at=0)
        await sessions.append(begin.id, said("two?"))

        assert await sessions.messages(whole.id) == list(TURN)
        assert await sessions.messages(begin.id) == [TURN[0], *said("two?")]
        assert await sessions.messages(none.id) == []
        assert await sessions.messages(session.id) == list(TURN)
        assert await sessions.get(session.id) == session
    assert (begin.parent_id, begin.parent_at, whole.parent_at) == (session.id, 1, 4)
    assert (begin.user, begin.origin, begin.title, begin.context) == ("ada", "app", "T", {"project": ["ä", 1]})
    assert (begin.ttl_seconds, begin.expires_at - begin.used_at) == (60, timedelta(seconds=60))


async def test_a_fork_outlives_its_parent(sessions: Sessions) -> None:
    session = await sessions.create()
    await sessions.append(session.id, TURN)
    fork = await sessions.fork(session.id)
    await sessions.delete(session.id)
    assert await sessions.messages(fork.id) == list(TURN)


async def test_a_fork_beyond_what_was_said_or_inside_a_tool_call_is_refused(sessions: Sessions) -> None:
    session = await sessions.create()
    await sessions.append(session.id, TURN)
    for at in (-1, 5):
        with pytest.raises(ConfigError, match=f"has 4 messages; `at` must be from 0 to that \\(got {at}\\)"):
            await sessions.fork(session.id, at=at)
    with pytest.raises(ConfigError, match=r"Message 2 of session .* waits for a tool's result"):
        await sessions.fork(session.id, at=2)
    assert len(await sessions.list()) == 1


async def test_deleting_a_session_deletes_what_was_said(sessions: Sessions, db: Database) -> None:
    session, other = await sessions.create(), await sessions.create()
    for each in (session, other):
        await sessions.append(each.id, said("x"))
    await sessions.delete(session.id)
    with pytest.raises(NotFound):
        await sessions.delete(session.id)
    assert {row["session_id"] for row in await db.fetch_all("SELECT session_id FROM messages")} == {other.id}


async def test_an_expired_session_can_be_deleted(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    with freeze(LATER):
        await sessions.delete(session.id)
    assert await db.fetch_all("SELECT * FROM sessions") == []


async def test_sweeping_forgets_the_expired_ones_a_batch_at_a_time(sessions: Sessions, db: Database) -> None:
    with freeze(NOON):
        gone = [await sessions.create(ttl=ttl) for ttl in (20, 10, 30)]
        await sessions.append(gone[0].id, said("x"))
        alive = await sessions.create(ttl=3600)
    with freeze(LATER):
        assert await sessions.sweep(limit=2) == 2
        assert {r["id"] for r in await db.fetch_all("SELECT id FROM sessions")} == {gone[2].id, alive.id}
        assert await sessions.sweep() == 1
        assert await sessions.sweep() == 0
        with pytest.raises(ConfigError, match="`limit`"):
            await sessions.sweep(limit=0)
    assert await db.fetch_all("SELECT * FROM messages") == []
