"""`toolkit models`: which models may answer, and in which order."""

import asyncio
import getpass
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.run import ORIGIN, Commands, database, example, json_output, pairs, with_toolkit
from toolkit.cli.variables import key_of
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.models.catalog import Model
    from toolkit.toolkit import Toolkit

_scope = click.option("--scope", help="The application or tenant whose chain it belongs to; else `global`.")
_priority = click.option("--priority", type=int, help="Lower is tried first; else 100.")
_auth = click.option(
    "--auth", multiple=True, metavar="NAME_env=VARIABLE", help="E.g. api_key_env=MY_KEY: the name, never the key."
)
_config = click.option("--config", multiple=True, metavar="NAME=VALUE", help="E.g. base_url=http://127.0.0.1:9000/v1.")


@click.group(cls=Commands, epilog=example("toolkit models list"))
def models() -> None:
    """Show and change which models may answer."""


@models.command("list", epilog=example("toolkit models list --scope my-app"))
@click.option("--provider", help="Only this vendor's.")
@click.option("--scope", help="Only this scope's.")
@json_output
@database
def list_(provider: str | None, scope: str | None, as_json: bool) -> None:
    """List the models in the order in which they are tried."""
    rows = with_toolkit(lambda tk: _rows(tk, provider, scope))
    if as_json:
        terminal.data([model for model, _ in rows])
    elif rows:
        terminal.table(
            ["Name", "Provider", "Model", "Scope", "Priority", "State", "Key"],
            [[m.name, m.provider, m.model, m.scope, str(m.priority), _state(m), key] for m, key in rows],
            right=["Priority"],
        )
    else:
        terminal.note("There are none; add one with `toolkit models add openai gpt-4o-mini`.")


async def _rows(tk: "Toolkit", provider: str | None, scope: str | None) -> "list[tuple[Model, str]]":
    found = await tk.models.list(provider=provider, scope=scope)
    return [(model, key_of(model, tk.settings.environ)) for model in found]


def _state(model: "Model") -> str:
    return ("enabled" if model.enabled else "disabled") + (", default" if model.is_default else "")


@models.command(
    epilog=example(
        "toolkit models add openai gpt-4o-mini --name small --priority 10",
        "toolkit models add openai qwen3 --config base_url=http://127.0.0.1:1234/v1 --auth api_key_env=LOCAL_KEY",
    )
)
@click.argument("provider")
@click.argument("model")
@click.option("--name", help="What you will call it; else the model's own name.")
@_priority
@_scope
@_auth
@_config
@click.option("--disabled", is_flag=True, help="Add it without asking it yet.")
@click.option("--default", is_flag=True, help="Make it the default of its scope.")
@database
def add(
    *,
    provider: str,
    model: str,
    name: str | None,
    priority: int | None,
    scope: str | None,
    auth: tuple[str, ...],
    config: tuple[str, ...],
    disabled: bool,
    default: bool,
) -> None:
    """Add a vendor's model to the table."""
    added = with_toolkit(
        lambda tk: tk.models.add(
            provider,
            model,
            name=name,
            priority=100 if priority is None else priority,
            scope=scope or "global",
            enabled=not disabled,
            default=default,
            auth=pairs(auth),
            config=_values(config),
            by=_person(),
        )
    )
    _tell(added, "is added")


@models.command("set", epilog=example("toolkit models set small --priority 20 --model gpt-4.1-mini"))
@click.argument("name")
@_priority
@click.option("--model", help="The vendor's own name of the model.")
@click.option("--rename", metavar="NAME", help="What you will call it.")
@_scope
@_auth
@_config
@database
def set_(
    *,
    name: str,
    priority: int | None,
    model: str | None,
    rename: str | None,
    scope: str | None,
    auth: tuple[str, ...],
    config: tuple[str, ...],
) -> None:
    """Change a model's row. --auth and --config change the NAME that they give; NAME= without a VALUE takes it out."""

    async def change(tk: "Toolkit") -> "Model":
        row = await tk.models.get(name)
        return await tk.models.set(
            name,
            priority=priority,
            model=model,
            new_name=rename,
            scope=scope,
            auth=_merged(row.auth, pairs(auth)) if auth else None,
            config=_merged(row.config, _values(config)) if config else None,
            by=_person(),
        )

    _tell(with_toolkit(change), "is changed")


@models.command(epilog=example("toolkit models enable small"))
@click.argument("name")
@database
def enable(name: str) -> None:
    """Let a model be asked."""
    _change(name, "is enabled", enabled=True)


