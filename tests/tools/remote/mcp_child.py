"""An MCP server for tests, as a process: `python mcp_child.py stdio`, or with a port over HTTP.

Its faults are asked for by its tools. Where TOOLS_STATE names a file, it notes there what it did.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations

server = MCPServer("child")
STATE = Path(os.environ.get("TOOLS_STATE", os.devnull))


def note(what: str) -> int:
    """How often it was noted, this time included."""
    with STATE.open("a", encoding="utf-8") as file:
        file.write(f"{what}\n")
    return STATE.read_text(encoding="utf-8").count(f"{what}\n")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


@server.tool(name="getIssue", annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
def get_issue(number: int) -> dict[str, Any]:
    """Read an issue."""
    return {"number": number, "title": "Broken"}


@server.tool(structured_output=False)
def picture() -> list[Any]:
    """Show a picture."""
    return ["a red dot:", Image(data=b"\x89PNG" + bytes(96), format="png")]


@server.tool()
def fail(key: str) -> str:
    """Fail."""
    raise ToolError(f"the key {key} is refused")


@server.tool()
def environment(name: str) -> str:
    """Read a variable."""
    return os.environ.get(name, "(not set)")


@server.tool(annotations=ToolAnnotations(destructive_hint=False))
async def die(times: int = 1) -> str:
    """End without an answer, the first times that it is called."""
    if note("die") <= times:
        os._exit(3)
    return "alive"


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def die_reading(times: int = 1) -> str:
    """The same, but a second call does no harm."""
    return await die(times)


@server.tool()
async def count(ctx: Context, to: int = 3) -> str:
    """Count, and tell how far it is."""
    for number in range(to):
        await ctx.report_progress(number + 1, to, f"at {number + 1}")
    return "counted"


@server.tool()
async def wait() -> str:
    """Wait for ever."""
    note("waiting")
    try:
        await asyncio.sleep(600)
    finally:
        note("cancelled")
    return "waited"


@server.tool()
async def grow(ctx: Context) -> str:
    """Have one tool more."""

    def grown() -> str:
        """Be new."""
        return "new"

    server.add_tool(grown)
    await ctx.notify_tools_changed()
    return "grown"


@server.tool()
def process() -> int:
    """Give the id of the process."""
    return os.getpid()


if os.environ.get("TOOLS_HANG"):
    note(f"hanging {os.getpid()}")
    subprocess.run(["sleep", "600"], check=False)
sys.stderr.write("a word on standard error\n")
note(f"started {os.getpid()}")
if sys.argv[1] == "stdio":
    server.run("stdio")
else:
    server.run("streamable-http", port=int(sys.argv[1]), stateless_http="stateless" in sys.argv)
