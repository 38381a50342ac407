"""`toolkit models test`: asks every model a tiny question, and says what became of it."""

import asyncio
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.models.words import state
from toolkit.cli.run import ORIGIN, database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.models.catalog import Model
    from toolkit.toolkit import Toolkit

_AT_ONCE = 8
_LONGEST = 100  # characters of a reason in the table; JSON has all of it


@click.command(epilog=example("toolkit models test", "toolkit models test small"))
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--timeout", default=20.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Seconds for each."
)
@json_output
@database
def test(names: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Ask every model a tiny question, those that are disabled, too.

    The exit code is 1 if an enabled one, or one that is named, does not answer. A model whose key is not set is not
    asked, and counts only where it is named.
    """
    results = with_toolkit(lambda tk: _ask_each(tk, names, timeout))
    if as_json:
        terminal.data(results)
    else:
        terminal.table(
            ["Name", "Model", "State", "Answered", "Status", "Time", "Tokens", "Cost"],
            [_cells(result) for result in results],
            right=["Status", "Time", "Tokens", "Cost"],
        )
    if any(_counts(result, named=bool(names)) for result in results):
        raise click.exceptions.Exit(1)


def _counts(result: dict[str, Any], *, named: bool) -> bool:
    """Whether the model should have answered and did not."""
    return not result["ok"] and (named or (result["enabled"] and result["asked"]))


def _cells(result: dict[str, Any]) -> list[str]:
    return [
        *(result["name"], result["model"], result["state"], _outcome(result)),
        "—" if result["status"] is None else str(result["status"]),
        "—" if result["milliseconds"] is None else f"{result['milliseconds']:,.0f} ms",
        "—" if result["tokens"] is None else f"{result['tokens']:,}",
        terminal.dollars(result["cost_usd"]),
    ]


def _outcome(result: dict[str, Any]) -> str:
    if result["ok"]:
        return "yes"
    reason = " ".join(str(result["error"]).split())
    reason = reason if len(reason) <= _LONGEST else reason[: _LONGEST - 1] + "…"
    return f"no: {reason}" if result["asked"] else f"not asked: {reason}"


async def _ask_each(tk: "Toolkit", names: tuple[str, ...], timeout: float) -> list[dict[str, Any]]:
    rows = [await tk.models.get(name) for name in names] or await tk.models.list()
    places = asyncio.Semaphore(_AT_ONCE)

    async def ask(row: "Model") -> dict[str, Any]:
        async with places:
            return await _ask_one(tk, row, timeout)

    return await asyncio.gather(*map(ask, rows))


async def _ask_one(tk: "Toolkit", row: "Model", timeout: float) -> dict[str, Any]:
    from toolkit.messages import Caller  # noqa: PLC0415 - not needed for `toolkit --help`
    from toolkit.models.trial import try_out  # noqa: PLC0415 - the same

    trial = await try_out(tk.router, row, tk.settings.environ, timeout=timeout, caller=Caller(origin=ORIGIN))
    return {
        "name": row.name,
        "model": f"{row.provider}/{row.model}",
        "state": state(row),
        "enabled": row.enabled,
        "asked": trial.asked,
        "ok": trial.ok,
        "error": trial.error,
        "status": trial.status,
        "milliseconds": trial.milliseconds,
        "tokens": trial.tokens,
        "cost_usd": trial.cost_usd,
    }
