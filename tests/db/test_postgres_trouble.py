"""Lists of statements on Postgres whose connection is lost, whose row is locked, or whose caller goes away."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.db.rows import add, change, count, model, session
from tests.tcp_proxy import TcpProxy, Way
from toolkit.db import Statement
from toolkit.db.postgres import lease
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.errors import DatabaseBusy, DatabaseUnavailable

SOON = 30  # seconds in which everything here has ended
GONE = KeyError("gone")


@pytest.fixture
def db(own: PostgresDatabase) -> PostgresDatabase:
    return own


async def test_a_list_whose_caller_gives_up_in_the_queue_is_not_run(
    db: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    await db.write(*(model(name, priority=0) for name in ("a", "b")))
    async with admin.transaction():
        await admin.execute(f"SELECT 1 FROM {schema}.models WHERE name = 'a' FOR UPDATE")
        running = asyncio.create_task(db.write(add("a"), subject="a"))
        await _waits_for_a_lock(admin)
        queued = [asyncio.create_task(db.write(add("a"), subject="a")) for _ in range(3)]
        await asyncio.sleep(0)
        queued[1].cancel()
        await asyncio.wait([queued[1]])
    await asyncio.gather(running, queued[0], queued[2])
    assert await count(db, "a") == 3


async def test_a_caller_who_gives_up_while_its_list_runs_harms_nobody(
    db: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str
) -> None:
    await db.write(*(model(f"{n}", priority=0) for n in range(5)))
    async with admin.transaction():
        await admin.execute(f"SELECT 1 FROM {schema}.models WHERE name = '3' FOR UPDATE")
        tasks = [asyncio.create_task(db.write(add(f"{n}"), subject=f"{n}")) for n in range(5)]
        alone = asyncio.create_task(db.write(add("3"), change("3")))
        await _waits_for_a_lock(admin)
        for task in (tasks[1], tasks[3], alone):
            task.cancel()
    results = await asyncio.gather(*tasks, alone, return_exceptions=True)
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [False, True, False, True, False, True]
    assert [await count(db, name) for name in "024"] == [1, 1, 1]
    for name in "13":
        await db.write(add(name), subject=name)
        assert await count(db, name) >= 1


async def _waits_for_a_lock(admin: "asyncpg.Connection[Any]") -> None:
    """Until a statement of the toolkit waits for a lock."""
    waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'toolkit-mcp'"
    async with asyncio.timeout(SOON):
        while not await admin.fetchval(waits):
            await asyncio.sleep(0.01)
            await admin.execute("SELECT pg_stat_clear_snapshot()")  # it shows the same all through a transaction


@pytest.mark.parametrize("subject", ["x", None])
async def test_a_lock_that_somebody_keeps_is_said_to_be_theirs(
    postgres_dsn: str, admin: "asyncpg.Connection[Any]", schema: str, subject: str | None
) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn, patience=1.0)
    await db.write(model("a", priority=0))
    user = urlsplit(postgres_dsn).username
    pid = admin.get_server_pid()
    async with admin.transaction():
        await admin.execute(f"LOCK TABLE {schema}.models")
        said = (
            rf"^Process {pid} \(somebody, user {user}, in a transaction of \d+ seconds\) holds a lock in the database "
        )
        with pytest.raises(DatabaseBusy, match=said) as caught:
            await db.write(add("a"), subject=subject)
        assert str(caught.value).endswith(f"end it with SELECT pg_terminate_backend({pid}).")
        with pytest.raises(DatabaseBusy, match=said):
            await db.fetch_all("SELECT 1 FROM models")
        with pytest.raises(DatabaseBusy, match=said):
            await db.write(add("a")._replace(repeatable=True), subject=subject)
    assert await count(db, "a") == 0
    assert db.pool_stats().idle == db.pool_stats().connections
    await db.close()


async def test_lists_that_wait_for_a_lock_do_not_hold_up_the_others(
    db: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.db.postgres.transaction.HURRY", 0.1)
    await db.write(*(model(f"{n}", priority=0) for n in range(30)))
    async with admin.transaction():
        await admin.execute(f"SELECT 1 FROM {schema}.models WHERE name IN ('1', '2', '3') FOR UPDATE")
        shapes = {"1": [add("1"), change("x")], "2": [add("2"), session("s")]}  # one after another, and both wait
        alone = [asyncio.create_task(db.write(*shapes[name], subject=name)) for name in shapes]
        tasks = [asyncio.create_task(db.write(add(f"{n}"), subject=f"{n}")) for n in range(3, 30)]
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks[1:])
            await db.write(add("8"), change("8"), subject="8")
        assert not any(task.done() for task in (*alone, tasks[0]))
    assert [(await task)[0] for task in (*alone, tasks[0])] == [[{"name": name, "priority": 1}] for name in "123"]


async def test_a_statement_that_is_merely_slow_goes_on(postgres_dsn: str, schema: str) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn, patience=0.6)
    assert await db.fetch_all("SELECT 1 AS one FROM pg_sleep(1.5)") == [{"one": 1}]
    assert (await db.write(Statement("SELECT 2 AS two FROM pg_sleep(1.5)"), model("a")))[0] == [{"two": 2}]
    await db.close()


@pytest.mark.parametrize("subject", ["x", None])
@pytest.mark.parametrize(("way", "swallow"), [("up", True), ("up", False), ("down", True), ("down", False)])
async def test_a_commit_whose_answer_is_lost_is_done_once_and_gives_its_rows(
    postgres_dsn: str, schema: str, way: Way, swallow: bool, subject: str | None
) -> None:
    port = urlsplit(postgres_dsn).port
    assert port
    async with TcpProxy(port) as proxy:
        db = PostgresDatabase(schema, url=postgres_dsn.replace(f":{port}/", f":{proxy.port}/"))
        await db.write(model("a", priority=0), model("b", priority=0))
        for step in range(1, 4):
            proxy.cut_at(b"COMMIT\0", way, swallow=swallow)
            others = db.write(add("b"), subject="b")
            results = await asyncio.gather(db.write(add("a"), change("a"), subject=subject), others)
            assert list(results) == [[[{"name": "a", "priority": step}], []], [[{"name": "b", "priority": step}]]]
        assert len(await db.fetch_all("SELECT 1 FROM model_changes")) == 3
        await db.close()


async def test_a_first_try_that_still_runs_is_waited_for(
    postgres_dsn: str, schema: str, admin: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client's end of the connection is closed, and the server's still at work on the list."""
    db = PostgresDatabase(schema, url=postgres_dsn)
    await db.write(model("a", priority=0))
    await admin.execute(f"""
        CREATE FUNCTION {schema}.slowly() RETURNS TRIGGER LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slowly AFTER UPDATE ON {schema}.models DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION {schema}.slowly()
        """)
    script = lease.Lease.script
    cut: list[str] = []

    async def impatient(self: lease.Lease, sql: str) -> str:
        if sql == "COMMIT" and not cut:
            cut.append(sql)
            asyncio.get_running_loop().call_later(0.2, self.connection.terminate)
        return await script(self, sql)

    monkeypatch.setattr(lease.Lease, "script", impatient)
    assert await db.write(add("a"), change("a"), subject="a") == [[{"name": "a", "priority": 1}], []]
    assert cut
    assert await count(db, "a") == 1
    await db.close()


