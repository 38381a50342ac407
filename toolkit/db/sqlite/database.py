"""The database in a SQLite file, or in memory."""

import asyncio
import os
import re
import threading
from collections.abc import AsyncGenerator, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from toolkit import stamps
from toolkit.db import migrate
from toolkit.db.database import MigrationStatus, PoolStats, Problem, Row, Rows, Sql, Statement
from toolkit.db.slow import SlowQueries, SlowQuery
from toolkit.db.sqlite import schema, upkeep
from toolkit.db.sqlite.commit import GroupCommit, RunEach
from toolkit.db.sqlite.connect import connect, make_folder, read_applied
from toolkit.db.sqlite.driver import Connection
from toolkit.db.sqlite.failures import Place, in_plain_words, is_damage, not_writable
from toolkit.db.sqlite.feed import Feed
from toolkit.db.sqlite.rehearsal import rehearse
from toolkit.db.sqlite.rows import prepared, ready, run_list, run_one
from toolkit.db.sqlite.thread import ConnectionThread, Work
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, DatabaseUnavailable

_OPTIONS = re.compile(r"\?(?P<text>[^?/]*=[^/]*)$")  # `a.db?synchronous=normal`; not `what?.db`


@dataclass(frozen=True, slots=True)
class Threads:
    """The two threads of an open database; in memory they are one."""

    writer: ConnectionThread
    reader: ConnectionThread

    def all(self) -> set[ConnectionThread]:
        """Each once."""
        return {self.writer, self.reader}


