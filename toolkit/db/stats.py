"""How much a database holds."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.db.database import Database
from toolkit.db.migrate import default_folder, load
from toolkit.db.migrate import tables as named
from toolkit.errors import DatabaseError

# A virtual table keeps its rows in tables that are named after it; they count to the table that is indexed.
_SQLITE = """
SELECT sqlite_master.tbl_name AS name, SUM(dbstat.pgsize) AS bytes
  FROM dbstat
  JOIN sqlite_master ON sqlite_master.name = dbstat.name
 WHERE dbstat.aggregate = TRUE
 GROUP BY 1
"""
_POSTGRES = """
SELECT relname AS name, pg_total_relation_size(oid) AS bytes
  FROM pg_class
 WHERE relkind = 'r'
   AND relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = (SELECT tableoid FROM schema_migrations LIMIT 1))
"""


@dataclass(frozen=True, slots=True)
class TableStats:
    """What one table holds.

    Attributes:
        table: its name.
        rows: how many.
        bytes: on disk, with its indexes; None where the database cannot tell.
    """

    table: str
    rows: int
    bytes: int | None


@dataclass(frozen=True, slots=True)
class DatabaseStats:
    """What a database holds.

    Attributes:
        url: where it is, without a password.
        bytes: on disk, with what is not yet in its place and what deleted rows left free; None where that is unknown.
        tables: by name.
    """

    url: str
    bytes: int | None
    tables: tuple[TableStats, ...]


async def stats(db: Database) -> DatabaseStats:
    """Count the rows of every table, and ask how much room they take."""
    names = await _names(db)
    sizes = await _sizes(db, names)
    tables: list[TableStats] = []
    for name in sorted(names):
        row = await db.fetch_one(f"SELECT COUNT(*) AS n FROM {name}")  # noqa: S608 - the names are those of the migrations
        tables.append(TableStats(name, int(row["n"]) if row else 0, sizes.get(name)))
    return DatabaseStats(db.url, await _whole(db, sizes), tuple(tables))


async def size(db: Database) -> int | None:
    """Bytes that the whole database takes on disk; None where that is unknown."""
    return await _whole(db, await _sizes(db, await _names(db)) if db.dialect != "sqlite" else {})


async def _names(db: Database) -> frozenset[str]:
    names = named(load(default_folder(), db.dialect))
    if db.dialect == "sqlite":
        virtual = await db.fetch_all("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'")
        names -= {row["name"] for row in virtual}
    return names


async def _sizes(db: Database, names: frozenset[str]) -> Mapping[str, int]:
    try:
        rows = await db.fetch_all(_SQLITE if db.dialect == "sqlite" else _POSTGRES)
    except DatabaseError:
        return {}  # a SQLite that was built without `dbstat`
    sizes: dict[str, int] = {}
    for row in rows:
        owner = max((n for n in names if f"{row['name']}_".startswith(f"{n}_")), key=len, default=None)
        if owner:
            sizes[owner] = sizes.get(owner, 0) + int(row["bytes"])
    return sizes


async def _whole(db: Database, sizes: Mapping[str, int]) -> int | None:
    if db.dialect != "sqlite":
        return sum(sizes.values())
    row = await db.fetch_one("SELECT file FROM pragma_database_list WHERE name = 'main'")
    return await asyncio.to_thread(_size_of_file, row["file"]) if row and row["file"] else None


def _size_of_file(name: str) -> int:
    return sum(path.stat().st_size for path in (Path(name), Path(f"{name}-wal")) if path.exists())
