"""The toolkit's tools as a host lists and calls them."""

import logging
from collections.abc import Iterable, Iterator, Mapping

from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    ResourceLink,
    TextContent,
    Tool,
    ToolAnnotations,
)

from mcp_server import apps, auth
from mcp_server.asking import Refused, Wanted, agree, on_wire, without_confirm
from mcp_server.errors import failed, refused, unknown_tool
from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.rounds import Calls, Host
from mcp_server.sampling import Context
from mcp_server.sizes import LongResults
from toolkit.errors import ToolError
from toolkit.messages import Json
from toolkit.models.news import heard_by
from toolkit.providers.host import lend
from toolkit.tools.tool import Tool as ToolkitTool
from toolkit.tools.tool import ToolContext, ToolResult

_log = logging.getLogger(__name__)


class Tools:
    """Reads the wire, calls one method of the toolkit, writes the wire.

    Args:
        house: has the tools.
        offer: which of them.
    """

    def __init__(self, house: House, offer: Offer) -> None:
        self._house = house
        self._offer = offer
        self._long = LongResults(lambda: house.toolkit.settings.max_result_tokens)
        self._offered: tuple[int, Mapping[str, ToolkitTool]] = (-1, {})

    def offered(self) -> Mapping[str, ToolkitTool]:
        """The tools that are offered, by name and in order; the last one reads on in what was too long."""
        registry = self._house.toolkit.tools
        version, known = self._offered
        if version != registry.version:
            version, known = registry.version, self._chosen()
            self._offered = version, known
        return known

    def _chosen(self) -> Mapping[str, ToolkitTool]:
        own = self._long.tool
        chosen = {tool.name: tool for tool in self._offer.tools(self._house.toolkit.tools)}
        if chosen.pop(own.name, None):
            _log.warning("Your tool %s is not offered: the server has one of that name.", own.name)
        return {**chosen, own.name: own}

    def input_schema(self, name: str) -> Json | None:
        """What a tool takes; None where it is not offered."""
        tool = self.offered().get(name)
        return on_wire(tool) if tool else None

    async def list(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
        """`tools/list`."""
        try:
            await self._house.furnish()
            return ListToolsResult(tools=[_on_wire(tool) for tool in self.offered().values()])
        except Exception as error:
            raise refused(error, "tools/list") from error

    async def call(self, ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
        """`tools/call`."""
        try:
            await self._house.furnish()
            offered = self.offered()
        except Exception as error:
            raise refused(error, "tools/call") from error
        tool = offered.get(params.name)
        if tool is None:
            exists = any(tool.name == params.name for tool in self._house.toolkit.tools.list())
            raise unknown_tool(params.name, offered, exists=exists)
        client = ctx.session.client_params
        origin = client.client_info.name if client else None

        async def work(host: Host) -> CallToolResult:
            try:
                arguments = params.arguments or {}
                user, proven = await self._admitted(ctx, tool, arguments)
                context = ToolContext(user=user, origin=origin, progress=host.progress, authenticated=proven)
                result = await self._answer(tool, arguments, context, host)
                return _result(self._long.fitting(result), _links(tool, params.arguments or {}, result))
            except Wanted:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, `failed` logs it and the server lives on
                return failed(error, params.name)

        calls: Calls = ctx.lifespan_context
        try:
            return await calls.run(ctx, params, work)
        except ToolError as error:
            return failed(error, params.name)

    async def _admitted(self, ctx: Context, tool: ToolkitTool, arguments: Json) -> tuple[str | None, bool]:
        """Who calls, and whether that is proven; raises ToolError where they may not."""
        if ctx.request is not None:
            await self._house.opened()  # over HTTP its keys count
        who = auth.caller(ctx)
        if tool is not self._long.tool:  # who has the handle of a result was let through to it
            auth.allow(who, tool, arguments)
        return who.user, auth.proven(who, tool)

    async def _answer(self, tool: ToolkitTool, given: Json, context: ToolContext, host: Host) -> ToolResult:
        if tool is self._long.tool:
            return await tool.run(given, context)
        tk = await self._house.opened()
        arguments, confirmed = without_confirm(tool, given)
        try:
            await agree(tool, arguments, host.user, confirmed=confirmed)
        except Refused as error:
            await tk.tools.refused(tool.name, arguments, context, str(error))
            raise
        with lend(host.sampler), heard_by(host.progress.say):
            return await tk.tools.call(tool.name, arguments, context)


def _result(result: ToolResult, links: Iterable[ResourceLink]) -> CallToolResult:
    # Some hosts show a model only the text, others only the structure: both say the same.
    content: list[ContentBlock] = [TextContent(type="text", text=result.text), *links]
    return CallToolResult(content=content, structured_content=result.data)


def _links(tool: ToolkitTool, given: Json, result: ToolResult) -> Iterator[ResourceLink]:
    """Where the hits of a detailed search can be read again."""
    if tool.name == "semantic_search" and not tool.source and given.get("response_format") == "detailed":
        for hit in result.data.get("hits", ()):
            yield ResourceLink(type="resource_link", uri=f"toolkit://chunks/{hit['chunk_id']}", name=hit["source"])


def _on_wire(tool: ToolkitTool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=on_wire(tool),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=tool.open_world,
        ),
        _meta=None if tool.source else apps.META.get(tool.name),
    )
