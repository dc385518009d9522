from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.fit import (
    RidgeCV,
    Stacking,
    contiguous_folds,
    held_out_predictions,
    leave_run_out,
)
from voxscale.fit._stacked import _blocks

ALPHAS = np.logspace(0, 3, 5)


def ridge(**options):
    return RidgeCV(ALPHAS, device="cpu", **({"dtype": "float64"} | options))


@pytest.fixture
def data(rng, frozen):
    designs = [rng.standard_normal((60, 8)), rng.standard_normal((60, 90)) + 1]
    Y = designs[0] @ rng.standard_normal((8, 6)) + 3 + rng.standard_normal((60, 6))
    return [frozen(X) for X in designs], frozen(Y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("design", [0, 1], ids=["primal", "dual"])
def test_rows_are_predicted_by_the_others(rng, data, design, fit_intercept, weighted):
    X, Y = data[0][design], data[1]
    w = rng.uniform(0.1, 2, 60) * (rng.random(60) > 0.1) if weighted else None
    model = ridge(fit_intercept=fit_intercept).fit(X, Y, w)
    splits = leave_run_out([25, 20, 15])
    found = held_out_predictions(model, X, Y, splits, sample_weight=w)
    if w is not None:
        assert np.isnan(found[w == 0]).all()
        splits = [(train, held[w[held] > 0]) for train, held in splits]
    for train, held in splits:
        for v, alpha in enumerate(model.best_alphas_):
            other = Ridge(alpha=alpha, fit_intercept=fit_intercept)
            other.fit(X[train], Y[train, v], sample_weight=None if w is None else w[train])
            np.testing.assert_allclose(found[held, v], other.predict(X[held]), rtol=1e-6)


def test_rows_that_are_never_left_out_and_other_voxels_are_left_alone(data):
    X, Y = data[0][0], data[1]
    model = ridge().fit(X, Y)
    splits = contiguous_folds(60, 5)
    whole = held_out_predictions(model, X, Y, splits[:2])
    assert np.isnan(whole[24:]).all()
    assert np.isfinite(whole[:24]).all()
    part = held_out_predictions(model, X, Y, splits[:2], voxels=slice(2, 4))
    np.testing.assert_allclose(part, whole[:, 2:4], rtol=1e-12)


def test_a_row_is_left_out_once(data):
    X, Y = data[0][0], data[1]
    splits = contiguous_folds(60, 3)
    with pytest.raises(ValueError, match="20 rows are left out by more than one split"):
        held_out_predictions(ridge().fit(X, Y), X, Y, [*splits, splits[0]])


def test_another_design_than_that_of_the_fit_is_named(data):
    X, Y = data[0][0], data[1]
    model = ridge().fit(X, Y)
    with pytest.raises(AlignmentError, match="X has 7 features and Y 6 voxels; expected the 8"):
        held_out_predictions(model, X[:, :7], Y)


def test_a_mix_is_at_least_as_good_as_each_model_on_rows_left_out(rng, data):
    designs, Y = data
    stacked = Stacking(ridge(), leave_run_out([25, 20, 15])).fit(designs, Y)
    R, weights = stacked.residual_covariance_, stacked.weights_
    errors = np.einsum("vi,vij,vj->v", weights, R, weights)
    assert (errors <= np.diagonal(R, axis1=1, axis2=2).min(axis=1) * (1 + 1e-9)).all()
    held = [
        held_out_predictions(m, X, Y, stacked.cv)
        for m, X in zip(stacked.models_, designs, strict=True)
    ]
    np.testing.assert_allclose(R[:, 0, 1], ((Y - held[0]) * (Y - held[1])).mean(axis=0))
    each = stacked.predict_each(designs)
    mix = sum(w * one for w, one in zip(weights.T, each, strict=True))
    np.testing.assert_allclose(stacked.predict(designs), mix)


def test_the_true_design_gets_the_weight(rng):
    designs = rng.standard_normal((3, 300, 10))
    Y = np.concatenate([X @ rng.standard_normal((10, 5)) for X in designs], axis=1)
    Y += rng.standard_normal(Y.shape)
    weights = Stacking(ridge()).fit(list(designs), Y).weights_
    np.testing.assert_array_equal(weights.argmax(axis=1), np.repeat([0, 1, 2], 5))
    assert weights.max(axis=1).min() > 0.8


def test_less_memory_changes_nothing(rng, monkeypatch):
    designs = [rng.standard_normal((60, 5)), rng.standard_normal((60, 7))]
    Y = rng.standard_normal((60, 30))
    Y[:, 10:20] = 0.0  # more than a block of voxels that cannot be fitted
    with pytest.warns(VoxscaleWarning, match="10 of 30 voxels"):
        whole = Stacking(ridge()).fit(designs, Y)
    monkeypatch.setattr("voxscale.fit._stacked._SHARE", 2e-6)
    stacked = Stacking(ridge(memory_gib=8.0))
    with pytest.warns(VoxscaleWarning, match="10 of 30 voxels"):
        parts = stacked.fit(designs, Y)
    np.testing.assert_allclose(parts.weights_, whole.weights_, atol=1e-9)
    blocks = _blocks(stacked.estimator, Y.shape, [5, 7])
    assert 3 < len(blocks) < 30


def test_voxels_that_are_all_constant_have_no_weights(rng):
    designs = list(rng.standard_normal((2, 60, 5)))
    with pytest.warns(VoxscaleWarning, match="3 of 3 voxels"):
        stacked = Stacking(ridge()).fit(designs, np.zeros((60, 3)))
    assert np.isnan(stacked.weights_).all()


def test_every_model_leaves_out_the_same_rows(rng):
    X, Y = rng.standard_normal((60, 5)), rng.standard_normal((60, 3))
    shuffled = KFold(5, shuffle=True)  # other folds each time it is asked
    R = Stacking(ridge(), shuffled).fit([X, X], Y).residual_covariance_
    np.testing.assert_allclose(R[:, 0, 0], R[:, 1, 1], rtol=1e-12)
    pairs = iter(contiguous_folds(60, 4))
    assert Stacking(ridge(), pairs).fit([X, X], Y).weights_.shape == (3, 2)


def test_another_estimator_is_refused(data):
    with pytest.raises(TypeError, match="expected a RidgeCV"):
        Stacking(Ridge()).fit(*data)


def test_too_little_memory_is_told(data):
    with pytest.raises(FitError, match="may be used"):
        Stacking(ridge(memory_gib=1e-6)).fit(*data)


def test_voxels_that_cannot_be_fitted_have_no_weights(data):
    designs, Y = data[0], data[1].copy()
    Y[3, 2] = np.nan
    with pytest.warns(VoxscaleWarning) as warned:
        stacked = Stacking(ridge()).fit(designs, Y)
    assert sum("1 of 6 voxels" in str(one.message) for one in warned) == 2
    np.testing.assert_array_equal(np.isnan(stacked.weights_[:, 0]), np.arange(6) == 2)
    assert np.isnan(stacked.predict(designs)[:, 2]).all()


def test_censored_rows_say_nothing_about_the_mix(data):
    designs, Y = data[0], data[1].copy()
    kept = np.ones(60)
    kept[[5, 30]] = 0
    expected = Stacking(ridge()).fit(designs, Y, kept)
    Y[[5, 30]] = 1e6
    designs = [X.copy() for X in designs]
    for X in designs:
        X[[5, 30]] = np.nan
    found = Stacking(ridge()).fit(designs, Y, kept)
    np.testing.assert_allclose(found.weights_, expected.weights_)


def test_it_can_be_cloned_and_wants_as_many_designs(data):
    designs, Y = data
    stacked = clone(Stacking(ridge(), 4)).fit(designs, Y)
    assert stacked.cv == 4
    with pytest.raises(AlignmentError, match="there are 1 designs; expected the 2 of the fit"):
        stacked.predict(designs[:1])
