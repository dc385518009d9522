from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from voxscale.errors import AlignmentError, FitError
from voxscale.fit import Gram, choose_alphas, cv_scores, solve
from voxscale.fit._solve import Weights, predicted_blocks
from voxscale.fit._solvers import WeightsWork, cheapest_way, ways_to_weights

SHAPES = [(40, 6), (20, 50), (15, 15)]
ALPHAS = [0.1, 1.0, 30.0, 1000.0]

# Time says nothing here: threads of the algebra may wait for each other.
few = settings(max_examples=30, deadline=None)


def exactly(X, **options):
    return Gram.of(X, device="cpu", dtype="float64", **options)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighting", ["none", "mask", "any"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_weights_satisfy_the_normal_equations(
    make, naive_fit, rng, shape, fit_intercept, weighting
):
    X, Y = make(shape)
    w = {
        "none": None,
        "mask": rng.random(len(X)) > 0.2,
        "any": rng.uniform(0, 2, len(X)) * (rng.random(len(X)) > 0.2),
    }[weighting]
    gram = exactly(X, fit_intercept=fit_intercept, sample_weight=w)
    for alpha in ALPHAS:
        coef, intercept = solve(gram, Y, alpha)
        expected = naive_fit(X, Y, alpha, fit_intercept=fit_intercept, sample_weight=w)
        np.testing.assert_allclose(coef, expected[0], rtol=1e-7, atol=1e-9)
        if fit_intercept:
            np.testing.assert_allclose(intercept, expected[1], rtol=1e-7, atol=1e-9)
        else:
            assert intercept is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_weights_are_those_of_scikit_learn_alpha_by_voxel(
    make, rng, shape, fit_intercept, weighted
):
    X, Y = make(shape, n_voxels=4)
    w = rng.integers(0, 4, len(X)) if weighted else None
    theirs = Ridge(alpha=ALPHAS, fit_intercept=fit_intercept).fit(X, Y, sample_weight=w)
    gram = exactly(X, fit_intercept=fit_intercept, sample_weight=w)
    coef, intercept = solve(gram, Y, ALPHAS)
    np.testing.assert_allclose(coef, theirs.coef_.T, rtol=1e-7, atol=1e-9)
    if fit_intercept:
        np.testing.assert_allclose(intercept, theirs.intercept_, rtol=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_are_those_of_himalaya(make, shape):
    himalaya = pytest.importorskip("himalaya.ridge")
    X, Y = make(shape, n_voxels=4)
    theirs = himalaya.solve_ridge_svd(X.copy(), Y.copy(), alpha=np.array(ALPHAS), warn=False)
    np.testing.assert_allclose(solve(exactly(X), Y, ALPHAS).coef, theirs, rtol=1e-8, atol=1e-10)


def test_dual_coefficients_are_those_of_himalaya(make):
    himalaya = pytest.importorskip("himalaya.kernel_ridge")
    X, Y = make((20, 50), n_voxels=4)
    kernel = X @ X.T
    theirs = himalaya.solve_kernel_ridge_eigenvalues(kernel, Y.copy(), alpha=np.array(ALPHAS))
    found = solve(exactly(X), Y, ALPHAS, kind="dual").coef
    np.testing.assert_allclose(found, theirs, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighting", ["none", "mask", "any"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_features_times_dual_coefficients_are_the_weights(
    make, rng, shape, fit_intercept, weighting
):
    X, Y = make(shape, n_voxels=4)
    is_kept = rng.random(len(X)) > 0.2
    w = {"none": None, "mask": is_kept, "any": rng.uniform(0.1, 2, len(X)) * is_kept}[weighting]
    gram = exactly(X, fit_intercept=fit_intercept, sample_weight=w)
    dual, primal = solve(gram, Y, ALPHAS, kind="dual"), solve(gram, Y, ALPHAS)
    assert dual.coef.shape == (len(X), 4)
    np.testing.assert_allclose(X.T @ dual.coef, primal.coef, rtol=1e-7, atol=1e-9)
    if fit_intercept:
        np.testing.assert_allclose(dual.intercept, primal.intercept, rtol=1e-7, atol=1e-9)
    if w is not None:
        assert (dual.coef[w == 0] == 0).all()


@few
@given(st.integers(0, 2**32 - 1), st.integers(2, 20), st.integers(2, 20), st.floats(-3, 5))
def test_primal_and_dual_agree(seed, n_trs, n_features, log_alpha):
    # The dual of X is reached by columns of zeros, which change nothing but the shape.
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((n_trs, n_features)), rng.standard_normal((n_trs, 3))
    padded = np.hstack([X, np.zeros((n_trs, max(0, n_trs - n_features)))])
    stacked = np.vstack([X, np.zeros((max(0, n_features + 1 - n_trs), n_features))])
    Y_stacked = np.vstack([Y, np.zeros((len(stacked) - n_trs, 3))])
    dual, primal = exactly(padded), exactly(stacked)
    assert (dual.form, primal.form) == ("dual", "primal")
    one = solve(dual, Y, 10**log_alpha).coef[:n_features]
    other = solve(primal, Y_stacked, 10**log_alpha).coef
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.integers(1, 5))
def test_weights_of_a_voxel_do_not_depend_on_the_others(seed, shape, n_first):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 6))
    gram, alphas = exactly(X, fit_intercept=True), 10 ** rng.uniform(-1, 3, 6)
    together = solve(gram, Y, alphas).coef
    parts = (slice(None, n_first), slice(n_first, None))
    apart = np.hstack([solve(gram, Y[:, part], alphas[part]).coef for part in parts])
    np.testing.assert_allclose(apart, together, rtol=1e-9, atol=1e-12)
    order = rng.permutation(6)
    permuted = solve(gram, Y[:, order], alphas[order]).coef
    np.testing.assert_allclose(permuted, together[:, order], rtol=1e-9, atol=1e-12)


