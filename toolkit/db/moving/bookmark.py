"""How far a copy has come, kept in the database that it fills."""

from dataclasses import dataclass

from toolkit.db.database import Database, Statement, as_json
from toolkit.db.moving.rows import Key
from toolkit.stamps import now

# A row of the outbox, which is not copied itself. It stands there from before the first row until both sides are
# found equal; as long as it does, everything in the other tables belongs to the copy.
_KIND = "copy.unfinished"

_FIND = "SELECT seq, subject, body FROM events WHERE kind = :kind ORDER BY seq LIMIT 1"
_ADD = "INSERT INTO events (kind, subject, body, created_at) VALUES (:kind, :subject, :body, :at)"
_MOVE = "UPDATE events SET body = :body WHERE seq = :seq RETURNING seq"
_REMOVE = "DELETE FROM events WHERE kind = :kind"


class Finished(Exception):
    """The bookmark has gone: somebody else has ended the copy, and what the target holds belongs to it no more."""


@dataclass(frozen=True, slots=True)
class Bookmark:
    """The place that an unfinished copy has reached.

    Attributes:
        seq: number of its row.
        source: URL of the database that is copied, without a password.
        table: the table that was written last; empty at the beginning.
        after: key of the last row there; None for a table that was only begun.
    """

    seq: int
    source: str
    table: str
    after: Key | None

    def at(self, table: str, after: Key) -> Statement:
        """Moves it, or raises `Finished`; belongs into the list that writes the rows up to there."""
        values = {"seq": self.seq, "body": {"table": table, "after": list(after)}}
        return Statement(_MOVE, values, unmatched=Finished(), repeatable=True)


async def find(db: Database) -> Bookmark | None:
    """The place of the copy that `db` waits for the rest of; None where there is none."""
    row = await db.fetch_one(_FIND, kind=_KIND)
    if row is None:
        return None
    body = as_json(row["body"])
    return Bookmark(row["seq"], row["subject"], body["table"], tuple(body["after"]) or None)


def put(source: str) -> Statement:
    """Says that from now on everything belongs to a copy of `source`."""
    return Statement(_ADD, {"kind": _KIND, "subject": source, "body": {"table": "", "after": []}, "at": now()})


async def remove(db: Database) -> None:
    """Says that the copy is finished."""
    await db.execute(_REMOVE, kind=_KIND)
