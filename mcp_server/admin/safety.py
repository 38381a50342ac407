"""Whether a request comes from a page of ours.

Any page in a browser can send a form to this machine, and a page at another port of it counts as the same site for
cookies. So a form must come from this very origin, and bring back what only a page of ours could read.
"""

import hmac
from typing import Final

from starlette.requests import Request

from mcp_server.admin.visit import Visitor
from mcp_server.refusals import Refusal

_FOREIGN: Final = "This came from a page that is not one of ours, so nothing was done; open /admin yourself."
_STALE: Final = (
    "This form is too old, or its cookie is gone, so nothing was done. Go back, load the page again, and send it anew."
)


def refuse_foreign(request: Request) -> None:
    """Refuse what another page sends, or reads behind somebody's back.

    Raises:
        Refusal: it does.
    """
    site, writes = request.headers.get("sec-fetch-site"), request.method not in ("GET", "HEAD")
    if writes and not _from_us(request, site):
        raise Refusal(403, _FOREIGN, "foreign_page")
    if site in ("cross-site", "same-site") and request.headers.get("sec-fetch-mode") != "navigate":
        raise Refusal(403, _FOREIGN, "foreign_page")


def refuse_stale(visitor: Visitor | None, brought: str) -> None:
    """Refuse a form that was not made for this visitor.

    Raises:
        Refusal: it was not.
    """
    if visitor is None or not hmac.compare_digest(visitor.csrf.encode(), brought.encode()):
        raise Refusal(403, _STALE, "stale_form")


def _from_us(request: Request, site: str | None) -> bool:
    if site is not None:  # the browser itself says so, and knows the port where a proxy's `Host` lacks it
        return site == "same-origin"
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == request.headers.get("host", "").lower()
