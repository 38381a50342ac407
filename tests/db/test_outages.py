"""Postgres that comes and goes while it is used, and wires that fail at any byte: nothing is lost or done twice."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.db.load import MARGIN, Load, add
from tests.db.rows import change, model
from tests.postgres import PostgresServer, own_server
from tests.tcp_proxy import TcpProxy, Way
from toolkit.db import Statement
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.errors import DatabaseError, DatabaseUnavailable

IMPATIENT = 1.0  # seconds: the patience where an outage outlasts it
LONG = 60.0  # seconds that nothing here takes
OTHERS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
    """


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Not the one that other tests use: it is treated badly."""
    yield from own_server()


@pytest.fixture
async def empty(server: PostgresServer) -> PostgresServer:
    """The server without what the test before has left; connections that it was made to forget are ended."""
    connection = await asyncpg.connect(server.dsn)
    await connection.execute(OTHERS)
    await connection.execute("DROP SCHEMA IF EXISTS toolkit CASCADE")
    await connection.close()
    return server


@pytest.fixture
async def proxy(empty: PostgresServer) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(empty.port) as proxy:
        yield proxy


def by_way_of(proxy: TcpProxy, server: PostgresServer) -> str:
    return server.dsn.replace(f":{server.port}/", f":{proxy.port}/")


@pytest.mark.parametrize("outage", ["crash", "restart"])
async def test_a_server_that_starts_again_costs_nobody_more_than_time(
    empty: PostgresServer, outage: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = PostgresDatabase("toolkit", url=empty.dsn)
    async with Load(db) as load:
        for _ in range(3):
            await asyncio.to_thread(getattr(empty, outage))
            await load.go_on()
    assert load.errors == []
    await load.check(empty.dsn)
    await db.close()
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


async def test_connections_that_are_ended_again_and_again_cost_nobody_more_than_time(empty: PostgresServer) -> None:
    db = PostgresDatabase("toolkit", url=empty.dsn)
    admin = await asyncpg.connect(empty.dsn)
    async with Load(db) as load:
        ended = 0
        while ended < 100:
            ended += len(await admin.fetch(OTHERS))
            await asyncio.sleep(0.05)
        await load.go_on()
    assert load.errors == []
    await load.check(empty.dsn)
    await admin.close()
    await db.close()


async def test_a_connection_that_is_lost_while_the_tables_are_made_is_replaced(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty))
    proxy.cut_at(b"CREATE TABLE messages", "up", swallow=True)
    await db.open()
    assert proxy.cut_off.is_set()
    assert all(migration.applied_at for migration in await db.migrations())
    await db.close()


async def test_a_server_that_refuses_connections_for_two_seconds_is_waited_for(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty))
    async with Load(db) as load:
        await proxy.refuse()
        await asyncio.sleep(2)
        await proxy.listen()
        await load.go_on()
    assert load.errors == []
    await load.check(empty.dsn)
    await db.close()


async def test_an_outage_that_outlasts_the_patience_is_said_and_then_forgotten(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), patience=IMPATIENT)
    async with Load(db, IMPATIENT) as load:
        await proxy.refuse()
        await load.fail()
        await proxy.listen()
        await load.go_on()
    assert {type(error) for error in load.errors} == {DatabaseUnavailable}
    await load.check(empty.dsn)
    await db.close()


async def test_a_network_that_stalls_hangs_nobody_and_work_goes_on_after_it(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), patience=IMPATIENT)
    async with Load(db, IMPATIENT) as load:
        proxy.stall()
        await load.fail()
        proxy.flow()
        await load.go_on()
    await load.check(empty.dsn)
    await db.close()


async def test_connections_that_a_firewall_forgets_are_replaced(empty: PostgresServer, proxy: TcpProxy) -> None:
    """Nobody tells the server that they are gone: what they have locked must be let go of all the same."""
    patience = IMPATIENT * 3
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), patience=patience)
    async with Load(db, patience) as load:
        proxy.forget()
        await load.go_on()
    await load.check(empty.dsn)
    await db.close()


async def test_a_program_whose_machine_is_gone_in_the_middle_of_a_list_is_not_in_the_way_for_long(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    """Nobody tells the server, and nobody comes back who could: the locks must end by themselves."""
    gone = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), patience=IMPATIENT)
    other = PostgresDatabase("toolkit", url=empty.dsn)
    await gone.write(model("a", priority=0))
    proxy.stall_at(b"UPDATE ", "down")
    lost = asyncio.create_task(gone.write(add("a"), change("a"), subject="a"))
    await proxy.cut_off.wait()
    await asyncio.gather(*(other.write(add("a"), change("a"), subject=subject) for subject in ("a", None)))
    with pytest.raises(DatabaseError):
        await lost
    assert await other.fetch_all("SELECT priority FROM models") == [{"priority": 2}]
    proxy.flow()
    await gone.close()
    await other.close()


CUTS: list[tuple[bytes, Way, bool]] = [
    (b"COMMIT\x00", "down", True),  # it was committed, and nobody was told
    (b"COMMIT\x00Z\x00\x00\x00\x05I", "down", False),  # somebody was told with the last bytes that arrived
    (b"COMMIT", "up", False),  # it was asked for, and nobody was told
    (b"COMMIT", "up", True),  # nobody asked for it
    (b"UPDATE ", "down", True),  # it was changed, not committed, and nobody was told
]


@pytest.mark.parametrize(("pattern", "way", "swallow"), CUTS)
async def test_a_wire_that_breaks_at_the_commit_loses_and_doubles_nothing(
    empty: PostgresServer, proxy: TcpProxy, pattern: bytes, way: Way, swallow: bool
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty))
    async with Load(db) as load:
        for _ in range(6):
            proxy.cut_at(pattern, way, swallow=swallow)
            await proxy.cut_off.wait()
            await load.go_on(1)
    assert load.errors == []
    await load.check(empty.dsn)
    await db.close()


@pytest.mark.parametrize("subject", [None, "one"])
@pytest.mark.parametrize("way", ["up", "down"])
async def test_a_wire_that_breaks_at_any_byte_of_a_list_does_it_once(
    empty: PostgresServer, way: Way, subject: str | None
) -> None:
    lanes, places = 6, 42  # at once, and along the way

    async def travel(lane: int) -> None:
        async with TcpProxy(empty.port) as proxy:
            db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), sizes=(1, 1))
            name = f"counter{lane}"
            await db.write(model(name, priority=0))

            async def count() -> int:
                before = proxy.forwarded[way]
                await db.write(add(name), change(name), subject=subject and name)
                return proxy.forwarded[way] - before

            for place in range(lane, places, lanes):
                await count()  # on a new connection it says more
                length = await count()
                proxy.cut_after(place * length // places, way)
                await count()
                assert proxy.cut_off.is_set()
            kept = await db.fetch_one("SELECT priority AS n FROM models WHERE name = :name", name=name)
            entries = await db.fetch_one("SELECT COUNT(*) AS n FROM model_changes WHERE name = :name", name=name)
            assert kept == entries == {"n": 3 * places // lanes}
            await db.close()

    first = PostgresDatabase("toolkit", url=empty.dsn)
    await first.open()
    await first.close()
    await asyncio.gather(*(travel(lane) for lane in range(lanes)))


async def test_a_wire_that_breaks_inside_a_long_list_does_it_once(empty: PostgresServer, proxy: TcpProxy) -> None:
    """More bytes than the sockets take at once: whoever sends must notice the end, too."""
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), sizes=(1, 1))
    await db.write(model("a", priority=0))
    body = {"text": "x" * 20_000}

    async def count() -> int:
        before = proxy.forwarded["up"]
        async with asyncio.timeout(LONG):
            await db.write(add("a"), *(change("a", after=body) for _ in range(50)), change("b"), subject="a")
        return proxy.forwarded["up"] - before

    await count()
    length = await count()
    for eighth in range(8):
        proxy.cut_after(eighth * length // 8, "up")
        await count()
        assert proxy.cut_off.is_set()
    rows = await db.fetch_all("SELECT priority, (SELECT COUNT(*) FROM model_changes) AS entries FROM models")
    assert rows == [{"priority": 10, "entries": 510}]
    await db.close()


async def test_a_caller_that_gives_up_during_an_outage_takes_no_connection_along(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), sizes=(1, 2), patience=IMPATIENT)
    await db.write(model("a", priority=0))
    proxy.stall()
    for _ in range(3):
        tasks = [asyncio.create_task(db.write(add("a"), change("a"), subject="a")) for _ in range(4)]
        tasks += [asyncio.create_task(db.write(add("a"), change("a"))) for _ in range(4)]
        tasks += [asyncio.create_task(db.write(Statement("UPDATE models SET enabled = TRUE"))) for _ in range(4)]
        await asyncio.wait(tasks, timeout=0.1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    proxy.flow()
    async with asyncio.timeout(LONG):
        for _ in range(5):
            await asyncio.gather(*(insist(db) for _ in range(4)))
        rows = await db.fetch_all("SELECT priority FROM models")
        assert rows == await db.fetch_all("SELECT COUNT(*) AS priority FROM model_changes")
        await db.close()


async def insist(db: PostgresDatabase) -> None:
    """One more of the counter `a`, whatever was told meanwhile: the outage may still be in the pool."""
    while True:
        try:
            await db.write(add("a"), change("a"), subject="a")
        except DatabaseError:
            continue
        return


async def test_it_can_be_closed_while_the_network_stalls(empty: PostgresServer, proxy: TcpProxy) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), patience=IMPATIENT)
    await db.write(model("a"))
    changes = db.changes()
    await anext(changes)
    proxy.stall()
    waiting = [asyncio.create_task(db.write(model(f"b{n}"))) for n in range(4)]
    await asyncio.wait(waiting, timeout=0.1)
    async with asyncio.timeout(IMPATIENT + 2 * MARGIN):
        await db.close()
        await changes.aclose()
    assert all(isinstance(end, DatabaseError) for end in await asyncio.gather(*waiting, return_exceptions=True))


async def test_it_can_be_closed_after_the_network_has_stalled_while_it_did_nothing(
    empty: PostgresServer, proxy: TcpProxy
) -> None:
    db = PostgresDatabase("toolkit", url=by_way_of(proxy, empty), patience=IMPATIENT)
    await db.write(model("a"))
    proxy.stall()
    async with asyncio.timeout(IMPATIENT + MARGIN):
        await db.close()


async def test_a_listener_is_woken_for_what_comes_after_an_outage(empty: PostgresServer) -> None:
    writer, reader = (PostgresDatabase("toolkit", url=empty.dsn) for _ in range(2))
    await writer.open()
    changes = reader.changes()
    await anext(changes)
    for number in range(3):
        await asyncio.to_thread(empty.crash)
        wakes = Statement(model(f"m{number}").sql, model(f"m{number}").values, wakes=True)
        await writer.write(wakes, subject="m")
        async with asyncio.timeout(LONG):
            while len(await reader.fetch_all("SELECT name FROM models")) <= number:
                await anext(changes)
    await changes.aclose()
    await reader.close()
    await writer.close()
