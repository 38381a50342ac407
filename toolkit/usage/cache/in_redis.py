"""Answers and leases in Redis; which models were changed is still asked of the database, once a second.

Everything lies under one prefix: an answer is a hash, and the sorted sets `used` and `expiry` and the hash `sizes`
hold all keys. Scripts make names of keys, so a Redis Cluster will not do.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from toolkit.db import Database, as_time
from toolkit.db.redis import Redis
from toolkit.usage.cache.store import CANDIDATES, CacheStats, Entry, Found, Selection, Used
from toolkit.usage.cache.vectors import Candidate

_FRESH = 1.0  # seconds for which the changes of the models are believed to be known
_PAGE = 500
_AT_ONCE = 16  # commands: the driver's pool lets in whom it likes, and somebody would wait for seconds

# ARGV[1] is the prefix, ARGV[2] the answer's key. A lease is `<epoch>:<maker>`; a later epoch ends it.
_BEGIN = """
local p, k = ARGV[1], ARGV[2]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local lease = p .. 'lease:' .. k
local function epoch() return redis.call('GET', p .. 'epoch') or '0' end
local function held()
  local value = redis.call('GET', lease)
  return value and string.sub(value, 1, #epoch() + 1) == epoch() .. ':' and value
end
local function drop(key)
  local entry = p .. 'entry:' .. key
  local rest = redis.call('HGET', entry, 'rest')
  if rest then redis.call('ZREM', p .. 'rest:' .. rest, key) end
  redis.call('DECRBY', p .. 'bytes', redis.call('HGET', p .. 'sizes', key) or 0)
  redis.call('HDEL', p .. 'sizes', key)
  redis.call('ZREM', p .. 'used', key)
  redis.call('ZREM', p .. 'expiry', key)
  return redis.call('DEL', entry)
end
"""
_ACQUIRE = (
    _BEGIN
    + """
if ARGV[5] == '0' and held() then return 0 end
redis.call('SET', lease, epoch() .. ':' .. ARGV[3], 'PX', ARGV[4])
return 1
"""
)
_HELD = _BEGIN + "return held() and 1 or 0"
_RENEW = _BEGIN + "return held() == epoch() .. ':' .. ARGV[3] and redis.call('PEXPIRE', lease, ARGV[4]) or 0"
_RELEASE = _BEGIN + "return held() == epoch() .. ':' .. ARGV[3] and redis.call('DEL', lease) or 0"
_KEEP = (
    _BEGIN
    + """
if held() ~= epoch() .. ':' .. ARGV[3] then return 0 end
redis.call('DEL', lease)
drop(k)
local entry, index, ttl, size = p .. 'entry:' .. k, p .. 'rest:' .. ARGV[6], tonumber(ARGV[4]), ARGV[5]
redis.call('HSET', entry, 'hits', 0, 'rest', ARGV[6], unpack(ARGV, 8))
redis.call('PEXPIRE', entry, ttl)
redis.call('ZADD', p .. 'used', now, k)
redis.call('ZADD', p .. 'expiry', now + ttl, k)
redis.call('HSET', p .. 'sizes', k, size)
redis.call('INCRBY', p .. 'bytes', size)
if ARGV[7] == '1' then
  redis.call('ZADD', index, now, k)
  redis.call('ZREMRANGEBYRANK', index, 0, -501)
  redis.call('PEXPIRE', index, math.max(ttl, redis.call('PTTL', index)))
end
return 1
"""
)
_TOUCH = (
    _BEGIN
    + """
if redis.call('EXISTS', p .. 'entry:' .. k) == 1 then
  redis.call('HINCRBY', p .. 'entry:' .. k, 'hits', ARGV[3])
  redis.call('ZADD', p .. 'used', now, k)
end
"""
)
_DROP = (
    _BEGIN
    + """
local gone = 0
for n = 2, #ARGV do gone = gone + drop(ARGV[n]) end
return gone
"""
)
# Too old, whatever Redis itself has dropped: a page of `ARGV[2]`.
_SWEEP = (
    _BEGIN
    + """
local old = redis.call('ZRANGEBYSCORE', p .. 'expiry', '-inf', now, 'LIMIT', 0, k)
for _, key in ipairs(old) do drop(key) end
return #old
"""
)
# The least recently used, while there are more than `ARGV[2]` bytes: a page, so that nobody else waits long.
_TRIM = (
    _BEGIN
    + """
local gone = 0
while gone < 500 and tonumber(redis.call('GET', p .. 'bytes') or 0) > tonumber(k) do
  local oldest = redis.call('ZRANGE', p .. 'used', 0, 0)
  if #oldest == 0 then redis.call('SET', p .. 'bytes', 0) break end
  drop(oldest[1])
  gone = gone + 1
end
return gone
"""
)


class InRedis:
    """See `Store`."""

    def __init__(self, db: Database, redis: Redis) -> None:
        self._redis = redis
        self._prefix = redis.key("cache", "")
        self._changes = _Changes(db)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def look(self, key: str, at: datetime) -> Found | None:  # noqa: ARG002 - Redis forgets what is too old
        """See `Store.look`."""
        fields = await self._command("HMGET", f"{self._prefix}entry:{key}", "body", "created_at", "model")
        if None in fields:
            return None
        body, created_at, model = (field.decode() for field in fields)
        asked = datetime.fromisoformat(created_at)
        changed = await self._changes.of(model)
        return Found(key, body, asked) if changed is None or changed <= asked else None

    async def candidates(self, rest: str, at: datetime) -> list[Candidate]:  # noqa: ARG002 - as above
        """See `Store.candidates`."""
        keys = await self._command("ZREVRANGE", f"{self._prefix}rest:{rest}", 0, CANDIDATES - 1)
        kept = await self._fields([key.decode() for key in keys], "vector", "model", "created_at")
        found = []
        for key, (vector, model, created_at) in kept:
            changed = await self._changes.of(model)
            if vector and (changed is None or changed <= datetime.fromisoformat(created_at)):
                found.append(Candidate(key, vector))
        return found

    async def acquire(self, key: str, maker: str, seconds: float, *, by_force: bool = False) -> bool:
        """See `Store.acquire`."""
        return bool(await self._run(_ACQUIRE, key, maker, int(seconds * 1000), int(by_force)))

    async def held(self, key: str) -> bool:
        """See `Store.held`."""
        return bool(await self._run(_HELD, key))

    async def renew(self, key: str, maker: str, seconds: float) -> bool:
        """See `Store.renew`."""
        return bool(await self._run(_RENEW, key, maker, int(seconds * 1000)))

    async def release(self, key: str, maker: str) -> None:
        """See `Store.release`."""
        await self._run(_RELEASE, key, maker)

    async def keep(self, entry: Entry, maker: str) -> bool:
        """See `Store.keep`."""
        fields = {
            "body": entry.body,
            "created_at": entry.created_at.isoformat(),
            "model": entry.model,
            "prompt": "" if entry.prompt is None else f"={entry.prompt}",
            "question": entry.question,
            "vector": entry.vector or "",
        }
        flat = [part for pair in fields.items() for part in pair]
        known = (entry.key, maker, entry.ttl * 1000, entry.bytes, entry.rest, int(entry.vector is not None))
        return bool(await self._run(_KEEP, *known, *flat))

    async def touch(self, used: Mapping[str, Used]) -> None:
        """See `Store.touch`."""
        for key, (hits, _) in used.items():
            await self._run(_TOUCH, key, hits)

    async def forget(self, selection: Selection) -> int:
        """See `Store.forget`."""
        await self._command("INCR", f"{self._prefix}epoch")
        gone = 0
        for page in _pages([key.decode() for key in await self._keys()]):
            kept = await self._fields(page, "model", "prompt", "question")
            meant = [
                k for k, (model, prompt, asked) in kept if selection.fits(model, prompt[1:] if prompt else None, asked)
            ]
            if meant:
                gone += await self._run(_DROP, *meant)
        return gone

    async def clear(self) -> int:
        """See `Store.clear`."""
        await self._command("INCR", f"{self._prefix}epoch")
        gone = 0
        for page in _pages([key.decode() for key in await self._keys()]):
            gone += await self._run(_DROP, *page)
        return gone

    async def sweep(self, at: datetime, limit: int) -> int:  # noqa: ARG002 - by the clock of Redis
        """See `Store.sweep`."""
        gone = 0
        while gone < limit and (swept := await self._run(_SWEEP, min(_PAGE, limit - gone))):
            gone += swept
        return gone

    async def trim(self, most: int) -> int:
        """See `Store.trim`."""
        gone = 0
        if int(await self._command("GET", f"{self._prefix}bytes") or 0) > most:
            while dropped := await self._run(_TRIM, most * 9 // 10):
                gone += dropped
        return gone

    async def stats(self, at: datetime, most: int) -> CacheStats:
        """See `Store.stats`."""
        await self.sweep(at, limit=100_000)
        size = int(await self._command("GET", f"{self._prefix}bytes") or 0)
        entries = hits = 0
        oldest: datetime | None = None
        for page in _pages([key.decode() for key in await self._keys()]):
            for _, (counted, created_at) in await self._fields(page, "hits", "created_at"):
                entries, hits = entries + 1, hits + int(counted)
                asked = datetime.fromisoformat(created_at)
                oldest = min(oldest or asked, asked)
        return CacheStats(entries, size, most, hits, oldest)

    async def _keys(self) -> list[bytes]:
        keys: list[bytes] = await self._command("ZRANGE", f"{self._prefix}used", 0, -1)
        return keys

    async def _run(self, lua: str, *arguments: str | int) -> Any:
        async with self._turns:
            return await self._redis.script(lua, arguments=[self._prefix, *arguments])

    async def _command(self, *parts: str | int) -> Any:
        async with self._turns:
            return await self._redis.command(*parts)

    async def _fields(self, keys: Sequence[str], *names: str) -> list[tuple[str, list[str]]]:
        """These fields of each answer that is still there."""
        if not keys:
            return []
        async with self._turns:
            rows = await self._redis.commands(*(["HMGET", f"{self._prefix}entry:{key}", *names] for key in keys))
        return [
            (key, [field.decode() for field in row]) for key, row in zip(keys, rows, strict=True) if None not in row
        ]


class _Changes:
    """When each model was last changed, as of the last second."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._read_at = -_FRESH
        self._last: dict[str, datetime] = {}

    async def of(self, model: str) -> datetime | None:
        if time.monotonic() - self._read_at >= _FRESH:
            began = time.monotonic()
            rows = await self._db.fetch_all("SELECT name, MAX(changed_at) AS last FROM model_changes GROUP BY name")
            self._last = {row["name"]: as_time(row["last"]) for row in rows}
            self._read_at = began
        return self._last.get(model)


def _pages(keys: Sequence[str]) -> list[Sequence[str]]:
    return [keys[n : n + _PAGE] for n in range(0, len(keys), _PAGE)]
