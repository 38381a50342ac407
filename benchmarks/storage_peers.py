"""What every contender of the storage benchmark does, and this project's own three: the seam, and the stores on it."""

from collections.abc import Sequence
from typing import Any, Protocol

from benchmarks.hot_path import ANSWER, QUESTION, SESSION_WITH_LAST_MESSAGES, Gone, Unit
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
        """The unit's values as this driver takes them: JSON and times as text where it wants that."""
        ...

    async def write(self, bound: Any) -> None:
        """Keep one unit; returns when a power cut cannot undo it."""
        ...

    async def read(self, session_id: str) -> int:
        """Read a session and its last 20 messages; gives their number."""
        ...


class Toolkit:
    """`Database.write`, and a session read with its messages in one statement, as `Sessions.read` does."""

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
        """See `Peer`; values become what the database takes in `write`."""
        return unit.session_id, unit.statements()

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        session_id, statements = bound
        await self.db.write(*statements, subject=session_id)

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        session, *messages = await self.db.fetch_all(SESSION_WITH_LAST_MESSAGES, id=session_id)
        if session["position"]:
            raise Gone(session_id)
        return len(messages)


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
