"""Calls in the middle of which the host is asked something.

The revisions with a handshake let a server ask while the call is under way. From 2026-07-28 on a server can only answer
"I need this first"; the host then calls again and brings it. Such a call is not begun anew, for it may have cost
something already: it waits here, in this process, and goes on when the host is back.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, TypeAlias

from mcp.types import CallToolRequestParams, CallToolResult, InputRequest, InputRequiredResult, InputResponses
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server.sampling import BackChannel, Context, answer, offered, question, too_slow
from toolkit.errors import ProviderError, ToolError
from toolkit.messages import ChatRequest, Completion
from toolkit.providers.host import Sampler
from toolkit.tools.tool import Progress

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

KEPT_SECONDS = 600
"""How long a call waits for a host that does not come back, at most; its own time is mostly over before."""


@dataclass(frozen=True, slots=True)
class Host:
    """Who made a call, as far as the tool may reach them.

    Attributes:
        sampler: its model, None where it lends none.
        progress: tells it how far the call is.
    """

    sampler: Sampler | None
    progress: Progress


Work: TypeAlias = Callable[[Host], Awaitable[CallToolResult]]


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
        lent = offered(ctx)
        if params.request_state is not None:
            call = self._resumed(params.request_state, params)
        elif lent and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            call = _Call(params, work, tools=lent.tools is not None)
        else:
            return await work(Host(BackChannel(ctx, lent) if lent else None, _progress_of(ctx.session)))
        wanted = await call.go_on(ctx.session)
        if not wanted:
            return call.result()
        return InputRequiredResult(input_requests=wanted, request_state=self._put_aside(call))

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
        tools: whether the host's model can be offered tools.
    """

    def __init__(self, params: CallToolRequestParams, work: Work, *, tools: bool) -> None:
        self.what = (params.name, params.arguments)
        self.tools = tools
        self._numbers = count(1)
        self._asked: dict[str, tuple[InputRequest, asyncio.Future[Completion]]] = {}
        self._session: ServerSession | None = None  # of the request that waits at present
        self._changed = asyncio.Event()
        self._task = asyncio.ensure_future(work(Host(self, self._progress)))
        self._task.add_done_callback(lambda _: self._changed.set())

    async def __call__(self, request: ChatRequest, /, *, hint: str | None, timeout: float) -> Completion:
        """Have the host asked, and wait until it is back.

        Nobody hears what comes of the call while the host is away, and one that declines stays away. So when the time
        is over the call ends, rather than ask somebody else who would have to be paid.
        """
        key = f"model-{next(self._numbers)}"
        brought: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._asked[key] = (question(request, hint), brought)
        self._changed.set()
        try:
            async with asyncio.timeout(timeout):
                return await brought
        except TimeoutError:
            self.end()
            await asyncio.Event().wait()  # for the cancellation
            raise too_slow(timeout) from None
        finally:
            self._asked.pop(key, None)

    async def go_on(self, session: "ServerSession") -> dict[str, InputRequest]:
        """Wait until the call has ended, or wants something from the host; gives what it wants.

        Cancelled, it ends the call.
        """
        self._session = session
        try:
            while not (self._task.done() or self._asked):
                self._changed.clear()
                await self._changed.wait()
        except asyncio.CancelledError:
            await asyncio.wait([self.end()])
            raise
        finally:
            self._session = None
        return {key: request for key, (request, _) in self._asked.items()} if not self._task.done() else {}

    def hear(self, responses: InputResponses) -> None:
        """Give the call what the host has brought; what it has not, it is asked again."""
        for key, response in responses.items():
            _, brought = self._asked.pop(key, (None, None))
            if brought is None or brought.done():
                continue
            try:
                brought.set_result(answer(response))
            except ProviderError as error:
                brought.set_exception(error)

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

    async def _progress(self, done: float, total: float | None = None, message: str = "") -> None:
        if self._session is not None:
            await _progress_of(self._session)(done, total, message)


def _progress_of(session: "ServerSession") -> Progress:
    async def progress(done: float, total: float | None = None, message: str = "") -> None:
        await session.report_progress(done, total, message or None)

    return progress


def _gone(name: str) -> ToolError:
    return ToolError(
        f"{name} no longer waits for the answer of the host's model; call it again, or name another model."
    )
