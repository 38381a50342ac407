"""The line of requests, where others take at the same time or the counters are away."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from tests.redis_server import RedisServer, own_redis
from toolkit.db import Database
from toolkit.db.redis import Redis
from toolkit.errors import DatabaseUnavailable
from toolkit.messages import Caller
from toolkit.usage.limits import Limits
from toolkit.usage.limits.database import DatabaseCounters
from toolkit.usage.limits.gcra import Demand, Slot, rate
from toolkit.usage.limits.line import Line

ADA = Caller(user="ada")
BOB = Caller(user="bob")


async def free() -> int:
    return 0


async def cent() -> int:
    return 10_000_000


class Contested(DatabaseCounters):
    """Counters from which somebody else takes one each time before we do."""

    others = 0

    async def take(self, demands: Sequence[Demand], now: int) -> Mapping[Slot, int] | None:
        if await super().take([rate("rpm:user:ada", 1, 100)], now):
            self.others += 1
        return await super().take(demands, now)


async def test_where_others_take_before_every_try_nothing_is_taken_twice_or_left(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    monkeypatch.setattr("toolkit.usage.limits.line.moment", lambda: at)
    counters = Contested(db)
    line = Line(counters)
    verdicts = await asyncio.gather(*(line.take([rate("rpm:user:ada", 1, 100)], 0) for _ in range(120)))
    let_in = sum(verdict is None for verdict in verdicts)
    assert let_in + counters.others == 100
    assert let_in >= 40
    assert all(verdict is None or verdict.amount == 600_000 for verdict in verdicts)
    await line.close()


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    yield from own_redis()


async def test_without_the_counters_a_limited_request_fails_and_others_go_on(
    server: RedisServer, file_db: Database
) -> None:
    redis = Redis(server.url)
    limits = Limits(file_db, redis=redis)
    await limits.set("user", "ada", rpm=10)
    server.stop()
    try:
        with pytest.raises(DatabaseUnavailable, match="No connection to redis://"):
            await limits.admit(ADA, tokens=1, price=free)
        assert await limits.admit(BOB, tokens=1, price=free) is None
    finally:
        server.start()
    assert await limits.admit(ADA, tokens=1, price=free)
    await limits.close()
    await redis.close()


async def test_a_correction_that_cannot_be_made_leaves_the_estimate_and_breaks_nothing(
    server: RedisServer, file_db: Database, caplog: pytest.LogCaptureFixture
) -> None:
    redis = Redis(server.url)
    limits = Limits(file_db, redis=redis)
    await limits.set("user", "ada", tpm=100, usd_per_day=1)
    admission = await limits.admit(ADA, tokens=50, price=cent)
    server.stop()
    try:
        assert await limits.settle(admission, tokens=10, nano_usd=0) == ()
        await limits.flush()
    finally:
        server.start()
    assert "What a request used could not be corrected; its estimate stands" in caplog.text
    assert "What a request cost could not be corrected; its estimate stands" in caplog.text
    await limits.close()
    await redis.close()


async def test_who_stands_in_the_line_when_it_is_closed_is_sent_away(db: Database) -> None:
    limits = Limits(db, rpm=1)
    await limits.admit(ADA, tokens=0, price=free)
    waiting = asyncio.create_task(limits.admit(ADA, tokens=0, price=free, wait=3000))
    await asyncio.sleep(0.05)
    await limits.close()
    with pytest.raises(DatabaseUnavailable, match="The toolkit was closed while a request waited"):
        await waiting
