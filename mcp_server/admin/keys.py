"""API keys: made, listed, revoked. A key is shown once, to who makes it."""

from datetime import timedelta
from typing import Any, Final

from starlette.responses import Response

from mcp_server.admin.visit import Visit
from mcp_server.refusals import Refusal
from toolkit.access.scopes import EVERY_SCOPE
from toolkit.errors import ConfigError
from toolkit.stamps import now

_SCOPES: Final = {
    "chat": "ask models and keep conversations",
    "search": "search documents and add to them",
    "admin": "everything here, and the figures of all users",
}
_EMPTY: Final = {"name": "", "user": "", "days": "", "scopes": ["chat", "search"]}


async def show_keys(visit: Visit) -> Response:
    """Every key, and the form for a new one."""
    return await _page(visit, dict(_EMPTY))


async def create(visit: Visit) -> Response:
    """Make a key, and show it this once."""
    typed: dict[str, Any] = {name: visit.field(name).strip() for name in ("name", "user", "days")}
    typed["scopes"] = [scope for scope in visit.fields("scope") if scope in EVERY_SCOPE]
    wrong: dict[str, str] = {}
    if not typed["name"]:
        wrong["name"] = "Say what the key is for."
    if not typed["scopes"]:
        wrong["scopes"] = "Tick what the key may do."
    ttl = _ttl(typed["days"], wrong)
    if not wrong:
        try:
            key, secret = await visit.tk.keys.create(
                typed["name"], user=typed["user"] or None, scopes=typed["scopes"], ttl=ttl
            )
        except ConfigError as error:
            wrong[""] = str(error)
        else:
            return visit.page("key.html", key=key, secret=secret, first=not visit.asks)
    return await _page(visit, typed, wrong)


async def ask_to_revoke(visit: Visit) -> Response:
    """Whether it is meant."""
    key = await visit.tk.keys.get(visit.request.path_params["id"])
    if key is None:
        raise Refusal(404, "There is no such key.", "not_found")
    mine = visit.visitor.which == key.id
    return visit.page(
        "confirm.html",
        title=f"Revoke the key {key.name}?",
        text=[
            f"{key.hint} of {key.user} opens nothing any more, in every server within five seconds.",
            "This cannot be taken back.",
            *(["You are logged in with this key, so you are logged out."] if mine else []),
        ],
        action=f"/admin/keys/{key.id}/revoke",
        hidden=[],
        button="Revoke",
        cancel="/admin/keys",
        section="keys",
    )


async def revoke(visit: Visit) -> Response:
    """Let a key open nothing any more."""
    key = await visit.tk.keys.revoke(visit.request.path_params["id"])
    return visit.back("/admin/keys", f"The key {key.name} is revoked.")


async def _page(visit: Visit, typed: dict[str, Any], wrong: dict[str, str] | None = None) -> Response:
    keys = await visit.tk.keys.list()
    at = now()
    listed = [(key, key.counts(at)) for key in reversed(keys)]
    status = 422 if wrong else 200
    return visit.page("keys.html", status, keys=listed, typed=typed, wrong=wrong or {}, scopes=_SCOPES)


def _ttl(days: str, wrong: dict[str, str]) -> timedelta | None:
    if not days:
        return None
    if not (days.isascii() and days.isdecimal() and 1 <= int(days) <= 3_650):  # noqa: PLR2004 - ten years
        wrong["days"] = "Days are a whole number from 1 to 3,650; empty is for good."
        return None
    return timedelta(days=int(days))
