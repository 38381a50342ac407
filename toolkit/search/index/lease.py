"""Leave to rebuild a collection's index: one process has it at a time, and loses it when it is not heard of."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from toolkit import stamps
from toolkit.db import Database, Statement
from toolkit.search.collection import COLUMNS, Collection

SECONDS: Final = 60.0
"""After which others may begin: longer than any one step takes."""


class Lost(Exception):
    """Others have the lease, because it was not renewed in time, or the collection is gone."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that is ours.

    Attributes:
        collection: as it was when it was taken.
        token: names the holder.
    """

    collection: Collection
    token: str

    def keep(self) -> Statement:
        """Renews the lease; at the head of each list that is written under it, which is undone if it is lost."""
        now = stamps.now()
        return Statement(
            """
            UPDATE collections SET sealing_until = :until
             WHERE key = :key AND id = :id AND sealing_by = :token
            RETURNING key
            """,
            {
                "key": self.collection.key,
                "id": self.collection.id,
                "token": self.token,
                "until": now + timedelta(seconds=SECONDS),
            },
            unmatched=Lost(),
        )


async def take(db: Database, key: str) -> Held | None:
    """The lease of a collection, None if others have it or there is no such collection."""
    now, token = stamps.now(), stamps.fresh_id()
    rows = await db.write(
        Statement(
            f"""
            UPDATE collections SET sealing_by = :token, sealing_until = :until
             WHERE key = :key AND (sealing_until IS NULL OR sealing_until < :now)
            RETURNING {COLUMNS}
            """,  # noqa: S608 - our own columns
            {"key": key, "token": token, "now": now, "until": now + timedelta(seconds=SECONDS)},
        ),
        subject=key,
    )
    return Held(Collection.from_row(rows[0][0]), token) if rows[0] else None


async def give_back(db: Database, held: Held) -> None:
    """Let others have it at once."""
    await db.write(
        Statement(
            """
            UPDATE collections SET sealing_by = NULL, sealing_until = NULL
             WHERE key = :key AND id = :id AND sealing_by = :token
            """,
            {"key": held.collection.key, "id": held.collection.id, "token": held.token},
        ),
        subject=held.collection.key,
    )
