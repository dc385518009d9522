from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold

from voxscale.errors import AlignmentError, FitError
from voxscale.fit import Gram, _blocks, choose_alphas, contiguous_folds, cv_scores, solve
from voxscale.fit._choose import check_alphas

SHAPES = [(40, 6), (20, 50), (15, 15)]
ALPHAS = [0.1, 1.0, 30.0, 1000.0]

# Time says nothing here: threads of the algebra may wait for each other.
few = settings(max_examples=30, deadline=None)


def exactly(X, **options):
    return Gram.of(X, device="cpu", dtype="float64", **options)


def normal_equations(X, Y, alpha):
    return np.linalg.solve(X.T @ X + alpha * np.eye(X.shape[1]), X.T @ Y)


@pytest.fixture
def make(rng, frozen):
    """Return a function that draws a design and responses with planted weights."""

    def draw(shape, n_voxels=5):
        X = rng.standard_normal(shape) + 1
        Y = X @ rng.standard_normal((shape[1], n_voxels)) + 2 * rng.standard_normal(
            (shape[0], n_voxels)
        )
        return frozen(X), frozen(Y + 0.5)

    return draw


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_satisfy_the_normal_equations(make, shape):
    X, Y = make(shape)
    for alpha in ALPHAS:
        coef, intercept = solve(exactly(X), Y, alpha)
        np.testing.assert_allclose(coef, normal_equations(X, Y, alpha), rtol=1e-8, atol=1e-10)
        assert intercept is None


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_weights_are_those_of_scikit_learn_alpha_by_voxel(make, shape, fit_intercept):
    X, Y = make(shape, n_voxels=4)
    theirs = Ridge(alpha=ALPHAS, fit_intercept=fit_intercept).fit(X, Y)
    coef, intercept = solve(exactly(X, fit_intercept=fit_intercept), Y, ALPHAS)
    np.testing.assert_allclose(coef, theirs.coef_.T, rtol=1e-8, atol=1e-10)
    if fit_intercept:
        np.testing.assert_allclose(intercept, theirs.intercept_, rtol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_weights_are_those_of_himalaya(make, shape):
    himalaya = pytest.importorskip("himalaya.ridge")
    X, Y = make(shape, n_voxels=4)
    theirs = himalaya.solve_ridge_svd(X.copy(), Y.copy(), alpha=np.array(ALPHAS), warn=False)
    np.testing.assert_allclose(solve(exactly(X), Y, ALPHAS).coef, theirs, rtol=1e-8, atol=1e-10)


def score_naively(name, y, p):
    if name == "r2":
        return r2_score(y, p)
    if name == "correlation":
        return np.corrcoef(y, p)[0, 1]
    explained = 1 - np.var(y - p) / ((1 + np.var(y)) / 2)
    return np.sign(explained) * np.sqrt(abs(explained))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("scoring", ["r2", "correlation", "huth2023"])
def test_cv_scores_are_those_of_a_refit_per_alpha_split_and_voxel(
    make, shape, fit_intercept, scoring
):
    X, Y = make(shape)
    cv = contiguous_folds(shape[0], 3)
    scores = cv_scores(exactly(X, fit_intercept=fit_intercept), Y, cv, ALPHAS, scoring=scoring)
    assert scores.shape == (len(ALPHAS), 5, 3)
    for a, alpha in enumerate(ALPHAS):
        for s, (train, validation) in enumerate(cv):
            model = Ridge(alpha=alpha, fit_intercept=fit_intercept).fit(X[train], Y[train])
            predicted = model.predict(X[validation])
            for v in range(5):
                expected = score_naively(scoring, Y[validation, v], predicted[:, v])
                np.testing.assert_allclose(scores[a, v, s], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("scoring", ["r2", "correlation"])
def test_cv_scores_and_choices_are_those_of_himalaya(make, shape, scoring):
    himalaya = pytest.importorskip("himalaya.ridge")
    scoring_module = pytest.importorskip("himalaya.scoring")
    X, Y = make(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        alphas, coef, best = himalaya.solve_ridge_cv_svd(
            X.copy(),
            Y.copy(),
            alphas=np.array(ALPHAS),
            cv=KFold(3),
            score_func=getattr(scoring_module, f"{scoring}_score"),
            warn=False,
        )
    gram = exactly(X)
    scores = cv_scores(gram, Y, 3, ALPHAS, scoring=scoring)
    ours = choose_alphas(ALPHAS, scores)
    np.testing.assert_allclose(ours, alphas, rtol=1e-10)
    np.testing.assert_allclose(scores.mean(axis=2).max(axis=0), np.ravel(best), rtol=1e-6)
    np.testing.assert_allclose(solve(gram, Y, ours).coef, coef, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_float32_agrees_with_float64_to_its_digits(make, shape):
    X, Y = make(shape)
    for scoring in ("r2", "correlation", "huth2023"):
        single, double = (
            cv_scores(Gram.of(X, device="cpu", dtype=dtype), Y, 3, ALPHAS, scoring=scoring)
            for dtype in ("float32", "float64")
        )
        # A signed root is steep at 0: compare its square.
        if scoring == "huth2023":
            single, double = single * abs(single), double * abs(double)
        np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)
    single, double = (
        solve(Gram.of(X, device="cpu", dtype=dtype), Y, 1.0).coef
        for dtype in ("float32", "float64")
    )
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("shape", [(120, 40), (60, 90)])
def test_float32_keeps_its_digits_where_features_are_nearly_dependent(rng, shape):
    # Hidden states are like this: singular values over five decades, and a large mean.
    left, _, right = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    rank = min(shape)
    X = left * np.logspace(2, -3, rank) @ right + 3
    Y = X @ rng.standard_normal((shape[1], 4)) + rng.standard_normal((shape[0], 4))
    for fit_intercept in (False, True):
        single, double = (
            Gram.of(X.astype("float32"), device="cpu", dtype=dtype, fit_intercept=fit_intercept)
            for dtype in ("float32", "float64")
        )
        for alphas in ([1e-3], [1.0], [1e3]):
            one, other = (cv_scores(gram, Y, 3, alphas) for gram in (single, double))
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


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
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES))
def test_permuting_voxels_permutes_results(seed, shape):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 6))
    order = rng.permutation(6)
    gram = exactly(X)
    scores = cv_scores(gram, Y, 3, ALPHAS)
    np.testing.assert_allclose(
        cv_scores(gram, Y[:, order], 3, ALPHAS), scores[:, order], rtol=1e-9, atol=1e-12
    )
    alphas = choose_alphas(ALPHAS, scores)
    coef = solve(gram, Y, alphas).coef
    permuted = solve(gram, Y[:, order], alphas[order]).coef
    np.testing.assert_allclose(permuted, coef[:, order], rtol=1e-9, atol=1e-12)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.integers(1, 5))
