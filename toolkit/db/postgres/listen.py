"""Wakes those who wait for changes: by NOTIFY between processes, by the clock where that does not arrive."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import asyncpg

from toolkit.db.postgres.failures import LOST
from toolkit.db.postgres.lease import Lease, NoneFree
from toolkit.db.postgres.line import Line
from toolkit.db.postgres.schema import Connection

GAP = 0.02  # seconds between two wake-ups, and between two notifications, at least
POLL = 1.0  # seconds after which a listener is woken for nothing, in case a notification was lost
PULSE = 20.0  # seconds after which a silent connection is asked whether it is still there
ROUND_TRIP = 5.0  # seconds that one of a listening connection may take
PAUSES = (0.1, 0.5, 2.0)  # seconds before the connection is made anew; the last one from then on

_LONGEST_NAME = 63  # of a channel
_log = logging.getLogger(__name__)


class Feed:
    """Tells the listeners of one database object, and by NOTIFY those of others, that something was committed.

    Args:
        schema: only listeners in the same one are woken.
        line: to the server. All listeners share one more connection of it.
    """

    def __init__(self, schema: str, line: Line) -> None:
        self._channel = channel_of(schema)
        self._line = line
        self._listeners: set[asyncio.Event] = set()
        self._listening: asyncio.Task[None] | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._news = False  # committed since the last notification
        self._closed = False

    async def changes(self) -> AsyncGenerator[None, None]:
        """See `Database.changes`."""
        news = asyncio.Event()
        self._listeners.add(news)
        if self._listening is None and self._line.can_listen:
            self._listening = asyncio.create_task(self._listen())
        try:
            while not self._closed:
                yield
                await asyncio.sleep(GAP)
                # Not `wait_for`: before Python 3.12 it may forget that it was cancelled.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await news.wait()
                news.clear()
        finally:
            self._listeners.discard(news)
            if not self._listeners:
                await self._deafen()

    def committed(self) -> None:
        """Wake the listeners here at once, and those elsewhere within `GAP`."""
        self._wake()
        self._news = True
        if self._announcing is None:
            self._announcing = asyncio.create_task(self._announce_all())

    async def close(self) -> None:
        """Announce what is not announced yet, and end the listeners."""
        self._closed = True
        self._wake()
        if self._announcing:
            await asyncio.wait([self._announcing])
        await self._deafen()

    def _wake(self, *_: object) -> None:
        for news in self._listeners:
            news.set()

    async def _announce_all(self) -> None:
        """One notification for all commits of a short while: each takes a lock that all commits of the server share."""
        try:
            while self._news:
                self._news = False
                try:
                    await self._line.insist(self._announce, asyncio.get_running_loop().time())
                except Exception as error:  # noqa: BLE001 - whoever missed it finds out by the clock
                    _log.info("A notification was not sent: %s", error)
                await asyncio.sleep(GAP)
        finally:
            self._announcing = None

    async def _announce(self, lease: Lease) -> None:
        await lease.fetch("SELECT pg_notify($1, '')", [self._channel])

    async def _deafen(self) -> None:
        task, self._listening = self._listening, None
        if task:
            task.cancel()
            await asyncio.wait([task])

    async def _listen(self) -> None:
        """Hold a connection that listens, a new one whenever it is lost."""
        tries = 0
        while True:
            try:
                async with self._line.aside() as connection:
                    tries = 0
                    await self._hear(connection)
            except (asyncpg.PostgresError, NoneFree, *LOST) as error:
                _log.info("Changes are found by the clock for a while: %s", error)
            await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    async def _hear(self, connection: Connection) -> None:
        lost = asyncio.Event()

        def end(_: Any) -> None:
            lost.set()

        connection.add_termination_listener(end)
        try:
            async with asyncio.timeout(ROUND_TRIP):
                await connection.add_listener(self._channel, self._wake)
            self._wake()  # for what was committed while nobody heard
            while not lost.is_set():
                try:
                    async with asyncio.timeout(PULSE):
                        await lost.wait()
                except TimeoutError:
                    async with asyncio.timeout(ROUND_TRIP):
                        await connection.execute("SELECT 1")
        finally:
            with suppress(*LOST):  # it may be gone already
                connection.remove_termination_listener(end)
                try:
                    async with asyncio.timeout(ROUND_TRIP):
                        await connection.remove_listener(self._channel, self._wake)
                except BaseException:  # whoever gets it next must not hear of us
                    connection.terminate()
                    raise


def channel_of(schema: str) -> str:
    """The channel on which changes in `schema` are announced; a name of Postgres has 63 characters at most."""
    name = f"toolkit_{schema}"
    if len(name) <= _LONGEST_NAME:
        return name
    return f"toolkit_{hashlib.sha256(schema.encode()).hexdigest()[:40]}"
