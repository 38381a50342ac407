"""What the ledger is asked: sums, single calls, and what tools did."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias

from toolkit.db import Database, Row
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError
from toolkit.stamps import day_of, now
from toolkit.usage import days as by_days
from toolkit.usage.cards import UsageRows
from toolkit.usage.export import PAGE, flat
from toolkit.usage.overview import UsageReport
from toolkit.usage.records import (
    Call,
    ToolCallRow,
    ToolUsage,
    UsageStats,
    call_of,
    stats_of,
    tool_row,
    usage_row,
)
from toolkit.usage.sums import SUMMED, TOTALS

Dimension: TypeAlias = Literal["model", "user", "origin", "day", "provider", "session"]

MANY: Final = 5_000
"""Rows that are not in the sums, above which they are brought there after a question."""

_DIMENSIONS: Final = {
    "model": "name",
    "user": "user_id",
    "origin": "origin",
    "day": "day",
    "provider": "provider",
    "session": "session_id",
}
_MAX_DAYS = 36_500
_MOST = 2**31 - 1  # rows; who says more means all
# The index `calls_by_name` holds the answers of a model in this order.
LATENCIES: Final = """
SELECT milliseconds
  FROM calls
 WHERE name = :name AND status = 'ok' AND kind IN ('chat', 'stream')
 ORDER BY started_at DESC
 LIMIT :limit
"""

# ruff: noqa: S608 - statements of our own words only


class Reports:
    """Reads the ledger.

    Args:
        db: where it is kept.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def stats(self, *, user: str | None = None, session_id: str | None = None, days: int = 30) -> UsageStats:
        """Everything that was used, or what a user or a conversation used.

        Args:
            user: whose; None is everyone's.
            session_id: of which conversation; None is of all.
            days: in how many last days in UTC, today included.
        """
        return stats_of(await self._summed("model", days=days, user=user, session_id=session_id))

    async def by(
        self, dimension: Dimension, *, days: int = 30, user: str | None = None, limit: int | None = None
    ) -> UsageRows:
        """What was used per model, user, origin, day, provider or session.

        Dearest first; days from the oldest on. Sessions are added up from single calls, which takes a second for a
        million of them; all else from daily sums.

        Args:
            dimension: what there is a row for.
            days: in how many last days in UTC, today included.
            user: whose; None is everyone's.
            limit: at most this many rows; None is all.

        Raises:
            ConfigError: there is no such dimension, or `days` is out of bounds.
        """
        if dimension not in _DIMENSIONS:
            raise ConfigError(
                f"Usage is not kept by {dimension!r}; choose model, user, origin, day, provider or session."
            )
        found = UsageRows(usage_row(row) for row in await self._summed(dimension, days=days, user=user))
        if dimension == "day":
            found.sort(key=lambda row: row.key)
        return found if limit is None else UsageRows(found[: max(0, limit)])

    async def overview(self, by: Dimension = "model", *, days: int = 30, user: str | None = None) -> UsageReport:
        """The sums of the last days, beside those of as many before them, and each day apart.

        A notebook shows it as tiles and a table; `overview.plot()` is the cost of each day. Hundreds of thousands of
        calls in these days take seconds.

        Args:
            by: what there is a row for: model, user, origin, provider or session.
            days: in how many last days in UTC, today included.
            user: whose; None is everyone's.

        Raises:
            ConfigError: there is no such dimension, or `days` is out of bounds.
        """
        if by == "day":
            raise ConfigError("Each day is in every overview; choose model, user, origin, provider or session.")
        rows = await self.by(by, days=days, user=user)
        shown = tuple(row.key for row in rows[: by_days.SHOWN])
        period = by_days.Period(self._db, first_day(days), days, user)
        every, total, earlier = await period.each_day(_DIMENSIONS[by], shown)
        return UsageReport(
            by=by,
            days=every,
            rows=tuple(rows),
            shown=shown,
            total=total,
            before=earlier,
            p95_milliseconds=await period.slow(),
            p95_before=await period.before().slow(),
            fallbacks=await period.fallbacks() if total.failures else 0,
        )

    async def calls(
        self,
        *,
        limit: int = 50,
        user: str | None = None,
        session_id: str | None = None,
        call_id: str | None = None,
    ) -> Listing[Call]:
        """The last `limit` attempts, newest first, of everyone or of one user, conversation or question."""
        wanted = {"user_id": user, "session_id": session_id, "call_id": call_id}
        # The day stands first in the indexes.
        rows = await self._db.fetch_all(
            f"SELECT * FROM calls {_where(wanted)} "
            "ORDER BY day DESC, started_at DESC, attempt DESC, id DESC LIMIT :limit",
            **wanted,
            limit=min(max(0, limit), _MOST),
        )
        return Listing(call_of(row) for row in rows)

    async def latencies(self, name: str, *, limit: int = 200) -> list[float]:
        """How many milliseconds each of the model's last answers took, newest first: `limit` of them at most.

        Answers of a chat only, whole or streamed: what failed was quick or slow for reasons of its own, and an
        embedding is another kind of work.
        """
        rows = await self._db.fetch_all(LATENCIES, name=name, limit=max(0, limit))
        return [row["milliseconds"] for row in rows]

    async def tools(self, *, days: int = 30, user: str | None = None) -> Listing[ToolUsage]:
        """How often each tool was called in the last `days` days in UTC, today included; the busiest first."""
        await self._tools_written()
        rows = await self._db.fetch_all(
            """
            SELECT tool, COUNT(*) AS calls,
                   CAST(SUM(CASE WHEN status IN ('error', 'timeout') THEN 1 ELSE 0 END) AS BIGINT) AS failures,
                   AVG(milliseconds) AS milliseconds_mean
              FROM tool_calls
             WHERE day >= :since AND (CAST(:user AS TEXT) IS NULL OR user_id = :user)
             GROUP BY tool
             ORDER BY calls DESC, tool
            """,
            since=first_day(days),
            user=user,
        )
        return Listing(ToolUsage(**row) for row in rows)

    async def tool_calls(
        self, *, limit: int = 50, call_id: str | None = None, session_id: str | None = None
    ) -> Listing[ToolCallRow]:
        """The last `limit` calls of tools, newest first, of everyone or of one question or conversation."""
        await self._tools_written()
        wanted = {"call_id": call_id, "session_id": session_id}
        rows = await self._db.fetch_all(
            f"SELECT * FROM tool_calls {_where(wanted)} ORDER BY day DESC, started_at DESC, id DESC LIMIT :limit",
            **wanted,
            limit=min(max(0, limit), _MOST),
        )
        return Listing(tool_row(row) for row in rows)

    async def _tools_written(self) -> None:
        """Have the rows of calls of tools in the database, where some are not there yet."""

    async def export(self, *, days: int = 30, user: str | None = None) -> AsyncGenerator[dict[str, Any], None]:
        """Every attempt, oldest first, as a flat row of text, numbers, booleans and times: for CSV, pandas or Parquet.

        Rows have the same columns, and a column has one type, or None. A thousand rows are in memory at once; what is
        written meanwhile comes at the end.

        Args:
            days: in how many last days in UTC, today included.
            user: whose; None is everyone's.

        Raises:
            ConfigError: `days` is out of bounds.
        """
        last: dict[str, Any] = {"day": first_day(days), "at": datetime(1, 1, 1, tzinfo=UTC), "id": ""}
        wanted = {"user_id": user}
        while True:
            rows = await self._db.fetch_all(
                f"""
                SELECT *
                  FROM calls
                 {_where(wanted)} {"AND" if user is not None else "WHERE"} (day, started_at, id) > (:day, :at, :id)
                 ORDER BY day, started_at, id
                 LIMIT :page
                """,
                **wanted,
                **last,
                page=PAGE,
            )
            for row in map(flat, rows):
                yield row
            if len(rows) < PAGE:
                return
            end = call_of(rows[-1])
            last = {"day": rows[-1]["day"], "at": end.started_at, "id": rows[-1]["id"]}

    async def _summed(
        self, dimension: Dimension, *, days: int, user: str | None, session_id: str | None = None
    ) -> list[Row]:
        by_session = dimension == "session" or session_id is not None
        sql = _from_rows(dimension, user, session_id) if by_session else _from_sums(dimension, user)
        rows = await self._db.fetch_all(sql, since=first_day(days), user=user, session_id=session_id)
        if sum(row["fresh"] for row in rows) > MANY:
            self._roll_up_soon()
        return [row if row["costs"] else {**row, "cost_nano_usd": None} for row in rows]

    def _roll_up_soon(self) -> None:
        """Told when an answer had to read many rows that are not in the sums."""


