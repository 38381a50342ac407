"""Why a session cannot be used as asked, in words."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast, get_args
from uuid import UUID

from toolkit.errors import ConfigError, NotFound, SessionExpired, choices
from toolkit.messages import Message, Role
from toolkit.sessions.session import Session

_LONGEST = 10 * 365 * 86_400  # seconds; beyond this a time to live is a slip of the keyboard
_CREATE = "tk.sessions.create() or the tool create_session"
_MOST = 2**31 - 1  # rows of a list; who says more means all
_CURSOR = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT[\d:.]+\+00:00)/(?P<id>[0-9a-f-]{36})")


def is_id(text: str) -> bool:
    """Whether `text` may be an id; a database refuses some of what a wire may bring instead."""
    try:
        return bool(UUID(text))
    except (ValueError, AttributeError, TypeError):  # the last two where it is no text
        return False


def none(session_id: str) -> NotFound:
    """There is no such session, or it is another person's, which is not told apart."""
    return NotFound(
        f"There is no session {session_id!r}; create one with {_CREATE}, or look at `toolkit sessions list`."
    )


def alive(session: Session, at: datetime, owner: str | None) -> Session:
    """`session`, if it had not expired at that moment and is the owner's.

    Raises:
        NotFound: it is another person's.
        SessionExpired: its time had run out.
    """
    if owner is not None and session.user != owner:
        raise none(session.id)
    if session.expires_at <= at:
        until = session.expires_at.isoformat(timespec="seconds")
        raise SessionExpired(f"Session {session.id} expired at {until}; create a new one with {_CREATE}.")
    return session


def checked_cut(session_id: str, messages: Sequence[Message], at: int | None) -> int:
    """How many of `messages` a fork at `at` takes over.

    Raises:
        ConfigError: it is out of bounds, or between a tool call and its result.
    """
    if at is None:
        return len(messages)
    if not 0 <= at <= len(messages):
        raise ConfigError(f"Session {session_id} has {len(messages)} messages; `at` must be from 0 to that (got {at}).")
    waiting: set[str | None] = set()
    for message in messages[:at]:
        waiting |= {call.id for call in message.tool_calls}
        waiting -= {message.tool_call_id}
    if waiting:
        raise ConfigError(
            f"Message {at} of session {session_id} waits for a tool's result; fork before the call or after it."
        )
    return at


def checked_ttl(ttl: int) -> int:
    """`ttl`, if it is a time to live."""
    if not (isinstance(ttl, int) and 1 <= ttl <= _LONGEST):
        raise ConfigError(f"A session's ttl must be from 1 to {_LONGEST:,} seconds, a whole number (got {ttl!r}).")
    return ttl


def checked_lease(seconds: float) -> float:
    """`seconds`, if a turn may be held so long without being prolonged."""
    if not 0 < seconds <= _LONGEST:
        raise ConfigError(f"A turn is held for more than 0 and at most {_LONGEST:,} seconds at a time (got {seconds}).")
    return seconds


def at_least_one(limit: int) -> int:
    """`limit`, if it lets anything through; as far as a database can count."""
    if limit < 1:
        raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
    return min(limit, _MOST)


def checked_roles(roles: Iterable[Role]) -> tuple[Role, ...]:
    """`roles`, if there are such.

    Raises:
        ConfigError: one of them is none; or it is a single text, whose letters would be taken for roles.
    """
    known: tuple[Role, ...] = get_args(Role)
    given = (cast("Role", roles),) if isinstance(roles, str) else tuple(roles)
    for role in given:
        if role not in known:
            raise ConfigError(f"There is no role {role!r}; {choices(known)}.")
    return given


def read_cursor(cursor: str) -> tuple[datetime, str]:
    """When the session before this place was used, and its id.

    Raises:
        ConfigError: it is no `Session.cursor`.
    """
    found = _CURSOR.fullmatch(cursor)
    try:
        if found:
            return datetime.fromisoformat(found["at"]), found["id"]
    except ValueError:  # the 32nd of a month
        pass
    raise ConfigError(f"{cursor[:80]!r} is no place in a list of sessions; give the `cursor` of the last one you got.")
