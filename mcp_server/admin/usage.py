"""What was asked of whom, and what it cost."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Final

from starlette.responses import Response, StreamingResponse

from mcp_server.admin.visit import Visit
from mcp_server.refusals import Refusal
from toolkit.display.figures import day as day_in_words
from toolkit.display.plots import stacked_bars
from toolkit.stamps import day_of, now
from toolkit.usage.export import csv_lines
from toolkit.usage.records import UsageRow

DAYS: Final = (1, 7, 30, 90, 365)
_MOST_DAYS: Final = 3_660
_ROWS: Final = 12


async def show_usage(visit: Visit) -> Response:
    """Figures, a chart of the days, and sums by model, user and application."""
    days, usage = _days(visit), visit.tk.usage
    stats = await usage.stats(days=days)
    by_day = {row.key: row for row in await usage.by("day", days=days)}
    told = [(day, by_day.get(day)) for day in _each_day(days)]
    priced = any(row and row.cost_usd for _, row in told)
    chart = stacked_bars(
        "Cost per day" if priced else "Calls per day",
        [day_in_words(day) for day, _ in told],
        {"all": [_figure(row, priced=priced) for _, row in told]},
        unit="dollars" if priced else "number",
        whole=not priced,
        heading=False,
    )
    tables: list[tuple[str, str, list[UsageRow], int]] = []
    for title, dimension in (("Model", "model"), ("User", "user"), ("Application", "origin")):
        rows = await usage.by(dimension, days=days)  # type: ignore[arg-type]
        tables.append((title, dimension, rows[:_ROWS], len(rows)))
    return visit.page(
        "usage.html", stats=stats, days=days, choices=DAYS, chart=chart.svg, by_day=told, priced=priced, tables=tables
    )


async def download(visit: Visit) -> Response:
    """Every call as a row of CSV, sent while it is read."""
    days = _days(visit)
    lines: AsyncGenerator[str, None] = csv_lines(visit.tk.usage.export(days=days))
    name = f"usage-{day_of(now())}-{days}d.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)


def _days(visit: Visit) -> int:
    text = visit.query("days") or "30"
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST_DAYS):
        raise Refusal(400, f"The days are a whole number from 1 to {_MOST_DAYS:,}.")
    return int(text)


def _each_day(days: int) -> list[str]:
    today = now()
    return [day_of(today - timedelta(days=back)) for back in range(days - 1, -1, -1)]


def _figure(row: UsageRow | None, *, priced: bool) -> float | None:
    if row is None:
        return 0.0
    return row.cost_usd if priced else float(row.calls)
