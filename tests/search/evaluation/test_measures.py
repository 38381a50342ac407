"""Measures against values computed by hand, and against the definitions written out naively."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.search.evaluation.measures import MEASURES, ndcg, precision, recall, reciprocal_rank

GRADES = {"a": 3.0, "b": 2.0, "c": 1.0, "d": 0.0}


def test_ndcg_is_the_gain_by_the_logarithm_of_the_rank_over_the_best_possible() -> None:
    # DCG of x, b, a: 0 + 2/log2(3) + 3/log2(4) = 1.261860 + 1.5; best of a, b, c: 3 + 2/log2(3) + 1/2 = 4.761860
    assert ndcg(["x", "b", "a"], GRADES, 3) == pytest.approx(2.761860 / 4.761860, abs=1e-6)


def test_ndcg_has_linear_gain() -> None:
    # with 2^grade - 1 it would be (3/1) / (7/1)
    assert ndcg(["b"], GRADES, 1) == pytest.approx(2 / 3)


def test_ndcg_is_one_for_the_best_order_and_a_cut_counts_for_the_best_order_too() -> None:
    assert ndcg(["a", "b", "c", "d"], GRADES, 10) == pytest.approx(1)
    assert ndcg(["a", "b"], GRADES, 2) == pytest.approx(1)


def test_recall_is_the_part_of_the_relevant_that_was_found() -> None:
    assert recall(["x", "b", "a"], GRADES, 2) == pytest.approx(1 / 3)
    assert recall(["x", "b", "a"], GRADES, 3) == pytest.approx(2 / 3)


def test_precision_divides_by_all_ranks_though_fewer_were_filled() -> None:
    assert precision(["a", "d", "b"], GRADES, 10) == pytest.approx(0.2)


def test_the_reciprocal_rank_is_of_the_first_relevant_one_within_the_cut() -> None:
    assert reciprocal_rank(["x", "d", "c", "a"], GRADES, 10) == pytest.approx(1 / 3)
    assert reciprocal_rank(["x", "d", "c", "a"], GRADES, 2) == 0


def test_a_grade_below_zero_gains_nothing_and_costs_nothing() -> None:
    assert ndcg(["n", "a"], {"n": -2.0, "a": 1.0}, 2) == pytest.approx(1 / log2(3))
    assert recall(["n"], {"n": -2.0, "a": 1.0}, 2) == 0


@pytest.mark.parametrize("name", MEASURES)
def test_nothing_found_is_zero(name: str) -> None:
    assert MEASURES[name]([], GRADES, 10) == 0


IDS = st.integers(0, 30).map(str)


@given(
    st.lists(IDS, unique=True),
    st.dictionaries(IDS, st.integers(-1, 4), min_size=1).filter(lambda grades: max(grades.values()) > 0),
    st.integers(1, 40),
)
def test_every_measure_agrees_with_its_definition_written_out(
    ranking: list[str], grades: dict[str, int], k: int
) -> None:
    given_grades = {each: float(grade) for each, grade in grades.items()}
    relevant = {each for each, grade in grades.items() if grade > 0}
    dcg = best = 0.0
    hits = 0
    first = 0.0
    possible = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    for i in range(1, k + 1):
        if i <= len(ranking) and ranking[i - 1] in relevant:
            dcg += grades[ranking[i - 1]] / log2(1 + i)
            hits += 1
            first = first or 1 / i
        if i <= len(possible):
            best += possible[i - 1] / log2(1 + i)
    assert ndcg(ranking, given_grades, k) == pytest.approx(dcg / best)
    assert recall(ranking, given_grades, k) == pytest.approx(hits / len(relevant))
    assert precision(ranking, given_grades, k) == pytest.approx(hits / k)
    assert reciprocal_rank(ranking, given_grades, k) == pytest.approx(first)
    assert all(0 <= measure(ranking, given_grades, k) <= 1 + 1e-9 for measure in MEASURES.values())