@models.command(epilog=example("toolkit models disable small"))
@click.argument("name")
@database
def disable(name: str) -> None:
    """Leave a model out of the chain. Its row stays."""
    _change(name, "is disabled", enabled=False)


@models.command(epilog=example("toolkit models default small"))
@click.argument("name")
@database
def default(name: str) -> None:
    """Make a model the default of its scope."""
    _change(name, "is the default", default=True)


@models.command(epilog=example("toolkit models remove small"))
@click.argument("name")
@database
def remove(name: str) -> None:
    """Remove a model's row. Its history and its usage stay."""
    with_toolkit(lambda tk: tk.models.remove(name, by=_person()))
    terminal.say(f"{name!r} is removed.")


@models.command(epilog=example("toolkit models history small"))
@click.argument("name", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many changes at most.")
@json_output
@database
def history(name: str | None, limit: int, as_json: bool) -> None:
    """Show who changed which model, newest first."""
    changes = with_toolkit(lambda tk: tk.models.history(name, limit=limit))
    if as_json:
        terminal.data(changes)
    elif changes:
        terminal.table(
            ["When", "Name", "What", "Who", "Changed"],
            [
                [terminal.moment(c.changed_at), c.name, c.action, c.changed_by or "—", _difference(c.before, c.after)]
                for c in changes
            ],
        )
    else:
        terminal.note("Nothing was changed yet.")


def _difference(before: Any, after: Any) -> str:
    if not (before and after):
        return "" if before else f"{after['provider']}/{after['model']}"
    return ", ".join(
        f"{key}: {json.dumps(before.get(key))} → {json.dumps(value)}"
        for key, value in after.items()
        if value != before.get(key) and key != "updated_at"
    )


@models.command(epilog=example("toolkit models test", "toolkit models test small"))
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--timeout", default=20.0, show_default=True, type=click.FloatRange(0, min_open=True), help="Seconds for each."
)
@json_output
@database
def test(names: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Ask each enabled model a tiny question. The exit code is 1 if one of them fails."""
    results = with_toolkit(lambda tk: _ask_each(tk, names, timeout))
    if as_json:
        terminal.data(results)
    else:
        terminal.table(
            ["Name", "Model", "Answered", "Cost", "Time"],
            [[r["name"], r["model"], _outcome(r), terminal.dollars(r["cost_usd"]), _time(r)] for r in results],
            right=["Cost", "Time"],
        )
    if not all(r["ok"] for r in results):
        raise click.exceptions.Exit(1)


def _outcome(result: dict[str, Any]) -> str:
    return "yes" if result["ok"] else f"no: {result['error']}"


def _time(result: dict[str, Any]) -> str:
    return f"{result['milliseconds']:,.0f} ms" if result["ok"] else "—"


async def _ask_each(tk: "Toolkit", names: tuple[str, ...], timeout: float) -> list[dict[str, Any]]:
    rows = [await tk.models.get(name) for name in names] or await tk.models.list(enabled=True)
    return await asyncio.gather(*(_ask_one(tk, row, timeout) for row in rows))


async def _ask_one(tk: "Toolkit", row: "Model", timeout: float) -> dict[str, Any]:
    result: dict[str, Any] = {"name": row.name, "model": f"{row.provider}/{row.model}", "cost_usd": None}
    try:
        reply = await tk.complete("Answer with the one word: ready", model=row.name, origin=ORIGIN, timeout=timeout)
    except ToolkitError as error:
        return {**result, "ok": False, "error": str(error)}
    return {**result, "ok": True, "cost_usd": reply.cost_usd, "milliseconds": reply.milliseconds}


def _change(name: str, what: str, **fields: Any) -> None:
    _tell(with_toolkit(lambda tk: tk.models.set(name, by=_person(), **fields)), what)


def _tell(model: "Model", what: str) -> None:
    terminal.say(
        f"{model.name!r} {what}: {model.provider}/{model.model}, scope {model.scope}, priority {model.priority}, "
        f"{_state(model)}."
    )


def _values(arguments: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE` settings; a value that is JSON (a number, true, a list) is taken as such."""
    return {name: _value(text) for name, text in pairs(arguments).items()}


def _merged(row: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the row says, with what was given put in; an empty text takes a name out."""
    return {name: value for name, value in {**row, **given}.items() if value != ""}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _person() -> str:
    """Who makes the change, for the history: the name of the login."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # an account without a name, as in some containers
        return ORIGIN
