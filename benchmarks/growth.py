"""What a unit of the hot path and the reading of 20 messages cost while the tables grow, on SQLite and on Postgres.

    python -m benchmarks.growth [--quick] [--json] [--most ROWS] [--plot FILE.svg]

The ledger is filled to 1,000 … `--most` rows, and one session to 10 … 100,000 messages, with the database's own means.
At each size 64 callers write at once, and then one writes and reads. Each size of the ledger has a database of its own;
all take turns within each round, so that a disk that is slower for a while is slower for all, and medians are shown.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Protocol

import asyncpg

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from benchmarks.hot_path import LAST_MESSAGES, SESSION, Unit, furnish, unit, units
from toolkit.db import Database, open_database
from toolkit.settings import Settings

LEDGER_ROWS = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
MESSAGES = (10, 100, 1_000, 10_000, 100_000)
ALONE, TOGETHER = 100, 20  # units of one caller, and of each of 64, in a round; reads are as many
ROUNDS, QUICK_ROUNDS = 9, 2
USERS = 1_000
STEP = 1_000_000  # rows that are filled in at once

# Ids are in order, as UUIDv7s are; users and days repeat as they do in life.
_COLUMNS = "id, call_id, attempt, kind, name, provider, model, session_id, user_id, origin, status, input_tokens"
_MORE = "output_tokens, cost_nano_usd, milliseconds, started_at, day"
_CALL = """{n} || '-7000-8000-00000000000a', {n} || '-7000-8000-00000000000b', 1, 'chat',
    'small', 'openai', 'gpt-4o-mini', '01900000-' || (n % 50000) || '-7000-8000-00000000000c', 'user ' || (n % {users}),
    'bench', 'ok', 1234, 150, 275100, 812.5, {at}, {day}"""
_BODY = '{"role":"user","content":"Why does the circuit breaker stay open after the provider has come back?"}'


@dataclass(frozen=True, slots=True)
class Point:
    """What it costs at one size; milliseconds are medians.

    Attributes:
        grown: `ledger` or `session`.
        rows: its size.
        write_ms: one unit by one caller.
        read_ms: the session and its last 20 messages by one caller.
        together_ms: one unit where 64 callers write, counted as time by units; None where there is one session.
    """

    database: str
    grown: str
    rows: int
    write_ms: float
    read_ms: float
    together_ms: float | None


class Filler(Protocol):
    """Fills tables quickly, by the database's own means."""

    async def calls(self, first: int, last: int) -> None:
        """Add rows of the ledger, numbered from `first` to `last`."""
        ...

    async def messages(self, session_id: str, first: int, last: int) -> None:
        """Add messages of a session, from position `first` to `last`."""
        ...

    async def settle(self) -> None:
        """Let the database do now what it would do a moment later."""
        ...


