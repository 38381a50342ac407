"""Several processes on one SQLite file: who waits for whom, what they are told, and what wakes whom."""

import asyncio
import sys
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest

from tests.db.rows import model, names
from toolkit.db.sqlite import holders
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.db.sqlite.driver import sqlite3
from toolkit.errors import DatabaseBusy

# Takes the write lock, says so, and lets go when it is told to.
HOLD = """
import sqlite3, sys
other = sqlite3.connect(sys.argv[1], isolation_level=None)
other.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
other.execute("COMMIT")
print("free", flush=True)
sys.stdin.readline()
"""

# Opens, writes, reads, looks at the migrations and closes, again and again.
COME_AND_GO = """
import asyncio, sys
from pathlib import Path
from tests.db.rows import model, names
from toolkit.db.sqlite.database import SqliteDatabase

async def main(path, prefix, rounds):
    for number in range(int(rounds)):
        db = SqliteDatabase(Path(path))
        await asyncio.gather(*(db.write(model(f"{prefix}-{number}-{n}")) for n in range(3)), db.migrations())
        await SqliteDatabase(Path(path)).migrations()
        assert f"{prefix}-{number}-2" in await names(db)
        if number % 5 == 4:
            await db.vacuum()
            await db.backup(Path(f"{path}.{prefix}.{number}"))
            assert await db.check() == []
        await db.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def start(code: str, *args: object) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *map(str, args), stdin=pipe, stdout=pipe, stderr=pipe
    )


async def told(process: asyncio.subprocess.Process) -> str:
    """The next line that `process` says."""
    assert process.stdout
    return (await process.stdout.readline()).decode().strip()


@asynccontextmanager
async def another_program_holds(path: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Somebody else keeps the write lock; inside, a line to its input makes it let go."""
    process = await start(HOLD, path, "--password=opensesame")
    assert await told(process) == "held"
    try:
        yield process
    finally:
        await process.communicate(b"\n\n")


@pytest.fixture
async def shared(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "toolkit.db", busy_timeout=0.5, slow_ms=400)
    await database.write(model("before"))
    yield database
    await database.close()


async def test_who_waited_in_vain_is_told_which_program_holds_the_lock_but_not_its_arguments(
    shared: SqliteDatabase, tmp_path: Path
) -> None:
    async with another_program_holds(tmp_path / "toolkit.db") as process:
        with pytest.raises(DatabaseBusy) as caught:
            await shared.write(model("a"))
    program = "Another program" if sys.platform != "linux" else f"The program {Path(sys.executable).name} "
    assert str(caught.value).startswith(program)
    assert sys.platform != "linux" or f"(process {process.pid}) holds the database {tmp_path}" in str(caught.value)
    assert "opensesame" not in str(caught.value)


async def test_all_who_wait_for_a_locked_file_fail_after_one_patience_and_none_after_two(
    shared: SqliteDatabase, tmp_path: Path
) -> None:
    async with another_program_holds(tmp_path / "toolkit.db"):
        early = [asyncio.create_task(shared.write(model(f"{n}"))) for n in range(300)]  # more than a group
        assert await names(shared) == ["before"]  # reading goes on
        assert not any(task.done() for task in early)
        results = await asyncio.gather(*early, return_exceptions=True)
    assert all(isinstance(result, DatabaseBusy) for result in results)
    assert [slow.name for slow in shared.slow_queries()] == ["BEGIN"]  # of the first group; no other has waited
    await shared.write(model("after"))
    assert await names(shared) == ["after", "before"]


async def test_who_still_has_patience_gets_the_lock_that_others_waited_for_in_vain(tmp_path: Path) -> None:
    shared = SqliteDatabase(tmp_path / "toolkit.db", busy_timeout=2.5)
    await shared.open()
    async with another_program_holds(tmp_path / "toolkit.db") as process:
        early = asyncio.create_task(shared.write(model("early")))
        await asyncio.sleep(1.5)  # of the 2.5 that it waits
        late = asyncio.create_task(shared.write(model("late")))
        with pytest.raises(DatabaseBusy):
            await early
        assert process.stdin
        process.stdin.write(b"\n")
        await late
    assert await names(shared) == ["late"]
    await shared.close()


