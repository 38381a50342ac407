"""How sure a mean over queries is: what it would be with other queries of the same kind."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
CONFIDENCE = 0.95
SEED = 20_021
"""Any number: the same figures give the same interval."""

_CELLS = 1_000_000  # of one block of counts: 8 MB


class Interval(NamedTuple):
    """A mean, and the bounds of its confidence interval."""

    mean: float
    low: float
    high: float

    @property
    def is_sure(self) -> bool:
        """Whether it leaves out 0: of a difference, whether its sign is more than chance."""
        return self.low > 0 or self.high < 0


def resampled(
    figures: Sequence[NDArray[np.float64]], resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """The means of samples that are drawn from the queries, with replacement, as many as there are.

    All columns are drawn together, so that the means of two configurations can be compared sample by sample. Of several
    collections each is drawn for itself, and the mean of their means is taken: a large one weighs no more.

    Args:
        figures: of each collection an array of shape (queries, columns): a column is a measure of a configuration.
        resamples: how many samples.
        seed: of the random numbers.

    Returns:
        An array of shape (resamples, columns).

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13 (percentiles); for comparing
    searches, paired: Sakai, "Evaluating evaluation metrics based on the bootstrap", SIGIR 2006.
    """
    total = np.zeros((resamples, figures[0].shape[1]))
    for number, one in enumerate(figures):
        queries = len(one)
        rng = np.random.default_rng([seed, number])
        step = max(1, _CELLS // queries)
        for start in range(0, resamples, step):
            rows = min(step, resamples - start)
            drawn = rng.integers(queries, size=(rows, queries)) + np.arange(rows)[:, None] * queries
            counts = np.bincount(drawn.ravel(), minlength=rows * queries).reshape(rows, queries)
            total[start : start + rows] += counts @ one / queries
    return total / len(figures)


def mean(figures: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The mean of each column over the queries of a collection; of several collections, the mean of their means."""
    means: NDArray[np.float64] = np.mean([one.mean(axis=0) for one in figures], axis=0)
    return means


def interval(at: float, samples: NDArray[np.float64], confidence: float = CONFIDENCE) -> Interval:
    """The mean `at` with the percentiles of `samples` that leave out as much above as below."""
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(at), float(low), float(high))
