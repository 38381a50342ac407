"""The toolkit's prompts as a host lists and gets them."""

from typing import TYPE_CHECKING

from mcp.types import (
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

from mcp_server.changes import Changes
from mcp_server.errors import refused
from mcp_server.house import House
from mcp_server.pages import page
from mcp_server.sampling import Context

if TYPE_CHECKING:
    from toolkit.prompts.library import Prompt as ToolkitPrompt


class Prompts:
    """Reads the wire, asks the library, writes the wire.

    Args:
        house: has the prompts.
        changes: told that somebody has the list, and wants to hear when it changes.
    """

    def __init__(self, house: House, changes: Changes) -> None:
        self._house = house
        self._changes = changes

    async def list(self, _ctx: Context, params: PaginatedRequestParams | None) -> ListPromptsResult:
        """`prompts/list`; while the database cannot be opened, only the prompts of files are there."""
        try:
            await self._house.furnish()
            await self._changes.begin()
            prompts = await self._house.toolkit.prompts.list()
        except Exception as error:
            raise refused(error, "prompts/list") from error
        listed, cursor = page([_on_wire(prompt) for prompt in prompts], params.cursor if params else None)
        return ListPromptsResult(prompts=listed, next_cursor=cursor)

    async def get(self, _ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        """`prompts/get`."""
        try:
            prompts = self._house.toolkit.prompts
            text = await prompts.render(params.name, **(params.arguments or {}))
            description = (await prompts.get(params.name)).description
        except Exception as error:
            raise refused(error, "prompts/get") from error
        said = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=description, messages=[said])


def _on_wire(prompt: "ToolkitPrompt") -> Prompt:
    arguments = [PromptArgument(name=a.name, description=a.description, required=a.required) for a in prompt.arguments]
    # Some hosts list no prompt without a description.
    description = prompt.description or prompt.title
    return Prompt(name=prompt.id, title=prompt.title, description=description, arguments=arguments)
