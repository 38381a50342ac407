"""Brings the tables of a Postgres schema up to date."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

from asyncpg import PostgresError
from asyncpg.pool import PoolConnectionProxy

from toolkit.db.database import as_time
from toolkit.db.migrate import APPLIED, LEDGER, REMEMBER, Migration, failed, plan
from toolkit.db.postgres.sql import Renderer

Connection: TypeAlias = "PoolConnectionProxy[Any]"  # subscriptable for type checkers only


async def migrate(
    connection: Connection, schema: str, known: Sequence[Migration], now: datetime, renderer: Renderer
) -> None:
    """Apply what is pending, all of it or nothing, in a schema that is made if it is missing.

    A second process that starts at the same moment waits for the lock and then finds the work done. A database that
    is up to date is not locked at all, and its user needs no right to change it.
    """
    if not plan(known, await _checksums(connection, schema, renderer)):
        return
    async with connection.transaction():
        await _apply(connection, schema, known, now, renderer)


async def rehearse(
    connection: Connection, schema: str, known: Sequence[Migration], now: datetime, renderer: Renderer
) -> None:
    """Apply what is pending, and undo it."""
    if not plan(known, await _checksums(connection, schema, renderer)):
        return
    transaction = connection.transaction()
    await transaction.start()
    try:
        await _apply(connection, schema, known, now, renderer)
    finally:
        await transaction.rollback()


async def _apply(
    connection: Connection, schema: str, known: Sequence[Migration], now: datetime, renderer: Renderer
) -> None:
    await connection.execute("SET LOCAL lock_timeout = '60s'")
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"toolkit:{schema}")
    await connection.execute("SET LOCAL lock_timeout = '10s'")
    if not await connection.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", schema):
        await connection.execute(f'CREATE SCHEMA "{schema}"')
    await connection.execute(f'SET LOCAL search_path = "{schema}", public')
    await connection.execute(LEDGER)
    for migration in plan(known, await _checksums(connection, schema, renderer)):
        try:
            await connection.execute(migration.sql)
        except PostgresError as error:
            raise failed(migration, error.args[0]) from error
        text, values = renderer.render(REMEMBER, _row(migration, now))
        await connection.execute(text, *values)


async def applied(connection: Connection, schema: str, renderer: Renderer) -> list[tuple[int, str, str, datetime]]:
    """Version, name, checksum and time of each migration that the schema had; none in a new one."""
    if not await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", f'"{schema}".schema_migrations'):
        return []
    rows = await connection.fetch(renderer.render(APPLIED, {})[0])
    return [(row["version"], row["name"], row["checksum"], as_time(row["applied_at"])) for row in rows]


async def _checksums(connection: Connection, schema: str, renderer: Renderer) -> dict[int, str]:
    return {version: checksum for version, _, checksum, _ in await applied(connection, schema, renderer)}


def _row(migration: Migration, now: datetime) -> Mapping[str, Any]:
    return {
        "version": migration.version,
        "name": migration.name,
        "checksum": migration.checksum,
        "applied_at": now,
    }
