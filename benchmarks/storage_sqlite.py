"""The contenders on a SQLite file. All use the same pragmas, and commit with synchronous=FULL."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.hot_path import LAST_MESSAGES, LEDGER, MESSAGE, SESSION, TOUCH, Gone, Unit, in_sqlite, spelled

PRAGMAS = ("busy_timeout = 10000", "synchronous = FULL", "foreign_keys = ON", "journal_size_limit = 67108864")
MAX_BATCH = 256

_LEDGER, _TOUCH, _MESSAGE, _SESSION, _LAST = (
    spelled(sql, "?") for sql in (LEDGER, TOUCH, MESSAGE, SESSION, LAST_MESSAGES)
)
Bound: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...], list[tuple[Any, ...]]]
Waiting: TypeAlias = tuple[Any, "asyncio.Future[Any]"]


def bind(unit: Unit) -> Bound:
    """A unit's values in the order of their numbered places."""
    ledger, touch, *messages = unit.values()
    return (
        tuple(in_sqlite(ledger[name]) for name in _LEDGER[1]),
        tuple(in_sqlite(touch[name]) for name in _TOUCH[1]),
        [tuple(in_sqlite(message[name]) for name in _MESSAGE[1]) for message in messages],
    )


class RawGroups:
    """Python's sqlite3 and nothing else: a writer thread that commits what waits, and a reader thread.

    It knows this one unit only, and takes its values ready for SQLite. A unit that fails takes its group with it.
    """

    name = "sqlite3, hand-written group commit"
    database = "sqlite"
    reads = True

    def __init__(self, file: Path) -> None:
        self._file = file

    async def open(self) -> None:
        """See `Peer`."""
        self._writer = _Thread(self._file, _write_group)
        self._reader = _Thread(self._file, _read_group)

    async def close(self) -> None:
        """See `Peer`."""
        self._writer.stop()
        self._reader.stop()

    def bind(self, unit: Unit) -> Bound:
        """See `Peer`."""
        return bind(unit)

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        await self._writer.run(bound)

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        return len((await self._reader.run((session_id,)))[1])


class _Thread:
    def __init__(self, file: Path, run: Callable[[sqlite3.Cursor, list[Waiting]], list[Any]]) -> None:
        self._file = file
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._main, daemon=True)
        self._thread.start()

    async def run(self, work: Any) -> Any:
        future = self._loop.create_future()
        self._queue.put((work, future))
        return await future

    def stop(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _main(self) -> None:
        connection = sqlite3.connect(self._file, isolation_level=None, cached_statements=256)
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        cursor = connection.cursor()
        while (first := self._queue.get()) is not None:
            batch = [first]
            with suppress(queue.Empty):
                while len(batch) < MAX_BATCH:
                    more = self._queue.get_nowait()
                    if more is None:
                        self._queue.put(None)
                        break
                    batch.append(more)
            try:
                results = self._run(cursor, batch)
            except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._loop.call_soon_threadsafe(_fail, batch, error)
            else:
                self._loop.call_soon_threadsafe(_settle, batch, results)
        connection.close()


def _settle(batch: list[Waiting], results: list[Any]) -> None:
    for (_, future), result in zip(batch, results, strict=True):
        if not future.done():
            future.set_result(result)


def _fail(batch: list[Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)


def _write_group(cursor: sqlite3.Cursor, batch: list[Waiting]) -> list[Any]:
    execute, executemany = cursor.execute, cursor.executemany
    touched = []
    execute("BEGIN IMMEDIATE")
    for (ledger, touch, messages), _ in batch:
        execute(_LEDGER[0], ledger)
        rows = execute(_TOUCH[0], touch).fetchall()
        if not rows:
            raise Gone(touch)
        touched.append(rows[0])
        executemany(_MESSAGE[0], messages)
    execute("COMMIT")
    return touched


def _read_group(cursor: sqlite3.Cursor, batch: list[Waiting]) -> list[Any]:
    return [(cursor.execute(_SESSION[0], key).fetchone(), cursor.execute(_LAST[0], key).fetchall()) for key, _ in batch]


class Aiosqlite:
    """aiosqlite as its users write it: a connection for writing behind a lock, and one for reading."""

    name = "aiosqlite"
    database = "sqlite"
    reads = True

    def __init__(self, file: Path) -> None:
        self._file = file

    async def open(self) -> None:
        """See `Peer`."""
        import aiosqlite  # noqa: PLC0415 - it may be missing, and the table then says so

        self._lock = asyncio.Lock()
        self._writer, self._reader = [
            await aiosqlite.connect(self._file, isolation_level=None, cached_statements=256) for _ in range(2)
        ]
        for connection in (self._writer, self._reader):
            for pragma in PRAGMAS:
                await connection.execute(f"PRAGMA {pragma}")

    async def close(self) -> None:
        """See `Peer`."""
        await self._writer.close()
        await self._reader.close()

    def bind(self, unit: Unit) -> Bound:
        """See `Peer`."""
        return bind(unit)

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        ledger, touch, messages = bound
        async with self._lock:
            await self._writer.execute("BEGIN IMMEDIATE")
            await self._writer.execute(_LEDGER[0], ledger)
            touched = await self._writer.execute_fetchall(_TOUCH[0], touch)
            await self._writer.executemany(_MESSAGE[0], messages)
            if not touched:
                await self._writer.rollback()
                raise Gone(touch)
            await self._writer.commit()

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        key = (session_id,)
        await self._reader.execute_fetchall(_SESSION[0], key)
        return len(list(await self._reader.execute_fetchall(_LAST[0], key)))


class SqlalchemyOnSqlite:
    """SQLAlchemy's async engine over aiosqlite, with plain text statements: one connection writes, four read."""

    name = "SQLAlchemy async (aiosqlite)"
    database = "sqlite"
    reads = True

    def __init__(self, file: Path) -> None:
        self._url = f"sqlite+aiosqlite:///{file}"

    async def open(self) -> None:
        """See `Peer`."""
        import aiosqlite  # noqa: F401, PLC0415 - missing means missing before the engine is used
        from sqlalchemy import event, text  # noqa: PLC0415 - it may be missing, and the table then says so
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - as above

        self._writer = create_async_engine(self._url, pool_size=1, max_overflow=0)
        self._reader = create_async_engine(self._url, pool_size=4, max_overflow=0)
        for engine in (self._writer, self._reader):
            event.listen(engine.sync_engine, "connect", _set_pragmas)
        event.listen(self._writer.sync_engine, "begin", _begin_immediate)
        self._sql = {sql: text(sql) for sql in (LEDGER, TOUCH, MESSAGE, SESSION, LAST_MESSAGES)}

    async def close(self) -> None:
        """See `Peer`."""
        await self._writer.dispose()
        await self._reader.dispose()

    def bind(self, unit: Unit) -> Any:
        """See `Peer`."""
        return [{name: in_sqlite(value) for name, value in values.items()} for values in unit.values()]

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        ledger, touch, *messages = bound
        async with self._writer.begin() as connection:
            await connection.execute(self._sql[LEDGER], ledger)
            if not (await connection.execute(self._sql[TOUCH], touch)).all():
                raise Gone(touch)
            await connection.execute(self._sql[MESSAGE], messages)

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        async with self._reader.connect() as connection:
            (await connection.execute(self._sql[SESSION], {"id": session_id})).one()
            return len((await connection.execute(self._sql[LAST_MESSAGES], {"id": session_id})).all())


def _set_pragmas(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # `_begin_immediate` begins
    cursor = connection.cursor()
    for pragma in PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
