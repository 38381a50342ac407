"""`toolkit usage`: what was asked of whom, and what it cost."""

from typing import TYPE_CHECKING, Literal

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.usage.records import UsageRow

_HEADINGS = ["Calls", "Failed", "In", "Out", "Cost", "Mean"]


@click.command(epilog=example("toolkit usage --days 7 --by day"))
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="How far back.")
@click.option(
    "--by",
    type=click.Choice(["model", "user", "origin", "day", "provider"]),
    default="model",
    show_default=True,
    help="What to group by.",
)
@click.option("--user", help="Only this person's calls.")
@json_output
@database
def usage(
    days: int, by: Literal["model", "user", "origin", "day", "provider"], user: str | None, as_json: bool
) -> None:
    """Show calls, failures, tokens, cost and time."""
    rows = with_toolkit(lambda tk: tk.usage.by(by, days=days, user=user))
    if as_json:
        terminal.data(rows)
    elif rows:
        show_usage(by, rows)
    else:
        terminal.note(f"No model was asked in the last {days} days.")


def show_usage(by: str, rows: "list[UsageRow]") -> None:
    """Show a row per model, user, origin, provider or day."""
    terminal.table(
        [by.capitalize(), *_HEADINGS],
        [
            [
                row.key or "—",
                f"{row.calls:,}",
                f"{row.failures:,}",
                f"{row.input_tokens:,}",
                f"{row.output_tokens:,}",
                _cost(row),
                f"{row.milliseconds_mean:,.0f} ms",
            ]
            for row in rows
        ],
        right=_HEADINGS,
    )


def _cost(row: "UsageRow") -> str:
    """The known cost; `≥` says that some calls of unknown price come on top."""
    known = terminal.dollars(row.cost_usd)
    return f"≥ {known}" if row.unpriced_calls and row.cost_usd is not None else known
