from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import r2_score

from voxscale.fit._scoring import SCORINGS, Moments, centred, scoring_function


def score(name, Y, Y_pred):
    return scoring_function(name)(Moments.of(torch.tensor(Y), torch.tensor(Y_pred))).numpy()


@pytest.fixture
def pair(rng):
    Y = rng.standard_normal((30, 4)) * [1, 10, 0.1, 1] + [0, 100, 0, 3]
    return Y, Y + rng.standard_normal((30, 4)) + 0.5


def test_r2_is_that_of_scikit_learn(pair):
    expected = r2_score(*pair, multioutput="raw_values")
    np.testing.assert_allclose(score("r2", *pair), expected, rtol=1e-12)


def test_correlation_is_that_of_numpy(pair):
    Y, Y_pred = pair
    expected = [np.corrcoef(Y[:, v], Y_pred[:, v])[0, 1] for v in range(4)]
    np.testing.assert_allclose(score("correlation", Y, Y_pred), expected, rtol=1e-12)


def test_huth2023_is_its_formula(pair):
    Y, Y_pred = pair
    expected = []
    for y, p in zip(Y.T, Y_pred.T, strict=True):
        explained = 1 - np.var(y - p) / ((1 + np.var(y)) / 2)
        expected.append(np.sign(explained) * np.sqrt(abs(explained)))
    np.testing.assert_allclose(score("huth2023", Y, Y_pred), expected, rtol=1e-10)


def test_perfect_and_reversed_predictions(pair):
    Y, _ = pair
    np.testing.assert_allclose(score("r2", Y, Y), 1, rtol=1e-12)
    np.testing.assert_allclose(score("correlation", Y, -3 * Y), -1, rtol=1e-12)
    assert (np.abs(score("correlation", Y, -3 * Y)) <= 1).all()


@pytest.mark.parametrize("name", sorted(SCORINGS))
def test_constant_responses_have_no_score(name, pair):
    # The old code scores a voxel that is constant zero as a perfect 1.0 without use_corr.
    Y, Y_pred = pair
    Y = Y.copy()
    Y[:, 1] = 0.1  # the mean of thirty 0.1 is not exactly 0.1
    Y_pred[:, 1] = 0.1
    scores = score(name, Y, Y_pred)
    assert np.isnan(scores[1])
    assert np.isfinite(scores[[0, 2, 3]]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_constant_predictions_have_no_correlation_but_an_r2(pair, dtype):
    Y, Y_pred = (part.astype(dtype) for part in pair)
    Y_pred[:] = 0.1
    assert np.isnan(score("correlation", Y, Y_pred)).all()
    assert (score("r2", Y, Y_pred) <= 0).all()


def test_predictions_constant_but_for_rounding_have_no_correlation(pair):
    Y, Y_pred = pair
    Y_pred[:] = 0.1
    Y_pred[::2] += 1e-17 * 4
    assert np.isnan(score("correlation", Y, Y_pred)).all()


def test_float32_with_a_large_mean_keeps_its_digits(rng):
    y = (1e4 + rng.standard_normal((5000, 1))).astype("float32")
    p = (1e4 + rng.standard_normal((5000, 1))).astype("float32")
    expected = np.corrcoef(y[:, 0].astype(float), p[:, 0].astype(float))[0, 1]
    np.testing.assert_allclose(score("correlation", y, p), expected, rtol=1e-10)


def test_centred_makes_a_constant_exactly_zero():
    values, mean = centred(torch.full((7, 1), 0.1, dtype=torch.float64))
    assert (values == 0).all()
    assert mean.item() == 0.1


def test_an_unknown_scoring_lists_those_that_exist():
    message = "scoring 'correlate' is unknown; choose one of correlation, huth2023, r2"
    with pytest.raises(ValueError, match=message + r" \(did you mean 'correlation'\?\)"):
        scoring_function("correlate")
