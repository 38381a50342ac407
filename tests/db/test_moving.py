"""Everything that one database keeps, in another: whole, once, and proved."""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.db.released.make import fill as fill_every_table
from tests.db.rows import change, message, model, names, session
from toolkit import stamps
from toolkit.access.keys import ApiKeys
from toolkit.db import Database, Row, as_json, as_time, open_database
from toolkit.db.migrate import default_folder, load
from toolkit.db.migrate import tables as named
from toolkit.db.moving import copy
from toolkit.db.moving.copy import Advance
from toolkit.db.moving.rows import MOST_BYTES, digest, pages, size_of
from toolkit.db.moving.shape import LEFT_BEHIND, tables
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.errors import ConfigError, Conflict, MigrationError
from toolkit.models.catalog import Catalog
from toolkit.search.documents import Document
from toolkit.search.index import Index
from toolkit.search.ingest import Documents
from toolkit.settings import Settings


@dataclass
class House:
    """Two places, new and empty at first, and who opened databases there."""

    settings: tuple[Settings, Settings]
    opened: list[Database]

    def source(self) -> Database:
        return self._open(0)

    def target(self) -> Database:
        return self._open(1)

    def _open(self, which: int) -> Database:
        self.opened.append(open_database(self.settings[which]))
        return self.opened[-1]


