"""What every HTTP request must be before anybody looks at it: to a name of ours, from a page of ours, not too big.

A web page can make its own name point to this server (DNS rebinding), and a browser sends requests for any page. So the
names in Host and Origin are checked on whatever address the server listens.
"""

import asyncio
import re
from collections import deque
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.refusals import Refusal
from toolkit.settings import HttpSettings

BODY_SECONDS: Final = 30.0
"""How long a client may take to send a body."""

_HERE = ("127.0.0.1", "localhost", "[::1]")
_ORIGIN_HERE = r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_READABLE = ("Mcp-Session-Id", "Mcp-Protocol-Version", "WWW-Authenticate", "Retry-After")


class Names:
    """Turns away a request whose Host or Origin is somebody else's.

    Args:
        app: what it lets through to.
        settings: the names and pages that are ours beside those of this machine.
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._hosts = frozenset((*_HERE, *settings.allowed_hosts))
        self._origins = frozenset(settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", "").lower(), headers.get("origin", "").lower()
        if not self._is_ours(host, scope):
            return PlainTextResponse(
                "This server is not called so; TOOLKIT_ALLOWED_HOSTS names what it is called.", 421
            )
        if origin and not (
            origin in self._origins or re.fullmatch(_ORIGIN_HERE, origin) or origin.partition("://")[2] == host
        ):
            return PlainTextResponse(
                "Pages of this origin may not call; TOOLKIT_ALLOWED_ORIGINS names those that may.", 403
            )
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        name = re.sub(r":\d+$", "", host)
        if host in self._hosts or name in self._hosts:
            return True
        try:  # a page cannot rebind an address, only a name: so the address that was called is ours, as probes write it
            return ip_address(name.strip("[]")) == ip_address((scope.get("server") or ("",))[0])
        except ValueError:
            return False


def for_pages(app: ASGIApp, settings: HttpSettings) -> ASGIApp:
    """Tell browsers that the pages which `Names` lets through may read the answers (CORS)."""
    return CORSMiddleware(
        app,
        allow_origins=settings.allowed_origins,
        allow_origin_regex=_ORIGIN_HERE,
        allow_methods=_METHODS,
        allow_headers=["*"],  # MCP's own are many, and tools add to them (`Mcp-Param-…`)
        expose_headers=_READABLE,
    )


class Bodies:
    """Reads the body of a request before the application does: not more of it, and not for longer, than allowed.

    Args:
        app: what it lets through to.
        most: bytes.
        seconds: until the whole of it must be here.
    """

    def __init__(self, app: ASGIApp, most: int, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._most = most
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        try:
            async with asyncio.timeout(self._seconds):
                come = await self._read(receive) if int(declared) <= self._most else None
        except TimeoutError:
            await _hang_up(scope, "The body took too long to come.", 408, "body_timeout")(scope, receive, send)
            return
        if come is None:
            text = f"The body is larger than {self._most >> 20} MB; TOOLKIT_MAX_BODY_MB says how large it may be."
            await _hang_up(scope, text, 413, "body_too_large")(scope, receive, send)
            return

        async def again() -> Message:
            return come.popleft() if come else await receive()

        await self._app(scope, again, send)

    async def _read(self, receive: Receive) -> deque[Message] | None:
        """The body as one message, and what came instead of its end; None where it is too large."""
        body, come = bytearray(), deque[Message]()
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the client has gone
                come.append(message)
                return come
            body += message.get("body", b"")
            if len(body) > self._most:
                return None
            if not message.get("more_body", False):
                come.append({"type": "http.request", "body": bytes(body), "more_body": False})
                return come


def _hang_up(scope: Scope, text: str, status: int, code: str) -> Response:
    response = Refusal(status, text, code).response(Request(scope))
    response.headers["Connection"] = "close"
    return response
