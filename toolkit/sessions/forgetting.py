"""How old conversations are forgotten: in small transactions, each told by an event, never half."""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime

from toolkit.db import Database, Row, Statement
from toolkit.db.feed import event
from toolkit.errors import NotFound
from toolkit.stamps import now

_TOGETHER = 500  # rows that are deleted at once
_PAUSE = 0.01  # seconds between two such batches, for programs that wait for the lock
_SILENT = "(turn_until IS NULL OR turn_until <= :now)"  # who speaks there keeps it until the turn is over


async def forget_expired(db: Database, moment: datetime, limit: int) -> int:
    """Forget at most `limit` sessions that expired by `moment`, the longest gone first; gives their number."""
    gone = 0
    for together in _weighed(await _old(db, "expires_at", moment, order="expires_at", limit=limit), _TOGETHER):
        gone += await _forget(db, together, "expires_at", moment)
        await asyncio.sleep(_PAUSE)
    return gone


async def forget_unused(db: Database, before: datetime, limit: int) -> int:
    """Forget some sessions that were last used at `before` or earlier, about `limit` rows; 0 when none is left."""
    gone = 0
    while not gone and (rows := await _old(db, "used_at", before, order="id", limit=limit)):
        gone = await _forget(db, next(_weighed(rows, limit)), "used_at", before)
    return gone


async def _old(db: Database, column: str, moment: datetime, *, order: str, limit: int) -> Sequence[Row]:
    """The first sessions whose `column` is not after `moment`, and how many messages each has."""
    return await db.fetch_all(
        f"""
        SELECT id, (SELECT MAX(position) FROM messages WHERE session_id = sessions.id) AS length
          FROM sessions
         WHERE {column} <= :moment AND {_SILENT}
         ORDER BY {order}
         LIMIT :limit
        """,  # noqa: S608 - only our own words
        moment=moment,
        now=now(),
        limit=limit,
    )


async def _forget(db: Database, rows: Sequence[Row], column: str, moment: datetime) -> int:
    """Delete those of `rows` that are as old as they were; gives their number."""
    return sum(await asyncio.gather(*(_forget_one(db, row, column, moment) for row in rows)))


async def _forget_one(db: Database, row: Row, column: str, moment: datetime) -> bool:
    """Whether it was still there and as old: somebody may have used it since it was looked at."""
    session_id = row["id"]
    if _weight(row) > _TOGETHER:
        await _empty(db, session_id, column, moment)
    delete = f"DELETE FROM sessions WHERE id = :id AND {column} <= :moment AND {_SILENT} RETURNING id"  # noqa: S608 - as above
    gone = Statement(delete, {"id": session_id, "moment": moment, "now": now()}, unmatched=NotFound(session_id))
    told = event("session.deleted", session_id, {"expired": column == "expires_at"})
    try:
        await db.write(gone, told, subject=session_id)
    except NotFound:
        return False
    return True


async def _empty(db: Database, session_id: str, column: str, moment: datetime) -> None:
    """Take the messages of a session that shall go, a few at a time: all at once would keep writers waiting."""
    # It expires first: nobody may see, or go on with, a conversation of which a part is gone.
    expire = f"""
        UPDATE sessions
           SET expires_at = CASE WHEN expires_at < used_at THEN expires_at ELSE used_at END
         WHERE id = :id AND {column} <= :moment AND {_SILENT}
        RETURNING id
        """  # noqa: S608 - as above
    shorten = """
        DELETE FROM messages
         WHERE session_id = :id
           AND position IN (SELECT position FROM messages WHERE session_id = :id ORDER BY position LIMIT :limit)
        RETURNING position
        """
    left = bool(await db.execute(expire, id=session_id, moment=moment, now=now()))
    while left:
        left = bool(await db.execute(shorten, id=session_id, limit=_TOGETHER))
        await asyncio.sleep(_PAUSE)


def _weight(row: Row) -> int:
    """How many rows go with a session that is deleted, its own included."""
    return 1 + (row["length"] or 0)


def _weighed(rows: Sequence[Row], limit: int) -> Iterator[Sequence[Row]]:
    """`rows` in groups that take at most `limit` rows with them; a session that takes more is a group of its own."""
    start = weight = 0
    for end, row in enumerate(rows):
        weight += _weight(row)
        if weight > limit and end > start:
            yield rows[start:end]
            start, weight = end, _weight(row)
    if start < len(rows):
        yield rows[start:]
