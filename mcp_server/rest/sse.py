"""Streams of events, as browsers and every HTTP client read them; and answers for clients that are still there."""

from collections.abc import AsyncGenerator, Awaitable, Mapping, MutableMapping
from contextlib import aclosing
from typing import Any, Final, TypeVar

from fastapi.sse import format_sse_event
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.requests import Request

from mcp_server.gateway.sse import Attended, EventStream
from mcp_server.refusals import Refusal, refusal_of, request_id_of

Stream = AsyncGenerator[bytes, None]

_GONE: Final = 499  # nobody reads it but a log
_T = TypeVar("_T")


def documented(example: str) -> dict[int | str, dict[str, Any]]:
    """How the documentation shows a stream.

    Args:
        example: some of its lines.
    """
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": "Server-sent events.", "content": content}}


def event(kind: str, data: BaseModel | Mapping[str, Any], place: str | None = None) -> bytes:
    """One event.

    Args:
        kind: what it is.
        data: what it says.
        place: from where to go on after it.
    """
    return format_sse_event(event=kind, data_str=to_json(data).decode(), id=place)


def streamed(request: Request, events: Stream, headers: MutableMapping[str, str] | None = None) -> EventStream:
    """The response: until the first event is there an error has a status of its own, later it is an event itself.

    Args:
        request: what is answered.
        events: closed when the client leaves.
        headers: as they are when the first event is there.
    """
    return EventStream(_told(request, events), headers)


async def unless_gone(request: Request, work: Awaitable[_T]) -> _T:
    """What `work` gives; it is cancelled as soon as the client hangs up, so that no model answers nobody.

    Raises:
        Refusal: the client has gone.
    """
    async with Attended(request.receive):
        return await work
    raise Refusal(_GONE, "The client went away.", "client_gone")


async def _told(request: Request, events: Stream) -> Stream:
    begun = False
    async with aclosing(events):
        try:
            async for each in events:
                begun = True
                yield each
        except Exception as error:
            if not begun:
                raise
            yield event("error", refusal_of(error).body(request_id_of(request)))
