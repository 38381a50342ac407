"""Postgres behind a real pgbouncer in transaction mode: no two transactions can count on the same connection."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import asyncpg
import pytest

from tests import pgbouncer
from tests.db.rows import change, model, names
from tests.pgbouncer import NoPgbouncer, PgBouncer
from toolkit import Document, Toolkit
from toolkit.db import Statement, as_json, borrow_database
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.errors import ConfigError, DatabaseError, DatabaseUnavailable
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer

SIZE = 2  # connections to the server; every test has more clients than that
KEEPS_STATEMENTS = (1, 21)  # versions from then on
OPTION = "?statement_cache_size=0"


@pytest.fixture(scope="module")
def bouncer(postgres_dsn: str) -> Iterator[PgBouncer]:
    try:
        bouncer = PgBouncer(postgres_dsn, size=SIZE)
    except NoPgbouncer as error:
        pytest.skip(str(error))
    yield bouncer
    bouncer.remove()


@pytest.fixture
async def schema(postgres_dsn: str) -> AsyncIterator[str]:
    """The name of a schema that is not there yet, and is gone after the test."""
    name = f"s_{uuid.uuid4().hex}"
    yield name
    admin = await asyncpg.connect(postgres_dsn)
    await admin.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    await admin.close()


@pytest.fixture
async def db(bouncer: PgBouncer, schema: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(schema, url=bouncer.dsn + OPTION, sizes=(1, 8))
    await database.open()
    yield database
    await database.close()


async def test_a_whole_toolkit_works_behind_it(bouncer: PgBouncer, schema: str) -> None:
    async with VendorServer() as vendors:
        vendors.say(*(["Hello."] * 12))
        settings = Settings(bouncer.dsn + OPTION, schema=schema, environ=vendors.environ())
        async with Toolkit.open(settings=settings) as tk:
            place = await tk.events.last()
            await tk.ingest([Document("a", "The tide turns at noon."), Document("b", "Bread is baked.")])

            async def converse(user: str) -> list[str]:
                session = await tk.sessions.create(user=user)
                replies = [await tk.complete(f"I am {user}.", session=session.id, user=user) for _ in range(2)]
                assert {reply.text for reply in replies} == {"Hello."}
                return [message.text for message in await tk.sessions.messages(session.id)]

            for number, said in enumerate(await asyncio.gather(*(converse(f"u{n}") for n in range(6)))):
                assert said == [f"I am u{number}.", "Hello."] * 2
            assert {hit.source for hit in await tk.search("When does the tide turn?")} == {"a"}
            assert len({call.call_id for call in await tk.usage.calls(limit=100) if call.user}) == 12
            assert (await tk.health())["status"] == "ready"
            async with Toolkit.open(settings=settings) as other, asyncio.timeout(20):
                told = 0
                async with aclosing(other.events.subscribe("generation.completed", after=place)) as events:
                    async for event in events:
                        told += 1
                        assert event.body["user"][0] == "u"
                        if told == 12:
                            break


async def test_more_writers_than_connections_each_get_their_own_rows_back(db: PostgresDatabase) -> None:
    async def write(name: str) -> None:
        for number in range(10):
            subject = name if number % 2 else None
            rows = await db.write(model(f"{name}-{number}", config={"by": name}), change(name), subject=subject)
            kept = await db.fetch_one("SELECT id, config FROM models WHERE name = :name", name=f"{name}-{number}")
            assert kept is not None
            assert rows == [[{"id": kept["id"]}], []]
            assert as_json(kept["config"]) == {"by": name}

    await asyncio.gather(*(write(f"w{n}") for n in range(16)))
    assert len(await names(db)) == 160
    assert await db.fetch_all("SELECT COUNT(*) AS n FROM model_changes") == [{"n": 160}]


async def test_a_list_that_fails_behind_it_leaves_nothing_and_disturbs_nobody(db: PostgresDatabase) -> None:
    missing = Statement("UPDATE models SET priority = 1 WHERE name = 'none' RETURNING id", unmatched=KeyError("none"))

    async def write(name: str) -> None:
        for number in range(8):
            with pytest.raises(KeyError):
                await db.write(change(name), missing, subject=f"{name}-bad")
            await db.write(model(f"{name}-{number}"), change(name), subject=name)

    await asyncio.gather(*(write(f"w{n}") for n in range(8)))
    assert await db.fetch_all("SELECT COUNT(*) AS n FROM model_changes") == [{"n": 64}]


async def test_listeners_are_woken_behind_it_by_another_client(bouncer: PgBouncer, db: PostgresDatabase) -> None:
    other = PostgresDatabase(db._schema, url=bouncer.dsn + OPTION)
    changes = db.changes()
    await anext(changes)
    for number in range(2):
        woken = asyncio.ensure_future(anext(changes))
        await other.write(Statement(model(f"m{number}").sql, model(f"m{number}").values, wakes=True))
        async with asyncio.timeout(10):
            await woken
    await changes.aclose()
    await other.close()


async def test_eight_toolkits_that_start_at_once_behind_it_make_one_schema(bouncer: PgBouncer, schema: str) -> None:
    toolkits = [PostgresDatabase(schema, url=bouncer.dsn + OPTION) for _ in range(8)]
    await asyncio.gather(*(toolkit.open() for toolkit in toolkits))
    await asyncio.gather(*(toolkit.write(model(f"m{n}")) for n, toolkit in enumerate(toolkits)))
    assert len(await names(toolkits[0])) == 8
    await asyncio.gather(*(toolkit.close() for toolkit in toolkits))


async def test_without_the_option_it_works_or_says_which_option_is_missing(bouncer: PgBouncer, schema: str) -> None:
    clients = [PostgresDatabase(schema, url=bouncer.dsn, sizes=(1, 4)) for _ in range(4)]

    async def use(number: int, db: PostgresDatabase) -> None:
        for attempt in range(5):
            await db.write(model(f"{number}-{attempt}"), change("x"), subject=str(number))
            await names(db)

    results = await asyncio.gather(*(use(n, db) for n, db in enumerate(clients)), return_exceptions=True)
    await asyncio.gather(*(db.close() for db in clients), return_exceptions=True)

    errors = [result for result in results if result is not None]
    assert all(isinstance(error, ConfigError | DatabaseError) for error in errors), errors
    assert all("statement_cache_size=0" in str(error) and "\n" not in str(error) for error in errors), errors
    assert not any("opensesame" in str(error) for error in errors)
    assert not errors or pgbouncer.version() < KEEPS_STATEMENTS


async def test_a_borrowed_pool_behind_it_keeps_its_codecs_and_works(bouncer: PgBouncer, schema: str) -> None:
    async def init(connection: "asyncpg.Connection[Any]") -> None:
        await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

    async with asyncpg.create_pool(bouncer.dsn, min_size=1, max_size=4, init=init, statement_cache_size=0) as pool:
        db = borrow_database(pool, schema, Settings(""))

        async def ours(name: str) -> None:
            for number in range(6):
                await db.write(model(f"{name}-{number}"), change(name, after={"n": number}), subject=name)

        async def theirs(number: int) -> None:
            for _ in range(12):
                assert await pool.fetchval("SELECT CAST($1 AS JSONB)", {"n": [number]}) == {"n": [number]}

        changes = db.changes()
        await anext(changes)
        await asyncio.gather(*(ours(f"w{n}") for n in range(6)), *(theirs(n) for n in range(6)))
        assert len(await names(db)) == 36
        async with asyncio.timeout(10):
            await anext(changes)  # by the clock: a pooler gives nobody a session of its own
        await changes.aclose()
        await db.close()
        assert pool.get_size() == pool.get_idle_size()


async def test_a_pool_that_keeps_statements_behind_it_is_told_how_to_be_made(bouncer: PgBouncer, schema: str) -> None:
    async with asyncpg.create_pool(bouncer.dsn, min_size=4, max_size=4) as pool:
        db = borrow_database(pool, schema, Settings(""))

        async def use(name: str) -> None:
            for number in range(5):
                await db.write(model(f"{name}-{number}"), change(name), subject=name)

        results = await asyncio.gather(*(use(f"w{n}") for n in range(6)), return_exceptions=True)
        await db.close()
    errors = [result for result in results if result is not None]
    assert all(isinstance(error, ConfigError | DatabaseError) for error in errors), errors
    assert all("statement_cache_size=0" in str(error) for error in errors), errors
    assert not errors or pgbouncer.version() < KEEPS_STATEMENTS


async def test_a_pgbouncer_that_comes_back_is_found_again(postgres_dsn: str, schema: str) -> None:
    try:
        bouncer = PgBouncer(postgres_dsn, size=SIZE)
    except NoPgbouncer as error:
        pytest.skip(str(error))
    try:
        db = PostgresDatabase(schema, url=bouncer.dsn + OPTION, sizes=(1, 8))
        await db.write(model("counter", priority=0))
        add = Statement("UPDATE models SET priority = priority + 1 WHERE name = 'counter'")
        failed = 0

        async def write(worker: str) -> None:
            nonlocal failed
            for _ in range(20):
                try:
                    await db.write(add, change(worker), subject="counter")
                except DatabaseUnavailable:
                    failed += 1

        writers = [asyncio.create_task(write(f"w{n}")) for n in range(6)]
        while await db.fetch_one("SELECT 1 AS one FROM models WHERE priority < 20"):  # noqa: ASYNC110 - the writers work
            await asyncio.sleep(0.01)
        await asyncio.to_thread(bouncer.restart)
        await asyncio.gather(*writers)
        counter = await db.fetch_one("SELECT priority AS n FROM models")
        assert counter == await db.fetch_one("SELECT COUNT(*) AS n FROM model_changes")
        assert counter is not None
        assert 120 - failed <= counter["n"] <= 120
        await db.close()
    finally:
        bouncer.remove()
