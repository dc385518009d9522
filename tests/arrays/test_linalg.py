from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from voxscale.arrays import _linalg
from voxscale.arrays._linalg import (
    cholesky,
    eigh,
    eigh_place,
    gram,
    matmul,
    one_torch_thread,
    row_sums,
)
from voxscale.errors import FitError

DTYPES = ["float32", "float64"]
LAYOUTS = ["C", "F", "transposed", "strided", "row", "empty"]


def laid_out(kind, shape, dtype, rng):
    """Draw a tensor whose numbers lie in memory in some way."""
    if kind == "F":
        return torch.from_numpy(np.asfortranarray(rng.standard_normal(shape).astype(dtype)))
    if kind == "transposed":
        return torch.from_numpy(rng.standard_normal(shape[::-1]).astype(dtype)).T
    if kind == "strided":
        drawn = rng.standard_normal((2 * shape[0], 3 * shape[1])).astype(dtype)
        return torch.from_numpy(drawn)[::2, 1::3]
    if kind == "row":
        return torch.from_numpy(rng.standard_normal((1, shape[1])).astype(dtype)).expand(shape)
    return torch.from_numpy(rng.standard_normal(shape).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_are_those_of_numpy_however_numbers_lie_in_memory(rng, dtype):
    rtol = 1e-5 if dtype == "float32" else 1e-12
    for one, other in itertools.product(LAYOUTS[:-1], repeat=2):
        a, b = laid_out(one, (5, 7), dtype, rng), laid_out(other, (7, 4), dtype, rng)
        expected = a.numpy() @ b.numpy()
        found = matmul(a, b)
        assert found.dtype == a.dtype
        np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol)
        out = torch.full((5, 4), torch.nan, dtype=a.dtype)
        assert matmul(a, b, out=out) is out
        np.testing.assert_allclose(out, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("layout", ["C", "strided", "transposed", "part"])
def test_products_are_written_where_they_are_told_to(rng, layout):
    a, b = (torch.from_numpy(rng.standard_normal(shape)) for shape in ((5, 7), (7, 4)))
    around = torch.zeros((30, 30), dtype=torch.float64)
    out = {
        "C": torch.zeros((5, 4), dtype=torch.float64),
        "strided": around[:10:2, 3:15:3],
        "transposed": around[:4, :5].T,
        "part": around[5:10],
    }[layout]
    out = out[:, :4] if layout == "part" else out
    matmul(a, b, out=out)
    np.testing.assert_allclose(out, a @ b)
    if layout != "C":
        assert torch.count_nonzero(around) == 20


def test_products_with_nothing_are_zeros():
    for n_inner, n_columns in ((0, 3), (4, 0)):
        found = matmul(torch.ones(2, n_inner), torch.ones(n_inner, n_columns))
        assert found.shape == (2, n_columns)
        assert (found == 0).all()


def test_what_overflows_is_infinite_without_a_warning():
    huge = torch.full((2, 2), 1e30)
    assert torch.isinf(matmul(huge, huge)).all()
    matmul(huge, huge, out=huge)
    assert torch.isinf(huge).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS[:-1])
@pytest.mark.parametrize("shape", [(5, 9), (9, 5), (1, 4), (4, 1)])
def test_gram_matrices_are_summed_in_float64(rng, monkeypatch, dtype, layout, shape):
    X = laid_out(layout, shape, dtype, rng)
    exact = X.numpy().astype("float64")
    for chunk in (_linalg._CHUNK, 7, 1):  # all at once, in parts, row by row
        monkeypatch.setattr(_linalg, "_CHUNK", chunk)
        by_rows, by_columns = gram(X), gram(X, of_columns=True)
        assert by_rows.dtype == by_columns.dtype == torch.float64
        np.testing.assert_allclose(by_rows, exact @ exact.T, rtol=1e-13, atol=1e-13)
        np.testing.assert_allclose(by_columns, exact.T @ exact, rtol=1e-13, atol=1e-13)
        if layout in ("C", "F", "transposed"):  # one half is computed, the other is its mirror
            assert torch.equal(by_rows, by_rows.T)
            assert torch.equal(by_columns, by_columns.T)


