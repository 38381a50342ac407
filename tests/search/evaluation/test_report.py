import pytest

from toolkit.search.evaluation.judgements import Judgements
from toolkit.search.evaluation.report import MEAN, Run, report


def judged(name: str, *answers: str) -> Judgements:
    queries = {f"{name}-{n}": "?" for n in range(len(answers))}
    return Judgements(name, queries, {q: {a: 1.0} for q, a in zip(queries, answers, strict=True)}, None, 0)


ONE, TWO = judged("one", "a", "b", "c"), judged("two", "d")
BEST = [
    Run("one", "best", {"one-0": ["a"], "one-1": ["b"], "one-2": ["x", "c"]}, [1.0, 3.0, 2.0]),
    Run("two", "best", {"two-0": ["d"]}, [5.0]),
]
WORST = [Run("one", "worst", {"one-0": ["x"], "one-1": ["x", "b"]}, []), Run("two", "worst", {}, [])]


def test_a_figure_is_the_mean_over_the_queries_and_lies_in_its_interval() -> None:
    found = report([ONE, TWO], [*WORST, *BEST])

    assert found.measures == ("nDCG@10", "recall@100", "MRR@10", "precision@10")
    figure = found.figure("one", "best", "MRR@10")
    assert figure.mean == pytest.approx((1 + 1 + 0.5) / 3)
    assert 0.5 <= figure.low < figure.mean < figure.high <= 1


def test_a_query_that_was_answered_by_nothing_counts_as_zero() -> None:
    assert report([ONE, TWO], [*WORST, *BEST]).figure("one", "worst", "recall@100").mean == pytest.approx(1 / 3)


def test_the_mean_of_several_collections_weighs_each_the_same() -> None:
    found = report([ONE, TWO], [*WORST, *BEST])

    assert found.figure(MEAN, "best", "MRR@10").mean == pytest.approx((2.5 / 3 + 1) / 2)
    assert MEAN not in {figure.collection for figure in report([ONE], BEST[:1]).figures}


def test_a_difference_is_paired_and_sure_where_its_interval_leaves_out_zero() -> None:
    found = report([ONE, TWO], [*WORST, *BEST])

    (difference,) = [d for d in found.differences if (d.collection, d.measure) == ("one", "recall@100")]
    assert (difference.configuration, difference.against) == ("best", "worst")
    assert difference.mean == pytest.approx(2 / 3)
    assert (difference.is_sure, difference.low) == (False, 0)  # one query in three tells nothing
    (sure,) = [d for d in found.differences if (d.collection, d.measure) == ("two", "recall@100")]
    assert sure.is_sure


def test_cuts_are_named_and_counted() -> None:
    found = report([ONE], BEST[:1], k=1, depth=2)

    assert found.measures == ("nDCG@1", "recall@2", "MRR@1", "precision@1")
    assert found.figure("one", "best", "precision@1").mean == pytest.approx(2 / 3)
    assert found.figure("one", "best", "recall@2").mean == 1


def test_speed_is_told_where_it_was_taken() -> None:
    speeds = {(s.collection, s.configuration): s for s in report([ONE, TWO], [*WORST, *BEST]).speeds}

    assert set(speeds) == {("one", "best"), ("two", "best")}
    assert speeds["one", "best"].p50_ms == 2
    assert 2 < speeds["one", "best"].p95_ms <= 3


def test_a_report_is_the_same_every_time() -> None:
    assert report([ONE, TWO], [*WORST, *BEST]) == report([ONE, TWO], [*WORST, *BEST])
