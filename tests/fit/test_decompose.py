from __future__ import annotations

import numpy as np
import pytest
import torch

from voxscale.errors import FitError
from voxscale.fit import Gram, _decompose

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


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_all_rows_give_the_pseudoinverse(rng, frozen, shape, fit_intercept):
    X = frozen(rng.standard_normal(shape) + 3)
    gram = Gram.of(X, fit_intercept=fit_intercept, device="cpu", dtype="float64")
    parts = gram.decompose()
    mean = X.mean(axis=0) if fit_intercept else 0
    expected = np.linalg.pinv(X - mean, rcond=1e-10)
    np.testing.assert_allclose(parts.rotated @ parts.left.T, expected, atol=1e-8)


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
    assert gram.form == gram.decompose().form == form
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
    monkeypatch.setattr(_decompose, "_CHUNK", 17)
    parts = Gram.of(X, device="cpu", dtype="float64")
    torch.testing.assert_close(whole.products, parts.products, rtol=1e-12, atol=1e-12)
    for gram in (whole, parts):
        assert torch.equal(gram.X, torch.tensor(X))
    one, other = (gram.split(train, validation) for gram in (whole, parts))
    torch.testing.assert_close(one.rotated @ one.left.T, other.rotated @ other.left.T)
    one, other = (gram.decompose() for gram in (whole, parts))
    torch.testing.assert_close(one.rotated @ one.left.T, other.rotated @ other.left.T)


def test_dependent_columns_lower_the_rank(rng):
    X = rng.standard_normal((20, 4))
    X = np.hstack([X, X[:, :2], np.zeros((20, 1))])
    for matrix in (X, X.T):
        assert len(Gram.of(matrix, device="cpu").decompose().eigenvalues) == 4


def test_a_design_of_zeros_has_no_rank():
    parts = Gram.of(np.zeros((5, 3)), device="cpu").decompose()
    assert parts.left.shape == (5, 0)
    assert parts.rotated.shape == (3, 0)


def test_float32_is_decomposed_in_float64(rng):
    X = rng.standard_normal((30, 8)).astype("float32")
    parts = Gram.of(X, device="cpu").decompose()
    assert parts.eigenvalues.dtype == torch.float64
    assert parts.left.dtype == torch.float32
    expected = np.linalg.svd(X.astype("float64"), compute_uv=False) ** 2
    np.testing.assert_allclose(parts.eigenvalues.numpy()[::-1], expected, rtol=1e-12)


def test_centring_comes_before_rounding_to_float32(rng):
    X = 1e6 + rng.standard_normal((30, 4))
    gram = Gram.of(X, fit_intercept=True, device="cpu")
    np.testing.assert_allclose(gram.X, X - X.mean(axis=0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_bad_number_of_x_is_named(rng, monkeypatch, value):
    monkeypatch.setattr(_decompose, "_CHUNK", 10)  # rows are looked at in several parts
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
        Gram.of(np.full((4, 2), 1e200), device="cpu", dtype="float64").decompose()


def test_a_decomposition_that_does_not_converge_is_said(rng, monkeypatch):
    def fails(matrix):
        raise torch.linalg.LinAlgError

    monkeypatch.setattr(torch.linalg, "eigh", fails)
    with pytest.raises(FitError, match="could not be decomposed; its largest number is"):
        Gram.of(rng.standard_normal((4, 2)), device="cpu").decompose()


@pytest.mark.parametrize("X", [np.zeros(3), np.zeros((0, 3)), np.zeros((3, 0)), [["a"]]])
def test_x_is_a_matrix_of_numbers(X):
    with pytest.raises(ValueError, match=r"X has shape .* expected numbers of shape"):
        Gram.of(X, device="cpu")


def test_too_little_memory_is_said_in_numbers():
    message = r"decomposing X \(300 × 200, float32\) needs .* MiB, .* KiB may be used"
    with pytest.raises(FitError, match=message):
        Gram.of(np.ones((300, 200)), device="cpu", memory_gib=1e-6)


def test_x_is_copied_never_written_to(rng, frozen):
    X = frozen(rng.standard_normal((6, 3)))
    gram = Gram.of(X, device="cpu", dtype="float64")
    gram.X[:] = 0
    assert X.any()
