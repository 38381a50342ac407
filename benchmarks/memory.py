"""Whether the process grows while a million units go through `Database.write`, on SQLite and on Postgres.

    python -m benchmarks.memory [--quick] [--json]

64 callers write without a pause. Each database is written by a process of its own, whose memory is asked for a hundred
times on the way; a line through the last nine tenths of the answers says how much it gains per 100,000 units.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import linear_regression

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from benchmarks.hot_path import furnish, unit
from benchmarks.startup import resident
from toolkit.db import Database, open_database
from toolkit.settings import Settings

UNITS, QUICK_UNITS = {"sqlite": 1_000_000, "postgres": 200_000}, {"sqlite": 3_000, "postgres": 1_000}
CALLERS = 64
SAMPLES = 100


@dataclass(frozen=True, slots=True)
class Growth:
    """What became of one process.

    Attributes:
        first_mb: its memory after a tenth of the units, when every cache is warm.
        last_mb: the same at the end.
        most_mb: the most on the way.
        mb_per_100k: what the line says that 100,000 units add.
        log_mb: the largest size of SQLite's log on the way, None for Postgres.
    """

    database: str
    units: int
    seconds: float
    first_mb: float
    last_mb: float
    most_mb: float
    mb_per_100k: float
    log_mb: float | None


async def write(url: str, database: str, units: int) -> Growth:
    """Write `units` units with 64 callers, and watch this process."""
    db = open_database(Settings(url))
    ids = await furnish(db)
    log = Path(url.removeprefix("sqlite:///") + "-wal") if database == "sqlite" else None
    written, logs = 0, [0]
    samples: list[tuple[int, float]] = []

    async def call(mine: list[str]) -> None:
        nonlocal written
        number = 0
        while written < units:
            written += 1
            await _one(db, mine[number % len(mine)])
            number += 1
            if written // (units // SAMPLES) > len(samples):
                samples.append((written, resident(os.getpid()) or 0.0))
                logs.append(log.stat().st_size if log else 0)

    begun = time.perf_counter()
    await asyncio.gather(*(call(ids[caller::CALLERS]) for caller in range(CALLERS)))
    seconds = time.perf_counter() - begun
    await db.close()
    warm = samples[len(samples) // 10 :]
    slope = linear_regression([at for at, _ in warm], [mb for _, mb in warm]).slope
    memory = [mb for _, mb in warm]
    most_log = max(logs) / 1e6 if log else None
    return Growth(database, written, seconds, memory[0], memory[-1], max(memory), slope * 1e5, most_log)


async def _one(db: Database, session_id: str) -> None:
    await db.write(*unit(session_id).statements(), subject=session_id)


def _run(url: str, database: str, units: int) -> Growth:
    return asyncio.run(write(url, database, units))


def measure(folder: Path, units: dict[str, int]) -> tuple[list[Growth], list[str]]:
    """Each database in a process of its own; the second list says what is missing."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        results = [pool.apply(_run, (f"sqlite:///{folder / 'memory.db'}", "sqlite", units["sqlite"]))]
        try:
            server = DurablePostgres(folder)
        except NoPostgres as error:
            return results, [f"Postgres ({error})"]
        with server:
            results.append(pool.apply(_run, (server.dsn, "postgres", units["postgres"])))
    return results, []


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a few thousand units")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user goes through it
        results, missing = measure(folder, QUICK_UNITS if options.quick else UNITS)
    print(
        f"{'':10}{'units':>12}{'per second':>12}{'MB, warm':>10}{'at the end':>12}{'at most':>9}"
        f"{'per 100,000':>13}{'log MB':>9}"
    )
    for r in results:
        log = "" if r.log_mb is None else f"{r.log_mb:9.1f}"
        rate = r.units / r.seconds
        print(
            f"{r.database:10}{r.units:12,}{rate:12,.0f}{r.first_mb:10.1f}{r.last_mb:12.1f}{r.most_mb:9.1f}"
            f"{r.mb_per_100k:+13.2f}{log}"
        )
    for what in missing:
        print(f"missing: {what}")
    if options.json:
        print(json.dumps({"benchmark": "memory", "callers": CALLERS, "results": [asdict(r) for r in results]}))


if __name__ == "__main__":
    main()
