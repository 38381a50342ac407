"""Conversations: found, read, deleted."""

from typing import Final

from starlette.responses import Response

from mcp_server.admin.visit import Visit

_PAGE: Final = 50
_MESSAGES: Final = 100


async def show_sessions(visit: Visit) -> Response:
    """Those that are alive, last used first; those with a text where the address has one."""
    search, after, user = visit.query("q"), visit.query("after"), visit.query("user")
    found = await visit.tk.sessions.list(search=search or None, user=user or None, limit=_PAGE + 1, after=after or None)
    more = found[_PAGE - 1].cursor if len(found) > _PAGE else None
    return visit.page("sessions.html", sessions=found[:_PAGE], search=search, user=user, more=more, after=after)


async def show_session(visit: Visit) -> Response:
    """What was said: the last messages, or those before a place."""
    session, messages = await visit.tk.sessions.read(visit.request.path_params["id"])
    before = visit.query("before")
    end = min(len(messages), int(before)) if before.isascii() and before.isdecimal() else len(messages)
    begin = max(0, end - _MESSAGES)
    said = [(place, message) for place, message in enumerate(messages[begin:end], begin + 1)]
    return visit.page("session.html", session=session, said=said, total=len(messages), begin=begin, end=end)


async def ask_to_delete(visit: Visit) -> Response:
    """Whether it is meant."""
    session = await visit.tk.sessions.get(visit.request.path_params["id"])
    return visit.page(
        "confirm.html",
        title="Delete this conversation?",
        text=[session.title or f"Session {session.id}", "What was said in it is gone for good. What it cost stays."],
        action=f"/admin/sessions/{session.id}/delete",
        hidden=[],
        button="Delete",
        cancel=f"/admin/sessions/{session.id}",
        section="sessions",
    )


async def delete(visit: Visit) -> Response:
    """Forget it."""
    await visit.tk.sessions.delete(visit.request.path_params["id"])
    return visit.back("/admin/sessions", "The conversation is deleted.")
