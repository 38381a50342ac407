"""One connection while it is used: runs statements, and ends what gives no answer."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, TypeAlias

import asyncpg

from toolkit.db.database import Row
from toolkit.db.postgres import blockers
from toolkit.db.postgres.failures import LOST
from toolkit.db.postgres.schema import Connection
from toolkit.db.postgres.sql import TAG, Form
from toolkit.db.slow import SlowQueries

# Lends another connection for a question about this one.
Aside: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]

LOOK_AFTER = 5.0  # seconds without an answer, after which the server is asked what became of the statement
HURRY = 2.0  # seconds that one list of a batch may hold up the others
LOOK_AGAIN = 1.0  # seconds until the next look
ASIDE = 5.0  # seconds that a question about a connection may take
BLIND = 60.0  # seconds after the deadline that a statement is given if nobody could be asked about it

# Bytes of one pipeline. With 131072 or more asyncpg pauses in between, and a connection that is lost then is waited
# for without end.
PIPELINE = 120_000


class NoneFree(Exception):
    """There is no second connection to ask on."""


class Lease:
    """A connection that is ours for a moment.

    Args:
        connection: what is lent.
        aside: lends another one, to ask about this one.
        deadline: the loop's time when waiting for other people's locks ends.
        slow: where long statements are noted.
        where: the database as a person calls it.

    Attributes:
        pid: the server's process; a pooler may have made it up.
        blocked: what holds it up, in words; empty while nothing is known to.
        gave_up: its statement was ended because a lock was not to be had in time.
        abandoned: processes of the server whose connections were given up, and when; they are ended where they are in
            the way.
        again: the same work was lost before; what it left may be in the way.
        hurried: do not wait for locks longer than the first look.
    """

    def __init__(self, connection: Connection, aside: Aside, deadline: float, slow: SlowQueries, where: str) -> None:
        self.connection = connection
        self.pid = connection.get_server_pid()
        self.deadline = deadline
        self.blocked = ""
        self.gave_up = False
        self.abandoned: dict[int, float] = {}
        self.hurried = False
        self.again = False
        self._aside = aside
        self._slow = slow
        self._where = where
        self._loop = asyncio.get_running_loop()
        self._sql = ""  # what waits for its answer; empty between two round trips
        self._since = 0.0  # when it was sent
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._cancelling = False

    @property
    def is_gone(self) -> bool:
        """Whether the connection is closed."""
        try:
            return self.connection.is_closed()
        except asyncpg.InterfaceError:  # closed, and taken back by its pool
            return True

    def end(self) -> None:
        """Close the connection at once."""
        with suppress(asyncpg.InterfaceError):
            self.connection.terminate()

    def watch(self) -> None:
        """From now on, see that every statement gets its answer."""
        delay = min(LOOK_AFTER, max(0.2, (self.deadline - self._loop.time()) / 3))
        if self.hurried:
            delay = min(delay, HURRY)
        if self.again:
            delay = 0.2
        self._timer = self._loop.call_later(delay, self._alarm, delay)

    async def unwatch(self) -> None:
        """Nothing is waited for any more; a look that has begun is not left behind."""
        self._stop_timer()
        if self._looking and not self._looking.done():
            if not self._cancelling:  # a signal must not reach the next who uses the connection
                self._looking.cancel()
            await asyncio.wait([self._looking])
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    async def script(self, sql: str) -> str:
        """Run statements without values; gives the last one's status, e.g. `COMMIT`."""
        began = self._begin(sql)
        try:
            return await self.connection.execute(sql)
        finally:
            self._end(sql, began)

    async def fetch(self, sql: str, values: Sequence[Any]) -> list[asyncpg.Record]:
        """The rows of one statement."""
        began = self._begin(sql)
        try:
            return await self.connection.fetch(sql, *values)
        finally:
            self._end(sql, began)

    async def fetch_first(self, sql: str, values: Sequence[Any]) -> asyncpg.Record | None:
        """The first row of one statement, None without one."""
        began = self._begin(sql)
        try:
            return await self.connection.fetchrow(sql, *values)
        finally:
            self._end(sql, began)

    async def run(self, form: Form, executions: Sequence[Sequence[Any]], sizes: Sequence[int]) -> list[list[Row]]:
        """Run one statement as often as there are lists of values, in few round trips; gives the rows of each.

        Args:
            form: the statement.
            executions: at least one.
            sizes: their bytes, each at most.
        """
        if len(executions) == 1 or not (form.silent or form.tagged):
            return await self._one_by_one(form, executions)
        if sum(sizes) <= PIPELINE:
            return await self._pipeline(form, executions)
        results: list[list[Row]] = []
        first = size = 0
        for number, more in enumerate(sizes):
            if size and size + more > PIPELINE:
                results += await self._pipeline(form, executions[first:number])
                first, size = number, 0
            size += more
        return results + await self._pipeline(form, executions[first:])

    async def _one_by_one(self, form: Form, executions: Sequence[Sequence[Any]]) -> list[list[Row]]:
        return [[dict(row.items()) for row in await self.fetch(form.sql, values)] for values in executions]

    async def _pipeline(self, form: Form, executions: Sequence[Sequence[Any]]) -> list[list[Row]]:
        if len(executions) == 1:  # it may be larger than a pipeline, and is sent in one piece like this
            return await self._one_by_one(form, executions)
        began = self._begin(form.sql)
        results: list[list[Row]] = [[] for _ in executions]
        try:
            if form.silent:
                await self.connection.executemany(form.sql, executions)
            else:
                tagged = [(*values, number) for number, values in enumerate(executions)]
                for found in await self.connection.fetchmany(form.tagged, tagged):
                    row = dict(found.items())
                    results[row.pop(TAG)].append(row)
        finally:
            self._end(form.sql, began)
        return results

    async def undo(self) -> None:
        """Leave no transaction open; a connection that does not obey is closed."""
        if self.is_gone or not self.connection.is_in_transaction():
            return
        try:
            await self.script("ROLLBACK")
        except (asyncpg.PostgresError, *LOST):
            self.end()

    def _begin(self, sql: str) -> float:
        self._sql = sql
        self._since = began = self._loop.time()
        return began

    def _end(self, sql: str, began: float) -> None:
        self._sql = ""
        self._slow.note(sql, self._loop.time() - began)

    def _alarm(self, delay: float) -> None:
        """Look at the statement that is waited for, if it is waited for since `delay` seconds."""
        waited = self._loop.time() - self._since
        if self._sql and waited >= delay:
            self._looking = self._loop.create_task(self._look(self._since))
        else:
            self._timer = self._loop.call_later(delay - waited if self._sql else delay, self._alarm, delay)

    async def _look(self, since: float) -> None:
        """Ask again and again what became of the statement that was sent at `since`, until it is answered or ended."""
        rested = 0
        while self._since == since and self._sql:
            sight = await self._sight()
            rested = rested + 1 if sight and sight.state == "rests" else 0
            if self._since != since or not self._sql:
                break
            # An answer may be under way while the server rests already; a second later it is lost.
            if rested > 1 or self._is_over(sight):
                await self._give_up(sight)
                return
            await asyncio.sleep(min(LOOK_AGAIN, max(0.05, self.deadline - self._loop.time())))
        self.watch()

    def _is_over(self, sight: blockers.Sight | None) -> bool:
        """Whether a statement that cannot be cancelled by its process has had its time."""
        late = self._loop.time() - self.deadline
        if sight is None:
            return late > BLIND
        return late > 0 and sight.state != "works" and not (sight.state == "waits" and sight.certain)

    async def _sight(self) -> blockers.Sight | None:
        """What the server does with the statement; None if nobody could be asked."""
        try:
            async with asyncio.timeout(ASIDE), self._aside() as other:
                sight = await blockers.look(other, self.pid, self._sql, self._where)
                if sight.state == "waits":
                    await self._waits(other, sight)
                return sight
        except (NoneFree, asyncpg.TooManyConnectionsError):
            return None
        except (asyncpg.PostgresError, *LOST):  # the server is away, and so is what was sent to it
            return blockers.Sight("rests")

    async def _give_up(self, sight: blockers.Sight | None) -> None:
        """Close the connection: first the server's end of it, which might never hear of that."""
        if sight and sight.certain:
            with suppress(asyncpg.PostgresError, NoneFree, *LOST):
                async with asyncio.timeout(ASIDE), self._aside() as other:
                    await blockers.terminate(other, self.pid, 0)
        self.end()

    async def _waits(self, other: Connection, sight: blockers.Sight) -> None:
        self.blocked = sight.blocker
        ours = self.abandoned.keys() & set(sight.pids)
        if ours:
            for pid in ours:
                await blockers.terminate(other, pid, self._loop.time() - self.abandoned.pop(pid))
        elif sight.certain and (self.hurried or self._loop.time() >= self.deadline):
            self._cancelling = True
            try:
                self.gave_up = await blockers.cancel(other, self.pid) or self.gave_up
            finally:
                self._cancelling = False
