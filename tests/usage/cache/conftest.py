"""A response cache in each place where answers can be kept."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import _emptied
from tests.redis_server import own_redis, redis_address
from toolkit.db import Database
from toolkit.db.redis import Redis
from toolkit.messages import ChatRequest, Message, Usage
from toolkit.usage.cache import Cached, CacheKey, ResponseCache

MEGABYTE = 1_000_000


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis that may be emptied."""
    yield from redis_address()


@dataclass
class Place:
    """A database, perhaps with a Redis beside it, and the caches that were made there."""

    db: Database
    redis: Redis | None
    caches: list[ResponseCache] = field(default_factory=list)

    def cache(self, **options: Any) -> ResponseCache:
        """A cache as another process would have it."""
        made = ResponseCache(self.db, **{"max_bytes": MEGABYTE, "redis": self.redis} | options)
        self.caches.append(made)
        return made


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgres", "redis"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    """Each place in turn, empty."""
    redis = None
    match request.param:
        case "sqlite-file":
            url = f"sqlite:///{tmp_path / 'toolkit.db'}"
        case "postgres":
            url = request.getfixturevalue("postgres_dsn")
        case _:
            url = "sqlite://"
    if request.param == "redis":
        redis = Redis(request.getfixturevalue("redis_url"))
        await redis.command("FLUSHALL")
    made = Place(await _emptied(url), redis)
    yield made
    for cache in made.caches:
        await cache.close()
        assert not cache._making
    await made.db.close()
    if redis:
        await redis.close()


@pytest.fixture
def cache(place: Place) -> ResponseCache:
    return place.cache()


@pytest.fixture
def redis_server() -> Iterator[Any]:
    """A Redis that may be stopped."""
    yield from own_redis()


def asked(question: str, *more: Message, **asked: Any) -> CacheKey:
    """The key of a question."""
    from toolkit.usage.cache.key import key_of  # noqa: PLC0415 - the tests of the key import it themselves

    return key_of(ChatRequest((Message("user", question), *more)), asked)


def answer(text: str, **more: Any) -> Cached:
    """An answer of a model called `small`."""
    told: dict[str, Any] = {"model": "small", "provider": "openai", "vendor_model": "gpt", "usage": Usage(3, 4)}
    return Cached(Message("assistant", text), **told | more)


async def ask(cache: ResponseCache, key: CacheKey, make: Callable[[], Cached], **options: Any) -> tuple[str, bool]:
    """What is answered, and whether it came from the cache."""
    async with cache.once(key, **{"ttl": 60, "within": 20.0} | options) as flight:
        if flight.found:
            return flight.found.message.text, True
        made = make()
        await flight.keep(made)
        return made.message.text, False
