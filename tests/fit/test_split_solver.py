from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.fit import Gram, contiguous_folds, cv_scores
from voxscale.fit._scoring import Moments
from voxscale.fit._split_solver import SplitPath

ALPHAS = np.logspace(-1, 5, 18)
FORMS = {"primal": (80, 9), "dual": (50, 70)}
MAKE = {"eigh": SplitPath.by_eigh, "cholesky": SplitPath.by_cholesky}


def path_of(gram, make, train, validation, tolerance=1e-12, n_voxels=10**6):
    rows = torch.from_numpy(train), torch.from_numpy(validation)
    told = (n_voxels,) if make == "eigh" else ()
    return MAKE[make](gram, *rows, ALPHAS, tolerance, *told)


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("shape", FORMS.values(), ids=FORMS)
def test_sums_are_those_of_the_predictions(rng, naive_fit, shape, fit_intercept, weighted, make):
    X, Y = rng.standard_normal(shape) + 1, rng.standard_normal((shape[0], 4)) + 2
    w = rng.uniform(0.2, 2, shape[0]) if weighted else np.ones(shape[0])
    order = rng.permutation(shape[0])
    train, validation = order[12:-3], order[:12]  # three rows are in neither part
    gram = Gram.of(
        X,
        sample_weight=w if weighted else None,
        fit_intercept=fit_intercept,
        device="cpu",
        dtype="float64",
    )
    path = path_of(gram, make, train, validation)
    found = path.moments(torch.tensor(Y * np.sqrt(w)[:, None]))
    for a, alpha in enumerate(ALPHAS):
        coef, intercept = naive_fit(
            X[train], Y[train], alpha, fit_intercept=fit_intercept, sample_weight=w[train]
        )
        predicted = torch.tensor(X[validation] @ coef + intercept)
        expected = Moments.of(torch.tensor(Y[validation]), predicted)
        for name in ("yy", "y_mean"):
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9)
        for name in ("yp", "pp", "p_mean"):
            one, other = getattr(found, name)[a], getattr(expected, name)
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8)
    assert found.n_trs == expected.n_trs == 12


@pytest.mark.parametrize("make", MAKE)
@pytest.mark.parametrize("shape", FORMS.values(), ids=FORMS)
def test_bytes_and_operations_are_those_of_what_is_held(rng, shape, make):
    gram = Gram.of(rng.standard_normal(shape), device="cpu")
    train, validation = np.arange(20, shape[0]), np.arange(20)
    path = path_of(gram, make, train, validation, tolerance=0)
    rank = min(len(train), shape[1])
    held = {"mean": len(ALPHAS) * rank}
    if make == "eigh" or shape[1] < len(train):
        held["inputs"] = rank * len(train)  # Uᵀ, or features of the training rows
    if path.projection is not None:
        held["projection"] = path.projection.numel()
    n_rows = sum(products.n_rows for _, products in path.products)
    held["products"] = len(ALPHAS) * n_rows * rank
    assert path.n_bytes == 4 * sum(held.values())
    assert path.flop_per_voxel == 2 * sum(held.values())


def test_fewer_products_where_a_tolerance_is_let_pass(rng):
    gram = Gram.of(rng.standard_normal((400, 200)), device="cpu")
    exact, default = (
        path_of(gram, "eigh", np.arange(100, 400), np.arange(100), tolerance).products
        for tolerance in (0, 1e-6)
    )
    for measure in ("flop_per_voxel", "n_bytes", "n_products"):
        before, after = (
            sum(getattr(products, measure) for _, products in one) for one in (exact, default)
        )
        assert after < 0.7 * before


@pytest.mark.parametrize("seed", range(4))
def test_every_alpha_keeps_its_digits_where_a_column_is_constant(naive, seed):
    """Without an intercept its eigenvalue is the largest, and no row's prediction varies by it."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((120, 20))
    X[:, 3] = 5
    Y = 0.1 * X @ rng.standard_normal((20, 30)) + rng.standard_normal((120, 30))
    splits, alphas = contiguous_folds(120, 4), np.logspace(-1, 9, 20)
    expected = naive(X, Y, splits, alphas)["correlation"]
    scores = cv_scores(
        Gram.of(X, device="cpu"), Y, splits, alphas, scoring="correlation", solver="split"
    )
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize("make", MAKE)
def test_a_part_in_which_predictions_cannot_vary_has_their_mean(rng, make):
    X = rng.standard_normal((40, 5))
    X[:10] = X[0]
    Y = torch.tensor(rng.standard_normal((40, 3)))
    gram = Gram.of(X, device="cpu", dtype="float64")
    found = path_of(gram, make, np.arange(10, 40), np.arange(10)).moments(Y)
    coef = np.linalg.solve(X[10:].T @ X[10:] + ALPHAS[3] * np.eye(5), X[10:].T @ Y[10:].numpy())
    np.testing.assert_allclose(found.p_mean[3], X[0] @ coef, rtol=1e-8)
    assert (found.pp <= found.noise).all()
