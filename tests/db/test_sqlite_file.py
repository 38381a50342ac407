"""What can happen to the file of a SQLite database."""

import asyncio
import shutil
from contextlib import closing
from pathlib import Path

import pytest

from tests.db.rows import model, names
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.sqlite.failures import translate
from toolkit.errors import DatabaseUnavailable


async def test_looking_at_the_migrations_of_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "no" / "a.db")
    assert {entry.applied_at for entry in await db.migrations()} == {None}
    assert not (tmp_path / "no").exists()

    (tmp_path / "empty.db").touch()
    assert {entry.applied_at for entry in await SqliteDatabase(tmp_path / "empty.db").migrations()} == {None}
    assert (tmp_path / "empty.db").stat().st_size == 0


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Dear diary, " * 1000)
    for act in (SqliteDatabase(path).open, SqliteDatabase(path).migrations):
        with pytest.raises(DatabaseUnavailable, match=r"^The file of the database .*notes.txt is not a SQLite"):
            await act()
    assert path.read_text() == "Dear diary, " * 1000


async def test_a_place_where_no_file_can_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    places = {
        tmp_path / "file" / "a.db": r"^The folder .*/file of the .* cannot be made \(.*\); name another place\.$",
        tmp_path: r"^Opening the database .* is not possible; check its path and its permissions\.$",
    }
    for place, sentence in places.items():
        with pytest.raises(DatabaseUnavailable, match=sentence):
            await SqliteDatabase(place).open()


def test_writing_where_one_may_only_read_says_what_to_do(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "a.db").close()
    with closing(sqlite3.connect(f"file:{tmp_path / 'a.db'}?mode=ro", uri=True)) as raw:
        (tmp_path / "a.db").write_bytes(b"")
        with pytest.raises(sqlite3.OperationalError) as caught:
            raw.execute("CREATE TABLE t (x)")
    error = translate(caught.value, "the database a.db")
    assert str(error) == "Writing to the database a.db is not allowed; change its permissions or name another."


async def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    db = SqliteDatabase(path)
    await db.write(*(model(f"{n}", config={"x": "y" * 500}) for n in range(200)))
    await db.close()
    pages = bytearray(path.read_bytes())
    pages[4096 * 2 :] = b"\xa5" * (len(pages) - 4096 * 2)
    path.write_bytes(pages)

    damaged = SqliteDatabase(path)
    with pytest.raises(DatabaseUnavailable, match=r"^The file of .* is damaged; restore a backup of it\.$"):
        await names(damaged)
    await damaged.close()


async def test_a_copy_made_by_sqlite_while_it_is_written_is_whole(tmp_path: Path) -> None:
    file = SqliteDatabase(tmp_path / "toolkit.db")
    await file.write(*(model(f"{n:03}") for n in range(100)))
    writing = [asyncio.create_task(file.write(model(f"later-{n}"))) for n in range(100)]
    await asyncio.to_thread(_backup, tmp_path / "toolkit.db", tmp_path / "copy.db")
    await asyncio.gather(*writing)

    await file.close()

    copy = SqliteDatabase(tmp_path / "copy.db")
    assert len(await names(copy)) >= 100
    await copy.close()


def _listed(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def _backup(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


async def test_the_whole_database_is_one_file_once_it_is_closed(tmp_path: Path) -> None:
    file = SqliteDatabase(tmp_path / "toolkit.db")
    await file.write(model("a"))
    await file.close()
    assert _listed(tmp_path) == ["toolkit.db"]
    shutil.copy(tmp_path / "toolkit.db", tmp_path / "moved.db")
    moved = SqliteDatabase(tmp_path / "moved.db")
    assert await names(moved) == ["a"]
    await moved.close()
