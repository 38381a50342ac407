"""What a call of a tool costs over MCP, and what starting costs: this server, a bare one of the same SDK, and fastmcp.

    python -m benchmarks.mcp [--quick] [--json] [--only stdio|http]

All have one tool that adds two numbers. Ours is in the registry: its arguments are checked, and each call becomes a row
of the ledger in a SQLite file. The bare server checks and keeps nothing. Everybody is called through the SDK's own
client, in short turns within each round; a ratio is the median over the rounds of what was measured in the same round,
that of processor time the one of the sums.
fastmcp runs in an environment of its own: `python -m benchmarks.peers fastmcp`.
"""

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median

from benchmarks.mcp_calls import AT_ONCE, ERAS, TRANSPORTS, Contestant, Round, compare
from benchmarks.peers import FASTMCP
from benchmarks.startup import Start, start

GOAL = 1.2
GOAL_MB = 10.0
ROUNDS, QUICK_ROUNDS = 30, 10
STARTS, QUICK_STARTS = 9, 3
OURS, BARE = "toolkit-mcp", "bare SDK"
MEASURES = {"alone": "one at a time", "many": f"{AT_ONCE} at once", "cpu": "CPU of the server"}
_FOLDER = Path(__file__).parent / "servers"


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of one server in one way of calling, and the ratio to the bare one."""

    transport: str
    era: str
    what: str
    server: str
    milliseconds: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Startup:
    """From the start of a process to the handshake, in milliseconds, and its memory then, in megabytes."""

    era: str
    server: str
    milliseconds: float
    ratio: float
    rss_mb: float | None


def contestants(folder: str) -> list[Contestant]:
    """Who is compared, as far as it is installed; the bare server first."""
    ours = ["-m", "benchmarks.servers.ours", "--db", f"sqlite:///{Path(folder) / 'toolkit.db'}"]
    bare = ["-m", "benchmarks.servers.bare"]
    fast = [str(_FOLDER / "fast.py")]
    return [
        Contestant(BARE, sys.executable, bare, [*bare, "--http"]),
        Contestant(OURS, sys.executable, ours, [*ours, "--http", "127.0.0.1:0"]),
        *([] if FASTMCP.missing else [Contestant(FASTMCP.name, str(FASTMCP.python), fast, [*fast, "--http"])]),
    ]


def costs_of(transport: str, era: str, rounds: dict[str, list[Round]]) -> list[Cost]:
    """One line for each measure and server."""
    lines = []
    for what in MEASURES:
        bare = [getattr(each, what) for each in rounds[BARE]]
        for name, taken in rounds.items():
            mine = [getattr(each, what) for each in taken]
            typical, ratio = (
                (mean(mine), sum(mine) / sum(bare)) if what == "cpu" else (median(mine), _ratio(mine, bare))
            )
            lines.append(Cost(transport, era, what, name, typical, ratio))
    return lines


def startups(servers: Sequence[Contestant], times: int) -> list[Startup]:
    """Starts in turns, in each era; the first one warms the disk and is not counted."""
    taken: dict[tuple[str, str], list[Start]] = {}
    for number in range(times + 1):
        for era in ERAS:
            for server in servers[:: 1 if number % 2 else -1]:
                begun = start(server.command("stdio"), era)
                if number:
                    taken.setdefault((era, server.name), []).append(begun)
    return [_startup(era, name, starts, taken[era, BARE]) for (era, name), starts in taken.items()]


def _startup(era: str, name: str, starts: Sequence[Start], bare: Sequence[Start]) -> Startup:
    seconds = [each.handshake for each in starts]
    known = [each.rss for each in starts if each.rss is not None]
    ratio = _ratio(seconds, [each.handshake for each in bare])
    return Startup(era, name, median(seconds) * 1000, ratio, median(known) if known else None)


def _ratio(mine: Sequence[float], bare: Sequence[float]) -> float:
    return median(a / b for a, b in zip(mine, bare, strict=True) if b)


def print_costs(costs: Sequence[Cost], names: Sequence[str]) -> None:
    for what, words in MEASURES.items():
        row = {cost.server: cost for cost in costs if cost.what == what}
        cells = "".join(f"{row[name].milliseconds:12.2f} x{row[name].ratio:6.2f}" for name in names)
        head = f"{row[OURS].transport:11}{row[OURS].era:12}{words:24}"
        print(f"{head}{cells}  {_verdict(row[OURS].ratio, GOAL)}", flush=True)


def print_startups(lines: Sequence[Startup], names: Sequence[str]) -> None:
    for era in ERAS:
        row = {line.server: line for line in lines if line.era == era}
        cells = "".join(f"{row[name].milliseconds:12.0f} x{row[name].ratio:6.2f}" for name in names)
        print(f"{'stdio':11}{era:12}{'start to handshake':24}{cells}  {_verdict(row[OURS].ratio, GOAL)}")
        memory = [row[name].rss_mb for name in names]
        if all(memory):
            cells = "".join(f"{mb or 0:17.1f} MB" for mb in memory)
            more = (row[OURS].rss_mb or 0) - (row[BARE].rss_mb or 0)
            print(f"{'stdio':11}{era:12}{'memory after tools/list':24}{cells}  {_verdict(more, GOAL_MB, ' MB more')}")


def _verdict(value: float, goal: float, unit: str = "") -> str:
    return f"{'met' if value <= goal else 'MISSED'} (goal: at most {goal:g}{unit})"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mcp", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds instead of {ROUNDS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", choices=TRANSPORTS, help="one of the two transports, and no starts")
    options = parser.parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    if FASTMCP.missing:
        print(f"{FASTMCP.name}: missing; install it by `{FASTMCP.missing}`")
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory() as folder:
        servers = contestants(folder)
        names = [server.name for server in servers]
        print(f"{rounds} rounds, Python {platform.python_version()}, mcp {version('mcp')}, {os.cpu_count()} cores")
        print(f"{'transport':11}{'era':12}{'milliseconds of a call':24}" + "".join(f"{name:>20}" for name in names))
        for transport in [options.only] if options.only else TRANSPORTS:
            for era in ERAS:
                measured = costs_of(transport, era, asyncio.run(compare(servers, transport, era, rounds)))
                print_costs(measured, names)
                costs += measured
        times = QUICK_STARTS if options.quick else STARTS
        starts = [] if options.only else startups(servers, times)
        if starts:
            print_startups(starts, names)
    if options.json:
        told = {"benchmark": "mcp", "rounds": rounds, "python": platform.python_version(), "mcp": version("mcp")}
        goals = {"goal": GOAL, "goal_mb": GOAL_MB, "missing": [FASTMCP.name] if FASTMCP.missing else []}
        results = {"results": [asdict(cost) for cost in costs], "starts": [asdict(line) for line in starts]}
        print(json.dumps({**told, **goals, **results}))


if __name__ == "__main__":
    main()
