import numpy as np
import pytest

from voxscale.scaling import _intervals
from voxscale.scaling._intervals import percentile_interval, resampled_means


def test_a_draw_is_a_mean_over_units_with_all_their_points(rng, frozen):
    scores = frozen(rng.standard_normal((3, 5)))
    means = resampled_means(scores, 200, 4)
    assert means.shape == (3, 200)
    again = np.random.default_rng(4)
    for draw in range(200):
        units = again.integers(5, size=5)
        expected = [sum(point[unit] for unit in units) / 5 for point in scores]
        np.testing.assert_allclose(means[:, draw], expected, rtol=1e-12)


def test_the_size_of_blocks_changes_nothing(rng, monkeypatch):
    scores = rng.standard_normal((4, 6))
    whole = resampled_means(scores, 50, 1)
    for numbers in (1, 24, 7 * 24):
        monkeypatch.setattr(_intervals, "_BLOCK_NUMBERS", numbers)
        np.testing.assert_allclose(resampled_means(scores, 50, 1), whole, rtol=1e-12)


def test_draws_spread_as_the_mean_does(rng):
    scores = rng.standard_normal((1, 40))
    spread = resampled_means(scores, 4000, 0).std()
    assert spread == pytest.approx(scores.std() / np.sqrt(40), rel=0.05)


def test_the_interval_holds_the_middle_of_the_draws():
    low, high = percentile_interval(np.array([np.arange(101.0), np.arange(0, 1010.0, 10)]), 0.9)
    np.testing.assert_allclose(low, [5, 50])
    np.testing.assert_allclose(high, [95, 950])


def test_no_draws_make_no_interval():
    for shape in ((0,), (3, 0)):
        low, high = percentile_interval(np.empty(shape), 0.95)
        assert low.shape == high.shape == shape[:-1]
        assert np.isnan(low).all()
        assert np.isnan(high).all()
