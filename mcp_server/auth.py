"""Who calls, and what they may do.

On standard input and output it is whoever has started the process, and they may do everything. Over HTTP `bearer.py`
finds out from the token, and leaves word with the request.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mcp_server.sampling import Context
from toolkit.access.scopes import ADMIN, CHAT, EVERY_SCOPE, SEARCH
from toolkit.errors import ConfigError, ToolError
from toolkit.tools.tool import Tool

KEY: Final = "toolkit.caller"
"""Where a request's ASGI scope has the function that says who calls."""

_OF_PRESET: Final = {"search-admin": ADMIN, "search": SEARCH, "sessions": CHAT, "models": CHAT, "code": CHAT}
_OF_ADDRESS: Final = {"toolkit://chunks/": SEARCH, "toolkit://documents/": SEARCH, "toolkit://sessions/": CHAT}
_BRING: Final = "connect with one of its API keys as a bearer token (`toolkit keys create NAME` makes one)"
_EVERYONES: Final = frozenset({"usage_report"})  # says what each user asked and spent


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a request.

    Attributes:
        user: their name; None: nobody has asked for it.
        authenticated: the name is proven.
        scopes: what they may do, of `chat`, `search` and `admin`.
    """

    user: str | None
    authenticated: bool
    scopes: frozenset[str]

    @property
    def owner(self) -> str | None:
        """Whose sessions and private collections alone may be seen; None is everyone's."""
        return self.user if self.authenticated else None


LOCAL: Final = Caller(None, authenticated=False, scopes=EVERY_SCOPE)
"""Somebody on this machine, where nobody asks who calls."""
NOBODY: Final = Caller(None, authenticated=False, scopes=frozenset())
"""Somebody who brought no key where one is asked for."""


def caller(ctx: Context) -> Caller:
    """Who makes the request of `ctx`; to be asked once the house is open, for keys may be in its database."""
    return called_by(None if ctx.request is None else ctx.request.scope)


def called_by(scope: Mapping[str, Any] | None) -> Caller:
    """The same by the ASGI scope of a request; None: it did not come over HTTP."""
    if scope is None:
        return LOCAL
    who: Callable[[], Caller] = scope[KEY]  # a request that passed by `Bearer` unseen is a defect, and gets nothing
    return who()


def needed(tool: Tool, arguments: Mapping[str, Any]) -> frozenset[str]:
    """The scopes without which a call is refused.

    Searching and adding documents needs `search`; whatever asks a model, or keeps a conversation, `chat`. What is
    everyone's needs `admin`: deleting documents, the figures of all users, files of the server's own machine. A tool of
    the user's own needs `chat`, and `admin` where it destroys something.
    """
    scopes = {scope for preset, scope in _OF_PRESET.items() if preset in tool.presets}
    if not scopes:
        scopes = {ADMIN if tool.destructive else CHAT}
    if tool.open_world:
        scopes.add(CHAT)
    if tool.name in _EVERYONES or (not tool.source and arguments.get("path")):
        scopes.add(ADMIN)
    return frozenset(scopes)


def allow(who: Caller, tool: Tool, arguments: Mapping[str, Any]) -> None:
    """Let a call through.

    Raises:
        ToolError: they may not make it; the message says what it takes.
    """
    missing = sorted((EVERY_SCOPE if who is NOBODY else needed(tool, arguments)) - who.scopes)
    if not missing:
        return
    if who is NOBODY:
        raise ToolError(f"{tool.name}: this server asks who calls; {_BRING}.")
    what = " and a `path` on the server" if arguments.get("path") and not tool.source else ""
    raise ToolError(
        f"{tool.name}{what} needs the scope {' and '.join(missing)}, and your token has "
        f"{', '.join(sorted(who.scopes)) or 'none'}; ask for a token with it, or use another tool."
    )


def reader(ctx: Context, uri: str = "") -> str | None:
    """Whose resources a request may see besides everyone's; None: all of them.

    Args:
        ctx: of the request; the house is open.
        uri: what is read; empty: a list of what there is.

    Raises:
        ConfigError: they may not read it; the message says what it takes.
    """
    who = caller(ctx)
    if who is NOBODY:
        raise ConfigError(f"This server asks who calls; {_BRING}.")
    if not may_read(who, uri):
        raise ConfigError(f"{uri} needs another scope than your token has; ask for one with chat and search.")
    return who.owner


def may_read(who: Caller, uri: str) -> bool:
    """Whether the caller's scopes are enough for a resource: documents need `search`, conversations `chat`."""
    return all(scope in who.scopes for prefix, scope in _OF_ADDRESS.items() if uri.startswith(prefix))


def proven(who: Caller, tool: Tool) -> bool:
    """Whether a call is bound to what is the caller's own: who administers does so for everyone."""
    return who.authenticated and "search-admin" not in tool.presets
