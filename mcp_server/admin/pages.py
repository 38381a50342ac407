"""The routes of the admin pages, and what every one of them goes through: who looks, and from where."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from fastapi import APIRouter
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mcp_server.admin import history, keys, llm, llms, login, sessions, usage
from mcp_server.admin.drawing import HEADERS, draw, static
from mcp_server.admin.safety import refuse_foreign, refuse_stale
from mcp_server.admin.visit import Desk, Visit, Visitor
from mcp_server.auth import NOBODY, called_by
from mcp_server.house import House
from mcp_server.refusals import Refusal, refusal_of

_Shown: TypeAlias = Callable[[Visit], Awaitable[Response]]

router = APIRouter(include_in_schema=False)

_MOST_FIELDS: Final = 5_000  # of a form: two for each model of a long list
_TITLES: Final = {
    400: "This cannot be used as written",
    403: "Not allowed",
    404: "Not there",
    409: "Somebody was faster",
    413: "Too large",
    503: "Not at the moment",
}


def _page(path: str, shown: _Shown, method: str = "GET", *, everybody: bool = False) -> None:
    """A page, or what a form does.

    Args:
        path: below `/admin`.
        shown: makes the answer.
        method: `GET` reads, `POST` changes.
        everybody: also for who has not logged in.
    """

    async def endpoint(request: Request) -> Response:
        try:
            response = await _answer(request, shown, everybody=everybody)
        except Exception as error:  # noqa: BLE001 - a person is told in words, whatever it was; the log has the rest
            response = _in_words(error)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    router.add_route(f"/admin{path}", endpoint, methods=[method], include_in_schema=False)


async def _answer(request: Request, shown: _Shown, *, everybody: bool) -> Response:
    refuse_foreign(request)
    house: House = request.app.state.house
    tk = await house.opened()
    desk = getattr(request.app.state, "desk", None)
    if desk is None:
        desk = request.app.state.desk = Desk(tk.settings.environ)
    visitor, asks = desk.read(request), called_by(request.scope) is NOBODY
    form = FormData()
    if request.method == "POST":
        form = await request.form(max_files=1, max_fields=_MOST_FIELDS)
        refuse_stale(visitor, str(form.get("csrf", "")))
    inside = not asks or (visitor is not None and await login.holds(visitor, tk))
    if not (inside or everybody):
        return login.to_login(request)
    if visitor is None or (visitor.user and not inside):
        visitor = Visitor.new()  # what is left of a login that is over says nothing any more
    response = await shown(Visit(request, tk, desk, visitor, form, asks))
    if not visitor.kind and not _gives_cookie(response):
        desk.keep(response, request, visitor)
    return response


def _gives_cookie(response: Response) -> bool:
    return any(name == b"set-cookie" and b"admin-visitor=" in value for name, value in response.raw_headers)


def _in_words(error: Exception) -> Response:
    if isinstance(error, HTTPException):
        error = Refusal(error.status_code, f"The form cannot be read: {error.detail}.")
    refusal = refusal_of(error)
    title = _TITLES.get(refusal.status, "Something went wrong")
    response = draw("error.html", refusal.status, visit=None, told=None, title=title, text=refusal.message)
    response.headers.update(refusal.headers)
    return response


async def _home(visit: Visit) -> Response:  # noqa: ARG001 - every page is given one
    return RedirectResponse("/admin/llms", 303)


async def _nowhere(visit: Visit) -> Response:
    raise Refusal(404, f"There is no page at {visit.request.url.path}.", "not_found")


async def _static(request: Request) -> Response:
    found = static(request.path_params["name"], request.query_params.get("v", ""))
    response = found or Response("There is no such file.", 404, media_type="text/plain")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


router.add_route("/admin/static/{name}", _static, include_in_schema=False)
for _path, _shown in (
    ("", _home),
    ("/llms", llms.show_models),
    ("/llms/add", llm.ask_for_vendor),
    ("/llms/history", history.show_history),
    ("/llms/export", history.export),
    ("/llms/import", history.show_import),
    ("/llms/{id}", llm.show_model),
    ("/llms/{id}/history", history.show_history),
    ("/llms/{id}/delete", llms.ask_to_delete),
    ("/usage", usage.show_usage),
    ("/usage.csv", usage.download),
    ("/sessions", sessions.show_sessions),
    ("/sessions/{id}", sessions.show_session),
    ("/sessions/{id}/delete", sessions.ask_to_delete),
    ("/keys", keys.show_keys),
    ("/keys/{id}/revoke", keys.ask_to_revoke),
):
    _page(_path, _shown)
for _path, _shown in (
    ("/llms/add", llm.add),
    ("/llms/import", history.import_),
    ("/llms/many", llms.do_many),
    ("/llms/priorities", llms.prioritize),
    ("/llms/{id}", llm.save),
    ("/llms/{id}/enable", llms.enable),
    ("/llms/{id}/disable", llms.disable),
    ("/llms/{id}/default", llms.make_default),
    ("/llms/{id}/move", llms.move),
    ("/llms/{id}/test", llm.test),
    ("/llms/{id}/delete", llms.delete),
    ("/llms/{id}/restore", history.restore),
    ("/sessions/{id}/delete", sessions.delete),
    ("/keys", keys.create),
    ("/keys/{id}/revoke", keys.revoke),
    ("/logout", login.log_out),
):
    _page(_path, _shown, "POST")
_page("/login", login.show_login, everybody=True)
_page("/login", login.log_in, "POST", everybody=True)
for _method in ("GET", "POST"):
    _page("/{rest:path}", _nowhere, _method)
