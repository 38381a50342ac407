import numpy as np
import pytest

from toolkit.search.evaluation import intervals
from toolkit.search.evaluation.intervals import Interval, interval, mean, resampled


def test_the_samples_of_a_mean_spread_by_its_standard_error() -> None:
    figures = np.random.default_rng(1).normal(0.5, 0.2, (400, 1))

    samples = resampled([figures], 4_000)

    assert samples.mean() == pytest.approx(figures.mean(), abs=0.001)
    assert samples.std() == pytest.approx(figures.std() / 400**0.5, rel=0.05)
    low, high = interval(float(figures.mean()), samples[:, 0])[1:]
    assert (high - low) / 2 == pytest.approx(1.96 * figures.std() / 400**0.5, rel=0.06)


def test_equal_columns_have_equal_samples_so_that_a_paired_difference_is_exact() -> None:
    one = np.random.default_rng(2).random((30, 1))

    samples = resampled([np.hstack([one, one + 0.1])], 500)

    assert samples[:, 1] - samples[:, 0] == pytest.approx(np.full(500, 0.1))


def test_the_same_seed_gives_the_same_interval_and_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    figures = [np.random.default_rng(3).random((20, 2))]
    whole = resampled(figures, 300, seed=5)

    monkeypatch.setattr(intervals, "_CELLS", 60)

    assert np.allclose(resampled(figures, 300, seed=5), whole)
    assert not np.allclose(resampled(figures, 300, seed=6), whole)


def test_of_several_collections_a_large_one_weighs_no_more() -> None:
    small, large = np.zeros((2, 1)), np.ones((1000, 1))

    assert mean([small, large]) == pytest.approx([0.5])
    assert resampled([small, large], 50) == pytest.approx(np.full((50, 1), 0.5))


def test_an_interval_that_holds_zero_is_not_sure() -> None:
    assert Interval(0.1, 0.01, 0.2).is_sure
    assert Interval(-0.1, -0.2, -0.01).is_sure
    assert not Interval(0.1, -0.01, 0.2).is_sure
