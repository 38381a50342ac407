"""The ledger: one row for each time a model was asked, whether it answered or not."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from toolkit.db import Database, Row, Statement
from toolkit.db.feed import event
from toolkit.errors import ConfigError
from toolkit.messages import Attempt, Caller
from toolkit.redaction import redact
from toolkit.stamps import new_id, now
from toolkit.usage.records import Call, UsageRow, UsageStats, call_of, usage_row, usd, values_of

Dimension: TypeAlias = Literal["model", "user", "origin", "day", "provider"]

_PATIENCE = 5.0  # seconds that an answer waits for its own row
_MAX_DAYS = 36_500
_MOST_TEXT = 500  # characters of a name in an event
_KEEP = """
INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, session_id, user_id, origin,
                   status, error, message, http_status, request_id, input_tokens, output_tokens,
                   cached_tokens, cache_write_tokens, reasoning_tokens, usage_more, cost_nano_usd, milliseconds,
                   key_label, uncounted, started_at, day)
VALUES (:id, :call_id, :attempt, :kind, :name, :provider, :model, :session_id, :user_id, :origin,
        :status, :error, :message, :http_status, :request_id, :input_tokens, :output_tokens,
        :cached_tokens, :cache_write_tokens, :reasoning_tokens, :usage_more, :cost_nano_usd, :milliseconds,
        :key_label, :uncounted, :started_at, :day)
ON CONFLICT (id) DO NOTHING
"""
# The index `calls_by_name` holds the answers of a model in this order.
_LATENCIES = """
SELECT milliseconds
  FROM calls
 WHERE name = :name AND status = 'ok' AND kind IN ('chat', 'stream')
 ORDER BY started_at DESC
 LIMIT :limit
