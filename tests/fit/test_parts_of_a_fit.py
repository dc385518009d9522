"""Fits of some rows, and of some voxels, from what was computed for all of them."""

import numpy as np
import pytest

from voxscale.fit import Gram, RidgeCV, contiguous_folds
from voxscale.fit import _decompose as decomposing

ALPHAS = [1.0, 10.0, 100.0]
# More columns than rows; more rows than columns, of which the part has fewer, as many, most.
SHAPES = [((40, 60), 25), ((80, 30), 20), ((80, 30), 35), ((80, 30), 70)]


@pytest.mark.parametrize(("shape", "n_rows"), SHAPES)
def test_some_rows_of_a_gram_are_the_gram_of_these_rows(rng, frozen, shape, n_rows):
    X = frozen(rng.standard_normal(shape))
    rows = frozen(rng.permutation(shape[0])[:n_rows])
    part = Gram.of(X, device="cpu", dtype="float64").of_rows(rows)
    own = Gram.of(X[rows], device="cpu", dtype="float64")
    assert part.form == own.form
    np.testing.assert_array_equal(part.X, own.X)
    np.testing.assert_allclose(part.products, own.products, rtol=1e-11, atol=1e-11)
    assert part.samples.n_trs == n_rows


@pytest.mark.parametrize(("shape", "n_rows"), SHAPES)
@pytest.mark.parametrize("weights", ["primal", "dual"])
def test_a_fit_of_some_rows_is_that_of_these_rows_alone(rng, frozen, shape, n_rows, weights):
    X, Y = frozen(rng.standard_normal(shape)), frozen(rng.standard_normal((shape[0], 5)))
    rows = np.arange(shape[0])[-n_rows:]
    whole = Gram.of(X, device="cpu", dtype="float64")
    options = {"device": "cpu", "dtype": "float64", "weights": weights}
    cv = contiguous_folds(n_rows, 4)
    part = RidgeCV(ALPHAS, cv, **options).fit(whole.of_rows(rows), Y[rows])
    own = RidgeCV(ALPHAS, cv, **options).fit(X[rows], Y[rows])
    np.testing.assert_array_equal(part.best_alphas_, own.best_alphas_)
    np.testing.assert_allclose(part.cv_scores_, own.cv_scores_, atol=1e-9)
    new = rng.standard_normal((7, shape[1]))
    np.testing.assert_allclose(part.predict(new), own.predict(new), atol=1e-9)


def test_some_voxels_of_a_fit_are_the_fit_of_these_voxels(rng, frozen):
    X, Y = frozen(rng.standard_normal((50, 8))), frozen(rng.standard_normal((50, 9)))
    whole = RidgeCV(ALPHAS, device="cpu", dtype="float64").fit(X, Y)
    part = whole.of_voxels(slice(3, 7))
    own = RidgeCV(ALPHAS, device="cpu", dtype="float64").fit(X, Y[:, 3:7])
    np.testing.assert_array_equal(part.best_alphas_, own.best_alphas_)
    np.testing.assert_allclose(part.cv_scores_, own.cv_scores_, atol=1e-12)
    np.testing.assert_allclose(part.coef_, own.coef_, atol=1e-12)
    np.testing.assert_allclose(part.predict(X), own.predict(X), atol=1e-12)
    assert whole.coef_.shape == (8, 9)


@pytest.mark.parametrize(
    ("of_gram", "of_fit", "sample_weight"),
    [
        ({"fit_intercept": True}, {}, None),
        ({}, {"fit_intercept": True}, None),
        ({"sample_weight": np.ones(20)}, {}, None),
        ({}, {}, np.ones(20)),
    ],
)
def test_a_gram_about_all_its_rows_is_refused(rng, of_gram, of_fit, sample_weight):
    X, Y = rng.standard_normal((20, 3)), rng.standard_normal((20, 2))
    of_gram = {**of_gram}
    if "sample_weight" in of_gram:
        of_gram["sample_weight"] = np.linspace(1, 2, 20)
    gram = Gram.of(X, device="cpu", **of_gram)
    with pytest.raises(ValueError, match=r"X is a Gram, .* give the array instead"):
        RidgeCV([1.0], device="cpu", **of_fit).fit(gram, Y, sample_weight)
    if of_gram:
        with pytest.raises(ValueError, match="about all its rows"):
            gram.of_rows([0, 1])


def test_a_gram_of_other_rows_is_named(rng):
    gram = Gram.of(rng.standard_normal((20, 3)), device="cpu")
    with pytest.raises(ValueError, match=r"X has shape \(20, 3\) but Y has shape \(19, 2\)"):
        RidgeCV([1.0], device="cpu").fit(gram, rng.standard_normal((19, 2)))


def test_products_of_nested_rows_grow_from_those_before(rng, monkeypatch):
    X = rng.standard_normal((200, 10))
    whole = Gram.of(X, device="cpu", dtype="float64")
    order, summed = rng.permutation(200), []
    gram = decomposing.gram
    monkeypatch.setattr(
        decomposing, "gram", lambda X, **named: summed.append(len(X)) or gram(X, **named)
    )
    for n_rows in (30, 50, 90, 80, 150, 200):
        part = whole.of_rows(order[:n_rows])
        np.testing.assert_allclose(part.products, X[order[:n_rows]].T @ X[order[:n_rows]])
    # From nothing; 20 and 40 more; 80 are fewer than 90, from nothing; of 150, 50 are left out.
    assert summed == [30, 20, 40, 80, 50]
