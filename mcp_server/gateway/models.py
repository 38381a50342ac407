"""`GET /v1/models`: what may be written as `model`."""

from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.asker import asker
from mcp_server.gateway.told import REFUSALS, ModelObject, ModelObjects
from mcp_server.refusals import Refusal
from toolkit.access.scopes import CHAT
from toolkit.errors import ConfigError
from toolkit.messages import Json
from toolkit.models.model import Model

router = APIRouter(tags=["OpenAI's wire"])

_DEFAULT: Final = "default"
_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {status: REFUSALS[status] for status in (401, 403, 404)}


@router.get(
    "/v1/models",
    summary="List the models",
    description="The models that may be asked, in the order in which they are tried.",
    response_class=JSONResponse,
    responses={200: {"model": ModelObjects}, **_REFUSALS},
)
async def list_models(request: Request) -> Response:
    """All of them, in OpenAI's form."""
    who = await asker(request, CHAT)
    models = await who.tk.models.list(enabled=True)
    models.sort(key=lambda model: model.scope != "global")  # else they are in order
    return JSONResponse({"object": "list", "data": [_default(models), *map(_object, models)]})


@router.get(
    "/v1/models/{name:path}",
    summary="Show a model",
    description="By its name, its id, a vendor's own name or `provider/model`.",
    response_class=JSONResponse,
    responses={200: {"model": ModelObject}, **_REFUSALS},
)
async def show_model(request: Request, name: str) -> Response:
    """One of them."""
    who = await asker(request, CHAT)
    if name == _DEFAULT:
        return JSONResponse(_default(await who.tk.models.list(enabled=True)))
    try:
        [model] = await who.tk.models.resolve(name)
    except ConfigError as error:  # it is disabled
        raise Refusal(404, str(error), "model_not_found", "model") from error
    return JSONResponse(_object(model))


def _object(model: Model) -> Json:
    return {
        "id": model.name,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": model.provider,
        "toolkit": {
            "model": model.model,
            "scope": model.scope,
            "priority": model.priority,
            "default": model.is_default,
        },
    }


def _default(models: list[Model]) -> Json:
    """What asks the chain; it is as old as the newest of them."""
    created = max((int(model.created_at.timestamp()) for model in models), default=0)
    return {"id": _DEFAULT, "object": "model", "created": created, "owned_by": "toolkit"}
