"""How rows, their changes and what is known of them are said, and how they are read from the command line."""

import getpass
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toolkit.cli import terminal
from toolkit.cli.run import ORIGIN, pairs

if TYPE_CHECKING:
    from toolkit.models.catalog import Model
    from toolkit.models.facts import Facts

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

every_of_provider = click.option("--provider", help="Instead of names: all of this vendor's.")
every_of_scope = click.option("--scope", help="Instead of names: all of this scope's.")


def person() -> str:
    """Who makes the change, for the history: the name of the login."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as in some containers
        return ORIGIN


def tell(model: "Model", what: str) -> None:
    """Say what became of a model, and what it is now."""
    terminal.say(
        f"{model.name!r} {what}: {model.provider}/{model.model}, scope {model.scope}, priority {model.priority}, "
        f"{state(model)}."
    )


def state(model: "Model") -> str:
    """Whether it may be asked, and whether it is the default."""
    return ("enabled" if model.enabled else "disabled") + (", default" if model.is_default else "")


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What changed between two states of a row; of a new one, whose model it is."""
    if not (before and after):
        return f"{after['provider']}/{after['model']}" if after else ""
    return ", ".join(
        f"{key}: {json.dumps(before.get(key))} → {json.dumps(value)}"
        for key, value in after.items()
        if value != before.get(key)
    )


def known(facts: "Facts") -> str:
    """What is known of a model, in a few words."""
    said = [
        f"{facts.context_window:,} tokens" if facts.context_window else "window unknown",
        *(["vision"] if facts.vision else []),
        *(["tools"] if facts.tools else []),
        price(facts),
    ]
    return ", ".join(said)


def price(facts: "Facts") -> str:
    """Its price per million tokens, in and out."""
    into, out = facts.input_usd_per_million, facts.output_usd_per_million
    if into is None or out is None:
        return "price unknown"
    return f"{terminal.dollars(into)} in, {terminal.dollars(out)} out" if into or out else "free"


def values(arguments: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE` settings; a value that is JSON (a number, true, a list) is taken as such."""
    return {name: _value(text) for name, text in pairs(arguments).items()}


def merged(row: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the row says, with what was given put in; an empty text takes a name out."""
    return {name: value for name, value in {**row, **given}.items() if value != ""}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
