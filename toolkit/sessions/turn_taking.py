"""What is said in a session, one turn at a time, whichever process it is in."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from toolkit.db import Statement, as_json
from toolkit.db.feed import event
from toolkit.db.keepable import keepable
from toolkit.errors import Conflict, NotFound
from toolkit.messages import Message
from toolkit.sessions import reading, writing
from toolkit.sessions.access import Access, Messages
from toolkit.sessions.refusals import alive, checked_lease, is_id, none
from toolkit.sessions.session import Session
from toolkit.stamps import now

_LOOKS = 3  # how often a turn is asked for that was free and yet not to be had, before its caller is to wait


class TurnTaking(Access):
    """Takes turns, keeps them, and what is noted about what was said in them; see `Sessions`."""

    async def begin_turn(
        self, session_id: str, *, turn_id: str, seconds: float, owner: str | None = None
    ) -> tuple[Session, Messages] | None:
        """Take the session's turn, and read what was said before it, in one way to the database and back.

        There is one turn at a time, whichever process it is in. It is over when it is appended or given back, or when
        nobody has prolonged it for `seconds` by the clock of whoever takes the next one.

        Args:
            session_id: where to speak.
            turn_id: the turn's own, which nobody else knows; who has the turn may take it again.
            seconds: how long it is held unless it is prolonged.
            owner: whose the session must be.

        Returns:
            None while somebody else has the turn.

        Raises:
            ConfigError: `seconds` out of bounds.
            SessionExpired, NotFound: as for `get`.
        """
        lease = timedelta(seconds=checked_lease(seconds))
        if not is_id(session_id):
            raise none(session_id)
        for _ in range(_LOOKS):
            at = now()
            take = reading.take(session_id, turn_id=turn_id, until=at + lease, at=at, owner=owner)
            taken = reading.taken((await self._db.write(take, subject=session_id))[0])
            if taken:
                return taken
            row = await self._db.fetch_one("SELECT * FROM sessions WHERE id = :id", id=session_id)
            if row is None:
                raise none(session_id)
            alive(Session.from_row(row), at, owner)
            if reading.is_others(row, turn_id, at):
                break
        return None

    async def renew_turn(self, session_id: str, turn_id: str, seconds: float) -> bool:
        """Hold a turn for `seconds` from now on; False if it was given back, or lost to another."""
        until = now() + timedelta(seconds=checked_lease(seconds))
        return bool((await self._db.write(reading.prolong(session_id, turn_id, until), subject=session_id))[0])

    async def end_turn(self, session_id: str, turn_id: str) -> None:
        """Give a turn back in which nothing is said; harmless where it is over."""
        await self._db.write(reading.let_go(session_id, turn_id), subject=session_id)

    async def append(
        self,
        session_id: str,
        messages: Sequence[Message],
        *,
        call_id: str | None = None,
        begun_at: datetime | None = None,
        ttl: int | None = None,
        also: Sequence[Statement] = (),
        turn_id: str | None = None,
        owner: str | None = None,
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
            turn_id: the turn that was taken with `begin_turn`, which ends with this. One that was not prolonged in
                time is as good, unless somebody else took the next one. None adds to the session whoever speaks in it.
            owner: whose the session must be.

        Raises:
            Conflict: the turn was lost to another; nothing is written.
            SessionExpired, NotFound: as for `get`.
        """
        at = now()
        alive_at = begun_at or at
        if ttl is None:
            ttl = (await self._living(session_id, alive_at, owner)).ttl_seconds
        # The touch comes first: its row lock makes two writers of one session wait for each other on Postgres.
        touch = writing.touch(
            session_id,
            at=at,
            expires_at=at + timedelta(seconds=ttl),
            alive_at=alive_at,
            turn_id=turn_id,
            owner=owner,
        )
        said = writing.say(session_id, [keepable(message.to_json()) for message in messages], call_id, at)
        told = event("session.updated", session_id, {"messages": len(messages), "call_id": call_id})
        return await self._write(
            session_id,
            alive_at,
            owner,
            *(touch, said, *also, told),
            subject=session_id,
            otherwise=_lost(session_id) if turn_id is not None else None,
        )

    async def pin(self, session_id: str, position: int, *, pinned: bool = True, owner: str | None = None) -> Message:
        """Keep a message before the model however long the conversation grows, or no longer.

        Args:
            session_id: where it was said.
            position: its place; 1 is the first.
            pinned: False takes the pin away.
            owner: whose the session must be.

        Raises:
            SessionExpired, NotFound: as for `get`, and where there is no message at that place.
        """
        at = now()
        if not 1 <= position < 2**63:
            position = 0  # where no message is, and which a database can be asked for
        pin = writing.pin(session_id, position, pinned=pinned, at=at, owner=owner)
        nowhere = NotFound(f"Session {session_id} has no such message; the first one's position is 1.")
        told = event("session.updated", session_id, {"changed": ["pinned"], "position": position})
        row = await self._write_row(session_id, at, owner, pin, told, subject=session_id, otherwise=nowhere)
        return Message.from_json(as_json(row["body"]))

    async def set_summary(self, session_id: str, until: int, text: str, *, owner: str | None = None) -> Session:
        """Keep what the beginning of a conversation was about; also of one that expires in the middle of its turn.

        Args:
            session_id: which one.
            until: the position of the last message that is summed up.
            text: the summary, which takes the place of the one before.
            owner: whose the session must be.

        Raises:
            NotFound: as for `get`.
        """
        if not is_id(session_id):
            raise none(session_id)
        sum_up = writing.sum_up(session_id, until=until, text=keepable(text), owner=owner)
        return Session.from_row((await self._db.write(sum_up, subject=session_id))[0][0])


def _lost(session_id: str) -> Conflict:
    return Conflict(
        f"The turn in session {session_id} was not prolonged in time, and somebody else has spoken there since; "
        "ask again."
    )