def test_splitting_voxels_changes_nothing(seed, shape, n_first):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal(shape), rng.standard_normal((shape[0], 6))
    gram = exactly(X, fit_intercept=True)
    parts = (Y[:, :n_first], Y[:, n_first:])
    together = cv_scores(gram, Y, 3, ALPHAS)
    apart = np.concatenate([cv_scores(gram, part, 3, ALPHAS) for part in parts], axis=1)
    np.testing.assert_allclose(apart, together, rtol=1e-9, atol=1e-12)
    together = solve(gram, Y, 2.0).coef
    apart = np.concatenate([solve(gram, part, 2.0).coef for part in parts], axis=1)
    np.testing.assert_allclose(apart, together, rtol=1e-9, atol=1e-12)


@few
@given(st.integers(0, 2**32 - 1), st.floats(-4, 4), st.floats(-4, 4))
def test_scaling_both_sides_scales_weights_and_leaves_scores(seed, log_x, log_y):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((20, 8)), rng.standard_normal((20, 3))
    x, y = 10**log_x, 10**log_y
    plain, scaled = exactly(X), exactly(x * X)
    alphas = np.array(ALPHAS)
    for scoring in ("r2", "correlation"):
        np.testing.assert_allclose(
            cv_scores(scaled, y * Y, 3, x**2 * alphas, scoring=scoring),
            cv_scores(plain, Y, 3, alphas, scoring=scoring),
            rtol=1e-7,
            atol=1e-9,
        )
    coef = solve(plain, Y, 1.0).coef
    np.testing.assert_allclose(solve(scaled, y * Y, x**2).coef, coef * y / x, rtol=1e-7)