def test_gram_matrices_leave_their_matrix_as_it_is(rng, frozen):
    given = frozen(rng.standard_normal((4, 3)))
    X = torch.tensor(given)
    gram(X)
    gram(X, of_columns=True)
    np.testing.assert_array_equal(X, given)


def test_other_devices_are_left_to_torch():
    """The device "meta" has shapes alone, and nothing that numpy could read."""
    a, b, out = (torch.empty(shape, device="meta") for shape in ((5, 7), (7, 4), (5, 4)))
    assert matmul(a, b).shape == (5, 4)
    assert matmul(a, b, out=out) is out
    assert row_sums(a, a).shape == (7,)
    assert row_sums(a, a).dtype == torch.float64


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS[:-1])
@pytest.mark.parametrize("n_rows", [0, 1, 63, 64, 65, 200])
def test_sums_over_rows_are_those_of_float64(rng, dtype, layout, n_rows):
    a, b = (laid_out(layout, (max(n_rows, 1), 5), dtype, rng)[:n_rows] for _ in range(2))
    sums = row_sums(a, b)
    assert sums.dtype == torch.float64
    expected = (a.double() * b.double()).sum(0)
    scale = np.sqrt(max(n_rows, 1))
    rtol = 1e-6 if dtype == "float32" else 1e-14
    np.testing.assert_allclose(sums, expected, atol=10 * scale * rtol)


def test_sums_over_many_rows_lose_nothing(rng):
    ones = torch.full((100_000, 1), 1e-4)
    ones[0] = 1e4
    exact = (ones.double() ** 2).sum()
    assert float(row_sums(ones, ones)[0]) == pytest.approx(float(exact), rel=1e-6)


def test_one_thread_of_torch_works_and_then_as_many_as_before():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with one_torch_thread(torch.device("cpu")):
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 3
        with pytest.raises(KeyError), one_torch_thread(torch.device("cpu")):
            raise KeyError
        assert torch.get_num_threads() == 3
        with one_torch_thread(torch.device("cuda")):
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_cholesky_factor_is_lower(rng):
    drawn = torch.from_numpy(rng.standard_normal((6, 6)))
    matrix = drawn @ drawn.T + torch.eye(6, dtype=torch.float64)
    factor = cholesky(matrix)
    np.testing.assert_allclose(factor @ factor.T, matrix)
    assert (factor.triu(1) == 0).all()


@pytest.mark.parametrize("bad", [torch.zeros(3, 3), -torch.eye(3), torch.ones(3, 3)])
def test_a_matrix_without_a_cholesky_factor_is_told(bad):
    message = (
        r"a Gram matrix of X \(3 × 3\) with its penalty is not positive definite to rounding; use "
        "larger alphas, or another solver"
    )
    with pytest.raises(FitError, match=message):
        cholesky(bad.double())


def test_eigenvalues_ascend_and_put_the_matrix_together(rng):
    drawn = torch.from_numpy(rng.standard_normal((8, 8)))
    matrix = drawn + drawn.T
    values, vectors = eigh(matrix)
    assert (values.diff() >= 0).all()
    np.testing.assert_allclose((vectors * values) @ vectors.T, matrix, atol=1e-12)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(8), atol=1e-12)


def test_a_matrix_that_cannot_be_decomposed_is_told(monkeypatch):
    message = (
        r"the Gram matrix of X \(2 × 2\) could not be decomposed; its largest number is inf\. "
        "Bring the features to similar scales"
    )
    with pytest.raises(FitError, match=message):
        eigh(torch.full((2, 2), torch.inf, dtype=torch.float64))

    def fails(matrix):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "eigh", fails)
    with pytest.raises(FitError, match="could not be decomposed; its largest number is 3"):
        eigh(torch.full((2, 2), 3.0, dtype=torch.float64))


# Where to decompose.


@pytest.fixture
def seconds(monkeypatch):
    """Return a function that sets what trials take; trials begin anew."""

    def set_seconds(**by_device):
        asked = []

        def trial(device):
            asked.append(device.type)
            return by_device[device.type]

        monkeypatch.setattr(_linalg, "_trial", trial)
        _linalg._tried.cache_clear()
        return asked

    yield set_seconds
    _linalg._tried.cache_clear()


