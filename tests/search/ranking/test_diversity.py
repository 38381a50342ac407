"""Hits that do not all say the same."""

import numpy as np
import pytest

from toolkit.search.ranking.diversity import diverse, likeness
from toolkit.search.ranking.fusion import Floats

NO_TERMS: frozenset[str] = frozenset()


def units(*rows: tuple[float, float]) -> Floats:
    vectors = np.array(rows, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


VECTORS = units((1, 0), (1, 0.01), (1, 0.02), (0, 1))
SCORES = np.array([1.0, 0.98, 0.97, 0.6], np.float32)


@pytest.mark.parametrize(("diversity", "chosen"), [(0.0, [0, 1]), (0.1, [0, 1]), (0.5, [0, 3]), (1.0, [0, 3])])
def test_another_thing_comes_before_the_same_again(diversity: float, chosen: list[int]) -> None:
    alike = likeness(VECTORS, [NO_TERMS] * 4)
    assert diverse(SCORES, alike, 2, diversity).tolist() == chosen


def test_all_are_chosen_once_where_all_are_wanted() -> None:
    alike = likeness(VECTORS, [NO_TERMS] * 4)
    assert sorted(diverse(SCORES, alike, 10, 0.7).tolist()) == [0, 1, 2, 3]
    assert diverse(SCORES[:0], alike[:0, :0], 3, 0.5).tolist() == []


def test_chunks_without_a_vector_are_compared_by_their_words() -> None:
    vectors = np.vstack([VECTORS[:1], np.zeros((2, 2), np.float32)])
    terms = [frozenset({"heron", "fish"}), frozenset({"heron", "fish"}), frozenset({"stork", "nest"})]
    alike = likeness(vectors, terms)
    assert alike.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert likeness(np.zeros((2, 1), np.float32), [NO_TERMS, NO_TERMS]).tolist() == [[1, 0], [0, 1]]
