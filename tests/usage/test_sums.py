"""The daily sums are those of the rows that are in them, at any moment and whoever adds to them."""

import asyncio
import contextlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.usage.rows import ADA, keep, keep_tool, sums, sums_of_rolled_rows
from toolkit.db import Database, Statement, open_database
from toolkit.db.feed import Feed
from toolkit.errors import ConfigError
from toolkit.messages import Caller
from toolkit.settings import Settings
from toolkit.stamps import now
from toolkit.usage import reports
from toolkit.usage.ledger import Ledger
from toolkit.usage.reports import _from_sums, first_day

WRITERS, EACH = 3, 60
AT_ONCE = """
import asyncio, sys
from toolkit.db import open_database
from toolkit.settings import Settings
from toolkit.usage.ledger import Ledger
from tests.usage.rows import keep
from toolkit.messages import Caller

async def main(url, name, each):
    db = open_database(Settings(url))
    ledger = Ledger(db)
    async def write():
        for number in range(each):
            await keep(ledger, f"m{number % 3}", caller=Caller(f"u{number % 5}", name), cached=number % 4 == 0,
                       error="RateLimited" if number % 4 == 1 else None, cost=None if number % 4 == 2 else 7)
    async def roll():
        while not writing.done():
            await ledger.roll_up(7)
    writing = asyncio.create_task(write())
    await asyncio.gather(writing, roll(), roll())
    assert ledger.failures == 0, ledger.last_failure
    await ledger.flush()
    await db.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db)


async def several(ledger: Ledger) -> None:
    """Rows of all sorts, of two days."""
    yesterday = now() - timedelta(days=1)
    await keep(ledger, cost=2_000_000)
    await keep(ledger, cost=None)
    await keep(ledger, error="RateLimited")
    await keep(ledger, cached=True)
    await keep(ledger, "vectors", kind="embed", caller=Caller(), cost=5)
    await keep(ledger, "large", caller=Caller("bob", "server", "s2"), at=yesterday)


async def everything(ledger: Ledger) -> list[Any]:
    dimensions: tuple[reports.Dimension, ...] = ("model", "user", "origin", "day", "provider", "session")
    answers: list[Any] = [await ledger.by(each) for each in dimensions]
    return [*answers, await ledger.stats(), await ledger.stats(user="ada"), await ledger.stats(days=1)]


async def test_whatever_is_in_the_sums_already_the_answer_is_the_same(ledger: Ledger, db: Database) -> None:
    await several(ledger)
    before = await everything(ledger)

    for _ in range(6):
        assert await ledger.roll_up(1) == 1
        assert await everything(ledger) == before
        assert await sums(db) == await sums_of_rolled_rows(db)

    assert await ledger.roll_up() == 0
    assert len(await sums(db)) == 3


async def test_a_batch_is_as_large_as_it_may_be_and_takes_the_oldest_days_first(ledger: Ledger, db: Database) -> None:
    for days in (0, 2, 1):
        await keep(ledger, at=now() - timedelta(days=days))

    assert await ledger.roll_up(2) == 2

    assert [row["day"] for row in await sums(db)] == [first_day(3), first_day(2)]
    with pytest.raises(ConfigError, match=r"`limit` must be at least 1 \(got 0\)"):
        await ledger.roll_up(0)


async def test_rows_up_to_a_day_can_be_summed_alone(ledger: Ledger, db: Database) -> None:
    for days in (0, 1):
        await keep(ledger, at=now() - timedelta(days=days))

    assert await ledger.roll_up(until=first_day(2)) == 1
    assert [row["day"] for row in await sums(db)] == [first_day(2)]


async def test_several_processes_that_write_and_sum_at_once_count_every_row_once(database_url: str) -> None:
    programs = [
        subprocess.Popen([sys.executable, "-c", AT_ONCE, database_url, f"app{number}", str(EACH)])  # noqa: ASYNC220
        for number in range(WRITERS)
    ]
    db = open_database(Settings(database_url))
    ledger, seen = Ledger(db), [0]
    while any(program.poll() is None for program in programs):
        stats = await ledger.stats()
        seen.append(stats.calls + stats.cached)
        await asyncio.sleep(0)
    assert [program.wait() for program in programs] == [0] * WRITERS

    assert seen == sorted(seen)  # a row that was seen once is seen ever after, in the sums or beside them
    assert await sums(db) == await sums_of_rolled_rows(db)
    while await ledger.roll_up(11):
        pass
    assert await sums(db) == await sums_of_rolled_rows(db)
    stats = await ledger.stats()
    assert (stats.calls, stats.cached) == (WRITERS * EACH * 3 // 4, WRITERS * EACH // 4)
    assert {row.key: row.calls + row.cached for row in await ledger.by("origin")} == {
        f"app{number}": EACH for number in range(WRITERS)
    }
    await db.close()


async def test_what_the_sums_grow_by_is_told_per_day_in_the_same_write(ledger: Ledger, db: Database) -> None:
    await several(ledger)
    start = await Feed(db).last()
    await ledger.roll_up()

    told = []
    async with asyncio.timeout(30), contextlib.aclosing(Feed(db).subscribe("usage.*", after=start)) as events:
        async for event in events:
            told.append((event.kind, event.subject, event.body))
            if len(told) == 2:
                break
    assert sorted(told, key=lambda each: each[1]) == [
        (
            "usage.updated",
            first_day(2),
            {"calls": 1, "failures": 0, "cached": 0, "input_tokens": 10, "output_tokens": 5, "cost_usd": 0.001},
        ),
        (
            "usage.updated",
            first_day(1),
            {
                "calls": 4,
                "failures": 1,
                "cached": 1,
                "input_tokens": 30,
                "output_tokens": 15,
                "cost_usd": pytest.approx(0.002000005),
            },
        ),
    ]


async def test_a_question_that_finds_many_rows_beside_the_sums_brings_them_there_afterwards(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports, "MANY", 3)
    for _ in range(3):
        await keep(ledger)
    await ledger.stats()
    assert await sums(db) == []

    await keep(ledger)
    assert (await ledger.stats()).calls == 4
    async with asyncio.timeout(30):
        while not await sums(db):  # noqa: ASYNC110 - the ledger tells nobody
            await asyncio.sleep(0.01)
    await ledger.flush()

    assert [row["calls"] for row in await sums(db)] == [4]
    assert (await ledger.stats()).calls == 4


async def test_what_is_not_in_the_sums_is_found_by_an_index_of_its_own(ledger: Ledger, db: Database) -> None:
    await keep(ledger)
    await db.write(
        Statement(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
            INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, status, milliseconds, started_at, day,
                               rolled)
            SELECT CAST(n AS TEXT), call_id, 1, kind, name, provider, model, status, milliseconds, started_at, day, TRUE
              FROM calls, numbers
            """
        ),
        Statement("ANALYZE"),
    )
    explain = "EXPLAIN" if db.dialect == "postgres" else "EXPLAIN QUERY PLAN"
    plan = await db.fetch_all(f"{explain} {_from_sums('model', None)}", since=first_day(30))
    steps = " ".join(str(value) for row in plan for value in dict(row).values())
    assert "calls_not_rolled" in steps


