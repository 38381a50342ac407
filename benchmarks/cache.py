"""How long a cached answer takes: this project's cache beside a bare dictionary and the package diskcache.

    python -m benchmarks.cache [--quick] [--json]

A hit is the way from a request to its answer: its key is computed (SHA-256 of the whole request), the answer is found
and made into an object again. A put is the same for a request that is new, until the answer is kept; the toolkit's
includes the lease that keeps other processes from asking, and is durable: SQLite commits with synchronous=FULL. All are
given the same requests and answers, compute the same key, and take turns within each round; a ratio is the median over
the rounds of the toolkit's time by the other's in the same round. The dictionary keeps nothing, shares with nobody and
forgets nothing: nothing can beat it. With one caller the time is that of half the operations; with 64 it is the wall's
by the number of operations. diskcache writes to a SQLite file with synchronous=NORMAL, and is called without a thread.
`pip install 'toolkit-mcp[bench]'` brings it.
"""

import argparse
import asyncio
import json
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Protocol

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from tests.redis_server import NoRedis, RedisServer
from toolkit.db import Database, open_database
from toolkit.db.redis import Redis
from toolkit.messages import ChatRequest, Message, Usage
from toolkit.settings import Settings
from toolkit.usage.cache import Cached, ResponseCache
from toolkit.usage.cache.key import key_of

ROUNDS = 7
HITS, PUTS = 400, 100  # of each contender in one turn
KEPT = 1000  # answers that are there before
CALLERS = (1, 64)
ASKED = {"model": "small", "scope": "global", "fallbacks": [], "requirements": {}}
ANSWER = Cached(
    Message("assistant", "A circuit breaker opens after five failures in a row. " * 20),
    model="small",
    provider="openai",
    vendor_model="gpt-4o-mini",
    usage=Usage(1200, 240),
    cost_nano_usd=324_000,
    pieces=(54,) * 20,
)
US = ("toolkit, SQLite file", "toolkit, Postgres", "toolkit, Redis")


class Contender(Protocol):
    """A cache: each call does all that lies between a request and its answer."""

    name: str

    async def hit(self, request: ChatRequest) -> Cached:
        """The answer that is there."""
        ...

    async def put(self, request: ChatRequest) -> None:
        """Find that there is none, and keep one."""
        ...


class Bare:
    """A dictionary in this process."""

    name = "dict"

    def __init__(self) -> None:
        self._kept: dict[str, Cached] = {}

    async def hit(self, request: ChatRequest) -> Cached:
        """See `Contender`."""
        return self._kept[key_of(request, ASKED).exact]

    async def put(self, request: ChatRequest) -> None:
        """See `Contender`."""
        key = key_of(request, ASKED).exact
        if self._kept.get(key) is None:
            self._kept[key] = ANSWER


class Diskcache:
    """The package diskcache, which pickles into a SQLite file."""

    name = "diskcache"

    def __init__(self, folder: Path) -> None:
        import diskcache  # noqa: PLC0415 - it may be missing, and the table then says so

        self._kept: Any = diskcache.Cache(str(folder))

    async def hit(self, request: ChatRequest) -> Cached:
        """See `Contender`."""
        found: Cached = self._kept[key_of(request, ASKED).exact]
        return found

    async def put(self, request: ChatRequest) -> None:
        """See `Contender`."""
        key = key_of(request, ASKED).exact
        if self._kept.get(key) is None:
            self._kept.set(key, ANSWER, expire=3600)

    def close(self) -> None:
        """Close the file."""
        self._kept.close()


class Ours:
    """The toolkit's own."""

    def __init__(self, name: str, db: Database, redis: Redis | None = None) -> None:
        self.name = name
        self._cache = ResponseCache(db, max_bytes=1_000_000_000, redis=redis)
        self.close = self._cache.close

    async def hit(self, request: ChatRequest) -> Cached:
        """See `Contender`."""
        async with self._cache.once(self._cache.key(request, ASKED), ttl=3600, within=30) as flight:
            if flight.found is None:
                raise RuntimeError(f"{self.name} has lost an answer: {self._cache.last_failure}")
            return flight.found

    async def put(self, request: ChatRequest) -> None:
        """See `Contender`."""
        async with self._cache.once(self._cache.key(request, ASKED), ttl=3600, within=30) as flight:
            if flight.found:
                raise RuntimeError(f"{self.name} has an answer that nobody gave.")
            await flight.keep(ANSWER)
        if self._cache.last_failure:
            raise RuntimeError(f"{self.name}: {self._cache.last_failure}")


@dataclass
class Field:
    """Who takes part, and who cannot, with the reason."""

    contenders: list[Contender] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Turn:
    """Microseconds that half and 99 % of the operations took at most, and operations per second."""

    p50_us: float
    p99_us: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds; a ratio is the toolkit's time in that place by this contender's."""

    kind: str
    name: str
    callers: int
    p50_us: float
    p99_us: float
    per_second: float
    ratios: dict[str, float]


def question(number: int) -> ChatRequest:
    """A request of a usual size: 2 kB of a system's words, and a question."""
    system = "You answer questions about the handbook, briefly and with citations. " * 30
    return ChatRequest((Message("system", system), Message("user", f"How do I do {number}?")), temperature=0.2)


