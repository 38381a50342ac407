"""A request for a page: who looks, what their form brought, and what they are told next."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.admin.attempts import Attempts
from mcp_server.admin.drawing import draw
from mcp_server.sealing import Sealer
from toolkit.errors import ToolError

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

SECONDS: Final = 8 * 3600
"""How long a login holds, and how long a form may lie open where nobody logs in."""

SOMEBODY: Final = "admin page"
"""Who made a change where nobody is asked who they are."""

_TOLD_SECONDS: Final = 60


@dataclass(frozen=True, slots=True)
class Visitor:
    """What the cookie says; only this server, or one with the same secret key, can read it.

    Attributes:
        csrf: what each form of this visitor brings back.
        user: who has logged in; None where nobody did.
        kind: with what: `key`, `environment` or `jwt`; empty where nobody did.
        which: the id of the key, or the digest of one of the environment's.
        until: when the login is over, in seconds of the epoch; 0 where nobody did.
    """

    csrf: str
    user: str | None = None
    kind: str = ""
    which: str = ""
    until: float = 0.0

    @classmethod
    def new(cls, **proof: Any) -> "Visitor":
        """A visitor whose forms nobody has seen yet."""
        return cls(secrets.token_urlsafe(32), **proof)


class Desk:
    """Gives cookies out and reads them.

    Args:
        environ: with `TOOLKIT_SECRET_KEY` every replica reads what another one has given out; otherwise a cookie is
            good as long as this process lives.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._sealer = Sealer.of(environ, seconds=SECONDS, audience="toolkit/admin")
        self.attempts = Attempts()

    def read(self, request: Request) -> Visitor | None:
        """Who the cookie says it is; None where it says nothing that holds."""
        found = self._open(request, "visitor")
        return None if found is None else Visitor(**found)

    def told(self, request: Request) -> Mapping[str, Any] | None:
        """What is to be said on the next page."""
        return self._open(request, "told")

    def keep(self, response: Response, request: Request, visitor: Visitor) -> None:
        """Give the visitor's cookie out."""
        most = int(visitor.until - time.time()) if visitor.until else SECONDS
        self._set(response, request, "visitor", self._sealer.seal(asdict(visitor), about="visitor"), most)

    def tell(self, response: Response, request: Request, said: Mapping[str, Any]) -> None:
        """Have the next page say something."""
        self._set(response, request, "told", self._sealer.seal(said, about="told"), _TOLD_SECONDS)

    def take_back(self, response: Response, request: Request, name: str) -> None:
        """Have the browser forget a cookie: `visitor` or `told`."""
        self._set(response, request, name, "", 0)

    def _open(self, request: Request, name: str) -> dict[str, Any] | None:
        sealed = request.cookies.get(_cookie(request, name))
        try:
            return self._sealer.unseal(sealed, about=name) if sealed else None
        except ToolError:
            return None

    def _set(self, response: Response, request: Request, name: str, value: str, seconds: int) -> None:
        secure = request.url.scheme == "https"
        response.set_cookie(
            _cookie(request, name),
            value,
            max_age=seconds,
            path="/" if secure else "/admin",  # the prefix `__Host-` asks for the first
            secure=secure,
            httponly=True,
            samesite="strict",
        )


@dataclass(slots=True)
class Visit:
    """One request, by somebody who may make it.

    Attributes:
        tk: answers; its database is open.
        form: what was sent; empty for a request that only reads.
        asks: whether this server asks who calls, so that one can log out.
    """

    request: Request
    tk: "Toolkit"
    desk: Desk
    visitor: Visitor
    form: FormData
    asks: bool

    @property
    def by(self) -> str:
        """Who makes a change, for the history."""
        return self.visitor.user or SOMEBODY

    def field(self, name: str) -> str:
        """A text of the form, empty where it has none."""
        value = self.form.get(name, "")
        return value if isinstance(value, str) else ""

    def fields(self, name: str) -> list[str]:
        """All texts of that name, each once."""
        return list(dict.fromkeys(value for value in self.form.getlist(name) if isinstance(value, str)))

    def query(self, name: str) -> str:
        """A text of the address, empty where it has none."""
        return self.request.query_params.get(name, "").strip()

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page for this visitor, with what is to be said on it."""
        told = values.pop("told", None) or self.desk.told(self.request)
        response = draw(template, status, visit=self, told=told, **values)
        self.desk.take_back(response, self.request, "told")
        return response

    def back(self, path: str, said: str, *, undo: str | None = None) -> Response:
        """After a change: on to a page that says what was done.

        Args:
            path: of the page.
            said: one sentence.
            undo: the id of a model whose last change may be taken back there.
        """
        response = RedirectResponse(path, 303)
        self.desk.tell(response, self.request, {"text": said, "undo": undo})
        return response


def _cookie(request: Request, name: str) -> str:
    plain = f"toolkit-admin-{name}"
    return f"__Host-{plain}" if request.url.scheme == "https" else plain
