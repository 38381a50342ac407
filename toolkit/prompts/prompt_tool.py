"""A prompt as a tool: its arguments are the tool's, and a model is asked what it says."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Field

from toolkit.prompts.prompt import Prompt
from toolkit.prompts.rendering import fill
from toolkit.tools.tool import Tool, ToolContext, ToolResult, make_tool

Ask: TypeAlias = Callable[[str, Mapping[str, Any], ToolContext], Awaitable[ToolResult]]
"""Asks a model: with the text, with keywords of `Toolkit.complete`, on behalf of whoever called the tool."""

_SECONDS = 120.0  # a model may think for longer than a tool usually takes
_CALLER = "_caller"  # no argument of a prompt begins with an underscore


def prompt_tool(prompt: Prompt, get: Callable[[str], Awaitable[Prompt]], ask: Ask) -> Tool:
    """A tool for `prompt`.

    Args:
        prompt: what the tool takes and is for.
        get: gives the prompt as it is when the tool is called.
        ask: asks a model.

    Raises:
        ConfigError: no host would take the prompt's id as the name of a tool.
    """

    async def run(**given: Any) -> ToolResult:
        caller: ToolContext = given.pop(_CALLER)
        now = await get(prompt.id)
        return await ask(fill(now, given), now.hints, caller)

    parameters = [
        inspect.Parameter(
            argument.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=Annotated[str, Field(description=argument.description)] if argument.description else str,
            default=inspect.Parameter.empty if argument.required else argument.default,
        )
        for argument in prompt.arguments
    ]
    caller = inspect.Parameter(_CALLER, inspect.Parameter.KEYWORD_ONLY, annotation=ToolContext)
    run.__signature__ = inspect.Signature([caller, *parameters])  # type: ignore[attr-defined]
    run.__doc__ = prompt.description or prompt.title
    name = prompt.id.lower().replace("-", "_").replace(".", "_")
    return make_tool(run, name=name, title=prompt.title, read_only=True, open_world=True, timeout=_SECONDS)
