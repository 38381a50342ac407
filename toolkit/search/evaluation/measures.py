"""How good one ranking is, by what somebody judged.

Each measure is given the ids of a ranking, best first, each once; the grades of the judged documents, of which those
above 0 are relevant; and how many ranks count. It gives 0 to 1, more is better. A document that nobody judged counts as
not relevant. At least one document must be relevant.
"""

from collections.abc import Callable, Mapping, Sequence
from math import log2
from typing import TypeAlias

Measure: TypeAlias = Callable[[Sequence[str], Mapping[str, float], int], float]
"""`(ranking, grades, k)` to a figure."""


def ndcg(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """What the first `k` documents give, each divided by the logarithm of its rank, by the most that is possible.

    `DCG@k = Σ grade(i) / log2(i + 1)` over the ranks i = 1 … k, divided by the DCG@k of the best possible order of all
    judged documents. The gain is the grade itself (linear), not `2^grade - 1`; a grade below 0 gains nothing.

    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002; with the
    discount at every rank as in trec_eval's `ndcg_cut`, which BEIR's figures are made with.
    """
    best = sorted(grades.values(), reverse=True)
    return _dcg([grades.get(each, 0.0) for each in ranking[:k]]) / _dcg(best[:k])


def recall(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """The part of all relevant documents that is among the first `k`.

    Where more than `k` are relevant it cannot reach 1. Source: Manning, Raghavan and Schütze, "Introduction to
    Information Retrieval", 2008, section 8.3; trec_eval's `recall`.
    """
    return _relevant(ranking[:k], grades) / sum(grade > 0 for grade in grades.values())


def precision(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """The part of the first `k` ranks that holds a relevant document; a rank that is empty counts as a miss.

    Source: as `recall`, section 8.4; trec_eval's `P`.
    """
    return _relevant(ranking[:k], grades) / k


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, float], k: int) -> float:
    """1 by the rank of the first relevant document, 0 if none is among the first `k`; its mean over queries is MRR@k.

    Source: Voorhees, "The TREC-8 Question Answering Track Report", 1999; trec_eval's `recip_rank`, which has no `k`.
    """
    return next((1 / rank for rank, each in enumerate(ranking[:k], 1) if grades.get(each, 0.0) > 0), 0.0)


MEASURES: Mapping[str, Measure] = {
    "nDCG": ndcg,
    "recall": recall,
    "MRR": reciprocal_rank,
    "precision": precision,
}
"""The measures as a report names them."""


def _dcg(gains: Sequence[float]) -> float:
    return sum(max(gain, 0.0) / log2(rank + 1) for rank, gain in enumerate(gains, 1))


def _relevant(ranking: Sequence[str], grades: Mapping[str, float]) -> int:
    return sum(grades.get(each, 0.0) > 0 for each in ranking)
