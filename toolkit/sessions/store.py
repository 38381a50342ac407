"""Where conversations are kept, until their time to live runs out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID

from toolkit.db import Database, Sql, Statement, as_json
from toolkit.db.feed import event
from toolkit.errors import ConfigError, NotFound, SessionExpired
from toolkit.messages import Message
from toolkit.sessions.forgetting import forget_expired, forget_unused
from toolkit.sessions.session import Session
from toolkit.stamps import new_id, now

_LONGEST = 10 * 365 * 86_400  # seconds; beyond this a time to live is a slip of the keyboard
_CREATE = "tk.sessions.create() or the tool create_session"
# A session and what was said in it, in one statement: of one moment, and one way to the database and back.
_READ = Sql(
    """
    SELECT 0 AS position,
           json_object('id', id, 'title', title, 'user_id', user_id, 'origin', origin, 'context', json(context),
                       'ttl_seconds', ttl_seconds, 'created_at', created_at, 'used_at', used_at,
                       'expires_at', expires_at, 'parent_id', parent_id, 'parent_at', parent_at) AS body
      FROM sessions
     WHERE id = :id
    UNION ALL
    SELECT position, body FROM messages WHERE session_id = :id
     ORDER BY position
    """,
    postgres="""
    SELECT 0 AS position, to_jsonb(session) AS body FROM sessions AS session WHERE id = :id
    UNION ALL
    SELECT position, body FROM messages WHERE session_id = :id
     ORDER BY position
    """,
)
# One statement for a whole turn, however many messages it has: they follow each other on what was said before.
_SAY = Sql(
    """
    INSERT INTO messages (session_id, position, role, body, call_id, created_at)
    SELECT :session_id,
           (SELECT COALESCE(MAX(position), 0) FROM messages WHERE session_id = :session_id) + said.key + 1,
           json_extract(said.value, '$.role'), said.value, :call_id, :at
      FROM json_each(:said) AS said
    """,
    postgres="""
    INSERT INTO messages (session_id, position, role, body, call_id, created_at)
    SELECT CAST(:session_id AS TEXT),
           (SELECT COALESCE(MAX(position), 0) FROM messages WHERE session_id = :session_id) + said.number,
           said.body ->> 'role', said.body, CAST(:call_id AS TEXT), CAST(:at AS TIMESTAMPTZ)
      FROM jsonb_array_elements(:said) WITH ORDINALITY AS said (body, number)
    """,
)
_Sessions: TypeAlias = list[Session]  # `list` is a method below
_Messages: TypeAlias = list[Message]


class Sessions:
    """Conversations by id.

    Args:
        db: where they are kept.
        ttl: seconds that an unused session lives if it is created without a `ttl` of its own.
    """

    def __init__(self, db: Database, *, ttl: int = 86_400) -> None:
        self._db = db
        self._ttl = ttl

    async def create(
        self,
        *,
        ttl: int | None = None,
        context: Mapping[str, Any] | None = None,
        user: str | None = None,
        origin: str | None = None,
        title: str | None = None,
    ) -> Session:
        """A new conversation, in which nothing was said yet.

        Args:
            ttl: seconds that it lives after each use, at most ten years.
            context: the application's own data, as JSON has it.
            user: the person it belongs to.
            origin: the application that begins it.
            title: for people.

        Raises:
            ConfigError: a `ttl` out of bounds.
        """
        seconds = _checked(self._ttl if ttl is None else ttl)
        at = now()
        session = Session(
            id=new_id(),
            title=title,
            user=user,
            origin=origin,
            context=dict(context or {}),
            ttl_seconds=seconds,
            created_at=at,
            used_at=at,
            expires_at=at + timedelta(seconds=seconds),
            parent_id=None,
            parent_at=None,
        )
        rows = await self._db.write(_insert_session(session), _created(session), subject=session.id)
        return Session.from_row(rows[0][0])

    async def get(self, session_id: str) -> Session:
        """The session `session_id`.

        Raises:
            SessionExpired: it was there; the message says until when.
            NotFound: there is none, or no more since it was deleted or swept.
        """
        return await self._living(session_id, now())

    async def list(self, *, user: str | None = None, limit: int = 50) -> _Sessions:
        """The sessions that are alive, last used first.

        Args:
            user: only those of this person; None is everyone.
            limit: at most this many, at least 1.
        """
        rows = await self._db.fetch_all(
            """
            SELECT *
              FROM sessions
             WHERE expires_at > :now AND (CAST(:user AS TEXT) IS NULL OR user_id = :user)
             ORDER BY used_at DESC, id DESC
             LIMIT :limit
            """,
            now=now(),
            user=user,
            limit=_at_least_one(limit),
        )
        return [Session.from_row(row) for row in rows]

    async def messages(self, session_id: str) -> _Messages:
        """What was said, oldest first.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        return (await self.read(session_id))[1]

    async def read(self, session_id: str) -> tuple[Session, _Messages]:
        """The session and what was said in it, oldest first.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        rows = await self._db.fetch_all(_READ, id=session_id) if _is_id(session_id) else []
        if not rows or rows[0]["position"]:
            raise _none(session_id)
        session = _alive(Session.from_row(as_json(rows[0]["body"])), now())
        return session, [Message.from_json(as_json(row["body"])) for row in rows[1:]]

    async def extend(self, session_id: str, *, ttl: int | None = None) -> Session:
        """Let a session live for its whole time again, from now on.

        Args:
            session_id: which one.
            ttl: its new time to live in seconds, which may be shorter; None keeps the one it has.

        Raises:
            ConfigError: a `ttl` out of bounds.
            SessionExpired, NotFound: as for `get`; what expired stays so.
        """
        session = await self.get(session_id)
        seconds = _checked(session.ttl_seconds if ttl is None else ttl)
        at = now()
        touch = """
            UPDATE sessions
               SET ttl_seconds = :ttl, used_at = :at, expires_at = :expires_at
             WHERE id = :id AND expires_at > :at
            RETURNING *
            """
        values = {"id": session_id, "ttl": seconds, "at": at, "expires_at": at + timedelta(seconds=seconds)}
        touched = Statement(touch, values, unmatched=_none(session_id))
        return await self._write(session_id, at, touched, subject=session_id)

    async def append(
        self,
        session_id: str,
        messages: Sequence[Message],
        *,
        call_id: str | None = None,
        begun_at: datetime | None = None,
        ttl: int | None = None,
        also: Sequence[Statement] = (),
    ) -> Session:
        """Add a turn after all that was said, whole or not at all, and let the session live for its whole time again.

        Characters and numbers that a database cannot keep (NUL, half of a character, infinity) are kept as `�` and
        null: they come from models and tools, and a turn is not worth losing over them.

        Args:
            session_id: where it was said.
            messages: in order.
            call_id: the question in the ledger that they belong to.
            begun_at: when the turn began; a session that was alive then takes it, even if it has expired since.
            ttl: the session's, for who has just read it; otherwise it is read.
            also: what is written with the turn, or not at all.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        at = now()
        alive_at = begun_at or at
        if ttl is None:
            ttl = (await self._living(session_id, alive_at)).ttl_seconds
        touch = """
            UPDATE sessions
               SET used_at = :at,
                   expires_at = CASE WHEN expires_at > :expires_at THEN expires_at ELSE :expires_at END
             WHERE id = :id AND expires_at > :alive_at
            RETURNING *
            """
        expires_at = at + timedelta(seconds=ttl)
        values = {"id": session_id, "at": at, "expires_at": expires_at, "alive_at": alive_at}
        # The touch comes first: its row lock makes two writers of one session wait for each other on Postgres.
        statements = [Statement(touch, values, unmatched=_none(session_id))]
        statements += [_insert_messages(session_id, messages, call_id, at)]
        statements += [*also, event("session.updated", session_id, {"messages": len(messages), "call_id": call_id})]
        return await self._write(session_id, alive_at, *statements, subject=session_id)

    async def fork(self, session_id: str, *, at: int | None = None) -> Session:
        """A new session that begins with what was said in another; the other stays as it is.

        Args:
            session_id: the session to begin with. Title, user, origin, context and time to live are taken over.
            at: how many of its messages are taken over; None is all.

        Raises:
            ConfigError: `at` is out of bounds, or between a model's tool call and its result.
            SessionExpired, NotFound: as for `get`.
        """
        source = await self.get(session_id)
        count = _cut(session_id, await self.messages(session_id), at)
        made_at = now()
        fork = replace(
            source,
            id=new_id(),
            created_at=made_at,
            used_at=made_at,
            expires_at=made_at + timedelta(seconds=source.ttl_seconds),
            parent_id=source.id,
            parent_at=count,
        )
        copy = """
            INSERT INTO messages (session_id, position, role, body, call_id, created_at)
            SELECT CAST(:fork_id AS TEXT), position, role, body, call_id, created_at
              FROM messages
             WHERE session_id = :id AND position <= :count
            RETURNING position
            """
        values = {"fork_id": fork.id, "id": session_id, "count": count}
        copied = Statement(copy, values, unmatched=_none(session_id) if count else None)
        # Without a subject: it reads the rows of another session.
        return await self._write(session_id, made_at, _insert_session(fork), copied, _created(fork))

    async def delete(self, session_id: str) -> None:
        """Forget a session and what was said in it, also one that has expired.

        Raises:
            NotFound: there is none.
        """
        if not _is_id(session_id):
            raise _none(session_id)
        delete = "DELETE FROM sessions WHERE id = :id RETURNING id"
        gone = Statement(delete, {"id": session_id}, unmatched=_none(session_id))
        await self._db.write(gone, event("session.deleted", session_id, {"expired": False}), subject=session_id)

    async def sweep(self, limit: int = 1000) -> int:
        """Forget sessions that have expired, the longest gone first, and give their number.

        Args:
            limit: at most this many; at least 1.
        """
        return await forget_expired(self._db, now(), _at_least_one(limit))

    async def count_before(self, before: datetime) -> int:
        """How many sessions were last used at `before` or earlier, the expired ones included."""
        row = await self._db.fetch_one("SELECT COUNT(*) AS n FROM sessions WHERE used_at <= :before", before=before)
        return int(row["n"]) if row else 0

    async def prune(self, before: datetime, limit: int = 500) -> int:
        """Forget some sessions that were last used at `before` or earlier, alive or not; 0 when none is left.

        Forks keep their own copies of what was said. A session that is used meanwhile stays.

        Args:
            before: a moment.
            limit: about this many rows of sessions and messages in one transaction; at least 1.
        """
        return await forget_unused(self._db, before, _at_least_one(limit))

    async def _living(self, session_id: str, at: datetime) -> Session:
        select = "SELECT * FROM sessions WHERE id = :id"
        row = await self._db.fetch_one(select, id=session_id) if _is_id(session_id) else None
        if row is None:
            raise _none(session_id)
        return _alive(Session.from_row(row), at)

    async def _write(
        self, session_id: str, alive_at: datetime, *statements: Statement, subject: str | None = None
    ) -> Session:
        """Run `statements`, the first of which gives the session's row."""
        try:
            rows = await self._db.write(*statements, subject=subject)
        except NotFound:
            await self._living(session_id, alive_at)  # says it better where it has expired meanwhile
            raise
        return Session.from_row(rows[0][0])


