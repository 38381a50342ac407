"""Migrations when everything goes wrong: many processes at once, kills, locks, rights. All of them or nothing."""

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.db.books import ended
from tests.db.killing import Job, Zygote, opened_by
from tests.db.released.restore import OLD, restore_file, restore_schema
from toolkit.db.migrate import default_folder
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.db.sqlite.driver import sqlite3
from toolkit.errors import DatabaseBusy, DatabaseUnavailable, MigrationError

# Everything that tells one state of the tables from another, and the rows that migrations of our own put there.
State: TypeAlias = list[tuple[Any, ...]]
ROUNDS, AT_ONCE = 10, 4  # of kills, on one kind of database
FROM = [0, OLD]  # nothing, and an old release
EXTRA = """
CREATE TABLE extra_{n} (id TEXT PRIMARY KEY, session_id TEXT NOT NULL);
CREATE INDEX extra_{n}_by_session ON extra_{n} (session_id);
INSERT INTO extra_{n} (id, session_id) SELECT id, '{n}' FROM sessions;
ALTER TABLE sessions ADD COLUMN extra_{n} BIGINT NOT NULL DEFAULT {n};
"""
_SHAPE = """
SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema()
UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()
ORDER BY 1, 2, 3
"""


@dataclass(frozen=True)
class Place:
    """A database that may be made new, or as a release left it, again and again."""

    job: Job
    renew: Callable[[int], Awaitable[None]]
    state: Callable[[], Awaitable[State]]


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as forking:
        yield forking


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The toolkit's own migrations, and twenty more, so that there is time to be killed."""
    made = tmp_path / "migrations"
    made.mkdir()
    for path in default_folder().glob("*.sql"):
        (made / path.name).write_bytes(path.read_bytes())
    newest = max(int(path.name[:4]) for path in made.glob("*.sql"))
    for n in range(newest + 1, newest + 21):
        (made / f"{n:04}_extra.sql").write_text(EXTRA.format(n=n))
    return made


def _extra(folder: Path, n: int) -> Path:
    return sorted(folder.glob("*_extra.sql"))[n]


@pytest.fixture(params=["sqlite", "postgres"])
async def place(request: pytest.FixtureRequest, tmp_path: Path, folder: Path) -> AsyncIterator[Place]:
    if request.param == "sqlite":
        yield _file(tmp_path / "toolkit.db", folder)
        return
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"m_{uuid.uuid4().hex}"
    raw = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    yield _schema(raw, dsn, schema, folder)
    await raw.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await raw.close()


