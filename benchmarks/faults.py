"""What each client makes of a vendor that fails, while a healthy one stands behind it.

    python -m benchmarks.faults [--quick] [--json] [--wire openai|anthropic] [--only NAME…]

Every client gets the same chain (a sick server, then a healthy one), the same limits, and the same faults, one process
each; `benchmarks.peers` installs those that are missing. A fault becomes knowable when the sick server has sent it; a
silence, when the limit that the client was given is over. What counts is the time from then to the answer, whether the
text is whole and there once, and how often the sick server was asked.
"""

import argparse
import json
import os
import platform
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Self

from benchmarks.contest import Contest
from benchmarks.contestants.worker import Answer, Limits, Member
from benchmarks.fault_list import ANSWER, FAULTS, LIMITS, Case, healthy
from benchmarks.peers import PEERS, Peer
from toolkit.testing.vendors import Fault, VendorServer

CALLS, QUICK_CALLS = 5, 2
OUTAGE, QUICK_OUTAGE = 10.0, 3.0
EVERY = 0.25
"""Seconds between two questions during an outage."""
GOAL = 0.050
"""Seconds from the moment when a fault is knowable to the answer."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Some calls of one client against one fault.

    Attributes:
        answered: calls whose text was whole, and there once.
        wrong: calls that ended as if all were well, without the whole text.
        raised: the classes of the errors of the other calls.
        first: seconds of delay of the first call, None if it was not answered; below 0 is before the fault was known.
        later: the median of the others that were answered.
        worst: the longest.
        sick: requests to the sick server, of each call.
        healthy: requests to the healthy one, of each call.
    """

    wire: str
    mode: str
    fault: str
    peer: str
    calls: int
    answered: int
    wrong: int
    raised: tuple[str, ...]
    first: float | None
    later: float | None
    worst: float | None
    sick: tuple[int, ...]
    healthy: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """A sick server that recovers, asked all the time.

    Attributes:
        asked: calls.
        answered: those whose text was whole.
        worst: the longest of them, in seconds.
        probes: requests to the sick server while it was sick.
        back: seconds from its recovery to its next answer; None if it was not asked again.
    """

    wire: str
    mode: str
    peer: str
    asked: int
    answered: int
    worst: float
    probes: int
    back: float | None


class Arena:
    """Two servers, and whoever is asked about them."""

    def __init__(self, wire: str, folder: str) -> None:
        self.wire = wire
        self._folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.sick, self.healthy = (self._stack.enter_context(VendorServer(reply=healthy)) for _ in range(2))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def connect(self, contest: Contest, limits: Limits = LIMITS, *, refused: str | None = None) -> None:
        """Give a client the chain; `refused` is an address instead of the sick server's."""
        urls = {name: server.url(self.wire) for name, server in (("sick", self.sick), ("healthy", self.healthy))}
        suffix = "/v1" if self.wire == "openai" else ""
        chain = [Member(name=name, wire=self.wire, url=url + suffix) for name, url in urls.items()]
        if refused:
            chain[0]["url"] = refused
        contest.connect(chain, limits, self._folder)

    def ask(self, contest: Contest, case: Case, *, stream: bool) -> tuple[Answer, float, int, int]:
        """One question: the answer, when the fault was knowable, and the requests that the two servers got."""
        sick, well = len(self.sick.requests), len(self.healthy.requests)
        answer = contest.ask(stream=stream)
        asked = self.sick.requests[sick:]
        struck = next((each.struck_at for each in asked if each.struck_at is not None), None)
        # A client that left the sick one aside knew before it was asked.
        known = answer.began if struck is None else struck + case.limit(stream=stream)
        return answer, known, len(asked), len(self.healthy.requests) - well


