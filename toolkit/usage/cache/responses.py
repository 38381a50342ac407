"""The response cache: an answer that was given may be given again, and one that is being made is made once."""

import asyncio
import logging
import time
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import chain, repeat
from typing import Any, TypeAlias, TypeVar

from toolkit.db import Database
from toolkit.db.feed import event
from toolkit.db.redis import Redis
from toolkit.errors import ConfigError
from toolkit.messages import ChatRequest
from toolkit.redaction import redact
from toolkit.stamps import now
from toolkit.usage.cache.cached import Cached, as_body, from_body
from toolkit.usage.cache.flight import Asking, Flight, Making
from toolkit.usage.cache.in_redis import InRedis
from toolkit.usage.cache.key import CacheKey, key_of
from toolkit.usage.cache.store import CacheStats, Entry, Found, Selection, Store, Used, shortened
from toolkit.usage.cache.tables import Tables
from toolkit.usage.cache.vectors import Candidate, nearest, pack, unit

T = TypeVar("T")
Embed: TypeAlias = Callable[[Sequence[str]], Awaitable[list[list[float]]]]

LEASE = 6.0
"""Seconds after which another goes on if the process that makes an answer was killed; one that lives renews it."""

SHARE = 8
"""An answer of more than this part of the whole cache is not kept: it would push out too many others."""

_PATIENCE = 5.0  # seconds that an answer waits for the cache
_REST = 5.0  # seconds for which a cache that failed is left alone
_AGAIN = 600.0  # seconds after which the same failure is logged again
_EMBEDDING = 10.0  # seconds that a question's vector may take
_LONGEST = 315_360_000  # seconds of ten years
_MOST_UNWRITTEN = 256  # answers whose hits are not yet written down
_FLUSH = 5.0  # seconds between writing hits down
_PAUSES = (0.01, 0.02, 0.05, 0.1)  # seconds between two looks at another process's lease
_MOST_SUBJECT = 200  # characters of an event's subject
_log = logging.getLogger(__name__)


