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

from mcp_server.errors import refused
from mcp_server.house import House
from mcp_server.sampling import Context

if TYPE_CHECKING:
    from toolkit.prompts.library import Prompt as ToolkitPrompt


class Prompts:
    """Reads the wire, asks the library, writes the wire.

    Args:
        house: has the prompts.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    async def list(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
        """`prompts/list`."""
        try:
            prompts = await self._house.toolkit.prompts.list()
            return ListPromptsResult(prompts=[_prompt_on_wire(prompt) for prompt in prompts])
        except Exception as error:
            raise refused(error, "prompts/list") from error

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


def _prompt_on_wire(prompt: "ToolkitPrompt") -> Prompt:
    arguments = [PromptArgument(name=a.name, description=a.description, required=a.required) for a in prompt.arguments]
    # Some hosts list no prompt without a description.
    description = prompt.description or prompt.title
    return Prompt(name=prompt.id, title=prompt.title, description=description, arguments=arguments)
