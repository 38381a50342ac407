"""Both sides of a search as one score."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.search.ranking.fusion import LEAST, WEIGHTS, Floats, Line, comparable, estimate, fuse, line

UNKNOWN = float("nan")
shares = arrays(np.float32, 8, elements=st.floats(0, 1, width=32))
cosines = arrays(np.float32, 8, elements=st.floats(-1, 1, width=32))


def floats(*values: float) -> Floats:
    return np.array(values, np.float32)


def test_a_score_is_the_weighted_sum_of_both_sides() -> None:
    scores, unknown = fuse(floats(8.0, 4.0, 0.0), floats(0.5, 0.8, 0.3), 8.0)
    assert scores == pytest.approx([0.3 + 0.35, 0.15 + 0.56, 0.21])
    assert sum(WEIGHTS) == 1
    assert len(unknown) == 0


def test_what_shares_no_word_and_means_something_else_is_no_hit() -> None:
    scores, _ = fuse(floats(0.0, 0.0, 0.1), floats(LEAST - 0.01, LEAST, -0.5), 1.0)
    assert (scores < 0).tolist() == [True, False, False]
    assert scores[2] == pytest.approx(0.03)


def test_what_is_not_known_counts_as_the_line_says() -> None:
    lexical = floats(1.0, 0.0, 2.0)
    scores, unknown = fuse(lexical, floats(UNKNOWN, UNKNOWN, 0.4), 2.0)
    assert unknown.tolist() == [0]
    assert scores == pytest.approx([0.15, -1, 0.58])
    estimate(scores, lexical, unknown, 2.0, Line(0.1, 0.4))
    assert scores == pytest.approx([0.3 * 0.5 + 0.7 * 0.3, -1, 0.58])


@given(shares, cosines)
def test_scores_stay_between_nothing_and_one(lexical: Floats, semantic: Floats) -> None:
    semantic[::3] = UNKNOWN
    best = float(lexical.max()) or 1.0
    scores, unknown = fuse(lexical, semantic, best)
    if expected := line([(lexical, semantic)], best):
        estimate(scores, lexical, unknown, best, expected)
    assert not np.isnan(scores).any()
    assert (scores <= 1 + 1e-6).all()
    assert ((scores >= 0) == ((lexical > 0) | (semantic >= LEAST))).all()
    assert unknown.tolist() == np.flatnonzero(np.isnan(semantic) & (lexical > 0)).tolist()


def test_many_scores_are_the_same_as_few() -> None:
    rng = np.random.default_rng(4)
    lexical = np.where(rng.random(200_000) < 0.5, rng.random(200_000), 0).astype(np.float32)
    semantic = np.where(rng.random(200_000) < 0.9, rng.random(200_000), np.nan).astype(np.float32)
    scores, unknown = fuse(lexical, semantic, 1.0)
    places = rng.integers(0, 200_000, 500)
    few, _ = fuse(lexical[places], semantic[places], 1.0)
    assert scores[places].tolist() == few.tolist()
    assert unknown.tolist() == np.flatnonzero(np.isnan(semantic) & (lexical > 0)).tolist()


def test_the_line_goes_through_the_chunks_of_which_both_sides_are_known() -> None:
    lexical = floats(0.0, 2, 6, 10, 9)
    semantic = floats(0.9, 0.20, 0.36, 0.52, UNKNOWN)
    found = line([(lexical, semantic)], 10.0)
    assert found == pytest.approx(Line(0.12, 0.4))
    parts = [(lexical[:3], semantic[:3]), (lexical[3:], semantic[3:])]
    assert line(parts, 10.0) == pytest.approx(found)


def test_more_words_are_never_expected_to_mean_less() -> None:
    found = line([(floats(0.1, 0.5, 1.0), floats(0.9, 0.5, 0.1))], 1.0)
    assert found == pytest.approx(Line(0.5, 0.0))


def test_there_is_no_line_through_nothing() -> None:
    assert line([(floats(0.5), floats(UNKNOWN)), (floats(0.0), floats(0.4))], 0.5) is None
    assert line([(floats(0.5), floats(0.4))], 0.5) == pytest.approx(Line(0.4, 0.0))


def test_cosines_of_another_embedder_are_moved_to_the_measured_scale() -> None:
    measured = np.random.default_rng(3).normal(0.2, 0.1, 2_000).astype(np.float32)
    crowded = 0.75 + 0.2 * measured
    crowded[7] = UNKNOWN
    moved = comparable(crowded)
    assert np.isnan(moved[7])
    assert np.delete(moved, 7) == pytest.approx(np.delete(measured, 7), abs=0.02)


def test_cosines_far_above_all_others_keep_their_order() -> None:
    unrelated = np.random.default_rng(4).normal(0, 0.02, 2_000)
    cosines = np.append(unrelated, [0.5, 0.51, 0.52, 0.53, 0.54, 0.91, UNKNOWN]).astype(np.float32)

    moved = comparable(cosines)[:-1]

    assert np.all(np.diff(moved[np.argsort(cosines[:-1])]) > 0)
    assert moved.max() <= 1


@pytest.mark.parametrize("cosines", [floats(0.7, 0.8, 0.9), np.full(200, 0.5, np.float32)])
def test_cosines_that_say_nothing_of_the_embedder_stay_as_they_are(cosines: Floats) -> None:
    assert comparable(cosines) is cosines
