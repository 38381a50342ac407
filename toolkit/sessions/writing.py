"""The statements that write sessions and what was said in them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from toolkit.db import Sql, Statement
from toolkit.db.feed import event
from toolkit.messages import Json
from toolkit.sessions.refusals import none
from toolkit.sessions.session import Session

OWNED = "(CAST(:owner AS TEXT) IS NULL OR user_id = :owner)"
"""Whether a session is one that `:owner` may see; NULL may see all."""

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
# The same for messages that each bring their own call and time.
_RESTORE = Sql(
    """
    INSERT INTO messages (session_id, position, role, body, call_id, created_at)
    SELECT :session_id, said.key + 1, json_extract(said.value, '$.body.role'), json_extract(said.value, '$.body'),
           json_extract(said.value, '$.call_id'), json_extract(said.value, '$.at')
      FROM json_each(:said) AS said
    """,
    postgres="""
    INSERT INTO messages (session_id, position, role, body, call_id, created_at)
    SELECT CAST(:session_id AS TEXT), said.number, said.value -> 'body' ->> 'role', said.value -> 'body',
           said.value ->> 'call_id', CAST(said.value ->> 'at' AS TIMESTAMPTZ)
      FROM jsonb_array_elements(:said) WITH ORDINALITY AS said (value, number)
    """,
)
_PIN = Sql(
    f"""
    UPDATE messages
       SET body = CASE WHEN :pinned THEN json_set(body, '$.pinned', json('true')) ELSE json_remove(body, '$.pinned') END
     WHERE session_id = :id AND position = :position
       AND EXISTS (SELECT 1 FROM sessions WHERE id = :id AND expires_at > :at AND {OWNED})
    RETURNING body
    """,  # noqa: S608 - our own words, here and below
    postgres=f"""
    UPDATE messages
       SET body = CASE WHEN CAST(:pinned AS BOOLEAN) THEN jsonb_set(body, '{{pinned}}', 'true')
                       ELSE body - 'pinned' END
     WHERE session_id = :id AND position = :position
       AND EXISTS (SELECT 1 FROM sessions WHERE id = :id AND expires_at > :at AND {OWNED})
    RETURNING body
    """,  # noqa: S608
)


def insert(session: Session) -> tuple[Statement, Statement]:
    """Keep a new session, and tell of it; a fork's event names the session that it was forked from."""
    statement = """
        INSERT INTO sessions (
            id, title, user_id, origin, context, ttl_seconds,
            created_at, used_at, expires_at, parent_id, parent_at, summary
        )
        VALUES (
            :id, :title, :user, :origin, :context, :ttl_seconds,
            :created_at, :used_at, :expires_at, :parent_id, :parent_at, :summary
        )
        RETURNING *
        """
    return (
        Statement(statement, asdict(session)),
        event("session.created", session.id, {"parent_id": session.parent_id}),
    )


def say(session_id: str, said: Sequence[Json], call_id: str | None, at: datetime) -> Statement:
    """Add messages after all that was said."""
    return Statement(_SAY, {"session_id": session_id, "said": list(said), "call_id": call_id, "at": at})


def restore(session_id: str, said: Sequence[Json]) -> Statement:
    """Fill a new session with messages, each `{"body", "call_id", "at"}`."""
    return Statement(_RESTORE, {"session_id": session_id, "said": list(said)})


def copy(session_id: str, fork_id: str, count: int) -> Statement:
    """Give a new session the first `count` messages of another."""
    statement = """
        INSERT INTO messages (session_id, position, role, body, call_id, created_at)
        SELECT CAST(:fork_id AS TEXT), position, role, body, call_id, created_at
          FROM messages
         WHERE session_id = :id AND position <= :count
        RETURNING position
        """
    values = {"fork_id": fork_id, "id": session_id, "count": count}
    return Statement(statement, values, unmatched=none(session_id) if count else None)


def touch(
    session_id: str, *, at: datetime, expires_at: datetime, alive_at: datetime, turn_id: str | None, owner: str | None
) -> Statement:
    """Let a session live until `expires_at` at least; a turn ends with it, and must not have been lost to another."""
    statement = f"""
        UPDATE sessions
           SET used_at = :at,
               expires_at = CASE WHEN expires_at > :expires_at THEN expires_at ELSE :expires_at END,
               turn_until = CASE WHEN turn_id = :turn_id THEN NULL ELSE turn_until END,
               turn_id = CASE WHEN turn_id = :turn_id THEN NULL ELSE turn_id END
         WHERE id = :id AND expires_at > :alive_at AND {OWNED}
           AND (CAST(:turn_id AS TEXT) IS NULL OR turn_id = :turn_id)
        RETURNING *
        """  # noqa: S608
    values = {
        "id": session_id,
        "at": at,
        "expires_at": expires_at,
        "alive_at": alive_at,
        "turn_id": turn_id,
        "owner": owner,
    }
    return Statement(statement, values, unmatched=none(session_id))


def extend(session_id: str, *, ttl: int, at: datetime, expires_at: datetime, owner: str | None) -> Statement:
    """Let a session live until `expires_at`, sooner or later than before."""
    statement = f"""
        UPDATE sessions
           SET ttl_seconds = :ttl, used_at = :at, expires_at = :expires_at
         WHERE id = :id AND expires_at > :at AND {OWNED}
        RETURNING *
        """  # noqa: S608
    values = {"id": session_id, "ttl": ttl, "at": at, "expires_at": expires_at, "owner": owner}
    return Statement(statement, values, unmatched=none(session_id))


def change(
    session_id: str, *, title: str | None, context: Mapping[str, Any] | None, at: datetime, owner: str | None
) -> Statement:
    """Give a session another title, another context, or both; None leaves it, an empty title takes it away."""
    statement = f"""
        UPDATE sessions
           SET title = CASE WHEN CAST(:title AS TEXT) IS NULL THEN title ELSE NULLIF(CAST(:title AS TEXT), '') END,
               context = COALESCE(:context, context)
         WHERE id = :id AND expires_at > :at AND {OWNED}
        RETURNING *
        """  # noqa: S608
    values = {
        "id": session_id,
        "title": title,
        "context": None if context is None else dict(context),
        "at": at,
        "owner": owner,
    }
    return Statement(statement, values, unmatched=none(session_id))


def sum_up(session_id: str, *, until: int, text: str, owner: str | None) -> Statement:
    """Keep what a conversation's beginning was about."""
    statement = f"UPDATE sessions SET summary = :summary WHERE id = :id AND {OWNED} RETURNING *"  # noqa: S608
    values = {"id": session_id, "summary": {"until": until, "text": text}, "owner": owner}
    return Statement(statement, values, unmatched=none(session_id))


def pin(session_id: str, position: int, *, pinned: bool, at: datetime, owner: str | None) -> Statement:
    """Pin a message, or no more; gives its body."""
    values = {"id": session_id, "position": position, "pinned": pinned, "at": at, "owner": owner}
    return Statement(_PIN, values, unmatched=none(session_id))


def delete(session_id: str, *, owner: str | None) -> Statement:
    """Forget a session and what was said in it."""
    statement = f"DELETE FROM sessions WHERE id = :id AND {OWNED} RETURNING id"  # noqa: S608
    return Statement(statement, {"id": session_id, "owner": owner}, unmatched=none(session_id))