class ResponseCache:
    """Keeps answers in the database, or in Redis. Whatever is wrong with it, a question is answered: see `once`.

    Args:
        db: the database.
        max_bytes: of all answers together; beyond, the least recently used are forgotten.
        similarity: how alike two questions must be to get the same answer: the cosine of their vectors, above 0 to 1;
            None: the very same.
        embed: makes vectors of texts; needed for `similarity`.
        redis: where answers are kept instead of the database.
        lease: see `LEASE`.

    Attributes:
        last_failure: why it failed the last time, in one sentence; None if it did not.
        hits: how many questions found an answer since the start, also one that somebody else was just making.
        misses: how many did not.
    """

    def __init__(
        self,
        db: Database,
        *,
        max_bytes: int,
        similarity: float | None = None,
        embed: Embed | None = None,
        redis: Redis | None = None,
        lease: float = LEASE,
    ) -> None:
        self._db = db
        self._store: Store = InRedis(db, redis) if redis else Tables(db)
        self._max_bytes = max_bytes
        self._similarity = similarity
        self._embed = embed if similarity is not None else None
        self._lease = lease
        self._making: dict[str, Making] = {}
        self._unwritten: dict[str, Used] = {}
        self._flushed_at = time.monotonic()
        self._grown = max_bytes  # bytes that came in since the last look at the size: the first one looks
        self._working: set[asyncio.Task[Any]] = set()
        self._resting_until = 0.0
        self._cannot_embed = False
        self._said, self._said_at = "", 0.0
        self.last_failure: str | None = None
        self.hits = self.misses = 0

    def key(self, request: ChatRequest, asked: Mapping[str, Any]) -> CacheKey:
        """The key of `request`; see `key_of`."""
        return key_of(request, asked)

    @asynccontextmanager
    async def once(
        self, key: CacheKey, *, ttl: int, refresh: bool = False, within: float, prompt: str | None = None
    ) -> AsyncIterator[Flight]:
        """The answer, or the right to make it.

        Where `found` is None, this caller asks a model and calls `keep`. All others with the same key, in any process,
        wait for it. If this block is left without `keep`, or its process dies, the next of them goes on. Whose `within`
        ends asks for itself.

        A cache that is slow or broken is logged once and then left alone for a few seconds: nothing is found.

        Args:
            key: of the request.
            ttl: seconds that the answer may be given again, 1 to ten years.
            refresh: an answer that is there is replaced; one that is just being made will do.
            within: seconds to wait for somebody else's answer.
            prompt: the id of the prompt that it is asked with, for `invalidate`.

        Raises:
            ConfigError: `ttl` is out of bounds.
        """
        if not 1 <= ttl <= _LONGEST:
            raise ConfigError(f"An answer is kept for 1 to {_LONGEST} seconds (got {ttl}).")
        asking = Asking(key, ttl, prompt, time.monotonic() + within, refresh)
        found = await self._first_look(asking)
        if found:
            self.hits += 1
            yield Flight(found)
            return
        making = await self._join(asking)
        if isinstance(making, Cached):
            self.hits += 1
            yield Flight(making)
            return
        self.misses += 1
        if making.leased:
            making.renewing = asyncio.create_task(self._renew(key, making))
        try:
            yield Flight(None, lambda cached: self._keep(asking, making, cached))
        finally:
            await self._leave(key, making)

    async def invalidate(
        self, *, model: str | None = None, prompt: str | None = None, pattern: str | None = None
    ) -> int:
        """Forget answers that fit everything given, and tell `cache.invalidated`; gives their number.

        Answers that are just being made are given to those who wait for them in that process, and not kept.

        Args:
            model: the name of the model that answered.
            prompt: the id of the prompt.
            pattern: what the question looks like, in any case: `*` is any text, `?` any character. Only the first 500
                characters of a question are known.

        Raises:
            ConfigError: nothing is given, or the pattern is empty or too long.
            DatabaseError: it could not be done.
        """
        selection = Selection.of(model=model, prompt=prompt, pattern=pattern)
        self._making.clear()
        return await self._told(await self._store.forget(selection), {"model": model, "prompt": prompt})

    async def clear(self) -> int:
        """Forget all answers, and tell `cache.invalidated`; gives their number.

        Raises:
            DatabaseError: it could not be done.
        """
        self._making.clear()
        return await self._told(await self._store.clear(), {})

    async def stats(self) -> CacheStats:
        """What is kept.

        Raises:
            DatabaseError: it cannot be read.
        """
        await self.flush()
        return await self._store.stats(now(), self._max_bytes)

    async def sweep(self, limit: int = 1000) -> int:
        """Forget answers that are too old, `limit` at most, and those over the size; gives their number.

        Raises:
            DatabaseError: it could not be done.
        """
        await self.flush()
        gone = await self._store.sweep(now(), limit)
        return gone + await self._trim()

    async def flush(self) -> None:
        """Write down the hits that were counted since the last time."""
        used, self._unwritten = self._unwritten, {}
        self._flushed_at = time.monotonic()
        if used:
            await self._trying(lambda: self._store.touch(used), None)

    async def close(self) -> None:
        """Finish what was begun; harmless when nothing was."""
        await self.flush()
        while self._working:
            await asyncio.wait(set(self._working))

    async def _first_look(self, asking: Asking) -> Cached | None:
        """An answer that is there: to this question, else to one that is alike."""
        if asking.refresh:
            present = await self._trying(lambda: self._store.look(asking.key.exact, now()), None)
            asking.before = present.created_at if present else None
            await self._embedded(asking)
            return None
        return await self._look(asking) or await self._look_alike(asking)

    async def _look(self, asking: Asking) -> Cached | None:
        return self._read(await self._trying(lambda: self._store.look(asking.key.exact, now()), None), asking)

    def _read(self, found: Found | None, asking: Asking) -> Cached | None:
        if found is None or (asking.refresh and found.created_at == asking.before):
            return None
        cached = from_body(found.body)
        if cached:
            self._count(found.key)
        return cached

    async def _look_alike(self, asking: Asking) -> Cached | None:
        vector = await self._embedded(asking)
        if vector is None or self._similarity is None:
            return None
        nobody: list[Candidate] = []
        candidates = await self._trying(lambda: self._store.candidates(asking.key.rest, now()), nobody)
        if not candidates:
            return None
        alike = await asyncio.to_thread(nearest, vector, candidates, self._similarity)
        return self._read(await self._trying(lambda: self._store.look(alike, now()), None), asking) if alike else None

    async def _embedded(self, asking: Asking) -> "array[float] | None":
        """The vector of the question, at length one; None where none is wanted, or to be had."""
        if self._embed is None or not asking.key.question.strip():
            return None
        try:
            async with asyncio.timeout(min(_EMBEDDING, asking.left)):
                vector = unit((await self._embed([asking.key.question]))[0])
        except Exception as error:  # noqa: BLE001 - a question can be answered without its vector
            if not self._cannot_embed:
                _log.warning("No similar question is looked for: %s", redact(str(error) or type(error).__name__))
            self._cannot_embed = True
            return None
        self._cannot_embed = False
        asking.vector = pack(vector) if vector else None
        return vector

    async def _join(self, asking: Asking) -> Making | Cached:
        """The answer of somebody of this process, else of another process, else the right to make it."""
        exact = asking.key.exact
        while other := self._making.get(exact):
            await asyncio.wait({other.answer}, timeout=asking.left)
            if not other.answer.done():
                return await self._alone(asking, Making(now()))
            if answer := other.answer.result():
                self._count(exact)
                return answer
        making = self._making[exact] = Making(now())
        try:
            answer = await self._take_lease(asking, making)
        except BaseException:
            await self._leave(asking.key, making)
            raise
        if answer:
            making.end(answer)
            await self._leave(asking.key, making)
            return answer
        return making

    async def _take_lease(self, asking: Asking, making: Making) -> Cached | None:
        """Wait for another process that makes the answer; None: it is ours to make."""
        exact = asking.key.exact
        while asking.left:
            making.leased = True  # if we are cancelled meanwhile it may be so
            got = await self._trying(lambda: self._store.acquire(exact, making.maker, self._lease), None)
            making.leased = bool(got)
            if got is None:
                return None
            if got:  # another may have finished since we looked
                return await self._look(asking)
            for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
                await asyncio.sleep(min(pause, asking.left))
                if not asking.left or not await self._trying(lambda: self._store.held(exact), default=False):
                    break
            if answer := await self._look(asking):
                return answer
            making.began = now()
        await self._alone(asking, making)
        return None

    async def _alone(self, asking: Asking, making: Making) -> Making:
        """Nobody is waited for any more: the lease is taken from whoever has it."""
        exact, maker = asking.key.exact, making.maker
        making.leased = True
        making.leased = await self._trying(
            lambda: self._store.acquire(exact, maker, self._lease, by_force=True), default=False
        )
        return making

    async def _renew(self, key: CacheKey, making: Making) -> None:
        while True:
            await asyncio.sleep(self._lease / 3)
            if not await self._trying(lambda: self._store.renew(key.exact, making.maker, self._lease), default=True):
                making.leased = False
                self._detach(key, making)
                return

    async def _keep(self, asking: Asking, making: Making, cached: Cached) -> None:
        making.end(cached)
        if slower := self._making.get(asking.key.exact):  # whom this caller did not wait for any longer
            slower.end(cached)
        if not making.leased:
            return
        try:
            entry = _entry(asking, making, cached)
        except (TypeError, ValueError, RecursionError) as error:
            _log.warning("An answer has no form in JSON and is not kept: %s", type(error).__name__)
            return
        if entry.bytes > self._max_bytes // SHARE:
            return
        making.leased = False
        await self._begin(self._trying(lambda: self._store.keep(entry, making.maker), default=False))
        self._grown += entry.bytes
        if self._grown * 16 >= self._max_bytes:
            self._grown = 0
            await self._begin(self._trying(self._trim, 0))

    async def _leave(self, key: CacheKey, making: Making) -> None:
        self._detach(key, making)
        making.end(None)
        if making.renewing:
            making.renewing.cancel()
        if making.leased:
            making.leased = False
            await self._begin(self._trying(lambda: self._store.release(key.exact, making.maker), None))
        if making.renewing:
            await asyncio.wait({making.renewing})

    def _detach(self, key: CacheKey, making: Making) -> None:
        if self._making.get(key.exact) is making:
            del self._making[key.exact]

    def _count(self, key: str) -> None:
        """Count a hit; what was counted is written now and then, beside the answers."""
        known = self._unwritten.get(key)
        self._unwritten[key] = Used((known.hits if known else 0) + 1, now())
        if len(self._unwritten) >= _MOST_UNWRITTEN or time.monotonic() - self._flushed_at > _FLUSH:
            self._flushed_at = time.monotonic()
            self._start(self.flush())

    async def _trim(self) -> int:
        return await self._store.trim(self._max_bytes)

    async def _told(self, gone: int, body: Mapping[str, Any]) -> int:
        said = {name: value for name, value in body.items() if value is not None}
        subject = next(iter(said.values()), "all")[:_MOST_SUBJECT]
        await self._db.write(event("cache.invalidated", subject or "all", {"entries": gone, **said}))
        return gone

    def _start(self, work: Awaitable[Any]) -> "asyncio.Task[Any]":
        task = asyncio.ensure_future(work)
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        return task

    async def _begin(self, work: Awaitable[Any]) -> None:
        """Do something that is finished even if its caller goes away meanwhile."""
        await asyncio.wait({self._start(work)})

    async def _trying(self, work: Callable[[], Awaitable[T]], default: T) -> T:
        """What `work` gives, or `default` if the cache is slow or broken."""
        if time.monotonic() < self._resting_until:
            return default
        try:
            async with asyncio.timeout(_PATIENCE):
                result = await work()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the cache, the answer must go on
            self.last_failure = redact(str(error) or "it took too long")
            if self.last_failure != self._said or time.monotonic() - self._said_at > _AGAIN:
                self._said, self._said_at = self.last_failure, time.monotonic()
                _log.warning("The response cache is left out: %s", self.last_failure)
            self._resting_until = time.monotonic() + _REST
            return default
        if time.monotonic() >= self._resting_until:  # else it began before another one failed
            self.last_failure = None
        return result


def _entry(asking: Asking, making: Making, cached: Cached) -> Entry:
    return Entry(
        key=asking.key.exact,
        rest=asking.key.rest,
        model=cached.model,
        prompt=asking.prompt,
        question=shortened(asking.key.question),
        vector=asking.vector,
        body=as_body(cached),
        created_at=making.began,
        kept_at=now(),
        ttl=asking.ttl,
    )
