"""Conversations with a time to live."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import model_validator

from mcp_server.rest.replies import MessageTold
from mcp_server.rest.shapes import Body, Chatting, Cursor, Json, Limit, Name, Object, Title, Told, id_of, told
from toolkit.sessions.session import Session

router = APIRouter(tags=["Sessions"], prefix="/v1/sessions")

Id = Annotated[Name, id_of("session", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")]
_LONGEST = 10 * 365 * 86_400  # seconds
_TTL = "Seconds that it lives after each use, at most ten years."


class NewSession(Body):
    """A conversation that is to begin."""

    ttl_seconds: int | None = told(f"{_TTL} Null: as TOOLKIT_SESSION_TTL says.", 3600, default=None, ge=1, le=_LONGEST)
    context: Object = told("The application's own data.", {"project": "documentation"}, default_factory=dict)
    title: Title | None = told("For people.", "Circuit breakers", default=None)


class SessionChange(Body):
    """What is to be different; at least one of them. What is null, or not there, stays."""

    ttl_seconds: int | None = told(f"From now on. {_TTL}", 7200, default=None, ge=1, le=_LONGEST)
    title: Title | None = told("For people; an empty one takes it away.", "Retries", default=None)
    context: Object | None = told("Takes the place of all that it was.", {"project": "api"}, default=None)

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.ttl_seconds is None and self.title is None and self.context is None:
            raise ValueError("say at least one of ttl_seconds, title and context")
        return self


class Fork(Body):
    """Where a conversation is to branch."""

    at: int | None = told("How many messages are taken over; null: all.", 4, default=None, ge=0, le=1_000_000)


class SessionTold(Told):
    """A conversation, without what was said in it."""

    id: str = told("Its id.", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")
    title: str | None = told("For people.", "Circuit breakers")
    user: str | None = told("The person it belongs to.", "ada")
    origin: str | None = told("The application that began it.", "my-app")
    context: Json = told("The application's own data.", {"project": "documentation"})
    ttl_seconds: int = told(_TTL, 3600)
    created_at: datetime = told("When it began.", "2026-03-01T12:00:00Z")
    used_at: datetime = told("Its last turn or extension.", "2026-03-01T12:00:00Z")
    expires_at: datetime = told("From this moment on it is gone.", "2026-03-01T13:00:00Z")
    parent_id: str | None = told("The session that it was forked from.", None)
    parent_at: int | None = told("How many messages it took over from there.", None)


class SessionList(Told):
    """Sessions that are alive, last used first."""

    sessions: list[SessionTold] = told("A page of them.", [])
    cursor: str | None = told("For the next page; null: this is the last one.", None)


class MessageList(Told):
    """What was said in a session, oldest first."""

    session_id: str = told("Of which session.", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")
    messages: list[MessageTold] = told("A page of them.", [])
    cursor: str | None = told("For the next page; null: this is the last one.", None)


class SessionDeleted(Told):
    """It is forgotten, with what was said in it."""

    id: str = told("Which one.", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")
    deleted: bool = told("Always true.", True)


@router.post("", status_code=201, summary="Begin a session")
async def create(who: Chatting, wanted: NewSession | None = None) -> SessionTold:
    """A conversation that later questions name as their `session_id`; it expires `ttl_seconds` after its last use."""
    wanted = wanted or NewSession()
    session = await who.tk.sessions.create(
        ttl=wanted.ttl_seconds,
        context=wanted.context,
        title=wanted.title or None,
        user=who.user,
        origin=who.origin,
        owner=who.owner,
    )
    return _told(session)


@router.get("", summary="List sessions")
async def every(
    who: Chatting,
    limit: Limit = 20,
    cursor: Cursor = None,
    search: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=200,
            pattern="^[^\\x00]*$",
            description="With this text in them.",
            examples=["retry"],
        ),
    ] = None,
) -> SessionList:
    """Those of yours that are alive, last used first."""
    found = await who.tk.sessions.list(user=who.user, owner=who.owner, search=search, limit=limit + 1, after=cursor)
    more = found[limit - 1].cursor if len(found) > limit else None
    return SessionList(sessions=[_told(session) for session in found[:limit]], cursor=more)


@router.get("/{session_id}", summary="Read a session")
async def read(who: Chatting, session_id: Id) -> SessionTold:
    """The session, without what was said in it. One that has expired is not found."""
    return _told(await who.tk.sessions.get(session_id, owner=who.owner))


@router.patch("/{session_id}", summary="Extend or change a session")
async def change(who: Chatting, session_id: Id, wanted: SessionChange) -> SessionTold:
    """Another time to live, counted from now, another title, or another context."""
    session: Session | None = None
    if wanted.title is not None or wanted.context is not None:
        session = await who.tk.sessions.update(session_id, title=wanted.title, context=wanted.context, owner=who.owner)
    if wanted.ttl_seconds is not None or session is None:
        session = await who.tk.sessions.extend(session_id, ttl=wanted.ttl_seconds, owner=who.owner)
    return _told(session)


@router.delete("/{session_id}", summary="Delete a session")
async def delete(who: Chatting, session_id: Id) -> SessionDeleted:
    """Forget it, with all that was said in it; also one that has expired."""
    await who.tk.sessions.delete(session_id, owner=who.owner)
    return SessionDeleted(id=session_id, deleted=True)


@router.get("/{session_id}/messages", summary="Read what was said")
async def messages(
    who: Chatting,
    session_id: Id,
    limit: Limit = 100,
    cursor: Annotated[
        str | None, Query(pattern="^[0-9]{1,9}$", description="The `cursor` of the page before.", examples=["100"])
    ] = None,
) -> MessageList:
    """What was said, oldest first; a turn is there whole or not at all."""
    said = await who.tk.sessions.messages(session_id, owner=who.owner)
    start = int(cursor or 0)
    page = [MessageTold.of(place, each) for place, each in enumerate(said[start : start + limit], start + 1)]
    more = str(start + limit) if start + limit < len(said) else None
    return MessageList(session_id=session_id, messages=page, cursor=more)


@router.post("/{session_id}/fork", status_code=201, summary="Fork a session")
async def fork(who: Chatting, session_id: Id, wanted: Fork | None = None) -> SessionTold:
    """A new session that begins with what was said in another, which stays as it is."""
    return _told(await who.tk.sessions.fork(session_id, at=wanted.at if wanted else None, owner=who.owner))


def _told(session: Session) -> SessionTold:
    fields: dict[str, Any] = {name: getattr(session, name) for name in SessionTold.model_fields}
    return SessionTold(**fields)
