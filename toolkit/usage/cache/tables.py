"""Answers and leases in the tables `cache` and `cache_leases`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from toolkit.db import Database, Row, Sql, Statement, as_time, as_time_or_none
from toolkit.usage.cache.store import CANDIDATES, CacheStats, Entry, Found, Selection, Used
from toolkit.usage.cache.vectors import Candidate

_PAGE = 1000  # rows that are read or deleted at once
# Seconds since 1970 by the clock that all processes share, since a lease is compared with nothing else.
_CLOCK = "(julianday('now') - 2440587.5) * 86400.0"
_POSTGRES_CLOCK = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"
_VALID = """
       expires_at > :at
   AND NOT EXISTS (SELECT 1 FROM model_changes WHERE name = cache.model AND changed_at > cache.created_at)
"""
_LOOK = f"SELECT key, body, created_at FROM cache WHERE key = :key AND {_VALID}"  # noqa: S608 - texts of this file
_CANDIDATES = f"""
SELECT key, vector
  FROM cache
 WHERE rest = :rest AND vector IS NOT NULL AND {_VALID}
 ORDER BY created_at DESC
 LIMIT :limit
"""  # noqa: S608
_KEEP = """
INSERT INTO cache (key, rest, model, prompt, question, bytes, created_at, used_at, expires_at, vector, body)
VALUES (:key, :rest, :model, :prompt, :question, :bytes, :created_at, :kept_at, :expires_at, :vector, :body)
ON CONFLICT (key) DO UPDATE
   SET model = excluded.model, prompt = excluded.prompt, question = excluded.question, bytes = excluded.bytes,
       hits = 0, created_at = excluded.created_at, used_at = excluded.used_at, expires_at = excluded.expires_at,
       vector = excluded.vector, body = excluded.body
"""
_RELEASE = "DELETE FROM cache_leases WHERE key = :key AND maker = :maker RETURNING key"
_TOUCH = "UPDATE cache SET hits = hits + :hits, used_at = :at WHERE key = :key"
_DELETE = "DELETE FROM cache WHERE key = :key RETURNING key"
_TRIM = """
DELETE FROM cache
 WHERE key IN (SELECT key
                 FROM (SELECT key, SUM(bytes) OVER (ORDER BY used_at DESC, key) AS together FROM cache) AS ranked
                WHERE together > CAST(:most AS BIGINT))
RETURNING key
"""
_SWEEP = """
DELETE FROM cache
 WHERE key IN (SELECT key FROM cache WHERE expires_at <= :at ORDER BY expires_at LIMIT :limit)
RETURNING key
"""
_STATS = """
SELECT COUNT(*) AS entries, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes,
       CAST(COALESCE(SUM(hits), 0) AS BIGINT) AS hits, MIN(created_at) AS oldest
  FROM cache
 WHERE expires_at > :at
"""


def _by_clock(sql: str) -> Sql:
    return Sql(sql.replace("CLOCK", _CLOCK), sql.replace("CLOCK", _POSTGRES_CLOCK))


_TAKE = """
INSERT INTO cache_leases (key, maker, until)
VALUES (:key, :maker, CLOCK + :seconds)
ON CONFLICT (key) DO UPDATE SET maker = excluded.maker, until = excluded.until
"""
_SEIZE = _by_clock(_TAKE + "RETURNING key")
_ACQUIRE = _by_clock(_TAKE + "WHERE cache_leases.until <= CLOCK RETURNING key")
_HELD = _by_clock("SELECT 1 AS held FROM cache_leases WHERE key = :key AND until > CLOCK")
_RENEW = _by_clock("UPDATE cache_leases SET until = CLOCK + :seconds WHERE key = :key AND maker = :maker RETURNING key")
_DEAD = _by_clock("DELETE FROM cache_leases WHERE until <= CLOCK")


class _Lost(Exception):
    """The lease is another's."""


