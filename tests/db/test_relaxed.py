"""Writes that need not wait for the disk."""

import asyncio
import signal
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

from toolkit.db import Statement
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.db.sqlite.driver import Connection, sqlite3

ROOT = Path(__file__).parent.parent.parent


async def test_a_relaxed_write_does_not_wait_for_the_disk_and_the_next_one_does(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "a.db")
    await db.open()
    said: list[str] = []

    def listen(connection: Connection) -> None:
        connection.conn.set_trace_callback(said.append)

    assert db._threads
    await db._threads.writer.run(listen, alone=True)
    row = Statement("INSERT INTO limits (kind, name, updated_at) VALUES ('user', :name, '2026-01-01')", {"name": "a"})
    for name, relaxed in (("a", True), ("b", True), ("c", False)):
        await db.write(row._replace(values={"name": name}), relaxed=relaxed)
    assert [text for text in said if "synchronous" in text or text == "COMMIT"] == [
        "PRAGMA synchronous = NORMAL",
        "COMMIT",
        "COMMIT",
        "PRAGMA synchronous = FULL",
        "COMMIT",
    ]
    await db.close()


async def test_one_write_that_is_not_relaxed_has_its_whole_group_wait_for_the_disk(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "a.db")
    await db.open()
    said: list[str] = []
    held = threading.Event()

    def hold(connection: Connection) -> None:
        connection.conn.set_trace_callback(said.append)
        held.wait(20)

    assert db._threads
    holding = asyncio.create_task(db._threads.writer.run(hold, alone=True))
    row = Statement("INSERT INTO limits (kind, name, updated_at) VALUES ('user', :name, '2026-01-01')", {"name": "a"})
    writing = [
        asyncio.create_task(db.write(row._replace(values={"name": name}), relaxed=name != "b")) for name in "abc"
    ]
    await asyncio.sleep(0)
    while db._threads.writer.waiting < 3:  # noqa: ASYNC110 - another thread's queue
        await asyncio.sleep(0.001)
    held.set()
    await asyncio.gather(holding, *writing)
    assert [text for text in said if "synchronous" in text or text == "COMMIT"] == ["COMMIT"]
    await db.close()


def test_a_relaxed_write_outlives_the_program_that_is_killed_after_it(tmp_path: Path) -> None:
    program = f"""
import asyncio, os, signal
from pathlib import Path
from toolkit.db import Statement
from toolkit.db.sqlite.database import SqliteDatabase

async def main():
    db = SqliteDatabase(Path({str(tmp_path / "a.db")!r}))
    sql = "INSERT INTO limits (kind, name, updated_at) VALUES ('user', 'ada', '2026-01-01')"
    await db.write(Statement(sql), relaxed=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        assert connection.execute("SELECT name FROM limits").fetchall() == [("ada",)]
