"""The tools for conversations: begin, read, find, keep and forget them."""

import json
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from toolkit.messages import Json, Message
from toolkit.tools.tool import Tool, ToolContext, ToolResult, tool

if TYPE_CHECKING:
    from toolkit.sessions.session import Session
    from toolkit.toolkit import Toolkit

MESSAGES = 20
"""The last messages of a session that are shown where nobody wants more."""

LETTERS = 500
"""Characters that are shown of each of them."""

Format = Literal["concise", "detailed"]
SessionId = Annotated[str, Field(description="Id of the session")]


def session_tools(tk: "Toolkit") -> list[Tool]:
    """The tools over the sessions of `tk`, in the order in which they are listed."""

    @tool(title="Create a session", presets=("sessions",))
    async def create_session(
        context: ToolContext,
        ttl_seconds: Annotated[int, Field(ge=0, description="Seconds it lives unused; 0: the default")] = 0,
        title: Annotated[str, Field(description="What it is about")] = "",
    ) -> ToolResult:
        """Create a conversation that chat and ask continue when given its id; use it where later questions need the earlier ones. It expires ttl_seconds after its last use."""  # noqa: E501 - one paragraph is one description
        session = await tk.sessions.create(
            ttl=ttl_seconds or None, title=title or None, user=context.user, origin=context.origin
        )
        return _session_result(session)

    @tool(title="Read a session", read_only=True, idempotent=True, presets=("sessions",))
    async def get_session(
        context: ToolContext,
        session: SessionId,
        response_format: Annotated[
            Format, Field(description="The last messages, shortened, or everything")
        ] = "concise",
    ) -> ToolResult:
        """Read what was said in a session and when it expires; use it before going on with an older one."""
        found, said_in_it = await tk.sessions.read(session, owner=context.owner)
        concise = response_format == "concise"
        messages = [_shortened(m) if concise else m.to_json() for m in said_in_it[-MESSAGES if concise else 0 :]]
        earlier = len(said_in_it) - len(messages)
        lines = [_session_line(found), *([_earlier(earlier)] if earlier else [])]
        lines += [f"{m['role']}: {m['text'] if concise else _said(m)}" for m in messages]
        more = {"earlier_messages": earlier} if earlier else {}
        return ToolResult("\n".join(lines), {**_session_json(found), **more, "messages": messages})

    @tool(title="List sessions", read_only=True, idempotent=True, presets=("sessions",))
    async def list_sessions(
        context: ToolContext,
        limit: Annotated[int, Field(ge=1, le=200, description="How many at most")] = 20,
        cursor: Annotated[str, Field(description="As the list before gave it, for the next ones")] = "",
        response_format: Annotated[Format, Field(description="Detailed: with who began it, when and why")] = "concise",
    ) -> ToolResult:
        """List the sessions that live, last used first; use it to find the id of an earlier conversation."""
        found = await tk.sessions.list(user=context.user, limit=limit + 1, after=cursor or None)
        more = {"cursor": found[limit - 1].cursor} if len(found) > limit else {}
        rows = [_session_json(s, detailed=response_format == "detailed") for s in found[:limit]]
        lines = [_session_line(s, row) for s, row in zip(found, rows, strict=False)] or ["There are no live sessions."]
        return ToolResult("\n".join([*lines, *(f"cursor: {c}" for c in more.values())]), {"sessions": rows, **more})

    @tool(title="Extend a session", idempotent=True, presets=("sessions",))
    async def extend_session(
        context: ToolContext,
        session: SessionId,
        ttl_seconds: Annotated[int, Field(ge=1, description="Seconds to live from now")],
    ) -> ToolResult:
        """Give a session a new time to live, counted from now; use it to keep one that would expire."""
        return _session_result(await tk.sessions.extend(session, ttl=ttl_seconds, owner=context.owner))

    @tool(title="Delete a session", destructive=True, idempotent=True, presets=("sessions",))
    async def delete_session(context: ToolContext, session: SessionId) -> ToolResult:
        """Delete a session with everything that was said in it; use it when the user wants it forgotten."""
        await tk.sessions.delete(session, owner=context.owner)
        return ToolResult(f"Session {session} is deleted.", {"id": session, "deleted": True})

    return [create_session, get_session, list_sessions, extend_session, delete_session]


def _session_json(session: "Session", *, detailed: bool = False) -> Json:
    told: Json = {
        "id": session.id,
        "title": session.title,
        "expires_at": session.expires_at.isoformat(timespec="seconds"),
        "ttl_seconds": session.ttl_seconds,
    }
    if detailed:
        told |= {
            "user": session.user,
            "origin": session.origin,
            "created_at": session.created_at.isoformat(timespec="seconds"),
            "used_at": session.used_at.isoformat(timespec="seconds"),
            "parent_id": session.parent_id,
            "context": session.context,
        }
    return told


def _session_line(session: "Session", row: Json | None = None) -> str:
    """A session in a line; with what a detailed `row` has besides."""
    title = f" {session.title!r}" if session.title else ""
    names = ("user", "origin", "created_at", "used_at", "parent_id", "context")
    besides = "".join(f", {name} {row[name]}" for name in names if row and row.get(name))
    return f"{session.id}{title} expires at {session.expires_at.isoformat(timespec='seconds')}{besides}"


def _shortened(message: Message) -> Json:
    text = message.text if len(message.text) <= LETTERS else f"{message.text[:LETTERS]}…"
    wanted = "".join(f"[calls {call.name}]" for call in message.tool_calls)
    return {"role": message.role, "text": text + wanted}


def _said(message: Json) -> str:
    """The whole message: its text, and its other parts as JSON."""
    others = {name: value for name, value in message.items() if name not in ("role", "text")}
    return " ".join([message["text"], *([json.dumps(others, ensure_ascii=False)] if others else [])])


def _earlier(count: int) -> str:
    return f"({count} earlier messages; response_format=detailed gives all.)"


def _session_result(session: "Session") -> ToolResult:
    return ToolResult(_session_line(session), _session_json(session))
