"""Vectors as bytes."""

import numpy as np
import pytest

from toolkit.search.vectors import Quantised, concatenate, quantise, restore
from toolkit.search.vectors.quantise import Floats


def units(count: int, dimension: int = 384, seed: int = 0) -> Floats:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def test_the_cosine_of_a_vector_and_its_bytes_is_above_0_999() -> None:
    vectors = units(500)
    assert (restore(quantise(vectors)) * vectors).sum(axis=1).min() > 0.999


def test_a_restored_vector_is_a_unit_vector_and_a_byte_row_has_one_byte_a_component() -> None:
    kept = quantise(units(3))
    assert np.allclose(np.linalg.norm(restore(kept), axis=1), 1, atol=1e-6)
    assert (str(kept.rows.dtype), kept.rows.nbytes, str(kept.scales.dtype)) == ("int8", 3 * 384, "float32")


def test_every_row_has_a_scale_of_its_own_so_that_a_small_one_loses_nothing() -> None:
    vectors = units(2)
    apart = quantise(vectors)
    together = quantise(vectors * np.array([[1.0], [1e-3]], np.float32))
    assert (together.rows == apart.rows).all()
    assert np.abs(apart.rows).max(axis=1).tolist() == [127, 127]


def test_a_vector_and_its_opposite_are_rounded_alike() -> None:
    vectors = units(20)
    assert (quantise(vectors).rows == -quantise(-vectors).rows).all()


def test_a_zero_vector_and_no_vectors_at_all_stay_what_they_are() -> None:
    kept = quantise(np.zeros((1, 4), np.float32))
    assert (kept.scales.tolist(), kept.rows.tolist()) == ([0.0], [[0, 0, 0, 0]])
    assert restore(kept).tolist() == [[0, 0, 0, 0]]
    assert quantise(np.empty((0, 4), np.float32)).rows.shape == (0, 4)


def test_parts_are_put_together_and_taken_apart_in_order() -> None:
    one, two = quantise(units(3, 8, seed=1)), quantise(units(2, 8, seed=2))
    both = concatenate([one, two])
    assert isinstance(both, Quantised)
    assert (both.rows[:3] == one.rows).all()
    assert (both.take(np.array([3, 4])).rows == two.rows).all()
    assert (both.take(np.array([True, False, False, False, True])).scales == both.scales[[0, 4]]).all()


@pytest.mark.parametrize("largest", [1e-30, 1e30])
def test_vectors_of_any_length_are_rounded_by_their_direction(largest: float) -> None:
    vectors = units(5)
    kept = quantise(vectors * np.float32(largest))
    assert (restore(kept) * vectors).sum(axis=1).min() > 0.999
