"""`toolkit usage`: what was asked of whom, what tools did, and what it cost."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, with_toolkit
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit
    from toolkit.usage.records import ToolUsage, UsageRow
    from toolkit.usage.reports import Dimension

_HEADINGS = ["Calls", "Failed", "In", "Out", "Cost", "Mean"]
_MOST_SESSIONS = 50  # shown; --json has all
_ENDINGS = (".csv", ".jsonl")


@click.command(
    epilog=example(
        "toolkit usage --days 7 --by day", "toolkit usage --by tool", "toolkit usage --days 365 --export calls.csv"
    )
)
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="How far back.")
@click.option(
    "--by",
    type=click.Choice(["model", "user", "origin", "day", "provider", "session", "tool"]),
    default="model",
    show_default=True,
    help="What to group by.",
)
@click.option("--user", help="Only this person's calls.")
@click.option(
    "--export",
    "target",
    metavar="FILE",
    help="Write every single call into a .csv or .jsonl file; `-` is standard output (with --json as JSON Lines).",
)
@json_output
@database
def usage(days: int, by: str, user: str | None, target: str | None, as_json: bool) -> None:
    """Show calls, failures, tokens, cost and time."""
    if target is not None:
        _export(target, days, user, as_lines=as_json or target.endswith(".jsonl"))
    elif by == "tool":
        _tools(days, user, as_json)
    else:
        _models(cast("Dimension", by), days, user, as_json)


def _models(by: "Dimension", days: int, user: str | None, as_json: bool) -> None:
    rows = with_toolkit(lambda tk: tk.usage.by(by, days=days, user=user))
    if as_json:
        terminal.data(rows)
    elif rows:
        shown = rows[:_MOST_SESSIONS] if by == "session" else rows
        show_usage(by, shown)
        if len(rows) > len(shown):
            more = terminal.count(len(rows) - len(shown), "session")
            terminal.note(f"Not shown: {more} of lower cost; --json has them all.")
    else:
        terminal.note(f"No model was asked in the last {days} days.")


def _tools(days: int, user: str | None, as_json: bool) -> None:
    rows = with_toolkit(lambda tk: tk.usage.tools(days=days, user=user))
    if as_json:
        terminal.data(rows)
    elif rows:
        headings = ["Calls", "Failed", "Mean"]
        terminal.table(["Tool", *headings], [_tool(row) for row in rows], right=headings)
    else:
        terminal.note(f"No tool was called in the last {days} days.")


def _tool(row: "ToolUsage") -> list[str]:
    return [row.tool, f"{row.calls:,}", f"{row.failures:,}", f"{row.milliseconds_mean:,.0f} ms"]


def show_usage(by: str, rows: "list[UsageRow]") -> None:
    """Show a row per model, user, origin, provider, session or day."""
    cached = any(row.cached for row in rows)  # who has no cache is not shown a column of it
    headings = [*_HEADINGS, "Cached"] if cached else _HEADINGS
    terminal.table(
        [by.capitalize(), *headings], [[*_cells(row), *_hits(row)][: len(headings) + 1] for row in rows], right=headings
    )


def _cells(row: "UsageRow") -> list[str]:
    return [
        row.key or "—",
        f"{row.calls:,}",
        f"{row.failures:,}",
        f"{row.input_tokens:,}",
        f"{row.output_tokens:,}",
        _cost(row),
        f"{row.milliseconds_mean:,.0f} ms",
    ]


def _hits(row: "UsageRow") -> list[str]:
    return [f"{row.cached:,} ({row.hit_rate:.0%})" if row.cached and row.hit_rate else f"{row.cached:,}"]


def _cost(row: "UsageRow") -> str:
    """The known cost; `≥` says that some calls of unknown price come on top."""
    known = terminal.dollars(row.cost_usd)
    return f"≥ {known}" if row.unpriced_calls and row.cost_usd is not None else known


def _export(target: str, days: int, user: str | None, *, as_lines: bool) -> None:
    if target != "-" and not target.endswith(_ENDINGS):
        raise ConfigError(f"{target!r} must end in {' or '.join(_ENDINGS)}, which says how it is written; or be `-`.")
    number = with_toolkit(lambda tk: _write(tk, target, days, user, as_lines))
    if target != "-":
        terminal.note(f"{terminal.count(number, 'call')} written to {target}.")


async def _write(tk: "Toolkit", target: str, days: int, user: str | None, as_lines: bool) -> int:
    from toolkit.usage.export import write_csv, write_jsonl  # noqa: PLC0415 - `toolkit --help` does not need it

    write = write_jsonl if as_lines else write_csv
    opened = nullcontext(sys.stdout) if target == "-" else Path(target).open("w", encoding="utf-8", newline="")  # noqa: SIM115, ASYNC230 - closed below; a command has nothing else to do
    with opened as out:
        return await write(tk.usage.export(days=days, user=user), out)