@pytest.mark.parametrize("width", [1, 2, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_do_not_depend_on_the_width_of_blocks(make, monkeypatch, width, dtype):
    X, Y = make((30, 12), n_voxels=11)
    gram = Gram.of(X, device="cpu", dtype=dtype, fit_intercept=True)
    scores, weights = cv_scores(gram, Y, 3, ALPHAS), solve(gram, Y, 3.0)
    monkeypatch.setattr(_blocks, "_COMFORTABLE_BYTES", {"cpu": 1})
    monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", width)
    rtol = 1e-4 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(cv_scores(gram, Y, 3, ALPHAS), scores, rtol=rtol, atol=rtol / 10)
    narrow = solve(gram, Y, 3.0)
    np.testing.assert_allclose(narrow.coef, weights.coef, rtol=rtol, atol=rtol / 10)
    np.testing.assert_allclose(narrow.intercept, weights.intercept, rtol=rtol, atol=rtol / 10)


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


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_alpha_towards_infinity_is_zero_with_a_correlation_still(make, shape, dtype):
    X, Y = make(shape)
    gram = Gram.of(X, device="cpu", dtype=dtype)
    assert np.abs(solve(gram, Y, 1e30).coef).max() < 1e-25
    scores = cv_scores(gram, Y, 3, [1e12, 1e60], scoring="correlation")
    # The direction of the weights no longer changes, although float32 cannot hold them.
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-4)
    far = cv_scores(gram, Y, 3, [1e30], scoring="r2")[0]
    nothing = [
        [r2_score(Y[v], np.zeros_like(Y[v]), multioutput="raw_values")]
        for _, v in contiguous_folds(shape[0], 3)
    ]
    np.testing.assert_allclose(far, np.concatenate(nothing).T, rtol=1e-4, atol=1e-5)


def test_a_design_of_zeros_predicts_zero(make):
    _, Y = make((12, 3))
    gram = exactly(np.zeros((12, 3)))
    assert (solve(gram, Y, 1.0).coef == 0).all()
    assert np.isnan(cv_scores(gram, Y, 3, ALPHAS, scoring="correlation")).all()
    assert np.isfinite(cv_scores(gram, Y, 3, ALPHAS, scoring="r2")).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_undefined_voxels_are_nan_and_disturb_no_other(make, shape):
    X, clean = make(shape)
    Y = clean.copy()
    Y[2, 0] = np.nan
    Y[5, 2] = np.inf
    Y[:, 4] = 0.1
    gram = exactly(X, fit_intercept=True)
    scores, expected = cv_scores(gram, Y, 3, ALPHAS), cv_scores(gram, clean, 3, ALPHAS)
    assert np.isnan(scores[:, [0, 2, 4]]).all()
    np.testing.assert_allclose(scores[:, [1, 3]], expected[:, [1, 3]], rtol=1e-12)
    weights, expected = solve(gram, Y, 1.0), solve(gram, clean, 1.0)
    for ours, theirs in zip(weights, expected, strict=True):
        assert np.isnan(ours[..., [0, 2, 4]]).all()
        np.testing.assert_allclose(ours[..., [1, 3]], theirs[..., [1, 3]], rtol=1e-9)


@pytest.mark.parametrize("scoring", ["r2", "correlation", "huth2023"])
def test_a_constant_validation_part_has_no_score_and_does_not_count(make, scoring):
    X, Y = make((30, 4))
    Y = Y.copy()
    Y[:10, 1] = 0.1
    scores = cv_scores(exactly(X), Y, 3, ALPHAS, scoring=scoring)
    assert np.isnan(scores[:, 1, 0]).all()
    assert np.isfinite(scores[:, 1, 1:]).all()
    assert np.isfinite(np.delete(scores, 1, axis=1)).all()
    best = np.argmax(scores[:, 1, 1:].mean(axis=1))
    assert choose_alphas(ALPHAS, scores)[1] == ALPHAS[best]


def test_constant_training_responses_have_no_correlation_with_an_intercept(make):
    X, Y = make((30, 4))
    Y = Y.copy()
    Y[10:, 1] = 0.1
    gram = exactly(X, fit_intercept=True)
    scores = cv_scores(gram, Y, 3, ALPHAS, scoring="correlation")
    assert np.isnan(scores[:, 1]).all()  # the other two parts are constant themselves
    r2 = cv_scores(gram, Y, 3, ALPHAS, scoring="r2")[:, 1, 0]
    np.testing.assert_allclose(r2, r2_score(Y[:10, 1], np.full(10, 0.1)), rtol=1e-9)


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


def test_choice_is_the_best_mean_and_the_first_of_equals():
    scores = np.zeros((3, 4, 2))
    scores[:, 0] = [[0, 0], [3, 0], [1, 1]]  # means 0, 1.5, 1
    scores[:, 1] = [[1, 1], [2, 0], [0, 2]]  # all equal
    scores[:, 2] = np.nan
    scores[:, 3] = [[np.nan, 5], [0, 6], [1, np.nan]]  # only the second can be compared
    chosen = choose_alphas([1, 2, 3], scores)
    np.testing.assert_array_equal(chosen, [2, 1, np.nan, 2])


def test_a_shared_choice_is_the_best_mean_over_voxels_with_a_score():
    scores = np.zeros((2, 4, 1))
    scores[:, 0, 0] = [1, 0]
    scores[:, 1, 0] = [0, 0.4]
    scores[:, 2, 0] = [0, 0.4]
    scores[:, 3] = np.nan
    np.testing.assert_array_equal(choose_alphas([1, 2], scores), [1, 2, 2, np.nan])
    shared = choose_alphas([1, 2], scores, local_alpha=False)
    np.testing.assert_array_equal(shared, [1, 1, 1, np.nan])
    scores[:, :3, 0] = [[1, 0, 0], [0, 0.9, 0.9]]  # the best mean is not that of the best voxel
    shared = choose_alphas([1, 2], scores, local_alpha=False)
    np.testing.assert_array_equal(shared, [2, 2, 2, np.nan])
    nobody = choose_alphas([1, 2], np.full((2, 3, 1), np.nan), local_alpha=False)
    assert np.isnan(nobody).all()


def test_alphas_need_no_order(make):
    X, Y = make((30, 4))
    gram = exactly(X)
    forwards = cv_scores(gram, Y, 3, ALPHAS)
    backwards = cv_scores(gram, Y, 3, ALPHAS[::-1])
    np.testing.assert_allclose(backwards[::-1], forwards, rtol=1e-12)


@pytest.mark.parametrize(
    ("alphas", "message"),
    [
        (1.0, r"alphas have shape \(\) and dtype float64; expected a sequence"),
        ([], r"alphas have shape \(0,\)"),
        ([[1.0]], r"alphas have shape \(1, 1\)"),
        (["a"], "expected a sequence of one number or more"),
        ([1.0, -2.0], r"alphas hold -2\.0; expected finite numbers, 0 or more"),
        ([1.0, np.nan], "alphas hold nan"),
        ([np.inf], "alphas hold inf"),
    ],
)
def test_bad_alphas_are_named(alphas, message):
    with pytest.raises(ValueError, match=message):
        check_alphas(alphas)


def test_an_alpha_is_one_number_or_one_per_voxel(make):
    # The old code fills column 0 alone when given a list of one alpha, without a word.
    X, Y = make((30, 4))
    gram = exactly(X)
    with pytest.raises(
        ValueError, match=r"alphas have shape \(1,\); expected a number, or shape \(5,\)"
    ):
        solve(gram, Y, [1.0])
    with pytest.raises(ValueError, match=r"alphas hold -1\.0"):
        solve(gram, Y, -1.0)
    coef = solve(gram, Y, [1.0, np.nan, 1.0, 1.0, 1.0]).coef
    assert np.isnan(coef).all(axis=0).tolist() == [False, True, False, False, False]


def test_rows_must_match(make):
    X, Y = make((30, 4))
    message = r"X has shape \(30, 4\) but Y has shape \(29, 5\); expected as many rows"
    with pytest.raises(AlignmentError, match=message):
        solve(exactly(X), Y[:29], 1.0)
    with pytest.raises(AlignmentError, match=message):
        cv_scores(exactly(X), Y[:29], 3, ALPHAS)


def test_a_budget_for_the_decomposition_but_not_a_voxel_is_said(make):
    X, Y = make((40, 6))
    gram = exactly(X)
    tight = Gram(gram.X, gram.products, gram.means, gram.fixed_bytes + 10)
    with pytest.raises(FitError, match="working on one voxel beside the decomposition needs"):
        solve(tight, Y, 1.0)


def test_more_alphas_leave_room_for_fewer_voxels(make, monkeypatch):
    """What every alpha adds to a voxel is part of the budget."""
    X, Y = make((40, 6), n_voxels=3)
    gram, widths = exactly(X), []

    def spy(gram, bytes_per_voxel):
        widths.append(bytes_per_voxel)
        return 3

    monkeypatch.setattr(_ridge, "_width", spy)
    for n_alphas in (1, 101):
        cv_scores(gram, Y, 4, np.logspace(0, 1, n_alphas))
    predictions = 100 * 2 * 10 * gram.X.element_size()  # of 10 validation rows, and their products
    assert widths[1] - widths[0] >= predictions


def test_memory_maps_are_read_by_blocks(make, tmp_path, monkeypatch):
    X, Y = make((30, 12), n_voxels=9)
    np.save(tmp_path / "Y.npy", Y)
    mapped = np.load(tmp_path / "Y.npy", mmap_mode="r")
    gram = exactly(X)
    expected = cv_scores(gram, Y, 3, ALPHAS)
    monkeypatch.setattr(_blocks, "_COMFORTABLE_BYTES", {"cpu": 1})
    monkeypatch.setattr(_blocks, "_NARROWEST_COMFORTABLE", 4)
    np.testing.assert_allclose(cv_scores(gram, mapped, 3, ALPHAS), expected, rtol=1e-10)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
@pytest.mark.parametrize("shape", SHAPES)
def test_an_accelerator_gives_the_same(make, shape):
    X, Y = make(shape)
    here, there = (
        Gram.of(X, device=device, dtype="float64", fit_intercept=True) for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(
        cv_scores(there, Y, 3, ALPHAS), cv_scores(here, Y, 3, ALPHAS), rtol=1e-8, atol=1e-10
    )
    for one, other in zip(solve(there, Y, 2.0), solve(here, Y, 2.0), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_alphas=st.integers(1, 25),
    rank=st.integers(1, 40),
    decades=st.floats(0.1, 8),
)
def test_few_products_give_every_alpha(seed, n_alphas, rank, decades):
    rng = np.random.default_rng(seed)
    spectrum = torch.tensor(np.sort(10 ** rng.uniform(-2, 4, rank)))
    alphas = torch.tensor(np.logspace(0, decades, n_alphas))
    shrinkage = spectrum / (spectrum + alphas[:, None])
    shrinkage = shrinkage / shrinkage[:, -1:]
    rotated = torch.tensor(rng.standard_normal((15, rank)))
    z = torch.tensor(rng.standard_normal((rank, 4)))
    mixing, products = few_products(shrinkage, rotated, 1e-7)
    assert len(products) <= min(n_alphas, rank) or len(products) == n_alphas
    for row, exact in zip(mixing, shrinkage, strict=True):
        expected = (rotated * exact) @ z
        mixed = (rotated * (row @ products)) @ z
        size = torch.linalg.vector_norm(rotated, dim=0).norm() * z.norm()
        assert (mixed - expected).abs().max() <= 1e-6 * size


def test_twenty_alphas_need_a_dozen_products(rng):
    spectrum = np.linalg.svd(rng.standard_normal((300, 100)), compute_uv=False) ** 2
    shrinkage = torch.tensor(spectrum / (spectrum + np.logspace(-1, 5, 20)[:, None]))
    rotated = torch.tensor(rng.standard_normal((50, 100)))
    _, products = few_products(shrinkage, rotated, float(np.finfo(np.float32).eps))
    assert 5 < len(products) < 14
