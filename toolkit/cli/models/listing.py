"""`toolkit models list`, `select` and `history`: which models there are, which fit, and who changed them."""

from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.models.words import difference, price, state
from toolkit.cli.run import database, example, json_output, with_toolkit
from toolkit.cli.variables import key_of

if TYPE_CHECKING:
    from toolkit.models.catalog import Model
    from toolkit.models.facts import Facts
    from toolkit.toolkit import Toolkit


@click.command("list", epilog=example("toolkit models list --scope my-app"))
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
            [[m.name, m.provider, m.model, m.scope, str(m.priority), state(m), key] for m, key in rows],
            right=["Priority"],
        )
    else:
        terminal.note("There are none; add one with `toolkit models add openai gpt-4o-mini`.")


async def _rows(tk: "Toolkit", provider: str | None, scope: str | None) -> "list[tuple[Model, str]]":
    found = await tk.models.list(provider=provider, scope=scope)
    return [(model, key_of(model, tk.settings.environ)) for model in found]


@click.command(
    epilog=example(
        "toolkit models select --vision --tools --context 100000",
        "toolkit models select --max-cost 5 --prefer cheapest",
    )
)
@click.option("--vision", is_flag=True, help="It takes pictures.")
@click.option("--tools", is_flag=True, help="It calls tools.")
@click.option("--structured", is_flag=True, help="Its vendor sees to the form of an answer.")
@click.option("--context", "context_window", type=int, metavar="TOKENS", help="It reads so many tokens, at least.")
@click.option(
    "--max-cost", type=float, metavar="USD", help="Per million tokens at most, three read for one that is written."
)
@click.option("--provider", help="Only this vendor's.")
@click.option("--scope", default="global", show_default=True, help="Whose chain.")
@click.option("--prefer", help="priority, cheapest, largest_context or fastest; else priority.")
@json_output
@database
def select(scope: str, as_json: bool, **requirements: Any) -> None:
    """List the enabled models that fit, the preferred one first. The exit code is 1 if none does.

    What is not known of a model does not fit; say it in its row, e.g. `toolkit models set local --config vision=true`.
    """
    found = with_toolkit(lambda tk: _fitting(tk, requirements, scope))
    if as_json:
        terminal.data([{**model.to_json(), "id": model.id, "facts": facts} for model, facts in found])
    elif found:
        terminal.table(
            ["Name", "Model", "Context", "Vision", "Tools", "Price per million"],
            [
                [m.name, f"{m.provider}/{m.model}", _tokens(f), _yes(f.vision), _yes(f.tools), price(f)]
                for m, f in found
            ],
            right=["Context"],
        )
    else:
        terminal.note("None of the enabled models is known to fit.")
    if not found:
        raise click.exceptions.Exit(1)


async def _fitting(tk: "Toolkit", requirements: dict[str, Any], scope: str) -> "list[tuple[Model, Facts]]":
    from toolkit.models.facts import facts_of  # noqa: PLC0415 - not needed for `toolkit --help`

    return [(model, facts_of(model)) for model in await tk.models.select(requirements, scope=scope)]


def _tokens(facts: "Facts") -> str:
    return f"{facts.context_window:,}" if facts.context_window else "—"


def _yes(fact: bool | None) -> str:
    return {True: "yes", False: "no", None: "—"}[fact]


@click.command(epilog=example("toolkit models history small"))
@click.argument("name", required=False)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many changes at most.")
@json_output
@database
def history(name: str | None, limit: int, as_json: bool) -> None:
    """Show who changed which model, newest first. `toolkit models restore` takes a change back."""
    changes = with_toolkit(lambda tk: tk.models.history(name, limit=limit))
    if as_json:
        terminal.data(changes)
    elif changes:
        terminal.table(
            ["When", "Name", "What", "Who", "Changed", "Change"],
            [
                [
                    *(terminal.moment(c.changed_at), c.name, c.action, c.changed_by or "—"),
                    *(difference(c.before, c.after), c.id),
                ]
                for c in changes
            ],
        )
    else:
        terminal.note("Nothing was changed yet.")