class SqliteDatabase:
    """A SQLite file, or memory.

    All writes of the process go through one thread, which commits whatever waits together: an operation is
    acknowledged after the commit that holds it, and is kept even if the power fails. Reads go through a second
    thread, which sees every acknowledged write. In memory there is one connection, and one thread, for both.
    Tasks of several event loops may use one object.

    With `synchronous="normal"` (`sqlite:///file.db?synchronous=normal`) a commit does not wait for the disk. A program
    that crashes or is killed loses nothing by that. A power cut, or a crash of the whole system, may lose the last
    acknowledged writes, all since the log was last brought into the file; what is left is whole and consistent. In
    800 simulated power cuts `full` lost nothing; `normal` lost writes in most, and damaged the file in none
    (docs/storage.md). A single write may be so, too: `relaxed`; the next one that is not brings it to the disk.

    Several programs may use one file. Who wants to write waits for the others, and after `busy_timeout` is told who
    holds the lock, as far as the system knows. Within one program all connections to a file must be of one and the
    same SQLite library: the locks of two of them (Python's own, and the package pysqlite3) do not see each other.

    Args:
        path: the file, made with its folder if it is missing; None is memory.
        busy_timeout: seconds to wait for a lock that another program holds.
        migrations: the folder of numbered SQL files; None is the toolkit's own.
        slow_ms: milliseconds from which on a statement counts as slow; 0 is never. The wait for another program's
            lock counts as a slow `BEGIN`.
        synchronous: `full` or `normal`.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        busy_timeout: float = 10.0,
        migrations: Path | None = None,
        slow_ms: int = 0,
        synchronous: str = "full",
    ) -> None:
        self._path = path.expanduser().absolute() if path else None
        self._busy_timeout = busy_timeout
        self._migrations = migrations
        self._synchronous = synchronous
        self._place = Place.of(self._path)
        self._changing = threading.Lock()  # held while the threads are started or stopped
        self._threads: Threads | None = None
        self._closed = False
        self._slow = SlowQueries(slow_ms)
        self._group_commit = GroupCommit(self._place, busy_timeout, self._slow, durable=synchronous == "full")
        self._reads = self._writes = 0
        self._feed = Feed(self._look)

    @classmethod
    def from_url(cls, url: str, *, slow_ms: int = 0) -> "SqliteDatabase":
        """The database of a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite:///~/home.db`, `sqlite://`.

        One option may follow, `?synchronous=normal` or `full`. A `?` that no `=` follows is part of the file's name.

        Raises:
            ConfigError: another form, or another option.
        """
        path, synchronous = url.removeprefix("sqlite://"), "full"
        if options := _OPTIONS.search(path):  # any other `?` belongs to the file's name
            path, synchronous = path[: options.start()], options["text"].removeprefix("synchronous=").lower()
            if synchronous not in ("normal", "full"):
                raise ConfigError(
                    f"The database URL {url!r} has the option {options['text']!r}, and there is only one: "
                    "synchronous=full or synchronous=normal."
                )
        if path in ("", "/:memory:"):
            return cls(None, slow_ms=slow_ms)
        if not path.startswith("/") or path == "/":
            raise ConfigError(f"The database URL {url!r} names no file; write it as sqlite:///file.db.")
        return cls(Path(path[1:]), slow_ms=slow_ms, synchronous=synchronous)

    @property
    def url(self) -> str:
        """`sqlite:///` and the whole path, or `sqlite://`, which is memory."""
        return f"sqlite:///{self._path}" if self._path else "sqlite://"

    @property
    def dialect(self) -> str:
        """`"sqlite"`."""
        return "sqlite"

    async def open(self) -> None:
        """See `Database.open`."""
        self._closed = False
        await self._ready()

    async def close(self) -> None:
        """See `Database.close`."""
        self._closed = True
        self._feed.end()
        await asyncio.to_thread(self._stop)

    async def migrations(self) -> Listing[MigrationStatus]:
        """See `Database.migrations`."""
        rows = await (self._read(schema.applied) if self._threads else asyncio.to_thread(self._applied_in_file))
        had = {version: (name, datetime.fromisoformat(at)) for version, name, _, at in rows}
        return migrate.status(self._known(), had)

    async def rehearse(self) -> None:
        """See `Database.rehearse`."""
        with in_plain_words(self._place):
            await asyncio.to_thread(rehearse, self._path, self._busy_timeout, self._known(), stamps.now())

    async def fetch_all(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.fetch_all`."""
        text, bound = ready(sql, values)
        rows: list[Row] = await self._read(lambda connection: run_one(connection.conn, text, bound, self._slow))
        return rows

    async def fetch_one(self, sql: str | Sql, /, **values: Any) -> Row | None:
        """See `Database.fetch_one`."""
        text, bound = ready(sql, values)
        rows: list[Row] = await self._read(lambda connection: run_one(connection.conn, text, bound, self._slow, most=1))
        return rows[0] if rows else None

    async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.execute`."""
        return (await self.write(Statement(sql, values)))[0]

    async def write(
        self,
        *statements: Statement | Rows,
        subject: str | None = None,  # noqa: ARG002 - one writer keeps every order
        relaxed: bool = False,
    ) -> list[list[Row]]:
        """See `Database.write`."""
        bound = [prepared(statement) for statement in statements]
        threads = self._threads or await self._ready()
        results: list[list[Row]] = await threads.writer.run(
            lambda connection: run_list(connection.conn, bound, self._slow), relaxed=relaxed
        )
        self._writes += 1
        return results

    async def changes(self) -> AsyncGenerator[None, None]:
        """See `Database.changes`; it ends when the database is closed."""
        await self._ready()
        async for change in self._feed.listen():
            yield change

    def pool_stats(self) -> PoolStats:
        """See `Database.pool_stats`."""
        threads = self._threads.all() if self._threads else ()
        return PoolStats(
            connections=len(threads),
            idle=sum(not thread.busy for thread in threads),
            most=1 if self._path is None else 2,
            waiting=sum(thread.waiting for thread in threads),
            reads=self._reads,
            writes=self._writes,
            commits=self._group_commit.commits,
            slow=self._slow.count,
        )

    def slow_queries(self) -> Listing[SlowQuery]:
        """See `Database.slow_queries`."""
        return self._slow.newest_first()

    async def backup(self, file: Path) -> None:
        """See `Database.backup`; writers and readers go on meanwhile, and what they add may not be in the copy."""
        target = upkeep.free_place(file)
        await self._ready()
        await self._apart(partial(upkeep.back_up, target=target))

    async def vacuum(self) -> None:
        """See `Database.vacuum`; writers of this program wait for its end, those of others as for any lock."""
        threads = await self._ready()
        await threads.writer.run(upkeep.vacuum, alone=True)

    async def check(self) -> Listing[Problem]:
        """See `Database.check`; a file that is too damaged to be opened for use is looked at all the same."""
        if not (self._path and self._path.exists()):
            await self._ready()
        try:
            problems: list[Problem] = await self._apart(upkeep.check)
        except DatabaseUnavailable as error:
            if not is_damage(error.__cause__):
                raise
            problems = [upkeep.unreadable(error.__cause__)]
        return Listing(problems)

    async def _apart(self, work: Work) -> Any:
        """Do long work beside what goes on: over a connection of its own, or, in memory, over the only one."""
        if self._path is None:
            return await (await self._ready()).writer.run(work, alone=True)
        return await asyncio.to_thread(self._connect_and, work)

    def _connect_and(self, work: Work) -> Any:
        with in_plain_words(self._place):
            connection = self._connect()
            try:
                return work(connection)
            finally:
                connection.close()

    async def _look(self) -> Hashable:
        threads = await self._ready()
        version: Hashable = await threads.reader.run(_version, alone=True)
        return version

    async def _read(self, work: Work) -> Any:
        threads = self._threads or await self._ready()
        if threads.reader is threads.writer:
            work = partial(_without_writing, work)
        result = await threads.reader.run(work, alone=True)
        self._reads += 1
        return result

    async def _ready(self) -> Threads:
        if self._threads and not self._closed:
            return self._threads
        return await asyncio.to_thread(self._start, stamps.now())

    def _start(self, now: datetime) -> Threads:
        with self._changing:
            if self._closed:
                raise DatabaseUnavailable(f"The connection to {self._place.name} is closed; open it again.")
            if not self._threads:
                self._threads = self._start_threads(self._known(), now)
            return self._threads

    def _start_threads(self, known: Sequence[migrate.Migration], now: datetime) -> Threads:
        if self._path:
            make_folder(self._path, self._place.name)
        run_each = RunEach(self._place)
        self._reads = self._writes = self._group_commit.commits = 0
        writer = ConnectionThread(
            "toolkit-sqlite-writer",
            where=self._place.name,
            connect=lambda: self._connect_writer(known, now),
            together=self._group_commit,
            apart=run_each,
        )
        writer.start()
        if self._path is None:
            return Threads(writer, writer)
        reader = ConnectionThread(
            "toolkit-sqlite-reader",
            where=self._place.name,
            connect=self._connect_reader,
            together=run_each,
            apart=run_each,
        )
        try:
            reader.start()
        except BaseException:
            writer.stop()
            raise
        return Threads(writer, reader)

    def _stop(self) -> None:
        with self._changing:
            threads, self._threads = self._threads, None
            if threads:
                threads.writer.stop()
                threads.reader.stop()

    def _connect(self, *, read_only: bool = False) -> Connection:
        return connect(self._path, self._busy_timeout, read_only=read_only, synchronous=self._synchronous)

    def _connect_writer(self, known: Sequence[migrate.Migration], now: datetime) -> Connection:
        if self._path and self._path.exists() and not os.access(self._path, os.W_OK):
            # SQLite would leave files beside it that may not be written either, and are in the way later.
            raise not_writable(self._place)
        with in_plain_words(self._place):
            connection = self._connect()
            try:
                schema.migrate(connection, known, now)
            except BaseException:
                connection.close()
                raise
            return connection

    def _connect_reader(self) -> Connection:
        with in_plain_words(self._place):
            return self._connect(read_only=True)

    def _applied_in_file(self) -> list[tuple[int, str, str, str]]:
        with in_plain_words(self._place):
            return read_applied(self._path, self._busy_timeout)

    def _known(self) -> tuple[migrate.Migration, ...]:
        return migrate.load(self._migrations or migrate.default_folder(), self.dialect)


def _version(connection: Connection) -> Hashable:
    """Something that changes with each commit: of another connection, or, in memory, of this one."""
    (version,) = connection.conn.execute("PRAGMA data_version").fetchone()
    return version, connection.conn.total_changes


def _without_writing(work: Work, connection: Connection) -> Any:
    connection.execute("PRAGMA query_only = 1")
    try:
        return work(connection)
    finally:
        connection.execute("PRAGMA query_only = 0")
