"""How many requests per second are let in or refused: this project's limits beside its peers', interleaved.

    python -m benchmarks.limits [--quick] [--json]

Every contender has one limit of requests per minute, which all requests share: the worst case, since all want the same
counter. In `admitted` there is room for everybody, in `refused` for nobody. The toolkit is exact over processes on each
of its backends; peers in memory are limits of one process only, and are here to show what that exactness costs. All
take turns within each round, and a ratio is the median over the rounds of the toolkit's rate on the same kind of
backend by the other's. SQLite and Postgres are on the disk of the folder for temporary files, with their full
durability. `free` is the toolkit without any limit: what every request pays for there being limits at all.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from tests.redis_server import NoRedis, RedisServer
from toolkit.db import open_database
from toolkit.db.redis import Redis
from toolkit.errors import RateLimited
from toolkit.messages import Caller
from toolkit.settings import Settings
from toolkit.usage.limits import Limits

ROUNDS = 7
SECONDS = 0.5
CALLERS = (1, 64)
US = "toolkit"
PLENTY = 1_000_000  # requests per minute: nobody is refused, on this machine
Ask: TypeAlias = Callable[[], Awaitable[bool]]
_ADA = Caller(user="ada")


@dataclass(frozen=True, slots=True)
class Contender:
    """One that decides: its name, where it counts, and what is asked in which case."""

    name: str
    place: str
    case: str
    ask: Ask


@dataclass(frozen=True, slots=True)
class Result:
    """Medians over the rounds; `toolkit_ratio` says how many times as fast the toolkit was at the same place."""

    case: str
    place: str
    name: str
    callers: int
    per_second: float
    toolkit_ratio: float


async def _free() -> int:
    return 0


@asynccontextmanager
async def ours(place: str, url: str, redis_url: str | None) -> AsyncIterator[list[Contender]]:
    """The toolkit's limits: one that has room, one that has none, and none at all."""
    db = open_database(Settings(url))
    redis = Redis(redis_url, prefix="ours") if redis_url else None
    limits = Limits(db, redis=redis)
    await limits.set("user", "ada", rpm=PLENTY)
    await limits.set("user", "eve", rpm=1)

    async def ask(caller: Caller) -> bool:
        try:
            await limits.admit(caller, tokens=0, price=_free)
        except RateLimited:
            return False
        return True

    try:
        yield [
            Contender(US, place, "admitted", lambda: ask(_ADA)),
            Contender(US, place, "refused", lambda: ask(Caller(user="eve"))),
            Contender(US, place, "free", lambda: ask(Caller(user="bob"))),
        ]
    finally:
        await limits.close()
        await db.close()
        if redis:
            await redis.close()


async def limits_package(place: str, uri: str, **options: Any) -> list[Contender]:
    """The package `limits`, with the window that keeps least."""
    from limits import RateLimitItemPerMinute  # noqa: PLC0415 - a peer may be missing
    from limits.aio.strategies import SlidingWindowCounterRateLimiter  # noqa: PLC0415
    from limits.storage import storage_from_string  # noqa: PLC0415

    limiter = SlidingWindowCounterRateLimiter(storage_from_string(uri, **options))
    plenty, one = RateLimitItemPerMinute(PLENTY), RateLimitItemPerMinute(1)
    return [
        Contender("limits", place, "admitted", lambda: limiter.hit(plenty, "ada")),
        Contender("limits", place, "refused", lambda: limiter.hit(one, "eve")),
    ]


async def pyrate(place: str, bucket: Callable[[Any, str], Awaitable[Any]]) -> list[Contender]:
    """pyrate-limiter over buckets of the given kind."""
    from pyrate_limiter import Duration, Limiter, Rate  # noqa: PLC0415 - a peer may be missing

    plenty = Limiter(await bucket([Rate(PLENTY, Duration.MINUTE)], "ada"))
    one = Limiter(await bucket([Rate(1, Duration.MINUTE)], "eve"))
    return [
        Contender("pyrate-limiter", place, "admitted", lambda: plenty.try_acquire_async("ada", blocking=False)),
        Contender("pyrate-limiter", place, "refused", lambda: one.try_acquire_async("eve", blocking=False)),
    ]


@asynccontextmanager
async def field(folder: Path) -> AsyncIterator[tuple[list[Contender], list[str]]]:
    """Everybody who can take part, and who is missing and why."""
    found: list[Contender] = []
    missing: list[str] = []
    async with AsyncExitStack() as stack:
        found += await stack.enter_async_context(ours("sqlite", f"sqlite:///{folder / 'ours.db'}", None))
        found += await stack.enter_async_context(ours("memory", "sqlite://", None))
        try:
            server = stack.enter_context(DurablePostgres(folder))
            found += await stack.enter_async_context(ours("postgres", server.dsn, None))
        except NoPostgres as error:
            missing.append(f"postgres ({error})")
        redis_url = None
        try:
            redis = RedisServer()
            stack.callback(redis.remove)
            redis_url = redis.url
            rules = f"sqlite:///{folder / 'rules.db'}"
            found += await stack.enter_async_context(ours("redis", rules, redis_url))
        except NoRedis as error:
            missing.append(f"redis ({error})")
        for name, peer in (("limits", _limits_peers), ("pyrate-limiter", _pyrate_peers)):
            try:
                found += await peer(folder, redis_url, stack)
            except ModuleNotFoundError as error:
                missing.append(f"{name} (the package {error.name} is not installed)")
        yield found, missing


