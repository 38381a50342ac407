"""Who hears of changes, in the words of both eras of the protocol.

Revisions with a handshake send them to every connection, and of a resource to those that subscribed to it. From
2026-07-28 on a client opens a stream, `subscriptions/listen`, and says what it wants to hear there.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from mcp import MCPError
from mcp.server import NotificationOptions, Server
from mcp.server.connection import Connection
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.types import (
    INVALID_PARAMS,
    EmptyResult,
    NotificationParams,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)

from mcp_server.changes import Changes
from mcp_server.reading import subject_of
from mcp_server.resources import Resources
from mcp_server.sampling import Context

MOST: Final = 1_000
"""Resources that one connection may follow."""


class AnnouncingServer(Server[Any]):
    """A server that says in the handshake that it tells when a list has changed; the SDK says so only without one."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """What the handshake says, on every transport."""
        changed = notification_options or NotificationOptions(
            tools_changed=True, prompts_changed=True, resources_changed=True
        )
        return super().create_initialization_options(changed, experimental_capabilities, extensions)


class Subscriptions:
    """Takes who wants to hear, and hands on what `changes` tells.

    Args:
        changes: tells.
        resources: says which resources somebody may follow.
    """

    def __init__(self, changes: Changes, resources: Resources) -> None:
        self._changes = changes
        self._resources = resources
        self._handler = ListenHandler(changes)
        self._connections: dict[Connection, _Told] = {}
        self._followed: defaultdict[str, Counter[str]] = defaultdict(Counter)  # addresses by what they are of
        changes.hear = self._hear

    async def met(self, ctx: Context, _params: NotificationParams) -> None:
        """`notifications/initialized`: from now on the connection is told when a list changes."""
        self._connection(ctx)

    async def subscribe(self, ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        """`resources/subscribe`, of the revisions with a handshake."""
        await self._resources.may_follow(ctx, params.uri, strict=True)
        connection = self._connection(ctx)
        if len(connection.uris) >= MOST:
            raise MCPError(INVALID_PARAMS, f"More than {MOST} resources cannot be followed; unsubscribe from some.")
        if params.uri not in connection.uris:
            connection.uris.add(params.uri)
            self._follow([params.uri])
        await self._changes.begin()
        return EmptyResult()

    async def unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """`resources/unsubscribe`, of the revisions with a handshake; harmless where nothing is followed."""
        connection = self._connection(ctx)
        if params.uri in connection.uris:
            connection.uris.discard(params.uri)
            self._leave([params.uri])
        return EmptyResult()

    async def listen(self, ctx: Context, params: SubscriptionsListenRequestParams) -> SubscriptionsListenResult:
        """`subscriptions/listen`, from 2026-07-28 on: one call is one stream."""
        uris = params.notifications.resource_subscriptions or []
        if len(uris) > MOST:
            raise MCPError(INVALID_PARAMS, f"More than {MOST} resources cannot be followed; listen to fewer.")
        await self._changes.begin()
        for uri in uris:
            await self._resources.may_follow(ctx, uri, strict=False)
        with self._following(uris):
            return await self._handler(ctx, params)

    def _connection(self, ctx: Context) -> "_Told":
        # The SDK has no public way from a request to its connection, which alone knows when it ends.
        connection = ctx.session._connection  # noqa: SLF001
        if connection not in self._connections:
            told = self._connections[connection] = _Told(ctx.session)
            end = self._changes.subscribe(told.hear)

            async def ended() -> None:
                end()
                del self._connections[connection]
                self._leave(told.uris)
                await told.end()

            connection.exit_stack.push_async_callback(ended)
        return self._connections[connection]

    @contextmanager
    def _following(self, uris: Iterable[str]) -> Iterator[None]:
        self._follow(uris)
        try:
            yield
        finally:
            self._leave(uris)

    def _follow(self, uris: Iterable[str]) -> None:
        for uri in uris:
            self._followed[subject_of(uri)][uri] += 1

    def _leave(self, uris: Iterable[str]) -> None:
        for uri in uris:
            subject = subject_of(uri)
            self._followed[subject][uri] -= 1
            self._followed[subject] += Counter()  # without those that nobody follows
            if uri not in self._followed[subject]:
                self._changes.forget(ResourceUpdated(uri))
            if not self._followed[subject]:
                del self._followed[subject]

    def _hear(self, subject: str) -> None:
        """Tell of the addresses that are followed, and of no others: an ingest changes many documents."""
        for uri in self._followed.get(subject, ()):
            self._changes.tell(ResourceUpdated(uri))


class _Told:
    """A connection with a handshake. It is told in a task of its own, so that one that does not read holds up nobody.

    Args:
        session: of one of its requests.
    """

    def __init__(self, session: ServerSession) -> None:
        self.uris: set[str] = set()
        self._session = session
        self._pending: dict[ServerEvent, None] = {}  # in order, each once
        self._changed = asyncio.Event()
        self._task = asyncio.create_task(self._tell())

    def hear(self, event: ServerEvent) -> None:
        """Keep it to be told, if the connection wants it."""
        if not isinstance(event, ResourceUpdated) or event.uri in self.uris:
            self._pending[event] = None
            self._changed.set()

    async def end(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _tell(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._pending:
                event = next(iter(self._pending))
                del self._pending[event]
                await self._say(event)

    async def _say(self, event: ServerEvent) -> None:
        match event:
            case ToolsListChanged():
                await self._session.send_tool_list_changed()
            case PromptsListChanged():
                await self._session.send_prompt_list_changed()
            case ResourcesListChanged():
                await self._session.send_resource_list_changed()
            case ResourceUpdated(uri):
                await self._session.send_resource_updated(uri)
