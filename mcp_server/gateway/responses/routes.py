"""`POST /v1/responses`: OpenAI's newer wire, so that its clients can be pointed here."""

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.asker import asker
from mcp_server.gateway.answering import Answering
from mcp_server.gateway.responses.keeping import keep
from mcp_server.gateway.responses.reading import wish_of
from mcp_server.gateway.responses.shapes import ResponsesBody
from mcp_server.gateway.responses.writing import Answer, Events
from mcp_server.gateway.shapes import Described
from mcp_server.gateway.told import REFUSALS
from toolkit.access.scopes import CHAT

_ANSWER: Final = {
    "id": "resp_01900000000070008000000000000000",
    "object": "response",
    "status": "completed",
    "model": "small",
    "output": [
        {
            "id": "msg_01900000000070008000000000000000_0",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Paris.", "annotations": []}],
        }
    ],
    "usage": {"input_tokens": 14, "output_tokens": 3, "total_tokens": 17},
}

router = APIRouter(tags=["Responses"], route_class=Described)


@router.post(
    "/v1/responses",
    summary="Ask a model, as OpenAI's newer clients do",
    response_class=JSONResponse,
    responses={
        200: {
            "description": "The answer; with `stream` its events, from `response.created` to `response.completed`.",
            "content": {"application/json": {"example": _ANSWER}, "text/event-stream": {"schema": {"type": "string"}}},
        },
        **REFUSALS,
    },
)
async def create_response(request: Request, body: ResponsesBody) -> Response:
    """Any model of the table answers. `x-toolkit-model` and `x-toolkit-attempts` say who did, and who failed before."""
    who = await asker(request, CHAT)
    kept = await keep(body, who, await wish_of(body, who))
    answering = Answering(request, who, kept.wish, kept.forget)
    answer = Answer(body, kept.response_id, who.tk)
    if body.stream:
        return answering.in_pieces(Events(answer, held=kept.wish["response_model"] is not None))
    return await answering.whole(answer.whole)
