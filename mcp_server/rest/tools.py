"""The tools, listed and called by programs that are no agent hosts."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mcp_server import auth
from mcp_server.asker import Asker
from mcp_server.rest.shapes import Anyone, Body, Json, Name, Object, Told, told
from mcp_server.rest.sse import unless_gone
from toolkit.errors import NotFound, ToolError
from toolkit.tools.tool import Tool, ToolContext, ToolResult

router = APIRouter(tags=["Tools"], prefix="/v1/tools")

_WITH_CHUNKS: Final = {"semantic_search": "hits", "get_chunk": "chunks"}
_SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}


class ToolTold(Told):
    """A tool, as a model sees it and as a program must know it."""

    name: str = told("What it is called by.", "semantic_search")
    title: str = told("For people.", "Search the documents")
    description: str = told("What it does and when to use it.", "Search the user's documents and code.")
    parameters: Json = told("JSON Schema of its arguments.", _SCHEMA)
    read_only: bool = told("It changes nothing.", True)
    destructive: bool = told("It may delete or overwrite something.", False)
    idempotent: bool = told("Calling it twice is the same as once.", True)
    open_world: bool = told("It reaches beyond this server, e.g. to a vendor's model.", False)
    source: str = told("Where it comes from; empty: it is the toolkit's own.", "")
    scopes: list[str] = told("What a token needs to call it; a `path` of the server needs `admin` too.", ["search"])


class ToolList(Told):
    """Every tool there is."""

    tools: list[ToolTold] = told("In the order in which they were added.", [])


class ToolCalling(Body):
    """A call of a tool."""

    name: Name = told("The tool.", "semantic_search")
    arguments: Object = told("Its arguments, as its schema says.", {"query": "circuit breaker"}, default_factory=dict)
    session_id: Name | None = told("The session that the call belongs to.", None, default=None)


class ToolOutcome(Told):
    """What came of a call."""

    success: bool = told("Whether the tool did what it was asked.", True)
    result: Json = told("What it gives, where it succeeded.", {"hits": [], "chunks": []}, default=None)
    error: str | None = told("Why it did not, in a sentence that a model can read.", None, default=None)


@router.get("", summary="List the tools")
async def every(who: Anyone) -> ToolList:
    """Every tool with its schema, those of your own included; the list is the same for all."""
    return ToolList(tools=[_told(tool) for tool in who.tk.tools.list()])


@router.post(
    "/execute",
    response_model=ToolOutcome,
    responses={403: {"model": ToolOutcome}, 404: {"model": ToolOutcome}},
    summary="Call a tool",
)
async def execute(request: Request, who: Anyone, call: ToolCalling) -> Response:
    """Call a tool on your behalf, under the rules of MCP: a token needs the scopes of the tool.

    A tool that fails, and arguments that do not fit, are 200 with `success: false`; a tool that there is not is 404,
    one that the token may not call 403, with the same body. `semantic_search` gives whole passages unless
    `response_format` is said, and its hits a second time as `chunks` of `content` and `metadata`; `get_chunk` likewise.
    """
    try:
        if call.session_id is not None:
            await who.tk.sessions.get(call.session_id, owner=who.owner)
        tool = who.tk.tools.get(call.name)
    except NotFound as error:
        return _outcome(404, error=str(error))
    try:
        auth.allow(who.who, tool, call.arguments)
    except ToolError as error:
        return _outcome(403, error=str(error))
    try:
        result = await unless_gone(request, _called(who, tool, call))
    except ToolError as error:
        return _outcome(200, error=str(error))
    return _outcome(200, result=_with_chunks(tool, result.data))


async def _called(who: Asker, tool: Tool, call: ToolCalling) -> ToolResult:
    arguments = call.arguments
    if tool.name == "semantic_search" and not tool.source:
        arguments = {"response_format": "detailed", **arguments}
    context = ToolContext(
        session_id=call.session_id,
        user=who.user,
        origin=who.origin,
        authenticated=auth.proven(who.who, tool),
    )
    return await who.tk.tools.call(tool.name, arguments, context)


def _outcome(status: int, *, result: Any = None, error: str | None = None) -> Response:
    # In ASCII: what a tool says may have half a character, which JSON can escape and UTF-8 cannot carry.
    said = {"success": True, "result": result} if error is None else {"success": False, "error": error}
    return Response(json.dumps(said), status, media_type="application/json")


def _with_chunks(tool: Tool, data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The passages of a search also in the form that clients of other gateways read."""
    if tool.source or tool.name not in _WITH_CHUNKS:
        return data
    return {**data, "chunks": [_chunk(passage) for passage in data.get(_WITH_CHUNKS[tool.name], ())]}


def _chunk(passage: Mapping[str, Any]) -> dict[str, Any]:
    about = {name: value for name, value in passage.items() if name not in ("text", "score")}
    return {**passage, "content": passage["text"], "metadata": about}


def _told(tool: Tool) -> ToolTold:
    fields = {name: getattr(tool, name) for name in ToolTold.model_fields if name != "scopes"}
    return ToolTold(**fields, scopes=sorted(auth.needed(tool, {})))