@pytest.fixture(params=["sqlite-postgres", "postgres-sqlite", "sqlite-sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Each direction in turn."""
    found = []
    for name, kind in zip(("from", "to"), request.param.split("-"), strict=True):
        if kind == "sqlite":
            found.append(Settings(f"sqlite:///{tmp_path / name}.db"))
        else:
            found.append(Settings(request.getfixturevalue("postgres_dsn"), schema=f"m_{uuid.uuid4().hex}"))
    made = House((found[0], found[1]), [])
    yield made
    for db in made.opened:
        await db.close()
    for settings in found:
        if settings.schema != "toolkit":
            admin = await asyncpg.connect(settings.database_url)
            await admin.execute(f"DROP SCHEMA IF EXISTS {settings.schema} CASCADE")
            await admin.close()


@contextmanager
def quiet(_what: str) -> Iterator[Advance]:
    yield lambda _done, _total, _doing: None


async def fill(db: Database, sessions: int = 3, messages: int = 2) -> None:
    """Some rows in every table."""
    big, small = 2**63 - 1, -(2**63)
    at = datetime(2026, 3, 1, 12, 0, 0, 1, UTC)
    config = {"ß": ["\U0001f9a6", None, True, -0.0, 1e22, 1e-7, 0.1, {"": []}], "a": big, "\\u0000": "\\u0000"}
    await db.write(
        model("Zoë 🦦", priority=small, config=config, is_default=True),
        model("two\nlines", priority=big, enabled=False, now=at),
        change("a", before=None, after={"b": 1, "a": [1.0, 1]}),
        change("b", before=None, after=None),
    )
    insert = """
        INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, status, message, cost_nano_usd,
                           milliseconds, started_at, day)
        VALUES (:id, 'c', 1, 'chat', 'n', 'p', 'm', 'ok', :message, :cost, :ms, :at, '2026-03-01')
        """
    for number, ms in enumerate((0.1, 1e308, 5e-324, 3.0)):
        cost = None if number else big
        values = {"id": f"call-{number}", "message": "'; -- \\ %s", "cost": cost, "ms": ms, "at": at}
        await db.execute(insert, **values)
    for number in range(sessions):
        name = f"{'ab-'[number % 3]}{number}"  # a locale's order is not that of the bytes
        await db.write(session(name), *(message(name, position + 1) for position in range(messages)))
    texts = ("An otter sleeps on its back.", "Café crème", "run, ran, runs")
    await Documents(db).ingest([Document(f"text {n}", text) for n, text in enumerate(texts)])
    await ApiKeys(db).create("laptop")
    await db.execute(
        "INSERT INTO events (kind, subject, body, created_at) VALUES ('session.updated', 's', :body, :at)",
        body={},
        at=at,
    )


async def content(db: Database) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables that are copied, as Python values, in one order."""
    found = {}
    for table in sorted(named(load(default_folder(), "postgres")) - LEFT_BEHIND):
        rows = [_plain(row) for row in await db.fetch_all(f"SELECT * FROM {table}")]
        found[table] = sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))
    return found


def _plain(row: Row) -> dict[str, Any]:
    plain = {name: value for name, value in row.items() if name not in ("seq", "words")}
    for name, value in plain.items():
        if isinstance(value, bool):
            plain[name] = int(value)  # as SQLite has it
        elif isinstance(value, str) and value.startswith(("{", "[")):
            plain[name] = as_json(value)
        elif name.endswith("_at") and name != "parent_at":
            plain[name] = as_time(value)
    return dict(sorted(plain.items()))


async def test_every_value_arrives_as_it_was(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    await fill_every_table(source)
    report = await copy(source, target, quiet)

    there = await content(target)
    assert there == await content(source)
    assert {each.table: each.rows for each in report.tables} == {table: len(rows) for table, rows in there.items()}
    assert all(each.rows for each in report.tables)
    assert (report.written, report.mended) == (sum(each.rows for each in report.tables), 0)
    assert await target.fetch_all("SELECT seq FROM events") == []


async def test_the_words_of_the_copy_find_what_the_words_of_the_original_find(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    await copy(source, target, quiet)

    states = [(await Index(db).sync(["default"]))[0] for db in (source, target)]
    assert [len(state) for state in states] == [3, 3]
    for word in ("otter", "sleeping", "cafe", "running", "creme", "nothing"):
        found = [await state.lexical(state.analyser.query(word)) for state in states]
        assert found[0].tolist() == found[1].tolist(), word
        assert any(found[0]) == (word != "nothing"), word


async def test_more_rows_than_one_page_arrive_once_each(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source, sessions=12, messages=97)
    report = await copy(source, target, quiet)
    assert {each.table: each.rows for each in report.tables}["messages"] == 12 * 97
    assert await content(target) == await content(source)


async def test_a_copy_that_is_made_again_writes_nothing(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    first = await copy(source, target, quiet)
    again = await copy(source, target, quiet)
    assert (again.written, again.tables) == (0, first.tables)


async def test_a_copy_that_failed_goes_on_where_it_was(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source, sessions=12, messages=97)

    @contextmanager
    def interrupted(_what: str) -> Iterator[Advance]:
        def advance(done: int, _total: int | None, _doing: str) -> None:
            if done > 700:
                raise OSError("the power failed")

        yield advance

    with pytest.raises(OSError, match="the power failed"):
        await copy(source, target, interrupted)
    kept = await content(target)
    assert 0 < len(kept["messages"]) < 12 * 97

    report = await copy(source, target, quiet)
    assert report.written == sum(each.rows for each in report.tables) - sum(map(len, kept.values()))
    assert await content(target) == await content(source)


COPY = """
import asyncio, sys
from contextlib import AbstractContextManager, contextmanager
from toolkit.db import open_database
from toolkit.db.moving import copy
from toolkit.settings import Settings

@contextmanager
def told(what):
    def advance(done, total, doing):
        sys.stdout.write(f"{what} {done}\\n")
        sys.stdout.flush()
    yield advance

async def main(source, source_schema, target, target_schema):
    one = open_database(Settings(source, schema=source_schema))
    two = open_database(Settings(target, schema=target_schema))
    report = await copy(one, two, told)
    sys.stdout.write(f"written {report.written}\\n")
    await one.close()
    await two.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def start(house: House) -> asyncio.subprocess.Process:
    """A copy in a process of its own, which tells how far it is."""
    arguments = [word for settings in house.settings for word in (settings.database_url, settings.schema)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(sys.executable, "-c", COPY, *arguments, stdout=pipe, stderr=pipe)


async def test_a_copy_that_is_killed_again_and_again_ends_whole_and_doubles_nothing(house: House) -> None:
    source = house.source()
    await fill(source, sessions=12, messages=97)
    for lines in (1, 4, 2, 6):
        process = await start(house)
        assert process.stdout
        for _ in range(lines):
            assert await process.stdout.readline()
        process.kill()
        await process.communicate()
    process = await start(house)
    out, error = await process.communicate()

    assert (process.returncode, error.decode()) == (0, "")
    written = int(out.decode().split()[-1])
    target = house.target()
    whole = await content(target)
    assert whole == await content(source)
    assert written < sum(map(len, whole.values()))
    assert await target.fetch_all("SELECT seq FROM events") == []


async def test_two_copies_at_once_do_not_harm_each_other(house: House) -> None:
    source = house.source()
    await fill(source, sessions=12, messages=97)
    processes = [await start(house) for _ in range(2)]
    ended = await asyncio.gather(*(process.communicate() for process in processes))

    assert [error.decode() for _, error in ended] == ["", ""]
    target = house.target()
    assert await content(target) == await content(source)
    assert await target.fetch_all("SELECT seq FROM events") == []


async def test_a_target_with_rows_of_its_own_is_refused_and_left_alone(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    await target.write(session("mine"))
    before = await content(target)
    with pytest.raises(
        ConfigError, match=r"holds other rows already \(1 in sessions\); name an empty one\.$"
    ) as caught:
        await copy(source, target, quiet)
    assert "opensesame" not in str(caught.value)
    assert await content(target) == before
    assert await target.fetch_all("SELECT seq FROM events") == []


async def test_a_target_with_as_many_but_other_rows_is_refused(house: House) -> None:
    source, target = house.source(), house.target()
    await source.write(session("theirs"))
    await target.write(session("mine"))
    with pytest.raises(ConfigError, match="holds other rows already"):
        await copy(source, target, quiet)
    assert [row["id"] for row in await target.fetch_all("SELECT id FROM sessions")] == ["mine"]


async def test_a_target_that_a_toolkit_was_started_on_once_comes_out_equal(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    await source.open()
    await target.open()
    await Catalog(source, {}).seed()
    await Catalog(target, {"OPENAI_API_KEY": "x"}).seed()
    assert len(await names(target)) == 2

    await copy(source, target, quiet)
    assert await content(target) == await content(source)


async def test_a_target_whose_models_somebody_changed_is_refused(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    await target.open()
    catalog = Catalog(target, {})
    await catalog.seed()
    await catalog.set("offline", priority=1)
    with pytest.raises(ConfigError, match=r"holds other rows already \(2 in model_changes, 1 in models\)"):
        await copy(source, target, quiet)


async def test_a_target_with_a_model_that_no_toolkit_seeded_is_refused(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)
    await target.write(model("mine"))
    with pytest.raises(ConfigError, match=r"holds other rows already \(1 in models\)"):
        await copy(source, target, quiet)
    assert await names(target) == ["mine"]


async def test_a_target_that_waits_for_another_copy_is_refused(house: House, tmp_path: Path) -> None:
    source, target, other = house.source(), house.target(), SqliteDatabase(tmp_path / "other.db")
    await fill(source)
    await other.open()

    def interrupted(_what: str) -> AbstractContextManager[Advance]:
        raise OSError("the power failed")

    with pytest.raises(OSError, match="the power failed"):
        await copy(source, target, interrupted)
    with pytest.raises(ConfigError, match=r"waits for the rest of a copy of .*; finish that one") as caught:
        await copy(other, target, quiet)
    assert source.url in str(caught.value)
    assert "opensesame" not in str(caught.value)
    await other.close()


async def test_both_names_of_one_database_are_seen_to_be_one(house: House, tmp_path: Path) -> None:
    source = house.source()
    await fill(source)
    settings = house.settings[0]
    if source.dialect == "sqlite":
        (tmp_path / "alias.db").symlink_to(tmp_path / "from.db")
        alias = open_database(Settings(f"sqlite:///{tmp_path / 'alias.db'}"))
    else:
        parts = urlsplit(settings.database_url)
        address = parts.netloc.replace("127.0.0.1", "localhost")
        assert address != parts.netloc
        alias = open_database(Settings(urlunsplit(parts._replace(netloc=address)), schema=settings.schema))
    house.opened.append(alias)
    before, told = await content(source), await source.fetch_all("SELECT kind FROM events")
    with pytest.raises(ConfigError, match=r"^Both URLs name the same database, .*; name another one to copy to\.$"):
        await copy(source, alias, quiet)
    assert await content(source) == before
    assert told
    assert await source.fetch_all("SELECT kind FROM events") == told


async def test_a_source_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    source, target = SqliteDatabase(tmp_path / "typo.db"), SqliteDatabase(tmp_path / "new.db")
    with pytest.raises(ConfigError, match=r"^There is no toolkit database at sqlite:///.*typo\.db; check the URL\.$"):
        await copy(source, target, quiet)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - and ASYNC240 would have it otherwise


async def test_memory_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="A database in memory ends with the command; name a file"):
        await copy(SqliteDatabase(tmp_path / "a.db"), SqliteDatabase(None), quiet)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_source_that_is_behind_is_told_what_to_do_and_stays_as_it_is(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    known = load(default_folder(), kind)
    if kind == "sqlite":
        source: Database = SqliteDatabase(tmp_path / "old.db")
    else:
        dsn = request.getfixturevalue("postgres_dsn")
        source = open_database(Settings(dsn, schema=f"m_{uuid.uuid4().hex}"))
    await source.open()
    await source.execute("DELETE FROM schema_migrations WHERE version = :last", last=known[-1].version)
    target = SqliteDatabase(tmp_path / "new.db")
    with pytest.raises(
        MigrationError,
        match=rf"lacks {known[-1].name}; bring it up to date first with: toolkit migrate --db (sqlite|postgresql)://",
    ) as caught:
        await copy(source, target, quiet)
    assert "opensesame" not in str(caught.value)
    assert not (tmp_path / "new.db").exists()
    await source.close()


class Meddling:
    """A source in which something is changed before a page is read."""

    def __init__(self, db: Database, meddle: Callable[[str], Awaitable[None]]) -> None:
        self._db = db
        self._meddle = meddle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def fetch_all(self, sql: str, /, **values: Any) -> list[Row]:
        await self._meddle(sql)
        return await self._db.fetch_all(sql, **values)


async def test_what_is_written_to_the_source_meanwhile_is_there_at_the_end(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source, sessions=3, messages=3)
    begun: list[str] = []

    async def meddle(sql: str) -> None:
        if "FROM messages" not in sql or begun:
            return
        begun.append(sql)  # the sessions were read: one is added with messages, one deleted, one used
        await source.write(session("aa-new"), message("aa-new", 1))
        await source.execute("DELETE FROM sessions WHERE id = 'a0'")
        await source.execute("UPDATE sessions SET title = 'used' WHERE id = 'b1'")
        await source.execute("UPDATE models SET is_default = NOT is_default")  # from the one to the other

    report = await copy(Meddling(source, meddle), target, quiet)  # type: ignore[arg-type] # the rest is the database's
    assert begun
    assert report.mended
    assert await content(target) == await content(source)
    assert await target.fetch_all("SELECT seq FROM events") == []


async def test_a_source_that_never_rests_is_not_called_equal_and_is_finished_when_it_does(house: House) -> None:
    source, target = house.source(), house.target()
    await fill(source)

    async def meddle(sql: str) -> None:
        if "FROM sessions" in sql:
            await source.write(session(stamps.new_id()))

    with pytest.raises(
        Conflict, match=r"^Rows of sessions differ, because other programs write to .*; stop them and run the same comm"
    ):
        await copy(Meddling(source, meddle), target, quiet)  # type: ignore[arg-type] # the rest is the database's
    await copy(source, target, quiet)
    assert await content(target) == await content(source)


@pytest.mark.parametrize(("phase", "table"), [("Copying", "messages"), ("Comparing", "models")])
async def test_a_copy_that_another_one_has_finished_changes_nothing_any_more(
    house: House, phase: str, table: str
) -> None:
    source, target = house.source(), house.target()
    await fill(source, sessions=12, messages=97)
    phases: list[str] = []
    overtaken: list[str] = []

    @contextmanager
    def told(what: str) -> Iterator[Advance]:
        phases.append(what)
        yield lambda _done, _total, _doing: None

    async def meddle(sql: str) -> None:
        if f"FROM {table} " in sql and phases[-1] == phase and not overtaken:
            overtaken.append(sql)
            await copy(house.source(), target, quiet)  # then somebody begins to use the target
            await target.execute("DELETE FROM sessions WHERE id = 'a0'")
            await target.write(session("mine"), message("mine", 1))

    with pytest.raises(ConfigError, match="holds other rows already"):
        await copy(Meddling(source, meddle), target, told)  # type: ignore[arg-type] # the rest is the database's
    kept = {row["id"] for row in await target.fetch_all("SELECT id FROM sessions")}
    assert "mine" in kept
    assert "a0" not in kept


async def test_another_value_in_one_column_is_another_checksum(db: Database) -> None:
    await fill(db)
    every = {table.name: table for table in await tables()}
    for name, column, value in (
        ("models", "enabled", False),
        ("models", "config", {"a": 1}),
        ("models", "updated_at", datetime(2026, 3, 1, 12, 0, 0, 2, UTC)),
        ("calls", "milliseconds", 0.30000000000000004),
        ("calls", "cost_nano_usd", None),
        ("messages", "role", "user "),
    ):
        before = await digest(db, every[name], lambda _rows: None)
        await db.execute(f"UPDATE {name} SET {column} = :value", value=value)
        after = await digest(db, every[name], lambda _rows: None)
        assert after.rows == before.rows
        assert after.checksum != before.checksum, column


async def test_every_table_is_copied_or_left_behind_on_purpose(postgres_dsn: str) -> None:
    db = open_database(Settings(postgres_dsn))
    every = {table.name: table for table in await tables()}
    assert set(every) | LEFT_BEHIND == named(load(default_folder(), "postgres"))
    for table in every.values():
        columns = await db.fetch_all(
            """
            SELECT column_name AS name, is_generated <> 'NEVER' AS derived
              FROM information_schema.columns
             WHERE table_schema = 'toolkit' AND table_name = :table
            """,
            table=table.name,
        )
        assert {row["name"] for row in columns if not row["derived"]} == set(table.columns)
        assert table.key
    await db.close()


async def test_long_rows_make_short_pages(db: Database) -> None:
    await db.write(session("long"))
    insert = "INSERT INTO messages (session_id, position, role, body, created_at) VALUES ('long', :n, 'u', :body, :at)"
    for number in range(250):
        body = {"text": "x" * (400_000 if number >= 64 else 1)}
        await db.execute(insert, n=number, body=body, at=stamps.now())
    table = next(table for table in await tables() if table.name == "messages")
    found = [(len(page), size_of(page)) async for page in pages(db, table)]
    assert sum(rows for rows, _ in found) == 250
    assert max(size for _, size in found[2:]) <= 2 * MOST_BYTES
