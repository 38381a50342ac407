"""`toolkit tools`: what a model may do, done by hand."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.run import ORIGIN, Commands, database, example, json_output, open_toolkit, pairs, with_toolkit
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit
    from toolkit.tools.tool import Tool, ToolResult


@click.group(cls=Commands, epilog=example("toolkit tools list"))
def tools() -> None:
    """Show the tools of models and hosts, and call them."""


@tools.command("list", epilog=example("toolkit tools list --preset default"))
@click.option("--preset", help="Only the tools of this set.")
@json_output
@database
def list_(preset: str | None, as_json: bool) -> None:
    """List the tools with what they do."""
    found = open_toolkit().tools.list(preset=preset)  # nothing needs to be opened for this
    if as_json:
        terminal.data([_described(tool) for tool in found])
    else:
        terminal.table(
            ["Tool", "Presets", "Changes", "Does"],
            [[t.name, ", ".join(sorted(t.presets)) or "every", _changes(t), t.description] for t in found],
        )


def _changes(tool: "Tool") -> str:
    if tool.read_only:
        return "nothing"
    return "deletes" if tool.destructive else "adds"


def _described(tool: "Tool") -> dict[str, Any]:
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "parameters": tool.parameters,
        "presets": tool.presets,
        "read_only": tool.read_only,
        "destructive": tool.destructive,
    }


@tools.command(
    epilog=example(
        "toolkit tools call semantic_search query='circuit breaker' top_k=3",
        """toolkit tools call semantic_search '{"query": "circuit breaker"}'""",
    )
)
@click.argument("name")
@click.argument("arguments", nargs=-1, metavar="[NAME=VALUE… | JSON]")
@json_output
@database
def call(name: str, arguments: tuple[str, ...], as_json: bool) -> None:
    """Call a tool and print what a model reads. With --json it is what a program reads."""
    result = with_toolkit(lambda tk: _call(tk, name, arguments))
    if as_json:
        terminal.data(result.data)
    else:
        terminal.say(result.text)


async def _call(tk: "Toolkit", name: str, arguments: tuple[str, ...]) -> "ToolResult":
    from toolkit.tools.tool import ToolContext  # noqa: PLC0415 - it brings pydantic, which `toolkit --help` does not need

    given = _arguments(tk.tools.get(name), arguments)
    return await tk.tools.call(name, given, ToolContext(origin=ORIGIN))


def _arguments(tool: "Tool", arguments: tuple[str, ...]) -> dict[str, Any]:
    """What was typed, as the tool's parameters want it: text stays text, anything else is read as JSON."""
    if len(arguments) == 1 and arguments[0].lstrip().startswith("{"):
        return _json_object(arguments[0])
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    return {key: _value(properties.get(key, {}), text) for key, text in pairs(arguments).items()}


def _json_object(text: str) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"The arguments are not a JSON object ({error}); mend them or write NAME=VALUE.") from error
    return value


def _value(schema: Mapping[str, Any], text: str) -> Any:
    if schema.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text  # the tool says better what it wanted
