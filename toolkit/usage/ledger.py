"""The ledger: one row for each time a model was asked, whether it answered or not."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from toolkit.db import Database, Row, Statement, as_time
from toolkit.db.feed import event
from toolkit.errors import ConfigError
from toolkit.messages import Attempt, Caller, Usage
from toolkit.redaction import redact
from toolkit.stamps import new_id, now

Dimension: TypeAlias = Literal["model", "user", "origin", "day", "provider"]

_PATIENCE = 5.0  # seconds that an answer waits for its own row
_MAX_DAYS = 36_500
_MOST_TEXT = 500  # characters of a name in an event
_KEEP = """
INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, session_id, user_id, origin,
                   status, error, message, http_status, request_id, input_tokens, output_tokens,
                   cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd, milliseconds,
                   started_at, day)
VALUES (:id, :call_id, :attempt, :kind, :name, :provider, :model, :session_id, :user_id, :origin,
        :status, :error, :message, :http_status, :request_id, :input_tokens, :output_tokens,
        :cached_tokens, :cache_write_tokens, :reasoning_tokens, :cost_nano_usd, :milliseconds,
        :started_at, :day)
ON CONFLICT (id) DO NOTHING
"""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one model, user, application, day or provider used.

    Attributes:
        key: which one; empty where the caller did not say.
        calls: how often a model was asked, failed and cancelled times included.
        failures: how often it did not answer; cancelled times are not its failures.
        input_tokens: all that went in, as far as the vendors said.
        output_tokens: all that came out, as far as the vendors said.
        cost_usd: the sum of the known costs; None if none is known although a model answered.
        unpriced_calls: answers whose price is unknown: `cost_usd` lacks them.
        milliseconds_mean: from the question to the answer or the error.
    """

    key: str
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    unpriced_calls: int
    milliseconds_mean: float


@dataclass(frozen=True, slots=True)
class UsageStats:
    """What was used altogether; the figures mean what they mean in `UsageRow`.

    Attributes:
        priced_calls: answers whose price is known: `cost_usd` is the sum over these.
        by_model: the same per model, dearest first.
    """

    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    priced_calls: int
    by_model: tuple[UsageRow, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """One row of the ledger.

    Attributes:
        attempt: the model, and what came of it.
        call_id: shared by all attempts of one question.
        number: 1 is the first model asked.
        kind: `chat`, `stream` or `embed`.
        status: `ok`, `error` or `cancelled`.
        user: the person behind it, None if the caller did not say.
        origin: the application, None if the caller did not say.
        session_id: the conversation, None without one.
        started_at: when the model was asked.
    """

    attempt: Attempt
    call_id: str
    number: int
    kind: str
    status: str
    user: str | None
    origin: str | None
    session_id: str | None
    started_at: datetime


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

    async def record(
        self,
        attempt: Attempt,
        *,
        call_id: str,
        number: int,
        kind: str,
        caller: Caller,
        started_at: datetime,
        cancelled: bool = False,
    ) -> None:
        """Write one row; never raises, and waits a few seconds at most.

        A database that is slow gets its row while the answer goes on; one that fails is counted in `failures`. A
        caller who is cancelled here leaves the row being written.

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
            **_values(attempt),
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
        writing = asyncio.create_task(self._write(values))
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
            cost_usd=_usd(rows),
            priced_calls=sum(row["priced_calls"] for row in rows),
            by_model=tuple(map(_usage_row, rows)),
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
        found = [_usage_row(row) for row in rows]
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
        return [_call(row) for row in rows]

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

    async def _write(self, values: Mapping[str, Any]) -> None:
        try:
            told = _told(values)
            # A row alone may be written twice without harm; an event would be told twice.
            row = Statement(_KEEP, values, repeatable=not told)
            await self._db.write(row, *told, subject=values["id"])
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


def _values(attempt: Attempt) -> dict[str, Any]:
    usage = attempt.usage
    return {
        "name": attempt.name,
        "provider": attempt.provider,
        "model": attempt.model,
        "error": attempt.error,
        "message": attempt.message,
        "http_status": attempt.status,
        "request_id": attempt.request_id,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cached_tokens": usage.cached_tokens if usage else None,
        "cache_write_tokens": usage.cache_write_tokens if usage else None,
        "reasoning_tokens": usage.reasoning_tokens if usage else None,
        "cost_nano_usd": attempt.cost_nano_usd,
        "milliseconds": attempt.milliseconds,
    }


def _day(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def _first_day(days: int) -> str:
    if not 1 <= days <= _MAX_DAYS:
        raise ConfigError(f"`days` is {days}; it must be between 1 and {_MAX_DAYS}.")
    return _day(now() - timedelta(days=days - 1))


def _usd(rows: Sequence[Row]) -> float | None:
    """The sum of the known costs; None if none is known although there is one to know."""
    known = [row["cost_nano_usd"] for row in rows if row["cost_nano_usd"] is not None]
    unknown = any(row["unpriced_calls"] for row in rows)
    return None if unknown and not known else sum(known) / 1e9


def _usage_row(row: Row) -> UsageRow:
    return UsageRow(
        key=row["key"],
        calls=row["calls"],
        failures=row["failures"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=_usd([row]),
        unpriced_calls=row["unpriced_calls"],
        milliseconds_mean=row["milliseconds_mean"],
    )


def _call(row: Row) -> Call:
    usage = None
    if row["input_tokens"] is not None:
        usage = Usage(
            row["input_tokens"],
            row["output_tokens"],
            row["cached_tokens"],
            row["cache_write_tokens"],
            row["reasoning_tokens"],
        )
    attempt = Attempt(
        name=row["name"],
        provider=row["provider"],
        model=row["model"],
        error=row["error"],
        message=row["message"],
        status=row["http_status"],
        request_id=row["request_id"],
        milliseconds=row["milliseconds"],
        usage=usage,
        cost_nano_usd=row["cost_nano_usd"],
    )
    return Call(
        attempt=attempt,
        call_id=row["call_id"],
        number=row["attempt"],
        kind=row["kind"],
        status=row["status"],
        user=row["user_id"],
        origin=row["origin"],
        session_id=row["session_id"],
        started_at=as_time(row["started_at"]),
    )
