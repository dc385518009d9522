"""Slopes that differ from the brain's, slopes of regions, and what cannot be tested."""

import numpy as np
import pytest
from scipy import stats

from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate import fdr
from voxscale.scaling import fit_scaling_law, pooled_slopes, slope_map

X = np.geomspace(1e8, 3e10, 5)
SUBJECT = np.repeat(["a", "b", "c", "d"], 3)
LEVELS = {"subject": SUBJECT}


def scores_of(rng, slopes, own_sd=0.0, noise=0.003):
    """Scores (5, 12, n_voxels); a subject's slope differs by the same in all its voxels."""
    own = own_sd * rng.standard_normal((4, 1)).repeat(3, axis=0)
    rise = np.log10(X / X[0])[:, None, None] * (np.asarray(slopes) + own)
    return 0.1 + rise + noise * rng.standard_normal(rise.shape)


def subject_slopes(scores):
    means = scores.reshape(5, 4, 3, -1).mean(axis=2)
    return np.polyfit(np.log10(X), means.reshape(5, -1), 1)[0].reshape(4, -1)


def test_differences_are_paired_tests_against_the_brain(rng, frozen):
    scores = frozen(scores_of(rng, [0.01, 0.02, 0.015, 0.03, 0.01, 0.02], own_sd=0.02))
    found = slope_map(X, scores, levels=LEVELS)
    slopes = subject_slopes(scores)
    mean = slopes.mean(axis=1)
    for voxel in range(6):
        theirs = stats.ttest_rel(slopes[:, voxel], mean)
        assert found.differences[voxel] == pytest.approx((slopes[:, voxel] - mean).mean())
        assert found.difference_p_values[voxel] == pytest.approx(theirs.pvalue, rel=1e-6)
    np.testing.assert_allclose(found.difference_q_values, fdr(found.difference_p_values))
    np.testing.assert_allclose(found.standard_errors, stats.sem(slopes, axis=0))
    # What subjects differ by everywhere hides slopes, and no difference of slopes.
    assert found.difference_p_values[3] < 0.01 < found.p_values[3]


def test_differences_may_be_taken_within_regions(rng):
    scores = scores_of(rng, [0.01, 0.02, 0.015, 0.03, 0.01, 0.02, 0.5])
    region = np.array(["x", "y", "x", "y", "x", "y", "alone"])
    found = slope_map(X, scores, levels=LEVELS, compared_within=region)
    slopes = subject_slopes(scores)
    for voxel in range(6):
        mean = slopes[:, region == region[voxel]].mean(axis=1)
        theirs = stats.ttest_rel(slopes[:, voxel], mean).pvalue
        assert found.difference_p_values[voxel] == pytest.approx(theirs, rel=1e-6)
    assert np.isnan([found.differences[6], found.difference_p_values[6]]).all()


def test_p_values_of_differences_are_uniform_where_slopes_are_equal():
    rng = np.random.default_rng(4)
    scores = scores_of(rng, np.full(3000, 0.02), own_sd=0.05)
    p_values = slope_map(X, scores, levels=LEVELS).difference_p_values
    assert stats.kstest(p_values, "uniform").pvalue > 0.01


def test_a_region_is_the_mean_of_its_voxels(rng):
    scores = scores_of(rng, [0.01, 0.02, 0.015, 0.03, 0.01, 0.02])
    scores[0, 0, 4] = np.nan
    region = np.array(["V", "A", "V", "A", "V", "A"])
    with pytest.warns(VoxscaleWarning, match="1 of 6 voxels lack a finite score"):
        found = slope_map(X, scores, groups=region, levels=LEVELS)
    assert found.groups == ("V", "A")
    for i, voxels in enumerate(([0, 2], [1, 3, 5])):
        law = fit_scaling_law(X, scores[:, :, voxels].mean(axis=2), levels=LEVELS)
        assert found.slopes[i] == pytest.approx(law.slope)
        assert found.intercepts[i] == pytest.approx(law.intercept)
        assert (found.low[i], found.high[i]) == pytest.approx(law.slope_interval)
    assert found.differences == pytest.approx(found.slopes - found.slopes.mean())
    pooled = pooled_slopes(found.slopes, found.standard_errors)
    assert found.slopes.min() < pooled.means[0] < found.slopes.max()


def test_a_region_without_a_complete_voxel_is_missing(rng):
    scores = scores_of(rng, [0.01, 0.02, 0.015])
    scores[2, 3, 1] = np.inf
    with pytest.warns(VoxscaleWarning, match="1 of 3 voxels"):
        found = slope_map(X, scores, groups=[7, 8, 7])
    assert found.groups == (7, 8)
    assert np.isnan(found.slopes).tolist() == [False, True]
    assert np.isnan(found.differences).all()  # one region is left, with nothing to differ from


def test_slopes_that_cannot_be_tested_are_counted(rng):
    scores = scores_of(rng, [0.01, 0.02, 0.015])
    scores[:, :, 1] = 0.2
    with pytest.warns(VoxscaleWarning, match="1 of 3 slopes are exactly 0 in all") as caught:
        found = slope_map(X, scores, levels=LEVELS)
    assert caught[0].filename == __file__
    assert found.n_untested == 1
    assert found.slopes[1] == found.standard_errors[1] == 0
    assert np.isnan(found.p_values).tolist() == [False, True, False]
    assert np.isfinite(found.difference_p_values).all()
    one = slope_map(X, scores[:, :1])  # one member tests nothing, which is no fault of a voxel
    assert one.n_untested == 0
    assert np.isnan(one.standard_errors).all()


def test_labels_that_do_not_match_are_refused(rng):
    scores = scores_of(rng, [0.01, 0.02, 0.015])
    with pytest.raises(AlignmentError, match=r"groups have shape \(2,\); expected \(3,\)"):
        slope_map(X, scores, groups=[1, 2])
    with pytest.raises(AlignmentError, match=r"compared_within have shape \(3,\); expected \(2,\)"):
        slope_map(X, scores, groups=[1, 2, 1], compared_within=[1, 2, 1])
