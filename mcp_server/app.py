"""The HTTP application, and the process that serves it."""

import asyncio
import signal
import socket
from collections.abc import Sequence
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.api import create_api
from mcp_server.bearer import Bearer, metadata_routes
from mcp_server.guard import Bodies, Names, for_pages
from mcp_server.house import House
from mcp_server.operations.health import health_routes
from mcp_server.operations.metrics import metrics_routes
from mcp_server.tokens import Tokens
from toolkit.settings import HttpSettings

GRACE_SECONDS = 2
"""How long requests that are under way may still take when the process is told to end."""

IDLE_SECONDS = 75
"""How long a connection may lie idle: longer than clients and proxies keep one (httpx 5 s, nginx 60 s).

Who sends a request at the moment in which the server hangs up gets no answer, and uvicorn's own 5 s are httpx's, too.
"""


def create_app(
    server: Server[Any], house: House, settings: HttpSettings | None = None, *, public: bool = False
) -> ASGIApp:
    """The application: `/mcp`, health, metrics, where tokens are to be had, and everything of `create_api`.

    Args:
        server: what is served at `/mcp`.
        house: its database may have keys.
        settings: who may call, and from where; by default whoever is on this machine.
        public: other machines reach it, so callers must say who they are, whatever keys there are.
    """
    settings = settings or HttpSettings()
    always = public or settings.asks
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # `Names` does it, for every route
    routes: list[Any] = [
        *health_routes(house, always=always),
        *metrics_routes(house),
        *metadata_routes(house, settings, always=always),
        Mount("/", create_api(house)),
    ]
    most = settings.max_body_mb << 20
    app: ASGIApp = server.streamable_http_app(
        transport_security=unchecked, custom_starlette_routes=routes, max_request_body_size=most
    )
    # Who does not say who they are sends no body; a browser asks whether it may call before it has a token.
    app = Bearer(Bodies(app, most), house, Tokens(house, settings), always=always)
    return Names(for_pages(app, settings), settings)


async def serve_http(
    app: ASGIApp, listening: socket.socket, trusted_proxies: Sequence[str] = ()
) -> signal.Signals | None:
    """Serve `app` until the process is told to end; gives the signal that told it.

    Args:
        app: what is served.
        listening: where.
        trusted_proxies: addresses and networks whose `X-Forwarded-For` and `-Proto` are believed.
    """
    requests = _Requests(app)
    config = uvicorn.Config(
        requests,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=bool(trusted_proxies),  # uvicorn's own way is to believe every program of this machine
        forwarded_allow_ips=list(trusted_proxies),
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=2 * GRACE_SECONDS,
    )
    server = _Uvicorn(config, requests)
    await server.serve(sockets=[listening])
    return server.told


class _Requests:
    """The requests under way, which can be cut short together; uvicorn's own way logs a traceback for each."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._under_way: set[anyio.CancelScope] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with anyio.CancelScope() as request:
            self._under_way.add(request)
            try:
                await self._app(scope, receive, watched)
            finally:
                self._under_way.discard(request)
        if request.cancelled_caught and not begun:
            ending = PlainTextResponse("The server is ending; ask again in a moment.", 503, {"Retry-After": "5"})
            await ending(scope, receive, send)

    def cut_short(self) -> None:
        for request in self._under_way:
            request.cancel()


class _Uvicorn(uvicorn.Server):
    """Uvicorn that ends when told to, and leaves it at that: its own way is to raise the signal again at the end."""

    def __init__(self, config: uvicorn.Config, requests: _Requests) -> None:
        super().__init__(config)
        self.told: signal.Signals | None = None
        self._requests = requests

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is uvicorn's
        if self.should_exit:  # asked twice: without the grace, but still in order
            asyncio.get_running_loop().call_soon_threadsafe(self._requests.cut_short)
        self.should_exit = True
        self.told = signal.Signals(sig)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().call_later(GRACE_SECONDS, self._requests.cut_short)
        await super().shutdown(sockets)
