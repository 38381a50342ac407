"""`toolkit prompts`: what is said on the toolkit's behalf."""

from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import Commands, database, example, json_output, open_toolkit, pairs

if TYPE_CHECKING:
    from toolkit.prompts.library import Prompt


@click.group(cls=Commands, epilog=example("toolkit prompts list"))
def prompts() -> None:
    """Show the prompts, and fill them in. Those of TOOLKIT_PROMPTS_DIR are among them."""


@prompts.command("list", epilog=example("toolkit prompts list"))
@json_output
@database
def list_(as_json: bool) -> None:
    """List the prompts with their arguments."""
    found = open_toolkit().prompts.list()
    if as_json:
        terminal.data(found)
    else:
        terminal.table(["Prompt", "Arguments", "Does"], [[p.name, _arguments(p), p.description] for p in found])


def _arguments(prompt: "Prompt") -> str:
    return ", ".join(a.name if a.required else f"[{a.name}]" for a in prompt.arguments) or "—"


@prompts.command(epilog=example("toolkit prompts show answer_from_sources"))
@click.argument("name")
@json_output
@database
def show(name: str, as_json: bool) -> None:
    """Show a prompt as it is written."""
    prompt = open_toolkit().prompts.get(name)
    if as_json:
        terminal.data(prompt)
    else:
        terminal.say(prompt.template)


@prompts.command(epilog=example("toolkit prompts render answer_from_sources question='What is a chunk?'"))
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE…]")
@database
def render(name: str, arguments: tuple[str, ...]) -> None:
    """Fill in a prompt and print it."""
    terminal.say(open_toolkit().prompts.render(name, **pairs(arguments)))
