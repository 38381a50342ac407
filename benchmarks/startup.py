"""How long a host waits for the server: from the start of the process to the handshake, and to the list of tools.

    python -m benchmarks.startup [--quick] [--json]

Each round starts this server and a bare server of the same SDK, in turn, in both eras of the protocol. The ratio is
the median over the rounds of this server's time by the bare one's in the same round, so that a busy machine slows both.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import IO, Any

GOAL = 1.25
ROUNDS, QUICK_ROUNDS = 15, 5
BARE = [sys.executable, "-m", "benchmarks.servers.bare"]
ERAS = ("2025-11-25", "2026-07-28")
CLIENT = {"name": "startup", "version": "1"}


@dataclass(frozen=True, slots=True)
class Start:
    """One start of one server.

    Attributes:
        handshake: seconds from the start of the process to the answer to the handshake.
        tools: seconds from there to the list of tools.
        rss: megabytes of memory then, None where `ps` cannot tell.
    """

    handshake: float
    tools: float
    rss: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of this server and the bare one, in milliseconds; `ratio` is the median of the rounds' ratios."""

    era: str
    until: str
    toolkit_ms: float
    bare_ms: float
    ratio: float


def start(command: list[str], era: str) -> Start:
    """Start a server, shake hands, list its tools, and end it."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if not process.stdin or not process.stdout:
            raise RuntimeError("The server has no pipes.")
        if era == ERAS[0]:
            hello = {"protocolVersion": era, "capabilities": {}, "clientInfo": CLIENT}
            ask(process.stdin, process.stdout, "initialize", hello)
            shaken = time.perf_counter()
            process.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n')
            ask(process.stdin, process.stdout, "tools/list", {})
        else:
            prefix = "io.modelcontextprotocol/"
            meta = {f"{prefix}protocolVersion": era, f"{prefix}clientInfo": CLIENT, f"{prefix}clientCapabilities": {}}
            ask(process.stdin, process.stdout, "server/discover", {"_meta": meta})
            shaken = time.perf_counter()
            ask(process.stdin, process.stdout, "tools/list", {"_meta": meta})
        listed = time.perf_counter()
        return Start(shaken - begun, listed - shaken, resident(process.pid))


def ask(stdin: IO[str], stdout: IO[str], method: str, params: dict[str, Any]) -> None:
    """Send one request and wait for its answer."""
    stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
    stdin.flush()
    answer = json.loads(stdout.readline())
    if "result" not in answer:
        raise RuntimeError(f"{method} was answered by {answer}.")


def resident(pid: int) -> float | None:
    """Megabytes of memory that a process occupies."""
    try:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(told.stdout) / 1024


def measure(rounds: int, toolkit_mcp: list[str]) -> dict[str, dict[str, list[Start]]]:
    """The starts of both servers in each era, round by round; the first round warms the disk and is not counted."""
    starts: dict[str, dict[str, list[Start]]] = {era: {"toolkit-mcp": [], "bare": []} for era in ERAS}
    for number in range(rounds + 1):
        for era in ERAS:
            pair = {"toolkit-mcp": toolkit_mcp, "bare": BARE}
            # Whoever goes second may find a warmer machine.
            for name in sorted(pair, reverse=bool(number % 2)):
                taken = start(pair[name], era)
                if number:
                    starts[era][name].append(taken)
    return starts


def compare(starts: dict[str, dict[str, list[Start]]]) -> list[Comparison]:
    """One line per era and thing waited for."""
    lines = []
    for era, by_server in starts.items():
        for until in ("handshake", "tools/list"):
            ours, bare = ([_seconds(s, until) for s in by_server[name]] for name in ("toolkit-mcp", "bare"))
            ratio = median(a / b for a, b in zip(ours, bare, strict=True))
            lines.append(Comparison(era, until, median(ours) * 1000, median(bare) * 1000, ratio))
    return lines


def _seconds(taken: Start, until: str) -> float:
    return taken.handshake if until == "handshake" else taken.handshake + taken.tools


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds instead of {ROUNDS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{Path(folder) / 'toolkit.db'}"
        starts = measure(rounds, [sys.executable, "-m", "mcp_server", "--db", database])
    lines = compare(starts)
    memory = {name: _memory([s for era in ERAS for s in starts[era][name]]) for name in ("toolkit-mcp", "bare")}
    print(f"{rounds} rounds, Python {platform.python_version()}, mcp {version('mcp')}, {os.cpu_count()} cores")
    print(f"{'era':12}{'from start until':18}{'toolkit-mcp':>14}{'bare SDK':>12}{'ratio':>8}")
    for line in lines:
        print(
            f"{line.era:12}{line.until:18}{line.toolkit_ms:11.0f} ms{line.bare_ms:9.0f} ms{line.ratio:8.2f}"
            f"{f'  (goal: at most {GOAL})' if line.until == 'handshake' else ''}"
        )
    if all(memory.values()):
        print(f"{'memory after tools/list':30}{memory['toolkit-mcp']:11.0f} MB{memory['bare']:9.0f} MB")
    if options.json:
        told = {"benchmark": "startup", "rounds": rounds, "python": platform.python_version(), "mcp": version("mcp")}
        print(json.dumps({**told, "goal": GOAL, "results": [asdict(line) for line in lines], "rss_mb": memory}))


def _memory(taken: list[Start]) -> float | None:
    known = [start.rss for start in taken if start.rss is not None]
    return median(known) if known else None


if __name__ == "__main__":
    main()
