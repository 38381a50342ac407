"""The toolkit's tools as a host lists and calls them."""


from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from mcp_server.errors import failed, refused, unknown_tool
from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.rounds import Calls, Host
from mcp_server.sampling import Context
from toolkit.errors import ToolError
from toolkit.messages import Json
from toolkit.providers.host import lend
from toolkit.tools.tool import Tool as ToolkitTool
from toolkit.tools.tool import ToolContext


class Tools:
    """Reads the wire, calls one method of the toolkit, writes the wire.

    Args:
        house: has the tools.
        offer: which of them.
    """

    def __init__(self, house: House, offer: Offer) -> None:
        self._house = house
        self._offer = offer

    def offered(self) -> list[ToolkitTool]:
        """The tools that are offered, in order."""
        return self._offer.tools(self._house.toolkit.tools)

    def input_schema(self, name: str) -> Json | None:
        """What a tool takes; None where it is not offered."""
        return next((tool.parameters for tool in self.offered() if tool.name == name), None)

    async def list(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        """`tools/list`."""
        try:
            await self._house.furnish()
            return ListToolsResult(tools=[_on_wire(tool) for tool in self.offered()])
        except Exception as error:
            raise refused(error, "tools/list") from error

    async def call(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        """`tools/call`."""
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
