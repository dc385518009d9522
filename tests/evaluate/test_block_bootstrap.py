"""Blocks of TRs, and covariances of what they make, against resampling the TRs themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError
from voxscale.evaluate._block_bootstrap import covariance_draws, never_varies, pair_of, plan_blocks


def centred(rng, *shape):
    series = rng.standard_normal(shape)
    return series - series.mean(axis=1, keepdims=True)


def test_draws_are_the_covariances_of_resampled_trs(rng, frozen):
    series = frozen(centred(rng, 3, 50, 2))
    [plan] = plan_blocks([50], 7, 5, seed=1)
    draws = covariance_draws(series, plan)
    assert draws.shape == (6, 6, 2)
    edges = [*plan.first_trs, 50]
    for draw, counts in zip(draws, plan.counts, strict=True):
        rows = [
            tr
            for cell, count in enumerate(counts.astype(int))
            for tr in list(range(edges[cell], edges[cell + 1])) * count
        ]
        for voxel in range(2):
            expected = np.cov(series[:, rows, voxel])
            np.testing.assert_allclose(draw[pair_of(3), voxel], expected, atol=1e-12)


def test_the_first_draw_is_the_data_as_they_are(rng):
    series = centred(rng, 2, 40, 3)
    [plan] = plan_blocks([40], None, 3, seed=0)
    draws = covariance_draws(series, plan)
    for voxel in range(3):
        np.testing.assert_allclose(draws[0][pair_of(2), voxel], np.cov(series[:, :, voxel]))


@settings(max_examples=60, deadline=None)
@given(st.integers(8, 400), st.integers(1, 60), st.integers(0, 9))
def test_samples_are_whole_blocks_around_in_a_circle(n_trs, length, seed):
    length = min(length, n_trs // 4)
    [plan] = plan_blocks([n_trs], length, 4, seed=seed)
    assert plan.first_trs[0] == 0
    assert (np.diff(plan.first_trs) > 0).all()
    assert plan.first_trs[-1] < n_trs
    np.testing.assert_array_equal(plan.counts[0], 1)
    per_block = plan.counts[1].sum() / plan.n_blocks
    assert per_block == int(per_block)
    assert (plan.counts.sum(axis=1)[1:] == per_block * plan.n_blocks).all()
    # As many TRs as the story has, but for a part of a block.
    sizes = np.diff(plan.first_trs, append=n_trs)
    assert np.abs(plan.counts @ sizes - n_trs).max() <= length + plan.n_blocks * per_block
    # Each step up from a cell to the next is the start of a block, and there are no more.
    rises = np.maximum(np.diff(plan.counts[1:], axis=1, prepend=plan.counts[1:, -1:]), 0)
    assert rises.sum(axis=1).max() <= plan.n_blocks


def test_every_tr_is_drawn_as_often_as_any_other():
    [plan] = plan_blocks([90], 10, 4000, seed=3)
    mean = plan.counts[1:].mean(axis=0)
    np.testing.assert_allclose(mean, mean.mean(), rtol=0.1)


def test_the_variance_over_draws_is_that_of_an_autocorrelated_mean_product(rng):
    # AR(1) series have products whose mean has variance (1 + r²) / (1 - r²) / n_trs.
    rho, n_trs, n_voxels = 0.6, 2000, 60
    series = np.zeros((2, n_trs + 50, n_voxels))
    for tr in range(1, n_trs + 50):
        white = rng.standard_normal((2, n_voxels)) * np.sqrt(1 - rho**2)
        series[:, tr] = rho * series[:, tr - 1] + white
    series = series[:, 50:] - series[:, 50:].mean(axis=1, keepdims=True)
    [plan] = plan_blocks([n_trs], 30, 300, seed=0)
    variance = covariance_draws(series, plan)[1:, 1].var(axis=0, ddof=1)
    expected = (1 + rho**2) / (1 - rho**2) / n_trs
    assert variance.mean() == pytest.approx(expected, rel=0.12)
    # TRs one by one would have it too small by half.
    [single] = plan_blocks([n_trs], 1, 300, seed=0)
    small = covariance_draws(series, single)[1:, 1].var(axis=0, ddof=1)
    assert small.mean() < 0.6 * expected


def test_stories_have_plans_of_their_own_and_no_block_crosses():
    plans = plan_blocks([100, 60], None, 5, seed=0)
    assert [plan.n_trs for plan in plans] == [100, 60]
    assert [len(plan.counts) for plan in plans] == [6, 6]
    assert plan_blocks([100], None, 5, seed=0)[0].n_blocks == 10  # blocks of sqrt(100) TRs


def test_a_short_story_has_short_blocks_and_leaves_those_of_others():
    plans = plan_blocks([1000, 8, 24], None, 5, seed=0)
    assert [round(plan.n_trs / plan.n_blocks) for plan in plans] == [32, 2, 6]
    alone = plan_blocks([1000], None, 5, seed=0)[0].n_blocks
    assert plans[0].n_blocks == alone


def test_a_sample_without_variance_is_found(rng):
    series = np.zeros((2, 80, 3))
    series[:, :, 0] = rng.standard_normal((2, 80))
    series[:, 10:14, 1] = rng.standard_normal((2, 4))
    series -= series.mean(axis=1, keepdims=True)
    [plan] = plan_blocks([80], None, 100, seed=0)
    draws = covariance_draws(series, plan)
    own = np.diagonal(pair_of(2))
    np.testing.assert_array_equal(never_varies(draws[:, own]), [False, True, True])


@pytest.mark.parametrize("length", [0, -1, 26])
def test_a_story_holds_four_blocks(length):
    with pytest.raises(ValueError, match="does not hold 4 blocks of"):
        plan_blocks([200, 100], length, 5, seed=0)


def test_a_story_of_three_trs_has_no_blocks():
    with pytest.raises(ValueError, match="a story of 3 TRs does not hold 4 blocks"):
        plan_blocks([3], None, 5, seed=0)


def test_two_samples_are_the_fewest():
    with pytest.raises(ValueError, match="n_bootstraps is 1; expected at least 2"):
        plan_blocks([100], None, 1, seed=0)


def test_a_plan_is_for_its_own_story(rng):
    [plan] = plan_blocks([40], None, 3, seed=0)
    with pytest.raises(AlignmentError, match="series have 41 TRs; expected the 40"):
        covariance_draws(centred(rng, 2, 41, 1), plan)