async def test_a_commit_that_stays_in_doubt_is_said_to_be(
    postgres_dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = PostgresDatabase(schema, url=postgres_dsn, patience=0.5)
    await db.write(model("a", priority=0))
    script = lease.Lease.script

    async def away(self: lease.Lease, sql: str) -> str:
        if not sql.startswith("ROLLBACK"):
            self.connection.terminate()
        return await script(self, sql)

    async def lose(self: lease.Lease, sql: str) -> str:
        if sql == "COMMIT":
            monkeypatch.setattr(lease.Lease, "script", away)
            self.connection.terminate()
        return await script(self, sql)

    monkeypatch.setattr(lease.Lease, "script", lose)
    with pytest.raises(DatabaseUnavailable, match="was lost while it wrote; look whether it is kept"):
        await db.write(add("a"), subject="a")
    monkeypatch.setattr(lease.Lease, "script", script)
    assert await count(db, "a") == 0
    await db.close()


async def test_nothing_is_doubled_or_lost_while_connections_are_ended_under_load(
    db: PostgresDatabase, admin: "asyncpg.Connection[Any]"
) -> None:
    await db.write(*(model(f"{n}", priority=0) for n in range(16)))
    done = [0] * 16
    enough = asyncio.Event()

    async def write(n: int) -> None:
        while not enough.is_set():
            subject = f"{n}" if n % 2 else None
            result = await db.write(add(f"{n}"), change(f"{n}"), subject=subject)
            done[n] += 1
            assert result == [[{"name": f"{n}", "priority": done[n]}], []]

    tasks = [asyncio.create_task(write(n)) for n in range(16)]
    ends = """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE application_name = 'toolkit-mcp' AND datname = current_database()  -- other tests share the server
        """
    async with asyncio.timeout(SOON * 2):
        for _ in range(15):
            before = sum(done)
            while sum(done) < before + 20:  # noqa: ASYNC110 - the writers are the work
                await asyncio.sleep(0.005)
            await admin.execute(ends)
        enough.set()
        await asyncio.gather(*tasks)
    assert [await count(db, f"{n}") for n in range(16)] == done


async def test_two_databases_that_write_the_same_rows_in_batches_do_not_fail(
    db: PostgresDatabase, postgres_dsn: str, schema: str
) -> None:
    other = PostgresDatabase(schema, url=postgres_dsn)
    names_ = [f"{n:02}" for n in range(20)]
    await db.write(*(model(name, priority=0) for name in names_))
    both = ((one, names_[:: 1 if one is db else -1]) for one in (db, other))

    await asyncio.gather(
        *(one.write(add(name), subject=name) for one, order in both for _ in range(20) for name in order)
    )

    assert [await count(db, name) for name in names_] == [40] * 20
    assert db.pool_stats().commits < 400
    await other.close()


async def test_tokens_of_long_ago_are_deleted_and_fresh_ones_stay(
    db: PostgresDatabase, admin: "asyncpg.Connection[Any]", schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.db.postgres.writer.SWEEP_AFTER", 1)
    ages = {"old": "CURRENT_TIMESTAMP - INTERVAL '2 hours'", "new": "CURRENT_TIMESTAMP"}
    for name, at in ages.items():
        await admin.execute(f"INSERT INTO {schema}.commits SELECT '{name}' || n, {at} FROM generate_series(1, 9) AS n")
    await db.write(model("a"))
    await db.close()  # waits for it

    left = {row["id"][:3] for row in await admin.fetch(f"SELECT id FROM {schema}.commits")}
    assert "new" in left
    assert "old" not in left
