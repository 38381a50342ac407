"""What is particular to SQLite: the two threads, group commit, and everything that can happen to a file."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.db.rows import model, names
from toolkit.db import Statement
from toolkit.db.sqlite import thread
from toolkit.db.sqlite.database import SqliteDatabase, Threads
from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.errors import Conflict, DatabaseBusy, DatabaseError, DatabaseFull, DatabaseUnavailable


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "toolkit.db", busy_timeout=0.2)
    await database.open()
    yield database
    await database.close()


def threads(db: SqliteDatabase) -> Threads:
    assert db._threads
    return db._threads


async def pragma(db: SqliteDatabase, name: str) -> tuple[object, object]:
    """What the writer's and the reader's connection say."""

    def ask(connection: Connection) -> object:
        return connection.execute(f"PRAGMA {name}").fetchone()[0]

    return await threads(db).writer.run(ask), await threads(db).reader.run(ask)


async def test_both_connections_are_set_to_keep_what_they_acknowledge(file: SqliteDatabase) -> None:
    assert await pragma(file, "journal_mode") == ("wal", "wal")
    assert await pragma(file, "synchronous") == (2, 2)
    assert await pragma(file, "foreign_keys") == (1, 1)
    assert await pragma(file, "busy_timeout") == (200, 200)
    assert await pragma(file, "query_only") == (0, 1)


async def test_times_are_kept_as_text_of_one_width_in_utc(file: SqliteDatabase) -> None:
    moment = datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    await file.write(model("a", now=moment))
    row = await file.fetch_one("SELECT created_at, typeof(created_at) AS type, typeof(config) AS json FROM models")
    assert row == {"created_at": "2026-01-01T00:00:00.000000+00:00", "type": "text", "json": "text"}


async def test_a_query_may_not_write(tmp_path: Path) -> None:
    for db in (SqliteDatabase(tmp_path / "a.db"), SqliteDatabase(None)):
        await db.write(model("a"))
        with pytest.raises(DatabaseUnavailable, match=r"^Writing to the database .* is not allowed; "):
            await db.fetch_all("DELETE FROM models")
        assert await names(db) == ["a"]
        await db.write(model("b"))
        await db.close()


@asynccontextmanager
async def held(db: SqliteDatabase) -> AsyncIterator[None]:
    """Keeps the writer busy, so that what is asked meanwhile waits together and is committed together."""
    begun, go = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        begun.set()
        go.wait()

    holding = asyncio.create_task(threads(db).writer.run(hold))
    await asyncio.to_thread(begun.wait)
    try:
        yield
        await asyncio.sleep(0)
    finally:
        go.set()
    await holding


async def test_writes_that_wait_together_share_one_commit(file: SqliteDatabase) -> None:
    async with held(file):
        before = file.pool_stats().commits
        writes = [asyncio.create_task(file.write(model(f"{n:03}"))) for n in range(100)]
    await asyncio.gather(*writes)

    assert file.pool_stats().commits == before + 2  # one is that of the work which held the others up
    assert len(await names(file)) == 100


async def test_a_failing_write_does_not_fail_its_neighbours(file: SqliteDatabase) -> None:
    missing = Statement("UPDATE models SET priority = 1 WHERE name = 'x' RETURNING id", unmatched=LookupError("no x"))
    async with held(file):
        tasks = [
            asyncio.create_task(file.write(*statements))
            for statements in (
                [model("a")],
                [model("b"), model("a")],
                [model("c"), missing],
                [model("d"), Statement("NONSENSE")],
                [model("e")],
            )
        ]
    first, conflict, unmatched, nonsense, last = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(first, list)
    assert isinstance(last, list)
    assert isinstance(conflict, Conflict)
    assert isinstance(unmatched, LookupError)
    assert isinstance(nonsense, DatabaseError)
    assert await names(file) == ["a", "e"]


async def test_an_error_that_undoes_the_whole_group_is_one_write_s_and_the_others_are_kept(
    file: SqliteDatabase,
) -> None:
    duplicate = Statement(model("a").sql.replace("INSERT", "INSERT OR ROLLBACK"), model("a").values)  # type: ignore[union-attr]  # it is text
    async with held(file):
        tasks = [asyncio.create_task(file.write(statement)) for statement in (model("a"), duplicate, model("b"))]
    first, conflict, last = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(first, list)
    assert isinstance(conflict, Conflict)
    assert isinstance(last, list)
    assert await names(file) == ["a", "b"]


async def test_a_caller_who_goes_while_its_write_runs_does_not_keep_the_others_from_theirs(
    file: SqliteDatabase,
) -> None:
    begun, go = threading.Event(), threading.Event()

    def linger(_: Connection) -> None:
        begun.set()
        go.wait()

    async with held(file):
        gone = asyncio.create_task(threads(file).writer.run(linger))
        stays = asyncio.create_task(file.write(model("stays")))
    await asyncio.to_thread(begun.wait)
    gone.cancel()
    await asyncio.sleep(0)
    go.set()
    await stays
    assert await names(file) == ["stays"]


async def test_a_write_whose_caller_has_gone_before_it_began_is_not_done(file: SqliteDatabase) -> None:
    async with held(file):
        gone = asyncio.create_task(file.write(model("gone")))
        stays = asyncio.create_task(file.write(model("stays")))
        await asyncio.sleep(0)
        gone.cancel()
    await stays
    assert await names(file) == ["stays"]


async def test_a_full_disk_is_said_to_each_writer_keeps_nothing_of_theirs_and_is_overcome(file: SqliteDatabase) -> None:
    await file.write(model("before"))

    def limit(pages: str) -> thread.Work:
        return lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()

    (pages, _) = await pragma(file, "page_count")
    await threads(file).writer.run(limit(str(pages)))
    async with held(file):
        large = [asyncio.create_task(file.write(model(f"large-{n}", config={"x": "y" * 20_000}))) for n in range(20)]
    results = await asyncio.gather(*large, return_exceptions=True)

    assert all(isinstance(result, DatabaseFull) for result in results)
    assert str(results[0]).startswith("There is no space left for the database /")
    assert await names(file) == ["before"]

    await threads(file).writer.run(limit("1000000"))
    await file.write(model("after"))
    assert await names(file) == ["after", "before"]


async def test_a_disk_that_fills_up_in_a_group_keeps_exactly_what_it_acknowledges(file: SqliteDatabase) -> None:
    (pages, _) = await pragma(file, "page_count")
    assert isinstance(pages, int)
    await threads(file).writer.run(lambda c: c.execute(f"PRAGMA max_page_count = {pages + 8}").fetchall())
    async with held(file):
        tasks = [asyncio.create_task(file.write(model(f"{n:02}", config={"x": "y" * 3000}))) for n in range(40)]
    results = await asyncio.gather(*tasks, return_exceptions=True)

    kept = [f"{n:02}" for n, result in enumerate(results) if isinstance(result, list)]
    assert 0 < len(kept) < 40
    assert await names(file) == kept


async def test_a_thread_that_dies_tells_everyone_who_waits_and_can_be_replaced(
    file: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    await file.write(model("before"))

    def die(*_: object) -> object:
        raise MemoryError("nothing left")

    async with held(file):
        doomed = [asyncio.create_task(file.write(model(f"{n}"))) for n in range(5)]
        await asyncio.sleep(0)
        monkeypatch.setattr(threads(file).writer, "_together", die)
    results = await asyncio.gather(*doomed, return_exceptions=True)

    assert all(isinstance(result, DatabaseUnavailable) for result in results)
    sentence = (
        r"^The thread that serves the database .* ended \(MemoryError\('nothing left'\)\); close the database and"
    )
    with pytest.raises(DatabaseUnavailable, match=sentence):
        await file.write(model("too late"))
    assert await names(file) == ["before"]

    await file.close()
    await file.open()
    await file.write(model("after"))
    assert await names(file) == ["after", "before"]


async def test_a_thread_that_dies_takes_nothing_back_that_was_committed_just_before(file: SqliteDatabase) -> None:
    loop, writer = asyncio.get_running_loop(), threads(file).writer

    def keep_the_loop_from_hearing_of_it(_: Connection) -> None:
        loop.call_soon_threadsafe(writer._thread.join)

    def die(_: Connection) -> object:
        raise SystemExit("enough")

    async with held(file):
        first = asyncio.create_task(writer.run(keep_the_loop_from_hearing_of_it))
        kept = asyncio.create_task(file.write(model("kept")))
        await asyncio.sleep(0)
        deadly = asyncio.create_task(writer.run(die, alone=True))
        await asyncio.sleep(0)
        late = asyncio.create_task(file.write(model("late")))
    await first
    results = await asyncio.gather(kept, deadly, late, return_exceptions=True)

    assert isinstance(results[0], list)
    assert all(isinstance(result, DatabaseUnavailable) for result in results[1:])
    assert await names(file) == ["kept"]


async def test_a_lock_held_by_another_program_is_waited_for(file: SqliteDatabase, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "toolkit.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(file.write(model("a")))
        await asyncio.sleep(0.05)
        assert await names(file) == []
        other.execute("COMMIT")
        await waiting
    assert await names(file) == ["a"]


async def test_a_lock_held_too_long_fails_all_who_wait_at_once_and_nobody_later(
    file: SqliteDatabase, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "toolkit.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        results = await asyncio.gather(*(file.write(model(f"{n}")) for n in range(50)), return_exceptions=True)
        assert all(isinstance(result, DatabaseBusy) for result in results)
        assert re.search(r"^This program \(process \d+\) holds the database .* through another conn", str(results[0]))
    await file.write(model("after"))
    assert await names(file) == ["after"]


async def test_more_than_the_queue_holds_wait_for_their_turn(
    file: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thread, "MAX_WAITING", 10)
    await file.close()
    await file.open()
    async with held(file):
        tasks = [asyncio.create_task(file.write(model(f"{n:03}"))) for n in range(300)]
        await asyncio.sleep(0.05)
        assert threads(file).writer._queue.qsize() <= 10
    await asyncio.gather(*tasks)
    assert len(await names(file)) == 300


async def test_tasks_of_two_event_loops_use_one_database(file: SqliteDatabase) -> None:
    def elsewhere() -> list[str]:
        async def use() -> list[str]:
            await asyncio.gather(*(file.write(model(f"there-{n}")) for n in range(50)))
            return await names(file)

        return asyncio.run(use())

    there = asyncio.create_task(asyncio.to_thread(elsewhere))
    await asyncio.gather(*(file.write(model(f"here-{n}")) for n in range(50)))
    assert len([name for name in await there if name.startswith("there")]) == 50
    assert len(await names(file)) == 100


async def test_an_event_loop_that_ended_while_it_waited_does_no_harm(file: SqliteDatabase) -> None:
    def leave() -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda *_: None)  # it would complain about the task that it leaves behind
        left.append(loop.create_task(file.write(model("left"))))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    left: list[asyncio.Task[object]] = []
    async with held(file):
        await asyncio.to_thread(leave)
    await file.write(model("after"))
    assert "after" in await names(file)
    left[0].get_coro().close()


def test_it_may_be_used_in_one_event_loop_after_another(tmp_path: Path) -> None:
    db = SqliteDatabase(tmp_path / "a.db")
    asyncio.run(_add(db, "one"))
    asyncio.run(_add(db, "two"))
    assert asyncio.run(names(db)) == ["one", "two"]
    asyncio.run(db.close())


async def _add(db: SqliteDatabase, name: str) -> None:
    await db.write(model(name))


async def test_first_uses_at_the_same_time_open_it_once(tmp_path: Path) -> None:
    others = set(threading.enumerate())
    db = SqliteDatabase(tmp_path / "deep" / "er" / "a.db")
    await asyncio.gather(*(db.write(model(f"{n}")) for n in range(20)))
    running = [t.name for t in set(threading.enumerate()) - others if t.name.startswith("toolkit-sqlite")]
    await db.close()
    assert sorted(running) == ["toolkit-sqlite-reader", "toolkit-sqlite-writer"]
    assert not [t for t in set(threading.enumerate()) - others if t.name.startswith("toolkit-sqlite")]


async def test_memory_is_forgotten_when_it_is_closed_and_shared_with_nobody() -> None:
    one, two = SqliteDatabase(None), SqliteDatabase(None)
    await one.write(model("a"))
    assert (await names(one), await names(two)) == (["a"], [])
    await one.close()
    await one.open()
    assert await names(one) == []
    await one.close()
    await two.close()
