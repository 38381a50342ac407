"""The database in a schema of Postgres."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import asyncpg

from toolkit import stamps
from toolkit.db import migrate
from toolkit.db.database import MigrationStatus, PoolStats, Problem, Row, Rows, Sql, Statement
from toolkit.db.postgres import schema as tables
from toolkit.db.postgres import upkeep
from toolkit.db.postgres.connect import CONNECT_TIMEOUT, Address, check_server
from toolkit.db.postgres.failures import in_plain_words, is_lost
from toolkit.db.postgres.lease import Lease
from toolkit.db.postgres.line import GIVING_BACK, Line
from toolkit.db.postgres.listen import Feed
from toolkit.db.postgres.schema import Connection
from toolkit.db.postgres.sql import Renderer
from toolkit.db.postgres.transaction import Job
from toolkit.db.postgres.writer import Writer
from toolkit.db.slow import SlowQueries, SlowQuery
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, DatabaseError, DatabaseUnavailable

T = TypeVar("T")

_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
_OPENINGS = 3  # times that a connection may be lost while the tables are looked at
_CLOSED = PoolStats(connections=0, idle=0, most=0, waiting=0, reads=0, writes=0, commits=0, slow=0)


class PostgresDatabase:
    """A schema in a Postgres database, over a pool of our own or of somebody else.

    Every table is named with its schema, so that a borrowed connection's search path, codecs and settings stay as
    they are. A pool belongs to one event loop, and so does this object while it is open.

    Args:
        schema: where the tables are; made on first use.
        url: address of the database, for a pool of our own. `?statement_cache_size=0` is for pgbouncer in transaction
            mode.
        pool: somebody else's pool instead, never closed here.
        sizes: connections of our own pool, at least and at most.
        migrations: the folder of numbered SQL files; None is the toolkit's own.
        slow_ms: milliseconds from which on a statement is kept among the slow ones; 0 keeps none.
        patience: seconds that a lost server, or a lock that others hold, is waited for.

    Raises:
        ConfigError: the schema is not a plain name, or an option of the URL cannot be read.
    """

    def __init__(
        self,
        schema: str,
        *,
        url: str = "",
        pool: "asyncpg.Pool[Any] | None" = None,
        sizes: tuple[int, int] = (1, 10),
        migrations: Path | None = None,
        slow_ms: int = 0,
        patience: float = 15.0,
    ) -> None:
        if not _NAME.fullmatch(schema):
            raise ConfigError(f"The schema {schema!r} is not a plain name in lower case; rename it in TOOLKIT_SCHEMA.")
        self._schema = schema
        self._address = None if pool else Address(url)
        self._borrowed = pool
        self._sizes = sizes
        self._patience = patience
        self._known = migrate.load(migrations or migrate.default_folder(), self.dialect)
        self._tables = migrate.tables(self._known)
        self._renderer = Renderer(schema, self._tables)
        self._where = f"the database {self.url}"
        self._starting: asyncio.Task[None] | None = None
        self._line: Line | None = None  # there while it is open, as are the next two
        self._writer: Writer | None = None
        self._feed: Feed | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._running = 0  # operations that hold, or wait for, a connection
        self._idle: asyncio.Event | None = None  # set when the last of them ends; there while somebody closes
        self._slow = SlowQueries(slow_ms)
        self._reads = 0

    @property
    def url(self) -> str:
        """Where it is, without password and options."""
        return self._address.shown if self._address else "postgresql:// (borrowed pool)"

    @property
    def dialect(self) -> str:
        """`"postgres"`."""
        return "postgres"

    async def open(self) -> None:
        """See `Database.open`."""
        self._closed = False
        await self._ready()

    async def close(self) -> None:
        """See `Database.close`."""
        self._closed = True
        if self._starting:
            await asyncio.wait([self._starting])
        if self._line is None:
            return
        self._check_loop()
        if self._writer:
            await self._writer.drain()
        if self._feed:
            await self._feed.close()
        if self._running:
            self._idle = self._idle or asyncio.Event()
            await self._idle.wait()
        line, self._line, self._writer, self._feed, self._loop = self._line, None, None, None, None
        if line and line.pool is not self._borrowed:
            with suppress(TimeoutError):  # a network that stalls: they are just dropped then
                async with asyncio.timeout(GIVING_BACK):
                    await line.pool.close()

    async def migrations(self) -> Listing[MigrationStatus]:
        """See `Database.migrations`."""
        with in_plain_words(self._where):
            async with self._for_a_moment() as connection:
                rows = await tables.applied(connection, self._schema, self._renderer)
        return migrate.status(self._known, {version: (name, at) for version, name, _, at in rows})

    async def rehearse(self) -> None:
        """See `Database.rehearse`."""
        with in_plain_words(self._where):
            async with self._for_a_moment() as connection:
                await tables.rehearse(connection, self._schema, self._known, stamps.now(), self._renderer)

    async def fetch_all(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.fetch_all`."""
        text, bound = self._renderer.render(sql, values)
        rows = await self._insist(lambda lease: lease.fetch(text, bound))
        self._reads += 1
        return [dict(row.items()) for row in rows]

    async def fetch_one(self, sql: str | Sql, /, **values: Any) -> Row | None:
        """See `Database.fetch_one`."""
        text, bound = self._renderer.render(sql, values)
        row = await self._insist(lambda lease: lease.fetch_first(text, bound))
        self._reads += 1
        return None if row is None else dict(row.items())

    async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.execute`."""
        return (await self.write(Statement(sql, values)))[0]

    async def write(
        self,
        *statements: Statement | Rows,
        subject: str | None = None,
        relaxed: bool = False,  # noqa: ARG002 - how durable a commit is, the server decides
    ) -> list[list[Row]]:
        """See `Database.write`."""
        await self._ready()
        if not statements or not self._writer:
            return []
        job = Job(self._renderer, statements, subject, self._patience)
        self._writer.start(job)
        return await job.answer

    async def changes(self) -> AsyncGenerator[None, None]:
        """See `Database.changes`."""
        await self._ready()
        if self._feed:
            async for _ in self._feed.changes():
                yield

    def pool_stats(self) -> PoolStats:
        """See `Database.pool_stats`."""
        if not self._line or not self._writer:
            return _CLOSED
        pool = self._line.pool
        return PoolStats(
            connections=pool.get_size(),
            idle=pool.get_idle_size(),
            most=pool.get_max_size(),
            waiting=self._line.waiting + self._writer.batches.waiting,
            reads=self._reads,
            writes=self._writer.writes,
            commits=self._writer.commits,
            slow=self._slow.count,
        )

    def slow_queries(self) -> Listing[SlowQuery]:
        """See `Database.slow_queries`."""
        return self._slow.newest_first()

    async def backup(self, file: Path) -> None:
        """See `Database.backup`."""
        raise ConfigError(
            f"A copy of {self._where} is made by Postgres's own program: pg_dump --format=custom "
            f"--schema={self._schema} --file={file} and the database's URL."
        )

    async def vacuum(self) -> None:
        """See `Database.vacuum`."""
        await self._insist(lambda lease: upkeep.vacuum(lease, self._schema, self._tables))

    async def check(self) -> Listing[Problem]:
        """See `Database.check`."""
        return Listing(await self._insist(lambda lease: upkeep.check(lease, self._schema, self._tables)))

    async def _insist(self, work: Callable[[Lease], Awaitable[T]]) -> T:
        """Do what changes nothing, or the same however often it is done."""
        line = await self._ready()
        self._running += 1
        try:
            with in_plain_words(self._where):
                return await line.insist(work, asyncio.get_running_loop().time() + self._patience)
        finally:
            self._running -= 1
            if self._idle and not self._running:
                self._idle.set()

    async def _ready(self) -> Line:
        if self._closed:
            raise DatabaseUnavailable(f"The connection to {self._where} is closed; open it again.")
        self._check_loop()
        if self._line:
            return self._line
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())  # maybe nobody waits
        await asyncio.shield(self._starting)  # one caller's cancellation is not the others'
        return await self._ready()

    async def _start(self) -> None:
        try:
            with in_plain_words(self._where):
                pool = await self._connected()
            self._loop, self._idle = asyncio.get_running_loop(), None
            self._line = Line(pool, self._address, self._slow, self._where)
            self._feed = Feed(self._schema, self._line)
            tokens = self._schema if "commits" in self._tables else None
            self._writer = Writer(self._line, tokens, self._where, self._feed.committed)
            self._reads = 0
        finally:
            self._starting = None

    async def _connected(self) -> "asyncpg.Pool[Any]":
        """A pool to a server that has our tables; one that cannot be reached is not waited for."""
        tries = 0
        while True:
            tries += 1
            pool = await self._connect(self._sizes[0])
            try:
                async with pool.acquire() as connection:
                    check_server(connection, self._where)
                    await tables.migrate(connection, self._schema, self._known, stamps.now(), self._renderer)
                return pool
            except BaseException as error:
                if pool is not self._borrowed:
                    await pool.close()
                # Lost in the middle: what was begun is undone, and may begin again.
                if tries == _OPENINGS or not is_lost(error) or isinstance(error, TimeoutError):
                    raise

    @asynccontextmanager
    async def _for_a_moment(self) -> AsyncIterator[Connection]:
        """A connection, also while the database is not open."""
        pool = self._line.pool if self._line else self._borrowed
        if pool:
            async with pool.acquire() as lent:
                yield lent
        elif self._address:
            own = await self._address.connect()
            try:
                yield cast("Connection", own)  # one of a pool can do the same
            finally:
                await own.close(timeout=CONNECT_TIMEOUT)

    async def _connect(self, least: int) -> "asyncpg.Pool[Any]":
        if self._borrowed:
            return self._borrowed
        assert self._address  # noqa: S101 - there is one where no pool was lent
        return await self._address.pool(least, self._sizes[1])

    def _check_loop(self) -> None:
        """Say that another loop has the pool; asyncpg would fail in less plain words, or wait for ever."""
        owner = self._loop or getattr(self._borrowed, "_loop", None)  # asyncpg has no public way to ask
        if owner not in (None, asyncio.get_running_loop()):
            raise DatabaseError(f"The pool of {self._where} belongs to another event loop; open a database in each.")
