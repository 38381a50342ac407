"""Calls in the middle of which the host is asked something: for an answer of its model, or of its user.

The revisions with a handshake let a server ask while the call is under way. From 2026-07-28 on a server can only answer
"I need this first"; the host then calls again and brings it. Such a call is not begun anew, for it may have cost
something already: it waits here, in this process, and goes on when the host is back. A call whose user is asked has
done nothing yet: it is begun anew with their answer, by whichever replica the host comes back to.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Final, TypeAlias

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

from mcp_server import asking, auth
from mcp_server.progress import Telling
from mcp_server.sampling import BackChannel, Context, answer, offered, question, too_slow
from mcp_server.sealing import Sealer
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


Work: TypeAlias = Callable[[Host], Awaitable[CallToolResult]]
_USER: Final = "user"  # the key of a question to the user


class Calls:
    """The calls of one server, those that wait for their host among them.

    Args:
        sealer: gives what seals the questions to users, once it is needed.
    """

    def __init__(self, sealer: Callable[[], Sealer] = Sealer) -> None:
        self._make_sealer = sealer
        self._waiting: dict[str, _Call] = {}

    @cached_property
    def _sealer(self) -> Sealer:
        return self._make_sealer()

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
        about = [auth.caller(ctx).owner, params.name, params.arguments] if can_ask else None
        said = self._said(params, about)
        if params.request_state is not None and said is None:
            call = self._resumed(params.request_state, params)
        elif (lent or can_ask) and ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            has_tools = lent is not None and lent.tools is not None
            ask = _from_user(said) if can_ask else None
            call = _Call(params, work, model=lent is not None, tools=has_tools, ask=ask)
        else:
            progress = Telling(params.name)
            with progress.to(ctx):
                model = BackChannel(ctx, lent) if lent else None
                return await work(Host(model, asking.back_channel(ctx) if can_ask else None, progress))
        wanted = await call.go_on(ctx)
        if wanted:
            return InputRequiredResult(input_requests=wanted, request_state=self._put_aside(call))
        try:
            return call.result()
        except asking.Wanted as error:
            return InputRequiredResult(
                input_requests={_USER: error.question}, request_state=self._sealer.seal({}, about=about)
            )

    def _said(self, params: CallToolRequestParams, about: object) -> ElicitResult | None:
        """What the host's user said to a question of ours about this very call; None where nobody was asked.

        Raises:
            ToolError: the question was another one, or is too old.
        """
        response = (params.input_responses or {}).get(_USER)
        if response is None or params.request_state is None:
            return None
        self._sealer.unseal(params.request_state, about=about)
        return _users_answer(response)

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
        ask: asks the host's user; None where it cannot.
    """

    def __init__(
        self, params: CallToolRequestParams, work: Work, *, model: bool, tools: bool, ask: asking.Ask | None
    ) -> None:
        self.what = (params.name, params.arguments)
        self.tools = tools
        self._numbers = count(1)
        self._asked: dict[str, tuple[InputRequest, asyncio.Future[Completion]]] = {}
        self._changed = asyncio.Event()
        self._progress = Telling(params.name)
        host = Host(self if model else None, ask, self._progress)
        self._task = asyncio.ensure_future(work(host))
        self._task.add_done_callback(lambda _: self._changed.set())

    async def __call__(self, request: ChatRequest, /, *, hint: str | None, timeout: float) -> Completion:
        """Have the host asked, and wait until it is back.

        Nobody hears what comes of the call while the host is away, and one that declines stays away. So when the time
        is over the call ends, rather than ask somebody else who would have to be paid.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._bring(question(request, hint))
        except TimeoutError:
            self.end()
            await asyncio.Event().wait()  # for the cancellation
            raise too_slow(timeout) from None

    async def _bring(self, request: InputRequest) -> Completion:
        """What the host brings, when it is back, for a request of ours."""
        key = f"model-{next(self._numbers)}"
        brought: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._asked[key] = (request, brought)
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


def _from_user(said: ElicitResult | None) -> asking.Ask:
    """Gives what the user has said; before they were asked, has them asked."""

    async def ask(form: ElicitRequest) -> ElicitResult:
        if said is None:
            raise asking.Wanted(form)
        return said

    return ask


def _users_answer(response: object) -> ElicitResult:
    if isinstance(response, ElicitResult):
        return response
    raise MCPError(INVALID_PARAMS, "what it brought is no answer of a user")


def _gone(name: str) -> ToolError:
    return ToolError(f"{name} no longer waits for what the host was asked; call it again.")
