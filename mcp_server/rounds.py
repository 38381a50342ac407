"""Calls in the middle of which the host is asked something: for an answer of its model, or of its user.

The revisions with a handshake let a server ask while the call is under way. From 2026-07-28 on a server can only answer
"I need this first"; the host then calls again and brings it. Such a call is not begun anew, for it may have cost
something already: it waits here, in this process, and goes on when the host is back.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import TypeAlias, TypeVar

from mcp import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponses,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server import asking
from mcp_server.progress import Telling
from mcp_server.sampling import BackChannel, Context, answer, offered, question, too_slow
from toolkit.errors import ProviderError, ToolError
from toolkit.messages import ChatRequest, Completion
from toolkit.providers.host import Sampler

KEPT_SECONDS = 600
"""How long a call waits for a host that does not come back, at most; its own time is mostly over before."""


@dataclass(frozen=True, slots=True)
class Host:
    """Who made a call, as far as the tool may reach them.

    Attributes:
        sampler: its model, None where it lends none.
        user: its user, None where it cannot ask them.
        progress: tells it how far the call is.
    """

    sampler: Sampler | None
    user: asking.Ask | None
    progress: Telling


_Answer = TypeVar("_Answer", ElicitResult, Completion)
Work: TypeAlias = Callable[[Host], Awaitable[CallToolResult]]
_Hear: TypeAlias = Callable[[object], None]


class Calls:
    """The calls of one server, those that wait for their host among them."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Call] = {}

    async def run(
        self, ctx: Context, params: CallToolRequestParams, work: Work
    ) -> CallToolResult | InputRequiredResult:
        """Begin a call, or go on with the one that the host is back for.

        Args:
            ctx: of the request.
            params: what is called, and what the host was asked.
            work: does what is called; it is not run where a call goes on.

        Raises:
            ToolError: the host is back for a call that does not wait any more, or for another one.
        """
        lent, can_ask = offered(ctx), asking.offered(ctx)
        if params.request_state is not None:
            call = self._resumed(params.request_state, params)
        elif (lent or can_ask) and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            has_tools = lent is not None and lent.tools is not None
            call = _Call(params, work, model=lent is not None, tools=has_tools, user=can_ask)
        else:
            progress = Telling(params.name)
            with progress.to(ctx):
                model = BackChannel(ctx, lent) if lent else None
                return await work(Host(model, asking.back_channel(ctx) if can_ask else None, progress))
        wanted = await call.go_on(ctx)
        if not wanted:
            return call.result()
        return InputRequiredResult(input_requests=wanted, request_state=self._put_aside(call))

    def drop(self, ticket: str) -> None:
        """End the call that waits under this request state; where none does, nothing happens."""
        self._forget(ticket)

    async def close(self) -> None:
        """End what waits."""
        tasks = [call.end() for call in self._waiting.values()]
        self._waiting.clear()
        if tasks:
            await asyncio.wait(tasks)

    def _put_aside(self, call: "_Call") -> str:
        ticket = secrets.token_urlsafe(32)  # whoever has it may go on with the call, so nobody must guess it
        self._waiting[ticket] = call
        asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget, ticket)
        return ticket

    def _forget(self, ticket: str) -> None:
        if call := self._waiting.pop(ticket, None):
            call.end()

    def _resumed(self, ticket: str, params: CallToolRequestParams) -> "_Call":
        call = self._waiting.get(ticket)
        if call is None or call.what != (params.name, params.arguments):
            raise _gone(params.name)
        del self._waiting[ticket]
        call.hear(params.input_responses or {})
        return call


class _Call:
    """A call that goes on from round to round; it is also the sampler of its own host.

    Args:
        params: what is called.
        work: does it.
        model: whether the host lends a model.
        tools: whether that model can be offered tools.
        user: whether the host can ask its user.
    """

    def __init__(self, params: CallToolRequestParams, work: Work, *, model: bool, tools: bool, user: bool) -> None:
        self.what = (params.name, params.arguments)
        self.tools = tools
        self._numbers = count(1)
        self._asked: dict[str, tuple[InputRequest, _Hear]] = {}
        self._changed = asyncio.Event()
        self._progress = Telling(params.name)
        host = Host(self if model else None, self._ask_user if user else None, self._progress)
        self._task = asyncio.ensure_future(work(host))
        self._task.add_done_callback(lambda _: self._changed.set())

    async def __call__(self, request: ChatRequest, /, *, hint: str | None, timeout: float) -> Completion:
        """Have the host asked, and wait until it is back.

        Nobody hears what comes of the call while the host is away, and one that declines stays away. So when the time
        is over the call ends, rather than ask somebody else who would have to be paid.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._bring("model", question(request, hint), answer)
        except TimeoutError:
            self.end()
            await asyncio.Event().wait()  # for the cancellation
            raise too_slow(timeout) from None

    async def _ask_user(self, form: ElicitRequest) -> ElicitResult:
        """Have the user asked, and wait until the host is back."""
        return await self._bring("user", form, _users_answer)

    async def _bring(self, who: str, request: InputRequest, read: Callable[[object], _Answer]) -> _Answer:
        """What the host brings, when it is back, for a request of ours."""
        key = f"{who}-{next(self._numbers)}"
        brought: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()

        def hear(response: object) -> None:
            if brought.done():
                return
            try:
                brought.set_result(read(response))
            except (ProviderError, MCPError) as error:
                brought.set_exception(error)

        self._asked[key] = (request, hear)
        self._changed.set()
        try:
            return await brought
        finally:
            self._asked.pop(key, None)

    async def go_on(self, ctx: Context) -> dict[str, InputRequest]:
        """Wait until the call has ended, or wants something from the host; gives what it wants.

        Cancelled, it ends the call.
        """
        try:
            with self._progress.to(ctx):
                while not (self._task.done() or self._asked):
                    self._changed.clear()
                    await self._changed.wait()
        except asyncio.CancelledError:
            await asyncio.wait([self.end()])
            raise
        return {key: request for key, (request, _) in self._asked.items()} if not self._task.done() else {}

    def hear(self, responses: InputResponses) -> None:
        """Give the call what the host has brought; what it has not, it is asked again."""
        for key, response in responses.items():
            if asked := self._asked.pop(key, None):
                asked[1](response)

    def result(self) -> CallToolResult:
        """What came of it.

        Raises:
            ToolError: it ended while the host was away.
        """
        if self._task.cancelled():
            raise _gone(self.what[0])
        return self._task.result()

    def end(self) -> "asyncio.Future[CallToolResult]":
        """Cancel it; gives what to wait for."""
        self._task.cancel()
        return self._task


def _users_answer(response: object) -> ElicitResult:
    if isinstance(response, ElicitResult):
        return response
    raise MCPError(INVALID_PARAMS, "what it brought is no answer of a user")


def _gone(name: str) -> ToolError:
    return ToolError(f"{name} no longer waits for what the host was asked; call it again.")
