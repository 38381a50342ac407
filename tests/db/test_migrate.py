"""The numbered SQL files: how they are read, and that each database takes all of them or none.

What happens under load, locks and kills: `test_migrate_torture.py`.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeAlias

import asyncpg
import pytest

from toolkit import stamps
from toolkit.db import Database
from toolkit.db.migrate import default_folder, load, plan, tables
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.errors import DatabaseError, MigrationError

Connect: TypeAlias = Callable[[Path | None], Database]
FIRST = "CREATE TABLE fruit (id TEXT PRIMARY KEY);\nINSERT INTO fruit (id) VALUES ('apple; -- pear');\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two migrations of our own."""
    made = tmp_path / "migrations"
    made.mkdir()
    (made / "0001_fruit.sql").write_text(FIRST)
    (made / "0002_colour.sql").write_text("ALTER TABLE fruit ADD COLUMN colour TEXT;\n")
    return made


@pytest.fixture(params=["sqlite", "postgres"])
async def connect(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connect]:
    """Opens the same database, new and empty at first, again and again; given a folder, with its migrations."""
    opened: list[Database] = []

    def keep(database: Database) -> Database:
        opened.append(database)
        return database

    if request.param == "sqlite":
        yield lambda migrations: keep(SqliteDatabase(tmp_path / "toolkit.db", migrations=migrations))
    else:
        dsn, schema = request.getfixturevalue("postgres_dsn"), f"m_{uuid.uuid4().hex}"
        yield lambda migrations: keep(PostgresDatabase(schema, url=dsn, migrations=migrations))
    for database in opened:
        await database.close()
    if request.param == "postgres":
        admin = await asyncpg.connect(dsn)
        await admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        await admin.close()


async def versions(db: Database) -> dict[int, bool]:
    """Which numbers are listed, and whether they were applied."""
    return {entry.version: entry.applied_at is not None for entry in await db.migrations()}


async def test_the_toolkit_s_own_files_run_on_both_as_they_are(connect: Connect) -> None:
    db = connect(None)
    assert not any((await versions(db)).values())
    await db.open()
    assert all((await versions(db)).values())
    known = load(default_folder(), db.dialect)
    for table in tables(known) - {"chunks_words"}:
        await db.fetch_all(f"SELECT * FROM {table} LIMIT 1")
    assert {"models", "calls", "sessions", "messages", "documents", "chunks", "schema_migrations"} <= tables(known)


async def test_what_is_pending_is_listed_without_being_applied(connect: Connect, folder: Path) -> None:
    assert await versions(connect(folder)) == {1: False, 2: False}
    (folder / "0002_colour.sql").rename(folder / "later")
    await connect(folder).open()
    (folder / "later").rename(folder / "0002_colour.sql")
    assert await versions(connect(folder)) == {1: True, 2: False}
    assert await versions(connect(folder)) == {1: True, 2: False}


async def test_only_what_is_pending_is_applied(connect: Connect, folder: Path) -> None:
    with stamps.freeze():
        await connect(folder).open()
    (folder / "0003_size.sql").write_text("ALTER TABLE fruit ADD COLUMN size BIGINT;")
    db = connect(folder)
    await db.open()

    assert await db.fetch_all("SELECT * FROM fruit") == [{"id": "apple; -- pear", "colour": None, "size": None}]
    times = [entry.applied_at for entry in await db.migrations()]
    assert times[0] == times[1]
    assert times[2] != times[0]


async def test_a_file_that_fails_leaves_nothing_of_this_run(connect: Connect, folder: Path) -> None:
    (folder / "0003_bad.sql").write_text("CREATE TABLE half (id TEXT);\nINSERT INTO nowhere VALUES (1);")
    with pytest.raises(MigrationError, match=r"^The migration 0003_bad failed and nothing was changed: .*nowhere.*\.$"):
        await connect(folder).open()
    assert await versions(connect(folder)) == {1: False, 2: False, 3: False}

    (folder / "0003_bad.sql").write_text("CREATE TABLE whole (id TEXT);")
    db = connect(folder)
    assert await db.fetch_all("SELECT * FROM whole") == []
    with pytest.raises(DatabaseError, match="half"):
        await db.fetch_all("SELECT * FROM half")


