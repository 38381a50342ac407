"""How fast and how well the embedded model embeds: this project's way beside bare onnxruntime.

    python -m benchmarks.embedding [--quick] [--json] [--collections FOLDER] [--float32 FILE]

Each round gives everyone the same texts in turn; a ratio is the median over the rounds of ours by the other's in the
same round, larger is faster. Ours begins with texts and ends with checked unit vectors: tokens and threads included.
The bare ones are handed the tokens, already made, and do nothing but `session.run`: text by text with one thread, with
two threads to each run, and two runs at once; and two runs at once of batches, sorted by length and padded. A
question's time is that of one text, alone and while passages are embedded in the background.

With a folder of judged collections (BEIR's layout: `corpus.jsonl`, `queries.jsonl`), the rows of bytes that a search
scans are compared with float32 vectors: how many of the ten best are found, and the largest error of a cosine. With
the exported float32 model (an ONNX file that takes `input_ids`, `attention_mask` and maybe `token_type_ids`), its
vectors are compared with ours. Without the folder the texts are this project's own documentation.
"""

import argparse
import asyncio
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnxruntime  # type: ignore[import-untyped] # it ships no types

from toolkit.providers.bundled.encoder import FOLDER, MODEL, Encoder, Ids, loaded
from toolkit.search.embedding import Embedder, Embedders
from toolkit.search.vectors import Matrix, quantise

Floats: TypeAlias = npt.NDArray[np.float32]

ROUNDS, QUICK_ROUNDS = 7, 2
TEXTS, QUICK_TEXTS = 64, 16
BATCH = 512  # tokens
WORDS = 107  # of a chunk of the documentation, as in the usual comparisons
QUESTIONS, QUICK_QUESTIONS = 60, 8
BESIDE = 0.02  # seconds between two questions
OURS = "toolkit"


@dataclass(frozen=True, slots=True)
class Speed:
    """Texts a second, the median over the rounds, and how many times as fast ours is."""

    name: str
    per_second: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one question."""

    name: str
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Fidelity:
    """How near one collection's vectors are to what they stand for; None where nothing was there to compare with."""

    collection: str
    rows: int
    recall_at_10: float
    largest_error: float
    cosine_with_float32: float | None


def session(path: Path, threads: int) -> Any:
    """A session of onnxruntime whose threads do not spin."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options)


def feed(asked: Any, texts: Sequence[Ids]) -> dict[str, npt.NDArray[np.int64]]:
    """What the session takes of the tokens of texts, filled up to the longest."""
    ids = np.zeros((len(texts), max(len(tokens) for tokens in texts)), np.int64)
    mask = np.zeros_like(ids)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)] = tokens
        mask[row, : len(tokens)] = 1
    given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {each.name: given[each.name] for each in asked.get_inputs()}


def batches(texts: Sequence[Ids]) -> Iterator[list[Ids]]:
    """The longest first, as many as have `BATCH` tokens with the filling."""
    batch: list[Ids] = []
    for tokens in sorted(texts, key=len, reverse=True):
        if batch and (len(batch) + 1) * len(batch[0]) > BATCH:
            yield batch
            batch = []
        batch.append(tokens)
    if batch:
        yield batch


def bare(path: Path, texts: Sequence[Ids]) -> Mapping[str, Callable[[], None]]:
    """The ways to run the texts with nothing around it."""
    one, two = session(path, 1), session(path, 2)
    pool = ThreadPoolExecutor(2)
    singles = [feed(one, [tokens]) for tokens in texts]
    several = [feed(one, batch) for batch in batches(texts)]

    def run(asked: Any) -> None:
        for each in singles:
            asked.run(None, each)

    def at_once(feeds: Sequence[Any]) -> None:
        list(pool.map(lambda each: one.run(None, each), feeds))

    return {
        "onnxruntime, one thread": lambda: run(one),
        "onnxruntime, two threads": lambda: run(two),
        "onnxruntime, two runs at once": lambda: at_once(singles),
        "onnxruntime, two batches at once": lambda: at_once(several),
    }


async def throughput(embedder: Embedder, encoder: Encoder, texts: Sequence[str], rounds: int) -> list[Speed]:
    """Everyone's texts a second, in turns."""
    others = bare(FOLDER / MODEL, [encoder.tokens(text) for text in texts])
    took: dict[str, list[float]] = {name: [] for name in (OURS, *others)}
    for number in range(rounds + 1):
        for name in sorted(took, key=lambda name: (hash((number, name)), name)):
            begin = time.perf_counter()
            if name == OURS:
                await embedder.embed(texts)
            else:
                await asyncio.to_thread(others[name])
            if number:  # the first round only warms up
                took[name].append(time.perf_counter() - begin)
    return [
        Speed(
            name,
            len(texts) / median(seconds),
            median(theirs / ours for theirs, ours in zip(seconds, took[OURS], strict=True)),
        )
        for name, seconds in took.items()
    ]


async def latency(embedder: Embedder, texts: Sequence[str], questions: int) -> list[Latency]:
    """A question's time, alone and beside a background that never ends."""

    async def ask(name: str) -> Latency:
        took = []
        for number in range(questions):
            begin = time.perf_counter()
            await embedder.embed([f"How many failures in a row open the circuit breaker number {number}?"], query=True)
            took.append((time.perf_counter() - begin) * 1e3)
            await asyncio.sleep(BESIDE)
        return Latency(name, median(took), quantiles(took, n=20)[-1])

    async def forever() -> None:
        while True:
            await embedder.embed(texts, background=True)

    alone = await ask("alone")
    background = asyncio.create_task(forever())
    await asyncio.sleep(0.2)
    beside = await ask("beside the background")
    background.cancel()
    return [alone, beside]


