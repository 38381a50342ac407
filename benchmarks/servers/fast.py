"""fastmcp with the same tool; it runs in an environment of its own.

python fast.py [--http]
"""

import asyncio
import os
import sys

os.environ.setdefault("FASTMCP_SHOW_SERVER_BANNER", "false")
os.environ.setdefault("FASTMCP_CHECK_FOR_UPDATES", "off")

from fastmcp import FastMCP

server = FastMCP("fast")


@server.tool  # type: ignore[untyped-decorator,unused-ignore] # it is not installed where types are checked
async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


async def on_http() -> None:
    """Serve any number of clients at a free port."""
    import socket  # noqa: PLC0415 - only one of the two transports is used

    import uvicorn  # noqa: PLC0415 - only one of the two transports is used

    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio sets it on sockets of its own making only
    print(f"Serving MCP at http://127.0.0.1:{listening.getsockname()[1]}/mcp", file=sys.stderr, flush=True)
    config = uvicorn.Config(server.http_app(), log_config=None, access_log=False, ws="none", lifespan="on")
    await uvicorn.Server(config).serve(sockets=[listening])


if __name__ == "__main__":
    asyncio.run(on_http() if "--http" in sys.argv else server.run_async(show_banner=False))
