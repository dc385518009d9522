from __future__ import annotations

import numpy as np
import pytest

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.fit import Gram
from voxscale.fit._nested import nested_scores
from voxscale.fit._solvers import SOLVERS

ALPHAS = np.logspace(-1, 4, 6)
RUNS = [12, 9, 15, 10]


def exactly(X, **options):
    return Gram.of(X, device="cpu", dtype="float64", **options)


@pytest.fixture(params=[6, 80], ids=["primal", "dual"])
def data(request, rng, frozen):
    X = rng.standard_normal((sum(RUNS), request.param))
    Y = X @ rng.standard_normal((X.shape[1], 5)) * rng.uniform(0, 1, 5)
    return frozen(X), frozen(Y + 2 * rng.standard_normal(Y.shape))


def one_by_one(naive, X, Y, scoring, **options):
    """Leave out each run, choose an alpha for each voxel among the others, and test."""
    runs = np.split(np.arange(len(X)), np.cumsum(RUNS)[:-1])
    best, scores = np.empty((Y.shape[1], 4)), np.empty((Y.shape[1], 4))
    for test, rows in enumerate(runs):
        others = [one for i, one in enumerate(runs) if i != test]
        inner = [
            (np.concatenate([one for j, one in enumerate(others) if j != i]), others[i])
            for i in range(3)
        ]
        means = naive(X, Y, inner, ALPHAS, **options)[scoring].mean(axis=2)
        chosen = means.argmax(axis=0)
        best[:, test] = ALPHAS[chosen]
        outer = naive(X, Y, [(np.concatenate(others), rows)], ALPHAS, **options)[scoring]
        scores[:, test] = outer[chosen, np.arange(Y.shape[1]), 0]
    return best, scores


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("scoring", ["r2", "correlation"])
def test_no_run_chooses_the_alphas_it_is_scored_at(data, naive, scoring, solver):
    X, Y = data
    gram = exactly(X, fit_intercept=True)
    nested = nested_scores(gram, Y, RUNS, ALPHAS, scoring=scoring, solver=solver)
    best, scores = one_by_one(naive, X, Y, scoring, fit_intercept=True)
    np.testing.assert_array_equal(nested.best_alphas, best)
    np.testing.assert_allclose(nested.scores, scores, rtol=1e-7, atol=1e-8)
    assert nested.cv_scores.shape == (6, 5, 4)


def test_a_run_tells_nothing_about_its_own_alpha(data, rng):
    X, Y = data
    spoilt = Y.copy()
    spoilt[: RUNS[0]] = 10 * rng.standard_normal((RUNS[0], 5))
    before, after = (nested_scores(exactly(X), one, RUNS, ALPHAS) for one in (Y, spoilt))
    np.testing.assert_array_equal(before.best_alphas[:, 0], after.best_alphas[:, 0])
    np.testing.assert_allclose(before.cv_scores[:, :, 0], after.cv_scores[:, :, 0], rtol=1e-9)
    assert (before.scores[:, 0] != after.scores[:, 0]).all()


def test_alphas_may_be_shared(data):
    X, Y = data
    shared = nested_scores(exactly(X), Y, RUNS, ALPHAS, local_alpha=False)
    best = ALPHAS[shared.cv_scores.mean(axis=1).argmax(axis=0)]
    np.testing.assert_array_equal(shared.best_alphas, np.tile(best, (5, 1)))
    grouped = nested_scores(exactly(X), Y, RUNS, ALPHAS, groups=[0, 0, 1, 1, 1])
    assert (grouped.best_alphas[0] == grouped.best_alphas[1]).all()


def test_voxels_without_an_answer_are_nan(data):
    X, Y = data
    Y = Y.copy()
    Y[4, 0] = np.nan
    Y[:12, 1] = 3.0  # constant in the first run alone
    with pytest.warns(VoxscaleWarning, match=r"1 of 5 voxels could not be fitted \(1 hold NaN"):
        nested = nested_scores(exactly(X), Y, RUNS, ALPHAS)
    assert np.isnan(nested.scores[0]).all()
    assert np.isnan(nested.best_alphas[0]).all()
    assert np.isnan(nested.scores[1]).tolist() == [True, False, False, False]
    assert np.isfinite(nested.best_alphas[1:]).all()
    assert np.isfinite(nested.scores[2:]).all()


def test_runs_must_be_those_of_the_design(data):
    X, Y = data
    with pytest.raises(ValueError, match=r"run_lengths are \[20, 26\]; expected three runs"):
        nested_scores(exactly(X), Y, [20, 26], ALPHAS)
    with pytest.raises(ValueError, match="expected 1 or more"):
        nested_scores(exactly(X), Y, [20, 0, 26], ALPHAS)
    with pytest.raises(AlignmentError, match="run_lengths add up to 45 TRs, but X has 46 rows"):
        nested_scores(exactly(X), Y, [15, 15, 15], ALPHAS)
    with pytest.raises(FitError, match="left once TRs of weight 0 are out"):
        nested_scores(exactly(X, sample_weight=np.arange(46) >= 12), Y, RUNS, ALPHAS)
