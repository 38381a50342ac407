"""Rows of the ledger as flat records, for tables of any kind."""

import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from datetime import datetime
from typing import IO, Any, Final

from toolkit.db import Row, as_json, as_time
from toolkit.usage.records import MORE_TOKENS

PAGE: Final = 1000
"""Rows that are read at once."""

# What a spreadsheet takes for the beginning of a formula, whoever wrote it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

COLUMNS: Final[tuple[str, ...]] = (
    *("started_at", "day", "call_id", "attempt", "kind", "status", "model", "provider", "vendor_model"),
    *("user", "origin", "session_id", "error", "message", "http_status", "request_id"),
    *("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens", *MORE_TOKENS),
    *("cost_usd", "cost_nano_usd", "milliseconds", "key", "uncounted"),
)
"""The columns of a record, in order."""


def flat(row: Row) -> dict[str, Any]:
    """A row of the table `calls` as a record; what is unknown is None."""
    cost, counted = row["cost_nano_usd"], row["input_tokens"] is not None
    more = as_json(row["usage_more"]) or {}
    values = {
        **row,
        "started_at": as_time(row["started_at"]),
        "model": row["name"],
        "vendor_model": row["model"],
        "user": row["user_id"],
        **{name: int(more.get(name, 0)) if counted else None for name in MORE_TOKENS},
        "cost_usd": None if cost is None else cost / 1e9,
        "milliseconds": float(row["milliseconds"]),
        "key": row["key_label"],
        "uncounted": bool(row["uncounted"]),
    }
    return {column: values[column] for column in COLUMNS}


async def write_csv(records: AsyncIterable[Mapping[str, Any]], out: IO[str]) -> int:
    """Write records as CSV, with a head; gives their number.

    A text that a spreadsheet would run as a formula gets an apostrophe before it, which shows it as text. What is
    unknown is an empty cell; times are ISO 8601.

    Args:
        records: as `Ledger.export` gives them.
        out: opened with `newline=""`.
    """
    number = -1  # the head is no record
    async for line in csv_lines(records):
        out.write(line)
        number += 1
    return number


async def csv_lines(records: AsyncIterable[Mapping[str, Any]]) -> AsyncGenerator[str, None]:
    """The same, line by line: the head, then one for each record."""
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    yield line.getvalue()
    async for record in records:
        line.seek(0)
        line.truncate()
        writer.writerow([_cell(record[column]) for column in COLUMNS])
        yield line.getvalue()


async def write_jsonl(records: AsyncIterable[Mapping[str, Any]], out: IO[str]) -> int:
    """Write records as JSON Lines; gives their number. Times are ISO 8601."""
    number = 0
    async for record in records:
        out.write(json.dumps(record, default=datetime.isoformat, ensure_ascii=False) + "\n")
        number += 1
    return number


def _cell(value: Any) -> Any:
    match value:
        case str() if value.startswith(_FORMULA):
            return f"'{value}"
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case _:
            return value
