"""How well each chunk answers a question, by BM25 over the postings of the question's terms.

    score(chunk) = Σ over terms t of  weight(t) · idf(t) · c / (c + k1 · (1 − b + b · length / average length))
    idf(t)       = ln(1 + (N − n + 0.5) / (n + 0.5))

c: how often t stands in the chunk; N: chunks that are ranked together; n: those of them that hold t. Robertson and
Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), eq. 3.15, with the inverse document frequency
of Robertson and Spärck Jones, which Lucene keeps above zero by the 1 in the logarithm; as in Lucene since version 8
the constant factor k1 + 1, which changes no order, is left out.

Every chunk gets its score, none is skipped: those who weigh it against a vector's cosine want all of them, and at a
million chunks nine common terms take a few milliseconds, less than what bounds on the scores cost to keep.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from toolkit.search.words.segment import Postings, Segment

K1 = 1.2
"""How soon a repeated term counts no more; the usual value. From 0.9 to 2 the judged collections differ by 0.01."""

B = 0.75
"""How much a long chunk must hold more of a term than a short one; the usual value."""


class Part(NamedTuple):
    """One segment of what is searched.

    Attributes:
        segment: its lengths are read; it may be of a head.
        postings: those of the query's terms that stand in it; others are not looked at.
        alive: bool[n], which of its chunks there still are; None: all.
    """

    segment: Segment
    postings: Mapping[str, Postings]
    alive: NDArray[np.bool_] | None = None


class Statistics(NamedTuple):
    """Of all chunks that are ranked together; it changes when one comes or goes.

    Attributes:
        chunks: how many are alive.
        length: how many terms they have together.
    """

    chunks: int
    length: int

    @classmethod
    def of(cls, segments: Iterable[tuple[Segment, NDArray[np.bool_] | None]]) -> Self:
        """Count the chunks that are alive in `segments`, each with its `alive` as in `Part`."""
        lengths = [segment.lengths if alive is None else segment.lengths[alive] for segment, alive in segments]
        return cls(sum(map(len, lengths)), sum(int(part.sum(dtype=np.int64)) for part in lengths))


def score(
    weights: Mapping[str, float], parts: Sequence[Part], statistics: Statistics | None = None
) -> list[NDArray[np.float32]]:
    """The scores of all chunks of all `parts`, 0 for those that hold no term or are dead.

    They do not depend on how the chunks are spread over segments, nor on dead ones: a search finds the same before and
    after segments are merged.

    Args:
        weights: the query's terms and how much each counts, as `Analyser.query` says.
        parts: all segments that are ranked together, of collections that are analysed alike.
        statistics: of these parts, if they are known; else they are counted, which takes a pass over all lengths.

    Returns:
        float32[n] for each part, in order.
    """
    known = statistics or Statistics.of((part.segment, part.alive) for part in parts)
    inverse = _inverse_frequencies(weights, parts, known.chunks)
    average = known.length / known.chunks if known.length else 1.0
    return [_scores(part, inverse, average) for part in parts]


def _inverse_frequencies(weights: Mapping[str, float], parts: Sequence[Part], chunks: int) -> dict[str, float]:
    """Term → weight · idf, of those that any living chunk holds."""
    inverse = {}
    for term, weight in weights.items():
        holding = sum(_living(part, found) for part in parts if (found := part.postings.get(term)) is not None)
        if holding:
            inverse[term] = weight * math.log(1 + (chunks - holding + 0.5) / (holding + 0.5))
    return inverse


def _living(part: Part, found: Postings) -> int:
    return len(found.ids) if part.alive is None else int(np.count_nonzero(part.alive[found.ids]))


def _scores(part: Part, inverse: Mapping[str, float], average: float) -> NDArray[np.float32]:
    scores = np.zeros(len(part.segment), np.float32)
    found = [(part.postings[term], factor) for term, factor in inverse.items() if term in part.postings]
    if not found:
        return scores
    # All terms at once: a call of numpy costs as much as a hundred postings; `add.at` adds up what meets in a chunk.
    ids = np.concatenate([postings.ids for postings, _ in found]).astype(np.intp)
    counts = np.concatenate([postings.counts for postings, _ in found]).astype(np.float32)
    factors = np.array([factor for _, factor in found], np.float32)
    norms = part.segment.lengths.astype(np.float32)
    norms *= np.float32(K1 * B / average)
    norms += np.float32(K1 * (1 - B))
    below = norms[ids]
    below += counts
    counts *= np.repeat(factors, [len(postings.ids) for postings, _ in found])
    counts /= below
    np.add.at(scores, ids, counts)
    if part.alive is not None:
        scores[~part.alive] = 0
    return scores
