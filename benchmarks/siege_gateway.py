"""Two replicas of the gateway behind a balancer, besieged: nothing that was acknowledged is lost, double or wrong.

    python -m benchmarks.siege_gateway [--minutes 10] [--clients 16] [--seed 1] [--json]

Clients with OpenAI's SDK ask questions that have one right answer each, whole and as streams, most of them in sessions
that two clients share, each time at the other replica. Two vendors that this machine plays fail at random: 500, 429,
broken connections, hangs, garbage. Meanwhile Postgres is restarted, and crashes, and a replica is killed with SIGKILL
and started again five seconds later. At the end every session is read back, over HTTP and from the database. It fails
with a list of complaints if an acknowledged turn is missing or there twice, if an answer is wrong, or if the ledger
lacks one. It needs the test dependencies.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from benchmarks.siege_clients import Book, Client, Phase, Room
from benchmarks.siege_keep import Kept, complaints, read_back, read_database
from benchmarks.siege_replica import Replica
from benchmarks.siege_vendor import Vendors
from tests.mcp_server.gateway.round_robin import RoundRobin
from tests.postgres import PostgresServer
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

PARTS: Final = {
    "calm": 0.25,
    "database restarted": 0.15,
    "database crashed": 0.15,
    "replica killed": 0.25,
    "calm again": 0.2,
}
"""The phases, and which part of the time each has."""

AWAY_SECONDS: Final = 5.0
"""How long a killed replica stays away."""

_LIMITS: Final = {"timeout": 3, "first_token_timeout": 2, "silence_timeout": 2}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        unheard: turns that are kept, whole, and whose client never heard of their end.
        memory: megabytes of each replica when it had started, and at the end.
    """

    book: Book
    complaints: list[str]
    unheard: int
    memory: dict[str, tuple[float, float]]
    seconds: float


async def furnish(database: str, environ: dict[str, str]) -> None:
    """The tables, and two models that are given up soon when they hang."""
    async with Toolkit.open(settings=Settings.from_env(environ, database_url=database)) as tk:
        for seeded in await tk.models.list():
            await tk.models.remove(seeded.name)
        await tk.models.add("openai", "gpt-4o", name="large", priority=10, config=_LIMITS)
        await tk.models.add("anthropic", "claude-haiku-5-5", name="small", priority=20, config=_LIMITS)


async def besiege(minutes: float, clients: int, seed: int, folder: Path) -> Outcome:
    """Ask for so many minutes, and look at what is kept."""
    begun = time.monotonic()
    postgres, vendors, book = await asyncio.to_thread(PostgresServer), Vendors(seed), Book()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, postgres.remove)
        await stack.enter_async_context(vendors.server)
        environ = vendors.server.environ()
        await furnish(postgres.dsn, environ)
        replicas = [Replica(name, postgres.dsn, environ, folder) for name in ("a", "b")]
        for replica in replicas:
            stack.callback(replica.kill)
            await replica.start()
        proxy = await stack.enter_async_context(RoundRobin([replica.port for replica in replicas]))
        rooms = [Room(book) for _ in range(-(-clients // 2))]
        asking = [asyncio.create_task(Client(n, proxy.url, rooms[n // 2], book, seed).run()) for n in range(clients)]
        for name, part in PARTS.items():
            await _go_through(name, part * minutes * 60, book, postgres, replicas[0])
        book.enough = True
        await asyncio.gather(*asking)
        memory = {replica.name: (replica.at_start, replica.megabytes) for replica in replicas}
        told = await read_back([replica.url for replica in replicas], book.sessions)
        for replica in replicas:
            await replica.end()
        kept = await read_database(postgres.dsn)
        wrong = [*vendors.complaints, *book.complaints, *complaints(book, kept, told)]
        wrong += [f"in the log of {replica.name}: {line}" for replica in replicas for line in replica.errors()]
        return Outcome(book, wrong, _unheard(book, kept), memory, time.monotonic() - begun)


async def _go_through(name: str, seconds: float, book: Book, postgres: PostgresServer, victim: Replica) -> None:
    """Let a phase's time pass, in which what it is called after happens first."""
    until = time.monotonic() + seconds
    if name != book.phases[-1].name:
        book.begin(name)
    match name:
        case "database restarted":
            await asyncio.to_thread(postgres.restart)
        case "database crashed":
            await asyncio.to_thread(postgres.crash)
        case "replica killed":
            victim.kill()
            await asyncio.sleep(AWAY_SECONDS)
            await victim.start()
    await asyncio.sleep(max(0.0, until - time.monotonic()))


def _unheard(book: Book, kept: Kept) -> int:
    heard = {each.call_id for each in book.acknowledged}
    return len({said.call_id for messages in kept.sessions.values() for said in messages} - heard)


def figures(outcome: Outcome) -> dict[str, Any]:
    """Everything in numbers."""
    phases = outcome.book.phases
    refused = sum((phase.refused for phase in phases), Counter[str]())
    answered = sum(len(phase.seconds) for phase in phases)
    return {
        "seconds": round(outcome.seconds, 1),
        "requests": answered + refused.total(),
        "answered": answered,
        "refused": dict(refused.most_common()),
        "fallbacks": sum(phase.fallbacks for phase in phases),
        "sessions": len(outcome.book.sessions),
        "turns_kept_and_not_heard_of": outcome.unheard,
        "phases": [_of_phase(phase) for phase in phases],
        "longest_wait": round(max(phase.longest for phase in phases), 2),
        "megabytes": {name: [round(size, 1) for size in sizes] for name, sizes in outcome.memory.items()},
        "complaints": outcome.complaints,
    }


def _of_phase(phase: Phase) -> dict[str, Any]:
    cuts = quantiles(phase.seconds, n=100, method="inclusive") if len(phase.seconds) > 1 else [0.0] * 99
    p50, p95, p99 = (round(cuts[n - 1] * 1000) for n in (50, 95, 99))
    return {
        "name": phase.name,
        "answered": len(phase.seconds),
        "refused": dict(phase.refused.most_common()),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "longest_wait": round(phase.longest, 2),
    }


def show(told: dict[str, Any]) -> None:
    """The figures as a table."""
    print(f"{'phase':20}{'answered':>9}{'p50 ms':>8}{'p95 ms':>8}{'p99 ms':>8}{'longest s':>11}  refused")
    for each in told["phases"]:
        refused = ", ".join(f"{count} x {status}" for status, count in each["refused"].items())
        print(
            f"{each['name']:20}{each['answered']:9}{each['p50_ms']:8}{each['p95_ms']:8}{each['p99_ms']:8}"
            f"{each['longest_wait']:11.1f}  {refused}"
        )
    print(f"{told['requests']} requests, {told['answered']} answered, {told['fallbacks']} of them by the other vendor.")
    print(f"{told['sessions']} sessions; {told['turns_kept_and_not_heard_of']} turns kept whose client had gone.")
    for name, (begin, end) in told["megabytes"].items():
        print(f"Replica {name}: {begin:.0f} MB when it had started, {end:.0f} MB at the end.")
    print("\n".join(told["complaints"]) or "Nothing acknowledged was lost, double or wrong.")


def main() -> None:
    """Besiege, and show what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1, help="of what is left to chance")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        told = figures(asyncio.run(besiege(given.minutes, given.clients, given.seed, Path(folder))))
    show(told)
    if given.json:
        print(json.dumps(told))
    sys.exit(bool(told["complaints"]))


if __name__ == "__main__":
    main()