# --- forgetting


async def old_and_new(ledger: Ledger) -> datetime:
    """Rows of three days, summed but for one; gives the moment between the first two of the middle day."""
    noon = now().astimezone(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
    for at in (noon - timedelta(days=1), noon - timedelta(hours=1), noon + timedelta(hours=1), now()):
        await keep(ledger, at=at, cost=1_000)
    await ledger.roll_up()
    await keep(ledger, at=noon - timedelta(days=1), cost=None)
    return noon


async def test_what_is_pruned_is_no_longer_in_the_sums(ledger: Ledger, db: Database) -> None:
    noon = await old_and_new(ledger)
    assert await ledger.count_before(noon) == 3

    assert await ledger.prune(noon, 2) == 2
    assert await sums(db) == await sums_of_rolled_rows(db)
    assert await ledger.prune(noon, 2) == 1
    assert await ledger.prune(noon, 2) == 0

    assert await sums(db) == await sums_of_rolled_rows(db)
    assert [(row.key, row.calls) for row in await ledger.by("day")] == [(first_day(2), 1), (first_day(1), 1)]
    assert len(await db.fetch_all("SELECT day FROM usage_daily")) == 2
    assert await ledger.count_before(noon) == 0


async def test_sums_can_be_kept_while_single_calls_are_forgotten(ledger: Ledger, db: Database) -> None:
    noon = await old_and_new(ledger)
    before = await ledger.by("day")

    deleted = [await ledger.prune(noon, 2, keep_sums=True) for _ in range(3)]

    assert deleted == [2, 1, 0]
    assert await ledger.by("day") == before
    assert len(await ledger.calls()) == 2
    assert await ledger.roll_up() == 0

    assert await ledger.prune(noon) == 0  # without their rows, the sums of whole days go too
    assert [row.key for row in await ledger.by("day")] == [first_day(2), first_day(1)]
    assert len(await db.fetch_all("SELECT day FROM usage_daily")) == 2


async def test_the_price_of_what_is_left_is_unknown_again_when_the_priced_call_is_forgotten(ledger: Ledger) -> None:
    moment = now()
    await keep(ledger, at=moment - timedelta(microseconds=2), cost=5)
    await keep(ledger, at=moment, cost=None)
    await ledger.roll_up()
    assert (await ledger.stats()).cost_usd == 5e-9

    await ledger.prune(moment - timedelta(microseconds=1))

    stats = await ledger.stats()
    assert (stats.calls, stats.cost_usd) == (1, None)


async def test_calls_of_tools_are_forgotten_with_the_calls(ledger: Ledger) -> None:
    moment = now()
    await keep(ledger, at=moment)
    await keep_tool(ledger, started_at=moment)
    await keep_tool(ledger, started_at=moment + timedelta(seconds=1))

    assert await ledger.count_before(moment) == 2
    assert [await ledger.prune(moment) for _ in range(3)] == [1, 1, 0]
    assert len(await ledger.tool_calls()) == 1


async def test_summing_and_forgetting_at_once_neither_lose_nor_double_a_row(database_url: str) -> None:
    dbs = [open_database(Settings(database_url)) for _ in range(4)]
    ledgers = [Ledger(db) for db in dbs]
    old = now() - timedelta(days=40)
    for number in range(120):
        await keep(ledgers[0], f"m{number % 7}", at=old if number % 2 else None, caller=ADA)

    async def roll(ledger: Ledger) -> int:
        return sum([await ledger.roll_up(9) for _ in range(20)])

    async def forget(ledger: Ledger) -> int:
        return sum([await ledger.prune(old, 5) for _ in range(20)])

    *_, gone, gone_too = await asyncio.gather(*map(roll, ledgers[:2]), *map(forget, ledgers[2:]))

    assert gone + gone_too == 60
    assert await sums(dbs[0]) == await sums_of_rolled_rows(dbs[0])
    assert (await ledgers[0].stats(days=60)).calls == 60
    for db in dbs:
        await db.close()
