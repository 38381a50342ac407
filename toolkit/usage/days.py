"""What the ledger is asked for an overview: each day apart, how quick answers were, and how often a model stood in."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil
from typing import Final, Self

from toolkit.db import Database, Row
from toolkit.usage.overview import UsageDay
from toolkit.usage.records import UsageRow, usage_row
from toolkit.usage.sums import EACH, SUMMED, TOTALS

SHOWN: Final = 4
"""Models, users and so on that have a part of their own in each day; the others are one part together."""

NEWEST: Final = 2_000
"""Answers from which it is told how quick they were; of more, the newest."""

_SLOW: Final = 0.95
_BY_USER: Final = "AND (CAST(:user AS TEXT) IS NULL OR COALESCE({}user_id, '') = :user)"

# ruff: noqa: S608 - statements of our own words only

_LATENCIES: Final = f"""
SELECT milliseconds
  FROM calls
 WHERE day BETWEEN :first AND :last AND status = 'ok' AND kind IN ('chat', 'stream') {_BY_USER.format("")}
 ORDER BY day DESC, started_at DESC
 LIMIT :newest
"""
_FALLBACKS: Final = f"""
SELECT COUNT(DISTINCT answered.call_id) AS n
  FROM calls AS failed
  JOIN calls AS answered
    ON answered.call_id = failed.call_id AND answered.attempt > failed.attempt AND answered.status = 'ok'
 WHERE failed.day BETWEEN :first AND :last AND failed.status = 'error' AND answered.name <> failed.name
   {_BY_USER.format("failed.")}
"""


@dataclass(frozen=True, slots=True)
class Period:
    """Some days of the ledger.

    Attributes:
        db: where it is kept.
        first: the first day, YYYY-MM-DD.
        count: how many days.
        user: whose calls; None is everyone's.
    """

    db: Database
    first: str
    count: int
    user: str | None

    def before(self) -> Self:
        """As many days before these."""
        return replace(self, first=_later(self.first, -self.count))

    async def each_day(self, column: str, shown: Sequence[str]) -> tuple[tuple[UsageDay, ...], UsageRow, UsageRow]:
        """Each day, the sum of all of them, and that of as many days before.

        Args:
            column: what is told apart within a day.
            shown: its values that are, at most `SHOWN`.
        """
        keys = {f"key{place}": key for place, key in enumerate(shown)}
        rows = await self.db.fetch_all(
            _parts(column, list(keys)), first=self.before().first, last=self._last, user=self.user, **keys
        )
        found: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            found[row["day"]].append(row)
        days = [_later(self.first, place) for place in range(self.count)]
        now, earlier = ([row for row in rows if (row["day"] >= self.first) is these] for these in (True, False))
        return tuple(_of_day(day, found[day], shown) for day in days), total(now), total(earlier)

    async def slow(self) -> float | None:
        """The milliseconds within which 95 of 100 answers of a chat came; None without any."""
        rows = await self.db.fetch_all(_LATENCIES, first=self.first, last=self._last, user=self.user, newest=NEWEST)
        times = sorted(row["milliseconds"] for row in rows)
        return float(times[ceil(len(times) * _SLOW) - 1]) if times else None

    async def fallbacks(self) -> int:
        """Questions that one model failed to answer, and another one answered then."""
        row = await self.db.fetch_one(_FALLBACKS, first=self.first, last=self._last, user=self.user)
        return int(row["n"]) if row else 0

    @property
    def _last(self) -> str:
        return _later(self.first, self.count - 1)


def total(rows: Iterable[Row], key: str = "") -> UsageRow:
    """The sum of sums."""
    found = list(rows)
    summed = {column: sum(row[column] for row in found) for column in EACH}
    known = summed["cost_nano_usd"] if summed["costs"] else None
    return usage_row({**summed, "key": key, "cost_nano_usd": known})


def _of_day(day: str, rows: Sequence[Row], shown: Sequence[str]) -> UsageDay:
    by_key = {row["key"]: row for row in rows}
    others = by_key.get(None)
    return UsageDay(
        day=day,
        total=total(rows, day) if rows else None,
        parts={key: total([by_key[key]], key) for key in shown if key in by_key},
        others=total([others]) if others else None,
    )


def _parts(column: str, keys: Sequence[str]) -> str:
    """Sums by day and the values that are shown; those of all others have no key."""
    named = f"COALESCE({column}, '')"
    key = (
        f"CASE WHEN {named} IN ({', '.join(f':{each}' for each in keys)}) THEN {named} END"
        if keys
        else "CAST(NULL AS TEXT)"
    )
    whose = _BY_USER.format("")
    by_session = column == "session_id"  # which the daily sums do not know
    kept = f"SELECT day, {key} AS key, {', '.join(EACH)} FROM usage_daily WHERE day BETWEEN :first AND :last {whose}"
    fresh = f"""
    SELECT day, {key} AS key, {SUMMED}
      FROM calls
     WHERE day BETWEEN :first AND :last {"" if by_session else "AND NOT rolled"} {whose}
     GROUP BY day, {key}
    """
    parts = fresh if by_session else f"{kept} UNION ALL {fresh}"
    return f"SELECT day, key, {TOTALS} FROM ({parts}) AS parts GROUP BY day, key"


def _later(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
