"""What search costs while a collection grows: the toolkit beside Chroma, LanceDB, sqlite-vec and bare pgvector.

    python -m benchmarks.search [--quick] [--json] [--least SECTIONS] [--most SECTIONS] [--only NAME] [--plot FILE.svg]

Every engine is given the same made-up sections and vectors (`corpus`), at 1,000, 10,000 … `--most` of them, in a
process and a folder of its own, and does durably what its documentation shows. At each size all take turns: slice by
slice they take the sections in, round by round they answer the same queries. The toolkit's embedder is a function that
knows the vectors: what embedding costs is measured elsewhere. The peers come from the interpreter that runs this; who
is not installed there is named.
"""

import argparse
import json
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import TypeAlias

import numpy as np

from benchmarks import corpus
from benchmarks.durable_postgres import NoPostgres
from benchmarks.engines.engine import Kind
from benchmarks.engines.process import OURS, OURS_POSTGRES, PEERS, Contender, Failed, Peer
from benchmarks.engines.worker import TOP

SIZES = (1_000, 10_000, 100_000, 1_000_000)
SLICES = 10
ROUNDS, QUERIES, STARTS = 5, 40, 3
QUICK_ROUNDS, QUICK_QUERIES = 2, 10
SINGLE = 60  # sections that are documents of their own: those that are changed and deleted
CHANGED = 20
MEGABYTE = 1_000_000
BARE = "pgvector + tsvector"
COLUMNS = {
    "added/s": ("adding_per_s", ",.0f"),
    "cpu µs": ("adding_cpu_us", ",.0f"),
    "settled s": ("settling_s", ".1f"),
    "hybrid p50": ("hybrid_p50_ms", ".2f"),
    "p95 ms": ("hybrid_p95_ms", ".2f"),
    "x": ("ratio", ".2f"),
    "vector p50": ("semantic_p50_ms", ".2f"),
    "vector p95": ("semantic_p95_ms", ".2f"),
    "recall@10": ("recall", ".3f"),
    "cold s": ("cold_s", ".2f"),
    "ready s": ("ready_s", ".2f"),
    "memory MB": ("memory_mb", ",.0f"),
    "filled MB": ("filled_mb", ",.0f"),
    "disk MB": ("disk_mb", ",.1f"),
    "change ms": ("change_ms", ".2f"),
    "delete ms": ("delete_ms", ".2f"),
    "seen": ("seen", ".0%"),
}
"""Heading of the table to a result's figure and its format."""


