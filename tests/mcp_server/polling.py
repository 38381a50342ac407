"""A client that asks after its calls, as the extension for tasks has it; the SDK's client knows none by itself."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from mcp import Client
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.session import ClientSession
from mcp.types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from mcp_server.tasks import ID

ENDED = ("completed", "failed", "cancelled")


class Task(Result):
    """What a server tells of every task."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    task_id: str = ""
    status: str = ""
    status_message: str | None = None
    ttl_ms: int = 0


class Created(Task):
    """A task in the place of a result."""

    result_type: Literal["task"]


class Told(Task):
    """What a server tells to who asks; of an update and a cancellation nothing."""

    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    input_requests: dict[str, Any] | None = None


class About(RequestParams):
    task_id: str
    input_responses: dict[str, Any] | None = None


class TaskRequest(Request[About, str]):
    name_param = "taskId"


async def ask(session: ClientSession, verb: str, task: str, **more: Any) -> Told:
    """`tasks/get`, `tasks/update` or `tasks/cancel`."""
    return await session.send_request(TaskRequest(method=f"tasks/{verb}", params=About(task_id=task, **more)), Told)


async def until(session: ClientSession, task: str, holds: Callable[[Told], bool]) -> Told:
    """Ask after a task until what is told of it holds."""
    async with asyncio.timeout(20):
        while not holds(told := await ask(session, "get", task)):  # noqa: ASYNC110 - so it is in the protocol
            await asyncio.sleep(0.02)
    return told


async def ended(session: ClientSession, task: str) -> Told:
    """What is told of a task in the end."""
    return await until(session, task, lambda told: told.status in ENDED)


class Tasks(ClientExtension):
    """Has the client know tasks, and remembers those that it was given."""

    identifier = ID

    def __init__(self) -> None:
        self.made: list[Created] = []

    def claims(self) -> list[ResultClaim[Created]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    async def _resolve(self, created: Created, context: ClaimContext) -> CallToolResult:
        self.made.append(created)
        told = await ended(context.session, created.task_id)
        assert told.status == "completed", told
        return CallToolResult.model_validate(told.result)


async def begin(client: Client, tool: str, **arguments: Any) -> Created:
    """Call a tool, and let the task be."""
    call: Awaitable[Any] = client.session.call_tool(tool, arguments, allow_claimed=True, allow_input_required=True)
    made = await call
    assert isinstance(made, Created), made
    return made
