"""`toolkit tools`: what a model may do, done by hand."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.run import (
    ORIGIN,
    Commands,
    chosen_settings,
    database,
    example,
    json_output,
    open_toolkit,
    pairs,
    with_toolkit,
)
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit
    from toolkit.tools.registry import ToolRegistry
    from toolkit.tools.tool import Tool, ToolResult


_START = 60.0  # seconds: a server may have to be downloaded first
_within = click.option("--within", default=_START, show_default=True, help="Seconds that servers may take to start.")


@click.group(cls=Commands, epilog=example("toolkit tools list"))
def tools() -> None:
    """Show the tools of models and hosts, and call them."""


@tools.command("list", epilog=example("toolkit tools list --preset default"))
@click.option("--preset", help="Only the tools of this set.")
@_within
@json_output
@database
def list_(preset: str | None, within: float, as_json: bool) -> None:
    """List the tools with what they do and where they come from."""
    tk = open_toolkit()  # not started: the list needs no database, though prompts in one may be tools
    found, problems = asyncio.run(_loaded(tk.tools, within, tk.close, preset=preset))
    if as_json:
        terminal.data([_described(tool) for tool in found])
    else:
        terminal.table(
            ["Tool", "From", "Presets", "Changes", "Does"],
            [[t.name, t.source or "toolkit", _presets(t), _changes(t), t.description] for t in found],
        )
    _complain(problems)


@tools.command(epilog=example("toolkit tools check tools.json"))
@click.argument("file", type=click.Path(path_type=Path))
@_within
def check(file: Path, within: float) -> None:
    """Try a file of tools, and the servers that it names.

    It is read, its servers connected to, and what they have is listed. The exit code is 1 if it has a fault.

    The file is what TOOLKIT_TOOLS_FILE may name: HTTP calls, and other MCP servers. No tool is called.
    """
    settings = chosen_settings()
    from toolkit.tools.registry import ToolRegistry  # noqa: PLC0415 - it brings pydantic, which `--help` does not need
    from toolkit.tools.remote.file import ToolsFile  # noqa: PLC0415 - as above

    registry = ToolRegistry()
    registry.attach(ToolsFile(file, settings.environ))
    found, problems = asyncio.run(_loaded(registry, within, registry.close))
    terminal.table(
        ["Tool", "From", "Changes", "Takes", "Does"],
        [[t.name, t.source, _changes(t), ", ".join(t.parameters["properties"]), t.description] for t in found],
    )
    _complain(problems)
    if problems:
        raise click.exceptions.Exit(1)
    terminal.say(f"{file} has {terminal.count(len(found), 'tool')} and no fault.")


async def _loaded(
    registry: "ToolRegistry", within: float, close: Callable[[], Awaitable[None]], *, preset: str | None = None
) -> "tuple[list[Tool], list[str]]":
    """The tools, those of every source too, and what is wrong with any."""
    try:
        problems = await registry.refresh(within)
        return registry.list(preset=preset), problems
    finally:
        await close()


def _complain(problems: list[str]) -> None:
    for problem in problems:
        terminal.say(f"Problem: {problem}", "yellow", stderr=True)


def _presets(tool: "Tool") -> str:
    return ", ".join(sorted(tool.presets)) or "every"


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
        "source": tool.source,
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

    if tk.tools.problems and name not in [tool.name for tool in tk.tools.list()]:
        await tk.tools.refresh(_START)  # a person rather waits than reads that there is no such tool
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
