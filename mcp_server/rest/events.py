"""What other services tell, and what they are told."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query
from pydantic import AliasChoices, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.gateway.sse import EventStream
from mcp_server.rest.shapes import Administering, Body, Json, Object, Told, told
from mcp_server.rest.sse import Stream, documented, event, streamed
from toolkit.db.feed import Event

router = APIRouter(tags=["Events"], prefix="/api/v1/events")

_LISTENING: Final = b": listening\n\n"
_STREAM = 'id: 41\nevent: session.updated\ndata: {"kind": "session.updated", "subject": "0199…", "body": {}, …}\n\n'
Kind = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+(\.([a-z0-9_-]+|\*))+$", max_length=200)]
Place = Annotated[str, StringConstraints(max_length=10_000, pattern="^[^\\x00]*$")]


class EventWish(Body):
    """Something that happened elsewhere, or that is wished for."""

    kind: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]+(\.[a-z0-9_-]+)+$", max_length=200)] = Field(
        description="What: lower-case words joined by dots. `type` is another name of this field.",
        examples=["cache.invalidate"],
        validation_alias=AliasChoices("kind", "type"),
    )
    subject: Annotated[str, StringConstraints(max_length=200, pattern="^[^\\x00]*$")] = told(
        "The id of what it happened to; wishes need none.", "small", default=""
    )
    body: Object = told("Ids and figures; of a generation the request.", {"model": "small"}, default_factory=dict)


class Accepted(Told):
    """What came of it."""

    accepted: bool = told("Always true.", True)
    kind: str = told("What was told.", "cache.invalidate")
    result: Json = told("What was done: `invalidated` answers, or the `id` of a generation.", {"invalidated": 3})


class EventTold(Told):
    """Something that happened."""

    kind: str = told("What; its first word is the family.", "session.updated")
    subject: str = told("The id of what it happened to.", "0199c7a0-…")
    body: Json = told("Ids and figures.", {"messages": 2})
    created_at: datetime = told("When it was written.", "2026-03-01T12:00:00Z")
    seq: int = told("Its number.", 41)


@router.post("", status_code=202, summary="Tell an event")
async def tell(who: Administering, wish: EventWish) -> Accepted:
    """Have something done, and tell it to all who listen.

    `cache.invalidate` forgets answers, of the body's `model`, `prompt` or `pattern`, else all; `model.updated` those of
    its subject; `generation.requested` has its body answered in the background. Every other kind is only told.
    """
    result = await who.tk.accept(wish.kind, wish.subject, wish.body)
    return Accepted(accepted=True, kind=wish.kind, result=result)


@router.get("", status_code=200, response_class=EventStream, responses=documented(_STREAM), summary="Listen to events")
async def listen(
    request: Request,
    who: Administering,
    *,
    kind: Annotated[
        list[Kind] | None,
        Query(max_length=50, description="Only these; `session.*` is a family.", examples=["model.*"]),
    ] = None,
    subject: Annotated[str | None, Query(max_length=200, description="Only those about this id.")] = None,
    after: Annotated[Place | None, Query(description="The `id` of an event: go on after it.", examples=["41"])] = None,
    last_event_id: Annotated[Place | None, Header(description="The same; browsers send it by themselves.")] = None,
) -> Response:
    """What happens from now on, or after a place, as server-sent events, until you hang up.

    Each event comes at least once, those of one subject in order; its `id` is the place to go on from.
    """
    place = after or last_event_id or await who.tk.events.last()
    events = who.tk.events.subscribe(*(kind or ()), subject=subject, after=place)
    return streamed(request, _told(events))


async def _told(events: AsyncGenerator[Event, None]) -> Stream:
    yield _LISTENING
    async with aclosing(events):
        async for each in events:
            yield event(each.kind, EventTold.model_validate(each), each.cursor)
