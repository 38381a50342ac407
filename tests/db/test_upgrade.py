"""What an earlier release left behind is opened, brought up to date, and lacks nothing.

The fixtures in `tests/db/released` were made by the releases themselves; see `make.py` there.
"""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pytest

from tests.db.released.make import answers
from tests.db.released.restore import FOLDER, RELEASED, restore_file, restore_schema, said, table_names
from toolkit import stamps
from toolkit.db import Database, open_database
from toolkit.db.sqlite.driver import sqlite3
from toolkit.messages import Attempt, Caller, Message
from toolkit.search.documents import Document
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.usage.ledger import Ledger

Rows: TypeAlias = Mapping[str, Sequence[Mapping[str, Any]]]
DERIVED = {"chunks_words", "words"}  # tables and columns that a database made of others, and that are gone
LATER = datetime(2026, 1, 2, tzinfo=UTC)  # than everything that is kept


class Old:
    """A database as a release left it.

    Attributes:
        version: its newest migration.
        expected: what the stores of that release answered.
        database: the same, as this version opens it.
        rows: reads every row of the tables that it had then, without the toolkit.
    """

    def __init__(self, version: int, database: Database, rows: Callable[[], Awaitable[Rows]]) -> None:
        self.version = version
        self.expected = said(version, database.dialect)
        self.database = database
        self.rows = rows


@pytest.fixture(params=[f"{version}-{dialect}" for version in RELEASED for dialect in ("sqlite", "postgres")])
async def old(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Old]:
    number, _, dialect = request.param.partition("-")
    version = int(number)
    tables = table_names(version, dialect)
    if dialect == "sqlite":
        file = tmp_path / "toolkit.db"
        restore_file(version, file)
        with stamps.freeze(LATER):
            yield Old(version, open_database(Settings(f"sqlite:///{file}")), lambda: _rows_of_file(file, tables))
        return
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"u_{uuid.uuid4().hex}"
    await restore_schema(version, dsn, schema)
    raw = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    with stamps.freeze(LATER):
        yield Old(version, open_database(Settings(dsn, schema=schema)), lambda: _rows_of_schema(raw, tables))
    await raw.execute(f"DROP SCHEMA {schema} CASCADE")
    await raw.close()


async def _rows_of_file(file: Path, tables: Sequence[str]) -> Rows:
    with closing(sqlite3.connect(file)) as raw:
        raw.row_factory = sqlite3.Row
        return {table: [_said(row) for row in raw.execute(f"SELECT * FROM {table}")] for table in _kept(tables)}


async def _rows_of_schema(raw: "asyncpg.Connection[Any]", tables: Sequence[str]) -> Rows:
    return {table: [_said(row) for row in await raw.fetch(f"SELECT * FROM {table}")] for table in _kept(tables)}


def _kept(tables: Sequence[str]) -> Sequence[str]:
    return [table for table in tables if table not in DERIVED]


def _said(row: Any) -> Mapping[str, Any]:
    return {name: value for name, value in dict(row).items() if name not in DERIVED}


def contains(now: Any, then: Any) -> bool:
    """Whether `now` says at least what was said `then`; later versions may say more of a thing, never less."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(key in now and contains(now[key], then[key]) for key in then)
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(contains, now, then))
    return bool(now == then)


def test_there_are_small_fixtures_of_each_kind_for_every_release() -> None:
    assert 5 in RELEASED
    for version in RELEASED:
        files = {path.name.partition(".")[2]: path.stat().st_size for path in FOLDER.glob(f"{version}.*")}
        assert files.keys() == {"sqlite.db.gz", "sqlite.json", "postgres.sql", "postgres.json"}
        assert max(files.values()) < 150_000


async def test_every_row_of_an_old_release_is_still_there_and_said_by_the_stores(old: Old) -> None:
    before = await old.rows()
    passing = {"commits", "cache_leases"}  # of what is under way
    assert all(before[table] for table in before if table not in passing)  # a fixture without rows proves nothing

    await old.database.open()
    after = await old.rows()
    answered = await answers(old.database)
    versions = await old.database.migrations()
    problems = await old.database.check()
    await old.database.close()

    for table, rows in before.items():
        kept = after[table][: len(rows)] if table == "schema_migrations" else after[table]
        assert contains(kept, list(rows)), table
    for what, expected in old.expected.items():
        assert contains(answered[what], expected), what
    assert all(entry.applied_at for entry in versions)
    assert len(versions) >= old.version
    assert problems == []


async def test_what_an_old_release_began_goes_on(old: Old) -> None:
    db = old.database
    sessions, ledger, documents = Sessions(db), Ledger(db), Documents(db)
    began = next(each for each in await sessions.list() if each.title and not each.parent_id)
    before = len(await sessions.messages(began.id))

    turn = [Message("user", "Go on."), Message("assistant", "Gladly.")]
    await sessions.append(began.id, turn, call_id="q9")
    fork = await sessions.fork(began.id)
    await sessions.append((await sessions.create()).id, turn)
    await ledger.record(
        Attempt("first", "scripted", "m", milliseconds=1), call_id="q9", number=1, kind="chat", caller=Caller(),
        started_at=stamps.now(),
    )  # fmt: skip
    report = await documents.ingest([Document("new", "The zeppelin lands."), Document("guide.md", "Changed words.")])
    hits = await Retriever(db).search("zeppelin circuit changed", top_k=9)

    assert (await sessions.messages(began.id))[before:] == turn
    assert await sessions.messages(fork.id) == await sessions.messages(began.id)
    assert [call.call_id for call in await ledger.calls(limit=1)] == ["q9"]
    assert (report.added, report.updated) == (1, 1)
    assert {hit.source for hit in hits} == {"new", "guide.md", "breaker.py"}
    assert await db.check() == []
    await db.close()