@asynccontextmanager
async def everyone(folder: Path) -> AsyncIterator[Field]:
    """All who can take part, empty."""
    found = Field([Bare()])
    async with AsyncExitStack() as stack:
        try:
            disk = Diskcache(folder / "disk")
            stack.callback(disk.close)
            found.contenders.append(disk)
        except ModuleNotFoundError as error:
            found.missing.append(f"diskcache (the package {error.name} is not installed)")
        found.contenders.append(await _ours(stack, US[0], f"sqlite:///{folder / 'ours.db'}"))
        try:
            server = stack.enter_context(DurablePostgres(folder))
            found.contenders.append(await _ours(stack, US[1], server.dsn))
        except NoPostgres as error:
            found.missing.append(f"{US[1]} ({error})")
        try:
            memory = RedisServer()
            stack.callback(memory.remove)
            redis = Redis(memory.url)
            stack.push_async_callback(redis.close)
            found.contenders.append(await _ours(stack, US[2], f"sqlite:///{folder / 'models.db'}", redis))
        except NoRedis as error:
            found.missing.append(f"{US[2]} ({error})")
        yield found


async def _ours(stack: AsyncExitStack, name: str, url: str, redis: Redis | None = None) -> Ours:
    db = open_database(Settings(url))
    await db.open()
    stack.push_async_callback(db.close)
    ours = Ours(name, db, redis)
    stack.push_async_callback(ours.close)
    return ours


async def take_turn(contender: Contender, kind: str, callers: int, requests: Sequence[ChatRequest]) -> Turn:
    """Let `callers` tasks share the requests, all at once."""
    act = contender.hit if kind == "hit" else contender.put
    took: list[float] = []
    left = iter(requests)

    async def call() -> None:
        for request in left:
            begun = time.perf_counter()
            await act(request)
            took.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(call() for _ in range(callers)))
    wall = time.perf_counter() - begun
    return Turn(median(took) * 1e6, quantiles(took, n=100)[98] * 1e6, len(took) / wall)


async def measure(found: Field, rounds: int, hits: int, puts: int, kept: int) -> list[Result]:
    """Every contender's turns, round by round; the first round warms everything."""
    turns: dict[tuple[str, str, int], list[Turn]] = {}
    known = [question(number) for number in range(kept)]
    for contender in found.contenders:
        await take_turn(contender, "put", 64, known)
    fresh = count(kept)
    for number in range(rounds + 1):
        order = found.contenders[number % len(found.contenders) :] + found.contenders[: number % len(found.contenders)]
        for callers in CALLERS:
            asked = [known[(number * 131 + n * 7) % kept] for n in range(hits)]
            new = [question(next(fresh)) for _ in range(puts)]
            for kind, requests in (("hit", asked), ("put", new)):
                for contender in order:
                    turn = await take_turn(contender, kind, callers, requests)
                    turns.setdefault((kind, contender.name, callers), []).append(turn)
    return compare({key: taken[1:] for key, taken in turns.items()})


def compare(turns: dict[tuple[str, str, int], list[Turn]]) -> list[Result]:
    """One line per kind, contender and number of callers."""
    results = []
    for (kind, name, callers), taken in turns.items():
        ratios = {
            us: median(
                _time(a, callers) / _time(b, callers) for a, b in zip(turns[kind, us, callers], taken, strict=True)
            )
            for us in US
            if (kind, us, callers) in turns
        }
        p50, p99, rate = (
            median(getattr(turn, figure) for turn in taken) for figure in ("p50_us", "p99_us", "per_second")
        )
        results.append(Result(kind, name, callers, p50, p99, rate, ratios))
    return results


def _time(turn: Turn, callers: int) -> float:
    """What is compared: how long one caller waits, or what an operation costs all callers together."""
    return turn.p50_us if callers == 1 else 1e6 / turn.per_second


def show(results: Sequence[Result]) -> None:
    """Print a table per kind and number of callers; `x` is the toolkit's time by theirs, as `_time` has it."""
    for kind, callers in dict.fromkeys((r.kind, r.callers) for r in results):
        mine = [r for r in results if (r.kind, r.callers) == (kind, callers)]
        heads = "".join(f"{us.removeprefix('toolkit, '):>14}" for us in mine[0].ratios)
        figures = f"{'p50 µs':>10}{'p99 µs':>10}{'per s':>10}"
        print(f"\n{kind}, {callers} at once{'':12}{figures}  toolkit's time by theirs:{heads}")
        for r in mine:
            cells = "".join(f"{ratio:12.2f} x" for ratio in r.ratios.values())
            print(f"{r.name:26}{r.p50_us:10,.0f}{r.p99_us:10,.0f}{r.per_second:10,.0f}{'':27}{cells}")


async def run(folder: Path, *, quick: bool) -> tuple[list[Result], list[str]]:
    """Measure; gives the results, and who is missing."""
    async with everyone(folder) as found:
        return await measure(found, *((2, 100, 20, 100) if quick else (ROUNDS, HITS, PUTS, KEPT))), found.missing


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cache", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"two short rounds instead of {ROUNDS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user goes through it
        results, missing = asyncio.run(run(folder, quick=options.quick))
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    show(results)
    for one in missing:
        print(f"missing: {one}")
    if options.json:
        told = {"benchmark": "cache", "machine": machine, "results": [asdict(r) for r in results], "missing": missing}
        print(json.dumps(told))


if __name__ == "__main__":
    main()
