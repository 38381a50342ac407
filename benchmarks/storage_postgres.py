"""The contenders on Postgres, each in a schema of its own on one server with fsync on."""

import asyncio
import json
from collections import deque
from typing import Any, TypeAlias

import asyncpg

from benchmarks.hot_path import LAST_MESSAGES, LEDGER, MESSAGE, SESSION, TOUCH, Gone, Unit, as_text, spelled

CONNECTIONS = 10  # as many as the toolkit's own pool may have
MAX_BATCH = 256

_LEDGER, _TOUCH, _MESSAGE, _SESSION, _LAST = (
    spelled(sql, "$") for sql in (LEDGER, TOUCH, MESSAGE, SESSION, LAST_MESSAGES)
)
Waiting: TypeAlias = tuple[str, Any, "asyncio.Future[Any]"]

# One statement for a whole batch: its input is a JSON array of units.
_COLUMNS = {
    **dict.fromkeys(_LEDGER[1], "text"),
    **dict.fromkeys(("attempt", "http_status", "input_tokens", "output_tokens", "cached_tokens"), "bigint"),
    **dict.fromkeys(("cache_write_tokens", "reasoning_tokens", "cost_nano_usd"), "bigint"),
    "milliseconds": "double precision",
    "started_at": "timestamptz",
}
_AS_ONE = f"""
WITH units AS (
    SELECT *
      FROM jsonb_to_recordset($1) AS unit (
               {", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())},
               expires_at timestamptz, said jsonb)
), ledger AS (
    INSERT INTO calls ({", ".join(_COLUMNS)})
    SELECT {", ".join(_COLUMNS)} FROM units
    ON CONFLICT (id) DO NOTHING
), touched AS (
    UPDATE sessions
       SET used_at = units.started_at, expires_at = GREATEST(sessions.expires_at, units.expires_at)
      FROM units
     WHERE sessions.id = units.session_id AND sessions.expires_at > units.started_at
    RETURNING sessions.*
), kept AS (
    INSERT INTO messages (session_id, position, role, body, call_id, created_at)
    SELECT units.session_id, last.position + said.number, said.body ->> 'role', said.body, units.call_id,
           units.started_at
      FROM units
      JOIN touched ON touched.id = units.session_id
     CROSS JOIN LATERAL (
               SELECT COALESCE(MAX(position), 0) AS position FROM messages WHERE session_id = units.session_id) AS last
     CROSS JOIN LATERAL jsonb_array_elements(units.said) WITH ORDINALITY AS said (body, number)
)
SELECT * FROM touched
"""


class _Asyncpg:
    """What the three contenders on plain asyncpg share: a pool like the toolkit's, and the reading."""

    database = "postgres"
    reads = False

    def __init__(self, dsn: str, schema: str) -> None:
        self._dsn = dsn
        self._schema = schema

    async def open(self) -> None:
        """See `Peer`."""
        self.pool: asyncpg.Pool[Any] = await asyncpg.create_pool(
            self._dsn,
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            reset=_leave_as_it_is,
            server_settings={"search_path": self._schema},
        )

    async def close(self) -> None:
        """See `Peer`."""
        await self.pool.close()

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        async with self.pool.acquire() as connection:
            await connection.fetchrow(_SESSION[0], session_id)
            return len(await connection.fetch(_LAST[0], session_id))

    def bind(self, unit: Unit) -> Any:
        """See `Peer`."""
        return unit.session_id, [
            tuple(as_text(values[name]) for name in names)
            for values, (_, names) in zip(unit.values(), (_LEDGER, _TOUCH, _MESSAGE, _MESSAGE), strict=True)
        ]


async def _leave_as_it_is(_: "asyncpg.Connection[Any]") -> None:
    """Save the round trip that resets a connection, as the toolkit does."""


class TransactionPerCall(_Asyncpg):
    """asyncpg as its users write it: a connection of the pool, a transaction, four statements."""

    name = "asyncpg, a transaction per call"
    reads = True

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        _, (ledger, touch, *messages) = bound
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(_LEDGER[0], *ledger)
            if not await connection.fetchrow(_TOUCH[0], *touch):
                raise Gone(touch)
            await connection.executemany(_MESSAGE[0], messages)