@dataclass
class Taken:
    """What was measured of one engine at one size.

    Attributes:
        adding: seconds of each slice, durable and findable by words; `working` are those of all cores in its process.
        settling: seconds until vectors and indexes are there.
        hybrid: milliseconds of each query, round by round; `semantic` is by vector alone.
        right: of each semantic query the part of the nearest ten that was found.
        memory: bytes of a new process that has answered some queries; `filled` of the one that took all sections in.
        cold: seconds from opening to the first answer, in new processes; `ready` until all that is kept counts.
        seen: of each change and removal, whether the next query saw it.
    """

    adding: list[float] = field(default_factory=list)
    working: list[float] = field(default_factory=list)
    settling: float = 0.0
    hybrid: list[list[float]] = field(default_factory=list)
    semantic: list[list[float]] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    ready: list[float] = field(default_factory=list)
    memory: int = 0
    filled: int = 0
    disk: int = 0
    change: list[float] = field(default_factory=list)
    delete: list[float] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Result:
    """One engine at one size.

    Attributes:
        adding_per_s: sections per second, durable and findable by words (Chroma: by vectors).
        adding_cpu_us: of all cores in its process for each section; what a server does is not known.
        settling_s: seconds until vectors and indexes are there.
        hybrid_p50_ms: of one warm query by one caller; so are the other three.
        recall: of the ten really nearest vectors, the part that a semantic query found.
        cold_s: from opening what is there, in a new process, to the first answer; what is imported is not counted.
        ready_s: the same until vectors count, too: the toolkit's first answers are by words where they are many.
        memory_mb: of a new process that has answered ten queries, and of its own server.
        filled_mb: the same of the process that has taken all sections in and answered all queries.
        change_ms: median of putting another section in place of one.
        seen: the part of changes and removals that the very next query saw.
        ratio: the median over the rounds of the time of half of `toolkit, SQLite`'s hybrid queries by this one's.
    """

    engine: str
    sections: int
    adding_per_s: float
    adding_cpu_us: float
    settling_s: float
    hybrid_p50_ms: float
    hybrid_p95_ms: float
    semantic_p50_ms: float
    semantic_p95_ms: float
    recall: float
    cold_s: float
    ready_s: float
    memory_mb: float
    filled_mb: float
    disk_mb: float
    change_ms: float
    delete_ms: float
    seen: float
    ratio: float | None


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted, what was found, and whether that is it."""

    what: str
    wanted: float
    found: float
    met: bool


Act: TypeAlias = Callable[[Contender, Taken], None]
"""Does something with one engine, and notes what it took."""


class Match:
    """All engines at one size.

    Args:
        folder: for their files and for the slices.
        size: how many sections.
        missing: where is noted who cannot take part, or can no longer, and why.
        starts: how often each is ended and begun again.
    """

    def __init__(self, folder: Path, size: int, missing: list[str], starts: int) -> None:
        self._folder = folder
        self._size = size
        self._missing = missing
        self._starts = starts
        self._stack = ExitStack()
        self._present: list[Contender] = []
        self.taken: dict[str, Taken] = {}

    def play(self, peers: Sequence[Peer], rounds: int, queries: int) -> dict[str, Taken]:
        """Everything that is measured at this size."""
        with self._stack:
            for peer in peers:
                self._enter(peer)
            self._fill()
            self._question(rounds, queries)
            self._turn(self._alter)
            self._turn(self._restart)
        return {name: taken for name, taken in self.taken.items() if taken.cold}

    def _enter(self, peer: Peer) -> None:
        if (package := peer.lacks()) is not None:
            self._note(f"{peer.name} (the package {package} is not installed)")
            return
        try:
            place = self._folder / peer.name.replace(" ", "-")
            self._present.append(self._stack.enter_context(Contender(peer, place, self._size + SINGLE)))
            self.taken[peer.name] = Taken()
        except (NoPostgres, Failed) as error:
            self._note(f"{peer.name} ({error})")

    def _note(self, what: str) -> None:
        if what not in self._missing:
            self._missing.append(what)

    def _turn(self, act: Act, first: int = 0) -> None:
        """Let everyone act, one after the other, beginning with another one each time."""
        shift = first % max(1, len(self._present))
        for contender in self._present[shift:] + self._present[:shift]:
            try:
                act(contender, self.taken[contender.name])
            except Failed as error:
                self._note(f"{contender.name} at {self._size:,} ({error})")
                self._present.remove(contender)

    def _fill(self) -> None:
        texts, vectors = self._folder / "texts.json", self._folder / "vectors.npy"
        step = max(corpus.SECTIONS, self._size // SLICES)
        slices = [(first, min(self._size, first + step), corpus.SECTIONS) for first in range(0, self._size, step)]
        for number, (first, last, together) in enumerate([*slices, (self._size, self._size + SINGLE, 1)]):
            texts.write_text(json.dumps([section.text for section in corpus.sections(first, last)]), encoding="utf-8")
            np.save(vectors, corpus.vectors_of(np.arange(first, last)))

            def add(contender: Contender, taken: Taken, first: int = first, together: int = together) -> None:
                seconds, cpu = contender.add(texts, vectors, first, together)
                if together > 1:
                    taken.adding.append(seconds)
                    taken.working.append(cpu)

            self._turn(add, number)

        def settle(contender: Contender, taken: Taken) -> None:
            taken.settling = contender.settle()

        self._turn(settle)

    def _question(self, rounds: int, queries: int) -> None:
        rng = np.random.default_rng(self._size)
        for number in range(rounds + 1):
            asked = [corpus.query(int(n), seed=number) for n in rng.integers(self._size, size=queries)]
            wanted = np.array([query.vector for query in asked])
            nearest = corpus.nearest(wanted, self._size + SINGLE, TOP) if number else []
            texts = [query.text for query in asked]

            def ask(
                contender: Contender,
                taken: Taken,
                *,
                warm: bool = number > 0,
                texts: list[str] = texts,
                nearest: list[list[int]] = nearest,
            ) -> None:
                kinds: tuple[Kind, ...] = ("hybrid", "semantic")
                for kind in kinds:
                    milliseconds, found = contender.ask(texts, kind)
                    if not warm:
                        continue
                    (taken.hybrid if kind == "hybrid" else taken.semantic).append(milliseconds)
                    if kind == "semantic":
                        taken.right += [len({*a} & {*b}) / TOP for a, b in zip(found, nearest, strict=True)]
                taken.filled = contender.memory()

            self._turn(ask, number)

    def _alter(self, contender: Contender, taken: Taken) -> None:
        first = self._size
        changed = [corpus.changed(n, 1).text for n in range(first, first + CHANGED)]
        taken.change, seen = contender.change(changed)
        taken.delete, gone = contender.delete(
            [corpus.query(n).text for n in range(first + CHANGED, first + 2 * CHANGED)]
        )
        taken.seen = [*seen, *gone]

    def _restart(self, contender: Contender, taken: Taken) -> None:
        for number in range(self._starts):
            contender.end()
            opening = contender.begin()
            taken.cold.append(opening + contender.ask([corpus.query(number, seed=99).text], "hybrid")[0][0] / 1000)
            taken.ready.append(taken.cold[-1] + contender.ready())
        contender.ask([corpus.query(number, seed=99).text for number in range(QUICK_QUERIES)], "hybrid")
        taken.memory = contender.memory()
        taken.disk = contender.disk()


def results(size: int, taken: dict[str, Taken]) -> list[Result]:
    """One line per engine."""
    ours = taken.get(OURS)
    return [_result(name, size, one, ours) for name, one in taken.items()]


def _result(name: str, size: int, one: Taken, ours: Taken | None) -> Result:
    hybrid, semantic = [ms for each in one.hybrid for ms in each], [ms for each in one.semantic for ms in each]
    ratios = [median(a) / median(b) for a, b in zip(ours.hybrid, one.hybrid, strict=True)] if ours else []
    return Result(
        engine=name,
        sections=size,
        adding_per_s=size / sum(one.adding),
        adding_cpu_us=sum(one.working) / size * 1e6,
        settling_s=one.settling,
        hybrid_p50_ms=median(hybrid),
        hybrid_p95_ms=quantiles(hybrid, n=20)[18],
        semantic_p50_ms=median(semantic),
        semantic_p95_ms=quantiles(semantic, n=20)[18],
        recall=sum(one.right) / len(one.right),
        cold_s=median(one.cold),
        ready_s=median(one.ready),
        memory_mb=one.memory / MEGABYTE,
        filled_mb=one.filled / MEGABYTE,
        disk_mb=one.disk / MEGABYTE,
        change_ms=median(one.change),
        delete_ms=median(one.delete),
        seen=sum(one.seen) / len(one.seen),
        ratio=median(ratios) if ratios else None,
    )


def goals(found: Sequence[Result]) -> list[Goal]:
    """What is wanted of the toolkit, where it was measured."""
    of = {(result.engine, result.sections): result for result in found}
    told = []
    for size, most in ((100_000, 15.0), (1_000_000, 60.0)):
        if mine := of.get((OURS, size)):
            told += [
                _least(f"{size:,}: sections per second, findable by words and durable", 20_000, mine.adding_per_s),
                _most(f"{size:,}: warm hybrid query, p95 in ms", most, mine.hybrid_p95_ms),
                _least(f"{size:,}: recall@10 of the vectors", 0.95, mine.recall),
            ]
        if (mine := of.get((OURS_POSTGRES, size))) and (bare := of.get((BARE, size))):
            what = f"{size:,}: hybrid query on Postgres, by bare pgvector's"
            told.append(_most(what, 2.0, mine.hybrid_p50_ms / bare.hybrid_p50_ms))
    if mine := of.get((OURS, 1_000_000)):
        told.append(_most("1,000,000: cold start in s", 2.0, mine.cold_s))
    told += [
        _least(f"{r.sections:,}, {r.engine}: changes seen at once", 1, r.seen) for r in found if "toolkit" in r.engine
    ]
    return told


def _least(what: str, wanted: float, found: float) -> Goal:
    return Goal(what, wanted, found, found >= wanted)


def _most(what: str, wanted: float, found: float) -> Goal:
    return Goal(what, wanted, found, found <= wanted)


def show(found: Sequence[Result], reached: Sequence[Goal]) -> None:
    """Print a table per size, and the goals; `x` is the toolkit's time by theirs."""
    for size in dict.fromkeys(result.sections for result in found):
        print(f"\n{size:,} sections\n{'':22}" + "".join(f"{head:>11}" for head in COLUMNS))
        for one in (result for result in found if result.sections == size):
            values = [(getattr(one, name), form) for name, form in COLUMNS.values()]
            print(f"{one.engine:22}" + "".join(f"{'' if v is None else format(v, form):>11}" for v, form in values))
    for goal in reached:
        print(f"{'met   ' if goal.met else 'MISSED'}  {goal.what}: {goal.found:,.3g} (wanted {goal.wanted:,g})")