def meet(arena: Arena, contest: Contest, case: Case, *, stream: bool, calls: int) -> Outcome:
    """Several calls, one after the other, of a client that has not met the fault before."""
    with _nobody() as address:
        arena.connect(contest, refused=address if case.refused else None)
        arena.sick.recover()
        if not case.refused:
            contest.ask(stream=stream)  # what a client does once, it has done
            arena.sick.fail(arena.wire, case.fault(arena.wire))
        met = [arena.ask(contest, case, stream=stream) for _ in range(calls)]
    delays = [answer.ended - known if right(answer) else None for answer, known, _, _ in met]
    known_delays = [delay for delay in delays if delay is not None]
    later = [delay for delay in delays[1:] if delay is not None]
    return Outcome(
        arena.wire,
        "stream" if stream else "whole",
        case.name,
        contest.peer.name,
        calls,
        answered=len(known_delays),
        wrong=sum(answer.error is None and not right(answer) for answer, *_ in met),
        raised=tuple(dict.fromkeys(answer.error for answer, *_ in met if answer.error)),
        first=delays[0],
        later=median(later) if later else None,
        worst=max(known_delays) if known_delays else None,
        sick=tuple(sick for *_, sick, _ in met),
        healthy=tuple(well for *_, well in met),
    )


def endure(arena: Arena, contest: Contest, *, stream: bool, seconds: float) -> Outage:
    """Ask all the time, while the sick server is sick and until it is asked again, for twice as long at most."""
    arena.connect(contest)
    arena.sick.recover()
    contest.ask(stream=stream)
    arena.sick.requests.clear()
    began = time.monotonic()
    arena.sick.fail(arena.wire, Fault.status(503), seconds=seconds)
    answers, back = [], None
    while time.monotonic() < began + 3 * seconds and back is None:
        asked = len(arena.sick.requests)
        answers.append(contest.ask(stream=stream))
        if any(each.struck_at is None for each in arena.sick.requests[asked:]):
            back = answers[-1].ended - began - seconds
        time.sleep(EVERY)
    return Outage(
        arena.wire,
        "stream" if stream else "whole",
        contest.peer.name,
        len(answers),
        sum(map(right, answers)),
        max(answer.ended - answer.began for answer in answers),
        sum(each.struck_at is not None for each in arena.sick.requests),
        back,
    )


def right(answer: Answer) -> bool:
    """Whether the whole text came, once, and nothing was raised."""
    return answer.error is None and answer.text == ANSWER


