"""Rows that the database did not take: kept, tried again with growing pauses, and written into files at the end."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.db import Database, Statement
from toolkit.errors import DatabaseBusy, DatabaseFull, DatabaseUnavailable
from toolkit.usage.entries import AlreadyKept, once, rows_of, statements_of
from toolkit.usage.spool import Spool

MOST = 10_000
"""Lists of rows that are kept in memory; of more the oldest is dropped."""

_PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # seconds before the next try; the last one again and again
_PATIENT = 3  # tries after which the rows are written into a file, which a killed process does not take along
_TOGETHER = 50  # lists that are tried at once
_AWAY = (DatabaseUnavailable, DatabaseBusy, DatabaseFull)  # what says nothing of the row

_Entry: TypeAlias = Sequence[Statement]
_log = logging.getLogger(__name__)


class Arrears:
    """What the ledger still owes the database.

    Args:
        db: where the rows belong.
        spool: where they go when they cannot wait in memory any longer; None is nowhere.

    Attributes:
        dropped: lists of rows that were given up, because there were too many.
    """

    def __init__(self, db: Database, spool: Spool | None) -> None:
        self.dropped = 0
        self._db = db
        self._spool = spool
        self._queue: deque[_Entry] = deque()
        self._in_hand = 0  # taken from the queue, and being written
        self._spooled = 0  # of ours, in files
        self._task: asyncio.Task[None] | None = None
        self._looked = spool is None  # whether the files of earlier processes were looked for
        self._away = False  # whether the database did not answer when it was last tried
        self._again = asyncio.Event()

    @property
    def waiting(self) -> int:
        """Lists of rows of this process that are not in the database yet."""
        return len(self._queue) + self._in_hand + self._spooled

    def add(self, entry: _Entry) -> None:
        """Keep a list of rows for later."""
        if len(self._queue) >= MOST:
            self._queue.popleft()
            self.dropped += 1
        self._queue.append(entry)
        self._begin()

    def database_answers(self) -> None:
        """Something else was just written: now is a good moment."""
        if not self._looked:
            self._begin()
        if self._away and self._task and not self._task.done():
            with suppress(RuntimeError):  # that of another event loop sleeps on
                self._again.set()

    async def settle(self) -> int:
        """Try everything once, the files included; gives the number of rows that were written.

        Raises:
            OSError: the folder of files cannot be read.
        """
        self._away = False
        written = await self._settle_memory()
        return written if self._away else written + await self._settle_files()

    async def close(self, within: float) -> None:
        """Try once more, for so many seconds, and write into a file what is left."""
        task, self._task = self._task, None
        unfinished = False
        if task and not task.done():
            unfinished = not self._looked  # a short-lived process would never get to the files of earlier ones
            task.cancel()
            await asyncio.wait({task})
        if self._queue or unfinished:
            with suppress(TimeoutError):
                async with asyncio.timeout(within):
                    await self._look()
        await self._spill()
        if self._queue:
            _log.warning(
                "%d rows of the ledger could not be written, and are lost with this process.", len(self._queue)
            )

    def _begin(self) -> None:
        if self._task is None or self._task.done():
            self._again = asyncio.Event()
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        if not self._looked:
            await self._look()
            self._looked = not self._away
        for tries, pause in enumerate(_pauses(), 1):
            if not self.waiting:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._again.wait()
            self._again.clear()
            await self._look()
            if tries >= _PATIENT:
                await self._spill()

    async def _look(self) -> None:
        try:
            await self.settle()
        except OSError as error:
            _log.warning("The ledger's files cannot be read: %s", error)

    async def _settle_memory(self) -> int:
        written = 0
        left = len(self._queue)
        away = False
        while left > 0 and self._queue and not away:
            entries = [self._queue.popleft() for _ in range(min(_TOGETHER, left, len(self._queue)))]
            left -= len(entries)
            self._in_hand += len(entries)
            try:
                failed, away = await self._try(entries)
            except BaseException:  # cancelled: some may be kept, which the next try finds out
                self._queue.extendleft(reversed(entries))
                raise
            finally:
                self._in_hand -= len(entries)
            written += len(entries) - len(failed)
            if away:
                self._queue.extendleft(reversed(failed))
            else:  # something is wrong with these; the others need not wait for them
                self._queue.extend(failed)
        return written

    async def _settle_files(self) -> int:
        if self._spool is None:
            return 0
        written = 0
        for file in await asyncio.to_thread(self._spool.files):
            rows = await asyncio.to_thread(self._spool.read, file)
            entries = list(_entries(rows, file))
            refused: list[_Entry] = []
            for first in range(0, len(entries), _TOGETHER):
                failed, away = await self._try(entries[first : first + _TOGETHER])
                if away:
                    return written
                refused += failed
            written += len(entries) - len(refused)
            self._queue.extend(refused)  # what the database does not take is none of the file's business any more
            await asyncio.to_thread(self._spool.remove, file)
        self._spooled = 0
        return written

    async def _try(self, entries: Sequence[_Entry]) -> tuple[list[_Entry], bool]:
        """Write each of `entries`, if it was not written before; gives those that failed, and if nobody answered."""
        writes = (self._db.write(*once(entry), subject=entry[0].values.get("id")) for entry in entries)
        results = await asyncio.gather(*writes, return_exceptions=True)
        self._away = any(isinstance(result, _AWAY) for result in results)
        failed = [
            entry
            for entry, result in zip(entries, results, strict=True)
            if isinstance(result, BaseException) and not isinstance(result, AlreadyKept)
        ]
        return failed, self._away

    async def _spill(self) -> None:
        """Move what waits in memory into a file."""
        if self._spool is None or not self._queue:
            return
        entries = [self._queue.popleft() for _ in range(len(self._queue))]
        self._in_hand += len(entries)
        try:
            await asyncio.to_thread(self._spool.keep, [row for entry in entries for row in rows_of(entry)])
        except (OSError, TypeError, ValueError) as error:
            self._queue.extendleft(reversed(entries))
            _log.warning("The ledger's rows cannot be kept in a file: %s", error)
        except BaseException:  # cancelled: if the file is there all the same, its rows are found to be known
            self._queue.extendleft(reversed(entries))
            raise
        else:
            self._spooled += len(entries)
        finally:
            self._in_hand -= len(entries)


def _pauses() -> Iterator[float]:
    return chain(_PAUSES, repeat(_PAUSES[-1]))


def _entries(rows: Sequence[Mapping[str, Any]], file: Path) -> Iterator[_Entry]:
    for row in rows:
        try:
            yield statements_of(row)
        except (KeyError, TypeError, ValueError):
            _log.warning("A line of %s is no row of the ledger, and is left out.", file.name)
