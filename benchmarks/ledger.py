"""How quickly the ledger answers while it grows, with its daily sums and without, and what the sums cost a row.

    python -m benchmarks.ledger [--quick] [--json] [--most ROWS]

A year of calls is filled in with the database's own means: 4 models, 200 users of 3 applications, 20 calls to a
session; SQLite to `--most` rows, Postgres to a million at most. Each question is asked with all rows in the sums, with
the last 5,000 rows not yet in them, and of the single rows alone, as if there were no sums. Medians, in milliseconds.

The cost of a row is that of 64 callers at once, in turns on the tables as they are and on a copy with the indexes of
before there were sums.
"""

import argparse
import asyncio
import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Protocol

import asyncpg

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from toolkit.db import Database, Statement, open_database
from toolkit.messages import Attempt, Caller, Usage
from toolkit.settings import Settings
from toolkit.stamps import new_id, now
from toolkit.usage import sums
from toolkit.usage.ledger import Ledger
from toolkit.usage.reports import Dimension, Reports, _from_rows, first_day

SIZES, QUICK_SIZES = (100_000, 1_000_000, 10_000_000), (10_000,)
MOST_ON_POSTGRES = 1_000_000
STEP = 1_000_000  # rows that are filled in at once
FRESH = 5_000
NEW = 9_000  # rows that the sums are made of in the measured way; those of all others are filled in
SUM = sums.add(f"(SELECT {sums.KEYED}, {sums.SUMMED} FROM calls WHERE rolled {sums.GROUPED})")
DIMENSIONS: tuple[Dimension, ...] = ("model", "user", "origin", "day", "provider")
CALLERS, EACH = 64, 20
BEFORE = (
    "DROP INDEX {schema}calls_not_rolled",
    "DROP INDEX {schema}calls_by_day",
    "CREATE INDEX calls_by_day ON {table} (day)",
)

_COLUMNS = """id, call_id, attempt, kind, name, provider, model, session_id, user_id, origin, status, input_tokens,
    output_tokens, cost_nano_usd, milliseconds, started_at, day, rolled"""
_ROW = """{n} || '-7000-8000-00000000000a', {n} || '-7000-8000-00000000000b', 1, 'chat', 'model ' || (n / 200 % 4),
    'openai', 'gpt-4o-mini', 's-' || (n / 20), 'user ' || (n % 200), 'app ' || (n % 200 % 3),
    CASE WHEN n % 50 = 0 THEN 'error' ELSE 'ok' END, 1234, 150, CASE WHEN n % 50 = 0 THEN NULL ELSE 275100 END,
    812.5, {at}, {day}, n <= {summed}"""


