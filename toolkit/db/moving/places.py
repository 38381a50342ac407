"""The two ends of a copy: which database it is, whether it can be read, and whether it may be filled."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from toolkit.db.database import Database, Sql, Statement
from toolkit.db.moving.bookmark import Bookmark, find, put
from toolkit.db.moving.shape import Table
from toolkit.errors import ConfigError, DatabaseUnavailable, MigrationError

_MEMORY = "sqlite://"
_SEEDED = ("models", "model_changes")  # what the first start of a toolkit writes into an empty database
_UNSEED = (
    "DELETE FROM models WHERE NOT EXISTS (SELECT 1 FROM model_changes WHERE action <> 'seed')",
    "DELETE FROM model_changes WHERE NOT EXISTS (SELECT 1 FROM models)",
)

_SELF = Sql(
    "SELECT file FROM pragma_database_list WHERE name = 'main'",
    """
    SELECT CAST(tableoid AS BIGINT) AS relation,
           (SELECT CAST(oid AS BIGINT) FROM pg_database WHERE datname = current_database()) AS base,
           pg_postmaster_start_time() AS server
      FROM schema_migrations
     LIMIT 1
    """,
)


async def open_both(source: Database, target: Database) -> None:
    """Open `source`, which has to be up to date, and `target`, which is brought up to date.

    Raises:
        ConfigError: one of them is in memory or holds no tables, or they are the same database.
        MigrationError: one has other tables than this version of the toolkit.
    """
    for db in (source, target):
        if db.url == _MEMORY:
            raise ConfigError("A database in memory ends with the command; name a file, sqlite:///FILE, or a server.")
    lacks = await pending(source)
    if lacks:
        raise MigrationError(
            f"The database {source.url} lacks {', '.join(lacks)}; "
            f"bring it up to date first with: toolkit migrate --db {source.url}"
        )
    for db in (source, target):
        try:
            await db.open()
        except MigrationError as error:
            raise MigrationError(f"{db.url}: {error}") from error
    if await _identity(source) == await _identity(target):
        raise ConfigError(f"Both URLs name the same database, {source.url}; name another one to copy to.")


async def pending(db: Database) -> list[str]:
    """The names of the migrations that `db` still lacks; nothing is changed.

    Raises:
        ConfigError: it is not there, or holds no tables of ours.
        DatabaseUnavailable: it cannot be reached.
    """
    known = await db.migrations()
    if not any(entry.applied_at for entry in known):
        raise ConfigError(f"There is no toolkit database at {db.url}; check the URL.")
    return [entry.name for entry in known if entry.applied_at is None]


async def counts(db: Database, tables: Sequence[Table]) -> dict[str, int]:
    """The number of rows in each of `tables`."""
    found = {}
    for table in tables:
        row = await db.fetch_one(table.count())
        found[table.name] = int(row["n"]) if row else 0
    return found


async def claim(source: Database, target: Database, held: Mapping[str, int]) -> Bookmark | None:
    """The place at which a copy of `source` goes on in `target`; None if `target` holds other data.

    A target that is empty, or holds only what a toolkit writes when it is started for the first time, is claimed:
    the rest is deleted, and the bookmark put there.

    Args:
        source: what is copied.
        target: what is filled.
        held: rows per table of `target`.

    Raises:
        ConfigError: it waits for the rest of another copy.
    """
    mark = await find(target)
    if mark is None:
        if not await _is_fresh(target, held):
            return None
        await target.write(*map(Statement, _UNSEED), put(source.url))
        mark = await find(target)
    if mark is None:
        raise DatabaseUnavailable(f"Somebody else has just changed {target.url}; try again.")
    if mark.source != source.url:
        raise ConfigError(
            f"The database {target.url} waits for the rest of a copy of {mark.source}; finish that one with the same "
            "command, or name an empty database."
        )
    return mark


async def _is_fresh(db: Database, held: Mapping[str, int]) -> bool:
    if any(rows for table, rows in held.items() if table not in _SEEDED):
        return False
    row = await db.fetch_one("SELECT COUNT(*) AS n FROM model_changes WHERE action <> 'seed'")
    return row is not None and row["n"] == 0 and held["models"] <= held["model_changes"]


async def _identity(db: Database) -> tuple[object, ...]:
    row = await db.fetch_one(_SELF)
    if row is None:
        return (db.url,)
    if db.dialect == "sqlite":
        place = await asyncio.to_thread(Path(row["file"]).stat)
        return place.st_dev, place.st_ino
    return tuple(row.values())
