"""The best of many scores, always in the same order."""

from base64 import b32decode, b32encode

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from toolkit.search.ranking.best import best, order

few = arrays(np.float32, st.integers(0, 60), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0, -1.0]))


@given(few, st.integers(1, 70))
def test_the_largest_and_all_that_equal_the_last_of_them_are_given(scores: np.ndarray, count: int) -> None:
    kept = sorted((score for score in scores.tolist() if score >= 0), reverse=True)
    least = kept[min(count, len(kept)) - 1] if kept else float("inf")
    assert best(scores, count).tolist() == [n for n, score in enumerate(scores.tolist()) if score >= least]


@pytest.mark.parametrize("count", [1, 10, 300, 5_000])
def test_of_very_many_the_same_are_given_as_by_sorting(count: int) -> None:
    scores = np.random.default_rng(1).random(50_001).astype(np.float32)
    scores[::3] -= 1
    assert sorted(best(scores, count).tolist()) == sorted(np.argsort(-scores, kind="stable")[:count].tolist())


def test_the_least_score_of_a_hit_can_be_given() -> None:
    scores = np.array([0.0, 0.3, 0.5], np.float32)
    assert best(scores, 5).tolist() == [0, 1, 2]
    assert best(scores, 5, least=np.float32(0.3)).tolist() == [1, 2]


def test_what_is_no_hit_is_left_out_of_very_many_too() -> None:
    scores = np.full(60_000, -1, np.float32)
    scores[[7, 59_999]] = 0.5
    assert best(scores, 10).tolist() == [7, 59_999]


def test_equal_scores_come_in_the_order_of_the_written_ids() -> None:
    rng = np.random.default_rng(2)
    docs = rng.integers(0, 1 << 60, 200)
    positions = rng.integers(1, 30, 200).astype(np.int32)
    written = [b32encode((int(doc) << 4).to_bytes(8, "big")).decode("ascii").lower()[:12] for doc in docs]
    assert int.from_bytes(b32decode(written[0].upper() + "A===")[:8], "big") >> 4 == docs[0]
    wanted = sorted(range(200), key=lambda n: (written[n], positions[n]))
    assert order(np.zeros(200, np.float32), docs, positions).tolist() == wanted


def test_a_higher_score_comes_first() -> None:
    scores = np.array([0.1, 0.9, 0.5], np.float32)
    assert order(scores, np.zeros(3, np.int64), np.arange(3, dtype=np.int32)).tolist() == [1, 2, 0]
