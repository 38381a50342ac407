"""The ledger: one row for each time a model was asked, whether it answered or not, and for each call of a tool."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from toolkit.db import Database, Statement
from toolkit.db.keepable import keepable
from toolkit.errors import ConfigError, DatabaseError
from toolkit.messages import Attempt, Caller
from toolkit.redaction import redact
from toolkit.stamps import day_of, new_id, now
from toolkit.usage import entries, sums
from toolkit.usage.arrears import Arrears
from toolkit.usage.gathering import Gathering
from toolkit.usage.records import values_of
from toolkit.usage.reports import Dimension, Reports
from toolkit.usage.spool import Spool
from toolkit.usage.watching import Asked, Began, Status, ToolUsed, Watchers

__all__ = ["Dimension", "Ledger"]

BATCH: Final = 1000
"""Rows that are brought into the sums in one transaction."""

_PATIENCE = 5.0  # seconds that an answer waits for its own row
_PAUSE = 0.05  # seconds between two transactions in the background: others who wait for the lock get a chance
_EVER = "9999-12-31"
_LONGEST = 1000  # characters of a tool's error
_log = logging.getLogger(__name__)


class Ledger(Reports):
    """Keeps what each attempt cost. It never stands in the way of an answer: see `record`.

    Rows that cannot be written are tried again while the process lives; what is left when it ends goes into files,
    which the next process brings into the ledger, each row once.

    Args:
        db: where it is kept.
        spool: the folder of those files, for this database or for several; None: rows that could not be written are
            lost with the process.

    Attributes:
        failures: lists of rows that could not be written at once, since the start.
        last_failure: why the last one could not be written, in one sentence; None if it could.
        watchers: are told of everything that is recorded, the moment it happens.
    """

    def __init__(self, db: Database, *, spool: Path | None = None) -> None:
        super().__init__(db)
        in_memory = spool is not None and db.url == "sqlite://"  # nobody will open that one again
        self._arrears = Arrears(db, None if spool is None or in_memory else Spool(spool, db.url))
        self._writing: set[asyncio.Task[None]] = set()
        self._of_tools = Gathering(self._begin)
        self._rolling: asyncio.Task[None] | None = None
        self._refused = 0
        self.failures = 0
        self.last_failure: str | None = None
        self.watchers = Watchers()

    @property
    def waiting(self) -> int:
        """Lists of rows that could not be written yet, and will be tried again."""
        return self._arrears.waiting

    @property
    def dropped(self) -> int:
        """Lists of rows that were given up: no database could keep them, or too many were waiting."""
        return self._arrears.dropped + self._refused

    async def record(self, attempt: Attempt, **asked: Any) -> None:
        """Write one row, as `write` does; the arguments are those of `rows`."""
        await self.write(self.rows(attempt, **asked))

    def rows(
        self,
        attempt: Attempt,
        *,
        call_id: str,
        number: int,
        kind: str,
        caller: Caller,
        started_at: datetime,
        cancelled: bool = False,
        cached: bool = False,
        before: Attempt | None = None,
        listed: bool = False,
        address: str | None = None,
    ) -> tuple[Statement, ...]:
        """What keeps one attempt, and tells listeners of it: for `write`, or to be written with something else.

        Args:
            attempt: what to record.
            call_id: shared by all attempts of one question.
            number: 1 is the first model asked.
            kind: `chat`, `stream` or `embed`.
            caller: on whose behalf.
            started_at: when the model was asked.
            cancelled: the caller went away before the answer was whole.
            cached: the answer came from the cache: it cost nothing, and no model was asked.
            before: for the watchers, as `Asked` has it.
            listed: the same.
            address: the same.
        """
        status: Status = "cached" if cached else "cancelled" if cancelled else "ok" if attempt.ok else "error"
        if self.watchers:
            self.watchers.tell(Asked(attempt, kind, status, started_at, before, listed, address))
        values = {
            **values_of(attempt),
            "id": new_id(),
            "call_id": call_id,
            "attempt": number,
            "kind": kind,
            **_caller(caller),
            "status": status,
            "started_at": started_at,
            "day": day_of(started_at),
        }
        if cached:
            values["cost_nano_usd"] = 0
        return entries.call(values)

    def began(self, model: str, seconds: float, *, listed: bool) -> None:
        """Tell the watchers after how many seconds a model's first words came; nothing of it is kept."""
        if self.watchers:
            self.watchers.tell(Began(model, listed, seconds))

    async def record_tool(
        self,
        *,
        tool: str,
        status: str,
        error: str | None,
        message: str | None,
        caller: Caller,
        call_id: str | None,
        argument_bytes: int,
        result_bytes: int | None,
        milliseconds: float,
        started_at: datetime,
    ) -> None:
        """Have one row written for a call of a tool, with nothing of what went in or came out.

        It does not wait: the row is written with those of other calls, a twentieth of a second later at most. Whoever
        asks this ledger sees it at once.

        Args:
            tool: its name.
            status: `ok`, `error`, `refused`, `timeout` or `cancelled`.
            error: the class of the error.
            message: the error in one sentence.
            caller: on whose behalf.
            call_id: the question that it was called for, None where there was none.
            argument_bytes: what went in, as JSON.
            result_bytes: what came out; None where nothing did.
            milliseconds: from the call to its end.
            started_at: when it was called.
        """
        if self.watchers:
            self.watchers.tell(ToolUsed(tool, status, error, milliseconds, started_at))
        values = {
            "id": new_id(),
            "call_id": None if call_id is None else keepable(call_id),
            "tool": keepable(tool),
            **_caller(caller),
            "status": status,
            "error": error,
            "message": None if message is None else keepable(redact(message)[:_LONGEST]),
            "argument_bytes": argument_bytes,
            "result_bytes": result_bytes,
            "milliseconds": milliseconds,
            "started_at": started_at,
            "day": day_of(started_at),
        }
        self._of_tools.add(entries.tool_call(values))

    async def write(self, rows: Sequence[Statement]) -> None:
        """Write what `rows` made; never raises, and waits a few seconds at most.

        A database that is slow gets its rows while the answer goes on; one that fails is counted in `failures`, and
        the rows are tried again later. A caller who is cancelled here leaves the rows being written.
        """
        if rows:
            await asyncio.wait({self._begin(rows)}, timeout=_PATIENCE)

    async def flush(self) -> None:
        """Wait until every row has been written or has failed, and put into files what failed and may be lost."""
        self._of_tools.let_go()
        while self._writing:
            await asyncio.wait(set(self._writing))
        if self._rolling:
            self._rolling.cancel()
            await asyncio.wait({self._rolling})
            self._rolling = None
        await self._arrears.close(_PATIENCE)

    async def catch_up(self) -> int:
        """Try once more to write what could not be written, by this process and by earlier ones; gives the rows.

        It is done by itself after the first row that is written, and after a failure again and again; never raises.
        """
        try:
            return await self._arrears.settle()
        except OSError as error:
            _log.warning("The ledger's files cannot be read: %s", error)
            return 0

    async def roll_up(self, limit: int = BATCH, *, until: str = _EVER) -> int:
        """Bring rows that are not in the daily sums there, the oldest days first; gives their number.

        Any number of processes may do it at once, while others write.

        Args:
            limit: at most this many rows, so that nobody waits long for the lock; at least 1. Fewer are left when fewer
                are given back, unless another process is at it.
            until: of no later day than this, YYYY-MM-DD.
        """
        _check(limit)
        values = {"limit": limit, "until": until, "now": now()}
        if self._db.dialect == "sqlite":
            statements = [Statement(sql, values, wakes=True) for sql in sums.ROLL_UP]
            return len((await self._db.write(*statements))[-1])
        (rows,) = await self._db.write(Statement(sums.ROLL_UP_AT_ONCE, values, wakes=True))
        return int(rows[0]["n"])

    async def count_before(self, before: datetime) -> int:
        """How many rows, of calls and of calls of tools, are of `before` or earlier."""
        await self._tools_written()
        row = await self._db.fetch_one(
            """
            SELECT (SELECT COUNT(*) FROM calls WHERE day <= :day AND started_at <= :before)
                 + (SELECT COUNT(*) FROM tool_calls WHERE day <= :day AND started_at <= :before) AS n
            """,
            day=day_of(before),
            before=before,
        )
        return int(row["n"]) if row else 0

    async def prune(self, before: datetime, limit: int = 500, *, keep_sums: bool = False) -> int:
        """Delete rows of `before` or earlier, the oldest days first, and give their number; 0 if none is left.

        Args:
            before: a moment; what was spent until then is no longer known.
            limit: at most this many rows at once, so that nobody waits long for the lock; at least 1.
            keep_sums: what was spent stays known by day, model, vendor, user and application, and only the single
                calls are forgotten: which conversation, when exactly, with which error.
        """
        _check(limit)
        await self._tools_written()
        values = {"day": day_of(before), "before": before, "limit": limit}
        if deleted := await (self._forget_rows(values) if keep_sums else self._forget(values)):
            return deleted
        rows = await self._db.execute(
            """
            DELETE FROM tool_calls
             WHERE id IN (SELECT id FROM tool_calls WHERE day <= :day AND started_at <= :before
                           ORDER BY day, started_at LIMIT :limit)
            RETURNING id
            """,
            **values,
        )
        return len(rows)

    async def _forget(self, values: dict[str, Any]) -> int:
        if self._db.dialect == "sqlite":
            *_, gone = await self._db.write(*(Statement(sql, values) for sql in sums.FORGET))
            deleted = len(gone)
        else:
            (rows,) = await self._db.write(Statement(sums.FORGET_AT_ONCE, values))
            deleted = int(rows[0]["n"])
        if not deleted:  # of days whose rows had gone before, and their sums had been kept
            while await self._db.execute(sums.FORGET_DAY, day=values["day"]):
                pass
            await self._db.execute(sums.FORGET_NOTHING, day=values["day"])
        return deleted

    async def _forget_rows(self, values: dict[str, Any]) -> int:
        while await self.roll_up(until=values["day"]):
            pass
        return len(await self._db.execute(sums.FORGET_ROWS, **values))

    def _roll_up_soon(self) -> None:
        if self._rolling is None or self._rolling.done():
            self._rolling = asyncio.create_task(self._roll_up_all())

    async def _roll_up_all(self) -> None:
        with suppress(DatabaseError):  # the next question tries again
            while True:
                if await self.roll_up() < BATCH:
                    return
                await asyncio.sleep(_PAUSE)

    async def _tools_written(self) -> None:
        self._of_tools.let_go()
        if self._writing:
            await asyncio.wait(set(self._writing), timeout=_PATIENCE)

    def _begin(self, rows: Sequence[Statement]) -> asyncio.Task[None]:
        writing = asyncio.create_task(self._write(rows))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return writing

    async def _write(self, rows: Sequence[Statement]) -> None:
        try:
            await self._db.write(*rows, subject=rows[0].values.get("id"), relaxed=True)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the ledger, the answer must go on
            self.failures += 1
            self.last_failure = redact(str(error) or type(error).__name__)
            _log.warning("A call could not be written to the ledger: %s", self.last_failure)
            if entries.can_be_kept(rows):
                self._arrears.add(rows)
            else:
                self._refused += 1
        else:
            self.last_failure = None
            self._arrears.database_answers()


def _caller(caller: Caller) -> dict[str, Any]:
    """On whose behalf, as a database can keep it: nobody stays out of the ledger by a name that it cannot hold."""
    names = {"session_id": caller.session_id, "user_id": caller.user, "origin": caller.origin}
    return {column: keepable(name) for column, name in names.items()}


def _check(limit: int) -> None:
    if limit < 1:
        raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
