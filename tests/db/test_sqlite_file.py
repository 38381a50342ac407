"""What can happen to the file of a SQLite database."""

import asyncio
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.db.rows import model, names
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.sqlite.failures import Place, translate
from toolkit.errors import DatabaseUnavailable, MigrationError

MAY_NOT = (
    "Writing to the database {} is not allowed; change the permissions of the file and of its folder, or name another."
)


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
    error = translate(caught.value, Place(None, "the database a.db"))
    assert str(error) == MAY_NOT.replace("{}", "a.db")


async def rows_in(path: Path) -> None:
    """Make the database `path`, of some hundred pages, in one file."""
    db = SqliteDatabase(path)
    await db.write(*(model(f"{n:03}", config={"x": "y" * 2000}) for n in range(200)))
    await db.close()


DAMAGES = {
    "all pages but two": lambda pages: pages[: 4096 * 2] + b"\xa5" * (len(pages) - 4096 * 2),
    "cut in half": lambda pages: pages[: len(pages) // 2],
    "cut in a page": lambda pages: pages[: 4096 * 30 + 100],
    "the header of the tables": lambda pages: pages[:100] + b"\xff" * 500 + pages[600:],
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_said_to_be_damaged_with_the_command_that_helps(tmp_path: Path, damage: str) -> None:
    await rows_in(tmp_path / "a.db")
    (tmp_path / "a.db").write_bytes(DAMAGES[damage]((tmp_path / "a.db").read_bytes()))

    db = SqliteDatabase(tmp_path / "a.db")
    sentence = r"^The file of .* is damaged; `toolkit db check` says how badly\. Restore a backup, or .* `\.recover` of"
    with pytest.raises(DatabaseUnavailable, match=sentence):
        await db.fetch_all("SELECT * FROM models ORDER BY name")
    problems = await db.check()
    await db.close()
    assert problems


async def test_a_page_that_was_damaged_is_found_and_its_table_named(tmp_path: Path) -> None:
    await rows_in(tmp_path / "a.db")
    pages = bytearray((tmp_path / "a.db").read_bytes())
    with closing(sqlite3.connect(tmp_path / "a.db")) as raw:
        (index,) = raw.execute("SELECT rootpage FROM sqlite_master WHERE name = 'models_chain'").fetchone()
    pages[(index - 1) * 4096 + 8 : index * 4096] = b"\xa5" * (4096 - 8)
    (tmp_path / "a.db").write_bytes(pages)

    db = SqliteDatabase(tmp_path / "a.db")
    problems = await db.check()
    assert "models" in {problem.table for problem in problems}
    assert len(await names(db)) == 200  # what does not need the page goes on
    await db.close()


async def test_a_log_that_was_deleted_shortens_history_and_the_rest_is_sound(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "a.db")
    await db.write(model("before"))
    await db.vacuum()  # it brings the log into the file
    shutil.copy(tmp_path / "a.db", tmp_path / "copy.db")
    await db.write(model("in the log"))
    await db.close()

    copy = SqliteDatabase(tmp_path / "copy.db")
    assert await names(copy) == ["before"]
    assert await copy.check() == []
    await copy.close()


async def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(os.urandom(8192))
    db = SqliteDatabase(tmp_path / "a.db")
    for act in (db.open, db.migrations, db.check):
        with pytest.raises(DatabaseUnavailable, match=r"is not a SQLite database, or it is encrypted; name another"):
            await act()


async def test_a_file_of_a_newer_toolkit_is_refused(tmp_path: Path) -> None:
    await rows_in(tmp_path / "a.db")
    with closing(sqlite3.connect(tmp_path / "a.db")) as raw:
        raw.execute("INSERT INTO schema_migrations VALUES (9999, '9999_later', 'x', '2030-01-01T00:00:00+00:00')")
        raw.commit()
    with pytest.raises(MigrationError, match=r"^The database is at version 9999, .* upgrade toolkit-mcp\.$"):
        await SqliteDatabase(tmp_path / "a.db").open()


# As somebody who may read and not write: root, whom no permission stops, becomes nobody.
USE = """
import asyncio, os, sys
from pathlib import Path
from tests.db.rows import model
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.errors import DatabaseError

async def main():
    everything_is_imported = SqliteDatabase(None)
    await everything_is_imported.write(model("a"))
    await everything_is_imported.close()
    if os.geteuid() == 0:
        os.setgroups([]), os.setgid(65534), os.setuid(65534)
    db = SqliteDatabase(Path(sys.argv[1]))
    try:
        await db.write(model("a"))
        print("written")
    except DatabaseError as error:
        print(error)
    await db.close()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of another kind")
async def test_a_file_or_a_folder_that_may_only_be_read_is_said_and_used_again_once_it_may_be_written() -> None:
    with TemporaryDirectory() as name:  # pytest's own folders are closed to everybody else
        folder = Path(name)
        await rows_in(folder / "a.db")
        for mode_of_folder, mode_of_file, said in (
            (0o777, 0o444, MAY_NOT),
            (0o555, 0o666, MAY_NOT),
            (0o777, 0o000, MAY_NOT),
            (0o777, 0o666, "written"),
        ):
            await asyncio.to_thread((folder / "a.db").chmod, mode_of_file)
            await asyncio.to_thread(folder.chmod, mode_of_folder)
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", USE, str(folder / "a.db")], capture_output=True, text=True
            )
            assert (done.stdout.strip(), done.stderr) == (said.format(folder / "a.db"), "")


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