def chosen(only: Sequence[str]) -> list[Peer]:
    """The engines whose names have one of these words in them; all without any."""
    return [peer for peer in PEERS if not only or any(word.lower() in peer.name.lower() for word in only)]


def main() -> None:
    """Measure, print tables, and draw."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="1,000 sections and two short rounds")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    parser.add_argument("--most", type=int, default=100_000, help="sections; 1,000,000 take an hour and 30 GB of disk")
    parser.add_argument("--least", type=int, default=SIZES[0], help="sections; smaller sizes are left out")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="engines with this word; repeat it")
    parser.add_argument("--plot", type=Path, help="where to draw how all of it grows")
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured; else a temporary one")
    options = parser.parse_args()
    rounds, queries = (QUICK_ROUNDS, QUICK_QUERIES) if options.quick else (ROUNDS, QUERIES)
    missing: list[str] = []
    found: list[Result] = []
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    for size in [size for size in SIZES if options.least <= size <= (1_000 if options.quick else options.most)]:
        with tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True) as name:
            folder = Path(name)
            folder.chmod(0o755)
            taken = Match(folder, size, missing, 1 if options.quick else STARTS).play(
                chosen(options.only), rounds, queries
            )
        found += results(size, taken)
    machine = {"python": platform.python_version(), "cores": os.cpu_count(), "load": load}
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    reached = goals(found)
    show(found, reached)
    for one in missing:
        print(f"missing: {one}")
    if options.plot:
        from benchmarks.search_plot import draw  # noqa: PLC0415 - only who draws needs it

        draw(found, options.plot)
    if options.json:
        told = {"benchmark": "search", "machine": machine, "results": [asdict(r) for r in found]}
        print(json.dumps({**told, "goals": [asdict(goal) for goal in reached], "missing": missing}))


if __name__ == "__main__":
    main()