@contextmanager
def _nobody() -> Iterator[str]:
    """An address at which nobody listens, and nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def measure(
    peers: Sequence[Peer], wire: str, cases: Sequence[Case], *, calls: int, outage: float, folder: str
) -> tuple[list[Outcome], list[Outage]]:
    """All faults on one wire; the clients meet each fault one after the other."""
    outcomes: list[Outcome] = []
    outages: list[Outage] = []
    with Arena(wire, folder) as arena, ExitStack() as stack:
        contests = [stack.enter_context(Contest(peer, dict(os.environ))) for peer in peers]
        for stream in (False, True):
            for case in cases:
                row = [meet(arena, contest, case, stream=stream, calls=calls) for contest in contests]
                print_case(row)
                outcomes += row
            if outage:
                outages += [endure(arena, contest, stream=stream, seconds=outage) for contest in contests]
    return outcomes, outages


def print_head(peers: Sequence[Peer], calls: int) -> None:
    told = f"{calls} calls in sequence; per client: answered, ms of the first and of the later calls beyond knowable,"
    print(f"{told} requests to sick+healthy per call")
    print(f"{'wire':10}{'mode':7}{'fault':22}" + "".join(f"{peer.name:34}" for peer in peers), flush=True)


def print_case(row: Sequence[Outcome]) -> None:
    first = row[0]
    cells = []
    for each in row:
        per_call = f"{sum(each.sick) / each.calls:.1f}+{sum(each.healthy) / each.calls:.1f}"
        verdict = f"{each.answered}/{each.calls}" + (f" WRONG {each.wrong}" if each.wrong else "")
        cells.append(f"{verdict} {_ms(each.first)} / {_ms(each.later)}, {per_call}")
    print(f"{first.wire:10}{first.mode:7}{first.fault:22}" + "".join(f"{cell:34}" for cell in cells), flush=True)


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f}"


def summarise(outcomes: Sequence[Outcome], peers: Sequence[Peer]) -> list[dict[str, Any]]:
    """One line per client: over all faults that the healthy server cures."""
    curable = {case.name for case in FAULTS if case.curable}
    lines = []
    for peer in peers:
        mine = [each for each in outcomes if each.peer == peer.name and each.fault in curable]
        delays = [delay for each in mine for delay in (each.first, each.later) if delay is not None]
        lines.append(
            {
                "peer": peer.name,
                "answered": sum(each.answered for each in mine),
                "of": sum(each.calls for each in mine),
                "wrong": sum(each.wrong for each in mine),
                "median_ms": median(delays) * 1000 if delays else None,
                "worst_ms": max((each.worst for each in mine if each.worst is not None), default=0.0) * 1000,
                "sick_per_call": sum(sum(each.sick) for each in mine) / max(1, sum(each.calls for each in mine)),
                "faults_within_goal": sum(
                    each.answered == each.calls and each.worst is not None and each.worst <= GOAL for each in mine
                ),
                "faults": len(mine),
            }
        )
    return lines


def print_summary(lines: Sequence[dict[str, Any]], outages: Sequence[Outage]) -> None:
    print(f"\nFaults that the healthy server cures (goal: all answered, each within {GOAL * 1000:.0f} ms of knowable)")
    for line in lines:
        print(
            f"{line['peer']:24}answered {line['answered']} of {line['of']}, wrong {line['wrong']}; "
            f"beyond knowable: median {line['median_ms'] or 0:.0f} ms, longest {line['worst_ms']:.0f} ms; "
            f"{line['sick_per_call']:.2f} requests to the sick server per call; "
            f"within the goal: {line['faults_within_goal']} of {line['faults']} faults"
        )
    if outages:
        print(f"\nAn outage of some seconds, a question every {EVERY} s")
    for each in outages:
        back = "never" if each.back is None else f"{each.back:.1f} s after its recovery"
        print(
            f"{each.wire:10}{each.mode:8}{each.peer:24}answered {each.answered} of {each.asked}, longest "
            f"{each.worst * 1000:.0f} ms, {each.probes} requests to it meanwhile, asked again {back}"
        )


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CALLS} calls instead of {CALLS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--wire", choices=("openai", "anthropic"), help="only this one")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these clients, by the beginning of their names")
    parser.add_argument("--fault", nargs="+", metavar="NAME", help="only the faults whose names have this in them")
    options = parser.parse_args()
    peers = [each for each in PEERS if not options.only or each.name.lower().startswith(tuple(options.only))]
    cases = [each for each in FAULTS if not options.fault or any(part in each.name for part in options.fault)]
    for peer in peers:
        if peer.missing:
            print(f"{peer.name}: missing; install it by `{peer.missing}`")
    there = [peer for peer in peers if not peer.missing]
    calls = QUICK_CALLS if options.quick else CALLS
    outage = 0.0 if options.fault else QUICK_OUTAGE if options.quick else OUTAGE
    print_head(there, calls)
    outcomes: list[Outcome] = []
    outages: list[Outage] = []
    with tempfile.TemporaryDirectory() as folder:
        for wire in (options.wire,) if options.wire else ("openai", "anthropic"):
            more, endured = measure(there, wire, cases, calls=calls, outage=outage, folder=folder)
            outcomes += more
            outages += endured
    lines = summarise(outcomes, there)
    print_summary(lines, outages)
    if options.json:
        told = {"benchmark": "faults", "python": platform.python_version(), "limits": LIMITS, "goal_seconds": GOAL}
        missing = [peer.name for peer in peers if peer.missing]
        print(
            json.dumps(
                {
                    **told,
                    "missing": missing,
                    "summary": lines,
                    "results": [asdict(each) for each in outcomes],
                    "outages": [asdict(each) for each in outages],
                }
            )
        )


if __name__ == "__main__":
    main()
