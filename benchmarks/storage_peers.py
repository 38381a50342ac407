"""What every contender of the storage benchmark does, and this project's own three: the seam, and the stores on it."""

from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.hot_path import ANSWER, LAST_MESSAGES, QUESTION, SESSION, Unit
from toolkit.db import Database, open_database
from toolkit.messages import Attempt, Caller, Message, Usage
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger


class Peer(Protocol):
    """A way to keep a unit of the hot path, and to read a session.

    Attributes:
        name: how the table calls it.
        database: `sqlite` or `postgres`.
        reads: whether it takes part in the reading as well.
    """

    name: str
    database: str
    reads: bool

    async def open(self) -> None:
        """Connect to a database that has its tables and sessions."""
        ...

    async def close(self) -> None:
        """Let go of it."""
        ...

    def bind(self, unit: Unit) -> Any:
        """The unit as this driver's user would have it in hand; not measured."""
        ...

    async def write(self, bound: Any) -> None:
        """Keep one unit; returns when a power cut cannot undo it."""
        ...

    async def read(self, session_id: str) -> int:
        """Read a session and its last 20 messages; gives their number."""
        ...


class Toolkit:
    """`Database.write` and the two fetches."""

    reads = True

    def __init__(self, database: str, url: str, schema: str) -> None:
        self.name = "toolkit"
        self.database = database
        self.db: Database = open_database(Settings(url, schema=schema))

    async def open(self) -> None:
        """See `Peer`."""
        await self.db.open()

    async def close(self) -> None:
        """See `Peer`."""
        await self.db.close()

    def bind(self, unit: Unit) -> Any:
        """See `Peer`; making values fit for a database is a part of the seam, and measured."""
        return unit.session_id, unit.statements()

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        session_id, statements = bound
        await self.db.write(*statements, subject=session_id)

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        await self.db.fetch_one(SESSION, id=session_id)
        return len(await self.db.fetch_all(LAST_MESSAGES, id=session_id))


class Stores(Toolkit):
    """The same unit as a chat keeps it: the ledger's row first, then the turn, with all that the stores check."""

    reads = False

    def __init__(self, database: str, url: str, schema: str) -> None:
        super().__init__(database, url, schema)
        self.name = "toolkit, through the stores"
        self._sessions = Sessions(self.db)
        self._ledger = Ledger(self.db)
        self._turn: Sequence[Message] = (Message("user", QUESTION), Message("assistant", ANSWER))
        self._attempt = Attempt(
            name="small",
            provider="openai",
            model="gpt-4o-mini",
            request_id="req_0123456789abcdef",
            milliseconds=812.5,
            usage=Usage(1234, 150, 1024),
            cost_nano_usd=275_100,
        )

    def bind(self, unit: Unit) -> Any:
        """See `Peer`."""
        return unit.session_id

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        call_id = new_id()
        caller = Caller(session_id=bound, user="ada", origin="bench")
        await self._ledger.record(
            self._attempt, call_id=call_id, number=1, kind="chat", caller=caller, started_at=now()
        )
        await self._sessions.append(bound, self._turn, call_id=call_id)
        if self._ledger.failures:
            raise RuntimeError(f"The ledger failed: {self._ledger.last_failure}")