async def _limits_peers(_: Path, redis_url: str | None, __: AsyncExitStack) -> list[Contender]:
    found = await limits_package("memory", "async+memory://")
    if redis_url:
        found += await limits_package("redis", f"async+{redis_url}", implementation="redispy")
    return found


async def _pyrate_peers(folder: Path, redis_url: str | None, stack: AsyncExitStack) -> list[Contender]:
    import pyrate_limiter as package  # noqa: PLC0415 - a peer may be missing
    from redis.asyncio import Redis as Driver  # noqa: PLC0415

    async def memory(rates: Any, _: str) -> Any:
        return package.StateBucket(rates)

    async def sqlite(rates: Any, key: str) -> Any:
        return package.SQLiteBucket.init_from_file(rates, table=key, db_path=str(folder / f"{key}.pyrate"))

    found = await pyrate("memory", memory) + await pyrate("sqlite", sqlite)
    if redis_url:
        driver = Driver.from_url(redis_url)
        stack.push_async_callback(driver.aclose)

        async def redis(rates: Any, key: str) -> Any:
            return package.StateBucket(rates, store=package.RedisStateStore(driver, key))

        found += await pyrate("redis", redis)
    return found


async def take_turn(contender: Contender, callers: int, seconds: float) -> float:
    """Decisions per second of `callers` tasks that ask one after another."""
    decided = 0

    async def call() -> None:
        nonlocal decided
        while time.perf_counter() < end:
            if not await contender.ask() and contender.case != "refused":
                raise RuntimeError(f"{contender.name} has refused where there was room.")
            decided += 1
            if contender.case == "free" or contender.place == "memory":
                await asyncio.sleep(0)  # what never waits lets nobody else go on

    gc.collect()
    begun = time.perf_counter()
    end = begun + seconds
    await asyncio.gather(*(call() for _ in range(callers)))
    return decided / (time.perf_counter() - begun)


async def measure(contenders: Sequence[Contender], rounds: int, seconds: float) -> list[Result]:
    """Everybody's turns, round by round, after one that warms everything."""
    rates: dict[tuple[str, str, str, int], list[float]] = {}
    for contender in contenders:
        if contender.case == "refused":
            with suppress(RateLimited):
                await contender.ask()  # the only place is taken
    for number in range(rounds + 1):
        shift = number % len(contenders)
        for callers in CALLERS:
            for contender in [*contenders[shift:], *contenders[:shift]]:
                taken = await take_turn(contender, callers, seconds if number else seconds / 5)
                key = (contender.case, contender.place, contender.name, callers)
                if number:
                    rates.setdefault(key, []).append(taken)
    results = []
    for (case, place, name, callers), mine in sorted(rates.items()):
        our = rates[case, place, US, callers]
        ratio = median(a / b for a, b in zip(our, mine, strict=True))
        results.append(Result(case, place, name, callers, median(mine), ratio))
    return results


def show(results: Sequence[Result]) -> None:
    """Print a line per case, place and contender; `x` is how many times as fast the toolkit was there."""
    print(f"{'':42}" + "".join(f"{f'{callers} at once, per second':>30}" for callers in CALLERS))
    for case, place, name in dict.fromkeys((r.case, r.place, r.name) for r in results):
        mine = {r.callers: r for r in results if (r.case, r.place, r.name) == (case, place, name)}
        cells = "".join(f"{mine[c].per_second:21,.0f}{mine[c].toolkit_ratio:7.2f} x" for c in CALLERS)
        print(f"{case:10}{place:10}{name:22}{cells}")


async def run(folder: Path, rounds: int, seconds: float) -> tuple[list[Result], list[str]]:
    """Measure on servers and files of our own."""
    async with field(folder) as (contenders, missing):
        return await measure(contenders, rounds, seconds), missing


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"one short round instead of {ROUNDS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    rounds, seconds = (1, 0.05) if options.quick else (ROUNDS, SECONDS)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server's own user goes through it
        results, missing = asyncio.run(run(folder, rounds, seconds))
    print(f"{rounds} rounds, python {platform.python_version()}, {os.cpu_count()} cores, load before {load}")
    show(results)
    for one in missing:
        print(f"missing: {one}; pip install 'toolkit-mcp[bench]'")
    if options.json:
        told = {"benchmark": "limits", "rounds": rounds, "seconds": seconds, "python": platform.python_version()}
        print(json.dumps({**told, "load": load, "missing": missing, "results": [asdict(r) for r in results]}))


if __name__ == "__main__":
    main()
