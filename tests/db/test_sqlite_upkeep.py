"""Backup, vacuum, check and figures of a SQLite database, and how safe it writes."""

import asyncio
import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.db.rows import add_chunks, model, names
from tests.db.test_sqlite import held, pragma, threads
from toolkit.db import Database, Problem, Statement
from toolkit.db.sqlite import upkeep
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.db.sqlite.driver import sqlite3
from toolkit.errors import ConfigError, DatabaseUnavailable

# Writes rows of which each needs the one before, as fast as it can, until its input ends.
WRITE = """
import sqlite3, sys, threading
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
threading.Thread(target=lambda: (sys.stdin.read(), over.append(1)), daemon=True).start()
over = []
number = 0
while not over:
    db.execute("BEGIN IMMEDIATE")
    db.execute("INSERT INTO model_changes (id, model_id, name, action, changed_at) VALUES (?, 'x', 'x', 'set', 'x')",
               (str(number),))
    db.execute("UPDATE models SET priority = ?", (number,))
    db.execute("COMMIT")
    if not number:
        print("begun", flush=True)
    number += 1
"""


@pytest.fixture(params=["toolkit.db", None])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> SqliteDatabase:
    """A database in a file, and one in memory."""
    return SqliteDatabase(tmp_path / request.param if request.param else None)


def listed(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_backup_is_one_file_that_opens_by_itself(kept: SqliteDatabase, tmp_path: Path) -> None:
    await kept.write(*(model(f"{n:03}") for n in range(100)))
    (tmp_path / "backups").mkdir()
    await kept.backup(tmp_path / "backups" / "copy.db")
    await kept.close()

    assert listed(tmp_path / "backups") == ["copy.db"]
    with closing(sqlite3.connect(f"file:{tmp_path}/backups/copy.db?immutable=1", uri=True)) as alone:
        assert alone.execute("SELECT COUNT(*) FROM models").fetchone() == (100,)
    copy = SqliteDatabase(tmp_path / "backups" / "copy.db")
    assert len(await names(copy)) == 100
    await copy.close()


async def test_a_backup_beside_a_busy_writer_ends_and_is_of_one_moment(tmp_path: Path) -> None:
    file = SqliteDatabase(tmp_path / "toolkit.db")
    await file.write(*(model(f"{n:04}", config={"x": "y" * 2000}) for n in range(400)))  # more pages than one
    pipe = asyncio.subprocess.PIPE
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITE, str(tmp_path / "toolkit.db"), stdin=pipe, stdout=pipe
    )
    assert writer.stdout
    await writer.stdout.readline()
    for number in range(3):
        await asyncio.gather(file.backup(tmp_path / f"{number}.db"), file.write(model(f"meanwhile-{number}")))
    await writer.communicate(b"\n")
    await file.close()

    for number in range(3):
        with closing(sqlite3.connect(tmp_path / f"{number}.db")) as copy:
            (last,) = copy.execute("SELECT MAX(CAST(id AS INTEGER)) FROM model_changes").fetchone()
            assert copy.execute("SELECT DISTINCT priority FROM models WHERE name < '1'").fetchall() == [(last,)]
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_a_backup_takes_the_place_of_nothing(kept: SqliteDatabase, tmp_path: Path) -> None:
    (tmp_path / "there.db").write_text("dear")
    for place, sentence in {
        "there.db": r"^The file .*/there\.db is there already; name a new one\.$",
        "no/a.db": r"^The folder .*/no is not there; make it, or name another\.$",
    }.items():
        with pytest.raises(ConfigError, match=sentence):
            await kept.backup(tmp_path / place)
    assert (tmp_path / "there.db").read_text() == "dear"
    await kept.close()


async def test_a_backup_whose_name_was_taken_meanwhile_leaves_that_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_sync", lambda _: (tmp_path / "copy.db").write_text("dear"))
    db = SqliteDatabase(tmp_path / "toolkit.db")
    with pytest.raises(ConfigError, match="is there already"):
        await db.backup(tmp_path / "copy.db")
    await db.close()
    assert (tmp_path / "copy.db").read_text() == "dear"
    assert listed(tmp_path) == ["copy.db", "toolkit.db"]


async def test_a_backup_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(upkeep, "_sync", fail)
    db = SqliteDatabase(tmp_path / "toolkit.db")
    with pytest.raises(DatabaseUnavailable, match=r"^The backup .*/copy\.db cannot be written \(No space left on dev"):
        await db.backup(tmp_path / "copy.db")
    await db.close()
    assert listed(tmp_path) == ["toolkit.db"]


async def test_vacuum_gives_the_space_of_deleted_rows_back(tmp_path: Path) -> None:
    file = SqliteDatabase(tmp_path / "toolkit.db")
    await file.write(*(model(f"{n}", config={"x": "y" * 2000}) for n in range(500)))
    await file.write(Statement("DELETE FROM models WHERE name <> '7'"))
    await asyncio.gather(file.vacuum(), *(file.write(model(f"meanwhile-{n}")) for n in range(5)))
    size = (tmp_path / "toolkit.db").stat().st_size
    assert len(await names(file)) == 6
    await file.close()
    assert size < 400_000


