"""The documentation of all routes: OpenAPI 3.1 at `/openapi.json`, and at `/docs` a page in which they can be tried.

The page is Swagger UI, from a package: it works without any other server.
"""

import warnings
from importlib.resources import files
from typing import Any, Final, Literal

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.warnings import UnsupportedFieldAttributeWarning
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from mcp_server.rest.replies import Refused

router = APIRouter(include_in_schema=False)

_DESCRIPTION: Final = """\
Conversations with a time to live, tools, search over your documents, and language models that fall back to one another.

Send an API key (`toolkit keys create NAME`) or a token as `Authorization: Bearer …`; on an address of this machine none
is asked for until there is one. Scopes: `chat` for sessions, generations and models, `search` for documents, both for
answers, `admin` for events and other users' figures. `X-Origin` names your application; `X-User-Id` the user, where
nobody proves one or the token has `admin`.

Every error has the same body, see `Refused`: 400 cannot be done as asked, 401 and 403 who you are, 404 is not there or
not yours, 409 conflict, 413 too large, 422 cannot be read, 429 a limit, with `Retry-After`, 502 a vendor, 503 nobody
answered or the database is away, 504 the time ran out."""

_TAGS: Final = {
    "Sessions": "Conversations that are kept on the server until their time to live runs out.",
    "Tools": "The toolkit's own tools and yours, under the rules of MCP.",
    "Documents": "What is searched and answered from.",
    "Generations": "Questions to the chain of models: at once, piece by piece, in the background, many.",
    "Models": "Which models may answer, and which of them suits.",
    "Usage": "What was used, what it cost, how much is left.",
    "Events": "What other services tell, and what they are told.",
}

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Toolkit: the HTTP interface</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> says the same.</noscript>
<main id="page"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

_START: Final = """\
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#page",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  validatorUrl: null,
});
"""

_TYPES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}

# Swagger UI writes styles into its elements and has its icons in `data:`.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAFE: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

File = Literal["swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "start.js"]


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The document."""
    api: FastAPI = request.app
    if api.openapi_schema is None:
        with warnings.catch_warnings():
            # FastAPI ignores it for every model that is built at once; those of the gateway are built here.
            warnings.simplefilter("ignore", UnsupportedFieldAttributeWarning)
            api.openapi_schema = document(api)
    return JSONResponse(api.openapi_schema, headers={"X-Content-Type-Options": "nosniff"})


@router.get("/docs")
async def page() -> Response:
    """The page."""
    return HTMLResponse(_PAGE, headers=_SAFE)


@router.get("/docs/{file}")
def part(file: File) -> Response:
    """One of its files; on a thread, for they are read from the disk."""
    if file == "start.js":
        return Response(_START, media_type="text/javascript", headers=_SAFE)
    content = (files("fastapi_swagger") / "resources" / file).read_bytes()
    return Response(content, media_type=_TYPES[file], headers={**_SAFE, "Cache-Control": "max-age=86400"})


def document(api: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1 of every route of `api`: who may ask, and how a refusal looks, are the same for all."""
    used = {tag for route in api.routes for tag in getattr(route, "tags", ())}
    found = get_openapi(
        title="Toolkit",
        version=api.version,
        summary="LLM sessions, tools, document search and models that fall back to one another.",
        description=_DESCRIPTION,
        routes=api.routes,
        tags=[{"name": name, "description": said} for name, said in _TAGS.items()]
        + [{"name": name} for name in sorted(used - _TAGS.keys(), key=str)],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas |= _schemas_of_refusals()
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, or a JWT of your identity provider."}
    }
    found["security"] = [{"bearer": []}, {}]
    refused = {
        "description": "Refused: the status says why, the body what to do.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refused"}}},
    }
    for operation in (each for path in found["paths"].values() for each in path.values()):
        responses = operation["responses"]
        if _is_fastapis(responses.get("422")):
            del responses["422"]
        responses.setdefault("default", refused)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    return found


def _is_fastapis(response: Any) -> bool:
    """Whether it describes the body that FastAPI would answer with, and this application does not."""
    return "HTTPValidationError" in str(response)


def _schemas_of_refusals() -> dict[str, Any]:
    schema = Refused.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    inner: dict[str, Any] = schema.pop("$defs")
    return {**inner, "Refused": schema}