def _file(path: Path, folder: Path) -> Place:
    async def renew(version: int) -> None:
        for left in path.parent.glob(f"{path.name}*"):
            left.unlink()
        if version:
            restore_file(version, path)

    async def state() -> State:
        with closing(sqlite3.connect(path)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            tables = raw.execute("SELECT name, sql FROM sqlite_master ORDER BY name, sql").fetchall()
            counts = [
                (name, *raw.execute(f"SELECT COUNT(*) FROM {name}")) for name, sql in tables if "TABLE" in (sql or "")
            ]
            return tables + counts

    return Place(Job("open", f"sqlite:///{path}", "", migrations=str(folder)), renew, state)


def _schema(raw: "asyncpg.Connection[Any]", dsn: str, schema: str, folder: Path) -> Place:
    async def renew(version: int) -> None:
        await raw.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        if version:
            await restore_schema(version, dsn, schema)

    async def state() -> State:
        await ended(raw)
        shape = [tuple(row) for row in await raw.fetch(_SHAPE)]
        tables = sorted({name for name, *_ in shape})
        return shape + [(name, await raw.fetchval(f"SELECT COUNT(*) FROM {name}")) for name in tables]

    return Place(Job("open", dsn, "", schema=schema, migrations=str(folder)), renew, state)


@pytest.mark.parametrize("version", FROM)
async def test_a_kill_at_any_point_of_a_migration_leaves_all_of_it_or_nothing(
    place: Place, zygote: Zygote, version: int
) -> None:
    await place.renew(version)
    nothing = await place.state()
    (end,) = zygote.run([place.job])
    assert end.told == ["opened"]
    everything = await place.state()
    assert len(everything) > len(nothing)

    chance, in_the_middle = random.Random(version), 0
    for _ in range(ROUNDS):
        await place.renew(version)
        jobs = [replace(place.job, then=chance.uniform(0, 1.2 * end.seconds)) for _ in range(AT_ONCE)]
        ends = await asyncio.to_thread(zygote.run, jobs)
        found = await place.state()
        assert found in (nothing, everything)
        assert {"opened"} >= {line for each in ends for line in each.told}
        assert found == everything or not any(each.told for each in ends)
        in_the_middle += sum(each.killed and not each.told for each in ends)

        db = opened_by(place.job)  # whatever was left is finished by the next who comes
        await db.open()
        await db.close()
        assert await place.state() == everything
    assert in_the_middle >= ROUNDS


@pytest.mark.parametrize("version", FROM)
async def test_eight_processes_that_start_at_once_all_find_the_database_migrated(
    place: Place, zygote: Zygote, version: int
) -> None:
    expected = None
    for _ in range(5):
        await place.renew(version)
        ends = await asyncio.to_thread(zygote.run, [place.job] * 8)
        assert [each.told for each in ends] == [["opened"]] * 8
        state = await place.state()
        expected = expected or state
        assert state == expected


async def test_a_file_that_fails_in_the_middle_leaves_an_old_database_as_it_was(place: Place, folder: Path) -> None:
    await place.renew(OLD)
    before = await place.state()
    bad = _extra(folder, 10)
    bad.write_text(bad.read_text() + "UPDATE sessions SET no_such_column = 1;")
    db = opened_by(place.job)
    with pytest.raises(
        MigrationError, match=r"^The migration \d+_extra failed and nothing was changed: .*no_such_col.*\.$"
    ):
        await db.open()
    await db.close()
    assert await place.state() == before

    bad.write_text(EXTRA.format(n=int(bad.name[:4])))
    mended = opened_by(place.job)
    await mended.open()
    await mended.close()
    assert len(await place.state()) > len(before)


async def test_a_file_that_would_leave_rows_that_refer_to_nothing_is_undone(tmp_path: Path, folder: Path) -> None:
    place = _file(tmp_path / "toolkit.db", folder)
    await place.renew(OLD)
    before = await place.state()
    bad = _extra(folder, -1)
    orphan = "CREATE TABLE orphans (id TEXT REFERENCES sessions (id)); INSERT INTO orphans VALUES ('nobody');"
    bad.write_text(f"PRAGMA defer_foreign_keys = ON; {orphan}")
    with pytest.raises(MigrationError, match=r"^The migration \d+_extra would leave rows that refer to nothing: "):
        await opened_by(place.job).open()
    assert await place.state() == before


async def test_a_migration_waits_for_a_lock_that_another_program_holds_on_a_file(tmp_path: Path, folder: Path) -> None:
    place = _file(tmp_path / "toolkit.db", folder)
    await place.renew(OLD)
    before = await place.state()
    with closing(sqlite3.connect(tmp_path / "toolkit.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("BEGIN IMMEDIATE")
        impatient = SqliteDatabase(tmp_path / "toolkit.db", busy_timeout=0.05, migrations=folder)
        with pytest.raises(DatabaseBusy, match=r"holds the database .*try again"):
            await impatient.open()
        listed = await opened_by(place.job).migrations()
        assert not any(entry.applied_at for entry in listed[OLD:])
        patient = SqliteDatabase(tmp_path / "toolkit.db", migrations=folder)
        opening = asyncio.create_task(patient.open())
        await asyncio.sleep(0.05)
        assert not opening.done()
        other.execute("COMMIT")
        await opening
        await patient.close()
    assert len(await place.state()) > len(before)


@pytest.fixture
async def old_schema(admin: "asyncpg.Connection[Any]", postgres_dsn: str) -> AsyncIterator[str]:
    """A schema as an old release left it."""
    schema = f"m_{uuid.uuid4().hex}"
    await restore_schema(OLD, postgres_dsn, schema)
    yield schema
    await admin.execute(f"DROP SCHEMA {schema} CASCADE")


HOLDS = {
    "the table that is changed": "LOCK TABLE {schema}.sessions IN ACCESS SHARE MODE",
    "the right to migrate": "SELECT pg_advisory_xact_lock(hashtextextended('toolkit:{schema}', 0))",
}


@pytest.mark.parametrize("hold", HOLDS.values(), ids=HOLDS)
async def test_a_migration_waits_for_a_lock_that_another_program_holds_in_a_schema(
    admin: "asyncpg.Connection[Any]", postgres_dsn: str, old_schema: str, folder: Path, hold: str
) -> None:
    db = PostgresDatabase(old_schema, url=postgres_dsn, migrations=folder)
    async with admin.transaction():
        await admin.execute(hold.format(schema=old_schema))
        opening = asyncio.create_task(db.open())
        while not await admin.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):  # noqa: ASYNC110 - the server knows
            await asyncio.sleep(0.01)
        assert not opening.done()
    await opening
    assert all(entry.applied_at for entry in await db.migrations())
    await db.close()


async def test_a_migration_that_waits_too_long_for_a_lock_says_so_and_changes_nothing(
    admin: "asyncpg.Connection[Any]", postgres_dsn: str, old_schema: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = asyncpg.Connection.execute

    async def impatient(self: Any, sql: str, *rest: Any, **named: Any) -> str:
        return await execute(self, sql.replace("'10s'", "'50ms'"), *rest, **named)

    monkeypatch.setattr(asyncpg.Connection, "execute", impatient)
    db = PostgresDatabase(old_schema, url=postgres_dsn, migrations=folder)
    async with admin.transaction():
        await admin.execute(f"LOCK TABLE {old_schema}.sessions IN ACCESS SHARE MODE")
        with pytest.raises((DatabaseBusy, MigrationError), match="lock"):
            await db.open()
    assert [entry.version for entry in await db.migrations() if entry.applied_at] == list(range(1, OLD + 1))
    await db.close()


@pytest.mark.parametrize("how", ["GRANT SELECT", "default_transaction_read_only"])
async def test_one_who_may_only_read_opens_what_is_up_to_date_and_is_told_what_an_old_schema_needs(
    admin: "asyncpg.Connection[Any]", postgres_dsn: str, old_schema: str, how: str
) -> None:
    guest = f"guest_{old_schema}"
    await admin.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'opensesame'")
    await admin.execute(f"GRANT USAGE ON SCHEMA {old_schema} TO {guest}")
    await admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {old_schema} TO {guest}")
    if how != "GRANT SELECT":
        await admin.execute(f"GRANT ALL ON SCHEMA {old_schema} TO {guest}")
        await admin.execute(f"ALTER ROLE {guest} SET default_transaction_read_only = on")
    url = f"postgresql://{guest}:opensesame@{postgres_dsn.rpartition('@')[2]}"
    try:
        reader = PostgresDatabase(old_schema, url=url)
        with pytest.raises(DatabaseUnavailable, match=r"^Writing to the database .* is not allowed \(.*\); ") as caught:
            await reader.open()
        assert "opensesame" not in str(caught.value)
        await reader.close()

        writer = PostgresDatabase(old_schema, url=postgres_dsn)
        await writer.open()
        await writer.close()
        await admin.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {old_schema} TO {guest}")

        reader = PostgresDatabase(old_schema, url=url)
        assert len(await reader.fetch_all("SELECT id FROM sessions")) > 1
        with pytest.raises(DatabaseUnavailable, match="is not allowed"):
            await reader.execute("DELETE FROM sessions")
        await reader.close()
    finally:
        await admin.execute(f"DROP OWNED BY {guest}; DROP ROLE {guest}")