async def test_a_table_that_is_there_already_is_not_touched(connect: Connect, folder: Path) -> None:
    await connect(folder).open()
    (folder / "0003_again.sql").write_text("CREATE TABLE fruit (other TEXT);")
    with pytest.raises(MigrationError, match=r"0003_again failed .* already exists"):
        await connect(folder).open()
    (folder / "0003_again.sql").unlink()
    assert await connect(folder).fetch_all("SELECT id FROM fruit") == [{"id": "apple; -- pear"}]


async def test_a_file_that_was_changed_after_it_was_applied_is_refused(connect: Connect, folder: Path) -> None:
    await connect(folder).open()
    (folder / "0001_fruit.sql").write_text(FIRST + "-- a thought\n")
    with pytest.raises(
        MigrationError,
        match=r"^The migration 0001_fruit was changed after it was applied to this database; restore the file and put ",
    ):
        await connect(folder).open()


async def test_other_line_ends_are_not_a_change(connect: Connect, folder: Path) -> None:
    await connect(folder).open()
    (folder / "0001_fruit.sql").write_bytes(FIRST.replace("\n", "\r\n").encode())
    await connect(folder).open()


async def test_a_database_that_is_newer_than_the_code_is_refused_and_still_listed(
    connect: Connect, folder: Path
) -> None:
    await connect(folder).open()
    (folder / "0002_colour.sql").unlink()
    with pytest.raises(
        MigrationError, match=r"^The database is at version 2, and this toolkit knows only 1; upgrade toolkit-mcp\.$"
    ):
        await connect(folder).open()
    assert await versions(connect(folder)) == {1: True, 2: True}


async def test_a_database_that_lacks_one_in_between_is_refused(connect: Connect, folder: Path) -> None:
    db = connect(folder)
    await db.execute("DELETE FROM schema_migrations WHERE version = 1")
    with pytest.raises(MigrationError, match="at version 2 but never had the migration 0001_fruit; restore a backup"):
        await connect(folder).open()


def test_each_dialect_loads_its_own_form_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "0001_a.sql").write_text("SELECT 1;")
    (tmp_path / "0002_b.sqlite.sql").write_text("SELECT 'sqlite';")
    (tmp_path / "0002_b.postgres.sql").write_text("SELECT 'postgres';")
    (tmp_path / "README.md").write_text("not one of them")

    sqlite, postgres = load(tmp_path, "sqlite"), load(tmp_path, "postgres")

    assert [(m.version, m.name, m.sql) for m in sqlite] == [
        (1, "0001_a", "SELECT 1;"),
        (2, "0002_b", "SELECT 'sqlite';"),
    ]
    assert postgres[1].sql == "SELECT 'postgres';"
    assert sqlite[1].checksum != postgres[1].checksum


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["0001_a.sql", "0003_c.sql"], "The migration 0002 is missing from .*; install toolkit-mcp again"),
        (["0002_b.sql"], "The migration 0001 is missing"),
        (["0001_a.sql", "0002_b.postgres.sql", "0003_c.sql"], "The migration 0002 is missing"),
        (["0001_a.sql", "0001_b.sql"], "Two migrations in .* have the number 0001; renumber 0001_b.sql"),
        (["0001_a.sql", "0001_a.sqlite.sql"], "have the number 0001"),
        (["first.sql"], "The file first.sql in .* is not named like 0001_name.sql; rename it"),
        (["0001_a.mysql.sql"], "is not named like 0001_name.sql"),
    ],
)
def test_a_folder_with_a_gap_a_double_or_a_stray_file_is_refused(
    tmp_path: Path, files: list[str], sentence: str
) -> None:
    for name in files:
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(MigrationError, match=sentence):
        load(tmp_path, "sqlite")


def test_nothing_is_planned_for_a_database_that_is_up_to_date() -> None:
    known = load(default_folder(), "sqlite")
    assert plan(known, {m.version: m.checksum for m in known}) == []
    assert plan(known, {}) == list(known)
    assert plan(known, {1: known[0].checksum}) == list(known[1:])
