"""What an evaluation found: figures with intervals, and the differences between configurations."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median, quantiles
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toolkit.display.card import Block, Card, Notes, Table
from toolkit.display.card import Figure as Words
from toolkit.display.shown import Listing, Shown
from toolkit.search.evaluation.intervals import CONFIDENCE, RESAMPLES, SEED, Interval, interval, mean, resampled
from toolkit.search.evaluation.judgements import Judgements
from toolkit.search.evaluation.measures import MEASURES

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean"
"""What stands for the collection where a figure is the mean of several."""

_FEW = 2  # of one there is no mean, and no percentile


@dataclass(frozen=True, slots=True)
class Run:
    """What one configuration found in one collection.

    Attributes:
        rankings: of each query the ids of the documents that were found, best first, each once.
        milliseconds: how long each query took.
    """

    collection: str
    configuration: str
    rankings: Mapping[str, Sequence[str]]
    milliseconds: Sequence[float]


@dataclass(frozen=True, slots=True, repr=False)
class Figure(Shown):
    """One measure of one configuration: its mean over the queries of a collection, or over the collections (`MEAN`)."""

    collection: str
    configuration: str
    measure: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, repr=False)
class Difference(Shown):
    """How much more `configuration` has of a measure than `against`, on the same queries.

    Attributes:
        is_sure: the interval leaves out 0.
    """

    collection: str
    configuration: str
    against: str
    measure: str
    mean: float
    low: float
    high: float
    is_sure: bool


@dataclass(frozen=True, slots=True, repr=False)
class Speed(Shown):
    """Milliseconds that half and 95 % of the queries took at most, one after the other."""

    collection: str
    configuration: str
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, repr=False)
class Summary(Shown):
    """What was evaluated: documents (0: a collection that was there already), queries, and what was left out."""

    name: str
    documents: int
    queries: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Report(Shown):
    """All that an evaluation found.

    Attributes:
        confidence: of all intervals.
        resamples: how many samples of the queries they are made of.
    """

    collections: tuple[Summary, ...]
    configurations: tuple[str, ...]
    measures: tuple[str, ...]
    figures: tuple[Figure, ...]
    differences: tuple[Difference, ...]
    speeds: tuple[Speed, ...]
    confidence: float = CONFIDENCE
    resamples: int = RESAMPLES

    def figure(self, collection: str, configuration: str, measure: str) -> Figure:
        """The figure of that name."""
        wanted = (collection, configuration, measure)
        return next(f for f in self.figures if (f.collection, f.configuration, f.measure) == wanted)

    def to_frame(self) -> "pd.DataFrame":
        """A row for each figure.

        Raises:
            ConfigError: pandas is not installed.
        """
        return Listing(self.figures).to_frame()

    def _shown(self) -> Card:
        names = dict.fromkeys(figure.collection for figure in self.figures)
        return Card("Evaluation", body=[part for name in names for part in self._of(name)])

    def _of(self, name: str) -> list[Block]:
        """The figures of a collection, and which differences are more than chance."""
        figures = {(f.configuration, f.measure): f for f in self.figures if f.collection == name}
        rows = [
            [one, *(Words(f"{f.mean:.3f} ({f.low:.3f}–{f.high:.3f})") for m in self.measures if (f := figures[one, m]))]
            for one in self.configurations
        ]
        sure = [
            f"{each.measure}: {each.configuration} has {abs(each.mean):.3f} {'more' if each.mean > 0 else 'less'} than "
            f"{each.against}"
            for each in self.differences
            if each.collection == name and each.is_sure
        ]
        notes = [Notes(f"{len(sure)} differences in {name} are more than chance", sure)] if sure else []
        return [Table((name, *self.measures), rows), *notes]


def report(
    judged: Sequence[Judgements],
    runs: Sequence[Run],
    *,
    k: int = 10,
    depth: int = 100,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Report:
    """The figures of `runs`.

    Args:
        judged: the collections, in the order in which they shall be shown.
        runs: one of each collection and configuration; a query that a run has not was answered by nothing.
        k: how many ranks count for nDCG, MRR and precision.
        depth: how many count for recall.
        resamples: how many samples the intervals are made of.
        seed: of the random numbers.
    """
    configurations = tuple(dict.fromkeys(run.configuration for run in runs))
    cuts = {f"{name}@{depth if name == 'recall' else k}": name for name in MEASURES}
    columns = [(configuration, measure) for configuration in configurations for measure in cuts]
    by_name = {(run.collection, run.configuration): run for run in runs}

    def scores(one: Judgements) -> NDArray[np.float64]:
        table = [
            [
                MEASURES[cuts[measure]](
                    by_name[one.name, configuration].rankings.get(query, ()), grades, int(measure.partition("@")[2])
                )
                for configuration, measure in columns
            ]
            for query, grades in one.grades.items()
        ]
        return np.array(table)

    tables = {one.name: scores(one) for one in judged}
    figures: list[Figure] = []
    differences: list[Difference] = []
    for name, group in _groups(tables):
        means, samples = mean(group), resampled(group, resamples, seed)
        found = {column: (float(means[n]), samples[:, n]) for n, column in enumerate(columns)}
        figures += [Figure(name, *column, *interval(*found[column])) for column in columns]
        differences += [
            _difference(name, (one, other), measure, found)
            for measure in cuts
            for other, one in combinations(configurations, 2)
        ]
    return Report(
        tuple(Summary(one.name, one.documents, len(one.queries), one.notes) for one in judged),
        configurations,
        tuple(cuts),
        tuple(figures),
        tuple(differences),
        tuple(_speed(run) for run in runs if run.milliseconds),
        resamples=resamples,
    )


def _groups(
    tables: Mapping[str, NDArray[np.float64]],
) -> Iterator[tuple[str, list[NDArray[np.float64]]]]:
    """Each collection alone, and all of them together."""
    for name, table in tables.items():
        yield name, [table]
    if len(tables) > 1:
        yield MEAN, list(tables.values())


def _difference(
    name: str,
    pair: tuple[str, str],
    measure: str,
    found: Mapping[tuple[str, str], tuple[float, NDArray[np.float64]]],
) -> Difference:
    (one, ones), (other, others) = (found[configuration, measure] for configuration in pair)
    span: Interval = interval(one - other, ones - others)
    return Difference(name, *pair, measure, *span, span.is_sure)


def _speed(run: Run) -> Speed:
    took = list(run.milliseconds)
    slow = quantiles(took, n=20, method="inclusive")[18] if len(took) >= _FEW else took[0]
    return Speed(run.collection, run.configuration, median(took), slow)