async def test_vacuum_works_in_memory() -> None:
    db = SqliteDatabase(None)
    await db.write(model("a"))
    await db.vacuum()
    assert await names(db) == ["a"]
    await db.close()


async def test_a_sound_database_has_no_problems(kept: SqliteDatabase) -> None:
    await add_chunks(kept, [("Guide", "How to install")])
    await kept.write(model("a"))
    assert await kept.check() == []
    await kept.close()


async def spoil(db: Database, *sql: str) -> None:
    """Run what only a program that knows no foreign keys would do."""
    assert isinstance(db, SqliteDatabase)
    await threads(db).writer.run(
        lambda connection: [connection.conn.execute(text).fetchall() for text in sql], alone=True
    )


async def test_rows_that_refer_to_nothing_are_found(kept: SqliteDatabase) -> None:
    await add_chunks(kept, [("Guide", "How to install"), ("", "How to remove")])
    await spoil(kept, "PRAGMA foreign_keys = OFF", "DELETE FROM documents", "PRAGMA foreign_keys = ON")
    problem = "2 of its rows refer to rows of documents that are not there; the first is row 1."
    assert await kept.check() == [Problem("chunks", problem)]
    await kept.close()


async def test_an_index_that_lacks_a_row_is_found_and_its_table_named(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "toolkit.db")
    await db.write(model("a"), model("b"))
    await spoil(
        db,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = sql || ' WHERE priority > 100' WHERE name = 'models_chain'",
        "PRAGMA writable_schema = RESET",
    )
    problems = await db.check()
    await db.close()
    assert {problem.table for problem in problems} == {"models"}
    assert "models_chain" in problems[0].message


async def test_the_figures_say_what_was_done_and_how_busy_it_is(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "toolkit.db")
    assert set(vars_of(db)) == {0, 2}  # no connection of at most two, and nothing done
    await db.write(model("a"))
    await names(db)
    while db.pool_stats().idle < 2:  # noqa: ASYNC110 - a thread says so only after it has answered
        await asyncio.sleep(0)
    async with held(db):
        writes = [asyncio.create_task(db.write(model(f"{n}"))) for n in range(10)]
        await asyncio.sleep(0)
        stats = db.pool_stats()
        assert (stats.connections, stats.idle, stats.most, stats.waiting) == (2, 1, 2, 10)
        assert (stats.reads, stats.writes, stats.commits) == (1, 1, 1)
    await asyncio.gather(*writes)
    stats = db.pool_stats()
    assert (stats.writes, stats.commits, stats.waiting) == (11, 3, 0)
    await db.close()


def vars_of(db: SqliteDatabase) -> list[int]:
    stats = db.pool_stats()
    return [stats.connections, stats.idle, stats.most, stats.waiting, stats.reads, stats.writes, stats.commits]


async def test_a_statement_that_takes_long_is_kept_by_name_and_without_its_values(tmp_path: Path) -> None:
    count = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < :most) SELECT MAX(x) FROM n"
    db = SqliteDatabase.from_url(f"sqlite:///{tmp_path}/toolkit.db", slow_ms=20)
    await db.fetch_all(count, most=400_000)
    (slow,) = [slow for slow in db.slow_queries() if "RECURSIVE" in slow.sql]
    assert slow.milliseconds >= 20
    assert "400000" not in slow.sql
    await db.close()


@pytest.mark.parametrize(("option", "level"), [("normal", 1), ("NORMAL", 1), ("full", 2)])
async def test_how_safely_it_writes_is_an_option_of_its_url(tmp_path: Path, option: str, level: int) -> None:
    db = SqliteDatabase.from_url(f"sqlite:///{tmp_path}/a.db?synchronous={option}")
    await db.open()
    assert await pragma(db, "synchronous") == (level, level)
    assert db.url == f"sqlite:///{tmp_path}/a.db"
    await db.close()


@pytest.mark.parametrize("options", ["synchronous=off", "mode=ro", "synchronous=full&mode=ro", "synchronous="])
def test_another_option_of_a_url_is_refused_in_one_sentence(options: str) -> None:
    with pytest.raises(ConfigError, match=r"there is only one: synchronous=full or synchronous=normal\.$"):
        SqliteDatabase.from_url(f"sqlite:///a.db?{options}")


async def test_a_question_mark_may_be_part_of_a_file_s_name(tmp_path: Path) -> None:
    for name in ("what?.db", "who?what", "why?now?.db"):
        db = SqliteDatabase.from_url(f"sqlite:///{tmp_path}/{name}?synchronous=normal")
        await db.write(model("a"))
        await db.backup(tmp_path / f"copy of {name}")
        await db.close()
        assert (tmp_path / name).stat().st_size > 0
        assert len(await SqliteDatabase.from_url(f"sqlite:///{tmp_path}/{name}").migrations()) > 0


async def test_a_backup_that_cannot_be_made_says_so_of_the_backup_and_not_of_the_database(tmp_path: Path) -> None:
    (tmp_path / f".copy.db.{os.getpid()}.part").mkdir()  # in its way
    db = SqliteDatabase(tmp_path / "toolkit.db")
    with pytest.raises(DatabaseUnavailable, match=r"^Opening the backup .*copy\.db is not possible; "):
        await db.backup(tmp_path / "copy.db")
    await db.close()
