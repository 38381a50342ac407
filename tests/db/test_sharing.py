"""An application's pool is shared: both work at once, and neither finds anything changed by the other."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import asyncpg
import pytest

from tests.db.rows import change, model, names
from toolkit import Document, Toolkit
from toolkit.db import Statement, as_json, borrow_database
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.errors import DatabaseError, DatabaseUnavailable
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer

LONG = 60.0  # seconds
SIZE = 4
STATE = """
    SELECT (SELECT jsonb_object_agg(name, setting) FROM pg_settings) AS settings,
           (SELECT array_agg(name ORDER BY name) FROM pg_prepared_statements WHERE from_sql) AS prepared,
           (SELECT COUNT(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory') AS locks,
           (SELECT array_agg(channel) FROM pg_listening_channels() AS channel) AS channels,
           CAST('{"z": [1]}' AS JSONB) AS decoded,
           current_setting('app.person', true) AS person
    """


class AppRecord(asyncpg.Record):
    """An application's rows: `row.name`."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


class Application:
    """Somebody else's program around the pool: every connection has ways of its own, and nothing resets them."""

    def __init__(self, dsn: str, schema: str, size: int = SIZE) -> None:
        self.schema = f"app_{schema}"
        self.connections = 0
        self.pool: asyncpg.Pool[Any] = asyncpg.create_pool(
            dsn,
            min_size=size,
            max_size=size,
            init=self._init,
            reset=self._leave,
            record_class=AppRecord,
            server_settings={"search_path": self.schema, "timezone": "Asia/Tokyo", "application_name": "app"},
        )

    async def _init(self, connection: "asyncpg.Connection[Any]") -> None:
        self.connections += 1
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        await connection.execute(f"SET app.person = 'ada {self.connections}'; SET lock_timeout = '59s'")
        await connection.execute("PREPARE app_plan AS SELECT 1; PREPARE app_other AS SELECT 2")

    async def _leave(self, _: "asyncpg.Connection[Any]") -> None: ...

    async def make(self) -> None:
        await self.pool.execute(f"CREATE SCHEMA {self.schema}")
        await self.pool.execute("CREATE TABLE models (id BIGINT PRIMARY KEY, body JSONB)")

    async def work(self, number: int) -> None:
        """Transactions, one kept and one taken back, that must see the application's own world."""
        for step in range(0, 20, 2):
            async with self.pool.acquire() as connection:
                async with connection.transaction():
                    key = number * 100 + step
                    row = await connection.fetchrow("INSERT INTO models VALUES ($1, $2) RETURNING *", key, {"n": [key]})
                    assert row is not None
                    assert (type(row), row.body) == (AppRecord, {"n": [key]})
                transaction = connection.transaction()
                await transaction.start()
                await connection.execute("INSERT INTO models VALUES ($1, NULL)", key + 1)
                assert await connection.fetchval("SELECT COUNT(*) FROM models WHERE id = $1", key + 1) == 1
                await transaction.rollback()

    async def states(self) -> list[tuple[Any, ...]]:
        """How each connection is set, sorted."""
        everyone = asyncio.Barrier(SIZE)

        async def look() -> tuple[Any, ...]:
            async with self.pool.acquire() as connection:
                await everyone.wait()
                row = await connection.fetchrow(STATE)
                assert row is not None
                return (connection.get_server_pid(), *row.values(), connection.is_in_transaction())

        return sorted(await asyncio.gather(*(look() for _ in range(SIZE))), key=lambda state: state[0])


@pytest.fixture
async def schema(postgres_dsn: str) -> AsyncIterator[str]:
    """A part of the names of schemas that are not there yet, and are gone after the test."""
    name = f"s_{uuid.uuid4().hex}"
    yield name
    admin = await asyncpg.connect(postgres_dsn)
    for row in await admin.fetch("SELECT nspname FROM pg_namespace WHERE strpos(nspname, $1) > 0", name):
        await admin.execute(f'DROP SCHEMA "{row["nspname"]}" CASCADE')
    await admin.close()


@pytest.fixture
async def app(postgres_dsn: str, schema: str) -> AsyncIterator[Application]:
    application = Application(postgres_dsn, schema)
    async with application.pool:
        await application.make()
        yield application


def borrowed(pool: "asyncpg.Pool[Any]", schema: str) -> PostgresDatabase:
    return PostgresDatabase(schema, pool=pool)


async def test_an_application_finds_its_connections_as_it_left_them(app: Application, schema: str) -> None:
    before = await app.states()
    async with VendorServer() as vendors:
        vendors.say(*(["Hello."] * 8))
        settings = Settings("", environ=vendors.environ())
        async with Toolkit.borrow(app.pool, schema=schema, settings=settings) as tk:

            async def converse(user: str) -> None:
                session = await tk.sessions.create(user=user)
                assert (await tk.complete("Hello?", session=session.id)).text == "Hello."
                assert len(await tk.sessions.messages(session.id)) == 2
                await tk.ingest([Document(user, f"{user} likes the sea.")])
                assert await tk.search("sea")
                row = await tk.db.write(model(user, config={"by": [user]}), change(user, before={"x": None}))
                assert row[0][0]["id"]
                missing = "UPDATE models SET priority = 1 WHERE name = 'none' RETURNING id"
                with pytest.raises(KeyError):
                    await tk.db.write(change("never"), Statement(missing, unmatched=KeyError("none")))

            await asyncio.gather(*(converse(f"u{n}") for n in range(6)), *(app.work(n) for n in range(6)))
            kept = await tk.db.fetch_all("SELECT config FROM models WHERE name = 'u1'")
            assert [as_json(row["config"]) for row in kept] == [{"by": ["u1"]}]

    assert await app.states() == before
    assert app.connections == SIZE, "a connection of the application was replaced"
    assert await app.pool.fetchval("SELECT COUNT(*) FROM models") == 60


async def test_toolkits_on_one_pool_do_not_see_each_other(app: Application, schema: str) -> None:
    toolkits = [Toolkit.borrow(app.pool, schema=f"{schema}_{n}", settings=Settings("")) for n in range(3)]

    async def use(number: int, tk: Toolkit) -> set[str]:
        await tk.start()
        place = await tk.events.last()
        for _ in range(5):
            session = await tk.sessions.create(user=f"user {number}")
            await tk.db.write(change(f"user {number}"), subject=session.id)
            await tk.ingest([Document(f"{number}", f"What {number} knows of the sea.")])
        users = {row["user_id"] for row in await tk.db.fetch_all("SELECT user_id FROM sessions")}
        users |= {row["name"] for row in await tk.db.fetch_all("SELECT name FROM model_changes WHERE action = 'set'")}
        assert {hit.source for hit in await tk.search("sea")} == {f"{number}"}
        await tk.events.publish("sharing.done", f"user {number}")
        async with aclosing(tk.events.subscribe("document.*", "sharing.done", after=place)) as events:
            async for event in events:
                if event.kind == "sharing.done":
                    users.add(event.subject)
                    break
                assert event.body["source"] == f"{number}"
        return users

    seen = await asyncio.gather(*(use(number, tk) for number, tk in enumerate(toolkits)))
    assert seen == [{"user 0"}, {"user 1"}, {"user 2"}]
    await toolkits[0].close()
    assert await toolkits[1].sessions.create(user="later")  # one that is closed takes nothing from the others
    await asyncio.gather(*(tk.close() for tk in toolkits))
    assert app.pool.get_idle_size() == app.pool.get_size() == SIZE


async def test_the_schema_is_made_on_first_use_and_only_there(app: Application, schema: str) -> None:
    async def there() -> bool:
        return bool(await app.pool.fetchval("SELECT COUNT(*) FROM pg_namespace WHERE nspname = $1", schema))

    everywhere = "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'commits'"
    before = await app.pool.fetchval(everywhere)
    db = borrowed(app.pool, schema)
    assert not await there()
    assert await db.migrations()
    assert not await there()
    await db.write(model("a"))
    assert await there()
    ours = "SELECT COUNT(*) FROM pg_tables WHERE tablename = 'commits' AND schemaname = $1"
    assert await app.pool.fetchval(ours, schema) == 1
    assert await app.pool.fetchval(everywhere) == before + 1
    await db.close()


async def test_a_pool_gets_every_connection_back_however_its_borrower_was_treated(
    app: Application, schema: str
) -> None:
    db = borrowed(app.pool, schema)
    await db.write(model("a", priority=0))
    changes = db.changes()
    await anext(changes)
    add = Statement("UPDATE models SET priority = priority + 1 WHERE name = 'a'", wakes=True)
    for round_ in range(12):
        tasks = [
            asyncio.create_task(db.write(add, change("a"), subject="a" if number % 2 else None)) for number in range(8)
        ]
        reads = [asyncio.create_task(names(db)) for _ in range(4)]
        await asyncio.wait([*tasks, *reads], timeout=round_ / 1000, return_when=asyncio.ALL_COMPLETED)
        for task in [*tasks, *reads]:
            task.cancel()
        await asyncio.gather(*tasks, *reads, return_exceptions=True)
    async with asyncio.timeout(LONG):
        await asyncio.gather(*(app.work(n) for n in range(4)))
        rows = await db.fetch_all("SELECT priority FROM models")
        assert rows == await db.fetch_all("SELECT COUNT(*) AS priority FROM model_changes")
        await changes.aclose()
        await db.close()
    assert app.pool.get_idle_size() == app.pool.get_size() == SIZE
    assert not app.pool.is_closing()
    assert await app.pool.fetchval("SELECT 1") == 1


async def test_a_pool_of_one_connection_is_enough_for_everybody(postgres_dsn: str, schema: str) -> None:
    application = Application(postgres_dsn, schema, size=1)
    async with application.pool, asyncio.timeout(LONG):
        await application.make()
        db = borrowed(application.pool, schema)
        changes = db.changes()
        await anext(changes)
        woken = asyncio.ensure_future(anext(changes))

        async def use(number: int) -> None:
            for step in range(3):
                wakes = Statement(change("x").sql, change("x").values, wakes=True)
                await db.write(model(f"{number}-{step}"), wakes, subject=f"{number}" if number % 2 else None)
                assert f"{number}-{step}" in await names(db)

        await asyncio.gather(*(use(n) for n in range(10)), *(application.work(n) for n in range(3)))
        await woken
        await changes.aclose()
        await db.close()
        assert application.pool.get_idle_size() == 1


async def test_an_application_that_keeps_all_connections_is_not_waited_for_without_end(
    app: Application, schema: str
) -> None:
    db = PostgresDatabase(schema, pool=app.pool, patience=0.5)
    await db.write(model("a", priority=0))
    add = Statement("UPDATE models SET priority = priority + 1")
    held = [await app.pool.acquire() for _ in range(SIZE)]
    async with asyncio.timeout(LONG):
        for work in (db.write(add, change("a")), db.write(add, change("a"), subject="a"), names(db)):
            with pytest.raises(DatabaseError) as caught:
                await work
            assert "\n" not in str(caught.value)
    for connection in held:
        await app.pool.release(connection)
    async with asyncio.timeout(LONG):
        await db.write(add, change("b"), subject="a")
        assert await db.fetch_all("SELECT priority FROM models") == [{"priority": 1}]
        await db.close()
    assert app.pool.get_idle_size() == SIZE


async def test_lists_of_an_application_that_wants_them_serializable_are_each_done_once(
    postgres_dsn: str, schema: str
) -> None:
    settings = {"default_transaction_isolation": "serializable"}
    async with asyncpg.create_pool(postgres_dsn, min_size=4, max_size=4, server_settings=settings) as pool:
        db = borrowed(pool, schema)
        await db.write(*(model(f"m{n}", priority=0) for n in range(3)))

        async def write(number: int) -> None:
            for step in range(4):
                add = Statement(
                    "UPDATE models SET priority = priority + 1 WHERE name = :name", {"name": f"m{step % 3}"}
                )
                await db.write(add, change(f"m{step % 3}"), subject=f"{number}" if number % 2 else None)

        async with asyncio.timeout(LONG):
            await asyncio.gather(*(write(n) for n in range(6)))
        assert await db.fetch_all("SELECT SUM(priority) AS n FROM models") == [{"n": 24}]
        assert await db.fetch_all("SELECT COUNT(*) AS n FROM model_changes") == [{"n": 24}]
        await db.close()


async def test_a_user_who_may_not_make_the_schema_is_told_so_and_the_pool_is_unharmed(
    postgres_dsn: str, schema: str
) -> None:
    admin, guest = await asyncpg.connect(postgres_dsn), f"guest_{schema}"
    await admin.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'guest'")
    try:
        url = f"postgresql://{guest}:guest@{postgres_dsn.rpartition('@')[2]}"
        async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
            tk = Toolkit.borrow(pool, schema=schema, settings=Settings(""))
            with pytest.raises(DatabaseUnavailable, match="is not allowed") as caught:
                await tk.start()
            assert "permission denied for database" in str(caught.value)
            assert "grant it" in str(caught.value)
            assert pool.get_idle_size() == pool.get_size()
            await admin.execute(f"CREATE SCHEMA {schema} AUTHORIZATION {guest}")
            await tk.start()  # the same one, once it may
            assert await tk.sessions.create(user="ada")
            await tk.close()
    finally:
        await admin.execute(f"DROP OWNED BY {guest} CASCADE; DROP ROLE {guest}")
        await admin.close()


async def test_a_pool_of_another_event_loop_is_refused_before_anything_is_asked_of_it(
    app: Application, schema: str
) -> None:
    fresh, used = borrowed(app.pool, schema), borrowed(app.pool, schema)
    await used.write(model("a"))

    def elsewhere(db: PostgresDatabase) -> None:
        async def ask() -> None:
            for work in (db.write(model("b")), names(db), db.open()):
                with pytest.raises(DatabaseError, match="belongs to another event loop; open a database in each"):
                    await work

        asyncio.run(ask())

    for db in (fresh, used):
        async with asyncio.timeout(LONG):
            await asyncio.to_thread(elsewhere, db)
    assert await names(used) == ["a"]
    await used.close()
    assert app.pool.get_idle_size() == SIZE


async def test_a_borrowed_database_of_the_house_is_the_same_thing(app: Application, schema: str) -> None:
    db = borrow_database(app.pool, schema, Settings(""))
    await db.write(model("a"))
    assert await names(db) == ["a"]
    assert "opensesame" not in db.url
    await db.close()
