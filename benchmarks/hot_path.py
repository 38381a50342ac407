"""What the storage benchmarks write and read: the statements of one turn of a chat, and values for them.

A *unit* is what one turn keeps: a row of the ledger, the touch of its session, and two messages behind the last one.
It is the stores' own SQL, but that each message is a statement of its own; each peer runs it in its driver's spelling.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from toolkit.db import Database, Sql, Statement
from toolkit.stamps import new_id, now

LEDGER = """
INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, session_id, user_id, origin,
                   status, error, message, http_status, request_id, input_tokens, output_tokens,
                   cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano_usd, milliseconds,
                   started_at, day)
VALUES (:id, :call_id, :attempt, :kind, :name, :provider, :model, :session_id, :user_id, :origin,
        :status, :error, :message, :http_status, :request_id, :input_tokens, :output_tokens,
        :cached_tokens, :cache_write_tokens, :reasoning_tokens, :cost_nano_usd, :milliseconds,
        :started_at, :day)
ON CONFLICT (id) DO NOTHING
"""
TOUCH = """
UPDATE sessions
   SET used_at = :at,
       expires_at = CASE WHEN expires_at > :expires_at THEN expires_at ELSE :expires_at END
 WHERE id = :id AND expires_at > :alive_at
RETURNING *
"""
MESSAGE = """
INSERT INTO messages (session_id, position, role, body, call_id, created_at)
VALUES (
    :session_id,
    (SELECT COALESCE(MAX(position), 0) + 1 FROM messages WHERE session_id = :session_id),
    :role, :body, :call_id, :at
)
"""
SESSION = "SELECT * FROM sessions WHERE id = :id"
LAST_MESSAGES = """
SELECT position, role, body, created_at FROM messages WHERE session_id = :id ORDER BY position DESC LIMIT 20
"""
# The session at position 0, then its messages; as `toolkit.sessions.store` reads them, but for the limit.
SESSION_WITH_LAST_MESSAGES = Sql(
    """
    SELECT 0 AS position,
           json_object('id', id, 'title', title, 'user_id', user_id, 'origin', origin, 'context', json(context),
                       'ttl_seconds', ttl_seconds, 'created_at', created_at, 'used_at', used_at,
                       'expires_at', expires_at, 'parent_id', parent_id, 'parent_at', parent_at) AS body
      FROM sessions
     WHERE id = :id
    UNION ALL
    SELECT * FROM (SELECT position, body FROM messages WHERE session_id = :id ORDER BY position DESC LIMIT 20) AS last
     ORDER BY position
    """,
    postgres="""
    SELECT 0 AS position, to_jsonb(session) AS body FROM sessions AS session WHERE id = :id
    UNION ALL
    SELECT * FROM (SELECT position, body FROM messages WHERE session_id = :id ORDER BY position DESC LIMIT 20) AS last
     ORDER BY position
    """,
)
NEW_SESSION = """
INSERT INTO sessions (id, title, user_id, origin, context, ttl_seconds, created_at, used_at, expires_at)
VALUES (:id, NULL, :user_id, 'bench', :context, 86400, :at, :at, :expires_at)
"""

QUESTION = "Why does the circuit breaker stay open after the provider has come back? Here is what the log says."
ANSWER = " ".join(["It waits for one probe to succeed before it lets the other requests through again."] * 6)
SESSIONS, MESSAGES = 512, 20  # that are there before anybody writes; messages in each
_DAY = timedelta(days=1)
_PLACE = re.compile(r":([a-z_]\w*)")


class Gone(Exception):
    """The session of a unit is not there; a peer that does not notice this would do less than the others."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The values of one turn.

    Attributes:
        session_id: the conversation.
        ledger: of `LEDGER`.
        touch: of `TOUCH`.
        messages: of `MESSAGE`, twice.
    """

    session_id: str
    ledger: Mapping[str, Any]
    touch: Mapping[str, Any]
    messages: tuple[Mapping[str, Any], Mapping[str, Any]]

    def statements(self) -> tuple[Statement, ...]:
        """The unit as `Database.write` takes it."""
        return (
            Statement(LEDGER, self.ledger, repeatable=True),
            Statement(TOUCH, self.touch, unmatched=Gone(self.session_id)),
            *(Statement(MESSAGE, message) for message in self.messages),
        )

    def values(self) -> tuple[Mapping[str, Any], ...]:
        """The values of its four statements, in order."""
        return (self.ledger, self.touch, *self.messages)


def units(count: int, session_ids: Sequence[str], callers: int) -> list[list[Unit]]:
    """`count` units for each caller. Callers have sessions of their own, which they use in turn."""
    return [
        [unit(mine[number % len(mine)]) for number in range(count)]
        for mine in (session_ids[caller::callers] for caller in range(callers))
    ]


def unit(session_id: str) -> Unit:
    """One turn that ends now."""
    at, call_id = now(), new_id()
    ledger = {
        "id": new_id(),
        "call_id": call_id,
        "attempt": 1,
        "kind": "chat",
        "name": "small",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "session_id": session_id,
        "user_id": "ada",
        "origin": "bench",
        "status": "ok",
        **dict.fromkeys(("error", "message", "http_status", "cache_write_tokens", "reasoning_tokens")),
        "request_id": "req_0123456789abcdef",
        "input_tokens": 1234,
        "output_tokens": 150,
        "cached_tokens": 1024,
        "cost_nano_usd": 275_100,
        "milliseconds": 812.5,
        "started_at": at,
        "day": at.date().isoformat(),
    }
    touch = {"at": at, "expires_at": at + _DAY, "id": session_id, "alive_at": at}
    said = [("user", QUESTION), ("assistant", ANSWER)]
    first, second = (
        {"session_id": session_id, "role": role, "body": {"role": role, "content": text}, "call_id": call_id, "at": at}
        for role, text in said
    )
    return Unit(session_id, ledger, touch, (first, second))


def spelled(sql: str, sign: str) -> tuple[str, tuple[str, ...]]:
    """`sql` with numbered places (`?1` or `$1`), and the names of their values in order."""
    names = tuple(dict.fromkeys(_PLACE.findall(sql)))
    return _PLACE.sub(lambda place: f"{sign}{names.index(place[1]) + 1}", sql), names


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def in_sqlite(value: Any) -> Any:
    """A value as SQLite keeps it."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return as_text(value)


def as_text(value: Any) -> Any:
    """A value with JSON as text; times stay what they are."""
    return _encode(value) if isinstance(value, dict) else value


async def furnish(db: Database, count: int = SESSIONS, messages: int = MESSAGES) -> list[str]:
    """Make sessions with messages in them, and give their ids."""
    ids = [new_id() for _ in range(count)]
    for begin in range(0, count, 64):
        batch = []
        for session_id in ids[begin : begin + 64]:
            at = now()
            values = {"id": session_id, "user_id": "ada", "context": {}, "at": at, "expires_at": at + _DAY}
            batch.append(Statement(NEW_SESSION, values))
        for session_id in ids[begin : begin + 64]:
            turns = [unit(session_id).messages for _ in range(messages // 2)]
            batch += [Statement(MESSAGE, message) for turn in turns for message in turn]
        await db.write(*batch)
    return ids
