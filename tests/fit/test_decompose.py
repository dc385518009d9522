from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.errors import FitError
from voxscale.fit import Gram, _design

SHAPES = [(30, 8), (8, 30), (12, 12)]


def split_rows(n_trs, n_validation=4):
    order = np.random.default_rng(5).permutation(n_trs)
    return torch.tensor(order[n_validation:]), torch.tensor(order[:n_validation])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_a_split_is_the_svd_of_its_rows(rng, frozen, shape, fit_intercept):
    X = frozen(rng.standard_normal(shape) + 3)
    train, validation = split_rows(shape[0])
    gram = Gram.of(X, fit_intercept=fit_intercept, device="cpu", dtype="float64")
    parts = gram.split(train, validation)
    mean = X[train].mean(axis=0) if fit_intercept else 0
    left, s, right = np.linalg.svd(X[train] - mean, full_matrices=False)
    rank = len(s) - (fit_intercept and len(train) <= shape[1])
    np.testing.assert_allclose(parts.eigenvalues.numpy()[::-1], s[:rank] ** 2, rtol=1e-9)
    # Singular vectors have no sign of their own, products of the two do.
    expected = ((X[validation] - mean) @ right[:rank].T / s[:rank]) @ left[:, :rank].T
    np.testing.assert_allclose(parts.rotated @ parts.left.T, expected, atol=1e-9)


def pseudoinverse_of(gram):
    """Put the decomposition of all rows together to (n_features, n_trs)."""
    whole = gram.whole
    back = whole.left.T / whole.eigenvalues.sqrt()[:, None]
    if whole.right is not None:
        return whole.right @ back
    right = gram.X.double().T @ whole.left / whole.eigenvalues.sqrt()
    return right @ back


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_all_rows_give_the_pseudoinverse(rng, frozen, shape, fit_intercept, weighted):
    X = frozen(rng.standard_normal(shape) + 3)
    w = rng.uniform(0.2, 2, shape[0]) if weighted else np.ones(shape[0])
    gram = Gram.of(
        X,
        fit_intercept=fit_intercept,
        sample_weight=w if weighted else None,
        device="cpu",
        dtype="float64",
    )
    mean = w @ X / w.sum() if fit_intercept else 0
    expected = np.linalg.pinv((X - mean) * np.sqrt(w)[:, None], rcond=1e-10)
    np.testing.assert_allclose(pseudoinverse_of(gram), expected, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_all_rows_are_decomposed_once_into_orthonormal_vectors(rng, shape, fit_intercept):
    X = rng.standard_normal(shape) + 3
    gram = Gram.of(X, fit_intercept=fit_intercept, device="cpu")
    whole = gram.whole
    assert gram.whole is whole
    assert whole.form == gram.form
    rank = len(whole.eigenvalues)
    assert (np.diff(whole.eigenvalues) > 0).all()
    assert whole.left.shape == (shape[0], rank)
    vectors = whole.left
    if whole.form == "dual":
        assert whole.right is None
        assert whole.null.shape == (shape[0], shape[0] - rank)
        vectors = torch.cat([whole.null, whole.left], 1)
        np.testing.assert_allclose(gram.X.double().T @ whole.null, 0, atol=1e-6)
    else:
        assert whole.null is None
        assert whole.right.shape == (shape[1], rank)
        np.testing.assert_allclose(whole.right.T @ whole.right, np.eye(rank), atol=1e-10)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(vectors.shape[1]), atol=1e-6)
    assert all(part.dtype == torch.float64 for part in (whole.left, whole.eigenvalues))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_products_before_any_decomposition_predict_as_ridge_does(
    rng, naive_fit, shape, fit_intercept, weighted
):
    X, y = rng.standard_normal(shape) + 3, rng.standard_normal((shape[0], 1))
    w = rng.uniform(0.2, 2, shape[0]) if weighted else np.ones(shape[0])
    train, validation = split_rows(shape[0])
    gram = Gram.of(
        X,
        fit_intercept=fit_intercept,
        sample_weight=w if weighted else None,
        device="cpu",
        dtype="float64",
    )
    parts = gram.penalised(train, validation)
    assert parts.form == ("dual" if len(train) <= shape[1] else "primal")
    coef, intercept = naive_fit(
        X[train], y[train], 2.0, fit_intercept=fit_intercept, sample_weight=w[train]
    )
    root = np.sqrt(w[train])[:, None]
    y_mean = w[train] @ y[train] / w[train].sum() if fit_intercept else 0.0
    right = root * (y[train] - y_mean)
    if parts.form == "primal":
        x_mean = w[train] @ X[train] / w[train].sum() if fit_intercept else 0.0
        right = (root * (X[train] - x_mean)).T @ right
    solved = np.linalg.solve(parts.products.numpy() + 2 * np.eye(len(parts.products)), right)
    expected = X[validation] @ coef + intercept
    np.testing.assert_allclose(parts.rows.numpy() @ solved + y_mean, expected, atol=1e-9)