@dataclass(frozen=True, slots=True)
class Answer:
    """How long one question took, in milliseconds; None where it was not asked that way."""

    database: str
    rows: int
    question: str
    sums_ms: float
    fresh_ms: float | None
    rows_ms: float | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one row: written with the old indexes, with the new ones, and brought into the sums."""

    database: str
    rows: int
    before_us: float
    after_us: float
    roll_up_us: float


class Place(Protocol):
    """Where rows are filled in."""

    name: str
    url: str

    async def fill(self, rows: int) -> None:
        """Fill in a year that ends now."""
        ...

    async def copy_of_before(self) -> str:
        """The URL of a copy with the indexes of before there were sums."""
        ...


class OnSqlite:
    """A SQLite file."""

    name = "sqlite"

    def __init__(self, file: Path) -> None:
        self._file = file
        self.url = f"sqlite:///{file}"

    async def fill(self, rows: int) -> None:
        """See `Place`."""
        # n is 1 a year ago, and `rows` now.
        moment = f"'now', '-' || (({rows} - n) * 31536000.0 / {rows}) || ' seconds'"
        at, day = f"strftime('%Y-%m-%dT%H:%M:%f000+00:00', {moment})", f"date({moment})"
        row = _ROW.format(n="printf('01900000-%08d', n)", at=at, day=day, summed=rows - NEW)
        with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")  # what is filled in need not survive anything
            connection.execute("PRAGMA cache_size = -1000000")
            for first in range(1, rows + 1, STEP):
                last = min(rows, first + STEP - 1)
                numbers = (
                    f"WITH RECURSIVE numbers (n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers LIMIT {STEP})"
                )
                connection.execute(
                    f"{numbers} INSERT INTO calls ({_COLUMNS}) SELECT {row} FROM numbers WHERE n <= {last}"
                )
            connection.execute(SUM)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def copy_of_before(self) -> str:
        """See `Place`."""
        copy = self._file.with_suffix(".before")
        shutil.copyfile(self._file, copy)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            for sql in BEFORE:
                connection.execute(sql.format(schema="", table="calls"))
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return f"sqlite:///{copy}"


class OnPostgres:
    """A database of a Postgres server."""

    name = "postgres"

    def __init__(self, dsn: str, database: str) -> None:
        self._server = dsn
        self._database = database
        self.url = f"{dsn.rpartition('/')[0]}/{database}"

    async def fill(self, rows: int) -> None:
        """See `Place`."""
        at = f"now() - ({rows} - n) * 31536000.0 / {rows} * interval '1 second'"
        day = f"to_char(({at}) AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
        row = _ROW.format(n="'01900000-' || lpad(CAST(n AS text), 8, '0')", at=at, day=day, summed=rows - NEW)
        numbers = f"generate_series(1::bigint, {rows}) AS n"
        await _run(self.url, f"INSERT INTO toolkit.calls ({_COLUMNS}) SELECT {row} FROM {numbers}")
        await _run(self.url, SUM, "VACUUM ANALYZE")

    async def copy_of_before(self) -> str:
        """See `Place`."""
        copy = f"{self._database}_before"
        await _run(self._server, f"CREATE DATABASE {copy} TEMPLATE {self._database}")
        url = f"{self._server.rpartition('/')[0]}/{copy}"
        for sql in BEFORE:
            await _run(url, sql.format(schema="toolkit.", table="toolkit.calls"))
        await _run(url, "VACUUM ANALYZE")
        return url


async def _run(dsn: str, *statements: str) -> None:
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "toolkit"})
    try:
        for sql in statements:
            await connection.execute(sql)
    finally:
        await connection.close()


async def measure(place: Place, rows: int, rounds: int) -> tuple[list[Answer], Cost]:
    """Every question at one size, and what a row costs there."""
    db = open_database(Settings(place.url))
    await db.open()
    await place.fill(rows)
    ledger = Ledger(db)
    without = await _times(_of_single_rows(db), 1 if rows > 1_000_000 else rounds)
    roll_up_us = await _roll_up(ledger)
    with_sums = await _times(_questions(ledger), rounds)
    await db.write(
        Statement(f"UPDATE calls SET rolled = FALSE WHERE id IN (SELECT id FROM calls ORDER BY id DESC LIMIT {FRESH})")
    )
    with_fresh = await _times(_questions(ledger), rounds)
    while await ledger.roll_up():
        pass
    await ledger.flush()
    await db.close()
    before_us, after_us = await _writes(place, rounds)
    answers = [
        Answer(place.name, rows, question, ms, with_fresh.get(question), without.get(question))
        for question, ms in with_sums.items()
    ]
    return answers, Cost(place.name, rows, before_us, after_us, roll_up_us)


def _questions(ledger: Reports) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    return {
        "stats, 30 days": ledger.stats,
        **{f"by {each}, 30 days": lambda each=each: ledger.by(each) for each in DIMENSIONS},  # type: ignore[misc]
        "by session, 1 day": lambda: ledger.by("session", days=1),
        "stats, 365 days": lambda: ledger.stats(days=365),
        "by user, 365 days": lambda: ledger.by("user", days=365),
        "a user's stats, 30 days": lambda: ledger.stats(user="user 7"),
        "a user's cost today": lambda: ledger.stats(user="user 7", days=1),
        "a session's stats": lambda: ledger.stats(session_id="s-400"),
        "the last 50 calls": ledger.calls,
        "a user's last 50 calls": lambda: ledger.calls(user="user 7"),
        "200 latencies": lambda: ledger.latencies("model 1"),
    }


def _of_single_rows(db: Database) -> Mapping[str, Callable[[], Awaitable[Any]]]:
    """The questions that sums answer, asked of the single rows."""

    def ask(dimension: Dimension, days: int, user: str | None = None) -> Callable[[], Awaitable[Any]]:
        sql = _from_rows(dimension, user, None)
        return lambda: db.fetch_all(sql, since=first_day(days), user=user)

    return {
        "stats, 30 days": ask("model", 30),
        **{f"by {each}, 30 days": ask(each, 30) for each in DIMENSIONS},
        "stats, 365 days": ask("model", 365),
        "by user, 365 days": ask("user", 365),
        "a user's stats, 30 days": ask("model", 30, "user 7"),
        "a user's cost today": ask("model", 1, "user 7"),
    }


async def _times(questions: Mapping[str, Callable[[], Awaitable[Any]]], rounds: int) -> dict[str, float]:
    """Milliseconds of each question, the median; of several rounds the first one warms and is not counted."""
    took: dict[str, list[float]] = {question: [] for question in questions}
    for _ in range(rounds + (rounds > 1)):
        for question, ask in questions.items():
            begun = time.perf_counter()
            await ask()
            took[question].append((time.perf_counter() - begun) * 1000)
    return {question: median(each[rounds > 1 :]) for question, each in took.items()}


async def _roll_up(ledger: Ledger) -> float:
    """Bring the new rows into the sums; gives the microseconds of one of them, a thousand at once."""
    begun, done = time.perf_counter(), 0
    while rolled := await ledger.roll_up():
        done += rolled
    return (time.perf_counter() - begun) / done * 1e6


async def _writes(place: Place, rounds: int) -> tuple[float, float]:
    """Microseconds of a row with the old indexes, and with the new ones."""
    dbs = [open_database(Settings(url)) for url in (await place.copy_of_before(), place.url)]
    took: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for db, times in zip(dbs, took, strict=True):
            begun = time.perf_counter()
            await asyncio.gather(*(_caller(Ledger(db)) for _ in range(CALLERS)))
            if number:
                times.append((time.perf_counter() - begun) / (CALLERS * EACH) * 1e6)
    for db in dbs:
        await db.close()
    return median(took[0]), median(took[1])


async def _caller(ledger: Ledger) -> None:
    attempt = Attempt("model 1", "openai", "gpt-4o-mini", milliseconds=812.5, usage=Usage(1234, 150), cost_nano_usd=9)
    caller = Caller("user 7", "app 1", "s-400")
    for _ in range(EACH):
        await ledger.record(attempt, call_id=new_id(), number=1, kind="chat", caller=caller, started_at=now())


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # the server's own user goes through it
        yield Path(name)


async def measure_all(sizes: tuple[int, ...], rounds: int) -> tuple[list[Answer], list[Cost], list[str]]:
    """Every size on every database; the last list says what is missing."""
    answers: list[Answer] = []
    costs: list[Cost] = []
    missing: list[str] = []
    for rows in sizes:
        with _folder() as folder:  # the next size wants the disk's room
            found, cost = await measure(OnSqlite(folder / "ledger.db"), rows, rounds)
            _show(found, [cost])
            answers += found
            costs.append(cost)
            if rows > MOST_ON_POSTGRES:
                continue
            try:
                server = DurablePostgres(folder)
            except NoPostgres as error:
                missing.append(f"Postgres ({error})")
                continue
            with server:
                await _run(server.dsn, "CREATE DATABASE ledger")
                found, cost = await measure(OnPostgres(server.dsn, "ledger"), rows, rounds)
                _show(found, [cost])
                answers += found
                costs.append(cost)
    return answers, costs, list(dict.fromkeys(missing))


def _show(answers: Sequence[Answer], costs: Sequence[Cost]) -> None:
    """Print what was measured at one size."""
    print(f"{'':10}{'rows':>12}  {'milliseconds':26}{'sums':>9}{'+ 5,000':>9}{'rows only':>11}")
    for a in answers:
        fresh, single = ("" if ms is None else f"{ms:,.1f}" for ms in (a.fresh_ms, a.rows_ms))
        print(f"{a.database:10}{a.rows:12,}  {a.question:26}{a.sums_ms:9,.1f}{fresh:>9}{single:>11}")
    print(f"\n{'':10}{'rows':>12}  {'microseconds of a row:':26}{'before':>9}{'now':>9}{'summed':>11}")
    for c in costs:
        print(f"{c.database:10}{c.rows:12,}  {'':26}{c.before_us:9,.0f}{c.after_us:9,.0f}{c.roll_up_us:11,.0f}")


def main() -> None:
    """Measure, and print two tables for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="ten thousand rows")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--most", type=int, default=SIZES[-1], help="rows of the largest ledger")
    options = parser.parse_args()
    sizes = QUICK_SIZES if options.quick else tuple(size for size in SIZES if size <= options.most)
    answers, costs, missing = asyncio.run(measure_all(sizes, 2 if options.quick else 5))
    for one in missing:
        print(f"missing: {one}")
    if options.json:
        rows = {"answers": [asdict(each) for each in answers], "costs": [asdict(each) for each in costs]}
        print(json.dumps({**rows, "missing": missing}))


if __name__ == "__main__":
    main()