async def fidelity(embedder: Embedder, folder: Path, float32: Path | None, most: int | None) -> list[Fidelity]:
    """Every collection of the folder."""
    exported = session(float32, 2) if float32 else None
    found = []
    for place in _collections(folder):
        texts, queries = _texts(place / "corpus.jsonl")[:most], _texts(place / "queries.jsonl")[:most]
        vectors, asked = await embedder.embed(texts), await embedder.embed(queries, query=True)
        matrix = Matrix(vectors.shape[1])
        matrix.append(np.arange(len(vectors), dtype=np.uint64), quantise(vectors))
        hits, errors = [], []
        for query in asked:
            exact = vectors @ query
            best = set(np.argsort(-exact, kind="stable")[:10].tolist())
            hits.append(len(best & set(matrix.top(query, 10)[0].tolist())) / len(best))
            errors.append(float(np.abs(matrix.scan(query) - exact).max()))
        cosine = None if exported is None else float((_exported(exported, texts) * vectors).sum(axis=1).mean())
        found.append(Fidelity(place.name, len(vectors), float(np.mean(hits)), max(errors), cosine))
    return found


def _exported(asked: Any, texts: Sequence[str]) -> Floats:
    found: Floats = np.concatenate([asked.run(None, feed(asked, [loaded().tokens(text)]))[0] for text in texts])
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


def _collections(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/corpus.jsonl"))


def _mixed(places: Sequence[Path], most: int) -> list[str]:
    """As many texts of each collection."""
    return [text for place in places for text in _texts(place / "corpus.jsonl")[: max(1, most // len(places))]]


def _texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = (f"{row.get('title', '')}\n{row['text']}".strip() for row in rows)
    return [text for text in texts if text]


def documentation() -> list[str]:
    """The project's own words, in chunks of a usual size."""
    folder = Path(__file__).parent.parent / "docs"
    words = " ".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.md"))).split()
    return [" ".join(words[start : start + WORDS]) for start in range(0, len(words), WORDS)]


async def _unasked(texts: Sequence[str], *, model: str, timeout: float) -> list[list[float]]:
    raise RuntimeError(f"{model} was asked to embed {len(texts)} texts within {timeout} s.")


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    """All figures, as JSON has them."""
    embedder = Embedders(_unasked).get()
    folder: Path | None = args.collections
    most = QUICK_TEXTS if args.quick else TEXTS
    texts = _mixed(_collections(folder), most) if folder else documentation()[:most]
    begin = time.perf_counter()
    await embedder.embed(["The first text."])
    first = time.perf_counter() - begin
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}",
        "onnxruntime": onnxruntime.__version__,
        "megabytes": (FOLDER / MODEL).stat().st_size / 1e6,
        "first_text_seconds": first,
        "texts": len(texts),
        "tokens": sum(len(loaded().tokens(text)) for text in texts),
        "speed": [
            asdict(s) for s in await throughput(embedder, loaded(), texts, QUICK_ROUNDS if args.quick else ROUNDS)
        ],
        "latency": [
            asdict(each) for each in await latency(embedder, texts, QUICK_QUESTIONS if args.quick else QUESTIONS)
        ],
        "fidelity": [
            asdict(f)
            for f in (await fidelity(embedder, folder, args.float32, 200 if args.quick else None) if folder else [])
        ],
    }


def show(told: Mapping[str, Any]) -> None:
    """The same for people."""
    print(
        f"{told['machine']}, onnxruntime {told['onnxruntime']}; {told['megabytes']:.1f} MB, first text after "
        f"{told['first_text_seconds']:.2f} s; {told['texts']} texts of {told['tokens'] / told['texts']:.0f} tokens"
    )
    print(f"\n{'texts':32}{'per second':>12}{'ours is × as fast':>20}")
    for each in told["speed"]:
        print(f"{each['name']:32}{each['per_second']:12.1f}{each['ratio']:20.2f}")
    print(f"\n{'a question':32}{'p50 ms':>12}{'p95 ms':>12}")
    for each in told["latency"]:
        print(f"{each['name']:32}{each['p50']:12.1f}{each['p95']:12.1f}")
    if told["fidelity"]:
        print(f"\n{'rows of bytes':20}{'rows':>8}{'recall@10':>12}{'error':>10}{'cosine with float32':>22}")
    for each in told["fidelity"]:
        cosine = "not compared" if each["cosine_with_float32"] is None else f"{each['cosine_with_float32']:.4f}"
        print(
            f"{each['collection']:20}{each['rows']:8}{each['recall_at_10']:12.4f}{each['largest_error']:10.4f}{cosine:>22}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few seconds; the figures are noise")
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--collections", type=Path, help="a folder of judged collections")
    parser.add_argument("--float32", type=Path, help="the model in float32, exported to ONNX")
    args = parser.parse_args()
    told = asyncio.run(measure(args))
    show(told)
    if args.json:
        print(json.dumps(told))


if __name__ == "__main__":
    main()
