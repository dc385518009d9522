from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

from voxscale.arrays._columns import Columns
from voxscale.errors import AlignmentError, FitError, VoxscaleWarning
from voxscale.fit import (
    RidgeCV,
    Stacking,
    contiguous_folds,
    held_out_predictions,
    leave_run_out,
)
from voxscale.fit import _held_out_covariance as covariance
from voxscale.fit._decompose import Gram
from voxscale.fit._fold import Fold
from voxscale.fit._held_out_covariance import FoldsMemory
from voxscale.fit._samples import Samples
from voxscale.store import FitStore

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


@pytest.mark.parametrize("keeps_designs", [False, True])
def test_a_fold_of_a_design_is_decomposed_once_for_all_voxels(
    rng, narrow, monkeypatch, keeps_designs
):
    designs = [rng.standard_normal((60, 5)), rng.standard_normal((60, 70))]
    Y = rng.standard_normal((60, 30))
    Y[:, 10:20] = 0.0  # more than a block of voxels that cannot be fitted
    with pytest.warns(VoxscaleWarning, match="10 of 30 voxels"):
        whole = Stacking(ridge()).fit(designs, Y)
    monkeypatch.setattr(FoldsMemory, "keeps_designs", keeps_designs)
    counts = {"summed": 0, "decomposed": 0}
    gram_for, split = covariance.gram_for, Gram.split

    def summing(*arguments):
        counts["summed"] += 1
        return gram_for(*arguments)

    def decomposing(*arguments):
        counts["decomposed"] += 1
        return split(*arguments)

    monkeypatch.setattr(covariance, "gram_for", summing)
    narrow(4)
    models = whole.models_
    splits = contiguous_folds(60, 5)
    monkeypatch.setattr(Gram, "split", decomposing)
    R = covariance.held_out_covariance(models, designs, Columns.of(Y), splits, None)
    np.testing.assert_allclose(R, whole.residual_covariance_, rtol=1e-12)
    assert counts == {"summed": 2 if keeps_designs else 10, "decomposed": 10}


def test_the_plan_counts_what_is_held(rng):
    splits = contiguous_folds(400, 4)
    samples = Samples.of(None, 400)
    widths = [30, 700]
    memory = FoldsMemory.of(ridge(memory_gib=1.0), widths, samples, splits)
    designs = [rng.standard_normal((400, width)) for width in widths]
    grams = [Gram.of(X, device="cpu", dtype="float64") for X in designs]
    assert sum(one.held_bytes for one in grams) <= memory.designs_bytes
    folds = [Fold.of(gram, splits[0]) for gram in grams]
    tensors = [getattr(one, name) for one in folds for name in ("train", "left", "rotated")]
    held = sum(one.nbytes for one in tensors)
    assert held <= memory.fold_bytes - max(one.held_bytes for one in grams)
    assert memory.keeps_designs
    small = replace(memory, budget=memory.fold_bytes + memory.voxel_bytes + 10_000)
    small.check()
    assert not small.keeps_designs
    assert small.block_width(torch.device("cpu")) >= 1
    with pytest.raises(FitError, match="predicting rows left out by 2 models"):
        replace(small, budget=small.budget - 10_001).check()


def test_products_of_residuals_equal_a_naive_loop(rng, narrow, frozen):
    narrow(2)
    designs = [frozen(rng.standard_normal((50, width)) + 1) for width in (4, 60)]
    Y = frozen(rng.standard_normal((50, 5)) + 2)
    w = rng.uniform(0.2, 2, 50)
    w[[3, 30]] = 0
    splits = [(np.arange(20, 50), np.arange(18)), (np.arange(18), np.arange(20, 40))]
    stacked = Stacking(ridge(fit_intercept=True), splits).fit(designs, Y, w)
    for v in range(5):
        residuals = []
        for train, held in splits:
            held = held[w[held] > 0]
            each = []
            for X, model in zip(designs, stacked.models_, strict=True):
                naive = Ridge(alpha=model.best_alphas_[v])
                naive.fit(X[train], Y[train, v], sample_weight=w[train])
                each.append(Y[held, v] - naive.predict(X[held]))
            residuals.append(each)
        every = np.concatenate(residuals, axis=1)
        assert every.shape == (2, 36)
        expected = every @ every.T / 36
        np.testing.assert_allclose(stacked.residual_covariance_[v], expected, rtol=1e-8)


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


def test_too_little_memory_is_told_before_any_work(data, monkeypatch):
    monkeypatch.setattr(RidgeCV, "fit_designs", None)
    with pytest.raises(FitError, match=r"2 models, which are all held at once, needs .* may be"):
        Stacking(ridge(memory_gib=1e-4)).fit(*data)
    model = ridge()
    model.best_alphas_, model.n_features_in_, model.memory_gib = np.ones(6), 90, 1e-4
    with pytest.raises(FitError, match="may be used"):
        held_out_predictions(model, data[0][1], data[1])


def test_designs_that_differ_in_rows_are_named(data):
    designs, Y = data
    with pytest.raises(AlignmentError, match=r"designs\[1\] has shape \(59, 90\)"):
        Stacking(ridge()).fit([designs[0], designs[1][1:]], Y)
    with pytest.raises(ValueError, match="designs is empty"):
        Stacking(ridge()).fit([], Y)
    stacked = Stacking(ridge()).fit(designs, Y)
    with pytest.raises(AlignmentError, match=r"model 1 have shape \(59, 6\); expected \(60, 6\)"):
        stacked.predict([designs[0], designs[1][1:]])


