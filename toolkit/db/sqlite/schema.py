"""Brings the tables of a SQLite database up to date."""

from collections.abc import Sequence
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


def _apply(connection: Connection, migration: Migration, now: datetime) -> None:
    try:
        connection.executescript(migration.sql)  # within a transaction sqlite-utils does not commit
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