@pytest.mark.parametrize(
    ("shape", "n_validation", "form", "split_form"),
    [
        ((30, 8), 4, "primal", "primal"),
        ((30, 8), 22, "primal", "dual"),  # 8 rows left to train on
        ((30, 8), 21, "primal", "primal"),
        ((8, 30), 4, "dual", "dual"),
        ((8, 8), 2, "dual", "dual"),
    ],
)
def test_the_smaller_gram_matrix_is_decomposed(rng, shape, n_validation, form, split_form):
    gram = Gram.of(rng.standard_normal(shape), device="cpu")
    assert gram.form == gram.whole.form == form
    assert gram.products.shape == (min(shape), min(shape))
    assert gram.split(*split_rows(shape[0], n_validation)).form == split_form


def test_products_of_a_part_survive_rows_of_another_scale(rng):
    # Subtracting the huge rows from the sum over all would leave rounding alone.
    X = rng.standard_normal((40, 5))
    X[:6] *= 1e9
    gram = Gram.of(X, device="cpu", dtype="float64")
    parts = gram.split(torch.arange(6, 40), torch.arange(6))
    expected = np.linalg.svd(X[6:], compute_uv=False) ** 2
    np.testing.assert_allclose(parts.eigenvalues.numpy()[::-1], expected, rtol=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_products_summed_in_parts_are_the_same(rng, monkeypatch, shape):
    X = rng.standard_normal(shape)
    train, validation = split_rows(shape[0])
    whole = Gram.of(X, device="cpu", dtype="float64")
    monkeypatch.setattr(_design, "_CHUNK", 17)
    parts = Gram.of(X, device="cpu", dtype="float64")
    torch.testing.assert_close(whole.products, parts.products, rtol=1e-12, atol=1e-12)
    for gram in (whole, parts):
        assert torch.equal(gram.X, torch.tensor(X))
    one, other = (gram.split(train, validation) for gram in (whole, parts))
    torch.testing.assert_close(one.rotated @ one.left.T, other.rotated @ other.left.T)
    one, other = (pseudoinverse_of(gram) for gram in (whole, parts))
    torch.testing.assert_close(one, other)


def test_dependent_columns_lower_the_rank(rng):
    X = rng.standard_normal((20, 4))
    X = np.hstack([X, X[:, :2], np.zeros((20, 1))])
    for matrix in (X, X.T):
        assert len(Gram.of(matrix, device="cpu").whole.eigenvalues) == 4


def test_a_design_of_zeros_has_no_rank():
    whole = Gram.of(np.zeros((5, 3)), device="cpu").whole
    assert whole.left.shape == (5, 0)
    assert whole.right.shape == (3, 0)
    assert Gram.of(np.zeros((3, 5)), device="cpu").whole.null.shape == (3, 3)


def test_float32_is_decomposed_in_float64(rng):
    X = rng.standard_normal((30, 8)).astype("float32")
    gram = Gram.of(X, device="cpu")
    assert gram.X.dtype == torch.float32
    assert gram.products.dtype == gram.whole.eigenvalues.dtype == torch.float64
    expected = np.linalg.svd(X.astype("float64"), compute_uv=False) ** 2
    np.testing.assert_allclose(gram.whole.eigenvalues.numpy()[::-1], expected, rtol=1e-12)
    parts = gram.split(*split_rows(30))
    assert (parts.left.dtype, parts.rotated.dtype) == (torch.float32, torch.float64)


def test_centring_comes_before_rounding_to_float32(rng):
    X = 1e6 + rng.standard_normal((30, 4))
    gram = Gram.of(X, fit_intercept=True, device="cpu")
    np.testing.assert_allclose(gram.X, X - X.mean(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_bad_number_of_x_is_named(rng, monkeypatch, value):
    monkeypatch.setattr(_design, "_CHUNK", 10)  # rows are looked at in several parts
    X = rng.standard_normal((9, 4))
    X[7, 2] = X[8, 0] = value
    with pytest.raises(FitError, match=f"X is {value} at row 7, column 2; expected finite"):
        Gram.of(X, fit_intercept=True, device="cpu")


def test_a_number_too_large_for_float32_is_named():
    X = np.ones((4, 2))
    X[1, 1] = 1e60
    with pytest.raises(FitError, match=r"X is 1e\+60 at row 1, column 1 \(too large for float32"):
        Gram.of(X, device="cpu")
    assert Gram.of(X, device="cpu", dtype="float64").form == "primal"


def test_products_too_large_for_float64_are_said():
    message = r"Gram matrix of X \(2 × 2\) could not be decomposed; its largest number is inf"
    with pytest.raises(FitError, match=message):
        _ = Gram.of(np.full((4, 2), 1e200), device="cpu", dtype="float64").whole


def test_a_decomposition_that_does_not_converge_is_said(rng, monkeypatch):
    def fails(matrix):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "eigh", fails)
    with pytest.raises(FitError, match="could not be decomposed; its largest number is"):
        _ = Gram.of(rng.standard_normal((4, 2)), device="cpu").whole


@pytest.mark.parametrize("X", [np.zeros(3), [["a"]], np.zeros((2, 2), complex)])
def test_x_is_a_matrix_of_numbers(X):
    with pytest.raises(ValueError, match=r"X has shape .* expected \(n_rows, n_columns\) numbers"):
        Gram.of(X, device="cpu")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_x_has_rows_and_features(shape):
    with pytest.raises(ValueError, match=r"X has shape .* expected one row and one feature"):
        Gram.of(np.zeros(shape), device="cpu")


def test_rows_of_no_weight_may_hold_anything(rng):
    X, w = rng.standard_normal((9, 3)), np.ones(9)
    X[4], w[4] = np.nan, 0
    gram = Gram.of(X, sample_weight=w, fit_intercept=True, device="cpu", dtype="float64")
    alone = Gram.of(np.delete(X, 4, 0), fit_intercept=True, device="cpu", dtype="float64")
    torch.testing.assert_close(gram.X, alone.X)
    X[5, 1] = np.inf  # the row is named as it is in X
    with pytest.raises(FitError, match="X is inf at row 5, column 1"):
        Gram.of(X, sample_weight=w, device="cpu")


def test_bytes_held_are_those_of_the_matrices(rng):
    gram = Gram.of(rng.standard_normal((30, 8)), device="cpu")
    assert gram.held_bytes == 30 * 8 * 4 + 8 * 8 * 8


def test_too_little_memory_is_said_in_numbers():
    message = r"decomposing X \(300 × 200, float32\) needs .* MiB, .* KiB may be used"
    with pytest.raises(FitError, match=message):
        Gram.of(np.ones((300, 200)), device="cpu", memory_gib=1e-6)


def test_x_is_copied_never_written_to(rng, frozen):
    X = frozen(rng.standard_normal((6, 3)))
    gram = Gram.of(X, device="cpu", dtype="float64")
    gram.X[:] = 0
    assert X.any()
