"""The command `toolkit-mcp` with the tools, resources and prompts that the official conformance suite looks for.

What the toolkit can say, it says: most tools are functions in its registry, prompts are files, changes are made to the
registry and the prompts. What only the protocol knows (pictures, sound, requests of a shape of their own) stands in
`raw.py`, beneath the server's own handling of calls and tasks.
"""

import asyncio
from typing import Any

import mcp_server.server
import toolkit
from mcp_server.__main__ import main
from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.sampling import Context
from mcp_server.tools import Tools
from tests.mcp_server.conformance import raw
from toolkit.errors import ToolError
from toolkit.messages import Json
from toolkit.toolkit import Toolkit
from toolkit.tools.tool import Tool, ToolContext, ToolResult

ADDRESS = {
    "$anchor": "addressDef",
    "type": "object",
    "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
}
EVERY_KEYWORD: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {"address": ADDRESS},
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}
IN_A_HEADER: Json = {
    "type": "object",
    "properties": {"region": {"type": "string", "description": "Where", "x-mcp-header": "Region"}},
}


async def test_simple_text() -> str:
    """Say a sentence."""
    return "This is a simple text response for testing."


async def test_error_handling() -> str:
    """Fail as a tool may."""
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_progress(context: ToolContext) -> str:
    """Tell how far it is."""
    for done in (0, 50, 100):
        await context.progress(done, 100, "counting")
        await asyncio.sleep(0.02)
    return "done"


async def greet(name: str) -> str:
    """Say hello at once."""
    return f"Hello, {name}!"


async def slow_compute(seconds: float = 0, label: str = "") -> str:
    """Take some time."""
    await asyncio.sleep(seconds)
    return f"computed {label}"


async def failing_job() -> str:
    """Take some time, and fail."""
    await asyncio.sleep(0.6)
    raise ToolError("always fails")


class Fixtures(Toolkit):
    """A toolkit with the suite's tools beside its own."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        for function in (test_simple_text, test_error_handling, test_tool_with_progress, greet):
            self.tools.add(function, read_only=True)
        for function in (slow_compute, failing_job):
            self.tools.add(function, open_world=True)
        self.tools.add(self.test_sampling, read_only=True)
        self.tools.add(self.test_input_required_result_sampling, read_only=True)
        self.tools.add(self.test_trigger_tool_change)
        self.tools.add(self.test_trigger_prompt_change)
        self.tools.add(_described("json_schema_2020_12_tool", EVERY_KEYWORD))
        self.tools.add(_described("test_header_parameter", IN_A_HEADER))
        for name in raw.TOOLS:
            self.tools.add(_described(name, raw.SCHEMAS.get(name, raw.NOTHING), long=name in raw.LONG))
        self._changes = 0

    async def test_sampling(self, prompt: str) -> str:
        """Ask the host's model."""
        return f"LLM response: {(await self.complete(prompt, model='host/default')).text}"

    async def test_input_required_result_sampling(self) -> str:
        """Ask the host's model what everybody knows."""
        return (await self.complete("What is the capital of France?", model="host/default")).text

    async def test_trigger_tool_change(self) -> str:
        """Change the list of tools."""
        self._changes += 1
        self.tools.add(_described(f"added_{self._changes}", raw.NOTHING))
        return "changed"

    async def test_trigger_prompt_change(self) -> str:
        """Change the list of prompts."""
        self._changes += 1
        await self.prompts.add(f"added_{self._changes}", "---\ntitle: Added\n---\nSay so.")
        return "changed"


class FixtureTools(Tools):
    """The server's calls of tools, with those that only the protocol can describe."""

    async def call(self, ctx: Context, params: Any) -> Any:
        """`tools/call`."""
        if params.name in raw.NEEDS_TASKS and not raw.knows_tasks(ctx):
            raise raw.needs_tasks(ctx)
        answer = raw.TOOLS.get(params.name)
        return await (answer(ctx, params) if answer else super().call(ctx, params))


def _described(name: str, parameters: Json, *, long: bool = False) -> Tool:
    async def run(_arguments: Json, _context: ToolContext) -> ToolResult:
        return ToolResult("done", {"result": "done"})

    return Tool(name, name, "For the conformance suite.", parameters, run, read_only=True, open_world=long)


def create_server(house: House, offer: Offer | None = None) -> Any:
    """The server, with the suite's resources and prompts in front of its own."""
    server = _create_server(house, offer)
    raw.add_to(server)
    return server


_create_server = mcp_server.server.create_server

if __name__ == "__main__":
    toolkit.Toolkit = Fixtures  # type: ignore[misc,assignment] # the command takes it from here
    mcp_server.server.Tools = FixtureTools  # type: ignore[attr-defined] # as does the server
    mcp_server.server.create_server = create_server
    main()
