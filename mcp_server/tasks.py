"""Calls that a client asks after instead of waiting for them: the extension `io.modelcontextprotocol/tasks` (SEP-2663).

A client of revision 2026-07-28 says with each call that it knows tasks; the server decides which call becomes one. The
call then goes on here. What it wants to ask its host meanwhile is asked by the task, and brought to the task.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from mcp import MCPError
from mcp.server import Server
from mcp.shared.inbound import MCP_NAME_HEADER, decode_header_value
from mcp.types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    CallToolRequestParams,
    RequestParams,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.sampling import Context
from mcp_server.task import Answer, CallTool, Task
from toolkit.errors import ToolkitError
from toolkit.messages import Json
from toolkit.tools.tool import Tool

ID: Final = "io.modelcontextprotocol/tasks"

LONG_SECONDS: Final = 30.0
"""A tool that may take longer than this, or that reaches beyond this machine, is asked after."""

MOST: Final = 200
"""Tasks that are kept at a time; further calls are answered directly."""


class TaskParams(RequestParams):
    """Which task."""

    task_id: str


class UpdateParams(TaskParams):
    """What was brought to a task, by the keys under which it was asked for."""

    input_responses: dict[str, Any]


def required(ctx: Context) -> MCPError:
    """The error for a client that does not know tasks where it must."""
    data: Json = {"requiredCapabilities": {"extensions": {ID: {}}}}
    message = f"{ctx.method} needs a client that declares the extension {ID} in this request."
    return MCPError(MISSING_REQUIRED_CLIENT_CAPABILITY, message, data)


def known(ctx: Context) -> bool:
    """Whether the client of this request knows tasks."""
    capabilities = ctx.session.client_capabilities
    declared = (capabilities.extensions or {}) if capabilities else {}
    return ID in declared and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def takes_long(tool: Tool) -> bool:
    """Whether a call of this tool is worth asking after."""
    return tool.open_world or (tool.timeout or 0) > LONG_SECONDS


class Tasks:
    """The tasks of one server.

    Args:
        call: answers a call of a tool.
        house: has the tools.
        offer: which of them.
        owner: who alone may see what a request begins; None is everyone who knows the id.
    """

    def __init__(self, call: CallTool, house: House, offer: Offer, owner: Callable[[Context], str | None]) -> None:
        self._answer = call
        self._house = house
        self._offer = offer
        self._owner = owner
        self._tasks: dict[str, Task] = {}

    def join(self, server: Server[Any]) -> None:
        """Have `server` offer the extension, and answer calls of tools by `call`."""
        server.extensions[ID] = {}
        server.add_request_handler("tools/call", CallToolRequestParams, self.call)
        server.add_request_handler("tasks/get", TaskParams, self.get)
        server.add_request_handler("tasks/update", UpdateParams, self.update)
        server.add_request_handler("tasks/cancel", TaskParams, self.cancel)

    async def call(self, ctx: Context, params: CallToolRequestParams) -> Answer | Json:
        """`tools/call`: the answer, or a task that will have it."""
        if not (known(ctx) and await self._takes_long(params.name) and self._has_room()):
            return await self._answer(ctx, params)
        task = Task(self._answer, ctx, params, self._owner(ctx))
        self._tasks[task.id] = task
        try:
            answer = await task.soon()
        finally:
            if not task.goes_on:
                del self._tasks[task.id]
        return answer if answer is not None else {**task.told(), "resultType": "task"}

    async def get(self, ctx: Context, params: TaskParams) -> Json:
        """`tasks/get`."""
        return self._find(ctx, params).read()

    async def update(self, ctx: Context, params: UpdateParams) -> Json:
        """`tasks/update`."""
        self._find(ctx, params).hear(params.input_responses)
        return {}

    async def cancel(self, ctx: Context, params: TaskParams) -> Json:
        """`tasks/cancel`: the task ends as soon as its work has noticed."""
        self._find(ctx, params).end()
        return {}

    async def close(self) -> None:
        """End what goes on."""
        going = [task.end() for task in self._tasks.values() if not task.has_ended]
        self._tasks.clear()
        if going:
            await asyncio.wait(going)

    async def _takes_long(self, name: str) -> bool:
        try:
            await self._house.furnish()
            offered = self._offer.tools(self._house.toolkit.tools)
        except ToolkitError:
            return False  # the call itself says what is wrong
        return any(takes_long(tool) for tool in offered if tool.name == name)

    def _has_room(self) -> bool:
        for task in [task for task in self._tasks.values() if task.is_over]:
            task.end()
            del self._tasks[task.id]
        return len(self._tasks) < MOST

    def _find(self, ctx: Context, params: TaskParams) -> Task:
        if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            raise MCPError(METHOD_NOT_FOUND, "Method not found", ctx.method)
        if not known(ctx):
            raise required(ctx)
        headers = getattr(ctx.request, "headers", None)  # by which a proxy finds the replica that has the task
        if headers is not None and decode_header_value(headers.get(MCP_NAME_HEADER)) != params.task_id:
            raise MCPError(HEADER_MISMATCH, "The header Mcp-Name must be the taskId of the body.")
        self._has_room()
        task = self._tasks.get(params.task_id)
        if task is None or task.owner != self._owner(ctx):
            raise MCPError(INVALID_PARAMS, "There is no such task, or no longer; call the tool again.")
        return task
