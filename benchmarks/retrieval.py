"""How well searches rank what people have judged: nDCG@10 and recall@100 of each configuration on each collection.

    python -m benchmarks.retrieval FOLDER [--quick] [--json] [--only WORD]

FOLDER holds one collection in BEIR's layout, or a folder for each: `corpus.jsonl`, `queries.jsonl`, `qrels.tsv`. A
document is ranked as one chunk. The gain is linear; the last column is the mean over collections.

A configuration is a function from a collection to its scores, a row for each query; to add one, write it and name it in
`CONFIGURATIONS`. One that is made of others asks for them by `Collection.scores`, which works each out once.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import ConfigError
from toolkit.search.documents import Document
from toolkit.search.evaluation import judgements
from toolkit.search.evaluation.judgements import Judgements
from toolkit.search.evaluation.measures import ndcg, recall
from toolkit.search.words.analyser import Analyser
from toolkit.search.words.bm25 import Part, Statistics, score
from toolkit.search.words.segment import MOST_CHUNKS, Segment, Texts, body

Scores = NDArray[np.float32]
QUICK_QUERIES = 20
NDCG, RECALL = 10, 100


@dataclass(frozen=True, slots=True)
class Collection:
    """Documents, queries, and what was judged of them.

    Attributes:
        name: of its folder.
        documents: in the order of the columns of scores.
        queries: in the order of their rows.
        grades: of each query, by document.
    """

    name: str
    documents: Sequence[Document]
    queries: Sequence[str]
    grades: Sequence[Mapping[str, float]]
    _known: dict[str, Scores] = field(default_factory=dict)

    @classmethod
    def read(cls, judged: Judgements, most_queries: int | None) -> "Collection":
        """Load its corpus, and the first of its queries."""
        if not judged.corpus:
            raise ConfigError(f"There is no corpus.jsonl in {judged.name}.")
        ids = list(judged.queries)[:most_queries]
        texts, grades = [judged.queries[i] for i in ids], [judged.grades[i] for i in ids]
        return cls(judged.name, list(judgements.documents(judged.corpus)), texts, grades)

    def scores(self, configuration: str) -> Scores:
        """What a configuration of `CONFIGURATIONS` makes of it, float32[queries, documents]; 0: not found."""
        if configuration not in self._known:
            self._known[configuration] = CONFIGURATIONS[configuration](self)
        return self._known[configuration]


@dataclass(frozen=True, slots=True)
class Result:
    """How well one configuration ranks one collection, and in how many seconds it was indexed and asked everything."""

    collection: str
    configuration: str
    ndcg: float
    recall: float
    seconds: float


def lexical(collection: Collection, analyser: Analyser, bodies: Sequence[str]) -> Scores:
    """BM25 as a search does it."""
    segments = []
    for start in range(0, len(bodies), MOST_CHUNKS):
        part = bodies[start : start + MOST_CHUNKS]
        numbers = np.arange(len(part))
        texts = Texts(numbers, numbers.astype(np.int32), numbers.astype(np.uint64), part)
        segments.append(Segment.build(analyser, texts))
    statistics = Statistics.of((segment, None) for segment in segments)
    scores = []
    for query in collection.queries:
        weights = analyser.query(query)
        parts = [Part(segment, segment.found(weights)) for segment in segments]
        scores.append(np.concatenate(score(weights, parts, statistics)))
    return np.stack(scores)


def bm25(collection: Collection) -> Scores:
    """As it is used."""
    return lexical(collection, Analyser("en"), [body(d.title, "", d.text) for d in collection.documents])


def bm25_without_weight_of_titles(collection: Collection) -> Scores:
    """A title is text like any other."""
    return lexical(collection, Analyser("en"), [f"{d.title}\n{d.text}" for d in collection.documents])


def bm25_of_plain_words(collection: Collection) -> Scores:
    """No language known: no stop words, no stems."""
    return lexical(collection, Analyser("und"), [body(d.title, "", d.text) for d in collection.documents])


CONFIGURATIONS: dict[str, Callable[[Collection], Scores]] = {
    "BM25": bm25,
    "BM25, titles count once": bm25_without_weight_of_titles,
    "BM25, language unknown": bm25_of_plain_words,
}


def measure(collection: Collection, configuration: str) -> Result:
    """Rank by the scores, equal ones in the order of the documents; what has no score is not found."""
    begun = time.perf_counter()
    scores = collection.scores(configuration)
    seconds = time.perf_counter() - begun
    gains, recalls = [], []
    for row, grades in zip(scores, collection.grades, strict=True):
        best = np.argsort(-row, kind="stable")[: max(NDCG, RECALL)]
        ranking = [collection.documents[place].source for place in best if row[place] > 0]
        gains.append(ndcg(ranking, grades, NDCG))
        recalls.append(recall(ranking, grades, RECALL))
    return Result(collection.name, configuration, float(np.mean(gains)), float(np.mean(recalls)), seconds)


def table(results: Sequence[Result]) -> str:
    """A line for each configuration: nDCG and recall of each collection, and their means."""
    collections = list(dict.fromkeys(result.collection for result in results))
    configurations = list(dict.fromkeys(result.configuration for result in results))
    wide, first = max(13, *map(len, collections)), max(map(len, configurations))
    lines = [f"{f'nDCG@{NDCG} / recall@{RECALL}':{first}}" + "".join(f"  {c:>{wide}}" for c in [*collections, "mean"])]
    for configuration in configurations:
        mine = [result for result in results if result.configuration == configuration]
        figures = [(result.ndcg, result.recall) for result in mine]
        figures.append((float(np.mean([n for n, _ in figures])), float(np.mean([r for _, r in figures]))))
        lines.append(f"{configuration:{first}}" + "".join(f"  {f'{n:.4f} / {r:.3f}':>{wide}}" for n, r in figures))
    return "\n".join(lines)


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.retrieval", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("folder", type=Path, help="a collection in BEIR's layout, or a folder of such")
    parser.add_argument("--quick", action="store_true", help=f"the first {QUICK_QUERIES} queries of each collection")
    parser.add_argument("--only", default="", metavar="WORD", help="configurations with this word in their names")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    configurations = [name for name in CONFIGURATIONS if options.only in name]
    if not configurations:
        parser.error(f"no configuration has {options.only!r} in its name; there are {', '.join(CONFIGURATIONS)}")
    try:
        results = [
            measure(collection, configuration)
            for judged in judgements.read(options.folder)
            for collection in [Collection.read(judged, QUICK_QUERIES if options.quick else None)]
            for configuration in configurations
        ]
    except ConfigError as error:
        parser.error(str(error))
    print(table(results))
    if options.json:
        told: dict[str, Any] = {"benchmark": "retrieval", "quick": options.quick, "python": platform.python_version()}
        print(json.dumps({**told, "results": [_told(result) for result in results]}))


def _told(result: Result) -> dict[str, Any]:
    return {
        "collection": result.collection,
        "configuration": result.configuration,
        f"ndcg@{NDCG}": result.ndcg,
        f"recall@{RECALL}": result.recall,
        "seconds": result.seconds,
    }


if __name__ == "__main__":
    main()
