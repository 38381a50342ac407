"""The HTTP application, and the process that serves it."""

import asyncio
import signal
import socket
from types import FrameType
from typing import Any

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.health import health_routes
from mcp_server.house import House
from mcp_server.metrics import metrics_routes

GRACE_SECONDS = 2
"""How long requests that are under way may still take when the process is told to end."""


def create_app(server: Server[Any], house: House) -> Starlette:
    """The application: `/mcp`, `/health`, `/health/ready` and `/metrics`.

    It answers only to a loopback address as Host and Origin, so that no web page reaches it by a name of its own.
    """
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # checked below, for every route
    routes = [*health_routes(house), *metrics_routes(house)]
    app = server.streamable_http_app(transport_security=unchecked, custom_starlette_routes=routes)
    app.add_middleware(_FromThisMachine)
    return app


async def serve_http(app: ASGIApp, listening: socket.socket) -> signal.Signals | None:
    """Serve `app` until the process is told to end; gives the signal that told it."""
    requests = _Requests(app)
    config = uvicorn.Config(
        requests,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=2 * GRACE_SECONDS,
    )
    server = _Uvicorn(config, requests)
    await server.serve(sockets=[listening])
    return server.told


class _FromThisMachine:
    """Turns away a request whose Host or Origin is somebody else's."""

    _NAMES = ("127.0.0.1", "localhost", "[::1]")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(
            TransportSecuritySettings(
                allowed_hosts=[name + port for name in self._NAMES for port in ("", ":*")],
                allowed_origins=[f"http://{name}{port}" for name in self._NAMES for port in ("", ":*")],
            )
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = await self._security.validate_request(Request(scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)


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
