"""What becomes of a statement that gives no answer: the server is asked, over another connection."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

import asyncpg

from toolkit.db.postgres.schema import Connection

State: TypeAlias = Literal["works", "waits", "rests", "unknown"]

_LOOK = """
SELECT own.pid, own.state, own.wait_event_type = 'Lock' AS waits, other.pid AS other,
       COALESCE(other.application_name, '') AS application,
       COALESCE(CAST(other.usename AS TEXT), other.backend_type) AS person,
       CAST(EXTRACT(EPOCH FROM clock_timestamp() - other.xact_start) AS BIGINT) AS seconds
  FROM pg_stat_activity AS own
  LEFT JOIN pg_stat_activity AS other ON other.pid = ANY (pg_blocking_pids(own.pid))
 WHERE own.usename = current_user AND own.pid <> pg_backend_pid()
   AND (own.pid = $1 OR own.state = 'active' AND left(own.query, 500) = left($2, 500))
 ORDER BY own.pid = $1 DESC, other.xact_start NULLS LAST
"""
# Only if it still waits: a signal that comes late would end somebody else's statement.
_CANCEL = """
SELECT pg_cancel_backend(pid)
  FROM pg_stat_activity
 WHERE pid = $1 AND usename = current_user AND state = 'active' AND wait_event_type = 'Lock'
"""
# Only if it is old enough: the number may be another session's by now.
_TERMINATE = """
SELECT pg_terminate_backend(pid)
  FROM pg_stat_activity
 WHERE pid = $1 AND usename = current_user AND backend_start < clock_timestamp() - make_interval(secs => $2)
"""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a look at one statement showed.

    Attributes:
        state: it `works`, `waits` for a lock, the server `rests` because its answer was lost on the way, or `unknown`,
            e.g. behind a pooler.
        blocker: who holds the lock, in a sentence without its full stop; empty where nobody is known to.
        pids: the processes that hold it.
        certain: it is our statement, not one like it.
    """

    state: State
    blocker: str = ""
    pids: Collection[int] = ()
    certain: bool = False


async def look(connection: Connection, pid: int, sql: str, where: str) -> Sight:
    """What the server's process `pid` does.

    Args:
        connection: another one than that of `pid`.
        pid: as the connection knows it; a pooler may have made it up.
        sql: what was sent; a process of the same user that runs it stands in for one that is not there.
        where: the database as a person calls it.
    """
    rows = await connection.fetch(_LOOK, pid, sql)
    if not rows:
        return Sight("unknown")
    first = rows[0]
    rows = [row for row in rows if row["pid"] == first["pid"]]
    certain = first["pid"] == pid
    if first["state"] != "active":
        return Sight("rests", certain=certain)
    if not first["waits"]:
        return Sight("works", certain=certain)
    others = [row for row in rows if row["other"] is not None]
    return Sight("waits", _sentence(others, where), [row["other"] for row in others], certain)


async def cancel(connection: Connection, pid: int) -> bool:
    """End the statement of `pid` if it still waits for a lock."""
    return bool(await connection.fetchval(_CANCEL, pid))


async def terminate(connection: Connection, pid: int, age: float) -> None:
    """End the session `pid`, one of ours that was given up `age` seconds ago, with the locks that it holds."""
    await connection.fetchval(_TERMINATE, pid, age)


def _sentence(blockers: list[asyncpg.Record], where: str) -> str:
    if not blockers:
        return f"Other programs hold locks in {where}; try again, or end those programs"
    first = blockers[0]
    name = f"{first['application']}, user {first['person']}" if first["application"] else f"user {first['person']}"
    since = "" if first["seconds"] is None else f", in a transaction of {first['seconds']} seconds"
    more = f" and {len(blockers) - 1} more" if len(blockers) > 1 else ""
    return (
        f"Process {first['other']} ({name}{since}){more} holds a lock in {where} that is needed here; let it finish, "
        f"or end it with SELECT pg_terminate_backend({first['other']})"
    )
