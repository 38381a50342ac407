"""Budgets, over both databases and Redis."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

from toolkit.db import Database, Statement
from toolkit.errors import BudgetExceeded, ConfigError
from toolkit.messages import Caller
from toolkit.usage.limits import Admission, Limits

ADA = Caller(user="ada", origin="app")
BOB = Caller(user="bob", origin="app")
CENT = 10_000_000  # nano-dollars


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 3, 1, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A clock that stands still until a test moves it."""
    clock = Clock()
    monkeypatch.setattr("toolkit.usage.limits.line.moment", clock)
    monkeypatch.setattr("toolkit.usage.limits.limits.now", clock)
    return clock


def costs(cents: float | None) -> Callable[[], Awaitable[int | None]]:
    async def price() -> int | None:
        return None if cents is None else round(cents * CENT)

    return price


async def ask(limits: Limits, caller: Caller, cents: float | None) -> Admission | None:
    return await limits.admit(caller, tokens=0, price=costs(cents))


async def admitted(limits: Limits, times: int, caller: Caller, cents: float) -> int:
    results = await asyncio.gather(*(ask(limits, caller, cents) for _ in range(times)), return_exceptions=True)
    assert all(isinstance(result, Admission | BudgetExceeded) for result in results), results
    return sum(isinstance(result, Admission) for result in results)


async def settle(db: Database, limits: Limits, admission: Admission | None, cents: float | None) -> None:
    statements = await limits.settle(admission, tokens=None, nano_usd=None if cents is None else round(cents * CENT))
    if statements:
        await db.write(*statements)


async def left(limits: Limits, caller: Caller = ADA) -> dict[str, float]:
    status = await limits.status(user=caller.user, origin=caller.origin)
    return {one.kind: round(one.left * 100, 6) for one in status}


async def test_at_once_no_more_is_set_aside_than_the_budget(limits: Limits) -> None:
    await limits.set("user", "ada", usd_per_day=1.0)
    assert await admitted(limits, 100, ADA, 3) == 33
    assert await left(limits) == {"user": 1}


async def test_a_small_amount_is_told_in_figures(limits: Limits) -> None:
    await limits.set("user", "ada", usd_per_day=0.000001)
    with pytest.raises(BudgetExceeded, match=r"may spend \$0\.000001 per day, \$0\.00 is spent"):
        await ask(limits, ADA, 2)


async def test_a_refused_request_sets_nothing_aside_and_says_when_the_day_ends(limits: Limits) -> None:
    await limits.set("user", "ada", usd_per_day=0.05)
    await limits.set("origin", usd_per_day=10)
    await limits.set("total", usd_per_day=20)
    await ask(limits, ADA, 4)
    with pytest.raises(BudgetExceeded) as refused:
        await ask(limits, ADA, 2)
    assert str(refused.value) == (
        "The user 'ada' may spend $0.05 per day, $0.04 is spent or set aside, and this request may cost $0.02; "
        "a new day begins at 00:00 UTC, in 4 h 00 min. `toolkit limits set` raises it."
    )
    assert refused.value.retry_after == 4 * 3600
    assert await left(limits) == {"user": 1, "origin": 996, "total": 1996}
    assert await ask(limits, BOB, 2)


async def test_a_budget_does_not_wait_for_tomorrow(limits: Limits) -> None:
    await limits.set("total", usd_per_day=0.01)
    async with asyncio.timeout(5):
        with pytest.raises(BudgetExceeded):
            await limits.admit(ADA, tokens=0, price=costs(2), wait=3600)


async def test_what_was_set_aside_becomes_what_it_cost(limits: Limits, db: Database) -> None:
    await limits.set("user", usd_per_day=1.0)
    dear, cheap = await ask(limits, ADA, 50), await ask(limits, ADA, 50)
    await settle(db, limits, dear, 70)
    await settle(db, limits, cheap, 5)
    await settle(db, limits, cheap, 5)  # a second word changes nothing
    assert await left(limits) == {"user": 25}
    assert await admitted(limits, 9, ADA, 10) == 2
    assert await left(limits) == {"user": 5}


async def test_a_settlement_that_is_written_twice_counts_once(db: Database) -> None:
    limits = Limits(db, usd_per_day=1.0)
    statements = await limits.settle(await ask(limits, ADA, 10), tokens=None, nano_usd=30 * CENT)
    await db.write(*statements)
    await db.write(*statements)
    assert await left(limits) == {"total": 70}
    await limits.close()


