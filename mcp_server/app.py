"""The HTTP application, and the process that serves it."""

import signal
import socket
from collections.abc import Collection
from typing import Any

import uvicorn
from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.api import create_api
from mcp_server.bearer import RESOURCE, Bearer, metadata_routes
from mcp_server.guard import Bodies, Names, for_pages
from mcp_server.house import House
from mcp_server.operations.ending import CLOSING_SECONDS, OrderlyServer, UnderWay
from mcp_server.operations.figures import HttpFigures
from mcp_server.operations.health import health_routes
from mcp_server.operations.metrics import metrics_routes
from mcp_server.operations.requests import Requests
from mcp_server.tokens import Tokens
from toolkit.settings import HttpSettings

IDLE_SECONDS = 75
"""How long a connection may lie idle: longer than clients and proxies keep one (httpx 5 s, nginx 60 s).

Who sends a request at the moment in which the server hangs up gets no answer, and uvicorn's own 5 s are httpx's, too.
"""


def create_app(
    server: Server[Any],
    house: House,
    settings: HttpSettings | None = None,
    *,
    public: bool = False,
    log_content: bool = False,
) -> Requests:
    """The application: `/mcp`, health, metrics, where tokens are to be had, and everything of `create_api`.

    Args:
        server: what is served at `/mcp`.
        house: its database may have keys.
        settings: who may call, and from where; by default whoever is on this machine.
        public: other machines reach it, so callers must say who they are, whatever keys there are.
        log_content: the log has the beginnings of what is asked and answered.
    """
    settings = settings or HttpSettings()
    always = public or settings.asks
    unchecked = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # `Names` does it, for every route
    under_way, registry = UnderWay(), CollectorRegistry()
    routes = [
        *health_routes(house, under_way, always=always),
        *metrics_routes(house, registry),
        *metadata_routes(house, settings, always=always),
    ]
    most = settings.max_body_mb << 20
    mcp = server.streamable_http_app(
        transport_security=unchecked, custom_starlette_routes=routes, max_request_body_size=most
    )
    app: ASGIApp = _Both(mcp, {RESOURCE, *(route.path for route in routes)}, create_api(house))
    # Who does not say who they are sends no body; a browser asks whether it may call before it has a token.
    app = Bearer(Bodies(app, most), house, Tokens(house, settings), always=always)
    app = Names(for_pages(app, settings), settings)
    return Requests(app, HttpFigures(registry), under_way, content=log_content)


class _Both:
    """Two applications beside one another: each request passes through the layers of one of them only.

    Args:
        mcp: serves `/mcp` and what belongs to the server itself; it has something to begin and to end.
        paths: of these.
        api: serves everything else.
    """

    def __init__(self, mcp: ASGIApp, paths: Collection[str], api: ASGIApp) -> None:
        self._mcp = mcp
        self._paths = frozenset(paths)
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the beginning and the end."""
        is_mcp = scope["type"] != "http" or scope["path"] in self._paths
        await (self._mcp if is_mcp else self._api)(scope, receive, send)


async def serve_http(app: Requests, listening: socket.socket, settings: HttpSettings) -> signal.Signals | None:
    """Serve `app` until the process is told to end; gives the signal that told it.

    Args:
        app: what is served.
        listening: where.
        settings: which proxies are believed, and how long requests may still take at the end.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="on",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),  # uvicorn's own way is to believe every program of this machine
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )
    server = OrderlyServer(config, app.under_way, settings.grace_seconds)
    await server.serve(sockets=[listening])
    return server.told
