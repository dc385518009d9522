"""Split halves against loops, against planted truth, and against the other ceilings."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import noise_ceiling, spearman_brown, split_half


def planted(rng, n_repeats, n_trs, n_voxels, noise_power=1.0):
    signal = rng.standard_normal((n_trs, n_voxels))
    return signal + np.sqrt(noise_power) * rng.standard_normal((n_repeats, n_trs, n_voxels))


def by_hand(trials, half):
    """Average the correlation of halves over all splits of one voxel's repeats."""
    n_repeats = len(trials)
    found = []
    for one in itertools.combinations(range(n_repeats), half):
        rest = [k for k in range(n_repeats) if k not in one]
        for other in itertools.combinations(rest, half):
            means = [trials[list(members)].mean(axis=0) for members in (one, other)]
            found.append(np.corrcoef(means)[0, 1])
    return np.mean(found)


@pytest.mark.parametrize(("n_repeats", "n_splits"), [(2, 1), (3, 3), (4, 3), (5, 15), (6, 10)])
def test_every_split_is_that_of_the_loop(rng, frozen, n_repeats, n_splits):
    trials = frozen(planted(rng, n_repeats, 80, 3))
    found = split_half(trials, n_bootstraps=10)
    half = n_repeats // 2
    assert (found.half, found.n_splits, found.n_repeats) == (half, n_splits, n_repeats)
    for voxel in range(3):
        r = by_hand(trials[:, :, voxel], half)
        assert found.correlation.estimate[voxel] == pytest.approx(r)
        factor = n_repeats / half
        corrected = factor * r / (1 + (factor - 1) * r)
        assert found.reliability.estimate[voxel] == pytest.approx(corrected)
        assert found.cc_max.estimate[voxel] == pytest.approx(np.sqrt(corrected))


def test_its_expectation_is_the_squared_ceiling(rng):
    for n_repeats in (3, 4, 10):
        trials = planted(rng, n_repeats, 500, 300, noise_power=3.0)
        found, ceiling = split_half(trials, n_bootstraps=2), noise_ceiling(trials)
        truth = 1 / (1 + 3 / n_repeats)
        assert found.reliability.estimate.mean() == pytest.approx(truth, abs=0.01)
        assert (ceiling.cc_max**2).mean() == pytest.approx(truth, abs=0.01)
        expected = spearman_brown(ceiling.explainable_variance, n_repeats)
        np.testing.assert_allclose(expected, ceiling.cc_max**2)
        # Voxel by voxel both see the same noise.
        np.testing.assert_allclose(found.reliability.estimate, expected, atol=0.12)
        halves = spearman_brown(ceiling.explainable_variance, found.half)
        np.testing.assert_allclose(found.correlation.estimate, halves, atol=0.12)


@pytest.mark.parametrize("n_repeats", [3, 5, 10])
def test_intervals_hold_planted_truth(rng, n_repeats):
    noise_power = float(n_repeats)  # a reliability of one half
    trials = planted(rng, n_repeats, 250, 600, noise_power)
    found = split_half(trials, n_bootstraps=150)
    half = found.half / (found.half + noise_power)
    for interval, truth in ((found.correlation, half), (found.reliability, 0.5)):
        share = ((interval.low < truth) & (truth < interval.high)).mean()
        assert 0.92 < share < 0.98
    assert 0.92 < ((found.cc_max.low < 0.5**0.5) & (found.cc_max.high > 0.5**0.5)).mean() < 0.98


def test_splits_are_drawn_where_there_are_too_many(rng):
    trials = planted(rng, 12, 200, 4)
    few = split_half(trials, n_splits=20, n_bootstraps=5)
    assert few.n_splits == 20
    every = split_half(trials, n_splits=1000, n_bootstraps=5)
    assert every.n_splits == 462
    np.testing.assert_allclose(few.correlation.estimate, every.correlation.estimate, atol=0.03)


def test_stories_count_as_one_response_about_their_own_means(rng):
    trials = planted(rng, 4, 150, 3)
    trials -= trials.mean(axis=1, keepdims=True)
    parts = [trials[:, :90], trials[:, 90:]]
    parts = [part - part.mean(axis=1, keepdims=True) for part in parts]
    whole = split_half(np.concatenate(parts, axis=1), n_bootstraps=5)
    stories = split_half({"a": parts[0] + 5, "b": parts[1] - 5}, n_bootstraps=5)
    np.testing.assert_allclose(stories.correlation.estimate, whole.correlation.estimate, atol=0.01)
    with pytest.raises(AlignmentError, match=r"stories have \[4, 3\] repeats or subjects"):
        split_half([parts[0], parts[1][:3]])


def test_voxels_without_an_answer_are_counted(rng):
    trials = planted(rng, 4, 60, 4)
    trials[0, 0, 0] = np.inf
    trials[2, :, 1] = 0.1
    trials[:, :, 2] -= trials[:, :, 2].mean(axis=0)
    with pytest.warns(VoxscaleWarning, match="2 of 4 voxels have no split-half reliability"):
        found = split_half(trials, n_bootstraps=5)
    assert list(found.reliability.why_undefined) == ["not finite", "constant", "", ""]
    assert found.reliability.estimate[2] < 0
    lacking = ["not finite", "constant", "without signal power", ""]
    assert list(found.cc_max.why_undefined) == lacking
    assert found.cc_max.low[2] == 0


def test_no_voxel_at_all_may_have_an_answer():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = split_half(np.ones((3, 50, 2)), n_bootstraps=5)
    assert [str(one.message)[:25] for one in caught] == ["2 of 2 voxels have no spl"]
    assert np.isnan(found.correlation.high).all()


def test_bad_input_is_refused(rng):
    trials = planted(rng, 3, 60, 2)
    with pytest.raises(ValueError, match="n_splits is 0; expected at least 1"):
        split_half(trials, n_splits=0)
    with pytest.raises(ValueError, match="impossible without the single repeats"):
        split_half(trials[0])
    with pytest.raises(ValueError, match="level is 0; expected a share"):
        split_half(trials, level=0)


@given(st.floats(0, 0.99), st.floats(0.1, 20), st.floats(0.1, 20))
def test_extrapolating_twice_is_extrapolating_once(r, one, other):
    twice = spearman_brown(spearman_brown(r, one), other)
    np.testing.assert_allclose(twice, spearman_brown(r, one * other), rtol=1e-9, atol=1e-12)


def test_limits_of_extrapolation():
    values = np.array([-0.6, -0.2, 0.0, 0.3, np.nan])
    np.testing.assert_allclose(spearman_brown(values, 1), values)
    np.testing.assert_array_equal(spearman_brown(values, np.inf), [np.nan, np.nan, 0, 1, np.nan])
    np.testing.assert_array_equal(np.isnan(spearman_brown(values, 3)), [True, *[False] * 3, True])
    for bad in (0, -1, np.nan):
        with pytest.raises(ValueError, match="expected above 0"):
            spearman_brown(0.5, bad)
