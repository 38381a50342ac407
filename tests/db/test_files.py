"""Which files belong to SQLite, and what comes of it when somebody else opens them."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from toolkit.db.files import is_of_database
from toolkit.search.documents import Document
from toolkit.search.reading.folder import Skipped
from toolkit.search.reading.loader import read
from toolkit.toolkit import Toolkit


@pytest.mark.parametrize("name", ["notes.db", "notes.SQLITE3", "notes", "notes.md"])
def test_a_database_and_what_lies_beside_it_are_known_without_being_opened(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE a (b)")
        there = sorted(path.name for path in tmp_path.iterdir())
        assert there == [name, f"{name}-shm", f"{name}-wal"]
        assert all(is_of_database(path) for path in tmp_path.iterdir())
        (tmp_path / "link.txt").symlink_to(file)
        assert is_of_database(tmp_path / "link.txt")


@pytest.mark.parametrize("name", ["notes.md", "notes-wal", "a-journal", "db"])
def test_other_files_are_none_of_sqlites(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("A text.")
    assert not is_of_database(tmp_path / name)


def test_the_loader_does_not_open_a_database(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "notes.db")) as connection:
        connection.execute("CREATE TABLE a (b)")
    assert read(tmp_path / "notes.db") == Skipped(tmp_path / "notes.db", "a database")


async def test_the_folder_with_the_own_database_can_be_ingested_while_others_look_into_it(tmp_path: Path) -> None:
    look = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT COUNT(*) FROM documents').fetchall()"
    async with Toolkit.open(f"sqlite:///{tmp_path / 'own'}") as tk:
        for number in range(3):
            (tmp_path / f"{number}.md").write_text(f"The document of the number {number}.")
            report = await tk.ingest(tmp_path)
            command = [sys.executable, "-c", look, str(tmp_path / "own")]
            await asyncio.to_thread(subprocess.run, command, check=True)
            await tk.ingest(Document("more", f"More of {number}."))
            assert (tmp_path / "own-wal").exists(), "whoever looks takes no log away that is in use"
    assert {reason for _, reason in report.skipped} == {"a database"}
