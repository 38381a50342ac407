"""Every HTTP request, seen from outside all else: its id, its line in the log, its figures, and its span."""

import asyncio
import logging
import os
import re
from time import perf_counter
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.auth import KEY
from mcp_server.operations import logs, tracing
from mcp_server.operations.content import Content
from mcp_server.operations.ending import UnderWay
from mcp_server.operations.figures import HttpFigures
from mcp_server.refusals import REQUEST_ID

NO_ROUTE: Final = "none"
"""Stands for the route of a request that was refused before one was found, or that has none."""

GONE: Final = 499
"""Stands for the status of a request whose client went away before it was answered; the number is nginx's."""

_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_ALWAYS = frozenset({"/health", "/health/ready", "/metrics"})  # also answered while the server ends
_log = logging.getLogger("mcp_server.access")


class Requests:
    """The outermost part of the application.

    Args:
        app: what is inside.
        figures: counts requests.
        under_way: knows those that are being served.
        content: the log has the beginnings of what goes in and out.
    """

    def __init__(self, app: ASGIApp, figures: HttpFigures, under_way: UnderWay, *, content: bool = False) -> None:
        self.under_way = under_way
        self._app = app
        self._figures = figures
        self._content = content

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = perf_counter()
        scope[REQUEST_ID] = request_id = _brought(scope) or os.urandom(16).hex()
        header = request_id.encode()
        status = 0

        async def answered(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ids = (
                    (b"x-request-id", header),
                    (b"request-id", header),
                )  # OpenAI's clients read one, Anthropic's both
                message = {**message, "headers": [*message.get("headers", ()), *ids]}
            await send(message)

        before = logs.request_id.set(request_id)
        content = Content.of(scope) if self._content and _log.isEnabledFor(logging.INFO) else None
        task = self.under_way.enter(scope)
        self._figures.under_way += 1
        try:
            inner = content.between(receive, answered) if content else (receive, answered)
            await self._serve(scope, *inner)
        except asyncio.CancelledError:
            if not self.under_way.was_cut(task):
                raise
            task.uncancel()
            if not status:
                await _ending()(scope, receive, answered)
        except Exception:
            status = status or 500  # uvicorn's answer
            raise
        finally:
            self.under_way.leave(task)
            self._figures.under_way -= 1
            self._note(scope, status or GONE, perf_counter() - begun, content)
            logs.request_id.reset(before)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.under_way.ending and scope["path"] not in _ALWAYS:
            await _ending()(scope, receive, send)
        elif tracing.collected():
            with tracing.of_request(scope, send) as traced:
                await self._app(scope, receive, traced)
        else:
            await self._app(scope, receive, send)

    def _note(self, scope: Scope, status: int, seconds: float, content: Content | None) -> None:
        method, route = scope["method"], route_of(scope)
        self._figures.note(method, route, status, seconds)
        if _log.isEnabledFor(logging.INFO):
            who = scope.get(KEY)
            said: dict[str, Any] = {
                "method": method,
                "route": route,
                "status": status,
                "milliseconds": round(seconds * 1000, 1),
                "user": who().user if who else None,
                **(content.told() if content else {}),
            }
            _log.info("%s %s %d", method, route, status, extra={"fields": said})


def route_of(scope: Scope) -> str:
    """The template of the route, e.g. `/v1/sessions/{session_id}`, so that there are not many."""
    path: str = getattr(scope.get("route"), "path", "")
    return path or NO_ROUTE


def _brought(scope: Scope) -> str | None:
    """The id that the client, or a proxy before it, has given the request, where it can stand in a line of a log."""
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            brought: str = value.decode("latin-1")
            return brought if _SANE.fullmatch(brought) else None
    return None


def _ending() -> PlainTextResponse:
    headers = {"Retry-After": "5", "Connection": "close"}
    return PlainTextResponse("The server is ending; ask again in a moment.", 503, headers)
