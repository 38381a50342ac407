"""`toolkit models add`, `set`, `edit`, `enable`, `disable`, `default`, `remove` and `restore`."""

from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.models.words import every_of_provider, every_of_scope, merged, person, tell, values
from toolkit.cli.run import database, example, pairs, with_toolkit
from toolkit.errors import ConfigError, Conflict

if TYPE_CHECKING:
    from toolkit.models.catalog import Model
    from toolkit.toolkit import Toolkit

_scope = click.option("--scope", help="The application or tenant whose chain it belongs to; else `global`.")
_priority = click.option("--priority", type=int, help="Lower is tried first; else 100.")
_auth = click.option(
    "--auth", multiple=True, metavar="NAME_env=VARIABLE", help="E.g. api_key_env=MY_KEY: the name, never the key."
)
_config = click.option("--config", multiple=True, metavar="NAME=VALUE", help="E.g. base_url=http://127.0.0.1:9000/v1.")
_names = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.command(
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
            config=values(config),
            by=person(),
        )
    )
    tell(added, "is added")


@click.command(
    "set",
    epilog=example(
        "toolkit models set small --priority 20 --model gpt-4.1-mini", "toolkit models set small large --priority 30"
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@_priority
@click.option("--model", help="The vendor's own name of the model.")
@click.option("--rename", metavar="NAME", help="What you will call it.")
@_scope
@_auth
@_config
@database
def set_(
    *,
    names: tuple[str, ...],
    priority: int | None,
    auth: tuple[str, ...],
    config: tuple[str, ...],
    **texts: str | None,
) -> None:
    """Change a model's row, or the priority of several.

    --auth and --config change the NAME that they give; NAME= without a VALUE takes it out.
    """
    name, *others = names
    if others and (auth or config or any(texts.values())):
        raise ConfigError("Of several models only the priority can be set at once.")

    async def change(tk: "Toolkit") -> "list[Model]":
        if others:
            return await tk.models.set_many(*names, priority=priority, by=person())
        row = await tk.models.get(name)
        changed = await tk.models.set(
            name,
            priority=priority,
            model=texts["model"],
            new_name=texts["rename"],
            scope=texts["scope"],
            auth=merged(row.auth, pairs(auth)) if auth else None,
            config=merged(row.config, values(config)) if config else None,
            by=person(),
        )
        return [changed]

    for model in with_toolkit(change):
        tell(model, "is changed")


@click.command(epilog=example("toolkit models edit small"))
@click.argument("name")
@database
def edit(name: str) -> None:
    """Change a model's row in your editor.

    That is $VISUAL, else $EDITOR; the row is as `toolkit models export` would write it.
    """
    from toolkit.models import portable  # noqa: PLC0415 - not needed for `toolkit --help`

    row = with_toolkit(lambda tk: tk.models.get(name))
    text = portable.write([row])
    while True:
        edited = click.edit(text, extension=".toml")
        if edited is None or edited == text:
            terminal.note("Nothing was changed.")
            return
        try:
            (wanted,) = _only(portable.read(edited))
            changed = with_toolkit(lambda tk, wanted=wanted: _become(tk, row, wanted))  # type: ignore[misc]
        except (ConfigError, Conflict) as error:
            terminal.say(str(error), "red", stderr=True)
            if not click.confirm("Go on editing?", default=True, err=True):
                raise
            text = edited
        else:
            tell(changed, "is changed")
            return


def _only(models: "list[Model]") -> "list[Model]":
    if len(models) != 1:
        raise ConfigError("The text must describe one model; others are added with `toolkit models import`.")
    return models


async def _become(tk: "Toolkit", row: "Model", wanted: "Model") -> "Model":
    """Change what the person changed, and leave alone what others have changed meanwhile."""
    before, after = row.to_json(), wanted.to_json()
    changed: dict[str, Any] = {key: value for key, value in after.items() if value != before[key]}
    words = {"name": "new_name", "is_default": "default"}
    return await tk.models.set(row.id, **{words.get(key, key): v for key, v in changed.items()}, by=person())


@click.command(epilog=example("toolkit models enable small large", "toolkit models enable --provider openai"))
@_names
@every_of_provider
@every_of_scope
@database
def enable(names: tuple[str, ...], provider: str | None, scope: str | None) -> None:
    """Let models be asked."""
    _set_many(names, provider, scope, enabled=True)


@click.command(epilog=example("toolkit models disable small large", "toolkit models disable --scope my-app"))
@_names
@every_of_provider
@every_of_scope
@database
def disable(names: tuple[str, ...], provider: str | None, scope: str | None) -> None:
    """Leave models out of the chain. Their rows stay."""
    _set_many(names, provider, scope, enabled=False)


def _set_many(names: tuple[str, ...], provider: str | None, scope: str | None, *, enabled: bool) -> None:
    changed = with_toolkit(
        lambda tk: tk.models.set_many(*names, provider=provider, scope=scope, enabled=enabled, by=person())
    )
    for model in changed:
        tell(model, "is enabled" if enabled else "is disabled")


@click.command(epilog=example("toolkit models default small"))
@click.argument("name")
@database
def default(name: str) -> None:
    """Make a model the default of its scope."""
    tell(with_toolkit(lambda tk: tk.models.set(name, default=True, by=person())), "is the default")


@click.command(epilog=example("toolkit models remove small", "toolkit models remove --scope my-app"))
@_names
@every_of_provider
@every_of_scope
@database
def remove(names: tuple[str, ...], provider: str | None, scope: str | None) -> None:
    """Remove models' rows. Their history and their usage stay, and `restore` brings them back."""
    removed = with_toolkit(lambda tk: tk.models.remove_many(*names, provider=provider, scope=scope, by=person()))
    for model in removed:
        terminal.say(f"{model.name!r} is removed.")


@click.command(epilog=example("toolkit models restore small"))
@click.argument("name")
@click.option(
    "--at", metavar="CHANGE", help="Back to what it was after this change; `toolkit models history NAME` lists them."
)
@database
def restore(name: str, at: str | None) -> None:
    """Undo the last change of a model, or bring a removed one back."""
    tell(with_toolkit(lambda tk: tk.models.restore(name, at=at, by=person())), "is restored")
