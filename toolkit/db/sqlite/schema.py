"""Brings the tables of a SQLite database up to date."""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

from toolkit.db.migrate import APPLIED, LEDGER, REMEMBER, Migration, failed, plan
from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.errors import MigrationError


def migrate(connection: Connection, known: Sequence[Migration], now: datetime) -> None:
    """Apply what is pending, all of it or nothing.

    A second process that starts at the same moment waits for the lock of `BEGIN IMMEDIATE` and then finds the work
    done. A database that is up to date is not locked at all.
    """
    if not plan(known, _checksums(connection)):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(LEDGER)
        for migration in plan(known, _checksums(connection)):
            _apply(connection, migration, now)
        connection.execute("COMMIT")
    finally:
        if connection.conn.in_transaction:
            connection.execute("ROLLBACK")


def applied(connection: Connection) -> list[tuple[int, str, str, str]]:
    """Version, name, checksum and time of each migration that the database had; none in a new database."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").fetchall():
        return []
    return connection.execute(APPLIED).fetchall()


def _checksums(connection: Connection) -> dict[int, str]:
    return {version: checksum for version, _, checksum, _ in applied(connection)}


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script, with what comments stand before each.

    Neither `executescript` will do: Python's commits first, and that of sqlite-utils asks after each character whether
    a statement is complete, which took 70 ms for all migrations.
    """
    begin = 0
    for mark in re.finditer(";", sql):
        if sqlite3.complete_statement(sql[begin : mark.end()]):
            yield sql[begin : mark.end()]
            begin = mark.end()
    if sql[begin:].strip():
        yield sql[begin:]


def _apply(connection: Connection, migration: Migration, now: datetime) -> None:
    try:
        for statement in _statements(migration.sql):
            connection.execute(statement)
        broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    except sqlite3.Error as error:
        raise failed(migration, error) from error
    if broken:
        raise MigrationError(f"The migration {migration.name} would leave rows that refer to nothing: {broken[:3]}.")
    connection.execute(
        REMEMBER,
        {
            "version": migration.version,
            "name": migration.name,
            "checksum": migration.checksum,
            "applied_at": now.isoformat(timespec="microseconds"),
        },
    )
