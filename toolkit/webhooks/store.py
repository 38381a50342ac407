"""How far each webhook was told, and which process tells it."""

from collections.abc import Sequence
from datetime import timedelta

from toolkit.db import Database
from toolkit.display.shown import Listing
from toolkit.stamps import now
from toolkit.webhooks.hook import Hook, HookState

HOLD = 15.0
"""Seconds after which another process goes on for one that was killed."""

_ADD = """
INSERT INTO webhooks (id, address, cursor, failures, dropped, next_at, updated_at)
VALUES (:id, :address, :cursor, 0, 0, :at, :at)
ON CONFLICT (id) DO NOTHING
"""
_HOLD = """
UPDATE webhooks
   SET holder = :holder, held_until = :until
 WHERE id = :id AND (holder IS NULL OR holder = :holder OR held_until <= :at)
RETURNING *
"""
_NOTE = """
UPDATE webhooks
   SET cursor = :cursor, failures = :failures, dropped = dropped + :dropped, last_error = :error, next_at = :next_at,
       held_until = :until, updated_at = :at
 WHERE id = :id AND holder = :holder
RETURNING *
"""


class HookStore:
    """The table `webhooks`.

    Args:
        db: where it is.
        holder: this process, as the others see it.
    """

    def __init__(self, db: Database, holder: str) -> None:
        self._db = db
        self._holder = holder

    async def add(self, hook: Hook, cursor: str) -> None:
        """Remember a hook that is told of what comes after `cursor`; one that is known stays as it is."""
        await self._db.execute(_ADD, id=hook.id, address=hook.address, cursor=cursor, at=now())

    async def hold(self, hook_id: str) -> HookState | None:
        """Be the one who tells it, or go on being it, for `HOLD` seconds; None while another process is."""
        at = now()
        rows = await self._db.execute(_HOLD, id=hook_id, holder=self._holder, at=at, until=at + timedelta(seconds=HOLD))
        return HookState.from_row(rows[0]) if rows else None

    async def note(
        self,
        hook_id: str,
        *,
        cursor: str,
        failures: int = 0,
        dropped: int = 0,
        error: str | None = None,
        pause: float = 0,
    ) -> HookState | None:
        """Remember what came of an event; None where another process tells the hook by now.

        Args:
            hook_id: which one.
            cursor: the place after the last event that need not be told again.
            failures: how often in a row the next one was not taken.
            dropped: how many events were given up just now.
            error: why, in a sentence.
            pause: seconds until it is told anything again.
        """
        at = now()
        rows = await self._db.execute(
            _NOTE,
            id=hook_id,
            holder=self._holder,
            cursor=cursor,
            failures=failures,
            dropped=dropped,
            error=error,
            next_at=at + timedelta(seconds=pause),
            until=at + timedelta(seconds=HOLD),
            at=at,
        )
        return HookState.from_row(rows[0]) if rows else None

    async def release(self, hook_id: str) -> None:
        """Let another process tell it."""
        await self._db.execute(
            "UPDATE webhooks SET holder = NULL, held_until = NULL WHERE id = :id AND holder = :holder",
            id=hook_id,
            holder=self._holder,
        )

    async def states(self, hook_ids: Sequence[str]) -> Listing[HookState]:
        """How the hooks of these ids fare; those that were never told anything are left out."""
        rows = await self._db.fetch_all("SELECT * FROM webhooks ORDER BY address, id")
        return Listing(state for state in map(HookState.from_row, rows) if state.id in hook_ids)
