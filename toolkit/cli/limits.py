"""`toolkit limits`: how much may be asked and spent, by whom, and how much of it is left."""

from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.usage.limits import Limit, LimitStatus
    from toolkit.usage.limits.rule import Kind

_KIND = click.Choice(["user", "origin", "model", "total"])


@click.group(cls=Commands, epilog=example("toolkit limits list"))
def limits() -> None:
    """Show and set how much may be asked and spent."""


@limits.command("list", epilog=example("toolkit limits list"))
@json_output
@database
def list_(as_json: bool) -> None:
    """List every limit, those of the settings too."""
    found = with_toolkit(lambda tk: tk.limits.list())
    if as_json:
        terminal.data(found)
    elif found:
        terminal.table(
            ["Of", "Name", "Requests/min", "Tokens/min", "USD/day", "Set"],
            [[limit.kind, limit.name, *_values(limit), _since(limit)] for limit in found],
            right=["Requests/min", "Tokens/min", "USD/day"],
        )
    else:
        terminal.note("There is none; `toolkit limits set user --rpm 60` limits each user.")


@limits.command("set", epilog=example("toolkit limits set user ada --rpm 60 --usd-per-day 5"))
@click.argument("kind", type=_KIND, metavar="user|origin|model|total")
@click.argument("name", default="*")
@click.option("--rpm", type=int, help="Requests per minute.")
@click.option("--tpm", type=int, help="Tokens per minute, in and out.")
@click.option("--usd-per-day", type=float, help="US dollars per day in UTC.")
@json_output
@database
def set_(  # noqa: PLR0917 - click gives them by name
    kind: "Kind", name: str, rpm: int | None, tpm: int | None, usd_per_day: float | None, as_json: bool
) -> None:
    """Limit a user, an origin, a model, or the total.

    What it was limited to counts no more. Without NAME it is the limit of each one who has none of their own. With NAME
    and without values that name is free of limits.
    """
    limit = with_toolkit(lambda tk: tk.limits.set(kind, name, rpm=rpm, tpm=tpm, usd_per_day=usd_per_day))
    if as_json:
        terminal.data(limit)
    else:
        terminal.say(f"{whose(limit)} may use {allowed(limit)}.")


@limits.command(epilog=example("toolkit limits remove user ada"))
@click.argument("kind", type=_KIND, metavar="user|origin|model|total")
@click.argument("name", default="*")
@database
def remove(kind: "Kind", name: str) -> None:
    """Remove a limit."""
    with_toolkit(lambda tk: tk.limits.remove(kind, name))
    terminal.say(f"The limit of {kind} {name!r} is removed.")


@limits.command(epilog=example("toolkit limits status --user ada"))
@click.option("--user", help="Whose; without it, those who give no name.")
@click.option("--origin", help="Of which application.")
@json_output
@database
def status(user: str | None, origin: str | None, as_json: bool) -> None:
    """Show what is left now. These are the limits of a user and an origin, and those of the models."""
    found = with_toolkit(lambda tk: tk.limits.status(user=user, origin=origin))
    if as_json:
        terminal.data(found)
    elif found:
        terminal.table(
            ["Of", "Name", "What", "Limit", "Left", "Whole at"],
            [[one.kind, one.name or "—", *_standing(one), terminal.moment(one.whole_at)] for one in found],
            right=["Limit", "Left"],
        )
        for one in found:
            if one.unpriced:
                terminal.note(
                    f"{one.unpriced:,} requests of unknown price count as $0 in the budget of the {one.kind}."
                )
    else:
        terminal.note("No limit concerns them.")


def _values(limit: "Limit") -> list[str]:
    numbers = ["—" if number is None else f"{number:,}" for number in (limit.rpm, limit.tpm)]
    return [*numbers, terminal.dollars(limit.usd_per_day)]


def _since(limit: "Limit") -> str:
    return terminal.moment(limit.updated_at) if limit.updated_at else "by the settings"


def whose(limit: "Limit") -> str:
    """Who a limit holds for, as a sentence begins."""
    if limit.kind == "total":
        return "All together"
    return f"Each {limit.kind} without a limit of its own" if limit.name == "*" else f"The {limit.kind} {limit.name!r}"


def allowed(limit: "Limit") -> str:
    """What a limit leaves them."""
    parts = [f"{limit.rpm:,} requests per minute"] if limit.rpm else []
    parts += [f"{limit.tpm:,} tokens per minute"] if limit.tpm else []
    parts += [f"{terminal.dollars(limit.usd_per_day)} per day"] if limit.usd_per_day else []
    return ", ".join(parts) or "as much as it wants"


def _standing(one: "LimitStatus") -> list[str]:
    if one.unit == "usd":
        return ["dollars per day", terminal.dollars(one.limit), terminal.dollars(one.left)]
    return [f"{one.unit} per minute", f"{one.limit:,.0f}", f"{one.left:,.0f}"]
