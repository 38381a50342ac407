"""What an operator asks of Postgres: figures, slow statements, upkeep, and a URL for a pooler."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.db.rows import change, message, model, session
from toolkit.db import PoolStats, Statement
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.db.postgres.failures import translate
from toolkit.errors import ConfigError, DatabaseError


async def test_connections_and_work_are_counted(postgres_dsn: str, schema: str) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn, sizes=(1, 3))
    assert db.pool_stats() == PoolStats(0, 0, 0, 0, 0, 0, 0, 0)
    await db.open()
    sleeping = [asyncio.create_task(db.fetch_all("SELECT pg_sleep(0.3)")) for _ in range(5)]
    async with asyncio.timeout(30):
        while db.pool_stats().waiting < 2 or db.pool_stats().connections < 3:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)
    stats = db.pool_stats()
    assert (stats.connections, stats.idle, stats.most, stats.waiting) == (3, 0, 3, 2)
    await asyncio.gather(*sleeping)
    await db.write(model("a"), model("b"))
    stats = db.pool_stats()
    assert (stats.waiting, stats.reads, stats.writes, stats.commits) == (0, 5, 1, 1)
    await db.close()
    assert db.pool_stats().connections == 0


async def test_slow_statements_are_named_without_their_values(postgres_dsn: str, schema: str) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn, slow_ms=100)
    await db.write(model("a", priority=1))
    await db.fetch_all("SELECT id FROM models WHERE name <> :name AND pg_sleep(0.15) IS NOT NULL", name="opensesame")
    change_ = "UPDATE models SET priority = :n WHERE pg_sleep(0.15) IS NOT NULL"
    await db.write(Statement(change_, {"n": 2}), Statement(change_, {"n": 3}), subject="x")

    slow = db.slow_queries()
    assert [query.name for query in slow[:2]] == ["UPDATE models", "SELECT models"]
    assert slow[0].milliseconds >= 300
    assert "opensesame" not in str(slow)
    assert db.pool_stats().slow == len(slow)
    await db.close()


async def test_a_copy_is_left_to_the_program_that_makes_them(own: PostgresDatabase, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="pg_dump --format=custom --schema=s_") as caught:
        await own.backup(tmp_path / "copy")
    assert "opensesame" not in str(caught.value)


async def test_the_space_of_deleted_rows_is_given_back_and_only_to_our_tables(
    own: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    await admin.execute("CREATE TABLE public.theirs (a TEXT)")
    try:
        await own.write(model("a"), model("b"))
        await own.execute("DELETE FROM models")
        await own.vacuum()
        vacuumed = "SELECT vacuum_count FROM pg_stat_all_tables WHERE schemaname = $1 AND relname = $2"
        assert await admin.fetchval(vacuumed, schema, "models") == 1
        assert await admin.fetchval(vacuumed, "public", "theirs") == 0
    finally:
        await admin.execute("DROP TABLE public.theirs")


async def test_what_is_damaged_is_found(own: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str) -> None:
    await own.write(session("s"), message("s", 1), message("s", 2), model("a"))
    assert await own.check() == []

    await admin.execute(f"SET session_replication_role = replica; DELETE FROM {schema}.sessions; RESET ALL")
    await admin.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = $1::text::regclass", f"{schema}.calls_by_day"
    )
    await admin.execute(f"DROP TABLE {schema}.events")
    await admin.execute(f"ALTER TABLE {schema}.models ADD CONSTRAINT positive CHECK (priority > 0) NOT VALID")

    assert [(problem.table, problem.message) for problem in await own.check()] == [
        ("events", "The table is missing; restore a backup."),
        ("calls", f"The index calls_by_day is not complete; run REINDEX INDEX {schema}.calls_by_day."),
        ("models", "The rule positive was never checked for old rows; run ALTER TABLE … VALIDATE."),
        ("messages", "2 rows refer to a row of sessions that is not there; delete them."),
    ]


async def test_statements_need_not_be_prepared(postgres_dsn: str, schema: str) -> None:
    for options in (
        "?statement_cache_size=0",
        "?statement_cache_size=0&application_name=x",
        "?application_name=x&statement_cache_size=0",
    ):
        db = PostgresDatabase(schema, url=postgres_dsn + options, sizes=(1, 1))
        for _ in range(2):
            await asyncio.gather(*(db.write(change("a"), change("b"), subject=f"{n}") for n in range(3)))
        assert await db.fetch_all("SELECT name FROM pg_prepared_statements WHERE name <> ''") == []
        await db.close()
    with pytest.raises(ConfigError, match=r"statement_cache_size of postgresql://.* must be a number, e.g. 0"):
        PostgresDatabase(schema, url=f"{postgres_dsn}?statement_cache_size=none")


@pytest.mark.parametrize("error", [asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError])
def test_a_pooler_that_loses_statements_is_said_to_need_the_option(error: type[asyncpg.PostgresError]) -> None:
    said = str(translate(error("prepared statement __asyncpg_1 does not exist"), "the database x"))
    assert (
        said
        == "Prepared statements get lost in the database x; behind pgbouncer add ?statement_cache_size=0 to its URL."
    )


async def test_a_value_that_does_not_fit_is_not_quoted(own: PostgresDatabase) -> None:
    with pytest.raises(
        DatabaseError, match=r"^A value cannot be kept in .*: invalid input for query argument \$\d+"
    ) as caught:
        await own.write(model("a", priority="opensesame"))
    assert "opensesame" not in str(caught.value)


async def test_migrations_can_be_rehearsed(own: PostgresDatabase, postgres_dsn: str, schema: str) -> None:
    await own.rehearse()
    await own.close()
    await own.rehearse()
    fresh = PostgresDatabase(f"{schema[:-1]}_", url=postgres_dsn)
    await fresh.rehearse()
    assert {status.applied_at for status in await fresh.migrations()} == {None}
