"""Wake-ups on Postgres: by NOTIFY where it arrives, by the clock where it does not."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import asyncpg
import pytest

from tests.db.rows import model
from toolkit.db import Statement
from toolkit.db.postgres import listen
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.db.postgres.line import Line

SOON = 30  # seconds in which everything here has happened
LISTENS = "SELECT pid FROM pg_stat_activity WHERE query = $1"


def waking(name: str) -> Statement:
    return model(name)._replace(wakes=True)


@pytest.fixture
def here(own: PostgresDatabase) -> PostgresDatabase:
    return own


@pytest.fixture
async def there(postgres_dsn: str, schema: str) -> AsyncIterator[PostgresDatabase]:
    """Another object for the same tables, as another process would have it."""
    database = PostgresDatabase(schema, url=postgres_dsn)
    await database.open()
    yield database
    await database.close()


@pytest.fixture
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is woken was woken by somebody."""
    monkeypatch.setattr(listen, "POLL", 10 * SOON)


async def _listening(admin: "asyncpg.Connection[Any]", schema: str, least: int = 1) -> list[int]:
    """The server's processes that listen, once there are so many."""
    async with asyncio.timeout(SOON):
        while True:
            rows = await admin.fetch(LISTENS, f'LISTEN "{listen.channel_of(schema)}"')
            if len(rows) >= least:
                return [row["pid"] for row in rows]
            await asyncio.sleep(0.01)


class Listener:
    """Counts wake-ups while its block lasts."""

    def __init__(self, db: PostgresDatabase) -> None:
        self.count = 0
        self._woken = asyncio.Event()
        self._db = db

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        await self.wakes()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def wakes(self) -> None:
        async with asyncio.timeout(SOON):
            await self._woken.wait()
        self._woken.clear()

    async def rest(self) -> None:
        """Until what was under way has arrived."""
        while True:
            before = self.count
            await asyncio.sleep(0.2)
            if self.count == before:
                self._woken.clear()
                return

    async def _listen(self) -> None:
        async for _ in self._db.changes():
            self.count += 1
            self._woken.set()


@pytest.mark.usefixtures("no_clock")
async def test_a_listener_is_woken_by_its_own_and_by_another_database_object(
    here: PostgresDatabase, there: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    async with Listener(here) as listener:
        await _listening(admin, schema)
        for number, db in enumerate((here, there, there)):
            await listener.rest()
            await db.write(waking(f"{number}"), subject="x" if number else None)
            await listener.wakes()


@pytest.mark.usefixtures("no_clock")
async def test_a_list_that_does_not_wake_or_is_undone_wakes_nobody(
    here: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    async with Listener(here) as listener:
        await _listening(admin, schema)
        await listener.rest()
        before = listener.count
        await here.write(model("quiet"))
        missing = Statement("UPDATE models SET priority = 1 WHERE name = 'nobody' RETURNING id", unmatched=KeyError())
        with pytest.raises(KeyError):
            await here.write(waking("undone"), missing)
        await listener.rest()
        assert listener.count == before


@pytest.mark.usefixtures("no_clock")
async def test_all_listeners_of_one_object_share_a_connection_that_goes_with_the_last_of_them(
    here: PostgresDatabase, there: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    before = here.pool_stats()
    async with Listener(here), Listener(here) as second, Listener(here):
        assert len(await _listening(admin, schema)) == 1
        await second.rest()
        await there.write(waking("a"))
        await second.wakes()
        assert here.pool_stats() == before  # it is none of the pool's
    async with asyncio.timeout(SOON):
        while await admin.fetch(LISTENS, f'LISTEN "{listen.channel_of(schema)}"'):  # noqa: ASYNC110 - the server's end
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("no_clock")
async def test_a_listener_whose_connection_was_ended_is_woken_then_and_for_what_comes_after(
    here: PostgresDatabase, there: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    async with Listener(here) as listener:
        for number in range(3):
            (pid,) = await _listening(admin, schema)
            await listener.rest()
            await admin.execute("SELECT pg_terminate_backend($1)", pid)
            await listener.wakes()  # something may have been missed meanwhile
            while await _listening(admin, schema) == [pid]:  # noqa: ASYNC110 - only the server knows
                await asyncio.sleep(0.01)
            await listener.rest()
            await there.write(waking(f"{number}"))
            await listener.wakes()


async def test_a_listener_polls_where_notifications_do_not_arrive(
    postgres_dsn: str, schema: str, admin: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "POLL", 0.05)
    pooled = PostgresDatabase(schema, url=f"{postgres_dsn}?statement_cache_size=0")
    async with Listener(pooled) as listener:
        for _ in range(3):
            await listener.wakes()
        assert await admin.fetch(LISTENS, f'LISTEN "{listen.channel_of(schema)}"') == []
    await pooled.close()


async def test_a_borrowed_pool_lends_a_connection_only_while_somebody_listens(
    postgres_dsn: str, schema: str, admin: "asyncpg.Connection[Any]"
) -> None:
    async with asyncpg.create_pool(postgres_dsn, min_size=2, max_size=2) as pool:
        db = PostgresDatabase(schema, pool=pool)
        await db.open()
        async with Listener(db):
            await _listening(admin, schema)
            assert pool.get_idle_size() == 1
            await db.write(waking("a"))
        async with asyncio.timeout(SOON):
            while pool.get_idle_size() < 2:  # noqa: ASYNC110 - the pool has no event for that
                await asyncio.sleep(0.01)
        assert await pool.fetch("SELECT pg_listening_channels()") == []
        await db.close()
        assert pool.get_size() == 2


async def test_a_borrowed_pool_of_one_connection_is_left_to_those_who_work(
    postgres_dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "POLL", 0.05)
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=1) as pool:
        db = PostgresDatabase(schema, pool=pool)
        async with Listener(db) as listener, asyncio.timeout(SOON):
            await db.write(waking("a"))
            await listener.wakes()
            await listener.wakes()
        await db.close()


async def test_many_commits_are_announced_in_few_notifications(
    here: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    heard: list[object] = []
    await admin.add_listener(listen.channel_of(schema), lambda *said: heard.append(said))
    for number in range(200):
        await here.write(waking(f"{number}"))
    await here.close()  # the last one is announced before
    await admin.fetchval("SELECT 1")
    assert 1 <= len(heard) < 150


async def test_a_listener_is_woken_at_most_fifty_times_a_second(here: PostgresDatabase) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Listener(here) as listener:
        for number in range(200):
            await here.write(waking(f"{number}"))
        assert 1 < listener.count <= 2 + (loop.time() - began) / listen.GAP


async def test_closing_ends_the_listeners(here: PostgresDatabase) -> None:
    ended = asyncio.create_task(_drain(here))
    await asyncio.sleep(0)
    await here.close()
    async with asyncio.timeout(SOON):
        await ended


async def _drain(db: PostgresDatabase) -> None:
    async for _ in db.changes():
        pass


async def test_a_notification_that_cannot_be_sent_does_not_fail_the_list(
    here: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    insist = Line.insist

    async def refuse(self: Line, work: Any, deadline: float, **options: Any) -> Any:
        if work.__name__ == "_announce":
            raise OSError("the network is down")
        return await insist(self, work, deadline, **options)

    monkeypatch.setattr(Line, "insist", refuse)
    assert len(await here.write(waking("a"))) == 1
    await here.close()


def test_a_long_schema_has_a_channel_of_its_own() -> None:
    channels = {listen.channel_of(name) for name in ("s", "s" * 62, "s" * 63)}
    assert len(channels) == 3
    assert all(len(channel) <= 63 for channel in channels)
