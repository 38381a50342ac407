"""Prompts that are tools: those that say `tool: true` are in the registry like any other."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from toolkit.builtin import provenance, told
from toolkit.prompts.prompt_tool import prompt_tool
from toolkit.tools.source import Given
from toolkit.tools.tool import ToolContext, ToolResult

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit


class PromptTools:
    """The prompts of `tk` that are tools, as a source of the registry."""

    name = "prompts"

    def __init__(self, tk: "Toolkit") -> None:
        self._tk = tk

    async def load(self) -> Sequence[Given]:
        """A tool for each of them, asked of the first model that answers."""
        prompts = self._tk.prompts
        found = [prompt for prompt in await prompts.list() if prompt.tool]
        return [prompt_tool(prompt, prompts.get, partial(self._ask, prompt.id)) for prompt in found]

    def watch(self, changed: Callable[[], None]) -> None:
        """Nobody tells when a prompt is changed; the next refresh finds it."""

    async def close(self) -> None:
        """Nothing is held."""

    async def _ask(self, prompt_id: str, text: str, hints: Mapping[str, Any], context: ToolContext) -> ToolResult:
        asked: dict[str, Any] = {"user": context.user, "origin": context.origin, "authenticated": context.authenticated}
        reply = await self._tk.complete(text, prompt_id=prompt_id, **asked, **hints)
        return ToolResult(f"{reply.text}\n{provenance(reply)}", {"text": reply.text, **told(reply)})
