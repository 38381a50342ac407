"""The command `toolkit-mcp` as it is, over a toolkit that has one more tool.

python -m benchmarks.servers.ours --db URL [--http 127.0.0.1:0]
"""

from typing import Any

import toolkit
from mcp_server.__main__ import main
from toolkit.toolkit import Toolkit


async def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


class WithAdd(Toolkit):
    """The toolkit, and a tool of the user's own in its registry."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.tools.add(add, read_only=True)


if __name__ == "__main__":
    toolkit.Toolkit = WithAdd  # type: ignore[misc,assignment] # the command takes it from here
    main()
