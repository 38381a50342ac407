"""Counters in the tables `rates`, `spending` and `settlements`."""

import asyncio
from collections.abc import Mapping, Sequence

from toolkit.db import Database, Sql, Statement
from toolkit.usage.limits.counters import Change
from toolkit.usage.limits.gcra import MINUTE, Demand, Slot

_TAKE_RATE = """
INSERT INTO rates (key, tat)
VALUES (:key, :fresh)
ON CONFLICT (key) DO UPDATE
   SET tat = CASE WHEN rates.tat > :now THEN rates.tat ELSE :now END + :cost
 WHERE rates.tat <= :latest
RETURNING tat AS level
"""
_BEGIN_DAY = """
INSERT INTO spending (day, key, nano_usd, unpriced)
VALUES (:day, :key, 0, 0)
ON CONFLICT (day, key) DO NOTHING
"""
_SETTLED = "(SELECT COALESCE(SUM(nano_usd), 0) FROM settlements WHERE day = :day AND key = :key)"
_SETTLED_UNPRICED = "(SELECT COALESCE(SUM(unpriced), 0) FROM settlements WHERE day = :day AND key = :key)"
# Postgres deletes and adds in one statement: between two, further settlements may come in. Who comes second waits for
# the rows that the first one deletes, and then for the row that it changes.
_TAKE_BUDGET = Sql(
    sqlite=f"""
    UPDATE spending
       SET nano_usd = nano_usd + {_SETTLED} + :cost,
           unpriced = unpriced + {_SETTLED_UNPRICED} + :unpriced
     WHERE day = :day AND key = :key AND nano_usd + {_SETTLED} <= :most
    RETURNING nano_usd AS level
    """,  # noqa: S608 - our own words
    postgres="""
    WITH gone AS (DELETE FROM settlements WHERE day = :day AND key = :key RETURNING nano_usd, unpriced)
    UPDATE spending
       SET nano_usd = nano_usd + (SELECT CAST(COALESCE(SUM(gone.nano_usd), 0) AS BIGINT) FROM gone) + :cost,
           unpriced = unpriced + (SELECT CAST(COALESCE(SUM(gone.unpriced), 0) AS BIGINT) FROM gone) + :unpriced
     WHERE day = :day AND key = :key
       AND nano_usd + (SELECT CAST(COALESCE(SUM(gone.nano_usd), 0) AS BIGINT) FROM gone) <= :most
    RETURNING nano_usd AS level
    """,
)
_FORGET_SETTLED = Sql(
    sqlite="DELETE FROM settlements WHERE day = :day AND key = :key",
    postgres="DELETE FROM settlements WHERE day = :day AND key = :key AND FALSE",
)
_CHANGE_RATE = """
INSERT INTO rates (key, tat)
VALUES (:key, :fresh)
ON CONFLICT (key) DO UPDATE
   SET tat = CASE WHEN :amount < 0 OR rates.tat > :now THEN rates.tat ELSE :now END + :amount
"""
_CHANGE_BUDGET = """
INSERT INTO spending (day, key, nano_usd, unpriced)
VALUES (:day, :key, :amount, :unpriced)
ON CONFLICT (day, key) DO UPDATE
   SET nano_usd = spending.nano_usd + excluded.nano_usd, unpriced = spending.unpriced + excluded.unpriced
"""
_SETTLE = """
INSERT INTO settlements (day, key, id, nano_usd, unpriced)
VALUES (:day, :key, :id, :amount, :unpriced)
ON CONFLICT (day, key, id) DO NOTHING
"""
_READ_RATE = "SELECT tat AS level, 0 AS unpriced FROM rates WHERE key = :key"
_READ_BUDGET = """
SELECT CAST(COALESCE(SUM(nano_usd), 0) AS BIGINT) AS level, CAST(COALESCE(SUM(unpriced), 0) AS BIGINT) AS unpriced
  FROM (SELECT nano_usd, unpriced FROM spending WHERE day = :day AND key = :key
         UNION ALL
        SELECT nano_usd, unpriced FROM settlements WHERE day = :day AND key = :key) AS every
"""
_SWEEP = (
    """
    DELETE FROM rates WHERE key IN (SELECT key FROM rates WHERE tat < :stale ORDER BY tat LIMIT :limit) RETURNING key
    """,
    """
    DELETE FROM spending
     WHERE day IN (SELECT day FROM spending WHERE day < :first_day ORDER BY day LIMIT 1)
       AND key IN (SELECT key FROM spending WHERE day < :first_day ORDER BY day, key LIMIT :limit)
    RETURNING key
    """,
    """
    DELETE FROM settlements
     WHERE day IN (SELECT day FROM settlements WHERE day < :first_day ORDER BY day LIMIT 1)
       AND id IN (SELECT id FROM settlements WHERE day < :first_day ORDER BY day, key, id LIMIT :limit)
    RETURNING key
    """,
)
_STALE = 60 * MINUTE  # after it was free again; another process's clock may be behind


