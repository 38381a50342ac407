"""What a call costs beyond the network: the whole toolkit beside the vendors' bare SDKs and what else stands over them.

    python -m benchmarks.chat [--quick] [--json] [--only NAME…]

The toolkit's call is a whole turn: a session is read, the chain looked up, the model asked, the ledger's row and the
turn written to SQLite. The others keep nothing. Everybody speaks to the same server, which is a process of its own, in
turns within each round; the figures are seconds of CPU of the client's process, all its threads, and the ratios are
medians over the rounds of what was measured in the same round.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.contest import Contest
from benchmarks.contestants.worker import Limits, Member
from benchmarks.fast_vendor import PIECES
from benchmarks.peers import BARE, OURS, OURS_LIMITED, PEERS, ROOT, Peer

ROUNDS, QUICK_ROUNDS = 9, 3
CALLS, STREAMS = 200, 16
AT_ONCE, STREAMS_AT_ONCE = 64, 8
GOALS = {"1 at a time": 1.0, f"{AT_ONCE} at once": 1.0, "per chunk": 0.75}
IMPORT_GOAL = 0.25
LIMITS = Limits(attempt=30.0, first_token=30.0, silence=30.0, total=60.0)
_IMPORT = "import time; t = time.process_time(); from toolkit import Toolkit; print(time.process_time() - t)"


@dataclass(frozen=True, slots=True)
class Cost:
    """What one client costs on one wire: microseconds of CPU, and the ratio to the bare SDK."""

    wire: str
    what: str
    peer: str
    microseconds: float
    ratio: float


def measure(peers: Sequence[Peer], wire: str, port: int, rounds: int, folder: str) -> list[Cost]:
    """All costs on one wire."""
    taken: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        contests = [stack.enter_context(Contest(peer, dict(os.environ))) for peer in peers]
        url = f"http://127.0.0.1:{port}/{wire}" + ("/v1" if wire == "openai" else "")
        for contest in contests:
            contest.connect([Member(name="model", wire=wire, url=url)], LIMITS, folder)
        for number in range(rounds + 1):
            for contest in contests[:: 1 if number % 2 else -1]:
                for what, microseconds in one_round(contest).items():
                    if number:  # the first round warms everybody up
                        taken.setdefault((what, contest.peer.name), []).append(microseconds)
    return [
        Cost(
            wire,
            what,
            peer,
            median(values),
            median(mine / bare for mine, bare in zip(values, taken[what, BARE.name], strict=True)),
        )
        for (what, peer), values in taken.items()
    ]


def one_round(contest: Contest) -> dict[str, float]:
    """Microseconds of CPU of a call alone, of one among many, and of a chunk of a stream."""
    alone = contest.load(stream=False, calls=CALLS, at_once=1)
    many = contest.load(stream=False, calls=2 * CALLS, at_once=AT_ONCE)
    streams = contest.load(stream=True, calls=STREAMS, at_once=STREAMS_AT_ONCE)
    if streams.chunks < 0.9 * STREAMS * PIECES:
        raise RuntimeError(f"{contest.peer.name} gave {streams.chunks} chunks of {STREAMS * PIECES}.")
    seconds = (alone.cpu / CALLS, many.cpu / (2 * CALLS), streams.cpu / (STREAMS * PIECES))
    return {what: each * 1e6 for what, each in zip(GOALS, seconds, strict=True)}


def import_seconds(rounds: int) -> float:
    """Seconds of CPU of `import toolkit` in a fresh process."""
    command = [sys.executable, "-c", _IMPORT]
    runs = [subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT) for _ in range(rounds)]
    return median(float(run.stdout) for run in runs)


@contextmanager
def server() -> Iterator[int]:
    """The port of a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.fast_vendor"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        if not process.stdin or not process.stdout:
            raise RuntimeError("The server has no pipes.")
        yield int(process.stdout.readline())
        process.stdin.close()


def print_costs(costs: Sequence[Cost], peers: Sequence[Peer]) -> None:
    print(f"{'wire':11}{'microseconds of CPU':22}" + "".join(f"{peer.name:>24}" for peer in peers) + "    goal")
    for wire in dict.fromkeys(cost.wire for cost in costs):
        for what, goal in GOALS.items():
            row = {cost.peer: cost for cost in costs if (cost.wire, cost.what) == (wire, what)}
            cells = "".join(f"{row[p.name].microseconds:15.0f} x{row[p.name].ratio:7.2f}" for p in peers)
            print(f"{wire:11}{what:22}{cells}   x{goal:.2f}")


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chat", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds instead of {ROUNDS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="this project, the bare SDK, and these")
    options = parser.parse_args()
    names = tuple(options.only or ("",))
    chosen = [each for each in PEERS if each in (OURS, BARE) or each.name.lower().startswith(names)]
    peers = [chosen[0], OURS_LIMITED, *chosen[1:]]
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    for peer in peers:
        if peer.missing:
            print(f"{peer.name}: missing; install it by `{peer.missing}`")
    there = [peer for peer in peers if not peer.missing]
    with tempfile.TemporaryDirectory() as folder, server() as port:
        costs = [cost for wire in ("openai", "anthropic") for cost in measure(there, wire, port, rounds, folder)]
    imported = import_seconds(rounds)
    print(f"{rounds} rounds, Python {platform.python_version()}, {os.cpu_count()} cores; streams of {PIECES} chunks")
    print_costs(costs, there)
    print(f"import toolkit: {imported:.2f} s of CPU (goal: at most {IMPORT_GOAL})")
    print(
        "The toolkit's call has its session and its ledger; `limits, cache` has limits of the user, too, and looks for"
    )
    print("the answer in the cache, where it is not, makes sure that no other process makes it, and keeps it there.")
    if options.json:
        told = {"benchmark": "chat", "rounds": rounds, "python": platform.python_version(), "goals": GOALS}
        missing = [peer.name for peer in peers if peer.missing]
        results = [asdict(cost) for cost in costs]
        print(json.dumps({**told, "missing": missing, "import_seconds": imported, "results": results}))


if __name__ == "__main__":
    main()
