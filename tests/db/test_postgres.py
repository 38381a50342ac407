"""What is particular to Postgres: pools, schemas, codecs, and a server that goes away."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.db.rows import change, model, names
from tests.postgres import PostgresServer
from toolkit.db import Statement, as_json, borrow_database
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.errors import ConfigError, DatabaseBusy, DatabaseError, DatabaseUnavailable
from toolkit.settings import Settings

SETTINGS = Settings("postgresql://")  # the pool is the address
SLEEP = Statement("SELECT pg_sleep(0.5)")


@pytest.fixture
async def pool(postgres_dsn: str) -> "AsyncIterator[asyncpg.Pool[Any]]":
    """An application's pool, with ways of its own: a JSON codec, a search path, a time zone, and no resetting."""

    async def init(connection: "asyncpg.Connection[Any]") -> None:
        for kind in ("json", "jsonb"):
            await connection.set_type_codec(kind, encoder=json.dumps, decoder=json.loads, schema="pg_catalog")

    async def leave(_: "asyncpg.Connection[Any]") -> None: ...

    settings = {"search_path": "nowhere", "timezone": "Asia/Tokyo"}
    async with asyncpg.create_pool(
        postgres_dsn, min_size=1, max_size=3, init=init, reset=leave, server_settings=settings
    ) as application:
        yield application


async def test_a_borrowed_pool_keeps_its_codecs_and_settings_and_stays_open(
    pool: "asyncpg.Pool[Any]", schema: str
) -> None:
    db = borrow_database(pool, schema, SETTINGS)
    await db.write(model("a", config={"x": [1]}), change("b", after={"y": None}), change("c"))
    row = await db.fetch_one("SELECT config FROM models")
    assert row is not None
    assert as_json(row["config"]) == {"x": [1]}
    assert [as_json(r["after"]) for r in await db.fetch_all("SELECT after FROM model_changes ORDER BY name")] == [
        {"y": None},
        None,
    ]
    await db.close()

    async def look() -> tuple[Any, ...]:
        async with pool.acquire() as connection:
            return (
                await connection.fetchval("SHOW search_path"),
                await connection.fetchval("SHOW timezone"),
                await connection.fetchval("""SELECT CAST('{"z": 1}' AS JSONB)"""),
                await connection.fetchval("SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory'"),
            )

    assert await asyncio.gather(*(look() for _ in range(3))) == [("nowhere", "Asia/Tokyo", {"z": 1}, 0)] * 3


async def test_two_schemas_on_one_pool_do_not_see_each_other(
    pool: "asyncpg.Pool[Any]", schema: str, admin: "asyncpg.Connection[Any]"
) -> None:
    one, two = borrow_database(pool, schema, SETTINGS), borrow_database(pool, f"{schema[:-1]}_", SETTINGS)
    try:
        await asyncio.gather(*(db.write(model("same")) for db in (one, two)))
        await one.execute("UPDATE models SET priority = 7")
        await two.execute("DELETE FROM models")
        assert await one.fetch_all("SELECT models.name, priority FROM models") == [{"name": "same", "priority": 7}]
        assert await names(two) == []
    finally:
        await admin.execute(f"DROP SCHEMA {schema[:-1]}_ CASCADE")


async def test_an_application_s_tables_of_the_same_name_are_left_alone(
    admin: "asyncpg.Connection[Any]", postgres_dsn: str, schema: str
) -> None:
    await admin.execute("CREATE TABLE public.models (name TEXT)")
    try:
        db = PostgresDatabase(schema, url=postgres_dsn)
        await db.write(model("ours"))
        await db.close()
        assert await admin.fetchval("SELECT COUNT(*) FROM public.models") == 0
    finally:
        await admin.execute("DROP TABLE public.models")


async def test_a_schema_that_is_not_a_plain_name_is_refused(pool: "asyncpg.Pool[Any]") -> None:
    for name in ("", "Upper", 'a"; DROP SCHEMA x', "pg_mine", "a" * 64, "1a", "a.b"):
        with pytest.raises(ConfigError, match="is not a plain name in lower case"):
            borrow_database(pool, name, SETTINGS)


@pytest.mark.parametrize(
    ("change_url", "sentence"),
    [
        (("@", "-wrong@"), "The user or the password was refused by the database "),
        (("/toolkit_", "/no_such_"), "There is no such database as the database .*; make it with createdb"),
    ],
)
async def test_a_database_that_cannot_be_reached_says_why_in_one_sentence(
    postgres_dsn: str, change_url: tuple[str, str], sentence: str
) -> None:
    db = PostgresDatabase("toolkit", url=postgres_dsn.replace(*change_url))
    for act in (db.open, db.migrations):
        with pytest.raises(DatabaseUnavailable, match=sentence) as caught:
            await act()
        assert f":{urlsplit(postgres_dsn).password}" not in str(caught.value)
        assert "\n" not in str(caught.value)
    await db.close()


