"""How fast what was said is kept, durably, and read again: this project beside its peers on SQLite and on Postgres.

    python -m benchmarks.storage [--quick] [--json] [--database sqlite|postgres]

One unit is what a turn of a chat keeps (see `hot_path`). Every contender is given the same Python values and makes them
fit for its database within the measured time. All have the same tables and the same durability: SQLite commits with
synchronous=FULL, Postgres with fsync on, both on the disk of the folder for temporary files. All write with the same
SQL; a session is read in two statements, by the toolkit in one, as its session store does. All take turns within each
round, and a ratio is the median over the rounds of the toolkit's rate by the other's in the same round, so that a busy
machine slows both. `pip install 'toolkit-mcp[bench]'` brings the peers.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import shutil
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from benchmarks.hot_path import MESSAGES, SESSIONS, Unit, furnish, units
from benchmarks.storage_peers import Peer, Stores, Toolkit
from benchmarks.storage_postgres import BatchJson, BatchStatements, SqlalchemyOnPostgres, TransactionPerCall
from benchmarks.storage_sqlite import Aiosqlite, RawGroups, SqlalchemyOnSqlite
from toolkit.db import open_database
from toolkit.settings import Settings

ROUNDS = 7
SECONDS = 1.0  # that one contender writes, or reads, before the next one's turn
CALLERS = {"write": (1, 8, 64), "read": (1, 64)}
US = "toolkit"
SCHEMA = "toolkit"
Key: TypeAlias = tuple[str, str, str, int]  # database, write or read, contender, callers


@dataclass(frozen=True, slots=True)
class Goal:
    """What the toolkit wants to be, at least: times as fast as the fastest of some contenders."""

    database: str
    kind: str
    callers: int
    peers: tuple[str, ...]
    least: float


GOALS = (
    Goal("sqlite", "write", 64, (RawGroups.name,), 0.85),
    Goal("sqlite", "write", 64, (Aiosqlite.name,), 5.0),
    Goal("sqlite", "read", 64, (Aiosqlite.name,), 3.0),
    Goal("postgres", "write", 64, (BatchStatements.name, BatchJson.name), 0.8),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One contender's turn: operations per second, and the milliseconds that half and 99 % of them took at most."""

    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds; `toolkit_ratio` says how many times as fast the toolkit was."""

    database: str
    kind: str
    peer: str
    callers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    toolkit_ratio: float


@dataclass
class Field:
    """Who takes part, on which sessions, and what they did.

    Attributes:
        missing: contenders that could not take part, with the reason.
        written: units that each contender has acknowledged.
    """

    peers: list[Peer] = field(default_factory=list)
    session_ids: dict[str, list[str]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    written: dict[Peer, int] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def sqlite_field(folder: Path, sessions: int) -> AsyncIterator[Field]:
    """The contenders on SQLite, each with a file of its own."""
    made = folder / "made.db"
    db = open_database(Settings(f"sqlite:///{made}"))
    ids = await furnish(db, sessions)
    await db.close()
    toolkit, stores, *others = (folder / f"{number}.db" for number in range(5))
    for file in (toolkit, stores, *others):
        shutil.copyfile(made, file)
    peers: list[Peer] = [
        Toolkit("sqlite", f"sqlite:///{toolkit}", SCHEMA),
        Stores("sqlite", f"sqlite:///{stores}", SCHEMA),
        RawGroups(others[0]),
        Aiosqlite(others[1]),
        SqlalchemyOnSqlite(others[2]),
    ]
    urls = [f"sqlite:///{file}" for file in (toolkit, stores, *others)]
    async with _opened(peers, urls, "sqlite", ids) as found:
        found.versions["sqlite"] = sqlite3.sqlite_version
        yield found


@asynccontextmanager
async def postgres_field(folder: Path, sessions: int) -> AsyncIterator[Field]:
    """The contenders on Postgres, each with a database of its own on one server."""
    try:
        server = DurablePostgres(folder)
    except NoPostgres as error:
        yield Field(missing=[f"everything on Postgres ({error})"])
        return
    with server:
        db = open_database(Settings(_named(server.dsn, "postgres"), schema=SCHEMA))
        ids = await furnish(db, sessions)
        await db.close()
        urls = [_named(server.dsn, f"peer_{number}") for number in range(6)]
        connection = await asyncpg.connect(_named(server.dsn, "template1"))
        for number in range(6):
            await connection.execute(f"CREATE DATABASE peer_{number} TEMPLATE postgres")
        version = ".".join(map(str, connection.get_server_version()[:2]))
        await connection.close()
        for url in urls:
            connection = await asyncpg.connect(url)
            await connection.execute("VACUUM ANALYZE")
            await connection.close()
        peers: list[Peer] = [
            Toolkit("postgres", urls[0], SCHEMA),
            Stores("postgres", urls[1], SCHEMA),
            TransactionPerCall(urls[2], SCHEMA),
            BatchStatements(urls[3], SCHEMA),
            BatchJson(urls[4], SCHEMA),
            SqlalchemyOnPostgres(urls[5], SCHEMA),
        ]
        async with _opened(peers, urls, "postgres", ids) as found:
            found.versions["postgres"] = version
            yield found


@asynccontextmanager
async def _opened(peers: list[Peer], urls: list[str], database: str, ids: list[str]) -> AsyncIterator[Field]:
    found = Field(session_ids={database: ids})
    async with AsyncExitStack() as stack:
        for peer, url in zip(peers, urls, strict=True):
            try:
                await peer.open()
            except ModuleNotFoundError as error:
                found.missing.append(f"{peer.name} (the package {error.name} is not installed)")
                continue
            stack.push_async_callback(peer.close)
            found.peers.append(peer)
            found.places[peer.name] = url
        yield found
        for peer, count in found.written.items():
            await _check(peer.name, found.places[peer.name], count, len(ids) * MESSAGES)


async def _check(name: str, url: str, written: int, said: int) -> None:
    """That everything acknowledged is there, once, with its messages."""
    db = open_database(Settings(url, schema=SCHEMA))
    row = await db.fetch_one("SELECT (SELECT COUNT(*) FROM calls) AS calls, (SELECT COUNT(*) FROM messages) AS said")
    await db.close()
    if row is None or (row["calls"], (row["said"] - said) / 2) != (written, written):
        raise RuntimeError(f"{name} has acknowledged {written} units and kept {row}.")


async def measure(found: Field, rounds: int, seconds: float) -> dict[Key, list[Turn]]:
    """Every contender's turns, round by round; the first round warms everything and finds out how fast each one is."""
    turns: dict[Key, list[Turn]] = {}
    for number in range(rounds + 1):
        for kind, all_callers in CALLERS.items():
            for callers in all_callers:
                for peer in _rotated(found.peers, number):
                    if kind == "read" and not peer.reads:
                        continue
                    key = (peer.database, kind, peer.name, callers)
                    known = turns.get(key)
                    count = _count(known[-1].per_second, seconds, callers) if known else max(2, 64 // callers)
                    taken = await take_turn(found, peer, kind, callers, count)
                    if number < 2:
                        turns[key] = []  # the first turn was the warm-up's
                    turns[key].append(taken)
    return turns


def _rotated(peers: Sequence[Peer], number: int) -> list[Peer]:
    begin = number % len(peers)
    return [*peers[begin:], *peers[:begin]]  # whoever goes first may find another machine


def _count(per_second: float, seconds: float, callers: int) -> int:
    return max(4, int(per_second * seconds / callers))


async def take_turn(found: Field, peer: Peer, kind: str, callers: int, count: int) -> Turn:
    """Let `callers` tasks do `count` operations each, all at once."""
    ids = found.session_ids[peer.database]
    act: Callable[[Any], Awaitable[Any]]
    work: list[list[Any]]
    if kind == "write":
        act, work = partial(_write, peer), units(count, ids, callers)
        found.written[peer] = found.written.get(peer, 0) + callers * count
    else:
        act, work = peer.read, [[ids[(c + n * callers) % len(ids)] for n in range(count)] for c in range(callers)]
    took: list[float] = []

    async def call(mine: list[Any]) -> None:
        for one in mine:
            begun = time.perf_counter()
            await act(one)
            took.append(time.perf_counter() - begun)

    gc.collect()
    gc.freeze()  # what waits to be written is nobody's garbage, and would make every collection slow
    begun = time.perf_counter()
    await asyncio.gather(*(call(mine) for mine in work))
    wall = time.perf_counter() - begun
    gc.unfreeze()
    cuts = quantiles(took, n=100)
    return Turn(len(took) / wall, median(took) * 1000, cuts[98] * 1000)


async def _write(peer: Peer, unit: Unit) -> None:
    await peer.write(peer.bind(unit))


def compare(turns: dict[Key, list[Turn]]) -> list[Result]:
    """One line per database, kind, contender and number of callers."""
    results = []
    for (database, kind, name, callers), taken in turns.items():
        ours = turns[database, kind, US, callers]
        ratio = median(a.per_second / b.per_second for a, b in zip(ours, taken, strict=True))
        rate, p50, p99 = (
            median(getattr(turn, figure) for turn in taken) for figure in ("per_second", "p50_ms", "p99_ms")
        )
        results.append(Result(database, kind, name, callers, rate, p50, p99, ratio))
    return sorted(results, key=lambda r: (r.database != "sqlite", r.kind != "write", r.callers))


def reached(results: Sequence[Result]) -> list[dict[str, Any]]:
    """Each goal beside what was measured; one whose contender is missing is not among them."""
    told = []
    for goal in GOALS:
        ratios = [
            r.toolkit_ratio
            for r in results
            if (r.database, r.kind, r.callers) == (goal.database, goal.kind, goal.callers) and r.peer in goal.peers
        ]
        if ratios:
            told.append({**asdict(goal), "ratio": min(ratios), "reached": min(ratios) >= goal.least})
    return told


def sync_ms(folder: Path) -> float:
    """Milliseconds that the disk takes to keep 4 kB for certain: the median of 200 times."""
    took = []
    with (folder / "sync").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return median(took) * 1000


def show(results: Sequence[Result]) -> None:
    """Print a table per database and kind; `x` is how many times as fast the toolkit was in the same round."""
    for database, kind in dict.fromkeys((r.database, r.kind) for r in results):
        mine = [r for r in results if (r.database, r.kind) == (database, kind)]
        all_callers = CALLERS[kind]
        heads = "".join(f"{f'{callers} at once':>20}" for callers in all_callers)
        print(f"\n{database}, {'units kept' if kind == 'write' else 'sessions read'} per second")
        print(f"{'':52}{heads}  p50/p99 ms")
        for name in dict.fromkeys(r.peer for r in mine):
            by_callers = {r.callers: r for r in mine if r.peer == name}
            cells = "".join(
                f"{by_callers[c].per_second:11,.0f}{by_callers[c].toolkit_ratio:7.2f} x" for c in all_callers
            )
            last = by_callers[all_callers[-1]]
            print(f"{name:52}{cells}{last.p50_ms:8.1f}/{last.p99_ms:.1f}")


async def run(
    folder: Path, databases: Sequence[str], rounds: int, seconds: float, sessions: int
) -> tuple[list[Result], Field]:
    """Measure one database after the other."""
    results: list[Result] = []
    everything = Field()
    for database in databases:
        place = folder / database
        place.mkdir()
        async with (sqlite_field if database == "sqlite" else postgres_field)(place, sessions) as found:
            if found.peers:
                results += compare(await measure(found, rounds, seconds))
        everything.missing += found.missing
        everything.versions |= found.versions
    return results, everything


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storage", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"one short round instead of {ROUNDS} of a second")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--database", choices=("sqlite", "postgres"), help="only this one")
    options = parser.parse_args()
    rounds, seconds, sessions = (1, 0.05, 64) if options.quick else (ROUNDS, SECONDS, SESSIONS)
    databases = [options.database] if options.database else ["sqlite", "postgres"]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user goes through it
        sync = sync_ms(folder)
        results, found = asyncio.run(run(folder, databases, rounds, seconds, sessions))
    machine = {"python": platform.python_version(), **found.versions, "cores": os.cpu_count()}
    print(f"{rounds} rounds, {', '.join(f'{key} {value}' for key, value in machine.items())},")
    print(f"fsync {sync:.2f} ms, load before {load}")
    show(results)
    goals = reached(results)
    print()
    for goal in goals:
        how, against = "reached" if goal["reached"] else "MISSED", " or ".join(goal["peers"])
        print(
            f"goal {how}: {goal['database']} {goal['kind']} at {goal['callers']}: "
            f"{goal['ratio']:.2f} x {against}, wanted {goal['least']}"
        )
    for missing in found.missing:
        print(f"missing: {missing}; pip install 'toolkit-mcp[bench]'")
    if options.json:
        told = {"benchmark": "storage", "rounds": rounds, "seconds": seconds, **machine, "fsync_ms": sync, "load": load}
        results_json = [asdict(result) for result in results]
        print(json.dumps({**told, "missing": found.missing, "goals": goals, "results": results_json}))


def _named(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


if __name__ == "__main__":
    main()
