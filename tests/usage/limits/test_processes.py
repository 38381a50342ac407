"""Limits that several processes share."""

import subprocess
import sys

import pytest

from toolkit.db import open_database
from toolkit.db.redis import Redis
from toolkit.settings import Settings
from toolkit.usage.limits import Limits


@pytest.fixture
def redis_url_or_none(request: pytest.FixtureRequest, counters: Redis | None) -> str:
    if counters is None:
        return ""
    url: str = request.getfixturevalue("redis_url")
    return url


def contend(database_url: str, redis_url: str, *, processes: int, questions: int, settle: bool) -> int:
    """How many of `processes` times `questions` requests were let in."""
    command = [sys.executable, "-m", "tests.usage.limits.contender", database_url, redis_url, str(questions)]
    running = [
        subprocess.Popen(
            [*command, "settle" if settle else ""],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(processes)
    ]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=100) for process in running]
    return sum(int(output) for output, _ in outputs)


async def test_several_processes_together_are_let_in_exactly_as_often_as_one(
    database_url: str, redis_url_or_none: str
) -> None:
    db = open_database(Settings(database_url))
    await Limits(db).set("total", rpm=100, tpm=1000)
    await Limits(db).set("user", rpm=90)
    let_in = contend(database_url, redis_url_or_none, processes=2, questions=200, settle=False)
    assert let_in == 100
    await db.close()


async def test_several_processes_together_set_aside_no_more_than_the_budget(
    database_url: str, redis_url_or_none: str
) -> None:
    db = open_database(Settings(database_url))
    await Limits(db).set("total", usd_per_day=201e-9)
    await Limits(db).set("origin", usd_per_day=150e-9)
    await Limits(db).set("user", usd_per_day=190e-9)
    assert contend(database_url, redis_url_or_none, processes=3, questions=100, settle=False) == 100
    await db.close()


async def test_what_several_processes_settle_meanwhile_is_counted_once(
    database_url: str, redis_url_or_none: str, counters: Redis | None
) -> None:
    db = open_database(Settings(database_url))
    limits = Limits(db, redis=counters)
    # 60 at once, each with 2 set aside, beside 300 that are settled at 1.
    await limits.set("total", usd_per_day=420e-9)
    await limits.set("user", usd_per_day=1000e-9)
    let_in = contend(database_url, redis_url_or_none, processes=3, questions=120, settle=True)
    spent = [round((s.limit - s.left) * 1e9) for s in await limits.status(user="user 0") if s.kind == "total"]
    assert spent == [let_in]
    assert let_in == 360
    await db.close()
