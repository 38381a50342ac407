"""Where a turn is kept, and what it goes on from.

An answer that is to be stored is kept in a session of its own, whose id is the answer's id. Who goes on from it gets a
copy of that session, so that an answer can be gone on from in several ways, and always means the same conversation.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from mcp_server.asker import Asker
from mcp_server.gateway.answering import Wish
from mcp_server.gateway.responses.shapes import ResponsesBody
from mcp_server.refusals import Refusal
from toolkit.errors import DatabaseError, NotFound
from toolkit.stamps import new_id

_PREFIX: Final = "resp_"


@dataclass(frozen=True, slots=True)
class Kept:
    """The place of a turn.

    Attributes:
        response_id: of the answer.
        wish: the question, with what was said before.
        forget: to be awaited where no answer comes of it; None where there is nothing to forget.
    """

    response_id: str
    wish: Wish
    forget: Callable[[], Awaitable[None]] | None = None


async def keep(body: ResponsesBody, asker: Asker, wish: Wish) -> Kept:
    """Find what `wish` goes on from, and make the place where it is kept.

    Raises:
        Refusal: what it goes on from is not there, or it is to be kept in two places.
    """
    if body.session_id and (body.previous_response_id or body.store):
        field = "previous_response_id" if body.previous_response_id else "store"
        raise Refusal(400, f"A turn with a `session_id` is kept there; leave out `{field}`.", param=field)
    try:
        if not body.store:
            return Kept(f"{_PREFIX}{UUID(new_id()).hex}", await _with_history(body, asker, wish))
        return await _stored(body, asker, wish)
    except NotFound as error:
        said = f"There is no answer {body.previous_response_id!r}, or it was asked for without `store`; send the whole"
        raise Refusal(
            404, f"{said} conversation as `input`.", "previous_response_not_found", "previous_response_id"
        ) from error


async def _with_history(body: ResponsesBody, asker: Asker, wish: Wish) -> Wish:
    if body.previous_response_id is None:
        return wish
    before = await asker.tk.sessions.messages(_session(body.previous_response_id), owner=asker.owner)
    return {**wish, "prompt": [*before, *wish["prompt"]]}


async def _stored(body: ResponsesBody, asker: Asker, wish: Wish) -> Kept:
    sessions = asker.tk.sessions
    if body.previous_response_id is None:
        session = await sessions.create(user=asker.user, origin=asker.origin, owner=asker.owner)
    else:
        session = await sessions.fork(_session(body.previous_response_id), owner=asker.owner)

    async def forget() -> None:
        try:
            await sessions.delete(session.id)
        except (NotFound, DatabaseError):  # its time to live ends it
            return

    return Kept(f"{_PREFIX}{UUID(session.id).hex}", {**wish, "session": session.id}, forget)


def _session(response_id: str) -> str:
    """The session in which an answer is kept; what is no id of an answer is the id of none."""
    try:
        return str(UUID(response_id.removeprefix(_PREFIX)))
    except ValueError:
        return response_id