def test_voxels_are_neighbours(data):
    X, Y = data[0][0], data[1]
    model = ridge().fit(X, Y)
    with pytest.raises(ValueError, match="expected a slice of neighbours"):
        held_out_predictions(model, X, Y, voxels=slice(0, 6, 2))
    assert held_out_predictions(model, X, Y, voxels=slice(4, 4)).shape == (60, 0)


def test_weights_may_go_to_disk_and_predictions_too(data, tmp_path, narrow):
    designs, Y = data
    expected = Stacking(ridge(fit_intercept=True)).fit(designs, Y)
    narrow(4)
    estimator = ridge(fit_intercept=True)
    runs = [
        FitStore(tmp_path / f"{i}.zarr").open(estimator.fingerprint(X, Y))
        for i, X in enumerate(designs)
    ]
    stacked = Stacking(estimator).fit(designs, Y, results=runs)
    assert all(FitStore(tmp_path / f"{i}.zarr").is_finished for i in range(2))
    assert isinstance(stacked.models_[1].coef_, zarr.Array)
    np.testing.assert_allclose(stacked.weights_, expected.weights_, rtol=1e-12)
    out = zarr.create_array(tmp_path / "mix.zarr", shape=(60, 6), chunks=(60, 2), dtype="float64")
    assert stacked.predict(designs, out=out) is out
    np.testing.assert_allclose(out[:], expected.predict(designs), rtol=1e-10)
    with pytest.raises(AlignmentError, match=r"out has shape \(60, 5\)"):
        stacked.predict(designs, out=np.empty((60, 5)))
    with pytest.raises(ValueError, match="there are 1 results for 2 designs"):
        Stacking(estimator).fit(designs, Y, results=runs[:1])


def test_an_interrupted_fit_goes_on_where_it_was(data, kept, narrow):
    designs, Y = data
    expected = Stacking(ridge()).fit(designs, Y)
    narrow(2)
    results = [kept(), kept(3)]
    with pytest.raises(KeyboardInterrupt):
        Stacking(ridge()).fit(designs, Y, results=results)
    assert len(results[1].marks) == 3
    results[1].n_until_failure = None
    stacked = Stacking(ridge()).fit(designs, Y, results=results)
    assert all(one.is_finished for one in results)
    np.testing.assert_allclose(stacked.weights_, expected.weights_, atol=1e-9)


@pytest.mark.parametrize("weights", ["primal", "dual"])
def test_a_mix_is_the_weighted_mean_of_its_models(rng, data, narrow, monkeypatch, weights):
    designs, Y = data
    stacked = Stacking(ridge(weights=weights, fit_intercept=True)).fit(designs, Y)
    new = [rng.standard_normal((20, X.shape[1])) for X in designs]
    each = stacked.predict_each(new)
    narrow(2)
    monkeypatch.setattr("voxscale.fit._stacking._BLOCK_BYTES", 8 * 3 * 20 * 4)
    expected = sum(w * one for w, one in zip(stacked.weights_.T, each, strict=True))
    np.testing.assert_allclose(stacked.predict(new), expected, rtol=1e-12)


def test_a_mix_that_cannot_be_predicted_says_why(data):
    designs, Y = data
    stacked = Stacking(ridge(weights=None)).fit(designs, Y)
    with pytest.raises(FitError, match="the fit kept no weights"):
        stacked.predict(designs)
    stacked = Stacking(ridge()).fit(designs, Y)
    for model in stacked.models_:
        model.memory_gib = 45_000 / 2**30  # either design, not both
    with pytest.raises(FitError, match="designs of 2 models to predict needs"):
        stacked.predict(designs)


def test_fewer_rows_than_models_are_told_once(rng):
    Y = rng.standard_normal((12, 3))
    designs = list(rng.standard_normal((5, 12, 2)))
    splits = [(np.arange(2, 12), np.arange(2)), (np.arange(10), np.arange(10, 12))]
    with pytest.warns(VoxscaleWarning) as warned:
        Stacking(ridge(), splits).fit(designs, Y)
    told = [
        str(one.message) for one in warned if "5 models are compared on 4 TRs" in str(one.message)
    ]
    assert len(told) == 1


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(3)))
def test_the_order_of_designs_is_that_of_the_weights(seed, order):
    rng = np.random.default_rng(seed)
    designs = [rng.standard_normal((40, width)) for width in (3, 5, 50)]
    Y = designs[0] @ rng.standard_normal((3, 4)) + rng.standard_normal((40, 4))
    one = Stacking(ridge()).fit(designs, Y)
    other = Stacking(ridge()).fit([designs[i] for i in order], Y)
    np.testing.assert_allclose(other.weights_, one.weights_[:, order], atol=1e-7)


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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_an_accelerator_gives_the_same_mix(rng, data):
    designs, Y = data
    w = rng.uniform(0.1, 1, 60) * (rng.random(60) > 0.1)
    here, there = (
        Stacking(RidgeCV(ALPHAS, device=device, dtype="float64", fit_intercept=True)).fit(
            designs, Y, w
        )
        for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(there.residual_covariance_, here.residual_covariance_, rtol=1e-8)
    np.testing.assert_allclose(there.predict(designs), here.predict(designs), atol=1e-7)
