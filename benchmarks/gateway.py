"""What a request costs through the gateway: beside the least that one can be, and beside LiteLLM's proxy.

    python -m benchmarks.gateway [--quick] [--json] [--only NAME…] [--memory REQUESTS]

Ours asks who calls, by a key of its database, keeps every call in the ledger in a SQLite file, and counts it against a
limit of the user's requests, tokens and money. The passthrough is thirty lines of Starlette over OpenAI's client, and
does nothing of that; LiteLLM's proxy asks for its one key, and keeps nothing. All speak to the same vendor, which is a
process of its own. Each server has one processor to itself, the load and the vendor have another one. Everybody has a
turn in each round; a ratio is the median over the rounds of what was measured in the same round, of requests per
second: larger is better.
LiteLLM runs in an environment of its own: `python -m benchmarks.peers litellm-proxy`.

`--memory N` sends ours alone N requests, and tells how its memory grows.
"""

import argparse
import asyncio
import json
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from benchmarks.fast_vendor import PIECES
from benchmarks.gateway_load import Load, Taken, body
from benchmarks.peers import LITELLM_PROXY, ROOT
from toolkit.toolkit import Toolkit

GOAL = 0.9
ROUNDS, QUICK_ROUNDS = 9, 1
AT_ONCE = 64
REQUESTS, QUICK_REQUESTS = 300, 20
STREAMS, QUICK_STREAMS = 32, 4
STREAMS_AT_ONCE = 8
OURS, BARE = "toolkit-mcp", "passthrough"
WAYS = {"alone": "1 at a time", "many": f"{AT_ONCE} at once", "stream": f"streams, {STREAMS_AT_ONCE} at once"}
_STARTED_WITHIN = 60.0
_MASTER_KEY = f"sk-{secrets.token_hex(32)}"


@dataclass(frozen=True, slots=True)
class Cost:
    """One server in one way of asking: requests per second, and that to the passthrough's in the same round."""

    way: str
    server: str
    per_second: float
    ratio: float
    cpu_milliseconds: float
    cpu_ratio: float
    p50: float
    p99: float


@contextmanager
def vendor() -> Iterator[str]:
    """The address of a vendor that answers at once."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fast_vendor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        _pin(process.pid, server=False)
        try:
            if not process.stdout:
                raise RuntimeError("The vendor has no pipes.")
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/openai/v1"
        finally:
            process.kill()


@contextmanager
def served(command: Sequence[str], environ: dict[str, str] | None = None, *, key: str, port: int = 0) -> Iterator[Load]:
    """A server that says its address, or that listens at `port` after a while."""
    with subprocess.Popen(
        command,
        stderr=subprocess.DEVNULL if port else subprocess.PIPE,  # nobody reads it
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=environ,
    ) as process:
        _pin(process.pid, server=True)
        try:
            url = f"http://127.0.0.1:{port}" if port else _said(process.stderr or ())
            _await_port(url)
            yield Load(url, process.pid, key)
        finally:
            process.kill()


def _said(lines: Any) -> str:
    for line in lines:
        if "at http://" in line:
            return str(line.split()[-1].removesuffix("/mcp"))
    raise RuntimeError("A server did not start.")


def _await_port(url: str) -> None:
    import socket  # noqa: PLC0415 - only here

    host, port = url.removeprefix("http://").split(":")
    until = time.monotonic() + _STARTED_WITHIN
    while time.monotonic() < until:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"Nothing listens at {url}.")


def _pin(pid: int, *, server: bool) -> None:
    """Servers get the last processor, everybody else the others; one processor alone is shared."""
    if hasattr(os, "sched_setaffinity") and len(every := sorted(os.sched_getaffinity(0))) > 1:
        os.sched_setaffinity(pid, every[-1:] if server else every[:-1])


async def prepared(folder: str, url: str) -> tuple[str, str]:
    """A database with a model, a key, and limits that are never reached; its URL, and the key."""
    database = f"sqlite:///{Path(folder) / 'gateway.db'}"
    async with Toolkit.open(database) as tk:
        await tk.models.add("openai", "bench", priority=1, auth={"api_key_env": "BENCH_KEY"}, config={"base_url": url})
        _, key = await tk.keys.create("bench", user="ada", scopes=["chat"])
        await tk.limits.set("user", "ada", rpm=1_000_000, tpm=1_000_000_000, usd_per_day=1_000_000)
    return database, key


@contextmanager
def contestants(url: str, folder: str, only: Sequence[str]) -> Iterator[dict[str, Load]]:
    """Everybody who is installed, and wanted."""
    database, key = asyncio.run(prepared(folder, url))
    ours = [sys.executable, "-m", "mcp_server", "--db", database, "--http", "127.0.0.1:0"]
    commands: dict[str, tuple[list[str], dict[str, str] | None, int]] = {
        BARE: ([sys.executable, "-m", "benchmarks.servers.passthrough", url], None, 0),
        OURS: (ours, {**os.environ, "BENCH_KEY": "key"}, 0),
    }
    if LITELLM_PROXY.missing is None:
        commands[LITELLM_PROXY.name] = _litellm(url, folder)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                served(command, environ, key=_MASTER_KEY if name == LITELLM_PROXY.name else key, port=port)
            )
            for name, (command, environ, port) in commands.items()
            if name == BARE or not only or name in only
        }


def _litellm(url: str, folder: str) -> tuple[list[str], dict[str, str], int]:
    """LiteLLM's proxy, without a database and without keys."""
    import socket  # noqa: PLC0415 - only here

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    parameters = {"model": "openai/bench", "api_base": url, "api_key": "key"}
    config = {"model_list": [{"model_name": "bench", "litellm_params": parameters}]}
    path = Path(folder) / "litellm.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [str(LITELLM_PROXY.python.parent / "litellm"), "--config", str(path), "--host", "127.0.0.1"]
    environ = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_MASTER_KEY": _MASTER_KEY}
    return [*command, "--port", str(port)], environ, port


