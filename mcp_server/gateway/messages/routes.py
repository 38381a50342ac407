"""`POST /v1/messages`: Anthropic's wire, so that its clients can be pointed here."""

import asyncio
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mcp_server.asker import asker
from mcp_server.gateway.answering import Answering
from mcp_server.gateway.messages.reading import counted, wish_of
from mcp_server.gateway.messages.shapes import CountBody, MessagesBody
from mcp_server.gateway.messages.writing import Events, message
from mcp_server.gateway.shapes import Described
from mcp_server.gateway.told import REFUSALS
from toolkit.access.scopes import CHAT
from toolkit.models.tokens import count

_ANSWER: Final = {
    "id": "msg_01900000000070008000000000000000",
    "type": "message",
    "role": "assistant",
    "model": "small",
    "content": [{"type": "text", "text": "Paris."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 14, "output_tokens": 3, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0},
}

router = APIRouter(tags=["Messages"], route_class=Described)


@router.post(
    "/v1/messages",
    summary="Ask a model, as Anthropic's clients do",
    response_class=JSONResponse,
    responses={
        200: {
            "description": "The answer; with `stream` its events, from `message_start` to `message_stop`.",
            "content": {"application/json": {"example": _ANSWER}, "text/event-stream": {"schema": {"type": "string"}}},
        },
        **REFUSALS,
    },
)
async def create_message(request: Request, body: MessagesBody) -> Response:
    """Any model of the table answers. `x-toolkit-model` and `x-toolkit-attempts` say who did, and who failed before."""
    who = await asker(request, CHAT)
    wish = await wish_of(body, who)
    answering = Answering(request, who, wish)
    if body.stream:
        return answering.in_pieces(Events(who.tk, held=wish["response_model"] is not None))
    return await answering.whole(lambda reply: message(reply, who.tk))


@router.post(
    "/v1/messages/count_tokens",
    summary="Count the tokens of a question, as Anthropic's clients do",
    response_class=JSONResponse,
    responses={
        200: {"description": "How many it has.", "content": {"application/json": {"example": {"input_tokens": 14}}}},
        **REFUSALS,
    },
)
async def count_tokens(request: Request, body: CountBody) -> Response:
    """About how many: no vendor is asked. Exact where its own tokenizer is installed."""
    who = await asker(request, CHAT)
    said, tools = counted(body, who)
    found = await who.tk.models.resolve(body.model)
    model = found[0].model if found else None
    number = await asyncio.to_thread(count, said, tools, model)  # a long conversation takes a while
    return JSONResponse({"input_tokens": number})
