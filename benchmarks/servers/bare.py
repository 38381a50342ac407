"""The least that the SDK's low-level server can be, with one tool: what `benchmarks.mcp` measures everybody by.

    python -m benchmarks.servers.bare [--http]

On HTTP it says its port as the first line of standard error.
"""

import asyncio
import sys
from typing import Any

from mcp.server import Server, ServerRequestContext
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, TextContent, Tool

Context = ServerRequestContext[Any, Any]
NUMBER = {"type": "integer"}
SCHEMA = {"type": "object", "properties": {"a": NUMBER, "b": NUMBER}, "required": ["a", "b"]}
TOOL = Tool(name="add", description="Add two numbers.", input_schema=SCHEMA)


async def list_tools(_ctx: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
    """The one tool."""
    return ListToolsResult(tools=[TOOL])


async def call_tool(_ctx: Context, params: CallToolRequestParams) -> CallToolResult:
    """The sum, as text and as structure; nothing is checked and nothing is kept."""
    arguments = params.arguments or {}
    total = arguments["a"] + arguments["b"]
    text = f'{{"sum":{total}}}'
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content={"sum": total})


def make() -> Server[Any]:
    """The server."""
    return Server("bare", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def on_stdio() -> None:
    """Serve one client on standard input and output."""
    from mcp.server.stdio import stdio_server  # noqa: PLC0415 - only one of the two transports is used

    server = make()
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def on_http() -> None:
    """Serve any number of clients at a free port."""
    import socket  # noqa: PLC0415 - only one of the two transports is used

    import uvicorn  # noqa: PLC0415 - only one of the two transports is used

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it on sockets of its own making only
    print(f"Serving MCP at http://127.0.0.1:{listening.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    config = uvicorn.Config(make().streamable_http_app(), log_config=None, access_log=False, ws="none")
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(on_http() if "--http" in sys.argv else on_stdio())
