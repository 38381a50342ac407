"""Kill processes that write, and servers, in thousands, and look at what is kept after each time.

    python -m benchmarks.torture --kills N [--seed S] [--json]

Half of the kills are of processes that write to SQLite files, half of those that write to Postgres; beside them a
server of its own, which waits for its disk, is killed once for every hundred. It needs the test dependencies, and
fails with a list of complaints if anything that was acknowledged is lost, double, or half there.
"""

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from tests.db.killing import DurableServer, Job, Zygote
from tests.db.siege import TOGETHER, Tally, besiege, crash_under_load
from tests.postgres import PostgresServer

ROUNDS = 8  # on one database
PER_DATABASE = ROUNDS // 2 * (1 + TOGETHER)
PER_SERVER = 25  # crashes of one


@contextmanager
def postgres() -> Iterator[str]:
    server = PostgresServer()
    try:
        yield server.dsn
    finally:
        server.remove()


async def sieges(kind: str, kills: int, seed: int) -> AsyncIterator[Tally]:
    """One database after another until so many processes have been killed."""
    with tempfile.TemporaryDirectory() as folder, Zygote() as zygote, postgres() as dsn:
        for number in range(-(-kills // PER_DATABASE)):
            own = seed * 100_000 + number
            url = f"sqlite:///{Path(folder) / f'{own}.db'}" if kind == "sqlite" else dsn
            yield await besiege(zygote, Job("write", url, "", own, f"k_{own}"), ROUNDS)


async def crashes(count: int, seed: int) -> AsyncIterator[Tally]:
    """Servers that are killed so many times in all."""
    for number in range(-(-count // PER_SERVER)):
        server = await asyncio.to_thread(DurableServer)
        try:
            yield await crash_under_load(server, min(PER_SERVER, count - number * PER_SERVER), seed * 100_000 + number)
        finally:
            await asyncio.to_thread(server.remove)


async def total(tallies: AsyncIterator[Tally]) -> Tally:
    """The sum of all, as far as nothing is wrong."""
    total = Tally()
    async for tally in tallies:
        total.kills += tally.kills
        total.early += tally.early
        total.lists += tally.lists
        total.rows += tally.rows
        total.seconds += tally.seconds
        total.complaints += tally.complaints
        if tally.complaints:
            break
    return total


async def run(kills: int, seed: int) -> dict[str, Tally]:
    return {
        "sqlite": await total(sieges("sqlite", kills // 2, seed)),
        "postgres": await total(sieges("postgres", kills - kills // 2, seed)),
        "servers": await total(crashes(max(1, kills // 100), seed)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print one object")
    given = parser.parse_args()
    logging.disable(logging.WARNING)  # that a killed server is away need not be said
    results = asyncio.run(run(given.kills, given.seed))
    if given.json:
        print(json.dumps({"seed": given.seed} | {kind: asdict(tally) for kind, tally in results.items()}))
    else:
        print(f"{'killed':10}{'kills':>8}{'early':>8}{'acknowledged':>14}{'rows kept':>11}{'seconds':>9}")
        for kind, t in results.items():
            print(f"{kind:10}{t.kills:8}{t.early:8}{t.lists:14}{t.rows:11}{t.seconds:9.1f}")
        for tally in results.values():
            print("\n".join(tally.complaints))
    sys.exit(any(tally.complaints for tally in results.values()))


if __name__ == "__main__":
    main()
