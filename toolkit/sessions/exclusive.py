"""One turn at a time in a session, whichever process it is in."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import chain, repeat
from weakref import WeakValueDictionary

from toolkit.errors import Conflict, DatabaseError, DeadlineExceeded
from toolkit.messages import Message
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.stamps import fresh_id

LEASE = 30.0
"""Seconds after which a session is free again whose process was killed in the middle of a turn."""

_PAUSES = (0.01, 0.02, 0.05, 0.1)  # seconds between two looks whether another process's turn is over
_log = logging.getLogger(__name__)

# The sessions whose tools are being run by whoever is running: a turn inside a turn would wait for itself.
_in_a_turn: ContextVar[frozenset[str]] = ContextVar("in_a_turn", default=frozenset())


@dataclass(slots=True)
class Held:
    """A session that nobody else speaks in meanwhile.

    Attributes:
        session: as it was when the turn began.
        messages: what was said before.
        turn_id: the turn's, for `Sessions.append`, which gives the session free again.
        kept: the turn was appended.
    """

    session: Session
    messages: list[Message]
    turn_id: str
    kept: bool = False


class Exclusive:
    """Puts the turns of a session in order: first come first served in a process, and one at a time among processes."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # those that a turn holds or wants
        self._giving: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def turn(self, session_id: str, *, seconds: float, owner: str | None) -> AsyncIterator[Held]:
        """A session for oneself.

        Args:
            session_id: which one.
            seconds: how long to wait for it.
            owner: whose it must be; None is anybody's.

        Raises:
            NotFound, SessionExpired: there is no such session for `owner`.
            Conflict: the caller is a tool of a turn in this session.
            DeadlineExceeded: others spoke in it for longer than that.
        """
        if session_id in _in_a_turn.get():
            raise Conflict(
                f"Session {session_id} is in the middle of the turn that asks for this; leave the session out."
            )
        lock = self._locks.setdefault(session_id, asyncio.Lock())
        try:
            async with asyncio.timeout(seconds):
                await lock.acquire()
                try:
                    held = await self._take(session_id, owner)
                except BaseException:
                    lock.release()
                    raise
        except TimeoutError as error:
            raise DeadlineExceeded(seconds) from error
        renewal = _Renewal(self._sessions, held)
        try:
            yield held
        finally:
            renewal.end()
            try:
                if not held.kept:
                    await self._give_back(session_id, held.turn_id)
            finally:
                lock.release()

    @asynccontextmanager
    async def running_tools(self, session_id: str | None) -> AsyncIterator[None]:
        """Inside, who asks for a turn in the session is told that it would wait for itself."""
        before = _in_a_turn.set(_in_a_turn.get() | ({session_id} if session_id else set()))
        try:
            yield
        finally:
            _in_a_turn.reset(before)

    async def _take(self, session_id: str, owner: str | None) -> Held:
        turn_id = fresh_id()  # also in a replay: two of them may meet
        try:
            for pause in chain(_PAUSES, repeat(_PAUSES[-1])):
                begun = await self._sessions.begin_turn(session_id, turn_id=turn_id, seconds=LEASE, owner=owner)
                if begun is not None:
                    return Held(*begun, turn_id)
                await asyncio.sleep(pause)
        except (asyncio.CancelledError, DatabaseError):  # it may have been taken in this very moment
            await self._give_back(session_id, turn_id)
            raise
        raise AssertionError  # the loop has no end

    async def _give_back(self, session_id: str, turn_id: str) -> None:
        """Let others speak; where that cannot be written, they may when the lease is over."""
        giving = asyncio.create_task(self._sessions.end_turn(session_id, turn_id))
        self._giving.add(giving)
        giving.add_done_callback(self._giving.discard)
        with suppress(DatabaseError):
            await asyncio.shield(giving)


class _Renewal:
    """Keeps a turn while it lasts; a turn that is short costs no more than a timer."""

    def __init__(self, sessions: Sessions, held: Held) -> None:
        self._sessions = sessions
        self._held = held
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(LEASE / 3, self._begin)

    def end(self) -> None:
        self._timer.cancel()
        if self._task:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.create_task(self._renew())

    async def _renew(self) -> None:
        """Prolong the turn again and again; a database that is away is asked again."""
        session_id = self._held.session.id
        while True:
            try:
                await self._sessions.renew_turn(session_id, self._held.turn_id, LEASE)
            except DatabaseError as error:
                _log.warning("The turn in session %s could not be prolonged: %s", session_id, error)
            await asyncio.sleep(LEASE / 3)
