"""What could not be written is written later, once, by this process or the next; an answer never waits for it."""

import asyncio
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from tests.tcp_proxy import TcpProxy
from tests.usage.rows import ADA, asked, keep, keep_tool
from toolkit.db import Database, Rows, Statement, open_database
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.errors import DatabaseError, DatabaseFull, DatabaseUnavailable
from toolkit.settings import Settings
from toolkit.stamps import new_id, now
from toolkit.usage import arrears
from toolkit.usage.entries import call, rows_of
from toolkit.usage.ledger import Ledger
from toolkit.usage.spool import Spool

CATCH_UP = """
import asyncio, sys
from pathlib import Path
from toolkit.db import open_database
from toolkit.settings import Settings
from toolkit.usage.ledger import Ledger

async def main(url, folder):
    db = open_database(Settings(url))
    await Ledger(db, spool=Path(folder)).catch_up()
    await db.close()

asyncio.run(main(*sys.argv[1:]))
"""


class Faulty:
    """A database that takes no rows while `fault` is set; everything else is done by the real one."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.fault: Exception | None = DatabaseFull("No space is left.")
        self.keeps_first = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def write(self, *statements: Statement | Rows, **values: Any) -> Any:
        if self.fault and self.keeps_first:
            await self._db.write(*statements, **values)
        if self.fault:
            raise self.fault
        return await self._db.write(*statements, **values)


@pytest.fixture
def faulty(db: Database) -> Faulty:
    return Faulty(db)


@pytest.fixture
def ledger(faulty: Faulty, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """Its pauses are short."""
    monkeypatch.setattr(arrears, "_PAUSES", (0.01,))
    return Ledger(faulty)


@pytest.fixture
def slow_ledger(faulty: Faulty, tmp_path: Path) -> Ledger:
    """It tries again by itself after a second only; its files are of a database with a name."""
    ledger = Ledger(faulty)
    ledger._arrears._spool = Spool(tmp_path / "spool", "db")
    return ledger


async def settled(ledger: Ledger) -> None:
    async with asyncio.timeout(30):
        while ledger.waiting:  # noqa: ASYNC110 - the ledger tells nobody
            await asyncio.sleep(0.01)


async def told(db: Database) -> int:
    rows = await db.fetch_all("SELECT seq FROM events WHERE kind LIKE 'generation.%'")
    return len(rows)


@pytest.mark.parametrize(
    "fault", [DatabaseFull("full"), DatabaseUnavailable("gone"), DatabaseError("no such table"), OSError("odd")]
)
async def test_what_failed_is_written_when_the_database_takes_rows_again(
    ledger: Ledger, faulty: Faulty, db: Database, fault: Exception
) -> None:
    faulty.fault = fault
    await keep(ledger, "a")
    await keep_tool(ledger)
    await ledger._tools_written()
    assert (ledger.waiting, ledger.failures, ledger.last_failure) == (2, 2, str(fault))

    faulty.fault = None
    await settled(ledger)

    assert [call.attempt.name for call in await ledger.calls()] == ["a"]
    assert [each.tool for each in await ledger.tool_calls()] == ["search"]
    assert await told(db) == 1
    assert (ledger.failures, ledger.dropped) == (2, 0)


async def test_a_row_that_was_kept_although_the_write_failed_is_neither_kept_nor_told_twice(
    ledger: Ledger, faulty: Faulty, db: Database
) -> None:
    faulty.keeps_first = True
    await keep(ledger)
    assert ledger.waiting == 1

    faulty.fault = None
    await settled(ledger)

    assert len(await ledger.calls()) == 1
    assert await told(db) == 1


async def test_a_missing_table_loses_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrears, "_PAUSES", (0.01,))
    ledger = Ledger(db)
    table = "toolkit.calls" if db.dialect == "postgres" else "calls"
    away = "toolkit.away" if db.dialect == "postgres" else "away"
    await db.write(Statement(f"ALTER TABLE {table} RENAME TO away"))
    try:
        await keep(ledger)
        assert ledger.waiting == 1
    finally:
        await db.write(Statement(f"ALTER TABLE {away} RENAME TO calls"))

    await settled(ledger)
    assert len(await ledger.calls()) == 1


async def test_a_row_that_no_database_can_keep_is_given_up_and_holds_up_no_other(
    ledger: Ledger, faulty: Faulty
) -> None:
    faulty.fault = None
    await keep(ledger, "nul\0")
    await keep(ledger, "b")

    assert (ledger.waiting, ledger.dropped, ledger.failures) == (0, 1, 1)
    assert [call.attempt.name for call in await ledger.calls()] == ["b"]


async def test_one_row_that_is_refused_does_not_hold_up_the_others(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrears, "_TOGETHER", 1)
    await keep(ledger, "a")
    await keep(ledger, "b")
    (first, *_) = list(ledger._arrears._queue)
    first_id = first[0].values["id"]

    class Picky(Faulty):
        async def write(self, *statements: Statement | Rows, **values: Any) -> Any:
            if isinstance(statements[0], Statement) and statements[0].values["id"] == first_id:
                raise DatabaseError("Not this one.")
            return await self._db.write(*statements, **values)

    ledger._arrears._db = Picky(db)
    async with asyncio.timeout(30):
        while ledger.waiting > 1:  # noqa: ASYNC110 - the ledger tells nobody
            await asyncio.sleep(0.01)
    assert [call.attempt.name for call in await ledger.calls()] == ["b"]


async def test_no_more_than_so_many_wait_and_the_oldest_is_dropped(
    slow_ledger: Ledger, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrears, "MOST", 2)
    for name in "abc":
        await keep(slow_ledger, name)
    assert (slow_ledger.waiting, slow_ledger.dropped) == (2, 1)

    faulty.fault = None
    assert await slow_ledger.catch_up() == 2
    assert {call.attempt.name for call in await slow_ledger.calls()} == {"b", "c"}


async def test_an_answer_does_not_wait_for_rows_that_are_tried_again(
    slow_ledger: Ledger, faulty: Faulty, db: Database
) -> None:
    await keep(slow_ledger, "a")
    gate = asyncio.Event()

    class Stuck(Faulty):
        async def write(self, *_: Statement | Rows, **__: Any) -> Any:
            await gate.wait()

    slow_ledger._arrears._db = Stuck(db)
    trying = asyncio.create_task(slow_ledger.catch_up())
    await asyncio.sleep(0)
    faulty.fault = None
    await keep(slow_ledger, "b")

    assert not trying.done()
    assert [call.attempt.name for call in await slow_ledger.calls()] == ["b"]
    gate.set()
    await trying


# --- files


async def test_what_is_left_at_the_end_goes_into_a_file_that_only_its_owner_may_read(
    slow_ledger: Ledger, tmp_path: Path
) -> None:
    await keep(slow_ledger, "a", call_id="q1")
    await keep_tool(slow_ledger)
    await slow_ledger.flush()

    (file,) = (tmp_path / "spool").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    head, first, second = map(json.loads, file.read_text().splitlines())
    assert head == {"database": "db"}
    assert (first["table"], first["name"], first["call_id"]) == ("calls", "a", "q1")
    assert (second["table"], second["tool"]) == ("tool_calls", "search")


async def test_what_waited_long_goes_into_a_file_before_the_end(ledger: Ledger, faulty: Faulty, tmp_path: Path) -> None:
    ledger._arrears._spool = Spool(tmp_path / "spool", "db")
    await keep(ledger)
    async with asyncio.timeout(30):
        while not list(tmp_path.glob("spool/*.jsonl")):  # noqa: ASYNC110, ASYNC240 - nobody tells of a file
            await asyncio.sleep(0.01)
    assert ledger.waiting == 1

    faulty.fault = None
    await settled(ledger)
    assert len(await ledger.calls()) == 1
    assert list(tmp_path.glob("spool/*")) == []  # noqa: ASYNC240


async def test_a_later_process_brings_the_rows_into_the_ledger_after_its_first_row(
    slow_ledger: Ledger, faulty: Faulty, db: Database, tmp_path: Path
) -> None:
    started = now()
    attempt = asked("a", request_id="r1", key="OPENAI_API_KEYS[2]", uncounted=True)
    await slow_ledger.record(attempt, call_id="q1", number=2, kind="stream", caller=ADA, started_at=started)
    await slow_ledger.flush()
    faulty.fault = None

    later = Ledger(db)
    later._arrears = arrears.Arrears(db, Spool(tmp_path / "spool", "db"))
    assert await later.calls() == []
    await keep(later, "b")
    async with asyncio.timeout(30):
        while list(tmp_path.glob("spool/*.jsonl")):  # noqa: ASYNC110, ASYNC240 - nobody tells of a file
            await asyncio.sleep(0.01)

    (found,) = await later.calls(call_id="q1")
    assert (found.attempt, found.number, found.kind, found.started_at) == (attempt, 2, "stream", started)
    assert await told(db) == 2
    await later.flush()


async def test_a_process_that_ends_at_once_has_brought_the_rows_of_earlier_ones_along(
    slow_ledger: Ledger, db: Database, tmp_path: Path
) -> None:
    await keep(slow_ledger, "a")
    await slow_ledger.flush()

    later = Ledger(db)
    later._arrears = arrears.Arrears(db, Spool(tmp_path / "spool", "db"))
    await keep(later, "b")
    await later.flush()

    assert {call.attempt.name for call in await later.calls()} == {"a", "b"}
    assert list(tmp_path.glob("spool/*")) == []  # noqa: ASYNC240 - nothing else runs here


async def test_several_processes_that_take_the_same_files_at_once_keep_and_tell_every_row_once(
    database_url: str, tmp_path: Path
) -> None:
    db = open_database(Settings(database_url))
    await db.open()
    spool = Spool(tmp_path / "spool", db.url)
    ledger = Ledger(db)
    rows = [
        row
        for number in range(300)
        for row in rows_of(
            ledger.rows(asked(f"m{number}"), call_id=new_id(), number=1, kind="chat", caller=ADA, started_at=now())
        )
    ]
    for first in range(0, 300, 50):
        spool.keep(rows[first : first + 50])

    command = [sys.executable, "-c", CATCH_UP, database_url, str(tmp_path / "spool")]
    programs = [subprocess.Popen(command) for _ in range(3)]  # noqa: ASYNC220 - nothing else runs here
    assert [program.wait() for program in programs] == [0, 0, 0]

    assert spool.files() == []
    assert len({call.attempt.name for call in await ledger.calls(limit=1000)}) == 300
    assert (await ledger.stats()).calls == await told(db) == 300
    await db.close()


async def test_a_process_that_is_killed_while_it_takes_a_file_loses_and_doubles_nothing(
    database_url: str, tmp_path: Path
) -> None:
    db = open_database(Settings(database_url))
    await db.open()
    spool, ledger = Spool(tmp_path / "spool", db.url), Ledger(db)
    rows = [
        row
        for number in range(2000)
        for row in rows_of(
            ledger.rows(asked(f"m{number}"), call_id=new_id(), number=1, kind="chat", caller=ADA, started_at=now())
        )
    ]
    spool.keep(rows)
    command = [sys.executable, "-c", CATCH_UP, database_url, str(tmp_path / "spool")]
    program = subprocess.Popen(command)  # noqa: ASYNC220 - it takes a millisecond
    async with asyncio.timeout(60):
        while not (await ledger.stats()).calls:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.001)
    program.kill()
    program.wait()
    kept = (await ledger.stats()).calls

    assert kept > 0
    assert kept == 2000 or len(spool.files()) == 1
    again = Ledger(db, spool=tmp_path / "spool")
    await again.catch_up()
    assert (await ledger.stats()).calls == await told(db) == 2000
    assert spool.files() == []
    await db.close()


async def test_the_rows_of_another_database_and_what_is_no_row_are_left_alone(
    slow_ledger: Ledger, faulty: Faulty, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await keep(slow_ledger)
    await slow_ledger.flush()
    folder = tmp_path / "spool"
    (file,) = folder.glob("*.jsonl")
    with file.open("a") as out:
        out.write('{"table": "calls", "id": "half a r\n[]\n{"table": "users", "id": "x"}\n')
    (folder / "0.jsonl").write_text('{"database": "another"}\n' + file.read_text().splitlines()[1] + "\n")
    (folder / "1.jsonl").write_text("\ufeff")
    faulty.fault = None

    assert await slow_ledger.catch_up() == 1
    assert len(await slow_ledger.calls()) == 1
    assert sorted(each.name for each in folder.iterdir()) == ["0.jsonl", "1.jsonl"]
    assert caplog.text.count("is left out") == 3


async def test_a_folder_that_cannot_be_written_is_told_and_nothing_breaks(
    slow_ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "spool").write_text("a file, not a folder")
    await keep(slow_ledger)
    await slow_ledger.flush()

    assert "cannot be kept in a file" in caplog.text
    assert "1 rows of the ledger could not be written" in caplog.text


async def test_a_database_in_memory_leaves_no_file(tmp_path: Path) -> None:
    db = open_database(Settings("sqlite://"))
    ledger = Ledger(db, spool=tmp_path / "spool")
    await db.close()
    await keep(ledger)
    await ledger.flush()
    assert ledger.waiting == 1
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_a_server_that_goes_away_and_comes_back_gets_every_row(
    postgres_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.usage.ledger._PATIENCE", 0.05)
    monkeypatch.setattr(arrears, "_PAUSES", (0.05,))
    call_id = new_id()
    server = urlsplit(postgres_dsn)
    async with TcpProxy(server.port or 0) as proxy:
        address = server._replace(netloc=server.netloc.replace(f":{server.port}", f":{proxy.port}"))
        db = PostgresDatabase("toolkit", url=urlunsplit(address), patience=0.3)
        await db.open()
        ledger = Ledger(db, spool=tmp_path / "spool")
        await proxy.refuse()
        await asyncio.gather(*(keep(ledger, f"m{number}", call_id=call_id) for number in range(5)))
        async with asyncio.timeout(60):
            while ledger.waiting < 5:  # noqa: ASYNC110 - the ledger tells nobody
                await asyncio.sleep(0.05)
        await proxy.listen()
        await settled(ledger)
        assert len(await ledger.calls(call_id=call_id)) == 5
        await ledger.flush()
        await db.close()


async def test_a_row_comes_out_of_a_file_as_it_went_in() -> None:
    ledger = Ledger(None)  # type: ignore[arg-type]  # nothing is written
    statements = ledger.rows(asked(), call_id="q", number=1, kind="chat", caller=ADA, started_at=now())
    (row,) = rows_of(statements)
    (again, *_) = call({**statements[0].values})
    assert row == rows_of((again,))[0]
    assert "table" in row
