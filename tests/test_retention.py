"""What is old is forgotten, nothing else is, and nobody waits for it."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest

from tests.db.rows import model
from toolkit import retention
from toolkit.db import Database, Row, Sql, Statement, open_database
from toolkit.db.feed import Feed
from toolkit.errors import ConfigError, NotFound
from toolkit.messages import Attempt, Caller, Message
from toolkit.retention import BATCH, PAUSE, Forgetful, Kind
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.stamps import freeze, new_id
from toolkit.usage.ledger import Ledger

OLD = datetime(2026, 1, 1, 12, tzinfo=UTC)
BEFORE = OLD + timedelta(days=30)
NEW = BEFORE + timedelta(hours=1)
YEAR = 365 * 86_400


def stores(db: Database) -> dict[Kind, Forgetful]:
    return {"sessions": Sessions(db, ttl=60), "calls": Ledger(db), "events": Feed(db)}


async def add_session(db: Database, used_at: datetime, *, length: int = 1) -> str:
    """A session that lives for a year after its last use, with messages; written by hand because there are many."""
    name = new_id()
    insert = """
        INSERT INTO sessions (id, context, ttl_seconds, created_at, used_at, expires_at)
        VALUES (:id, :context, 31536000, :old, :used_at, :expires_at)
        """
    values = {"id": name, "context": {}, "old": OLD, "used_at": used_at, "expires_at": used_at + timedelta(days=365)}
    said = """
        INSERT INTO messages (session_id, position, role, body, created_at)
        VALUES (:id, :position, 'user', :body, :old)
        """
    body = {"role": "user", "text": "x"}
    messages = [{"id": name, "position": n + 1, "body": body, "old": OLD} for n in range(length)]
    await db.write(Statement(insert, values), *(Statement(said, each) for each in messages))
    return name


async def record(db: Database, at: datetime) -> None:
    attempt = Attempt("n", "p", "m")
    with freeze(at):
        await Ledger(db).record(
            attempt, call_id="c", number=1, kind="chat", caller=Caller(None, None, None), started_at=at
        )


async def rows(db: Database, table: str) -> int:
    row = await db.fetch_one(f"SELECT COUNT(*) AS n FROM {table}")
    assert row
    return int(row["n"])


async def test_what_is_older_is_forgotten_and_what_was_used_since_stays(db: Database) -> None:
    sessions = Sessions(db, ttl=60)
    with freeze(OLD):
        expired, used = await sessions.create(), await sessions.create(ttl=YEAR)
        alive = await sessions.create(ttl=YEAR)
        await sessions.append(alive.id, [Message("user", "long ago")])
    with freeze(NEW):
        await sessions.append(used.id, [Message("user", "just now")])
        fresh = await sessions.create()
    for at in (OLD, OLD + timedelta(days=1), NEW):
        await record(db, at)
        with freeze(at):
            await Feed(db).publish("test.told", "s")
    events = len(await db.fetch_all("SELECT seq FROM events WHERE created_at < :before", before=BEFORE))

    would = await retention.count(stores(db), BEFORE)
    assert would.counts == {"sessions": 2, "calls": 2, "events": events}
    did = await retention.prune(stores(db), BEFORE)

    assert did == would
    assert {row["id"] for row in await db.fetch_all("SELECT id FROM sessions")} == {used.id, fresh.id}
    assert {expired.id, alive.id}.isdisjoint({used.id, fresh.id})
    assert await rows(db, "messages") == 1
    assert await rows(db, "calls") == 1
    assert await db.fetch_all("SELECT seq FROM events WHERE created_at < :before", before=BEFORE) == []
    assert await rows(db, "events") >= 1
    assert not any((await retention.prune(stores(db), BEFORE)).counts.values())


async def test_counting_forgets_nothing(db: Database) -> None:
    await add_session(db, OLD)
    await record(db, OLD)
    await retention.count(stores(db), NEW)
    assert [await rows(db, table) for table in ("sessions", "messages", "calls")] == [1, 1, 1]


async def test_a_call_of_the_same_day_but_later_stays(db: Database) -> None:
    await record(db, BEFORE - timedelta(seconds=1))
    await record(db, BEFORE + timedelta(seconds=1))
    assert (await retention.prune({"calls": Ledger(db)}, BEFORE)).counts == {"calls": 1}
    assert await rows(db, "calls") == 1


async def test_a_fork_keeps_what_was_said(db: Database) -> None:
    sessions = Sessions(db)
    said = [Message("user", "one"), Message("assistant", "two")]
    with freeze(OLD):
        first = await sessions.create(ttl=YEAR)
        await sessions.append(first.id, said)
    with freeze(NEW):
        fork = await sessions.fork(first.id)
        await retention.prune(stores(db), BEFORE)
        assert await sessions.messages(fork.id) == said
        assert (await sessions.get(fork.id)).parent_id == first.id
        with pytest.raises(NotFound):
            await sessions.get(first.id)


class Weighed:
    """A database that says how many rows each of its transactions has deleted."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.deleted: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        before = await self._all()
        result = await self._db.execute(sql, **values)
        self.deleted.append(before - await self._all())
        return result

    async def _all(self) -> int:
        return sum([await rows(self._db, table) for table in ("sessions", "messages", "calls", "events")])


