"""Counters in Redis."""

import logging
from collections.abc import Mapping, Sequence

from toolkit.db import Statement
from toolkit.db.redis import Redis
from toolkit.errors import DatabaseError
from toolkit.usage.limits.counters import Change
from toolkit.usage.limits.gcra import MINUTE, Demand, Slot

_log = logging.getLogger(__name__)
_KEPT = 3 * 24 * 60 * MINUTE // 1000  # milliseconds that a day's spending is kept
# A number is written with %.0f: Lua would shorten it. Each is below 2^53, so that Lua's numbers hold it exactly.
_TAKE = """
local now, kept, at, levels = tonumber(ARGV[1]), ARGV[2], 3, {}
for i, key in ipairs(KEYS) do
  local rate, cost, latest = ARGV[at] == '1', tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  local level = tonumber((rate and redis.call('GET', key) or not rate and redis.call('HGET', key, 'n')) or 0)
  if level > latest then return {} end
  levels[i] = (rate and math.max(level, now) or level) + cost
  at = at + 4
end
at = 3
for i, key in ipairs(KEYS) do
  local text = string.format('%.0f', levels[i])
  if ARGV[at] == '1' then
    redis.call('SET', key, text, 'PX', math.max(1, math.ceil((levels[i] - now) / 1000)) + 60000)
  else
    redis.call('HSET', key, 'n', text)
    redis.call('HINCRBY', key, 'u', ARGV[at + 3])
    redis.call('PEXPIRE', key, kept)
  end
  levels[i] = text
  at = at + 4
end
return levels
"""
_CHANGE = """
local now, kept, at = tonumber(ARGV[1]), ARGV[2], 3
for _, key in ipairs(KEYS) do
  if ARGV[at] == '1' then
    local amount, level = tonumber(ARGV[at + 1]), tonumber(redis.call('GET', key) or 0)
    if amount > 0 then level = math.max(level, now) end
    level = level + amount
    if level > now then
      redis.call('SET', key, string.format('%.0f', level), 'PX', math.ceil((level - now) / 1000) + 60000)
    else
      redis.call('DEL', key)
    end
  else
    redis.call('HINCRBY', key, 'n', ARGV[at + 1])
    redis.call('HINCRBY', key, 'u', ARGV[at + 2])
    redis.call('PEXPIRE', key, kept)
  end
  at = at + 3
end
"""


class RedisCounters:
    """Counters in a Redis that all processes share; they are gone when it is emptied."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.in_order = False

    async def take(self, demands: Sequence[Demand], now: int) -> Mapping[Slot, int] | None:
        """See `Counters`."""
        arguments = [now, _KEPT]
        for demand in demands:
            latest = demand.room - demand.need + (now if demand.is_rate else 0)
            arguments += [int(demand.is_rate), demand.cost, latest, demand.unpriced]
        levels = await self._redis.script(_TAKE, [self._key(demand.slot) for demand in demands], arguments)
        return {demand.slot: int(level) for demand, level in zip(demands, levels, strict=True)} if levels else None

    async def read(self, slots: Sequence[Slot]) -> Mapping[Slot, tuple[int, int]]:
        """See `Counters`."""
        commands = [("HMGET", self._key(slot), "n", "u") if slot.day else ("MGET", self._key(slot)) for slot in slots]
        found = await self._redis.commands(*commands)
        return {
            slot: (int(level or 0), int(more[0] or 0) if more else 0)
            for slot, (level, *more) in zip(slots, found, strict=True)
        }

    async def change(self, changes: Mapping[Slot, Change], now: int) -> None:
        """See `Counters`."""
        arguments = [now, _KEPT]
        for slot, change in changes.items():
            arguments += [int(not slot.day), *change]
        await self._redis.script(_CHANGE, [self._key(slot) for slot in changes], arguments)

    async def settle(self, admission_id: str, changes: Mapping[Slot, Change]) -> tuple[Statement, ...]:  # noqa: ARG002 - the seam's words
        """Done at once; where it cannot be, the estimate stands, and nobody's answer is lost. See `Counters`."""
        try:
            await self.change(changes, 0)
        except DatabaseError as error:
            _log.warning("What a request cost could not be corrected; its estimate stands: %s", error)
        return ()

    async def sweep(self, now: int, first_day: str, limit: int) -> int:  # noqa: ARG002 - the seam's words
        """Nothing: Redis itself forgets what has run out. See `Counters`."""
        return 0

    def _key(self, slot: Slot) -> str:
        return self._redis.key("spending", slot.day, slot.key) if slot.day else self._redis.key("rates", slot.key)
