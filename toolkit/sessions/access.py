"""Sessions that may be used: found, alive and the owner's."""

from datetime import datetime
from typing import TypeAlias

from toolkit.db import Database, Row, Statement
from toolkit.display.shown import Listing
from toolkit.errors import NotFound, ToolkitError
from toolkit.messages import Message
from toolkit.sessions import reading
from toolkit.sessions.refusals import alive, is_id, none
from toolkit.sessions.session import Session
from toolkit.stamps import now

Messages: TypeAlias = Listing[Message]


class Access:
    """Finds sessions and refuses those that cannot be used; see `Sessions`."""

    def __init__(self, db: Database, *, ttl: int = 86_400) -> None:
        self._db = db
        self._ttl = ttl

    async def get(self, session_id: str, *, owner: str | None = None) -> Session:
        """The session `session_id`.

        Raises:
            SessionExpired: it was there; the message says until when.
            NotFound: there is none for the owner, or no more since it was deleted or swept.
        """
        return await self._living(session_id, now(), owner)

    async def messages(self, session_id: str, *, owner: str | None = None) -> Messages:
        """What was said, oldest first.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        return (await self.read(session_id, owner=owner))[1]

    async def read(self, session_id: str, *, owner: str | None = None) -> tuple[Session, Messages]:
        """The session and what was said in it, oldest first.

        Raises:
            SessionExpired, NotFound: as for `get`.
        """
        found = await reading.whole(self._db, session_id) if is_id(session_id) else None
        if found is None:
            raise none(session_id)
        return alive(found[0], now(), owner), found[1]

    async def _living(self, session_id: str, at: datetime, owner: str | None) -> Session:
        select = "SELECT * FROM sessions WHERE id = :id"
        row = await self._db.fetch_one(select, id=session_id) if is_id(session_id) else None
        if row is None:
            raise none(session_id)
        return alive(Session.from_row(row), at, owner)

    async def _write(
        self,
        session_id: str,
        alive_at: datetime,
        owner: str | None,
        *statements: Statement,
        subject: str | None = None,
        otherwise: ToolkitError | None = None,
    ) -> Session:
        """The same where the row is the session's."""
        return Session.from_row(
            await self._write_row(session_id, alive_at, owner, *statements, subject=subject, otherwise=otherwise)
        )

    async def _write_row(
        self,
        session_id: str,
        alive_at: datetime,
        owner: str | None,
        *statements: Statement,
        subject: str | None = None,
        otherwise: ToolkitError | None = None,
    ) -> Row:
        """Run `statements`, and give the first one's row; `otherwise` is raised where the session itself is fine."""
        if not is_id(session_id):
            raise none(session_id)
        try:
            return (await self._db.write(*statements, subject=subject))[0][0]
        except NotFound:
            await self._living(session_id, alive_at, owner)  # says it better where it has expired meanwhile
            if otherwise:
                raise otherwise from None
            raise
