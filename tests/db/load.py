"""Writers and readers that go on whatever happens to their database, and keep a book of what they were told."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any, Self, TypeVar

import asyncpg

from tests.db.rows import change, model
from toolkit import stamps
from toolkit.db import Database, Statement
from toolkit.errors import DatabaseError

T = TypeVar("T")

PATIENCE = 15.0  # seconds: the default
MARGIN = 10.0  # seconds that a call may take beyond its patience on a busy machine
# Seconds until work must go on: two calls that fail after patience and margin, and two that succeed as late.
LIMIT = 60.0
COUNTERS = 8
WRITERS = 24
READERS = 6


def add(name: str, *, unmatched: Exception | None = None) -> Statement:
    """Adds one to a counter: not to be done twice."""
    sql = "UPDATE models SET priority = priority + 1 WHERE name = :name RETURNING priority"
    return Statement(sql, {"name": name}, unmatched=unmatched)


class Load:
    """Runs while its block lasts; at its end every task has ended by itself.

    A writer's list adds one to a counter and an entry with an id of its own; every fourth one has only a counter.

    Args:
        db: what they use.
        patience: seconds after which a call must have ended, but for a margin.

    Attributes:
        acknowledged: lists that were, by counter.
        failed: lists that ended in an error, by counter.
    """

    def __init__(self, db: Database, patience: float = PATIENCE) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._kept: set[str] = set()  # ids of entries that were acknowledged
        self._doubtful: set[str] = set()  # ids of entries whose list ended in an error
        self._wrong: list[str] = []  # what nobody should see
        self._errors: list[DatabaseError] = []
        self._done: Counter[int] = Counter()  # by task
        self._failures: Counter[int] = Counter()  # by task
        self._progress = asyncio.Event()
        self._enough = False
        self._tasks: list[asyncio.Task[None]] = []
        self._db = db
        self._bound = patience + MARGIN

    async def __aenter__(self) -> Self:
        counters = [*(f"c{n}" for n in range(COUNTERS)), *(f"bare{n}" for n in range(3, WRITERS, 4))]
        await self._db.write(*(model(name, priority=0) for name in counters))
        self._tasks += [asyncio.create_task(self._write(n)) for n in range(WRITERS)]
        self._tasks += [asyncio.create_task(self._read(WRITERS + n)) for n in range(READERS)]
        await self.go_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._enough = True
        await asyncio.gather(*self._tasks)

    @property
    def errors(self) -> list[DatabaseError]:
        """What writers and readers were told instead of an answer."""
        return self._errors

    async def go_on(self, times: int = 2) -> None:
        """Return once everyone has had that many answers from now on."""
        before = Counter(self._done)
        async with asyncio.timeout(LIMIT):
            while any(self._done[n] - before[n] < times for n in range(WRITERS + READERS)):
                self._progress.clear()
                await self._progress.wait()

    async def fail(self) -> None:
        """Return once everyone has had an error from now on: whoever was under way, too, has ended."""
        before = Counter(self._failures)
        async with asyncio.timeout(LIMIT):
            while any(self._failures[n] == before[n] for n in range(WRITERS + READERS)):
                self._progress.clear()
                await self._progress.wait()

    async def check(self, dsn: str) -> None:
        """Compare the book with what is there, by way of a connection that has seen none of it."""
        connection = await asyncpg.connect(dsn)
        counted = _pairs(await connection.fetch("SELECT name, priority FROM toolkit.models"))
        entries = _pairs(await connection.fetch("SELECT id, name FROM toolkit.model_changes"))
        await connection.close()

        assert self._wrong == []
        for unspeakable in ("opensesame", "\n", "cannot call", "Connection."):
            assert not [str(error) for error in self._errors if unspeakable in str(error)]
        assert self._kept <= entries.keys(), "acknowledged, but not there"
        assert entries.keys() - self._kept <= self._doubtful, "there, but nobody knows of it"
        lists = Counter(entries.values())
        for name, count in counted.items():
            assert self.acknowledged[name] <= count <= self.acknowledged[name] + self.failed[name], name
            assert name.startswith("bare") or count == lists[name], f"{name}: a list was not done as a whole"

    async def _write(self, number: int) -> None:
        bare = number % 4 == 3
        name = f"bare{number}" if bare else f"c{number % COUNTERS}"
        unmatched = KeyError(name) if number % 4 == 1 else None
        while not self._enough:
            entry = stamps.new_id()
            statements = [add(name, unmatched=unmatched)] + ([] if bare else [change(name, id=entry)])
            subject = name if number % 2 else None
            if await self._ask(number, self._db.write(*statements, subject=subject)) is not None:
                self.acknowledged[name] += 1
                self._kept |= set() if bare else {entry}
            else:
                self.failed[name] += 1
                self._doubtful.add(entry)

    async def _read(self, number: int) -> None:
        """What was acknowledged before a question was asked is in its answer."""
        while not self._enough:
            before = Counter(self.acknowledged)
            rows = await self._ask(number, self._db.fetch_all("SELECT name, priority FROM models"))
            late = [row for row in rows or [] if row["priority"] < before[row["name"]]]
            self._wrong += [f"a reader saw {row} after {before[row['name']]} were acknowledged" for row in late]

    async def _ask(self, number: int, work: Awaitable[T]) -> T | None:
        try:
            async with asyncio.timeout(self._bound):
                answer = await work
        except DatabaseError as error:
            self._errors.append(error)
        except TimeoutError:
            self._wrong.append(f"nothing within {self._bound} seconds")
        except Exception as error:  # noqa: BLE001 - kept for `check`
            self._wrong.append(repr(error))
        else:
            self._done[number] += 1
            self._progress.set()
            return answer
        self._failures[number] += 1
        self._progress.set()
        return None


def _pairs(rows: Sequence[asyncpg.Record]) -> dict[str, Any]:
    return {row[0]: row[1] for row in rows}