class SqliteFiller:
    """Rows out of a recursive query."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def calls(self, first: int, last: int) -> None:
        """See `Filler`."""
        at, day = "'2026-01-01T00:00:00.000000+00:00'", "date('2026-01-01', '-' || (n / 20000) || ' days')"
        call = _CALL.format(n="printf('01900000-%08d', n)", users=USERS, at=at, day=day)
        await asyncio.to_thread(self._run, f"INSERT INTO calls ({_COLUMNS}, {_MORE}) SELECT {call}", first, last)

    async def messages(self, session_id: str, first: int, last: int) -> None:
        """See `Filler`."""
        insert = "INSERT INTO messages (session_id, position, role, body, created_at)"
        row = f"'{session_id}', n, 'user', '{_BODY}', '2026-01-01T00:00:00.000000+00:00'"
        await asyncio.to_thread(self._run, f"{insert} SELECT {row}", first, last)

    async def settle(self) -> None:
        """See `Filler`."""
        await asyncio.to_thread(self._execute, "PRAGMA wal_checkpoint(TRUNCATE)")

    def _run(self, insert: str, first: int, last: int) -> None:
        numbers = f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
        self._execute(f"{numbers} {insert} FROM numbers")

    def _execute(self, sql: str) -> None:
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as connection:
            # Only here: what is filled in need not survive anything, and large indexes want to be in memory.
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -1000000")
            connection.execute(sql).fetchall()


class PostgresFiller:
    """Rows out of `generate_series`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def calls(self, first: int, last: int) -> None:
        """See `Filler`."""
        at, day = "timestamptz '2026-01-01 00:00:00Z'", "CAST(date '2026-01-01' - CAST(n / 20000 AS int) AS text)"
        call = _CALL.format(n="'01900000-' || lpad(CAST(n AS text), 8, '0')", users=USERS, at=at, day=day)
        insert = f"INSERT INTO calls ({_COLUMNS}, {_MORE}) SELECT {call}"
        await self._execute(f"{insert} FROM generate_series({first}::bigint, {last}) AS n")

    async def messages(self, session_id: str, first: int, last: int) -> None:
        """See `Filler`."""
        insert = "INSERT INTO messages (session_id, position, role, body, created_at)"
        row = f"'{session_id}', n, 'user', '{_BODY}'::jsonb, timestamptz '2026-01-01 00:00:00Z'"
        await self._execute(f"{insert} SELECT {row} FROM generate_series({first}::bigint, {last}) AS n")

    async def settle(self) -> None:
        """See `Filler`."""
        await self._execute("VACUUM ANALYZE")
        await self._execute("CHECKPOINT")

    async def _execute(self, sql: str) -> None:
        connection = await asyncpg.connect(self._dsn, server_settings={"search_path": "toolkit"})
        try:
            await connection.execute(sql)
        finally:
            await connection.close()


@dataclass(frozen=True, slots=True)
class Place:
    """One size in one database.

    Attributes:
        ids: the sessions that are written and read there; none where each round shall make one of `rows` messages.
    """

    name: str
    rows: int
    db: Database
    filler: Filler
    ids: tuple[str, ...] = ()

    async def point(self) -> Point:
        """What it costs now."""
        if self.ids:
            together_ms = await self._together()
            return Point(
                self.name, "ledger", self.rows, await self._write(self.ids), await self._read(self.ids), together_ms
            )
        session_id = (await furnish(self.db, 1, 0))[0]
        await self.filler.messages(session_id, 1, self.rows)
        await self.filler.settle()
        read_ms = await self._read([session_id])  # first: now it has so many messages and no more
        return Point(self.name, "session", self.rows, await self._write([session_id]), read_ms, None)

    async def _write(self, ids: Sequence[str]) -> float:
        """Milliseconds of a unit."""
        took = []
        for number in range(ALONE):
            session_id = ids[number % len(ids)]
            statements = unit(session_id).statements()
            begun = time.perf_counter()
            await self.db.write(*statements, subject=session_id)
            took.append(time.perf_counter() - begun)
        return median(took) * 1000

    async def _read(self, ids: Sequence[str]) -> float:
        """Milliseconds of a session with its last 20 messages."""
        took = []
        for number in range(ALONE):
            session_id = ids[number % len(ids)]
            begun = time.perf_counter()
            await self.db.fetch_one(SESSION, id=session_id)
            await self.db.fetch_all(LAST_MESSAGES, id=session_id)
            took.append(time.perf_counter() - begun)
        return median(took) * 1000

    async def _together(self) -> float:
        work = units(TOGETHER, self.ids, 64)
        gc.collect()
        begun = time.perf_counter()
        await asyncio.gather(*(self._call(mine) for mine in work))
        return (time.perf_counter() - begun) * 1000 / (64 * TOGETHER)

    async def _call(self, mine: Sequence[Unit]) -> None:
        for one in mine:
            await self.db.write(*one.statements(), subject=one.session_id)


