"""Rows of the ledger for tests, and what their sums are, added up in plain Python."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from toolkit.db import Database
from toolkit.messages import Attempt, Caller, Usage
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger

ADA = Caller(user="ada", origin="notebook", session_id="s1")


def asked(name: str = "small", *, error: str | None = None, cost: int | None = 1_000_000, **more: Any) -> Attempt:
    """An attempt of 10 tokens in and 5 out."""
    return Attempt(
        name=name,
        provider="openai",
        model=f"vendor-{name}",
        error=error,
        milliseconds=100.0,
        usage=None if error else Usage(10, 5),
        cost_nano_usd=None if error else cost,
        **more,
    )


async def keep(
    ledger: Ledger,
    name: str = "small",
    *,
    caller: Caller = ADA,
    at: datetime | None = None,
    kind: str = "chat",
    cached: bool = False,
    call_id: str | None = None,
    number: int = 1,
    **more: Any,
) -> None:
    """Write one row."""
    await ledger.record(
        asked(name, **more),
        call_id=call_id or new_id(),
        number=number,
        kind=kind,
        caller=caller,
        started_at=at or now(),
        cached=cached,
    )


async def keep_tool(ledger: Ledger, tool: str = "search", status: str = "ok", **more: Any) -> None:
    """Write one row of a tool."""
    values: dict[str, Any] = {
        "error": None if status == "ok" else "ToolError",
        "message": None if status == "ok" else "It is not there.",
        "caller": ADA,
        "call_id": None,
        "argument_bytes": 20,
        "result_bytes": 300 if status == "ok" else None,
        "milliseconds": 50.0,
        "started_at": now(),
        **more,
    }
    await ledger.record_tool(tool=tool, status=status, **values)


async def sums(db: Database) -> list[dict[str, Any]]:
    """The daily sums as they are kept, those of nothing left out."""
    rows = await db.fetch_all("SELECT * FROM usage_daily ORDER BY day, name, provider, user_id, origin")
    return [dict(row) for row in rows if row["calls"] or row["cached"]]


async def sums_of_rolled_rows(db: Database) -> list[dict[str, Any]]:
    """The daily sums as they should be, added up here from the rows that are said to be in them."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in await db.fetch_all("SELECT * FROM calls WHERE rolled"):
        key = (row["day"], row["name"], row["provider"], row["user_id"] or "", row["origin"] or "")
        names = ("day", "name", "provider", "user_id", "origin")
        total = found.setdefault(key, {**dict(zip(names, key, strict=True)), **dict.fromkeys(_COUNTED, 0)})
        for column, count in _counts(row):
            total[column] += count
    return [found[key] for key in sorted(found)]


_COUNTED = (
    *("calls", "failures", "cached", "cacheable", "input_tokens", "output_tokens", "cost_nano_usd", "costs"),
    *("priced_calls", "unpriced_calls", "milliseconds"),
)


def _counts(row: Any) -> Iterable[tuple[str, float]]:
    if row["status"] == "cached":
        return [("cached", 1)]
    ok, cost = row["status"] == "ok", row["cost_nano_usd"]
    return [
        ("calls", 1),
        ("failures", row["status"] == "error"),
        ("cacheable", ok and row["kind"] in ("chat", "stream")),
        ("input_tokens", row["input_tokens"] or 0),
        ("output_tokens", row["output_tokens"] or 0),
        ("cost_nano_usd", cost or 0),
        ("costs", cost is not None),
        ("priced_calls", ok and cost is not None),
        ("unpriced_calls", ok and cost is None),
        ("milliseconds", row["milliseconds"]),
    ]
