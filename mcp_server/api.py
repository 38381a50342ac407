"""The HTTP interface beside MCP: one application of FastAPI, made of the routers of three rooms."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

import toolkit
from mcp_server.admin import pages
from mcp_server.gateway import chat, embeddings, models
from mcp_server.gateway.messages import routes as messages
from mcp_server.gateway.responses import routes as responses
from mcp_server.house import House
from mcp_server.refusals import Refusal, refusal_of
from mcp_server.rest import ROUTERS
from toolkit.errors import ToolkitError

_ROUTERS: Final[Sequence[APIRouter]] = (
    chat.router,
    embeddings.router,
    models.router,
    responses.router,
    messages.router,
    *ROUTERS,
    pages.router,
)
"""The routers of all rooms, in the order in which the documentation shows them."""

_MOST_COMPLAINTS: Final = 5


def create_api(house: House) -> FastAPI:
    """The application; it opens nothing before the first request.

    Args:
        house: whose toolkit answers.
    """
    api = FastAPI(
        title="Toolkit",
        version=toolkit.__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # operations/ sees to it, for every route
        exception_handlers={
            ToolkitError: _refused,
            Refusal: _refused,
            RequestValidationError: _unreadable,
            HTTPException: _no_route,
        },
    )
    api.state.house = house
    for router in _ROUTERS:
        api.include_router(router)
    return api


async def _refused(request: Request, error: Exception) -> Response:
    return refusal_of(error).response(request)


async def _unreadable(request: Request, error: Any) -> Response:
    found = error.errors()
    said = [f"{'.'.join(map(str, each['loc'][1:])) or each['loc'][0]}: {each['msg']}" for each in found]
    more = len(said) - _MOST_COMPLAINTS
    sentence = "; ".join(said[:_MOST_COMPLAINTS]) + (f"; and {more} more" if more > 0 else "")
    param = ".".join(map(str, found[0]["loc"][1:])) or None
    return Refusal(422, f"The request cannot be used as written: {sentence}.", param=param).response(request)


async def _no_route(request: Request, error: Any) -> Response:
    if error.status_code == 404:  # noqa: PLR2004 - the status
        near = _near(request)
        told = f", but at {near}; mend the client's base URL" if near else "; /docs lists what there is"
        said = f"There is nothing at {request.url.path}{told}."
    elif error.status_code == 405:  # noqa: PLR2004
        known = Headers(error.headers).get("allow", "others")
        said = f"{request.url.path} does not take {request.method}, but {known}."
    else:
        said = f"{request.method} {request.url.path}: {error.detail}."
    refusal = Refusal(error.status_code, said, "not_found" if error.status_code == 404 else "invalid_request")  # noqa: PLR2004
    response = refusal.response(request)
    response.headers.update(error.headers or {})
    return response


def _near(request: Request) -> str | None:
    """The path that was meant where `/v1` is missing or stands there twice: some clients add it themselves."""
    path: str = request.scope["path"]
    near = path.removeprefix("/v1") if path.startswith("/v1/v1/") else f"/v1{path}"
    meant = {**request.scope, "path": near}
    return near if any(route.matches(meant)[0] == Match.FULL for route in request.app.routes) else None
