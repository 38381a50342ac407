"""A session and what was said in it, read in one statement; and the turn that is taken with it."""

from datetime import datetime

from toolkit.db import Database, Row, Sql, Statement, as_json, as_time
from toolkit.display.shown import Listing
from toolkit.messages import Message
from toolkit.sessions.session import Session
from toolkit.sessions.writing import OWNED

# All that was said, as one JSON text: it is read together anyway, and costs one row instead of thousands.
_SAID = """
    (SELECT '[' || COALESCE(group_concat(body, ','), '') || ']'
       FROM (SELECT body FROM messages WHERE session_id = sessions.id ORDER BY position)) AS said
"""
_SAID_POSTGRES = """
    (SELECT CAST(json_agg(body ORDER BY position) AS TEXT) FROM messages WHERE session_id = sessions.id) AS said
"""
_READ = Sql(
    f"SELECT *, {_SAID} FROM sessions WHERE id = :id",  # noqa: S608 - our own words, here and below
    postgres=f"SELECT *, {_SAID_POSTGRES} FROM sessions WHERE id = :id",  # noqa: S608
)
_TAKE = f"""
    UPDATE sessions
       SET turn_id = :turn_id, turn_until = :until
     WHERE id = :id AND expires_at > :now AND {OWNED}
       AND (turn_id IS NULL OR turn_until <= :now OR turn_id = :turn_id)
"""  # noqa: S608
# On Postgres an UPDATE that waited for another one goes on with the new row, while its subqueries still see what was
# said before it waited. Such a one is not taken: xmin, which names the row's last writer, is another then.
_BEGIN = Sql(
    f"{_TAKE} RETURNING *, {_SAID}",
    postgres=f"""
    {_TAKE} AND xmin = (SELECT seen.xmin FROM sessions AS seen WHERE seen.id = :id)
    RETURNING *, {_SAID_POSTGRES}
    """,  # noqa: S608
)


async def whole(db: Database, session_id: str) -> tuple[Session, Listing[Message]] | None:
    """A session and what was said in it, oldest first, whosever it is and alive or not; None if there is none."""
    row = await db.fetch_one(_READ, id=session_id)
    return _whole(row) if row else None


def take(session_id: str, *, turn_id: str, until: datetime, at: datetime, owner: str | None) -> Statement:
    """Take a session's turn, if it is alive, the owner's and free; `taken` reads what it gives."""
    values = {"id": session_id, "turn_id": turn_id, "until": until, "now": at, "owner": owner}
    # Whoever has the turn may take it again, and a statement of its own needs one way to Postgres instead of four.
    return Statement(_BEGIN, values, repeatable=True)


def taken(rows: list[Row]) -> tuple[Session, Listing[Message]] | None:
    """The session whose turn was taken, and what was said; None if it was not to be had."""
    return _whole(rows[0]) if rows else None


def is_others(row: Row, turn_id: str, at: datetime) -> bool:
    """Whether another turn is under way in the session that a row is."""
    return row["turn_id"] not in (None, turn_id) and as_time(row["turn_until"]) > at


def prolong(session_id: str, turn_id: str, until: datetime) -> Statement:
    """Hold a turn until then, if nobody else has taken it."""
    statement = "UPDATE sessions SET turn_until = :until WHERE id = :id AND turn_id = :turn_id RETURNING id"
    return Statement(statement, {"id": session_id, "turn_id": turn_id, "until": until}, repeatable=True)


def let_go(session_id: str, turn_id: str) -> Statement:
    """Give a turn back."""
    statement = "UPDATE sessions SET turn_id = NULL, turn_until = NULL WHERE id = :id AND turn_id = :turn_id"
    return Statement(statement, {"id": session_id, "turn_id": turn_id}, repeatable=True)


def _whole(row: Row) -> tuple[Session, Listing[Message]]:
    return Session.from_row(row), Listing(Message.from_json(body) for body in as_json(row["said"]) or ())