async def test_no_transaction_deletes_more_than_one_batch(db: Database) -> None:
    await add_session(db, OLD, length=BATCH * 2 + 7)  # the first of all is too long for one
    for _ in range(4):
        await add_session(db, OLD, length=200)
    for _ in range(3):
        await add_session(db, OLD, length=0)
    weighed = Weighed(db)
    found = await retention.prune(stores(weighed), BEFORE)

    assert found.counts["sessions"] == 8
    assert [await rows(db, table) for table in ("sessions", "messages")] == [0, 0]
    assert max(weighed.deleted) <= BATCH


async def test_nobody_sees_a_part_of_a_long_session(db: Database) -> None:
    name = await add_session(db, OLD, length=BATCH * 3)
    sessions, seen = Sessions(db), set()

    class Looking(Weighed):
        async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
            result = await self._db.execute(sql, **values)
            try:
                seen.add(len(await sessions.messages(name)))
            except NotFound:
                seen.add(-1)
            return result

    with freeze(NEW):
        assert await sessions.messages(name)
        await retention.prune(stores(Looking(db)), BEFORE)
    assert seen <= {BATCH * 3, -1}
    assert await rows(db, "messages") == 0


async def test_a_session_that_is_used_while_its_turn_comes_stays(postgres_dsn: str) -> None:
    db = open_database(Settings(postgres_dsn))
    await db.execute("DELETE FROM sessions")  # of earlier tests
    name = await add_session(db, OLD)
    other = await asyncpg.connect(postgres_dsn)
    try:
        async with other.transaction():
            await other.execute("UPDATE toolkit.sessions SET used_at = $1 WHERE id = $2", NEW, name)
            prune = asyncio.create_task(retention.prune({"sessions": Sessions(db)}, BEFORE))
            waiting = (
                "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            )
            while not await other.fetchval(waiting) and not prune.done():  # noqa: ASYNC110 - a server has no event
                await asyncio.sleep(0.01)
        assert (await prune).counts == {"sessions": 0}
        assert await db.fetch_all("SELECT position FROM messages WHERE session_id = :id", id=name)
    finally:
        await other.close()
        await db.execute("DELETE FROM sessions WHERE id = :id", id=name)
        await db.close()


async def test_writers_go_on_between_the_batches(db: Database) -> None:
    for _ in range(12):
        await add_session(db, OLD, length=BATCH - 1)
    acknowledged: list[int] = []
    done = asyncio.Event()

    async def write() -> int:
        number = 0
        while not done.is_set():
            await db.write(model(f"m{number}"))
            number += 1
            written.append(number)
        return number

    written: list[int] = []
    writer = asyncio.create_task(write())
    await retention.prune(stores(db), BEFORE, told=lambda _kind, _count: acknowledged.append(len(written)))
    done.set()
    number = await writer

    assert len(acknowledged) == 12
    assert acknowledged[-1] - acknowledged[0] >= 11  # as many as there were pauses
    assert await rows(db, "models") == number


async def test_a_pause_follows_each_batch_for_those_who_wait_for_the_lock(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await add_session(db, OLD, length=BATCH - 1)
    happened: list[str] = []

    async def pause(seconds: float) -> None:
        assert seconds == PAUSE > 0
        happened.append("pause")

    monkeypatch.setattr(retention, "asyncio", SimpleNamespace(sleep=pause))
    await retention.prune(stores(db), BEFORE, told=lambda _kind, _count: happened.append("batch"))
    assert happened == ["batch", "pause"] * 3


async def test_what_is_not_asked_for_stays(db: Database) -> None:
    await add_session(db, OLD)
    await record(db, OLD)
    only: Mapping[Kind, Forgetful] = {"calls": Ledger(db)}
    assert (await retention.prune(only, BEFORE)).counts == {"calls": 1}
    assert [await rows(db, table) for table in ("sessions", "calls")] == [1, 0]


async def test_a_batch_of_nothing_is_refused(db: Database) -> None:
    for store in stores(db).values():
        with pytest.raises(ConfigError, match=r"`limit` must be at least 1 \(got 0\)"):
            await store.prune(BEFORE, 0)
