"""Logging in with an API key, where this server asks who calls."""

import hmac
import math
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from mcp.server.auth.provider import AccessToken
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.admin.visit import SECONDS, Visit, Visitor
from mcp_server.bearer import resource_of
from mcp_server.house import House
from mcp_server.jwks import Unverifiable
from mcp_server.refusals import Refusal
from mcp_server.tokens import Tokens
from toolkit.access.key import digest_of
from toolkit.access.scopes import ADMIN
from toolkit.stamps import now

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_HOME: Final = "/admin/llms"
_NOT_GOOD: Final = "This key is unknown, expired or revoked. `toolkit keys list` shows those that are good."


async def holds(visitor: Visitor, tk: "Toolkit") -> bool:
    """Whether somebody has logged in with what is still good; a key that was revoked ends the login at once."""
    if not visitor.kind or time.time() >= visitor.until:
        return False
    if visitor.kind == "key":
        key = await tk.keys.get(visitor.which)
        return key is not None and key.counts(now()) and ADMIN in key.scopes
    if visitor.kind == "environment":
        return any(hmac.compare_digest(digest_of(key), visitor.which) for key in tk.settings.http.api_keys)
    return True


def to_login(request: Request) -> Response:
    """On to the login, and from there back to where the visitor was going."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    go_on = wanted if request.method == "GET" else _HOME
    return RedirectResponse(f"/admin/login?{urlencode({'next': go_on})}", 303)


async def show_login(visit: Visit) -> Response:
    """The form that asks for a key."""
    if not visit.asks:
        return RedirectResponse(_HOME, 303)
    return visit.page("login.html", wrong=None)


async def log_in(visit: Visit) -> Response:
    """Take a key, and give a cookie for it."""
    request = visit.request
    address = request.client.host if request.client else ""
    wait = visit.desk.attempts.begin(address)
    if wait is not None:
        said = f"Too many keys were tried; wait {math.ceil(wait)} s, and try again."
        response = visit.page("login.html", 429, wrong=said)
        response.headers["Retry-After"] = str(math.ceil(wait))
        return response
    house: House = request.app.state.house
    brought = visit.field("key").strip()
    try:
        found = await Tokens(house, visit.tk.settings.http).verify(brought, resource_of(request))
    except Unverifiable as error:
        raise Refusal(503, str(error)) from error
    if found is None:
        return visit.page("login.html", 401, wrong=_NOT_GOOD)
    visit.desk.attempts.succeeded(address)
    if ADMIN not in found.scopes:
        has = ", ".join(sorted(found.scopes)) or "none"
        said = f"This key may not administer: it needs the scope admin, and has {has}."
        return visit.page("login.html", 403, wrong=said)
    response = RedirectResponse(_safe(visit.query("next")), 303)
    visit.desk.keep(response, request, _visitor(found, brought))
    return response


async def log_out(visit: Visit) -> Response:
    """Take the cookie back."""
    response = RedirectResponse("/admin/login" if visit.asks else _HOME, 303)
    visit.desk.take_back(response, visit.request, "visitor")
    return response


def _visitor(found: AccessToken, brought: str) -> Visitor:
    until = time.time() + SECONDS
    kind = found.client_id if found.client_id == "environment" else "jwt" if found.expires_at else "key"
    return Visitor.new(
        user=found.subject,
        kind=kind,
        which={"key": found.client_id, "environment": digest_of(brought)}.get(kind, ""),
        until=min(until, found.expires_at) if found.expires_at else until,
    )


def _safe(path: str) -> str:
    """A page of ours; anything else is the first one."""
    return path if path.startswith("/admin/") and path.isprintable() and "\\" not in path else _HOME
