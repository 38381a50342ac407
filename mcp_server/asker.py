"""Who asks over the routes beside MCP, in whose name, and the toolkit that answers."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from mcp_server.auth import NOBODY, Caller, called_by
from mcp_server.house import House
from mcp_server.refusals import Refusal
from toolkit import messages
from toolkit.access.scopes import ADMIN

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_LONGEST: Final = 256  # characters of a name


@dataclass(frozen=True, slots=True)
class Asker:
    """Who makes a request, and the toolkit with its database open.

    Attributes:
        tk: answers.
        who: what the token proves.
        user: on whose behalf: the token's subject. Where nobody proves anything, and where the token may administer,
            the header `X-User-Id` says it.
        origin: the application, by the header `X-Origin`.
    """

    tk: "Toolkit"
    who: Caller
    user: str | None
    origin: str | None

    @property
    def owner(self) -> str | None:
        """Whose sessions and private collections alone may be seen; None is everyone's."""
        return self.user if self.who.authenticated else None

    @property
    def administers(self) -> bool:
        """Whether everyone's figures may be seen."""
        return ADMIN in self.who.scopes

    def caller(self, session_id: str | None = None) -> messages.Caller:
        """The same, as the rooms of the toolkit know it."""
        return messages.Caller(self.user, self.origin, session_id, self.who.authenticated)


async def asker(request: Request, *needed: str) -> Asker:
    """Who makes `request`, if they may.

    Args:
        request: it passed by `Bearer`.
        needed: the scopes without which it is refused, all of them.

    Raises:
        Refusal: they may not.
        ConfigError: a setting cannot be used as written.
        DatabaseError: the database cannot be opened.
    """
    house: House = request.app.state.house
    tk = await house.opened()
    who = called_by(request.scope)
    if who is NOBODY:
        raise Refusal(401, "Send an API key or a token as `Authorization: Bearer …`.", "missing_api_key")
    if missing := sorted(set(needed) - who.scopes):
        has = ", ".join(sorted(who.scopes)) or "none"
        raise Refusal(403, f"This needs the scope {' and '.join(missing)}, and your token has {has}.", "missing_scope")
    named = _name(request, "x-user-id")
    user = named if named and (not who.authenticated or ADMIN in who.scopes) else who.user
    return Asker(tk, who, user, _name(request, "x-origin"))


def who_may(*needed: str) -> Callable[[Request], Awaitable[Asker]]:
    """The same as a dependency of FastAPI: `Annotated[Asker, Depends(who_may("chat"))]`."""

    async def found(request: Request) -> Asker:
        return await asker(request, *needed)

    return found


def _name(request: Request, header: str) -> str | None:
    name = request.headers.get(header, "").strip()
    if len(name) > _LONGEST:
        raise Refusal(400, f"The header {header} has more than {_LONGEST} characters.", param=header)
    return name or None