def _from_sums(dimension: Dimension, user: str | None) -> str:
    """Sums, and the rows that are not in them yet; one statement, so that no row is in both or in neither."""
    column = _DIMENSIONS[dimension]
    # An expression for the sums, too: SQLite would group by walking the index by users, and fetch row after row.
    key = f"COALESCE({column}, '')" if column in ("user_id", "origin") else column
    sums_of = "" if user is None else "AND user_id = :user"
    rows_of = "" if user is None else "AND COALESCE(user_id, '') = :user"
    return f"""
    SELECT key, {TOTALS}, CAST(SUM(fresh) AS BIGINT) AS fresh
      FROM (SELECT {key} AS key, {TOTALS}, 0 AS fresh
              FROM usage_daily
             WHERE day >= :since {sums_of}
             GROUP BY {key}
             UNION ALL
            SELECT {key}, {SUMMED}, COUNT(*)
              FROM calls
             WHERE NOT rolled AND day >= :since {rows_of}
             GROUP BY {key}) AS parts
     GROUP BY key
    HAVING SUM(calls) + SUM(cached) > 0
     {_ORDER}
    """


def _from_rows(dimension: Dimension, user: str | None, session_id: str | None) -> str:
    column = _DIMENSIONS[dimension]
    whose = "" if user is None else "AND COALESCE(user_id, '') = :user"
    which = "" if session_id is None else "AND session_id = :session_id"
    return f"""
    SELECT key, {TOTALS}, 0 AS fresh
      FROM (SELECT COALESCE({column}, '') AS key, {SUMMED}
              FROM calls
             WHERE day >= :since {whose} {which}
             GROUP BY COALESCE({column}, '')) AS parts
     GROUP BY key
     {_ORDER}
    """


_ORDER: Final = """
ORDER BY CASE WHEN SUM(costs) > 0 THEN SUM(cost_nano_usd) END DESC NULLS LAST, SUM(calls) DESC, key
"""


def _where(wanted: dict[str, str | None]) -> str:
    """The conditions of those values that are given; an index is used for what stands there alone."""
    given = [f"{column} = :{column}" for column, value in wanted.items() if value is not None]
    return f"WHERE {' AND '.join(given)}" if given else ""


def first_day(days: int) -> str:
    """The first of the last `days` days, today included.

    Raises:
        ConfigError: `days` is out of bounds.
    """
    if not 1 <= days <= _MAX_DAYS:
        raise ConfigError(f"`days` is {days}; it must be between 1 and {_MAX_DAYS}.")
    return day_of(now() - timedelta(days=days - 1))