class NoRoom(Exception):
    """A demand does not fit; nothing of its list was taken."""


class DatabaseCounters:
    """Counters in a database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.in_order = db.dialect == "sqlite"  # one thread writes

    async def take(self, demands: Sequence[Demand], now: int) -> Mapping[Slot, int] | None:
        """Take all or nothing, in one transaction. See `Counters`."""
        statements: list[Statement] = []
        places: dict[Slot, int] = {}
        for demand in demands:
            if demand.is_rate:
                places[demand.slot] = len(statements)
                statements.append(_take_rate(demand, now))
            else:
                places[demand.slot] = len(statements) + 1
                statements += _take_budget(demand)
        try:
            rows = await self._db.write(*statements, relaxed=True)
        except NoRoom:
            return None
        return {slot: int(rows[place][0]["level"]) for slot, place in places.items()}

    async def read(self, slots: Sequence[Slot]) -> Mapping[Slot, tuple[int, int]]:
        """See `Counters`."""
        found = await asyncio.gather(
            *(self._db.fetch_one(_READ_BUDGET if slot.day else _READ_RATE, **_values(slot)) for slot in slots)
        )
        return {
            slot: (int(row["level"]), int(row["unpriced"])) if row else (0, 0)
            for slot, row in zip(slots, found, strict=True)
        }

    async def change(self, changes: Mapping[Slot, Change], now: int) -> None:
        """See `Counters`."""
        statements = []
        for slot, change in sorted(changes.items()):
            values = {**_values(slot), **change._asdict()}
            if slot.day:
                statements.append(Statement(_CHANGE_BUDGET, values))
            else:
                rate = {"key": slot.key, "amount": change.amount, "now": now, "fresh": now + change.amount}
                statements.append(Statement(_CHANGE_RATE, rate))
        await self._db.write(*statements, relaxed=True)

    async def settle(self, admission_id: str, changes: Mapping[Slot, Change]) -> tuple[Statement, ...]:
        """Rows that are this admission's own, so that no two ledger rows wait for each other. See `Counters`."""
        return tuple(
            Statement(_SETTLE, {**_values(slot), **change._asdict(), "id": admission_id}, repeatable=True)
            for slot, change in sorted(changes.items())
        )

    async def sweep(self, now: int, first_day: str, limit: int) -> int:
        """See `Counters`."""
        done = 0
        for sql in _SWEEP:
            if done < limit:
                values = {"stale": now - _STALE} if "rates" in sql else {"first_day": first_day}
                done += len(await self._db.execute(sql, **values, limit=limit - done))
        return done


def _values(slot: Slot) -> dict[str, str]:
    return {"day": slot.day, "key": slot.key} if slot.day else {"key": slot.key}


def _take_rate(demand: Demand, now: int) -> Statement:
    values = {
        "key": demand.slot.key,
        "now": now,
        "cost": demand.cost,
        "fresh": now + demand.cost,
        "latest": now + demand.room - demand.need,
    }
    return Statement(_TAKE_RATE, values, unmatched=NoRoom())


def _take_budget(demand: Demand) -> tuple[Statement, ...]:
    own = _values(demand.slot)
    values = {**own, "cost": demand.cost, "unpriced": demand.unpriced, "most": demand.room - demand.need}
    return (
        Statement(_BEGIN_DAY, own),
        Statement(_TAKE_BUDGET, values, unmatched=NoRoom()),
        Statement(_FORGET_SETTLED, own),
    )