CUDA = torch.device("cuda")


@pytest.mark.parametrize(
    ("there", "here", "place"),
    [
        (0.001, 1.0, "device"),
        (4.9, 1.0, "device"),
        (5.1, 1.0, "cpu"),  # much slower
        (float("inf"), 1.0, "cpu"),  # wrong
        (float("nan"), 1.0, "cpu"),
    ],
)
def test_a_device_decomposes_only_if_it_is_right_and_not_slow(seconds, there, here, place):
    asked = seconds(cuda=there, cpu=here)
    assert eigh_place(CUDA) == place
    assert asked == ["cuda", "cpu"]
    assert eigh_place(torch.device("cuda")) == place
    assert asked == ["cuda", "cpu"]  # tried once


def test_a_cpu_is_not_tried(seconds):
    assert seconds() == []
    assert eigh_place(torch.device("cpu")) == "cpu"


def test_a_trial_measures_and_a_right_answer_is_finite():
    took = _linalg._trial(torch.device("cpu"))
    assert 0 < took < 60


@pytest.mark.parametrize("wrong", ["vectors", "values", "nan", "raises"])
def test_a_trial_with_a_wrong_answer_is_infinite(monkeypatch, wrong):
    right = torch.linalg.eigh

    def decompose(matrix):
        if wrong == "raises":
            message = "no such kernel"
            raise RuntimeError(message)
        values, vectors = right(matrix)
        if wrong == "vectors":
            vectors = vectors + 1e-8
        if wrong == "values":
            values = values * (1 + 1e-8)
        return (values * torch.nan if wrong == "nan" else values), vectors

    monkeypatch.setattr(torch.linalg, "eigh", decompose)
    assert _linalg._trial(torch.device("cpu")) == float("inf")


class Elsewhere:
    """A matrix on a device that is not here, as far as ``eigh`` looks at it."""

    device = CUDA

    def __init__(self, matrix):
        self.matrix, self.was_moved = matrix, False

    def __len__(self):
        return len(self.matrix)

    def cpu(self):
        self.was_moved = True
        return self.matrix


@pytest.mark.parametrize("place", ["cpu", "device"])
def test_the_cpu_decomposes_where_the_device_fails(monkeypatch, rng, place):
    drawn = torch.from_numpy(rng.standard_normal((4, 4)))
    matrix, decomposed = Elsewhere(drawn @ drawn.T), []
    by_numpy, by_torch = np.linalg.eigh, torch.linalg.eigh

    def on_cpu(given):
        decomposed.append("cpu")
        return by_numpy(given)

    def on_device(given):
        decomposed.append("device")
        return by_torch(given.matrix)

    monkeypatch.setattr(np.linalg, "eigh", on_cpu)
    monkeypatch.setattr(torch.linalg, "eigh", on_device)
    monkeypatch.setattr(_linalg, "eigh_place", lambda device: place)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: self)
    values, vectors = eigh(matrix)
    assert decomposed == [place]
    assert matrix.was_moved is (place == "cpu")
    np.testing.assert_allclose((vectors * values) @ vectors.T, matrix.matrix, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an accelerator")
def test_an_accelerator_gives_the_same(rng):
    X = torch.from_numpy(rng.standard_normal((60, 30)).astype("float32"))
    there = X.cuda()
    np.testing.assert_allclose(matmul(there.T, there).cpu(), matmul(X.T, X), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gram(there).cpu(), gram(X), rtol=1e-12, atol=1e-10)
    values, vectors = eigh(gram(there, of_columns=True))
    assert values.device.type == vectors.device.type == "cuda"
    np.testing.assert_allclose(values.cpu(), eigh(gram(X, of_columns=True))[0], rtol=1e-10)
    assert eigh_place(there.device) in ("cpu", "device")
    factor = cholesky(gram(there, of_columns=True))
    np.testing.assert_allclose(factor.cpu(), cholesky(gram(X, of_columns=True)), rtol=1e-9)
