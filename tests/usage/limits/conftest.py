"""Limits over each place where counters can be: both databases, and Redis."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.redis_server import redis_address
from toolkit.db import Database, open_database
from toolkit.db.redis import Redis
from toolkit.settings import Settings
from toolkit.usage.limits import Limits


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The address of a Redis that may be emptied."""
    yield from redis_address()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """An empty Redis."""
    redis = Redis(redis_url)
    await redis.command("FLUSHDB")
    yield redis
    await redis.close()


@pytest.fixture(params=["database", "redis"])
def counters(request: pytest.FixtureRequest) -> Redis | None:
    """The Redis where the counters are; None: they are in the database."""
    if request.param == "database":
        return None
    redis: Redis = request.getfixturevalue("redis")
    return redis


@pytest.fixture
async def limits(db: Database, counters: Redis | None) -> AsyncIterator[Limits]:
    """Limits without any rule."""
    limits = Limits(db, redis=counters)
    yield limits
    await limits.close()


@pytest.fixture
async def file_db(tmp_path: Path) -> AsyncIterator[Database]:
    """A database in a file."""
    db = open_database(Settings(f"sqlite:///{tmp_path / 'limits.db'}"))
    yield db
    await db.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With Redis the database holds the rules only: one kind of it is enough."""
    items[:] = [item for item in items if not _again(item)]


def _again(item: pytest.Item) -> bool:
    chosen = getattr(item, "callspec", None)
    if chosen is None or chosen.params.get("counters") != "redis":
        return False
    database = chosen.params.get("any_url") or chosen.params.get("database_url")
    return database not in (None, "sqlite-file")
