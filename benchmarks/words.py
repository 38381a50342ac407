"""The lexical side alone, without a database: how fast texts become postings, and how fast queries are scored.

    python -m benchmarks.words [--quick] [--json] [--chunks N]

The texts are made up (`benchmarks.corpus`), 104 words each on average. "New words" is the first pass over them, "known
words" a second one by the same analyser, as in an ingest that has been running for a while. Queries of five to nine
words are scored over all chunks; "common" are the nine most frequent terms, "long" a query of the most terms that are
looked for. One thread.
"""

import argparse
import json
import os
import platform
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.corpus import query, sections
from toolkit.search.words.analyser import MOST_TERMS, Analyser
from toolkit.search.words.bm25 import Part, Statistics, score
from toolkit.search.words.segment import MOST_CHUNKS, Segment, Texts

CHUNKS, QUICK_CHUNKS = 100_000, 5_000
BATCH = 2_000
QUERIES, QUICK_QUERIES = 200, 20
REPEATS = 20


@dataclass(frozen=True, slots=True)
class Rate:
    """Chunks per second, of the processor's time of this thread and of the clock's; the latter says who else worked."""

    name: str
    per_cpu_second: float
    per_second: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a kind of query, and how many postings it reads on average."""

    name: str
    p50: float
    p95: float
    postings: int


def texts(batch: Sequence[str]) -> Texts:
    """A batch as chunks of documents of their own."""
    numbers = np.arange(len(batch))
    return Texts(numbers, numbers.astype(np.int32), numbers.astype(np.uint64), batch)


def batches(chunks: int) -> Iterator[list[str]]:
    """The texts, `BATCH` at once."""
    for first in range(0, chunks, BATCH):
        yield [section.text for section in sections(first, min(first + BATCH, chunks))]


class Clock:
    """Adds up the time that is spent in it."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0

    def __enter__(self) -> None:
        self._begun = time.thread_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.cpu += time.thread_time() - self._begun[0]
        self.wall += time.perf_counter() - self._begun[1]

    def rate(self, name: str, chunks: int) -> Rate:
        """What it has measured, per chunk."""
        return Rate(name, chunks / self.cpu, chunks / self.wall)


def build(chunks: int) -> tuple[list[Segment], list[Rate]]:
    """Segments of all texts, as an index seals them, and how fast each step was."""
    analyser = Analyser("en")
    new, known, packing, merging = (Clock() for _ in range(4))
    sealed: list[Segment] = []
    small: list[Segment] = []
    for batch in batches(chunks):
        with new:
            Segment.build(analyser, texts(batch))
        with known:
            small.append(Segment.build(analyser, texts(batch)))
        with packing:
            Segment.unpack(small[-1].pack())
        if sum(map(len, small)) > MOST_CHUNKS - BATCH:
            sealed.append(_merged(small, merging))
            small = []
    if small:
        sealed.append(_merged(small, merging))
    clocks = {"built, new words": new, "built, known words": known, "packed and unpacked": packing}
    clocks["merged"] = merging
    return sealed, [clock.rate(name, chunks) for name, clock in clocks.items()]


def _merged(small: Sequence[Segment], merging: Clock) -> Segment:
    with merging:
        return Segment.merge(small, [None] * len(small))


def ask(segments: Sequence[Segment], chunks: int, queries: int) -> list[Latency]:
    """Score all kinds of queries."""
    analyser = Analyser("en")
    statistics = Statistics.of((segment, None) for segment in segments)
    usual = [analyser.query(query(n * chunks // queries).text) for n in range(queries)]
    sizes = {term: len(postings.ids) for term, postings in segments[0].found(segments[0].terms).items()}
    common = sorted(sizes, key=sizes.__getitem__, reverse=True)
    kinds: dict[str, Iterable[Mapping[str, float]]] = {
        "usual": usual,
        "common": [dict.fromkeys(common[:9], 1.0)] * REPEATS,
        "long": [dict.fromkeys(common[:: max(1, len(common) // 10 // MOST_TERMS)][:MOST_TERMS], 1.0)] * REPEATS,
    }
    found = []
    for name, asked in kinds.items():
        seconds, postings = [], []
        for weights in asked:
            parts = [Part(segment, segment.found(weights)) for segment in segments]
            postings.append(sum(len(p.ids) for part in parts for p in part.postings.values()))
            begun = time.perf_counter()
            score(weights, parts, statistics)
            seconds.append(time.perf_counter() - begun)
        p50, p95 = np.percentile(seconds, [50, 95]) * 1000
        found.append(Latency(name, float(p50), float(p95), int(np.mean(postings))))
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.words", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CHUNKS:,} chunks")
    parser.add_argument("--chunks", type=int, default=CHUNKS, help=f"how many, {CHUNKS:,} by default")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    chunks = QUICK_CHUNKS if options.quick else options.chunks
    segments, rates = build(chunks)
    latencies = ask(segments, chunks, QUICK_QUERIES if options.quick else QUERIES)
    terms = sum(len(segment.terms) for segment in segments)
    size = sum(len(segment.pack()) for segment in segments)
    print(f"{chunks:,} chunks in {len(segments)} segments, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(f"{terms / len(segments):,.0f} terms in a segment, {size / chunks:.0f} bytes a chunk when packed")
    print(f"{'chunks per second':28}{'of processor time':>18}{'of the clock':>14}")
    for rate in rates:
        print(f"{rate.name:28}{rate.per_cpu_second:18,.0f}{rate.per_second:14,.0f}")
    print(f"{'queries scored':28}{'p50 ms':>9}{'p95 ms':>9}{'postings':>14}")
    for latency in latencies:
        print(f"{latency.name:28}{latency.p50:9.2f}{latency.p95:9.2f}{latency.postings:14,}")
    if options.json:
        told = {"benchmark": "words", "chunks": chunks, "segments": len(segments), "python": platform.python_version()}
        results = {"rates": [asdict(rate) for rate in rates], "latencies": [asdict(each) for each in latencies]}
        print(json.dumps({**told, **results}))


if __name__ == "__main__":
    main()
