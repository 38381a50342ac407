"""What is written into the ledger: statements for a row, what is told of it, and the same again for a later try."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

from toolkit.db import Statement, as_time
from toolkit.db.feed import event
from toolkit.db.statements import checked_text, json_text, utc
from toolkit.errors import DatabaseError

Values: TypeAlias = Mapping[str, Any]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "calls": (
        *("id", "call_id", "attempt", "kind", "name", "provider", "model", "session_id", "user_id", "origin"),
        *("status", "error", "message", "http_status", "request_id", "input_tokens", "output_tokens"),
        *("cached_tokens", "cache_write_tokens", "reasoning_tokens", "usage_more", "cost_nano_usd", "milliseconds"),
        *("key_label", "uncounted", "started_at", "day"),
    ),
    "tool_calls": (
        *("id", "call_id", "tool", "session_id", "user_id", "origin", "status", "error", "message"),
        *("argument_bytes", "result_bytes", "milliseconds", "started_at", "day"),
    ),
}
"""What a row of each table has when it is written."""

_MOST_TEXT = 500  # characters of a name in an event
_MOST_INTEGER = 2**63 - 1


def _insert(table: str) -> str:
    columns = COLUMNS[table]
    places = ", ".join(f":{column}" for column in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) ON CONFLICT (id) DO NOTHING"  # noqa: S608 - our own words


KEEP: Mapping[str, str] = {table: _insert(table) for table in COLUMNS}
"""Adds a row, unless it is there."""

_TABLES = {sql: table for table, sql in KEEP.items()}


class AlreadyKept(Exception):
    """An earlier try, whose end nobody saw, has kept the row, and what was written with it."""


def call(values: Values) -> tuple[Statement, ...]:
    """What keeps a row of `calls`, and tells listeners of it."""
    told = _told(values)
    # A row alone may be written twice without harm; an event would be told twice.
    return Statement(KEEP["calls"], values, repeatable=not told), *told


def tool_call(values: Values) -> tuple[Statement, ...]:
    """What keeps a row of `tool_calls`; nothing is told of it."""
    return (Statement(KEEP["tool_calls"], values, repeatable=True),)


def once(statements: Sequence[Statement]) -> list[Statement]:
    """The same list for a later try: it raises `AlreadyKept`, and does nothing, if an earlier one was kept."""
    again = list(statements)
    for place, statement in enumerate(again):
        if statement.sql in _TABLES:
            first = f"{statement.sql} RETURNING id"
            again[place] = Statement(first, statement.values, unmatched=AlreadyKept(), wakes=statement.wakes)
            break
    return again


def rows_of(statements: Sequence[Statement]) -> list[dict[str, Any]]:
    """The ledger's rows in a list as JSON has them, each with its `table`; what else is in the list is left out."""
    return [
        {"table": _TABLES[statement.sql], **statement.values, "started_at": _text(statement.values["started_at"])}
        for statement in statements
        if isinstance(statement.sql, str) and statement.sql in _TABLES
    ]


def statements_of(row: Mapping[str, Any]) -> tuple[Statement, ...]:
    """What keeps a row that `rows_of` gave.

    Raises:
        KeyError, TypeError, ValueError: it is no such row.
    """
    table = row["table"]
    values = {column: row[column] for column in COLUMNS[table]}
    values["started_at"] = as_time(values["started_at"]).astimezone(UTC)
    return call(values) if table == "calls" else tool_call(values)


def can_be_kept(statements: Sequence[Statement]) -> bool:
    """Whether no value is one that no database can keep, so that a later try makes sense."""
    try:
        for statement in statements:
            for name, value in statement.values.items():
                match value:
                    case str():
                        checked_text(name, value)
                    case dict() | list():
                        json_text(name, value)
                    case datetime():
                        utc(name, value)
                    case int() if abs(value) > _MOST_INTEGER:
                        return False
    except DatabaseError:
        return False
    return True


def _text(moment: Any) -> str:
    return moment.isoformat() if isinstance(moment, datetime) else str(moment)


def _told(values: Values) -> tuple[Statement, ...]:
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
    if values["status"] == "cached":
        nothing = {"input_tokens": 0, "output_tokens": 0, "cost_usd": 0.0, "cached": True}
        return (event("generation.completed", subject, {**body, **nothing}),)
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
