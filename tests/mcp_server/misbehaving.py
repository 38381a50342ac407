"""The command `toolkit-mcp` over a toolkit that has, besides its own, a tool for every way in which a call can go."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

import toolkit
from mcp_server import progress
from mcp_server.__main__ import main
from toolkit.errors import ToolError
from toolkit.toolkit import Toolkit
from toolkit.tools.tool import Tool, ToolContext, ToolResult


async def add(a: int, b: Annotated[int, Field(ge=0, description="Not negative")] = 1) -> ToolResult:
    """Add two numbers."""
    return ToolResult(f"sum {a + b}, no carry", {"sum": a + b, "carry": None})


async def fail() -> str:
    """Fail as a tool may."""
    raise ToolError("The moon is in the way; wait until it has set.")


async def count(context: ToolContext, to: int) -> str:
    """Count aloud."""
    for n in range(1, to + 1):
        await context.progress(n, to, f"at {n}")
    await asyncio.sleep(0.05)  # clients in TypeScript forget what arrives together with the answer
    return f"counted to {to} for {context.origin}"


async def wait(marks: str) -> str:
    """Wait for ever; the file `marks` says whether it has begun, and whether it was cancelled."""
    mark(marks, "begun")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        mark(marks, "cancelled")
        raise
    return "never"


async def drowse(context: ToolContext) -> str:
    """Wait for ever and say nothing, where clients are told often that a call goes on."""
    usual, progress.EVERY = progress.EVERY, 0.05
    try:
        await context.progress(0, None, "drowsing")
        await asyncio.sleep(3600)
    finally:
        progress.EVERY = usual
    return "never"


def block(marks: str) -> str:
    """Wait for ever where nothing can cancel it."""
    mark(marks, "begun")
    time.sleep(3600)
    return "never"


def mark(path: str, word: str) -> None:
    Path(path).write_text(word, encoding="utf-8")


async def shout() -> str:
    """Write where only the protocol may."""
    print("stray", flush=True)  # noqa: T201 - this is what the tool is for
    os.write(1, b"stray\n")
    return "shouted"


async def read_input() -> str:
    """Read what only the protocol may."""
    return repr(os.read(0, 100))


async def shred(marks: str) -> str:
    """Write over the file `marks`."""
    mark(marks, "shredded")
    return "shredded"


async def recite(lines: int) -> list[str]:
    """Recite as many lines."""
    return [f"line {n} of a long poem" for n in range(lines)]


async def crash(_arguments: Any, _context: ToolContext) -> ToolResult:
    """Fail as nobody foresaw, past what the registry catches."""
    raise RuntimeError("the key sk-ant-abcdefghijkl in /etc/secret")


class Misbehaving(Toolkit):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for function in (add, fail, count, shout, read_input, recite):
            self.tools.add(function, read_only=True)
        self.tools.add(shred, destructive=True)
        self.tools.add(wait)
        self.tools.add(drowse)
        self.tools.add(block)
        self.tools.add(Tool("crash", "Crash", "Crash.", {"type": "object", "properties": {}}, crash))

    async def close(self) -> None:
        await super().close()
        print("the toolkit is closed", file=sys.stderr)  # noqa: T201 - a test waits for it


if __name__ == "__main__":
    toolkit.Toolkit = Misbehaving  # type: ignore[misc,assignment] # the command takes it from here
    main()
