"""The database in a schema of Postgres."""

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import asyncpg

from toolkit import stamps
from toolkit.db import migrate
from toolkit.db.database import MigrationStatus, Row, Sql, Statement
from toolkit.db.postgres import schema as tables
from toolkit.db.postgres.failures import LOST, UNDONE, Doubtful, in_plain_words
from toolkit.db.postgres.schema import Connection
from toolkit.db.postgres.search import PostgresLexicalIndex
from toolkit.db.postgres.sql import Renderer
from toolkit.db.statements import Unmatched
from toolkit.errors import ConfigError, DatabaseError, DatabaseUnavailable

Rendered: TypeAlias = tuple[str, list[Any], Exception | None]
T = TypeVar("T")

OLDEST = 14  # of Postgres's major versions
CONNECT_TIMEOUT = 10.0  # seconds
PAUSES = (0.05, 0.2, 0.8)  # seconds before the second, third and fourth try

_USER = re.compile(r"[\w.%-]*")
_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")


class PostgresDatabase:
    """A schema in a Postgres database, over a pool of our own or of somebody else.

    Every table is named with its schema, so that a borrowed connection's search path, codecs and settings stay as
    they are. A pool belongs to one event loop, and so does this object while it is open.

    Args:
        schema: where the tables are; made on first use.
        url: address of the database, for a pool of our own.
        pool: somebody else's pool instead, never closed here.
        sizes: connections of our own pool, at least and at most.
        migrations: the folder of numbered SQL files; None is the toolkit's own.
    """

    def __init__(
        self,
        schema: str,
        *,
        url: str = "",
        pool: "asyncpg.Pool[Any] | None" = None,
        sizes: tuple[int, int] = (1, 10),
        migrations: Path | None = None,
    ) -> None:
        if not _NAME.fullmatch(schema):
            raise ConfigError(f"The schema {schema!r} is not a plain name in lower case; rename it in TOOLKIT_SCHEMA.")
        self._schema = schema
        self._dsn = url.replace("postgresql+asyncpg:", "postgresql:", 1)
        self._borrowed = pool
        self._sizes = sizes
        self._known = migrate.load(migrations or migrate.default_folder(), self.dialect)
        self._renderer = Renderer(schema, migrate.tables(self._known))
        self._where = f"the database {self.url}"
        self._starting: asyncio.Task[None] | None = None
        self._pool: asyncpg.Pool[Any] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._running = 0  # operations that hold, or wait for, a connection
        self._idle: asyncio.Event | None = None  # set when the last of them ends; there while somebody closes
        self._lexical = PostgresLexicalIndex(self)

    @property
    def url(self) -> str:
        """Where it is, without password and options."""
        return "postgresql:// (borrowed pool)" if self._borrowed else _without_password(self._dsn)

    @property
    def dialect(self) -> str:
        """`"postgres"`."""
        return "postgres"

    @property
    def lexical(self) -> PostgresLexicalIndex:
        """The word index over the table `chunks`."""
        return self._lexical

    async def open(self) -> None:
        """See `Database.open`."""
        self._closed = False
        await self._ready()

    async def close(self) -> None:
        """See `Database.close`."""
        self._closed = True
        if self._starting:
            await asyncio.wait([self._starting])
        if self._running:
            self._idle = self._idle or asyncio.Event()
            await self._idle.wait()
        if self._pool is None:
            return
        self._check_loop()
        pool, self._pool, self._loop, self._idle = self._pool, None, None, None
        if pool is not self._borrowed:
            await pool.close()

    async def migrations(self) -> list[MigrationStatus]:
        """See `Database.migrations`."""
        with in_plain_words(self._where):
            pool = self._pool or self._borrowed or await self._connect(0)
            try:
                async with pool.acquire() as connection:
                    rows = await tables.applied(connection, self._schema, self._renderer)
            finally:
                if pool not in (self._pool, self._borrowed):
                    await pool.close()
        return migrate.status(self._known, {version: (name, at) for version, name, _, at in rows})

    async def fetch_all(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.fetch_all`."""
        text, bound = self._renderer.render(sql, values)
        return [dict(row) for row in await self._insist(lambda pool: pool.fetch(text, *bound))]

    async def fetch_one(self, sql: str | Sql, /, **values: Any) -> Row | None:
        """See `Database.fetch_one`."""
        text, bound = self._renderer.render(sql, values)
        row = await self._insist(lambda pool: pool.fetchrow(text, *bound))
        return None if row is None else dict(row)

    async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.execute`."""
        return (await self.write(Statement(sql, values)))[0]

    async def write(self, *statements: Statement) -> list[list[Row]]:
        """See `Database.write`."""
        rendered = [(*self._renderer.render(s.sql, s.values), s.unmatched) for s in statements]
        try:
            return await self._insist(lambda pool: _write_once(pool, rendered))
        except Unmatched as unmatched:
            raise unmatched.error from None

    async def _insist(self, work: Callable[["asyncpg.Pool[Any]"], Awaitable[T]]) -> T:
        """Do `work`, again if it was certainly not done: the connection was lost early, or others were in the way."""
        pool = await self._ready()
        self._running += 1
        try:
            with in_plain_words(self._where):
                for pause in PAUSES:
                    try:
                        return await work(pool)
                    except (*LOST, *UNDONE) as error:
                        if isinstance(error, TimeoutError) or pool.is_closing():  # it has waited long enough
                            raise
                        await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret hangs on it
                return await work(pool)
        finally:
            self._running -= 1
            if self._idle and not self._running:
                self._idle.set()

    async def _ready(self) -> "asyncpg.Pool[Any]":
        if self._closed:
            raise DatabaseUnavailable(f"The connection to {self._where} is closed; open it again.")
        self._check_loop()
        if self._pool:
            return self._pool
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())  # maybe nobody waits
        await asyncio.shield(self._starting)  # one caller's cancellation is not the others'
        return await self._ready()

    async def _start(self) -> None:
        try:
            with in_plain_words(self._where):
                pool = self._borrowed or await self._connect(self._sizes[0])
                try:
                    async with pool.acquire() as connection:
                        self._check_server(connection)
                        await tables.migrate(connection, self._schema, self._known, stamps.now(), self._renderer)
                except BaseException:
                    if pool is not self._borrowed:
                        await pool.close()
                    raise
            self._pool, self._loop = pool, asyncio.get_running_loop()
        finally:
            self._starting = None

    async def _connect(self, least: int) -> "asyncpg.Pool[Any]":
        logging.getLogger("asyncpg.pool").addFilter(_one_line)
        try:
            return await asyncpg.create_pool(
                self._dsn, min_size=least, max_size=self._sizes[1], reset=_leave_as_it_is, timeout=CONNECT_TIMEOUT
            )
        except asyncpg.ClientConfigurationError:
            raise
        except ValueError as error:  # what it says may quote a part of the password
            raise ConfigError(
                f"The URL of {self._where} cannot be read; write it as postgresql://user:password@host:port/name, "
                "with %40, %2F and the like for special characters."
            ) from error

    def _check_loop(self) -> None:
        """Say that another loop has the pool; asyncpg would fail in less plain words, or wait for ever."""
        owner = self._loop or getattr(self._borrowed, "_loop", None)  # asyncpg has no public way to ask
        if owner not in (None, asyncio.get_running_loop()):
            raise DatabaseError(f"The pool of {self._where} belongs to another event loop; open a database in each.")

    def _check_server(self, connection: Connection) -> None:
        version = connection.get_server_version()
        if version.major < OLDEST:
            raise DatabaseUnavailable(
                f"The server of {self._where} is Postgres {version.major}; upgrade it to {OLDEST} or newer."
            )
        encoding: str = connection.get_settings().server_encoding
        if encoding != "UTF8":
            raise DatabaseUnavailable(
                f"The encoding of {self._where} is {encoding}; make one with createdb --encoding=UTF8."
            )


def _one_line(record: logging.LogRecord) -> bool:
    """Take the stack trace off what asyncpg logs every few seconds while a server is away; keep its reason."""
    if record.exc_info:
        record.msg, record.exc_info = f"{record.msg}: {record.exc_info[1]}", None
    return True


async def _leave_as_it_is(_: "asyncpg.Connection[Any]") -> None:
    """Save the round trip that resets a connection of our own pool: nobody sets anything there."""


async def _write_once(pool: "asyncpg.Pool[Any]", statements: list[Rendered]) -> list[list[Row]]:
    results = None
    try:
        async with pool.acquire() as connection:
            results = await _transact(connection, statements)
    except LOST:
        if results is None:
            raise
        # The commit was acknowledged; only giving the connection back has failed.
    return results


async def _transact(connection: Connection, statements: list[Rendered]) -> list[list[Row]]:
    if len(statements) == 1 and statements[0][2] is None:
        # A statement alone is its own transaction: one round trip instead of three.
        with _doubt():
            return [await _fetch(connection, statements[0])]
    transaction = connection.transaction()
    await transaction.start()
    try:
        results = [await _fetch(connection, statement) for statement in statements]
    except BaseException:
        with suppress(*LOST):
            await transaction.rollback()
        raise
    with _doubt():
        await transaction.commit()
    return results


@contextmanager
def _doubt() -> Iterator[None]:
    """Inside, losing the connection means not knowing whether the commit was done."""
    try:
        yield
    except LOST as error:
        raise Doubtful from error


async def _fetch(connection: Connection, statement: Rendered) -> list[Row]:
    sql, values, unmatched = statement
    rows = await connection.fetch(sql, *values)
    if unmatched is not None and not rows:
        raise Unmatched(unmatched)
    return [dict(row) for row in rows]


def _without_password(dsn: str) -> str:
    """Never more than user, host and name, however wrong the URL is: a password may hold any of its separators."""
    credentials, at, rest = dsn.partition("://")[2].rpartition("@")
    user = credentials.partition(":")[0]
    place = re.split("[?#]", rest, maxsplit=1)[0]
    return f"postgresql://{user if _USER.fullmatch(user) else ''}{at}{place}"