async def _round(load: Load, requests: int, streams: int) -> dict[str, Taken]:
    return {
        "alone": await load.send(body(stream=False), requests, 1),
        "many": await load.send(body(stream=False), requests * 2, AT_ONCE),
        "stream": await load.send(body(stream=True), streams, STREAMS_AT_ONCE),
    }


async def compare(loads: dict[str, Load], *, quick: bool) -> list[Cost]:
    """The rounds, and what they tell; the one before the first warms everybody."""
    requests, streams = (QUICK_REQUESTS, QUICK_STREAMS) if quick else (REQUESTS, STREAMS)
    rounds: list[dict[str, dict[str, Taken]]] = []
    for number in range((QUICK_ROUNDS if quick else ROUNDS) + 1):
        order = list(loads)[:: 1 if number % 2 else -1]
        rounds.append({name: await _round(loads[name], requests, streams) for name in order})
    return [_cost(way, name, rounds[1:]) for way in WAYS for name in loads]


def _cost(way: str, name: str, rounds: Sequence[dict[str, dict[str, Taken]]]) -> Cost:
    mine, bare = [each[name][way] for each in rounds], [each[BARE][way] for each in rounds]
    every = sorted(took for each in mine for took in each.milliseconds)
    asked = len(every)
    cpu, bare_cpu = sum(each.cpu for each in mine), sum(each.cpu for each in bare)
    return Cost(
        way,
        name,
        median(len(each.milliseconds) / each.seconds for each in mine),
        median(b.seconds / m.seconds for m, b in zip(mine, bare, strict=True)),
        cpu / asked * 1e3,
        cpu / bare_cpu if bare_cpu else 0.0,
        median(every),
        quantiles(every, n=100)[-1],
    )


async def memory(load: Load, requests: int) -> AsyncIterator[tuple[int, float]]:
    """How many requests were answered, and the megabytes that the server has then."""
    yield 0, rss(load.pid)
    for part in range(10):
        await load.send(body(stream=False), requests // 10, AT_ONCE)
        yield (part + 1) * (requests // 10), rss(load.pid)


def rss(pid: int) -> float:
    """Megabytes of memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def show(costs: Sequence[Cost]) -> None:
    """The figures as a table."""
    print(f"{'':26}{'server':16}{'req/s':>9}{'ratio':>8}{'CPU ms':>9}{'ratio':>7}{'p50 ms':>9}{'p99 ms':>9}")
    for cost in costs:
        verdict = ("met" if cost.ratio >= GOAL else f"below {GOAL}") if cost.server == OURS else ""
        print(
            f"{WAYS[cost.way]:26}{cost.server:16}{cost.per_second:9.0f}{cost.ratio:8.2f}{cost.cpu_milliseconds:9.2f}"
            f"{cost.cpu_ratio:7.2f}{cost.p50:9.1f}{cost.p99:9.1f}  {verdict}"
        )
    print(f"A stream has {PIECES} chunks.")
    if LITELLM_PROXY.missing:
        print(f"{LITELLM_PROXY.name} is not installed: {LITELLM_PROXY.missing}")


async def _grown(load: Load, requests: int) -> list[tuple[int, float]]:
    told = []
    async for answered, megabytes in memory(load, requests):
        print(f"{answered:9} requests {megabytes:9.1f} MB", flush=True)
        told.append((answered, megabytes))
    return told


def main() -> None:
    """Measure, and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds; the figures are noise")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--only", nargs="*", default=(), metavar="NAME", help="these beside the passthrough")
    parser.add_argument("--memory", type=int, metavar="REQUESTS", help="send ours so many, and tell its memory")
    args = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}", flush=True)
    _pin(0, server=False) if not args.memory else None
    with tempfile.TemporaryDirectory() as folder, vendor() as url, contestants(url, folder, args.only) as loads:
        told: dict[str, Any] = {}
        if args.memory:
            told["memory"] = asyncio.run(_grown(loads[OURS], args.memory))
        else:
            costs = asyncio.run(compare(loads, quick=args.quick))
            told["costs"] = [asdict(cost) for cost in costs]
            show(costs)
    if args.json:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
