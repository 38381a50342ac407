"""One turn at a time in a session, in one process and in several."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.errors import Conflict, DatabaseError, DeadlineExceeded, NotFound
from toolkit.messages import Message
from toolkit.sessions import exclusive as module
from toolkit.sessions.exclusive import Exclusive
from toolkit.sessions.store import Sessions
from toolkit.stamps import fresh_id, now


@pytest.fixture
def sessions(db: Database) -> Sessions:
    return Sessions(db)


def others(db: Database) -> Exclusive:
    """As another process has it."""
    return Exclusive(Sessions(db))


async def speak(turns: Exclusive, sessions: Sessions, session_id: str, name: str) -> None:
    """Ask and answer, as a chat does."""
    async with turns.turn(session_id, seconds=20, owner=None) as held:
        await asyncio.sleep(0)
        said = [Message("user", f"{name} asks"), Message("assistant", f"{name} is answered")]
        await sessions.append(session_id, said, turn_id=held.turn_id)
        held.kept = True


async def test_turns_of_two_processes_do_not_mix_and_each_has_heard_of_those_before(
    db: Database, sessions: Sessions
) -> None:
    session = await sessions.create()
    mine, theirs = Exclusive(sessions), others(db)
    await asyncio.gather(
        *(speak(turns, sessions, session.id, f"{n}") for n, turns in enumerate([mine, theirs] * 5)),
    )
    said = [message.text for message in await sessions.messages(session.id)]
    assert len(said) == 20
    assert [answer.split()[0] for answer in said[1::2]] == [question.split()[0] for question in said[::2]]


async def test_turns_of_one_process_come_in_the_order_in_which_they_were_asked_for(sessions: Sessions) -> None:
    session = await sessions.create()
    turns = Exclusive(sessions)
    await asyncio.gather(*(speak(turns, sessions, session.id, str(n)) for n in range(6)))
    said = [message.text for message in await sessions.messages(session.id)]
    assert [text.split()[0] for text in said[::2]] == [str(n) for n in range(6)]


async def test_a_turn_that_kept_nothing_gives_the_session_back(db: Database, sessions: Sessions) -> None:
    session = await sessions.create()
    with pytest.raises(ValueError, match="it failed"):
        async with Exclusive(sessions).turn(session.id, seconds=5, owner=None):
            raise ValueError("it failed")
    async with others(db).turn(session.id, seconds=1, owner=None):
        pass


async def test_who_waits_too_long_is_told_so_and_holds_nothing(db: Database, sessions: Sessions) -> None:
    session = await sessions.create()
    theirs = others(db)
    async with Exclusive(sessions).turn(session.id, seconds=5, owner=None):
        with pytest.raises(DeadlineExceeded):
            async with theirs.turn(session.id, seconds=0.05, owner=None):
                raise AssertionError
    async with theirs.turn(session.id, seconds=5, owner=None):
        pass


async def test_who_is_cancelled_while_it_takes_the_turn_holds_nothing(db: Database, sessions: Sessions) -> None:
    session = await sessions.create()

    async def speak_now(turns: Exclusive) -> None:
        async with turns.turn(session.id, seconds=5, owner=None):
            await asyncio.sleep(5)

    for steps in range(6):
        task = asyncio.create_task(speak_now(others(db)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(5), others(db).turn(session.id, seconds=5, owner=None):
            pass


async def test_a_turn_that_lasts_long_is_prolonged(
    db: Database, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE", 0.3)
    session = await sessions.create()
    async with Exclusive(sessions).turn(session.id, seconds=5, owner=None):
        for _ in range(4):
            await asyncio.sleep(0.15)
            row = await db.fetch_one("SELECT turn_until FROM sessions WHERE id = :id", id=session.id)
            assert row
            taken = await sessions.begin_turn(session.id, turn_id=fresh_id(), seconds=1)
            assert taken is None


async def test_a_process_that_was_killed_keeps_the_others_waiting_for_its_lease_only(
    db: Database, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEASE", 0.2)
    session = await sessions.create()
    assert await sessions.begin_turn(session.id, turn_id=fresh_id(), seconds=module.LEASE)  # and is killed
    begun = now()
    async with others(db).turn(session.id, seconds=5, owner=None):
        assert now() - begun >= timedelta(seconds=0.1)


async def test_a_turn_inside_a_turn_is_refused_rather_than_waited_for(sessions: Sessions) -> None:
    session = await sessions.create()
    turns = Exclusive(sessions)
    async with turns.turn(session.id, seconds=5, owner=None), turns.running_tools(session.id):
        with pytest.raises(Conflict, match="leave the session out"):
            async with turns.turn(session.id, seconds=5, owner=None):
                raise AssertionError


async def test_another_persons_session_is_not_found(sessions: Sessions) -> None:
    session = await sessions.create(user="ada")
    with pytest.raises(NotFound):
        async with Exclusive(sessions).turn(session.id, seconds=5, owner="bob"):
            raise AssertionError


async def test_a_turn_whose_beginning_was_written_but_not_acknowledged_is_given_back(
    db: Database, sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await sessions.create()
    begin_turn = sessions.begin_turn

    async def unheard(*where: Any, **how: Any) -> None:
        await begin_turn(*where, **how)
        raise DatabaseError("The connection is lost.")

    monkeypatch.setattr(sessions, "begin_turn", unheard)
    with pytest.raises(DatabaseError):
        async with Exclusive(sessions).turn(session.id, seconds=5, owner=None):
            pass
    async with asyncio.timeout(5), others(db).turn(session.id, seconds=5, owner=None):
        pass
