"""`toolkit cache`: answers that may be given again, and how to forget them."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, with_toolkit

if TYPE_CHECKING:
    from toolkit.usage.cache import CacheStats

_KILOBYTE = 1000


@click.group(cls=Commands, epilog=example("toolkit cache show"))
def cache() -> None:
    """Show what the response cache keeps, and forget answers."""


@cache.command(epilog=example("toolkit cache show"))
@json_output
@database
def show(as_json: bool) -> None:
    """Show how many answers are kept, and how much they are used."""
    stats = with_toolkit(lambda tk: tk.cache.stats())
    if as_json:
        terminal.data(asdict(stats))
    elif stats.entries:
        terminal.say(_sentence(stats))
    else:
        terminal.note("No answer is kept. TOOLKIT_CACHE_TTL=3600 keeps every answer for an hour.")


@cache.command(epilog=example("toolkit cache clear"))
@json_output
@database
def clear(as_json: bool) -> None:
    """Forget all answers."""
    _told(with_toolkit(lambda tk: tk.cache.clear()), as_json=as_json)


@cache.command(
    epilog=example("toolkit cache invalidate --model small", "toolkit cache invalidate --pattern '*refund*'")
)
@click.option("--model", metavar="NAME", help="Answers of this model.")
@click.option("--prompt", metavar="ID", help="Answers to this prompt.")
@click.option("--pattern", help="Answers to questions like this: * is any text, ? any character.")
@json_output
@database
def invalidate(model: str | None, prompt: str | None, pattern: str | None, as_json: bool) -> None:
    """Forget the answers that fit all that is given."""
    _told(with_toolkit(lambda tk: tk.cache.invalidate(model=model, prompt=prompt, pattern=pattern)), as_json=as_json)


def _told(gone: int, *, as_json: bool) -> None:
    if as_json:
        terminal.data({"forgotten": gone})
    else:
        terminal.say(f"{terminal.count(gone, 'answer')} forgotten.")


def _sentence(stats: "CacheStats") -> str:
    since = f", the oldest of {terminal.moment(stats.oldest)}" if stats.oldest else ""
    given = f"given again {terminal.count(stats.hits, 'time')}"
    return (
        f"{terminal.count(stats.entries, 'answer')}{since}, {given}; {_size(stats.bytes)} of {_size(stats.max_bytes)}."
    )


def _size(number: int) -> str:
    amount, unit = float(number), "B"
    for larger in ("kB", "MB", "GB"):
        if amount < _KILOBYTE:
            break
        amount, unit = amount / _KILOBYTE, larger
    return f"{amount:.3g} {unit}"
