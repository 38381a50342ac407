"""What the ledger holds, and what it gives back: one attempt, and sums over many."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from toolkit.db import Row, as_json, as_time
from toolkit.display.shown import Shown
from toolkit.messages import Attempt, Usage
from toolkit.usage import cards

MORE_TOKENS: Final = ("cache_write_1h_tokens", "input_image_tokens", "input_audio_tokens", "output_audio_tokens")
"""Counts that few answers have; they share a column."""


@dataclass(frozen=True, slots=True, repr=False)
class UsageRow(Shown):
    """What one model, user, application, day, provider or conversation used.

    Attributes:
        key: which one; empty where the caller did not say.
        calls: how often a model was asked, failed and cancelled times included, answers from the cache not.
        failures: how often it did not answer; cancelled times are not its failures.
        input_tokens: all that went in, as far as the vendors said.
        output_tokens: all that came out, as far as the vendors said.
        cost_usd: the sum of the known costs; None if none is known although a model answered.
        unpriced_calls: answers whose price is unknown: `cost_usd` lacks them.
        milliseconds_mean: from the question to the answer or the error; 0 where no model was asked.
        cached: answers that came from the cache; no other figure counts them.
        answers: how often a model answered.
        hit_rate: `cached` as a part of all answers in chats, from 0 to 1; None if there were none.
    """

    key: str
    calls: int
    failures: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    unpriced_calls: int
    milliseconds_mean: float
    cached: int = 0
    answers: int = 0
    hit_rate: float | None = None

    _shown = cards.row


@dataclass(frozen=True, slots=True, repr=False)
class UsageStats(Shown):
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
    cached: int = 0
    answers: int = 0
    hit_rate: float | None = None

    _shown = cards.stats


@dataclass(frozen=True, slots=True, repr=False)
class Call(Shown):
    """One row of the ledger.

    Attributes:
        attempt: the model, and what came of it.
        call_id: shared by all attempts of one question.
        number: 1 is the first model asked.
        kind: `chat`, `stream` or `embed`.
        status: `ok`, `error`, `cancelled`, or `cached`: its answer came from the cache, and its tokens are those of the
            answer that is kept there.
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

    _shown = cards.call


@dataclass(frozen=True, slots=True, repr=False)
class ToolUsage(Shown):
    """How often one tool was called.

    Attributes:
        tool: its name.
        calls: how often, refused and cancelled times included.
        failures: how often it failed or ran out of time; refused and cancelled times are not its failures.
        milliseconds_mean: from the call to its end.
    """

    tool: str
    calls: int
    failures: int
    milliseconds_mean: float


@dataclass(frozen=True, slots=True, repr=False)
class ToolCallRow(Shown):
    """One call of a tool.

    Attributes:
        tool: its name.
        status: `ok`, `error`, `refused`, `timeout` or `cancelled`.
        error: the class of the error; None if there was none.
        message: the error in one sentence, without secrets.
        call_id: the question that it was called for, None where there was none.
        user: the person behind it, None if the caller did not say.
        origin: the application, None if the caller did not say.
        session_id: the conversation, None without one.
        argument_bytes: what went in, as JSON.
        result_bytes: what came out; None where nothing did.
        milliseconds: from the call to its end.
        started_at: when it was called.
    """

    tool: str
    status: str
    error: str | None
    message: str | None
    call_id: str | None
    user: str | None
    origin: str | None
    session_id: str | None
    argument_bytes: int
    result_bytes: int | None
    milliseconds: float
    started_at: datetime


def values_of(attempt: Attempt) -> dict[str, Any]:
    """An attempt as columns of the table `calls`."""
    usage = attempt.usage
    more = {name: count for name in MORE_TOKENS if (count := getattr(usage, name))} if usage else None
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
        "usage_more": more or None,
        "cost_nano_usd": attempt.cost_nano_usd,
        "milliseconds": attempt.milliseconds,
        "key_label": attempt.key,
        "uncounted": attempt.uncounted,
    }


def usd(rows: Sequence[Row]) -> float | None:
    """The sum of the known costs; None if none is known although there is one to know."""
    known = [row["cost_nano_usd"] for row in rows if row["cost_nano_usd"] is not None]
    unknown = any(row["unpriced_calls"] for row in rows)
    return None if unknown and not known else sum(known) / 1e9


def stats_of(rows: Sequence[Row]) -> UsageStats:
    """The sum over the models' sums."""
    return UsageStats(
        calls=sum(row["calls"] for row in rows),
        failures=sum(row["failures"] for row in rows),
        input_tokens=sum(row["input_tokens"] for row in rows),
        output_tokens=sum(row["output_tokens"] for row in rows),
        cost_usd=usd(rows),
        priced_calls=sum(row["priced_calls"] for row in rows),
        by_model=tuple(map(usage_row, rows)),
        cached=sum(row["cached"] for row in rows),
        answers=sum(_answers(row) for row in rows),
        hit_rate=_hit_rate(rows),
    )


def usage_row(row: Row) -> UsageRow:
    """A sum over many rows, as the ledger gives it back."""
    return UsageRow(
        key=row["key"],
        calls=row["calls"],
        failures=row["failures"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=usd([row]),
        unpriced_calls=row["unpriced_calls"],
        milliseconds_mean=row["milliseconds"] / row["calls"] if row["calls"] else 0.0,
        cached=row["cached"],
        answers=_answers(row),
        hit_rate=_hit_rate([row]),
    )


def tool_row(row: Row) -> ToolCallRow:
    """One row of the table `tool_calls`, as the ledger gives it back."""
    return ToolCallRow(
        tool=row["tool"],
        status=row["status"],
        error=row["error"],
        message=row["message"],
        call_id=row["call_id"],
        user=row["user_id"],
        origin=row["origin"],
        session_id=row["session_id"],
        argument_bytes=row["argument_bytes"],
        result_bytes=row["result_bytes"],
        milliseconds=row["milliseconds"],
        started_at=as_time(row["started_at"]),
    )


def _answers(row: Row) -> int:
    answers: int = row["priced_calls"] + row["unpriced_calls"]
    return answers


def _hit_rate(rows: Sequence[Row]) -> float | None:
    cached = sum(row["cached"] for row in rows)
    answers = cached + sum(row["cacheable"] for row in rows)
    return cached / answers if answers else None


def call_of(row: Row) -> Call:
    """One row of the table `calls`, as the ledger gives it back."""
    usage = None
    if row["input_tokens"] is not None:
        usage = Usage(
            row["input_tokens"],
            row["output_tokens"],
            row["cached_tokens"],
            row["cache_write_tokens"],
            row["reasoning_tokens"],
            **(as_json(row["usage_more"]) or {}),
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
        key=row["key_label"],
        uncounted=bool(row["uncounted"]),
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