class _Batcher(_Asyncpg):
    """Collects what waits into one transaction; two of them at a time, units of one session never in both.

    It knows this one unit only. It keeps no token, so that after a lost connection nobody would know what was kept.
    """

    in_flight = 2

    async def open(self) -> None:
        """See `Peer`."""
        await super().open()
        self._waiting: deque[Waiting] = deque()
        self._work = asyncio.Event()
        self._busy: set[str] = set()
        self._tasks = [asyncio.create_task(self._drain()) for _ in range(self.in_flight)]

    async def close(self) -> None:
        """See `Peer`."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((*bound, future))
        self._work.set()
        await future

    async def _drain(self) -> None:
        async with self.pool.acquire() as connection:
            while True:
                await self._work.wait()
                batch = self._next_batch()
                if not batch:
                    self._work.clear()
                    continue
                try:
                    results = await self._run(connection, [bound for _, bound, _ in batch])
                    for (_, _, future), result in zip(batch, results, strict=True):
                        future.set_result(result)
                except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
                    for _, _, future in batch:
                        if not future.done():
                            future.set_exception(error)
                finally:
                    self._busy.difference_update(session_id for session_id, _, _ in batch)
                    self._work.set()

    def _next_batch(self) -> list[Waiting]:
        batch: list[Waiting] = []
        kept_back: list[Waiting] = []
        while self._waiting and len(batch) < MAX_BATCH:
            waiting = self._waiting.popleft()
            if waiting[0] in self._busy:
                kept_back.append(waiting)
            else:
                self._busy.add(waiting[0])
                batch.append(waiting)
        self._waiting.extendleft(reversed(kept_back))
        return batch

    async def _run(self, connection: Any, batch: list[Any]) -> list[Any]:
        raise NotImplementedError


class BatchStatements(_Batcher):
    """A statement for all units of the batch, then the next one, each pipelined."""

    name = "asyncpg, hand-written batches, executemany"

    async def _run(self, connection: Any, batch: list[Any]) -> list[Any]:
        async with connection.transaction():
            await connection.executemany(_LEDGER[0], [bound[0] for bound in batch])
            touched = await connection.fetchmany(_TOUCH[0], [bound[1] for bound in batch])
            if len(touched) != len(batch):
                raise Gone
            await connection.executemany(_MESSAGE[0], [message for bound in batch for message in bound[2:]])
        return list(touched)


class BatchJson(_Batcher):
    """One statement for the whole batch, which finds its values in one JSON array."""

    name = "asyncpg, hand-written batches, one JSON statement"

    def bind(self, unit: Unit) -> Any:
        """See `Peer`."""
        said = [message["body"] for message in unit.messages]
        values = {**unit.ledger, "expires_at": unit.touch["expires_at"], "said": said}
        return unit.session_id, (unit.session_id, json.dumps(values, default=str))

    async def _run(self, connection: Any, batch: list[Any]) -> list[Any]:
        rows = await connection.fetch(_AS_ONE, f"[{','.join(unit for _, unit in batch)}]")
        touched = {row["id"]: row for row in rows}
        if len(touched) != len(batch):
            raise Gone
        return [touched[session_id] for session_id, _ in batch]


class SqlalchemyOnPostgres:
    """SQLAlchemy's async engine over asyncpg, with plain text statements."""

    name = "SQLAlchemy async (asyncpg)"
    database = "postgres"
    reads = True

    def __init__(self, dsn: str, schema: str) -> None:
        self._url = dsn.replace("postgresql:", "postgresql+asyncpg:", 1)
        self._schema = schema

    async def open(self) -> None:
        """See `Peer`."""
        from sqlalchemy import text  # noqa: PLC0415 - it may be missing, and the table then says so
        from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415 - as above

        settings = {"server_settings": {"search_path": self._schema}}
        self._engine = create_async_engine(
            self._url, pool_size=CONNECTIONS, max_overflow=0, connect_args=settings, pool_timeout=60
        )
        self._sql = {sql: text(sql) for sql in (LEDGER, TOUCH, MESSAGE, SESSION, LAST_MESSAGES)}

    async def close(self) -> None:
        """See `Peer`."""
        await self._engine.dispose()

    def bind(self, unit: Unit) -> Any:
        """See `Peer`."""
        return [{name: as_text(value) for name, value in values.items()} for values in unit.values()]

    async def write(self, bound: Any) -> None:
        """See `Peer`."""
        ledger, touch, *messages = bound
        async with self._engine.begin() as connection:
            await connection.execute(self._sql[LEDGER], ledger)
            if not (await connection.execute(self._sql[TOUCH], touch)).all():
                raise Gone(touch)
            await connection.execute(self._sql[MESSAGE], messages)

    async def read(self, session_id: str) -> int:
        """See `Peer`."""
        async with self._engine.connect() as connection:
            (await connection.execute(self._sql[SESSION], {"id": session_id})).one()
            return len((await connection.execute(self._sql[LAST_MESSAGES], {"id": session_id})).all())
