"""Scores against the old code's and himalaya's.

The old ``mcorr`` gives 0 for a constant column, the notebook's copy NaN. Ours is NaN.
"""

import numpy as np
import pytest
from himalaya import scoring

from voxscale.evaluate import correlation, r2

CLOSE = {"rtol": 1e-7, "atol": 1e-7}


def test_correlations_of_both_old_versions(golden):
    with np.load(golden / "zscore.npz") as recorded:
        ours = correlation(recorded["x"], recorded["y"])
        np.testing.assert_allclose(ours, recorded["notebook_mcorr"], **CLOSE)
        zeros = np.isnan(ours)
        assert zeros.sum() == 3
        np.testing.assert_array_equal(recorded["npp_mcorr"][zeros], 0)
        np.testing.assert_allclose(ours[~zeros], recorded["npp_mcorr"][~zeros], **CLOSE)


def test_a_column_that_is_constant_but_for_rounding_has_no_correlation(golden):
    with np.load(golden / "zscore.npz") as recorded:
        column = recorded["const_rounding_in"]
        assert recorded["const_rounding_std"][0] > 0  # the old code saw a spread here
        assert np.isnan(correlation(column, np.arange(24.0).reshape(12, 2))).all()


def test_correlations_of_the_significance_tests(golden):
    with np.load(golden / "significance.npz") as recorded:
        ours = correlation(recorded["true"], recorded["pred"])
        old = recorded["real_corrs"]
        np.testing.assert_array_equal(np.isnan(ours), old == 0)
        np.testing.assert_allclose(np.nan_to_num(ours), old, **CLOSE)


def test_the_old_share_of_variance_is_r2_without_the_offset(golden):
    with np.load(golden / "significance.npz") as recorded:
        truth, guess = recorded["mrsq_in_a"], recorded["pred"]
        centered = truth - truth.mean(axis=0), guess - guess.mean(axis=0)
        np.testing.assert_allclose(r2(*centered), recorded["mrsq"], **CLOSE)
        assert (r2(truth, guess) <= recorded["mrsq"] + 1e-12).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_of_himalaya(rng, frozen, dtype):
    Y = (rng.standard_normal((200, 11)) + 2).astype(dtype)
    guess = (0.3 * Y + rng.standard_normal(Y.shape)).astype(dtype)
    close = {"atol": 1e-5 if dtype == np.float32 else 1e-12}
    # himalaya may write into what it is given, so it gets copies.
    theirs = scoring.correlation_score(Y.copy(), guess.copy())
    np.testing.assert_allclose(correlation(frozen(Y), frozen(guess)), theirs, **close)
    theirs = scoring.r2_score(Y.copy(), guess.copy())
    np.testing.assert_allclose(r2(frozen(Y), frozen(guess)), theirs, **close)