@few
@given(st.integers(0, 2**32 - 1), st.floats(-4, 4), st.floats(-4, 4))
def test_scaling_both_sides_scales_weights(seed, log_x, log_y):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((20, 8)), rng.standard_normal((20, 3))
    x, y = 10**log_x, 10**log_y
    coef = solve(exactly(X), Y, 1.0).coef
    np.testing.assert_allclose(solve(exactly(x * X), y * Y, x**2).coef, coef * y / x, rtol=1e-7)


@pytest.mark.parametrize("kind", ["primal", "dual"])
@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_do_not_depend_on_the_width_of_blocks(make, narrow, width, dtype, kind):
    X, Y = make((30, 12), n_voxels=11)
    gram = Gram.of(X, device="cpu", dtype=dtype, fit_intercept=True)
    weights = solve(gram, Y, 3.0, kind=kind)
    narrow(width)
    again = solve(gram, Y, 3.0, kind=kind)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(again.coef, weights.coef, rtol=rtol, atol=rtol / 10)
    np.testing.assert_allclose(again.intercept, weights.intercept, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_towards_zero_is_least_squares(make, shape):
    X, Y = make(shape)
    expected = np.linalg.lstsq(X, Y, rcond=None)[0]
    gram = exactly(X)
    np.testing.assert_allclose(solve(gram, Y, 1e-9).coef, expected, atol=1e-5)
    np.testing.assert_allclose(solve(gram, Y, 0.0).coef, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("transposed", [False, True])
def test_alpha_zero_has_the_minimum_norm_where_columns_depend(rng, transposed):
    X = rng.standard_normal((20, 4))
    X = np.hstack([X, 2 * X[:, :2], np.zeros((20, 1))])
    X = X.T if transposed else X
    Y = rng.standard_normal((len(X), 3))
    coef = solve(exactly(X), Y, 0.0).coef
    np.testing.assert_allclose(coef, np.linalg.pinv(X) @ Y, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_towards_infinity_is_zero(make, shape):
    X, Y = make(shape)
    for dtype in ("float32", "float64"):
        gram = Gram.of(X, device="cpu", dtype=dtype)
        assert np.abs(solve(gram, Y, 1e30).coef).max() < 1e-25


@pytest.mark.parametrize("kind", ["primal", "dual"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_design_of_zeros_has_weights_of_zero(make, shape, kind):
    _, Y = make(shape)
    X = np.zeros(shape)
    coef, intercept = solve(exactly(X, fit_intercept=True), Y, 1.0, kind=kind)
    assert ((coef if kind == "primal" else X.T @ coef) == 0).all()
    np.testing.assert_allclose(intercept, Y.mean(axis=0))


@pytest.mark.parametrize("kind", ["primal", "dual"])
@pytest.mark.parametrize("shape", SHAPES)
def test_undefined_voxels_are_nan_and_disturb_no_other(make, shape, kind):
    X, clean = make(shape)
    Y = clean.copy()
    Y[2, 0] = np.nan
    Y[5, 2] = np.inf
    Y[:, 4] = 0.1
    gram = exactly(X, fit_intercept=True)
    weights, expected = (solve(gram, values, 1.0, kind=kind) for values in (Y, clean))
    for ours, theirs in zip(weights, expected, strict=True):
        assert np.isnan(ours[..., [0, 2, 4]]).all()
        np.testing.assert_allclose(ours[..., [1, 3]], theirs[..., [1, 3]], rtol=1e-9)


def test_bad_numbers_in_rows_of_no_weight_do_not_count(make):
    X, clean = make((30, 6))
    Y, w = clean.copy(), np.ones(30)
    Y[4, 1], w[4] = np.nan, 0
    coef = solve(exactly(X, sample_weight=w), Y, 1.0).coef
    expected = solve(exactly(np.delete(X, 4, 0)), np.delete(clean, 4, 0), 1.0).coef
    np.testing.assert_allclose(coef, expected, rtol=1e-9)


def test_planted_weights_are_found(rng):
    X = rng.standard_normal((400, 5))
    planted = rng.standard_normal((5, 3))
    noise = rng.standard_normal((400, 3))
    scale = np.array([0.01, 1.0, 100.0])
    gram = exactly(X)
    scores = cv_scores(gram, X @ planted + scale * noise, 5, [1e-3, 1e6])
    np.testing.assert_array_equal(choose_alphas([1e-3, 1e6], scores)[[0, 1]], 1e-3)
    assert scores[0, 0].min() > 0.99
    coef = solve(gram, X @ planted + scale * noise, 1e-3).coef
    np.testing.assert_allclose(coef[:, 0], planted[:, 0], atol=0.01)


def test_an_alpha_is_one_number_or_one_per_voxel(make):
    # The old code fills column 0 alone when given a list of one alpha, without a word.
    X, Y = make((30, 4))
    gram = exactly(X)
    with pytest.raises(
        ValueError, match=r"alphas have shape \(1,\); expected a number, or shape \(5,\)"
    ):
        solve(gram, Y, [1.0])
    with pytest.raises(ValueError, match=r"alphas hold -1\.0; expected finite numbers, 0 or more"):
        solve(gram, Y, -1.0)
    with pytest.raises(ValueError, match="alphas hold inf"):
        solve(gram, Y, np.inf)
    coef = solve(gram, Y, [1.0, np.nan, 1.0, 1.0, 1.0]).coef
    assert np.isnan(coef).all(axis=0).tolist() == [False, True, False, False, False]


def test_unknown_kinds_are_named(make):
    X, Y = make((30, 4))
    with pytest.raises(ValueError, match="kind is 'both'; expected one of primal, dual"):
        solve(exactly(X), Y, 1.0, kind="both")


def test_rows_must_match(make):
    X, Y = make((30, 4))
    message = r"X has shape \(30, 4\) but Y has shape \(29, 5\); expected as many rows"
    with pytest.raises(AlignmentError, match=message):
        solve(exactly(X), Y[:29], 1.0)
    # Rows of no weight are rows still.
    with pytest.raises(AlignmentError, match=message):
        solve(exactly(X, sample_weight=np.arange(30) > 0), Y[:29], 1.0)


def test_a_budget_for_the_decomposition_but_not_a_voxel_is_said(make):
    X, Y = make((40, 6))
    gram = exactly(X)
    tight = dataclasses.replace(gram, budget=gram.held_bytes + 10)
    with pytest.raises(FitError, match=r"solving for weights of X \(40 × 6\) needs"):
        solve(tight, Y, 1.0)
    # What the cheapest way takes, and not a byte more.
    way = WeightsWork(40, 6, 5, 1, 8, "cpu", "primal", 0)
    held = ways_to_weights(way)[cheapest_way(way, 2**40)].held_bytes
    tight = dataclasses.replace(gram, budget=gram.held_bytes + held)
    with pytest.raises(FitError, match="working on one voxel beside the decomposition needs"):
        solve(tight, Y, 1.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_agrees_with_float64_to_its_digits(make, shape):
    X, Y = make(shape)
    single, double = (
        solve(Gram.of(X, device="cpu", dtype=dtype), Y, 1.0).coef
        for dtype in ("float32", "float64")
    )
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)


def test_predictions_come_block_by_block(rng):
    X, coef, intercept = rng.standard_normal((7, 3)), rng.standard_normal((3, 5)), np.arange(5.0)
    blocks = [slice(0, 2), slice(2, 5)]
    found = list(predicted_blocks(torch.tensor(X), Weights(coef, intercept), blocks))
    assert [block for block, _ in found] == blocks
    together = np.hstack([values.numpy() for _, values in found])
    np.testing.assert_allclose(together, X @ coef + intercept)
    without = list(predicted_blocks(torch.tensor(X), Weights(coef, None), [slice(0, 5)]))
    np.testing.assert_allclose(without[0][1], X @ coef)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.parametrize("kind", ["primal", "dual"])
@pytest.mark.parametrize("shape", SHAPES)
def test_an_accelerator_gives_the_same_weights(make, rng, shape, kind):
    X, Y = make(shape)
    w = rng.uniform(0, 1, shape[0]) * (rng.random(shape[0]) > 0.2)
    here, there = (
        Gram.of(X, device=device, dtype="float64", fit_intercept=True, sample_weight=w)
        for device in ("cpu", "cuda")
    )
    for one, other in zip(
        solve(there, Y, 2.0, kind=kind), solve(here, Y, 2.0, kind=kind), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)