class Tables:
    """See `Store`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def look(self, key: str, at: datetime) -> Found | None:
        """See `Store.look`."""
        row = await self._db.fetch_one(_LOOK, key=key, at=at)
        return Found(row["key"], row["body"], as_time(row["created_at"])) if row else None

    async def candidates(self, rest: str, at: datetime) -> list[Candidate]:
        """See `Store.candidates`."""
        rows = await self._db.fetch_all(_CANDIDATES, rest=rest, at=at, limit=CANDIDATES)
        return [Candidate(row["key"], row["vector"]) for row in rows]

    async def acquire(self, key: str, maker: str, seconds: float, *, by_force: bool = False) -> bool:
        """See `Store.acquire`."""
        values = {"key": key, "maker": maker, "seconds": float(seconds)}
        return bool(await self._one(Statement(_SEIZE if by_force else _ACQUIRE, values), key))

    async def held(self, key: str) -> bool:
        """See `Store.held`."""
        return await self._db.fetch_one(_HELD, key=key) is not None

    async def renew(self, key: str, maker: str, seconds: float) -> bool:
        """See `Store.renew`."""
        values = {"key": key, "maker": maker, "seconds": float(seconds)}
        return bool(await self._one(Statement(_RENEW, values), key))

    async def release(self, key: str, maker: str) -> None:
        """See `Store.release`."""
        await self._one(Statement(_RELEASE, {"key": key, "maker": maker}), key)

    async def keep(self, entry: Entry, maker: str) -> bool:
        """See `Store.keep`."""
        values = {
            "key": entry.key,
            "rest": entry.rest,
            "model": entry.model,
            "prompt": entry.prompt,
            "question": entry.question,
            "bytes": entry.bytes,
            "created_at": entry.created_at,
            "kept_at": entry.kept_at,
            "expires_at": entry.kept_at + timedelta(seconds=entry.ttl),
            "vector": entry.vector,
            "body": entry.body,
        }
        release = Statement(_RELEASE, {"key": entry.key, "maker": maker}, unmatched=_Lost())
        try:
            await self._db.write(release, Statement(_KEEP, values), subject=f"cache:{entry.key}")
        except _Lost:
            return False
        return True

    async def touch(self, used: Mapping[str, Used]) -> None:
        """See `Store.touch`."""
        if used:  # in one order, so that two processes do not wait for each other
            rows = sorted(used.items())
            await self._db.write(*(Statement(_TOUCH, {"key": key, "hits": n, "at": at}) for key, (n, at) in rows))

    async def forget(self, selection: Selection) -> int:
        """See `Store.forget`."""
        await self._db.execute("DELETE FROM cache_leases")
        gone, after = 0, ""
        while rows := await self._page(after):
            after = rows[-1]["key"]
            meant = [r["key"] for r in rows if selection.fits(r["model"], r["prompt"], r["question"])]
            gone += await self._delete(meant)
        return gone

    async def clear(self) -> int:
        """See `Store.clear`."""
        await self._db.execute("DELETE FROM cache_leases")
        return len(await self._db.execute("DELETE FROM cache RETURNING key"))

    async def sweep(self, at: datetime, limit: int) -> int:
        """See `Store.sweep`."""
        await self._db.execute(_DEAD)
        return len(await self._db.execute(_SWEEP, at=at, limit=limit))

    async def trim(self, most: int) -> int:
        """See `Store.trim`."""
        row = await self._db.fetch_one("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes FROM cache")
        if row is None or row["bytes"] <= most:
            return 0
        return len(await self._db.execute(_TRIM, most=most * 9 // 10))

    async def stats(self, at: datetime, most: int) -> CacheStats:
        """See `Store.stats`."""
        row = await self._db.fetch_one(_STATS, at=at)
        assert row  # noqa: S101 - a sum has a row
        return CacheStats(row["entries"], row["bytes"], most, row["hits"], as_time_or_none(row["oldest"]))

    async def _one(self, statement: Statement, key: str) -> list[Row]:
        return (await self._db.write(statement, subject=f"cache:{key}"))[0]

    async def _page(self, after: str) -> Sequence[Row]:
        return await self._db.fetch_all(
            "SELECT key, model, prompt, question FROM cache WHERE key > :after ORDER BY key LIMIT :limit",
            after=after,
            limit=_PAGE,
        )

    async def _delete(self, keys: Sequence[str]) -> int:
        if not keys:
            return 0
        done = await self._db.write(*(Statement(_DELETE, {"key": key}) for key in keys))
        return sum(map(len, done))