async def places(
    folder: Path, server: DurablePostgres | None, ledgers: Sequence[int], said: Sequence[int]
) -> list[Place]:
    """A database of its own for each size of the ledger; all sizes of a session are in the smallest of them."""
    found: list[Place] = []
    for number, rows in enumerate(ledgers):
        file = folder / f"{number}.db"
        fillers: dict[str, tuple[str, Filler]] = {"sqlite": (f"sqlite:///{file}", SqliteFiller(file))}
        if server:
            url = f"{server.dsn.rpartition('/')[0]}/grown_{number}"
            await _create(server.dsn, f"grown_{number}")
            fillers["postgres"] = (url, PostgresFiller(url))
        made = await asyncio.gather(*(_made(name, *place, rows) for name, place in fillers.items()))
        found += made
        if number == 0:
            found += [replace(place, rows=length, ids=()) for length in said for place in made]
    return found


async def _made(name: str, url: str, filler: Filler, rows: int) -> Place:
    """A database with `rows` rows in its ledger."""
    db = open_database(Settings(url))
    ids = await furnish(db)
    for first in range(1, rows + 1, STEP):
        await filler.calls(first, min(rows, first + STEP - 1))
    await filler.settle()
    return Place(name, rows, db, filler, tuple(ids))


async def _create(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()


async def measure(
    folder: Path, server: DurablePostgres | None, ledgers: Sequence[int], said: Sequence[int], rounds: int
) -> list[Point]:
    """Every size of every database in turn, round by round; the first round warms them and is not counted."""
    all_places = await places(folder, server, ledgers, said)
    points: dict[Place, list[Point]] = {place: [] for place in all_places}
    for number in range(rounds + 1):
        for place in all_places:
            point = await place.point()
            if number:
                points[place].append(point)
    for db in {id(place.db): place.db for place in all_places}.values():
        await db.close()
    return [_median(taken) for taken in points.values()]


def _median(taken: list[Point]) -> Point:
    together = [point.together_ms for point in taken if point.together_ms is not None]
    return replace(
        taken[0],
        write_ms=median(point.write_ms for point in taken),
        read_ms=median(point.read_ms for point in taken),
        together_ms=median(together) if together else None,
    )


def show(points: Sequence[Point]) -> None:
    """Print a line per database and size."""
    print(f"{'':10}{'grown':>9}{'rows':>13}{'a unit, ms':>13}{'a read, ms':>13}{'a unit of 64 at once, ms':>27}")
    for p in sorted(points, key=lambda p: (p.grown, p.database, p.rows)):
        together = "" if p.together_ms is None else f"{p.together_ms:27.3f}"
        print(f"{p.database:10}{p.grown:>9}{p.rows:13,}{p.write_ms:13.3f}{p.read_ms:13.3f}{together}")


def main() -> None:
    """Measure, print a table, and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="at most 10,000 rows, and 1,000 messages")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--most", type=int, default=1_000_000, help="rows of the ledger; 10,000,000 need 15 GB of disk")
    parser.add_argument("--plot", type=Path, help="where to draw it; needs matplotlib")
    options = parser.parse_args()
    most, said, rounds = (10_000, MESSAGES[:3], QUICK_ROUNDS) if options.quick else (options.most, MESSAGES, ROUNDS)
    if options.plot and not find_spec("matplotlib"):
        parser.exit(1, "missing: the package matplotlib; pip install 'toolkit-mcp[bench]'\n")
    ledgers = [rows for rows in LEDGER_ROWS if rows <= most]
    missing = None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user goes through it
        try:
            with DurablePostgres(folder) as server:
                points = asyncio.run(measure(folder, server, ledgers, said, rounds))
        except NoPostgres as error:
            missing = f"Postgres ({error})"
            points = asyncio.run(measure(folder, None, ledgers, said, rounds))
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores")
    show(points)
    if missing:
        print(f"missing: {missing}")
    if options.plot:
        from benchmarks.growth_plot import draw  # noqa: PLC0415 - matplotlib is needed for this alone

        draw(points, options.plot)
    if options.json:
        print(json.dumps({"benchmark": "growth", "results": [asdict(p) for p in points]}))


if __name__ == "__main__":
    main()
