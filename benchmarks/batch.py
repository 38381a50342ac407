"""A batch that is killed in the middle and goes on, and what a batch costs beside `asyncio.gather` over the bare SDK.

    python -m benchmarks.batch [--quick] [--json]

First a process that runs a batch of 10,000 questions under a name is killed with SIGKILL at the half, and the same
call is made again: every question must have its answer, and none that was acknowledged before the kill may be asked
again. Then the toolkit's batches and a semaphore over OpenAI's SDK run in turns within each round, each in a process
of its own, against one server that is a process too; ratios are medians over the rounds of what was measured in the
same round. The toolkit's batches keep every call in the ledger, in SQLite; `kept` keeps questions and answers as well.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from statistics import median

from benchmarks.batch_runs import ANSWERED, question
from benchmarks.chat import server
from benchmarks.peers import ROOT
from toolkit.testing.vendors import VendorServer

NUMBER, QUICK_NUMBER = 10_000, 600
ROUNDS, QUICK_ROUNDS = 5, 2
MEASURED, QUICK_MEASURED = 2000, 200
AT_ONCE = 64
NAMES = ("bare", "plain", "kept")


@dataclass(frozen=True, slots=True)
class Killed:
    """What came of the batch that was killed.

    Attributes:
        number: how many questions.
        acknowledged: answers that the first process had given when it was killed.
        lost: questions without an answer in the end.
        paid_twice: acknowledged ones that the second process asked again.
        under_way: others that were asked twice: the answers that were under way at the kill.
        seconds_before: from the first question to the kill.
        seconds_silent: from the start of the second process to its first question; the lease of the dead one ends.
        seconds_after: from there to the last answer.
        answers_per_second: without the silence.
    """

    number: int
    acknowledged: int
    lost: int
    paid_twice: int
    under_way: int
    seconds_before: float
    seconds_silent: float
    seconds_after: float
    answers_per_second: float


@dataclass(frozen=True, slots=True)
class Rate:
    """Answers per second, microseconds of CPU of an answer, and the ratios of both times to the bare SDK's."""

    name: str
    answers_per_second: float
    microseconds: float
    ratio_seconds: float
    ratio_cpu: float


def start(name: str, url: str, number: int, at_once: int, folder: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.batch_runs", name, url, str(number), str(at_once), folder]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("TOOLKIT_", "OPENAI_"))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environ)


def kill_in_the_middle(number: int, folder: str) -> Killed:
    """Run the batch, kill it at the half, and run it again."""
    with VendorServer() as vendors:
        url = vendors.openai_url
        with start("killed", url, number, AT_ONCE, folder) as process:
            while not vendors.requests:
                time.sleep(0.001)
            began = time.monotonic()
            first = positions(process, number // 2)
            process.kill()
            killed_at = time.monotonic()
            first += positions(process, number + 1)  # what it had given when it was killed
        before = asked(vendors)
        seen = len(vendors.requests)
        with start("killed", url, number, AT_ONCE, folder) as process:
            restarted_at = time.monotonic()
            # It gives what was done at once; if nobody took it, it would wait for its reader.
            with ThreadPoolExecutor() as readers:
                reading = readers.submit(positions, process, number + 1)
                while len(vendors.requests) < seen + 2:  # the first one warms up
                    time.sleep(0.01)
                resumed_at = time.monotonic()
                second = reading.result()
            ended_at = time.monotonic()
        again = asked(vendors) - before
    twice = {n for n in range(number) if before[question(n)] and again[question(n)]}
    paid_twice = twice & set(first)
    working = killed_at - began + ended_at - resumed_at
    return Killed(
        number=number,
        acknowledged=len(first),
        lost=len(set(range(number)) - set(second)),
        paid_twice=len(paid_twice),
        under_way=len(twice - paid_twice),
        seconds_before=killed_at - began,
        seconds_silent=resumed_at - restarted_at,
        seconds_after=ended_at - resumed_at,
        answers_per_second=number / working,
    )


def positions(process: "subprocess.Popen[str]", most: int) -> list[int]:
    """The positions whose answers it has given, up to so many, or until it ends."""
    found: list[int] = []
    while process.stdout and len(found) < most and (line := process.stdout.readline()):
        word, _, position = line.strip().partition(" ")
        if word == ANSWERED:
            found.append(int(position))
    return found


def asked(vendors: VendorServer) -> "Counter[str]":
    return Counter(request.body["messages"][-1]["content"] for request in list(vendors.requests))


def measure(number: int, rounds: int) -> list[Rate]:
    """All rates, in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    cpu: dict[str, list[float]] = {name: [] for name in NAMES}
    with server() as port:
        for turn in range(rounds):
            for name in NAMES[:: -1 if turn % 2 else 1]:
                with tempfile.TemporaryDirectory() as folder:
                    told = one_run(name, f"http://127.0.0.1:{port}/openai/v1", number, folder)
                seconds[name].append(told["seconds"])
                cpu[name].append(told["cpu"])
    return [
        Rate(
            name,
            number / median(seconds[name]),
            median(cpu[name]) / number * 1e6,
            median(mine / bare for mine, bare in zip(seconds[name], seconds["bare"], strict=True)),
            median(mine / bare for mine, bare in zip(cpu[name], cpu["bare"], strict=True)),
        )
        for name in NAMES
    ]


def one_run(name: str, url: str, number: int, folder: str) -> dict[str, float]:
    with start(name, url, number, AT_ONCE, folder) as process:
        last = (process.communicate()[0].splitlines() or ["{}"])[-1]
    told: dict[str, float] = json.loads(last)
    if told.get("given") != number:
        raise RuntimeError(f"{name} gave {told.get('given')} answers of {number}.")
    return told


def print_results(killed: Killed, rates: Sequence[Rate], number: int) -> None:
    print(
        f"batch of {killed.number:,}, killed after {killed.acknowledged:,} answers: {killed.lost} lost, "
        f"{killed.paid_twice} acknowledged ones asked again, {killed.under_way} under way asked again"
    )
    print(
        f"{killed.seconds_before:.1f} s before the kill, {killed.seconds_silent:.1f} s from the start of the second "
        f"process to its first question, {killed.seconds_after:.1f} s after; {killed.answers_per_second:,.0f} answers/s"
    )
    print(f"\n{number:,} questions, {AT_ONCE} at once")
    print(f"{'':8}{'answers/s':>12}{'µs of CPU':>12}{'time':>10}{'CPU':>10}")
    for rate in rates:
        ratios = f"x{rate.ratio_seconds:.2f}", f"x{rate.ratio_cpu:.2f}"
        print(f"{rate.name:8}{rate.answers_per_second:12,.0f}{rate.microseconds:12,.0f}{ratios[0]:>10}{ratios[1]:>10}")


def main() -> None:
    """Kill, measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_NUMBER} questions instead of {NUMBER}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    number, rounds, measured = (
        (QUICK_NUMBER, QUICK_ROUNDS, QUICK_MEASURED) if options.quick else (NUMBER, ROUNDS, MEASURED)
    )
    with tempfile.TemporaryDirectory() as folder:
        killed = kill_in_the_middle(number, folder)
    rates = measure(measured, rounds)
    print(f"{rounds} rounds, Python {platform.python_version()}, {os.cpu_count()} cores")
    print_results(killed, rates, measured)
    if options.json:
        told = {"benchmark": "batch", "rounds": rounds, "at_once": AT_ONCE, "python": platform.python_version()}
        print(json.dumps({**told, "killed": asdict(killed), "results": [asdict(rate) for rate in rates]}))
    if killed.lost or killed.paid_twice:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