async def test_a_settlement_that_is_undone_with_the_ledgers_row_changes_nothing(db: Database) -> None:
    limits = Limits(db, usd_per_day=1.0)
    statements = await limits.settle(await ask(limits, ADA, 10), tokens=None, nano_usd=30 * CENT)
    missing = Statement("DELETE FROM limits WHERE kind = 'none' RETURNING kind", unmatched=ConfigError("undone"))
    with pytest.raises(ConfigError, match="undone"):
        await db.write(*statements, missing)
    assert await left(limits) == {"total": 90}
    await limits.close()


async def test_a_request_that_never_reached_a_vendor_gives_its_money_back(limits: Limits, db: Database) -> None:
    await limits.set("total", usd_per_day=1.0)
    await settle(db, limits, await ask(limits, ADA, 90), 0)
    assert await left(limits) == {"total": 100}


async def test_an_end_that_nobody_knows_leaves_the_estimate(limits: Limits, db: Database) -> None:
    await limits.set("total", usd_per_day=1.0)
    await settle(db, limits, await ask(limits, ADA, 90), None)
    assert await left(limits) == {"total": 10}


async def test_an_unknown_price_is_let_in_and_shown(limits: Limits, db: Database) -> None:
    await limits.set("total", usd_per_day=1.0)
    known, unknown = await ask(limits, ADA, None), await ask(limits, ADA, None)
    (status,) = await limits.status()
    assert (status.left, status.unpriced) == (1.0, 2)
    await settle(db, limits, known, 40)
    await settle(db, limits, unknown, None)
    (status,) = await limits.status()
    assert (round(status.left, 6), status.unpriced) == (0.6, 1)
    await settle(db, limits, await ask(limits, ADA, 1), 100)
    with pytest.raises(BudgetExceeded):
        await ask(limits, ADA, None)


async def test_what_costs_nothing_is_let_in_when_all_is_spent(limits: Limits) -> None:
    await limits.set("total", usd_per_day=0.01)
    assert await ask(limits, ADA, 1)
    assert await ask(limits, ADA, 0)


async def test_the_price_is_asked_only_where_there_is_a_budget(limits: Limits) -> None:
    async def never() -> NoReturn:
        raise AssertionError

    await limits.set("user", "ada", rpm=10)
    await limits.set("user", "bob", usd_per_day=1)
    assert await limits.admit(ADA, tokens=1, price=never)
    with pytest.raises(AssertionError):
        await limits.admit(BOB, tokens=1, price=never)


@pytest.mark.parametrize("price", [-1, 10**18])
async def test_a_price_that_cannot_be_is_refused(file_db: Database, price: int) -> None:
    limits = Limits(file_db, usd_per_day=1)
    with pytest.raises(ConfigError, match="`price` gave"):
        await limits.admit(ADA, tokens=1, price=costs(price / CENT))


async def test_a_new_day_has_a_new_budget_and_yesterdays_requests_are_settled_on_theirs(
    limits: Limits, db: Database, clock: Clock
) -> None:
    await limits.set("total", usd_per_day=1.0)
    late = await ask(limits, ADA, 100)
    clock.at += timedelta(hours=4)
    assert await left(limits) == {"total": 100}
    await settle(db, limits, late, 500)
    assert await left(limits) == {"total": 100}


async def test_what_was_spent_more_than_400_days_ago_is_swept(db: Database, clock: Clock) -> None:
    limits = Limits(db, usd_per_day=1.0)
    for _ in range(3):
        await settle(db, limits, await ask(limits, ADA, 1), 2)
        clock.at += timedelta(days=1)
    clock.at += timedelta(days=398)  # the first day is 401 days ago, the second 400
    assert await limits.sweep() == 2
    assert await limits.sweep() == 0
    days = await db.fetch_all("SELECT day FROM spending UNION ALL SELECT day FROM settlements")
    assert {row["day"] for row in days} == {"2026-03-02", "2026-03-03"}
    await limits.close()


async def test_settlements_are_taken_over_by_the_next_request(db: Database) -> None:
    limits = Limits(db, usd_per_day=1.0)
    for _ in range(5):
        await settle(db, limits, await ask(limits, ADA, 10), 1)
    assert len(await db.fetch_all("SELECT id FROM settlements")) == 1
    assert await left(limits) == {"total": 95}
    await limits.close()
