"""Few voxels go by way of the features, many by the projected rows: the same numbers."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from voxscale.fit import SCORINGS, Gram, RidgeCV, contiguous_folds, cv_scores, solve
from voxscale.fit import _decompose as decomposing
from voxscale.fit import _design as reading
from voxscale.fit import _split_solver as splitting
from voxscale.fit._costs import ways_to_inputs
from voxscale.fit._inputs import ByFeatures, ByMatrix, go_by_features
from voxscale.fit._makers import Rotated
from voxscale.fit._plan import bytes_per_voxel
from voxscale.fit._solvers import SOLVERS, WeightsWork, Work, ways_to_weights
from voxscale.fit._split_solver import SplitPath

SHAPE = (120, 20)
FEW, MANY = (1, 3), 60  # of 90 training rows, fewer than 28 go by way of the features
ALPHAS = np.logspace(-4, 5, 12)  # of eigenvalues about 100


def draw(rng, n_voxels, *, decades=0.0, offset=0.0):
    """Draw a design whose singular values span some decades, and responses that it explains."""
    X = rng.standard_normal(SHAPE) * 10 ** -np.linspace(0, decades, SHAPE[1])
    X = X @ np.linalg.qr(rng.standard_normal((SHAPE[1], SHAPE[1])))[0]
    X += offset * np.linspace(-1, 2, SHAPE[0])[:, None]
    Y = X @ rng.standard_normal((SHAPE[1], n_voxels)) + rng.standard_normal((SHAPE[0], n_voxels))
    return X.astype("float32"), (Y + offset).astype("float32")


def weigh(rng, weighting):
    if weighting == "none":
        return None
    weight = rng.uniform(0.1, 2, SHAPE[0])
    return weight if weighting == "weights" else (weight > 0.5).astype(float)


def both_ways(gram, train):
    left = gram.split(train, train[:1]).left
    return ByFeatures(gram, train, gram.spectrum(train)), ByMatrix(left.T.contiguous())


def force(monkeypatch, *, by_features):
    monkeypatch.setattr(splitting, "go_by_features", lambda *told: by_features)


# Inputs.


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 3, MANY]),
    st.sampled_from(["none", "mask", "weights"]),
    st.booleans(),
    st.floats(0, 5),
)
def test_both_ways_are_those_of_the_singular_vectors(seed, n_voxels, weighting, centred, decades):
    rng = np.random.default_rng(seed)
    X, Y = draw(rng, n_voxels, decades=decades, offset=3.0 * centred)
    options = {"sample_weight": weigh(rng, weighting), "fit_intercept": centred, "device": "cpu"}
    gram = Gram.of(X, dtype="float64", **options)
    n_kept = len(gram.X)
    train = torch.from_numpy(np.sort(rng.permutation(n_kept)[: n_kept * 3 // 4]))
    root = gram.root[train].numpy()
    design = gram.X[train].numpy()
    if centred:
        design = design - np.outer(root, root @ design / (root @ root))
    values = torch.from_numpy(Y[:n_kept].astype("float64"))[train]  # not about their mean
    left, sizes, _ = np.linalg.svd(design, full_matrices=False)
    expected = left @ (left.T @ values.numpy())
    for way in both_ways(gram, train):
        inputs = way(values)
        assert inputs.dtype == torch.float64
        # Singular vectors have no sign of their own: lengths, and sums of what they weigh.
        lengths = np.linalg.norm(inputs.numpy(), axis=0)
        np.testing.assert_allclose(lengths, np.linalg.norm(expected, axis=0), rtol=1e-5)
    by_features, by_matrix = (way(values).numpy() for way in both_ways(gram, train))
    scale = np.abs(by_matrix).max()
    # Rounding of float64 is enlarged by the spread of the singular values.
    limit = 1e-12 * sizes[0] / sizes[-1] * scale
    np.testing.assert_allclose(by_features, by_matrix, atol=limit, rtol=0)
    single = Gram.of(X, dtype="float32", **options)
    narrow = [way(values.float()).numpy() for way in both_ways(single, train)]
    assert narrow[0].dtype == np.float32
    limit += 1e-5 * np.linalg.norm(values)
    np.testing.assert_allclose(narrow[0], narrow[1], atol=limit, rtol=0)


def test_sums_are_float64_where_the_design_is_float32(rng):
    """Sums in float32 would be wrong by their rounding over the smallest singular value."""
    X, Y = draw(rng, 3, decades=4)
    gram, train = Gram.of(X, device="cpu"), torch.arange(90)
    left, sizes, right = np.linalg.svd(X[:90].astype("float64"), full_matrices=False)
    expected = (left.T @ Y[:90].astype("float64"))[::-1]
    inputs = ByFeatures(gram, train, gram.spectrum(train))(torch.from_numpy(Y[:90])).numpy()
    np.testing.assert_allclose(np.abs(inputs), np.abs(expected), rtol=1e-4, atol=1e-5)
    summed = right @ (X[:90].T @ Y[:90]) / sizes[:, None]
    assert np.abs(np.abs(summed[::-1]) - np.abs(expected)).max() > 1e-3


def test_rows_are_summed_some_at_a_time(rng, monkeypatch):
    X, Y = draw(rng, 3, offset=1.0)
    gram = Gram.of(X, device="cpu", fit_intercept=True, dtype="float64")
    train, values = torch.arange(15, 105), torch.from_numpy(Y[15:105]).double()
    way = both_ways(gram, train)[0]
    together, n_bytes = way(values), way.n_bytes
    monkeypatch.setattr(reading, "_CHUNK", 100)
    np.testing.assert_allclose(way(values), together, rtol=1e-10, atol=1e-10)
    assert n_bytes - way.n_bytes == (90 * 20 - 100) * 16


def test_memory_and_operations_are_those_of_what_is_held_and_done(rng):
    gram, train = Gram.of(draw(rng, 1)[0], device="cpu"), torch.arange(90)
    by_features, by_matrix = both_ways(gram, train)
    assert by_features.n_bytes == 8 * 20 * 20 + (8 + 4) * 90 * 20
    assert by_features.flop_per_voxel == 2 * 20 * (90 + 20)
    assert by_matrix.n_bytes == 4 * 20 * 90
    assert by_matrix.flop_per_voxel == 2 * 20 * 90
    ways = ways_to_inputs(90, 20, 3, 4, "cpu")
    assert ways["features"].held_bytes == by_features.n_bytes
    assert ways["matrix"].held_bytes == by_matrix.n_bytes + 8 * 20 * 90


def test_a_design_of_zeros_has_no_inputs():
    gram, train = Gram.of(np.zeros(SHAPE), device="cpu"), torch.arange(90)
    way = ByFeatures(gram, train, gram.spectrum(train))
    assert way(torch.ones(90, 2)).shape == (0, 2)


# Scores.


@pytest.mark.parametrize("n_voxels", [*FEW, MANY])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighting", ["none", "mask", "weights"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_scores_are_those_of_the_formula_either_way(
    rng, frozen, naive, monkeypatch, fit_intercept, weighting, dtype, n_voxels
):
    X, Y = map(frozen, draw(rng, n_voxels, decades=1, offset=1.0 * fit_intercept))
    weight, splits = weigh(rng, weighting), contiguous_folds(SHAPE[0], 4)
    expected = naive(X, Y, splits, ALPHAS, fit_intercept=fit_intercept, sample_weight=weight)
    gram = Gram.of(X, sample_weight=weight, fit_intercept=fit_intercept, device="cpu", dtype=dtype)
    limit = 1e-6 if dtype == "float64" else 2e-4
    for by_features in (True, False):
        force(monkeypatch, by_features=by_features)
        for scoring in SCORINGS:
            scores = cv_scores(gram, Y, splits, ALPHAS, scoring=scoring, solver="split")
            np.testing.assert_allclose(scores, expected[scoring], atol=limit, rtol=limit)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_nearly_dependent_features_keep_their_digits_at_tiny_alphas(
    rng, naive, monkeypatch, fit_intercept, dtype
):
    X, Y = draw(rng, 3, decades=3)
    splits, alphas = contiguous_folds(SHAPE[0], 4), np.logspace(-9, 3, 13)
    expected = naive(X, Y, splits, alphas, fit_intercept=fit_intercept)["r2"]
    gram = Gram.of(X, fit_intercept=fit_intercept, device="cpu", dtype=dtype)
    # With an intercept float32 has other numbers than the formula: those about the mean.
    limit = 1e-6 if dtype == "float64" else 1e-3
    found = []
    for by_features in (True, False):
        force(monkeypatch, by_features=by_features)
        found.append(cv_scores(gram, Y, splits, alphas, solver="split"))
        np.testing.assert_allclose(found[-1], expected, atol=limit, rtol=limit)
    np.testing.assert_allclose(found[0], found[1], atol=limit / 10)


def path_for(gram, n_voxels):
    rows = torch.arange(30, 120), torch.arange(30)
    return SplitPath.by_eigh(gram, *rows, ALPHAS, 1e-6, n_voxels)


def test_many_voxels_are_multiplied_with_a_matrix_and_few_are_not(rng):
    gram = Gram.of(draw(rng, 1)[0], device="cpu")
    for n_voxels, kind in ((1, ByFeatures), (3, ByFeatures), (27, ByFeatures), (28, ByMatrix)):
        path = path_for(gram, n_voxels)
        assert isinstance(path.to_inputs, kind)
        assert path.n_bytes > path.to_inputs.n_bytes
        assert path.flop_per_voxel > path.to_inputs.flop_per_voxel
    dual = Gram.of(rng.standard_normal((40, 60)), device="cpu")
    assert not go_by_features(dual, 30, 1)
    rows = torch.arange(10, 40), torch.arange(10)
    assert isinstance(SplitPath.by_eigh(dual, *rows, ALPHAS, 1e-6, 1).to_inputs, ByMatrix)


def test_all_voxels_count_whatever_the_width_of_blocks(rng, narrow, monkeypatch):
    X, Y = draw(rng, MANY)
    asked = []

    def note(gram, n_train, n_voxels):
        asked.append(n_voxels)
        return go_by_features(gram, n_train, n_voxels)

    monkeypatch.setattr(splitting, "go_by_features", note)
    narrow(2)
    cv_scores(Gram.of(X, device="cpu"), Y, 4, ALPHAS, solver="split")
    assert asked == [MANY] * 4


def test_a_triangle_is_made_where_so_many_voxels_make_it_pay(rng, naive):
    X, Y = rng.standard_normal((300, 8)), rng.standard_normal((300, 2))
    gram = Gram.of(X, device="cpu", dtype="float64")
    splits = [(np.arange(100, 300), np.arange(100))]
    rows = [torch.from_numpy(part) for part in splits[0]]
    few, many = (SplitPath.by_eigh(gram, *rows, ALPHAS, 1e-6, n) for n in (2, 1000))
    assert few.projection is None
    assert many.projection.shape == (8, 100)
    values = torch.from_numpy(Y)
    for name in ("yp", "pp", "p_mean"):
        one, other = (getattr(path.moments(values), name) for path in (few, many))
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    scores = cv_scores(gram, Y, splits, ALPHAS, solver="split")
    np.testing.assert_allclose(scores, naive(X, Y, splits, ALPHAS)["r2"], atol=1e-6)


@pytest.mark.parametrize(("n_voxels", "n_projected"), [(1, 0), (MANY, 1)])
def test_the_same_training_rows_are_decomposed_once(rng, monkeypatch, n_voxels, n_projected):
    X, Y = draw(rng, n_voxels)
    counted = {"above_rounding": 0, "_project": 0}

    def count(name, made):
        def counting(*arguments):
            counted[name] += 1
            return made(*arguments)

        return counting

    original = decomposing.above_rounding
    monkeypatch.setattr(decomposing, "above_rounding", count("above_rounding", original))
    monkeypatch.setattr(Gram, "_project", count("_project", Gram._project))
    train = np.arange(90)
    splits = [(train, np.arange(90, 100)), (train, np.arange(100, 120))]
    gram = Gram.of(X, device="cpu")
    cv_scores(gram, Y, splits, ALPHAS, solver="split")
    assert counted == {"above_rounding": 1, "_project": 2 + n_projected}
    kept = 8 * (20 * 20 + 20) + n_projected * 4 * 20 * 90
    assert gram.held_bytes == gram.X.nbytes + gram.products.nbytes + kept
    gram.release()
    assert gram.held_bytes == gram.X.nbytes + gram.products.nbytes


# Weights.


@pytest.mark.parametrize("n_voxels", [*FEW, MANY])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("weighting", ["none", "weights"])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_weights_are_those_of_scikit_learn(rng, fit_intercept, weighting, dtype, n_voxels):
    X, Y = draw(rng, n_voxels, decades=2, offset=0.5 * fit_intercept)
    weight = weigh(rng, weighting)
    options = {"sample_weight": weight, "fit_intercept": fit_intercept}
    gram = Gram.of(X, device="cpu", dtype=dtype, **options)
    limit = 1e-8 if dtype == "float64" else 1e-4
    for alpha in (1e-9, 1e-3, 1.0, 1e3):
        model = Ridge(alpha=alpha, fit_intercept=fit_intercept, solver="svd")
        model.fit(X.astype("float64"), Y.astype("float64"), sample_weight=weight)
        made = Rotated.of(gram, "primal", n_voxels)
        values = torch.from_numpy(Y).to(gram.X.dtype) * gram.root[:, None].to(gram.X.dtype)
        if fit_intercept:
            values, _ = gram.about_mean(values, torch.arange(len(values)))
        found = made(values, torch.full((n_voxels,), alpha, dtype=torch.float64))
        expected = model.coef_.reshape(n_voxels, -1).T
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=limit * scale, rtol=0)
    assert isinstance(made.to_inputs, ByFeatures if n_voxels in FEW else ByMatrix)
    assert ("whole" in vars(gram)) == (n_voxels == MANY)
    assert made.n_bytes > made.to_inputs.n_bytes


def test_what_is_decomposed_already_is_used(rng):
    gram = Gram.of(draw(rng, 1)[0], device="cpu")
    assert isinstance(Rotated.of(gram, "primal", 1).to_inputs, ByFeatures)
    # Taken on trust, as it says: a fit that goes on after a break goes the same way.
    assert isinstance(Rotated.of(gram, "primal", 1, is_known=True).to_inputs, ByMatrix)
    assert isinstance(Rotated.of(gram, "primal", 1).to_inputs, ByMatrix)
    gram.release()
    assert isinstance(Rotated.of(gram, "dual", 1).to_inputs, ByMatrix)


@pytest.mark.parametrize("n_voxels", [*FEW, MANY])
def test_a_fit_to_few_voxels_is_that_to_many(rng, n_voxels):
    X, Y = draw(rng, MANY, decades=1)
    alphas = np.logspace(-2, 4, 9)
    together, few = (
        RidgeCV(alphas, 4, solver="split", device="cpu").fit(X, responses)
        for responses in (Y, Y[:, :n_voxels])
    )
    np.testing.assert_allclose(few.cv_scores_, together.cv_scores_[:, :n_voxels], atol=1e-5)
    np.testing.assert_array_equal(few.best_alphas_, together.best_alphas_[:n_voxels])
    np.testing.assert_allclose(few.coef_, together.coef_[:, :n_voxels], atol=1e-4)
    expected = solve(Gram.of(X, device="cpu", dtype="float64"), Y, together.best_alphas_).coef
    np.testing.assert_allclose(few.coef_, expected[:, :n_voxels], atol=1e-4)


# What it costs.

WORK = Work(32_000, 2885, 200, 11, ((24_000, 8000),) * 3, 20_000, 4, False, "cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_few_voxels_cost_less_by_way_of_the_features(device):
    flop = {
        n_voxels: {name: way.flop for name, way in ways.items()}
        for n_voxels in (1, 200, 20_000)
        for ways in [ways_to_inputs(24_000, 2885, n_voxels, 4, device)]
    }
    for n_voxels, of in flop.items():
        assert (of["features"] < of["matrix"]) == (n_voxels < 1000)
    assert flop[200]["features"] < 0.1 * flop[200]["matrix"]


def test_a_solver_counts_the_projection_of_training_rows_where_it_is_made():
    few, many = (dataclasses.replace(WORK, n_voxels=n, weights=None) for n in (200, 100_000))
    projected = 3 * 2 * 2 * 24_000 * 2885.0**2
    # Eigenvalues, validation rows, and products of columns are what all voxels share.
    shared = 3 * (17 * 2885**3 + (4 + 2) * 8000 * 2885**2)
    assert shared < SOLVERS["split"](few).flop < shared + 0.15 * projected
    least = projected + 3 * 17 * 2885**3 + 2 * 3 * 100_000 * 24_000 * 2885
    assert SOLVERS["split"](many).flop > least
    assert SOLVERS["split"](few).held_bytes < SOLVERS["split"](many).held_bytes


def test_a_voxel_takes_the_memory_of_its_sums_over_features():
    few, many = (dataclasses.replace(WORK, n_voxels=n) for n in (200, 100_000))
    assert bytes_per_voxel(few, "split") == bytes_per_voxel(many, "split") + 16 * 2885
    assert bytes_per_voxel(few, "cholesky") == bytes_per_voxel(many, "cholesky")


def test_weights_cost_what_their_way_does():
    work = WeightsWork(32_000, 2885, 200, 11, 4, "cpu", "primal", 0)
    eigh, projected = 17 * 2885**3, 4 * 32_000 * 2885**2
    rotated = {
        name: ways_to_weights(dataclasses.replace(work, **changes))["rotated"].flop
        for name, changes in {
            "few": {},
            "many": {"n_voxels": 50_000},
            "known": {"n_known": 32_000},
            "dual": {"kind": "dual"},
        }.items()
    }
    assert eigh < rotated["few"] < eigh + 0.1 * projected
    assert rotated["known"] < 0.1 * projected
    assert rotated["many"] > eigh + projected + 2 * 50_000 * 32_000 * 2885
    assert rotated["dual"] > eigh + projected
