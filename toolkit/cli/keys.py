"""`toolkit keys`: who may call over HTTP."""

from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.access.key import ApiKey


@click.group(cls=Commands, epilog=example("toolkit keys create laptop --user ada"))
def keys() -> None:
    """Make, list and revoke the keys of programs that call by HTTP."""


@keys.command(
    epilog=example("toolkit keys create laptop --user ada", "toolkit keys create ci --scope search --days 90")
)
@click.argument("name")
@click.option("--user", help="Whose calls are made with it; else one who is called NAME.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["chat", "search", "admin"]),
    default=("chat", "search"),
    show_default=True,
    help="What it may do; give it several times for several.",
)
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is good; else until it is revoked.")
@json_output
@database
def create(name: str, user: str | None, scopes: tuple[str, ...], days: int | None, as_json: bool) -> None:
    """Make a key and print it, once: only its digest is kept.

    Limits are those of its user: `toolkit limits set user ada --rpm 60 --usd-per-day 5`.
    """
    ttl = timedelta(days=days) if days else None
    key, secret = with_toolkit(lambda tk: tk.keys.create(name, user=user, scopes=scopes, ttl=ttl))
    if as_json:
        terminal.data({"key": secret, **asdict(key)})
    else:
        terminal.say(secret)
        terminal.note(f"It is {key.user}'s, for {', '.join(sorted(key.scopes))}. Keep it: it cannot be shown again.")


@keys.command("list", epilog=example("toolkit keys list --user ada"))
@click.option("--user", help="Only theirs.")
@json_output
@database
def list_(user: str | None, as_json: bool) -> None:
    """List every key by how it begins; the key itself is not kept."""
    found = with_toolkit(lambda tk: tk.keys.list(user=user))
    if as_json:
        terminal.data(found)
    elif found:
        terminal.table(
            ["Key", "Name", "User", "May", "Made", "Last used", "State", "Id"],
            [
                [
                    key.hint,
                    key.name,
                    key.user,
                    ", ".join(sorted(key.scopes)),
                    terminal.moment(key.created_at),
                    terminal.moment(key.last_used_at) if key.last_used_at else "never",
                    _state(key),
                    key.id,
                ]
                for key in found
            ],
        )
    else:
        terminal.note("There is none; `toolkit keys create NAME` makes one.")


@keys.command(epilog=example("toolkit keys revoke laptop"))
@click.argument("which", metavar="NAME|ID|BEGINNING")
@database
def revoke(which: str) -> None:
    """Revoke a key. Running servers refuse it within five seconds."""
    key = with_toolkit(lambda tk: tk.keys.revoke(which))
    terminal.say(f"The key {key.hint} ({key.name}, {key.user}) is revoked.")


@keys.command(epilog=example("toolkit keys forget"))
@database
def forget() -> None:
    """Remove revoked and expired keys from the list.

    Once a key was made, every server over this database asks its callers for one. It stops to do so, on addresses of
    this machine, when none is left in the list.
    """
    removed = with_toolkit(lambda tk: tk.keys.forget())
    terminal.say(f"{terminal.count(removed, 'key')} forgotten.")


def _state(key: "ApiKey") -> str:
    from toolkit.stamps import now  # noqa: PLC0415 - not needed for `toolkit --help`

    if key.revoked_at:
        return f"revoked {terminal.moment(key.revoked_at)}"
    if not key.expires_at:
        return "good"
    return f"{'good until' if key.counts(now()) else 'expired'} {terminal.moment(key.expires_at)}"
