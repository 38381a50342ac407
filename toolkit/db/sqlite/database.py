"""The database in a SQLite file, or in memory."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from toolkit import stamps
from toolkit.db import migrate
from toolkit.db.database import MigrationStatus, Row, Sql, Statement
from toolkit.db.sqlite import schema
from toolkit.db.sqlite.commit import commit_together, read_each
from toolkit.db.sqlite.connect import connect, make_folder, read_applied
from toolkit.db.sqlite.driver import Connection
from toolkit.db.sqlite.failures import in_plain_words
from toolkit.db.sqlite.search import SqliteLexicalIndex
from toolkit.db.sqlite.thread import ConnectionThread, Work
from toolkit.db.statements import Unmatched, checked_text, json_text, utc
from toolkit.errors import ConfigError, DatabaseUnavailable

Bound: TypeAlias = tuple[str, dict[str, Any], Exception | None]


@dataclass(frozen=True, slots=True)
class Threads:
    """The two threads of an open database; in memory they are one."""

    writer: ConnectionThread
    reader: ConnectionThread


class SqliteDatabase:
    """A SQLite file, or memory.

    All writes of the process go through one thread, which commits whatever waits together: an operation is
    acknowledged after the commit that holds it, and is kept even if the power fails. Reads go through a second
    thread, which sees every acknowledged write. In memory there is one connection, and one thread, for both.
    Tasks of several event loops may use one object.

    Args:
        path: the file, made with its folder if it is missing; None is memory.
        busy_timeout: seconds to wait for a lock that another program holds.
        migrations: the folder of numbered SQL files; None is the toolkit's own.
    """

    def __init__(self, path: Path | None, *, busy_timeout: float = 10.0, migrations: Path | None = None) -> None:
        self._path = path.expanduser().absolute() if path else None
        self._busy_timeout = busy_timeout
        self._migrations = migrations
        self._where = f"the database {self._path}" if self._path else "the database in memory"
        self._changing = threading.Lock()  # held while the threads are started or stopped
        self._threads: Threads | None = None
        self._closed = False
        self._lexical = SqliteLexicalIndex(self)

    @classmethod
    def from_url(cls, url: str) -> "SqliteDatabase":
        """The database of a URL: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite:///~/home.db`, `sqlite://`.

        Raises:
            ConfigError: another form.
        """
        path = url.removeprefix("sqlite://")
        if path in ("", "/:memory:"):
            return cls(None)
        if not path.startswith("/") or path == "/":
            raise ConfigError(f"The database URL {url!r} names no file; write it as sqlite:///file.db.")
        return cls(Path(path[1:]))

    @property
    def url(self) -> str:
        """`sqlite:///` and the whole path, or `sqlite://`, which is memory."""
        return f"sqlite:///{self._path}" if self._path else "sqlite://"

    @property
    def dialect(self) -> str:
        """`"sqlite"`."""
        return "sqlite"

    @property
    def lexical(self) -> SqliteLexicalIndex:
        """The word index over the table `chunks`."""
        return self._lexical

    async def open(self) -> None:
        """See `Database.open`."""
        self._closed = False
        await self._ready()

    async def close(self) -> None:
        """See `Database.close`."""
        self._closed = True
        await asyncio.to_thread(self._stop)

    async def migrations(self) -> list[MigrationStatus]:
        """See `Database.migrations`."""
        rows = await (self._read(schema.applied) if self._threads else asyncio.to_thread(self._applied_in_file))
        had = {version: (name, datetime.fromisoformat(at)) for version, name, _, at in rows}
        return migrate.status(self._known(), had)

    async def fetch_all(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.fetch_all`."""
        text, bound = _text(sql), _bind(values)
        rows: list[Row] = await self._read(lambda connection: _rows(connection, text, bound))
        return rows

    async def fetch_one(self, sql: str | Sql, /, **values: Any) -> Row | None:
        """See `Database.fetch_one`."""
        text, bound = _text(sql), _bind(values)
        rows: list[Row] = await self._read(lambda connection: _rows(connection, text, bound, limit=1))
        return rows[0] if rows else None

    async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """See `Database.execute`."""
        return (await self.write(Statement(sql, values)))[0]

    async def write(self, *statements: Statement) -> list[list[Row]]:
        """See `Database.write`."""
        bound = [(_text(s.sql), _bind(s.values), s.unmatched) for s in statements]
        threads = await self._ready()
        results: list[list[Row]] = await threads.writer.run(lambda connection: _run_all(connection, bound))
        return results

    async def _read(self, work: Work) -> Any:
        threads = await self._ready()
        if threads.reader is threads.writer:
            work = partial(_without_writing, work)
        return await threads.reader.run(work)

    async def _ready(self) -> Threads:
        if self._threads and not self._closed:
            return self._threads
        return await asyncio.to_thread(self._start, stamps.now())

    def _start(self, now: datetime) -> Threads:
        with self._changing:
            if self._closed:
                raise DatabaseUnavailable(f"The connection to {self._where} is closed; open it again.")
            if not self._threads:
                self._threads = self._start_threads(self._known(), now)
            return self._threads

    def _start_threads(self, known: Sequence[migrate.Migration], now: datetime) -> Threads:
        if self._path:
            make_folder(self._path, self._where)
        writer = ConnectionThread(
            "toolkit-sqlite-writer",
            where=self._where,
            connect=lambda: self._connect_writer(known, now),
            run_batch=partial(commit_together, where=self._where),
        )
        writer.start()
        if self._path is None:
            return Threads(writer, writer)
        reader = ConnectionThread(
            "toolkit-sqlite-reader",
            where=self._where,
            connect=self._connect_reader,
            run_batch=partial(read_each, where=self._where),
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

    def _connect_writer(self, known: Sequence[migrate.Migration], now: datetime) -> Connection:
        with in_plain_words(self._where):
            connection = connect(self._path, self._busy_timeout)
            try:
                schema.migrate(connection, known, now)
            except BaseException:
                connection.close()
                raise
            return connection

    def _connect_reader(self) -> Connection:
        with in_plain_words(self._where):
            return connect(self._path, self._busy_timeout, read_only=True)

    def _applied_in_file(self) -> list[tuple[int, str, str, str]]:
        with in_plain_words(self._where):
            return read_applied(self._path, self._busy_timeout)

    def _known(self) -> tuple[migrate.Migration, ...]:
        return migrate.load(self._migrations or migrate.default_folder(), self.dialect)


def _text(sql: str | Sql) -> str:
    return sql if isinstance(sql, str) else sql.sqlite


def _bind(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as SQLite keeps them: JSON and times are text, times in UTC and all of one width."""
    bound: dict[str, Any] = {}
    for name, value in values.items():
        match value:
            case str():
                bound[name] = checked_text(name, value)
            case dict() | list():
                bound[name] = json_text(name, value)
            case datetime():
                bound[name] = utc(name, value).isoformat(timespec="microseconds")
            case _:
                bound[name] = value
    return bound


def _run_all(connection: Connection, statements: Sequence[Bound]) -> list[list[Row]]:
    results = []
    for sql, values, unmatched in statements:
        rows = _rows(connection, sql, values)
        if unmatched is not None and not rows:
            raise Unmatched(unmatched)
        results.append(rows)
    return results


def _rows(connection: Connection, sql: str, values: dict[str, Any], *, limit: int | None = None) -> list[Row]:
    """Every row, or the first `limit`; nothing stays open, or an old snapshot would keep the log from shrinking."""
    cursor = connection.execute(sql, values)
    if cursor.description is None:
        return []
    columns = [column[0] for column in cursor.description]
    found = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
    cursor.close()
    return [dict(zip(columns, row, strict=True)) for row in found]


def _without_writing(work: Work, connection: Connection) -> Any:
    connection.execute("PRAGMA query_only = 1")
    try:
        return work(connection)
    finally:
        connection.execute("PRAGMA query_only = 0")
