"""The least that the SDK's low-level server can be: one tool on standard input and output. A measure for startup.py."""

import asyncio
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool

Context = ServerRequestContext[Any, Any]
TOOL = Tool(name="echo", description="Say it again.", input_schema={"type": "object", "properties": {}})


async def list_tools(_ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
    """The one tool."""
    return ListToolsResult(tools=[TOOL])


async def call_tool(_ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """The arguments, as text."""
    return CallToolResult(content=[TextContent(type="text", text=str(params.arguments))])


async def main() -> None:
    """Serve one client."""
    server: Server[Any] = Server("bare", version="1", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    asyncio.run(main())