"""
_log = logging.getLogger(__name__)


class Ledger:
    """Keeps what each attempt cost. It never stands in the way of an answer: see `record`.

    Attributes:
        failures: rows that could not be written since the start.
        last_failure: why the last row could not be written, in one sentence; None if it could.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._writing: set[asyncio.Task[None]] = set()
        self.failures = 0
        self.last_failure: str | None = None

    async def record(self, attempt: Attempt, **asked: Any) -> None:
        """Write one row, as `write` does; the arguments are those of `rows`."""
        await self.write(self.rows(attempt, **asked))

    def rows(
        self,
        attempt: Attempt,
        *,
        call_id: str,
        number: int,
        kind: str,
        caller: Caller,
        started_at: datetime,
        cancelled: bool = False,
    ) -> tuple[Statement, ...]:
        """What keeps one attempt, and tells listeners of it: for `write`, or to be written with something else.

        Args:
            attempt: what to record.
            call_id: shared by all attempts of one question.
            number: 1 is the first model asked.
            kind: `chat`, `stream` or `embed`.
            caller: on whose behalf.
            started_at: when the model was asked.
            cancelled: the caller went away before the answer was whole.
        """
        status = "cancelled" if cancelled else "ok" if attempt.ok else "error"
        values = {
            **values_of(attempt),
            "id": new_id(),
            "call_id": call_id,
            "attempt": number,
            "kind": kind,
            "session_id": caller.session_id,
            "user_id": caller.user,
            "origin": caller.origin,
            "status": status,
            "started_at": started_at,
            "day": _day(started_at),
        }
        told = _told(values)
        # A row alone may be written twice without harm; an event would be told twice.
        return Statement(_KEEP, values, repeatable=not told), *told

    async def write(self, rows: Sequence[Statement]) -> None:
        """Write what `rows` made; never raises, and waits a few seconds at most.

        A database that is slow gets its rows while the answer goes on; one that fails is counted in `failures`. A
        caller who is cancelled here leaves the rows being written.
        """
        if rows:
            writing = asyncio.create_task(self._write(rows))
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)
            await asyncio.wait({writing}, timeout=_PATIENCE)

    async def flush(self) -> None:
        """Wait until every row has been written or has failed."""
        while self._writing:
            await asyncio.wait(set(self._writing))

    async def stats(self, *, user: str | None = None, days: int = 30) -> UsageStats:
        """Everything that was used, or what `user` used, in the last `days` days in UTC, today included."""
        rows = await self._grouped("model", days=days, user=user)
        return UsageStats(
            calls=sum(row["calls"] for row in rows),
            failures=sum(row["failures"] for row in rows),
            input_tokens=sum(row["input_tokens"] for row in rows),
            output_tokens=sum(row["output_tokens"] for row in rows),
            cost_usd=usd(rows),
            priced_calls=sum(row["priced_calls"] for row in rows),
            by_model=tuple(map(usage_row, rows)),
        )

    async def by(self, dimension: Dimension, *, days: int = 30, user: str | None = None) -> list[UsageRow]:
        """What was used in the last `days` days in UTC, today included, per model, user, origin, day or provider.

        Dearest first; days from the oldest on.

        Raises:
            ConfigError: there is no such dimension, or `days` is out of bounds.
        """
        if dimension not in ("model", "user", "origin", "day", "provider"):
            raise ConfigError(f"Usage is not kept by {dimension!r}; choose model, user, origin, day or provider.")
        rows = await self._grouped(dimension, days=days, user=user)
        found = [usage_row(row) for row in rows]
        return sorted(found, key=lambda row: row.key) if dimension == "day" else found

    async def calls(
        self,
        *,
        limit: int = 50,
        user: str | None = None,
        session_id: str | None = None,
        call_id: str | None = None,
    ) -> list[Call]:
        """The last `limit` attempts, newest first, of everyone or of one user, conversation or question."""
        # The day has an index, so that only the newest days need be sorted by the moment.
        rows = await self._db.fetch_all(
            """
            SELECT *
              FROM calls
             WHERE (CAST(:user AS TEXT) IS NULL OR user_id = :user)
               AND (CAST(:session_id AS TEXT) IS NULL OR session_id = :session_id)
               AND (CAST(:call_id AS TEXT) IS NULL OR call_id = :call_id)
             ORDER BY day DESC, started_at DESC, attempt DESC, id DESC
             LIMIT :limit
            """,
            user=user,
            session_id=session_id,
            call_id=call_id,
            limit=max(0, limit),
        )
        return [call_of(row) for row in rows]

    async def latencies(self, name: str, *, limit: int = 200) -> list[float]:
        """How many milliseconds each of the model's last answers took, newest first: `limit` of them at most.

        Answers of a chat only, whole or streamed: what failed was quick or slow for reasons of its own, and an
        embedding is another kind of work.
        """
        rows = await self._db.fetch_all(_LATENCIES, name=name, limit=max(0, limit))
        return [row["milliseconds"] for row in rows]

    async def _grouped(self, dimension: Dimension, *, days: int, user: str | None) -> list[Row]:
        return await self._db.fetch_all(
            """
            SELECT CASE CAST(:dimension AS TEXT)
                       WHEN 'model' THEN name
                       WHEN 'user' THEN COALESCE(user_id, '')
                       WHEN 'origin' THEN COALESCE(origin, '')
                       WHEN 'day' THEN day
                       ELSE provider
                   END AS key,
                   COUNT(*) AS calls,
                   CAST(SUM(CASE WHEN status = 'error' THEN 1 ELSE 0 END) AS BIGINT) AS failures,
                   CAST(COALESCE(SUM(input_tokens), 0) AS BIGINT) AS input_tokens,
                   CAST(COALESCE(SUM(output_tokens), 0) AS BIGINT) AS output_tokens,
                   CAST(SUM(cost_nano_usd) AS BIGINT) AS cost_nano_usd,
                   CAST(SUM(CASE WHEN status = 'ok' AND cost_nano_usd IS NULL THEN 1 ELSE 0 END) AS BIGINT)
                       AS unpriced_calls,
                   CAST(SUM(CASE WHEN status = 'ok' AND cost_nano_usd IS NOT NULL THEN 1 ELSE 0 END) AS BIGINT)
                       AS priced_calls,
                   AVG(milliseconds) AS milliseconds_mean
              FROM calls
             WHERE day >= :since AND (CAST(:user AS TEXT) IS NULL OR user_id = :user)
             GROUP BY 1
             ORDER BY SUM(cost_nano_usd) DESC NULLS LAST, calls DESC, key
            """,
            dimension=dimension,
            since=_first_day(days),
            user=user,
        )

    async def count_before(self, before: datetime) -> int:
        """How many rows are of `before` or earlier."""
        row = await self._db.fetch_one(
            "SELECT COUNT(*) AS n FROM calls WHERE day <= :day AND started_at <= :before",
            day=_day(before),
            before=before,
        )
        return int(row["n"]) if row else 0

    async def prune(self, before: datetime, limit: int = 500) -> int:
        """Delete rows of `before` or earlier, the oldest days first, and give their number; 0 if none is left.

        Args:
            before: a moment; what was spent until then is no longer known.
            limit: at most this many rows at once, so that nobody waits long for the lock; at least 1.
        """
        if limit < 1:
            raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
        rows = await self._db.execute(
            """
            DELETE FROM calls
             WHERE id IN (SELECT id FROM calls WHERE day <= :day AND started_at <= :before ORDER BY day LIMIT :limit)
            RETURNING id
            """,
            day=_day(before),
            before=before,
            limit=limit,
        )
        return len(rows)

    async def _write(self, rows: Sequence[Statement]) -> None:
        try:
            await self._db.write(*rows, subject=rows[0].values["id"])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the ledger, the answer must go on
            self.failures += 1
            self.last_failure = redact(str(error) or type(error).__name__)
            _log.warning("A call could not be written to the ledger: %s", self.last_failure)
        else:
            self.last_failure = None


def _told(values: Mapping[str, Any]) -> tuple[Statement, ...]:
    """The event of an answer, or of a failure to give one; nothing of one that was cancelled, nor of an embedding."""
    if values["kind"] not in ("chat", "stream") or values["status"] == "cancelled":
        return ()
    body = {
        "call_id": values["call_id"],
        "attempt": values["attempt"],
        "model": _short(values["name"]),
        "provider": values["provider"],
        "session_id": values["session_id"],
        "user": _short(values["user_id"]),
        "origin": _short(values["origin"]),
        "milliseconds": values["milliseconds"],
    }
    subject = values["session_id"] or values["call_id"]
    if values["status"] == "error":
        return (event("generation.failed", subject, {**body, "error": values["error"]}),)
    cost = values["cost_nano_usd"]
    used = {
        "input_tokens": values["input_tokens"],
        "output_tokens": values["output_tokens"],
        "cost_usd": None if cost is None else cost / 1e9,
    }
    return (event("generation.completed", subject, {**body, **used}),)


def _short(text: str | None) -> str | None:
    """A caller's text, cut where it is longer than any name; a row must not be lost over its event."""
    return text and text[:_MOST_TEXT]


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _first_day(days: int) -> str:
    if not 1 <= days <= _MAX_DAYS:
        raise ConfigError(f"`days` is {days}; it must be between 1 and {_MAX_DAYS}.")
    return _day(now() - timedelta(days=days - 1))
