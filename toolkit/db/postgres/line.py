"""The line to the server: connections are lent, and what is lost with one is done again on another."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar, cast

import asyncpg

from toolkit.db.postgres.connect import Address
from toolkit.db.postgres.failures import LOST, UNDONE, Blocked, is_lost
from toolkit.db.postgres.lease import Lease, NoneFree
from toolkit.db.postgres.schema import Connection
from toolkit.db.slow import SlowQueries

T = TypeVar("T")

PAUSES = (0.05, 0.1, 0.2, 0.4)  # seconds before the next tries
PAUSE = 0.8  # seconds before each one after these
REMEMBERED = 1000  # connections that were given up
GIVING_BACK = 5.0  # seconds that a pool's own resetting of a connection may take


class Line:
    """Lends connections of a pool, and insists.

    Args:
        pool: whose connections these are.
        address: where connections outside of the pool lead; None if the pool is somebody else's.
        slow: where long statements are noted.
        where: the database as a person calls it.

    Attributes:
        waiting: who waits for a connection now.
    """

    def __init__(self, pool: "asyncpg.Pool[Any]", address: Address | None, slow: SlowQueries, where: str) -> None:
        self.pool = pool
        self.waiting = 0
        self._address = address
        self._slow = slow
        self._where = where
        self._abandoned: dict[int, float] = {}

    @property
    def can_listen(self) -> bool:
        """Whether a connection can be kept for LISTEN: a pooler gives none away, nor does a pool that has only one."""
        return not self._address.pooled if self._address else self.pool.get_max_size() > 1

    async def insist(self, work: Callable[[Lease], Awaitable[T]], deadline: float, *, hurried: bool = False) -> T:
        """Do `work` on a connection, and again on another one where it was lost or undone, until `deadline`.

        Args:
            work: what can be done again when it raised that the connection is lost.
            deadline: the loop's time when nothing is begun, and no lock waited for, any more.
            hurried: see `Lease`.

        Raises:
            Blocked: others held a lock all the time.
        """
        tries = 0
        while True:
            lease: Lease | None = None
            try:
                async with self._lend(deadline, hurried=hurried, again=tries > 0) as lease:
                    return await work(lease)
            except (*LOST, *UNDONE, asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError) as error:
                pause = (PAUSES[tries] if tries < len(PAUSES) else PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311 - no secret hangs on it
                over = asyncio.get_running_loop().time() + pause > deadline
                if lease and lease.blocked and (lease.gave_up or over):
                    raise Blocked(lease.blocked) from error
                if over or self.pool.is_closing() or not (is_lost(error) or isinstance(error, UNDONE)):
                    raise
            tries += 1
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def aside(self) -> AsyncIterator[Connection]:
        """One more connection, to ask about another or to listen; outside of a pool of our own.

        Raises:
            NoneFree: all of somebody else's pool are in use.
        """
        if self._address:
            own = await self._address.connect()
            try:
                yield cast("Connection", own)  # one of a pool can do the same
            finally:
                own.terminate()
            return
        if not self.pool.get_idle_size() and self.pool.get_size() >= self.pool.get_max_size():
            raise NoneFree
        async with self.pool.acquire() as lent:
            yield lent

    @asynccontextmanager
    async def _lend(self, deadline: float, *, hurried: bool, again: bool) -> AsyncIterator[Lease]:
        connection = await self._acquire(deadline)
        lease = Lease(connection, self.aside, deadline, self._slow, self._where)
        lease.abandoned, lease.hurried, lease.again = self._abandoned, hurried, again
        lease.watch()
        try:
            yield lease
        except BaseException:
            if lease.is_gone:
                self._abandon(lease.pid)
            raise
        finally:
            await lease.unwatch()
            # What was done is done, also when only giving the connection back fails.
            with suppress(*LOST):
                await self.pool.release(connection, timeout=GIVING_BACK)

    def _abandon(self, pid: int) -> None:
        """Remember whose locks may be in the way later, if the server does not hear that the connection is gone."""
        self._abandoned[pid] = asyncio.get_running_loop().time()
        while len(self._abandoned) > REMEMBERED:
            del self._abandoned[next(iter(self._abandoned))]

    async def _acquire(self, deadline: float) -> Connection:
        if self.pool.get_idle_size():  # there is nothing to wait for
            return await self.pool.acquire()
        self.waiting += 1
        try:
            limit = max(deadline - asyncio.get_running_loop().time(), 1.0)
            async with asyncio.timeout(limit) as patience:
                return await self.pool.acquire()
        except TimeoutError as error:
            most = self.pool.get_max_size()
            if patience.expired() and not self.pool.get_idle_size() and self.pool.get_size() >= most:
                raise Blocked(
                    f"All {most} connections to {self._where} are in use; try again, or raise TOOLKIT_MAX_CONNECTIONS"
                ) from error
            raise
        finally:
            self.waiting -= 1
