"""Asks every HTTP request who makes it, as an OAuth protected resource does (RFC 6750, RFC 9728).

Nobody is asked on an address of this machine as long as there is neither a key nor a setting that says otherwise.
Whether the database has keys is known once it is open; until then a request without a token gets what needs none of it
(the handshake and the lists), and the first tool finds out.
"""

import logging
from typing import Final

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.authentication import AuthCredentials
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.auth import KEY, LOCAL, NOBODY, Caller
from mcp_server.house import House
from mcp_server.jwks import Unverifiable
from mcp_server.refusals import Refusal
from mcp_server.tokens import Tokens
from toolkit.access.scopes import ADMIN, CHAT, EVERY_SCOPE, SEARCH
from toolkit.errors import ConfigError, DatabaseError
from toolkit.settings import HttpSettings
from toolkit.stamps import now

RESOURCE: Final = "/mcp"
METADATA: Final = "/.well-known/oauth-protected-resource"

_OPEN = frozenset({"/health", METADATA, METADATA + RESOURCE, "/docs", "/openapi.json"})  # nobody is asked
_OPEN_BELOW = "/docs/"
_FREE = frozenset({"/health/ready"})  # says more to who may know it
_PAGES = "/admin"  # a browser sends no token; the pages ask by themselves
_SCOPES = {"/metrics": frozenset({ADMIN})}  # everywhere else any scope will do; a tool asks for more
_NOT_GOOD = "The token is unknown, expired, revoked or not for this server."
_LATER = 5.0  # seconds
_CODES = {"": "missing_api_key", "invalid_token": "invalid_api_key", "insufficient_scope": "missing_scope"}
_log = logging.getLogger(__name__)


class Bearer:
    """Lets a request through with word of who makes it, or refuses it.

    Args:
        app: what it lets through to.
        house: its database may have keys.
        tokens: verifies what callers bring.
        always: ask, whatever keys there are.
    """

    def __init__(self, app: ASGIApp, house: House, tokens: Tokens, *, always: bool) -> None:
        self._app = app
        self._house = house
        self._tokens = tokens
        self._always = always

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = None if _is_open(scope["path"]) else await self._identify(Request(scope))
        await (refusal or self._app)(scope, receive, send)

    async def _identify(self, request: Request) -> Response | None:
        """Leave word of who makes the request, or give the answer that refuses it."""
        token = None if request.url.path.startswith(_PAGES) else _token(request)
        if token is None:
            request.scope[KEY] = self._unknown
            if self._asks() and not (request.url.path in _FREE or request.url.path.startswith(_PAGES)):
                return challenge(request, 401, "", "Send an API key or a token as `Authorization: Bearer …`.")
            return None
        if not self._asks() and not await self._found_to_ask():
            request.scope[KEY] = lambda: LOCAL  # what a client brings where nobody asks for it is not looked at
            return None
        try:
            found = await self._tokens.verify(token, resource_of(request))
        except Unverifiable as error:
            return Refusal(503, str(error), "temporarily_unavailable", retry_after=_LATER).response(request)
        if found is None:
            return challenge(request, 401, "invalid_token", _NOT_GOOD)
        return self._admit(request, found)

    def _admit(self, request: Request, found: AccessToken) -> Response | None:
        who = Caller(found.subject, authenticated=True, scopes=frozenset(found.scopes))
        needed = _SCOPES.get(request.url.path, EVERY_SCOPE)
        if not needed & who.scopes and request.url.path not in _FREE:
            wanted = needed if needed == {ADMIN} else frozenset({CHAT, SEARCH})
            has = ", ".join(sorted(who.scopes & EVERY_SCOPE)) or "none"  # others may not be fit for a header
            said = f"This needs the scope {' or '.join(sorted(needed))}, and your token has {has}."
            return challenge(request, 403, "insufficient_scope", said, wanted)
        request.scope[KEY] = lambda: who
        # By these the SDK knows whose a session is: nobody else's token goes on with it.
        request.scope["user"], request.scope["auth"] = AuthenticatedUser(found), AuthCredentials(found.scopes)
        return None

    def _asks(self) -> bool:
        return self._always or bool(self._house.has_keys)

    async def _found_to_ask(self) -> bool:
        """Look for keys, now that somebody brings one."""
        try:
            await self._house.opened()
        except DatabaseError as error:
            _log.info("Whether there are keys cannot be said: %s", error)
        return self._house.has_keys is not False

    def _unknown(self) -> Caller:
        return NOBODY if self._always or self._house.has_keys is not False else LOCAL


def _is_open(path: str) -> bool:
    """Whether nobody is asked who calls."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def _token(request: Request) -> str | None:
    """What a client brings, as OpenAI's and OAuth's do or as Anthropic's; None where it brings nothing."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else request.headers.get("x-api-key")


def metadata_routes(house: House, settings: HttpSettings, *, always: bool) -> list[Route]:
    """What a client reads to find out where tokens for this server are to be had (RFC 9728)."""

    async def metadata(request: Request) -> Response:
        if not (always or house.has_keys):
            return JSONResponse({"error": "not_found", "error_description": "No token is needed here."}, 404)
        said = {
            "resource": resource_of(request),
            "resource_name": "Toolkit",
            "scopes_supported": sorted(EVERY_SCOPE),
            "bearer_methods_supported": ["header"],
        }
        if settings.jwt_issuer:
            said["authorization_servers"] = [settings.jwt_issuer]
        return JSONResponse(said, headers={"Cache-Control": "max-age=300"})

    return [Route(METADATA, metadata), Route(METADATA + RESOURCE, metadata)]


def resource_of(request: Request) -> str:
    """The address of the MCP server, as the caller wrote it; what stands in Host was checked before."""
    return f"{request.url.scheme}://{request.url.netloc}{RESOURCE}"


def challenge(
    request: Request, status: int, error: str, description: str, scopes: frozenset[str] = frozenset({CHAT, SEARCH})
) -> Response:
    """The answer to a request that needs another token, or one at all (RFC 6750, section 3).

    Args:
        request: what is refused.
        status: 401 or 403.
        error: a code of the RFC; empty where no token was sent, about which nothing can be wrong.
        description: what to do, without quotation marks.
        scopes: what a token should have.
    """
    said = {
        "error": error,
        "error_description": description if error else "",
        "scope": " ".join(sorted(scopes)),
        "resource_metadata": resource_of(request).removesuffix(RESOURCE) + METADATA + RESOURCE,
    }
    header = "Bearer " + ", ".join(f'{name}="{value}"' for name, value in said.items() if value)
    response = Refusal(status, description, _CODES.get(error, error)).response(request)
    response.headers["WWW-Authenticate"] = header
    return response


async def must_ask(house: House, address: str) -> None:
    """Make sure that whoever calls from another machine can be asked who they are.

    Raises:
        ConfigError: nobody could say it, for there is no key that counts.
        DatabaseError: it cannot be opened.
    """
    at = now()
    if not any(key.counts(at) for key in await (await house.opened()).keys.list()):
        raise ConfigError(
            f"{address} can be reached from other machines, and nobody could prove who calls; use 127.0.0.1, make a "
            "key with `toolkit keys create NAME`, or set TOOLKIT_API_KEYS, TOOLKIT_SECRET_KEY or TOOLKIT_JWKS_URL."
        )