async def test_waiting_for_the_lock_of_another_program_is_a_slow_statement(
    shared: SqliteDatabase, tmp_path: Path
) -> None:
    async with another_program_holds(tmp_path / "toolkit.db"):
        with pytest.raises(DatabaseBusy):
            await shared.write(model("a"))
    (slow,) = shared.slow_queries()
    assert (slow.name, slow.sql) == ("BEGIN", "BEGIN IMMEDIATE")
    assert slow.milliseconds >= 400
    assert shared.pool_stats().slow == 1


async def test_four_processes_that_come_and_go_never_hear_that_the_database_is_locked(tmp_path: Path) -> None:
    path = tmp_path / "toolkit.db"
    processes = [await start(COME_AND_GO, path, prefix, 10) for prefix in "abcd"]
    ended = await asyncio.gather(*(process.communicate() for process in processes))

    assert [error.decode() for _, error in ended] == [""] * 4
    db = SqliteDatabase(path)
    assert len(await names(db)) == 4 * 10 * 3
    await db.close()
    assert not list(tmp_path.glob("*-wal"))  # noqa: ASYNC240 - nobody else waits for this loop


async def test_closing_does_not_wait_for_another_program_s_lock(shared: SqliteDatabase, tmp_path: Path) -> None:
    patient = SqliteDatabase(tmp_path / "toolkit.db", busy_timeout=60)
    await patient.write(model("a"))
    async with another_program_holds(tmp_path / "toolkit.db"):
        await asyncio.wait_for(patient.close(), 30)
    assert await names(shared) == ["a", "before"]


@asynccontextmanager
async def listening(db: SqliteDatabase) -> AsyncIterator[asyncio.Queue[str]]:
    """What a listener hears, `changed` or `ended`; inside, it has heard all that was committed before."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def listen() -> None:
        async for _ in db.changes():
            heard.put_nowait("changed")
        heard.put_nowait("ended")

    listener = asyncio.create_task(listen())
    with suppress(TimeoutError):
        while await asyncio.wait_for(heard.get(), 0.3) == "changed":
            pass
    yield heard
    listener.cancel()
    await asyncio.wait([listener])


async def test_listeners_are_woken_by_a_commit_of_another_process(shared: SqliteDatabase, tmp_path: Path) -> None:
    async with listening(shared) as one, listening(shared) as two:
        async with another_program_holds(tmp_path / "toolkit.db"):
            assert one.empty()
        with closing(sqlite3.connect(tmp_path / "toolkit.db")) as other:
            other.execute("DELETE FROM models")
            other.commit()
        assert await asyncio.wait_for(one.get(), 10) == "changed"
        assert await asyncio.wait_for(two.get(), 10) == "changed"


@pytest.mark.parametrize("name", ["toolkit.db", None])
async def test_a_listener_is_woken_by_a_commit_of_its_own_process_and_ends_with_the_database(
    tmp_path: Path, name: str | None
) -> None:
    db = SqliteDatabase(tmp_path / name if name else None)
    async with listening(db) as heard:
        await db.write(model("a"))
        assert await asyncio.wait_for(heard.get(), 10) == "changed"
        await db.close()
        while await asyncio.wait_for(heard.get(), 10) != "ended":
            pass


async def test_nobody_looks_for_commits_while_nobody_listens(
    shared: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    look = shared._feed._look

    async def count() -> Hashable:
        nonlocal looked
        looked += 1
        return await look()

    monkeypatch.setattr(shared._feed, "_look", count)
    async with listening(shared):
        assert looked > 0
    before = looked
    await asyncio.sleep(0.2)
    assert looked == before


def test_the_holder_of_a_file_that_is_not_there_is_not_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert holders.who_writes(tmp_path / "a.db") is None
    monkeypatch.setattr(holders, "_LOCKS", tmp_path / "no table of locks")
    assert holders.who_writes(tmp_path / "a.db") is None


@pytest.mark.parametrize(
    ("words", "program"),
    [
        (["/usr/bin/python3", "-m", "toolkit", "serve", "--token=x"], "python3 -m toolkit"),
        (["python3.11", "/home/ada/work.py", "secret"], "python3.11 work.py"),
        (["python3", "-c", "secret"], "python3"),
        (["/usr/bin/sqlite3", "secret.db"], "sqlite3"),
        ([""], "(unknown)"),
    ],
)
def test_a_program_is_named_without_its_arguments(words: list[str], program: str) -> None:
    assert holders.name_of(words) == program
