"""The chunks of all collections, ranked together."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.search.ranking.field import Field, Ground
from toolkit.search.ranking.fusion import Floats
from toolkit.search.ranking.mode import Mode

NONE = float("nan")


def ground(lexical: list[float], semantic: list[float] | None = None, weight: float = 1.0, first: int = 0) -> Ground:
    count = len(lexical)
    meaning = None if semantic is None else np.array(semantic, np.float32)
    docs = np.arange(first, first + count, dtype=np.int64)
    return Ground(docs, np.ones(count, np.int32), np.array(lexical, np.float32), meaning, weight)


def ranked(*grounds: Ground, mode: Mode = "hybrid") -> Field:
    field = Field(grounds, mode)
    field.rank()
    return field


def places(field: Field, count: int = 10) -> list[tuple[int, int]]:
    return [(each.ground, each.ordinal) for each in field.best(count)]


def test_words_are_compared_with_the_best_of_all_collections() -> None:
    field = ranked(ground([2.0, 0.0]), ground([8.0, 4.0], first=10), mode="lexical")
    assert [(each.total, each.lexical) for each in field.best(3)] == [(1.0, 1.0), (0.5, 0.5), (0.25, 0.25)]
    assert places(field) == [(1, 0), (1, 1), (0, 0)]


def test_a_collection_counts_as_much_as_its_weight() -> None:
    field = ranked(ground([4.0]), ground([6.0], weight=0.5, first=10), mode="lexical")
    assert [(each.ground, each.total) for each in field.best(2)] == [(0, pytest.approx(2 / 3)), (1, 0.5)]


@pytest.mark.parametrize(("mode", "expected"), [("lexical", [0, 1]), ("semantic", [2, 1, 0]), ("hybrid", [1, 2, 0])])
def test_the_mode_says_which_sides_count(mode: Mode, expected: list[int]) -> None:
    field = ranked(ground([3.0, 2.4, 0.0], [0.0, 0.6, 0.9]), mode=mode)
    assert [ordinal for _, ordinal in places(field)] == expected


def test_without_any_meaning_words_rank_alone() -> None:
    for mode in ("hybrid", "semantic"):
        field = ranked(ground([1.0, 2.0, 0.0]), mode=mode)
        assert field.mode == "lexical"
        assert [each.total for each in field.best(5)] == [1.0, 0.5]


def test_a_collection_without_meanings_is_ranked_fairly_beside_one_that_has_them() -> None:
    with_meaning = ground([4.0, 2.0, 1.0, 0.5], [0.60, 0.40, 0.30, 0.25])
    field = ranked(with_meaning, ground([3.0, 1.5], first=10))
    assert places(field) == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (0, 3)]
    assert all(each.semantic is None for each in field.best(6) if each.ground == 1)


def test_meanings_that_are_learnt_count_from_then_on() -> None:
    field = ranked(ground([4.0, 3.9, 1.0], [NONE, NONE, NONE]))
    (missing,) = field.without_meaning(2)
    assert (missing[0], missing[1].tolist()) == (0, [0, 1])
    field.learn(0, missing[1], np.array([0.2, 0.7], np.float32))
    field.rank()
    assert [ordinal for _, ordinal in places(field)] == [1, 0, 2]
    assert field.best(1)[0].semantic == pytest.approx(0.7)


def test_meanings_are_asked_for_where_they_are_compared_only() -> None:
    assert ranked(ground([1.0])).without_meaning(5) == []
    assert ranked(ground([1.0, 1.0], [0.5, 0.5])).without_meaning(5) == []


def test_nothing_is_found_in_nothing() -> None:
    assert ranked().best(3) == []
    assert ranked(ground([]), ground([0.0, 0.0], [0.1, NONE])).best(3) == []


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-4, 4)), max_size=30), st.integers(1, 12), st.integers(1, 3))
def test_the_order_falls_is_whole_and_does_not_depend_on_how_many_are_asked_for(
    sides: list[tuple[int, int]], count: int, parts: int
) -> None:
    grounds = []
    for n in range(parts):
        mine = sides[n::parts]
        grounds.append(ground([w / 4 for w, _ in mine], [NONE if c == 4 else c / 4 for _, c in mine], first=100 * n))
    field = ranked(*grounds)
    everything = field.best(100)
    assert field.best(count) == everything[:count]
    assert all(one.total >= other.total for one, other in pairwise(everything))
    hits = sum(bool(w) or 0.2 <= c / 4 < 1 for w, c in sides)
    assert len(everything) == hits


def test_scores_are_not_changed_in_the_arrays_that_were_given() -> None:
    lexical: Floats = np.array([2.0, 4.0], np.float32)
    semantic: Floats = np.array([NONE, 0.5], np.float32)
    given_ground = Ground(np.arange(2, dtype=np.int64), np.ones(2, np.int32), lexical, semantic)
    field = ranked(given_ground)
    field.learn(0, np.array([0]), np.array([0.9], np.float32))
    field.rank()
    assert lexical.tolist() == [2.0, 4.0]
    assert np.isnan(semantic[0])
