"""The client's tools by the names that the models know, which are all functions to them."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_server.gateway.responses import shapes
from mcp_server.refusals import Refusal
from toolkit.messages import Json, ToolSpec

INPUT: Final = "input"
"""The one argument of a tool that takes a text."""

_LONGEST: Final = 64  # characters of a name that all vendors take
_TEXT: Final = {
    "type": "object",
    "properties": {INPUT: {"type": "string"}},
    "required": [INPUT],
    "additionalProperties": False,
}
_NOTHING: Final = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Known:
    """A tool as its client knows it.

    Attributes:
        name: the client's.
        namespace: what stands before it, None where nothing does.
        custom: it takes a text instead of arguments.
    """

    name: str
    namespace: str | None = None
    custom: bool = False


def full_name(name: str, namespace: str | None) -> str:
    """The name by which a model knows a tool."""
    whole = f"{namespace.removesuffix('__')}__{name}" if namespace else name
    if len(whole) <= _LONGEST:
        return whole
    return whole[: _LONGEST - 9] + "_" + hashlib.sha256(whole.encode()).hexdigest()[:8]


def read(tools: Sequence[shapes.Offered]) -> tuple[list[ToolSpec], Mapping[str, Known]]:
    """What the models are told of `tools`, and which is whose.

    Raises:
        Refusal: two have the same name.
    """
    specs: list[ToolSpec] = []
    known: dict[str, Known] = {}
    for tool, namespace in _flat(tools):
        name = full_name(tool.name, namespace)
        if name in known:
            raise Refusal(400, f"Two of the `tools` are called {name!r}.", param="tools")
        known[name] = Known(tool.name, namespace, isinstance(tool, shapes.CustomTool))
        specs.append(_spec(name, tool))
    return specs, known


def _flat(
    tools: Sequence[shapes.Offered],
) -> Iterable[tuple[shapes.FunctionTool | shapes.CustomTool, str | None]]:
    for tool in tools:
        if isinstance(tool, shapes.Namespace):
            yield from ((inner, tool.name) for inner in tool.tools)
        else:
            yield tool, None


def _spec(name: str, tool: shapes.FunctionTool | shapes.CustomTool) -> ToolSpec:
    described = tool.description or ""
    if isinstance(tool, shapes.FunctionTool):
        return ToolSpec(name, described, tool.parameters or dict(_NOTHING))
    if tool.format and tool.format.get("type") == "grammar":
        described += f"\n\nThe `{INPUT}` must follow this grammar:\n{tool.format.get('definition', '')}"
    return ToolSpec(name, described, dict(_TEXT))


def text_of(arguments: str) -> str:
    """The text in the arguments of a tool that takes one; a model that does not heed its form gave it otherwise."""
    try:
        value: Json = json.loads(arguments)
        return str(value[INPUT])
    except (ValueError, KeyError, TypeError):
        return arguments
