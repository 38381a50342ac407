"""Where a call leaves this machine, so that it can be recorded and played back."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from toolkit.messages import Json
from toolkit.tools.tool import ToolResult

Through: TypeAlias = Callable[[str, str, Json, Callable[[], Awaitable[ToolResult]]], Awaitable[ToolResult]]
"""`through(server, name, arguments, do)` gives what `do()` gives, or what it gave another time.

The server is the tool's source, e.g. `mcp:github`; the name is the tool's in the toolkit; the arguments are checked.
Neither headers nor anything else that is secret is among them.
"""


async def straight(_server: str, _name: str, _arguments: Json, do: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
    """Nothing is recorded."""
    return await do()