@pytest.mark.parametrize("place", ["127.0.0.1:1", "nowhere.invalid"])
async def test_a_server_that_is_not_there_is_said_to_every_caller_that_waited(place: str) -> None:
    db = PostgresDatabase("toolkit", url=f"postgresql://ada:secret@{place}/notes")
    results = await asyncio.gather(*(db.fetch_all("SELECT 1") for _ in range(5)), return_exceptions=True)
    assert all(isinstance(result, DatabaseUnavailable) for result in results)
    assert str(results[0]).startswith(f"No connection to the database postgresql://ada@{place}/notes (")
    assert str(results[0]).endswith("); check that it is up, and its URL.")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:secret@host:port/notes",
        "postgresql://ada:sec/ret@host/notes",
        "postgresql://ada:sec#ret@host/notes",
        "postgresql://ada:sec?ret@host/notes",
        "postgresql://ada:sec@ret@host:x/notes",
        "postgresql://[::1:secret@/notes",
        "postgresql://host:x/notes?password=secret",
        "postgresql://host:x/notes?password=sec@ret",
    ],
)
async def test_a_url_that_cannot_be_read_does_not_show_its_password(url: str) -> None:
    db = PostgresDatabase("toolkit", url=url)
    with pytest.raises((ConfigError, DatabaseUnavailable)) as caught:
        await db.open()
    said = f"{caught.value} {db.url}"
    assert not any(part in said for part in ("secret", "sec/", "sec#", "sec?", "sec@", "=sec"))


async def test_an_option_that_cannot_be_used_is_named(postgres_dsn: str) -> None:
    db = PostgresDatabase("toolkit", url=f"{postgres_dsn}?sslmode=perhaps")
    with pytest.raises(ConfigError, match=r"^The URL of the database .* cannot be used \(`sslmode` parameter must be"):
        await db.open()


async def test_the_form_of_url_that_sqlalchemy_uses_is_understood(postgres_dsn: str, schema: str) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn.replace("postgresql:", "postgresql+asyncpg:"))
    assert await names(db) == []
    await db.close()


async def test_a_user_who_may_not_make_tables_is_told_so_and_one_who_need_not_may_use_them(
    admin: "asyncpg.Connection[Any]", own: PostgresDatabase, postgres_dsn: str, schema: str
) -> None:
    guest = f"guest_{schema}"
    await admin.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'guest'")
    url = f"postgresql://{guest}:guest@{postgres_dsn.rpartition('@')[2]}"
    try:
        stranger = PostgresDatabase("not_made", url=url)
        with pytest.raises(DatabaseUnavailable, match=r"is not allowed \(permission denied for database"):
            await stranger.open()

        await own.write(model("a"))
        await admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO {guest}")
        await admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {guest}")
        reader = PostgresDatabase(schema, url=url)
        assert await names(reader) == ["a"]
        with pytest.raises(DatabaseUnavailable, match="is not allowed"):
            await reader.write(model("b"))
        await reader.close()
    finally:
        await admin.execute(f"DROP OWNED BY {guest}; DROP ROLE {guest}")


async def test_a_database_that_is_not_utf8_is_refused(admin: "asyncpg.Connection[Any]", postgres_dsn: str) -> None:
    name = f"latin_{uuid.uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        db = PostgresDatabase("toolkit", url=f"{postgres_dsn.rpartition('/')[0]}/{name}")
        with pytest.raises(DatabaseUnavailable, match="is LATIN1; make one with createdb --encoding=UTF8"):
            await db.open()
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_pool_of_another_event_loop_is_refused_in_plain_words(
    own: PostgresDatabase, pool: "asyncpg.Pool[Any]", schema: str
) -> None:
    borrowed = borrow_database(pool, schema, SETTINGS)

    def elsewhere(db: Any) -> None:
        with pytest.raises(DatabaseError, match="belongs to another event loop; open a database in each"):
            asyncio.run(db.fetch_all("SELECT 1"))

    await asyncio.to_thread(elsewhere, own)
    await asyncio.to_thread(elsewhere, borrowed)
    assert await names(own) == []


def test_a_closed_database_may_be_opened_in_another_loop(postgres_dsn: str) -> None:
    db = PostgresDatabase("toolkit", url=postgres_dsn)

    async def use() -> None:
        await db.open()
        await asyncio.gather(*(db.fetch_all("SELECT 1") for _ in range(5)))
        await db.close()

    asyncio.run(use())
    asyncio.run(use())


