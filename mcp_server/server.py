"""The MCP server: the toolkit's tools and prompts as they are, for both eras of the protocol.

It is built on the SDK's low-level `Server`: a tool's schema goes out as the registry wrote it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from mcp.server import CacheHint, Server
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    GetPromptRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    TextContent,
    Tool,
    ToolAnnotations,
)

import toolkit
from mcp_server import resources
from mcp_server.errors import failed, refused, unknown_tool
from mcp_server.house import House
from mcp_server.instructions import USUAL, instructions
from mcp_server.presets import Offer
from mcp_server.rounds import Calls, Host
from mcp_server.sampling import Context
from toolkit.errors import ToolError
from toolkit.messages import Json
from toolkit.providers.host import lend
from toolkit.tools.tool import Tool as ToolkitTool
from toolkit.tools.tool import ToolContext

if TYPE_CHECKING:
    from toolkit.prompts.library import Prompt as ToolkitPrompt

# What is offered does not change while the process lives; only prompts are read anew, for the user may edit them.
_CACHE = CacheHint(ttl_ms=300_000, scope="public")


def create_server(house: House, offer: Offer | None = None) -> Server[Any]:
    """A server over `house` that any number of connections and transports may share.

    Args:
        house: assembled by the first list or call, opened by the first call; with an `offer` of its own, assembled
            now, because what the host is told depends on it; furnished before, if the offer names tools of sources.
        offer: which tools; by default the preset `default`.

    Raises:
        ConfigError: the offer names what does not exist.
    """
    offer = offer or Offer()
    face = _Face(house, offer)
    offered = USUAL if offer.is_usual else frozenset(tool.name for tool in face.offered())
    readable = "get_chunk" in offered  # who is not offered the documents as tools cannot have them as resources
    return Server(
        "toolkit",
        title="Toolkit",
        version=toolkit.__version__,
        instructions=instructions(offered),
        cache_hints={
            "tools/list": _CACHE,
            "server/discover": _CACHE,
            "resources/templates/list": _CACHE,
        },
        lifespan=_calls,
        get_tool_input_schema=face.input_schema,
        on_list_tools=face.list_tools,
        on_call_tool=face.call_tool,
        on_list_prompts=face.list_prompts,
        on_get_prompt=face.get_prompt,
        on_list_resources=face.list_resources if readable else None,
        on_list_resource_templates=face.list_resource_templates if readable else None,
        on_read_resource=face.read_resource if readable else None,
    )


@asynccontextmanager
async def _calls(_server: Server[Any]) -> AsyncIterator[Calls]:
    calls = Calls()
    try:
        yield calls
    finally:
        await calls.close()


class _Face:
    """Reads the wire, calls one method of the toolkit, writes the wire."""

    def __init__(self, house: House, offer: Offer) -> None:
        self._house = house
        self._offer = offer

    def offered(self) -> list[ToolkitTool]:
        return self._offer.tools(self._house.toolkit.tools)

    def input_schema(self, name: str) -> Json | None:
        return next((tool.parameters for tool in self.offered() if tool.name == name), None)

    async def list_tools(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        try:
            await self._house.furnish()
            return ListToolsResult(tools=[_on_wire(tool) for tool in self.offered()])
        except Exception as error:
            raise refused(error, "tools/list") from error

    async def call_tool(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        try:
            await self._house.furnish()
            names = [tool.name for tool in self.offered()]
        except Exception as error:
            raise refused(error, "tools/call") from error
        if params.name not in names:
            exists = any(tool.name == params.name for tool in self._house.toolkit.tools.list())
            raise unknown_tool(params.name, names, exists=exists)
        client = ctx.session.client_params
        origin = client.client_info.name if client else None

        async def work(host: Host) -> CallToolResult:
            try:
                tk = await self._house.opened()
                with lend(host.sampler):
                    context = ToolContext(origin=origin, progress=host.progress)
                    result = await tk.tools.call(params.name, params.arguments or {}, context)
            except Exception as error:  # noqa: BLE001 - whatever it is, `failed` logs it and the server lives on
                return failed(error, params.name)
            # Some hosts show a model only the text, others only the structure: both say the same.
            return CallToolResult(content=[TextContent(type="text", text=result.text)], structured_content=result.data)

        calls: Calls = ctx.lifespan_context
        try:
            return await calls.run(ctx, params, work)
        except ToolError as error:
            return failed(error, params.name)

    async def list_prompts(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListPromptsResult:
        try:
            prompts = await self._house.toolkit.prompts.list()
            return ListPromptsResult(prompts=[_prompt_on_wire(prompt) for prompt in prompts])
        except Exception as error:
            raise refused(error, "prompts/list") from error

    async def get_prompt(self, _ctx: Context, params: GetPromptRequestParams) -> GetPromptResult:
        try:
            prompts = self._house.toolkit.prompts
            text = await prompts.render(params.name, **(params.arguments or {}))
            description = (await prompts.get(params.name)).description
        except Exception as error:
            raise refused(error, "prompts/get") from error
        said = PromptMessage(role="user", content=TextContent(type="text", text=text))
        return GetPromptResult(description=description, messages=[said])

    async def list_resources(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListResourcesResult:
        return ListResourcesResult(resources=[])

    async def list_resource_templates(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        return ListResourceTemplatesResult(resource_templates=list(resources.TEMPLATES))

    async def read_resource(self, _ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        try:
            return await resources.read(await self._house.opened(), params.uri)
        except Exception as error:
            raise refused(error, "resources/read") from error


def _on_wire(tool: ToolkitTool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.parameters,
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
    )


def _prompt_on_wire(prompt: "ToolkitPrompt") -> Prompt:
    arguments = [PromptArgument(name=a.name, description=a.description, required=a.required) for a in prompt.arguments]
    # Some hosts list no prompt without a description.
    description = prompt.description or prompt.title
    return Prompt(name=prompt.id, title=prompt.title, description=description, arguments=arguments)