def _insert_session(session: Session) -> Statement:
    insert = """
        INSERT INTO sessions (
            id, title, user_id, origin, context, ttl_seconds, created_at, used_at, expires_at, parent_id, parent_at
        )
        VALUES (
            :id, :title, :user, :origin, :context, :ttl_seconds,
            :created_at, :used_at, :expires_at, :parent_id, :parent_at
        )
        RETURNING *
        """
    return Statement(insert, asdict(session))


def _created(session: Session) -> Statement:
    """Tells of a new session; a fork's event names the session that it was forked from."""
    return event("session.created", session.id, {"parent_id": session.parent_id})


def _insert_messages(session_id: str, messages: Sequence[Message], call_id: str | None, at: datetime) -> Statement:
    said = [keepable(message.to_json()) for message in messages]
    return Statement(_SAY, {"session_id": session_id, "said": said, "call_id": call_id, "at": at})


def _alive(session: Session, at: datetime) -> Session:
    """`session`, if it had not expired at that moment."""
    if session.expires_at <= at:
        until = session.expires_at.isoformat(timespec="seconds")
        raise SessionExpired(f"Session {session.id} expired at {until}; create a new one with {_CREATE}.")
    return session


def keepable(value: Any) -> Any:
    """`value` with what neither a database nor a vendor's wire can carry replaced: NUL, half a character, infinity."""
    match value:
        case str():
            # A pair of surrogates that was taken apart becomes its character again; a lone one becomes �.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "�")
        case dict():
            return {keepable(key): keepable(inner) for key, inner in value.items()}
        case list() | tuple():
            return [keepable(inner) for inner in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


def _cut(session_id: str, messages: Sequence[Message], at: int | None) -> int:
    """How many of `messages` a fork at `at` takes over."""
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


def _checked(ttl: int) -> int:
    if not 1 <= ttl <= _LONGEST:
        raise ConfigError(f"A session's ttl must be from 1 to {_LONGEST:,} seconds (got {ttl}).")
    return ttl


def _at_least_one(limit: int) -> int:
    if limit < 1:
        raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
    return limit


def _is_id(text: str) -> bool:
    """Whether `text` may be an id; a database refuses some of what a wire may bring instead."""
    try:
        return bool(UUID(text))
    except ValueError:
        return False


def _none(session_id: str) -> NotFound:
    return NotFound(f"There is no session {session_id!r}; create one with {_CREATE}.")