async def test_a_first_caller_who_gives_up_does_not_stop_the_others(postgres_dsn: str, schema: str) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn)
    first = asyncio.create_task(db.open())
    others = [asyncio.create_task(names(db)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.gather(*others) == [[], [], []]
    await db.close()


async def _cut(admin: "asyncpg.Connection[Any]") -> None:
    """End the connection that runs `pg_sleep`, as soon as there is one."""
    cut = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()
           AND datname = current_database()
        """
    while not await admin.fetch(cut):  # noqa: ASYNC110 - only the server knows when it has begun
        await asyncio.sleep(0.01)


async def test_a_list_whose_connection_is_lost_before_the_commit_is_run_again_once(
    own: PostgresDatabase, admin: "asyncpg.Connection[Any]"
) -> None:
    write = asyncio.create_task(own.write(model("a"), SLEEP))
    await _cut(admin)
    await write
    assert await names(own) == ["a"]


async def test_a_query_whose_connection_is_lost_is_asked_again(
    own: PostgresDatabase, admin: "asyncpg.Connection[Any]"
) -> None:
    read = asyncio.create_task(own.fetch_all("SELECT 1 AS one FROM pg_sleep(0.5)"))
    await _cut(admin)
    assert await read == [{"one": 1}]


async def test_a_single_statement_whose_connection_is_lost_is_done_once(
    own: PostgresDatabase, admin: "asyncpg.Connection[Any]"
) -> None:
    await own.write(model("a", priority=0))
    write = asyncio.create_task(
        own.execute("UPDATE models SET priority = priority + 1 WHERE pg_sleep(0.5) IS NOT NULL RETURNING priority")
    )
    await _cut(admin)
    assert await write == [{"priority": 1}]
    assert await own.fetch_one("SELECT priority FROM models") == {"priority": 1}


async def test_lists_that_deadlock_are_both_kept(own: PostgresDatabase) -> None:
    await own.write(model("a", priority=0), model("b", priority=0))

    def add(name: str) -> Statement:
        return Statement("UPDATE models SET priority = priority + 1 WHERE name = :name RETURNING id", {"name": name})

    impatient, wait = Statement("SET LOCAL deadlock_timeout = '10ms'"), Statement("SELECT pg_sleep(0.1)")
    await asyncio.gather(own.write(impatient, add("a"), wait, add("b")), own.write(impatient, add("b"), wait, add("a")))

    assert await own.fetch_all("SELECT priority FROM models") == [{"priority": 2}, {"priority": 2}]


async def test_a_lock_that_is_held_too_long_is_said_to_be_busy(own: PostgresDatabase) -> None:
    await own.write(model("a"))
    hold = asyncio.create_task(own.write(Statement("UPDATE models SET priority = 1"), SLEEP))
    await asyncio.sleep(0.1)
    with pytest.raises(DatabaseBusy, match="Other programs hold locks in the database"):
        await own.write(Statement("SET LOCAL lock_timeout = '10ms'"), Statement("UPDATE models SET priority = 2"))
    await hold


async def test_a_server_that_crashes_loses_nothing_acknowledged_and_is_found_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = PostgresServer()
    try:
        db = PostgresDatabase("toolkit", url=server.dsn)
        await db.open()
        acknowledged: list[str] = []
        doubtful = 0
        enough = asyncio.Event()

        async def write(worker: int) -> None:
            nonlocal doubtful
            number = 0
            while not enough.is_set():
                number += 1
                try:
                    await db.write(model(f"{worker}-{number}"), Statement("SELECT 1"))
                    acknowledged.append(f"{worker}-{number}")
                except DatabaseUnavailable:
                    doubtful += 1

        writers = [asyncio.create_task(write(worker)) for worker in range(6)]
        while len(acknowledged) < 50:  # noqa: ASYNC110 - the writers are the work
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.crash)
        before = len(acknowledged)
        while len(acknowledged) < before + 50:  # noqa: ASYNC110 - the writers are the work
            await asyncio.sleep(0.01)
        enough.set()
        await asyncio.gather(*writers)

        assert set(acknowledged) <= set(await names(db))
        assert len(await names(db)) <= len(acknowledged) + doubtful
        await db.close()
    finally:
        server.remove()
    assert not [record for record in caplog.records if record.exc_info and record.levelno < logging.ERROR]


async def test_a_closed_pool_of_the_application_is_said_to_be_closed(pool: "asyncpg.Pool[Any]", schema: str) -> None:
    db = borrow_database(pool, schema, SETTINGS)
    await db.open()
    await pool.close()
    with pytest.raises(DatabaseUnavailable, match="pool is closed"):
        await db.fetch_all("SELECT 1")
