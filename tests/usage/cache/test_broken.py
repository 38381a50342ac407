"""Whatever is wrong with the cache, a question is answered."""

import asyncio
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.redis_server import RedisServer
from tests.usage.cache.conftest import MEGABYTE, Place, answer, ask, asked
from toolkit.db import Database, Statement, open_database
from toolkit.db.redis import Redis
from toolkit.errors import DatabaseError
from toolkit.settings import Settings
from toolkit.usage.cache import ResponseCache


async def _answers(cache: ResponseCache, said: str) -> None:
    """Every question is answered by whom it is asked, and equal ones of one process still make one call."""
    for n in range(3):
        assert await ask(cache, asked(f"Why {n}?"), lambda: answer(said)) == (said, False)
    calls = []

    async def one() -> str:
        async with cache.once(asked("At once?"), ttl=60, within=20) as flight:
            if flight.found:
                return flight.found.message.text
            calls.append(1)
            await asyncio.sleep(0.05)
            await flight.keep(answer(said))
            return said

    assert await asyncio.gather(*(one() for _ in range(10))) == [said] * 10
    assert len(calls) == 1


async def _own(url: str) -> Database:
    db = open_database(Settings(url))
    await db.open()
    return db


@pytest.mark.parametrize("table", ["cache", "cache_leases", "model_changes"])
async def test_a_missing_table_is_logged_once_and_done_without(
    tmp_path: Path, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = await _own(f"sqlite:///{tmp_path / 'own.db'}")
    await db.write(Statement(f"DROP TABLE {table}"))
    cache = ResponseCache(db, max_bytes=MEGABYTE)
    await _answers(cache, "Yes.")
    cache._resting_until = 0.0  # it has rested, and is still broken
    await _answers(cache, "Yes.")
    assert [record.name for record in caplog.records].count("toolkit.usage.cache.responses") == 1
    assert cache.last_failure
    await cache.close()
    await db.close()


async def test_a_table_that_is_locked_does_not_hold_an_answer_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.usage.cache.responses._PATIENCE", 0.2)
    file = tmp_path / "own.db"
    db = await _own(f"sqlite:///{file}")
    cache = ResponseCache(db, max_bytes=MEGABYTE)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with asyncio.timeout(8):  # the database itself would wait for 10 s each time
            await _answers(cache, "Yes.")
        other.execute("ROLLBACK")
    assert caplog.text.count("The response cache is left out") == 1
    await cache.close()
    await db.close()


async def test_a_cache_that_was_broken_is_used_again_after_a_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await _own(f"sqlite:///{tmp_path / 'own.db'}")
    cache = ResponseCache(db, max_bytes=MEGABYTE)
    await db.write(Statement("ALTER TABLE cache RENAME TO hidden"))
    await ask(cache, asked("Why?"), lambda: answer("Yes."))
    await db.write(Statement("ALTER TABLE hidden RENAME TO cache"))
    reads = db.pool_stats().reads
    assert not (await ask(cache, asked("Why?"), lambda: answer("Yes.")))[1]
    assert db.pool_stats().reads == reads  # it is left alone
    monkeypatch.setattr(cache, "_resting_until", 0.0)
    assert not (await ask(cache, asked("Why?"), lambda: answer("Yes.")))[1]
    assert await ask(cache, asked("Why?"), lambda: answer("?")) == ("Yes.", True)
    assert cache.last_failure is None
    await cache.close()
    await db.close()


async def test_a_redis_that_dies_is_done_without(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    db, redis = await _own("sqlite://"), Redis(redis_server.url)
    cache = ResponseCache(db, max_bytes=MEGABYTE, redis=redis)
    await ask(cache, asked("Why 0?"), lambda: answer("Before."))
    assert await ask(cache, asked("Why 0?"), lambda: answer("?")) == ("Before.", True)
    redis_server.stop()
    await _answers(cache, "After.")
    with pytest.raises(DatabaseError):
        await cache.clear()
    await cache.close()
    assert caplog.text.count("The response cache is left out") == 1
    assert "opensesame" not in caplog.text
    await redis.close()
    await db.close()


async def test_a_redis_that_dies_while_an_answer_is_made_is_done_without(redis_server: RedisServer) -> None:
    db, redis = await _own("sqlite://"), Redis(redis_server.url)
    cache = ResponseCache(db, max_bytes=MEGABYTE, redis=redis)
    async with cache.once(asked("Why?"), ttl=60, within=20) as flight:
        waiting = asyncio.create_task(ask(cache, asked("Why?"), lambda: answer("?")))
        await asyncio.sleep(0.02)
        redis_server.stop()
        await flight.keep(answer("Yes."))
    assert await waiting == ("Yes.", True)
    await cache.close()
    await redis.close()
    await db.close()


async def test_a_redis_that_never_answers_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.usage.cache.responses._PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and says nothing
        db, redis = await _own("sqlite://"), Redis(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        cache = ResponseCache(db, max_bytes=MEGABYTE, redis=redis)
        await _answers(cache, "Yes.")
        await cache.close()
        await redis.close()
        await db.close()


async def test_an_answer_that_has_no_form_in_json_is_given_and_not_kept(place: Place) -> None:
    cache = place.cache()
    odd = answer("Yes.", usage=None, cost_nano_usd=object())
    assert await ask(cache, asked("Why?"), lambda: odd) == ("Yes.", False)
    assert await ask(cache, asked("Why?"), lambda: answer("Yes.")) == ("Yes.", False)
    assert cache.last_failure is None
