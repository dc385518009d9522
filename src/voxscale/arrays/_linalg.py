"""Products, eigendecompositions and Cholesky factors: the few calls that touch a device.

On a CPU products go through numpy's BLAS, which is as fast as the one inside torch or faster,
above all for narrow blocks, and computes ``A Aᵀ`` at half the price.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from voxscale.errors import FitError

__all__ = [
    "at_once",
    "cholesky",
    "eigh",
    "eigh_place",
    "few_threads",
    "gram",
    "inverse",
    "inverse_of_triangle",
    "matmul",
    "one_torch_thread",
    "row_sums",
    "square_part",
]

Place = Literal["device", "cpu"]

# Numbers converted to float64 at a time while products are summed.
_CHUNK = 2**24
# Smaller matrices are inverted sooner by one thread of torch than by all of them.
_LARGE = 2000
# So many of them at once, since their memory is counted.
_MOST_AT_ONCE = 8
# Larger triangles are inverted by halves, most of it by products.
_LEAST_HALVED = 96
# Rows whose products are summed in their own dtype.
_ROWS = 64
# Of the self-test: the size, the residual allowed, and how much slower than a CPU is too slow.
_TRIAL = 384
_TRIAL_RESIDUAL = 1e-10
_TOO_SLOW = 5.0


def matmul(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """Multiply two matrices of one dtype on one device.

    Parameters
    ----------
    a : tensor of shape (n_rows, n_inner)
    b : tensor of shape (n_inner, n_columns)
    out : tensor of shape (n_rows, n_columns), optional
        Written to.

    Examples
    --------
    >>> matmul(torch.eye(2), torch.ones(2, 1)).ravel()
    tensor([1., 1.])
    """
    if a.device.type != "cpu":
        return torch.matmul(a, b) if out is None else torch.matmul(a, b, out=out)
    # What overflows is noticed by whoever asked, as it is with torch, which warns of nothing.
    with np.errstate(all="ignore"):
        if out is None:
            return torch.from_numpy(np.matmul(a.numpy(), b.numpy()))
        np.matmul(a.numpy(), b.numpy(), out=out.numpy())
    return out


def row_sums(a: Tensor, b: Tensor) -> Tensor:
    """Sum the products of two matrices over their rows, in float64 but for a few rows at a time.

    On a CPU this takes one thread: the threads of torch and those of numpy's BLAS, which come
    right before and after, would wait for each other.

    Parameters
    ----------
    a, b : tensor of shape (n_rows, n_columns)

    Returns
    -------
    tensor of shape (n_columns,), float64

    Examples
    --------
    >>> row_sums(torch.ones(3, 2), torch.full((3, 2), 2.0))
    tensor([6., 6.], dtype=torch.float64)
    """
    if a.device.type != "cpu":
        return (a * b).sum(0, dtype=torch.float64)
    left, right = a.numpy(), b.numpy()
    n_rows, n_columns = left.shape
    whole = n_rows // _ROWS * _ROWS
    shape = (whole // _ROWS, _ROWS, n_columns)
    parts = np.einsum("crv,crv->cv", left[:whole].reshape(shape), right[:whole].reshape(shape))
    total = parts.sum(axis=0, dtype=np.float64)
    total += np.einsum("rv,rv->v", left[whole:], right[whole:])
    return torch.from_numpy(total)


def gram(X: Tensor, *, of_columns: bool = False, dtype: torch.dtype = torch.float64) -> Tensor:
    """Sum ``X Xᵀ``, or ``Xᵀ X``, a part of the matrix at a time.

    Parameters
    ----------
    X : tensor of shape (n_rows, n_columns)
    of_columns : bool
        ``Xᵀ X``.
    dtype : torch.dtype
        In which products are made and summed.

    Returns
    -------
    tensor of shape (n_rows, n_rows) or (n_columns, n_columns)
    """
    summed, kept = X.shape if of_columns else X.shape[::-1]
    total: Tensor | None = None
    for part in _parts(summed, kept):
        values = (X[part] if of_columns else X[:, part]).to(dtype)
        left = values.T if of_columns else values
        # Times its own transpose: numpy hands that to the routine that computes one half.
        products = matmul(left, left.T)
        total = products if total is None else total.add_(products)
    return X.new_zeros((kept, kept), dtype=dtype) if total is None else total


def square_part(matrix: Tensor, rows: Tensor) -> Tensor:
    """Take some rows of a matrix, and the same columns.

    Examples
    --------
    >>> square_part(torch.arange(9).view(3, 3), torch.tensor([0, 2]))
    tensor([[0, 2],
            [6, 8]])
    """
    if matrix.device.type != "cpu":
        return matrix[rows][:, rows]
    places = rows.numpy()  # numpy gathers several times as fast
    return torch.from_numpy(matrix.numpy().take(places, 0).take(places, 1))


@contextmanager
def one_torch_thread(device: torch.device) -> Iterator[None]:
    """Keep torch's own threads still on a CPU, while numpy's BLAS has all cores.

    Threads of the two wait for their next task in a loop, and take the cores from each other:
    small steps between products then take many times as long as by one thread.
    """
    if device.type != "cpu":
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def few_threads(size: int, device: torch.device) -> Iterator[int]:
    """Give small matrices one thread of torch each on a CPU; say how many to work on at once."""
    if device.type != "cpu" or size >= _LARGE:
        yield 1
        return
    n_threads = torch.get_num_threads()
    with one_torch_thread(device):
        yield min(n_threads, _MOST_AT_ONCE)


def at_once(size: int) -> int:
    """Say how many matrices of a size :func:`few_threads` lets be worked on at once, at most."""
    return 1 if size >= _LARGE else min(_MOST_AT_ONCE, os.cpu_count() or 1)


def cholesky(matrix: Tensor) -> Tensor:
    """Lower Cholesky factor of a positive definite matrix.

    Raises
    ------
    FitError
        If the matrix is not positive definite to rounding.
    """
    factor: Tensor
    factor, info = torch.linalg.cholesky_ex(matrix)
    if int(info):
        msg = (
            f"a Gram matrix of X ({len(matrix)} × {len(matrix)}) with its penalty is not positive "
            "definite to rounding; use larger alphas, or another solver."
        )
        raise FitError(msg)
    return factor


def inverse(matrix: Tensor) -> Tensor:
    """Inverse of a positive definite matrix.

    Raises
    ------
    FitError
        If the matrix is not positive definite to rounding.
    """
    inverted: Tensor = torch.cholesky_inverse(cholesky(matrix))
    return inverted


def inverse_of_triangle(factor: Tensor) -> Tensor:
    """Inverse of a lower triangular matrix, itself lower triangular.

    Examples
    --------
    >>> inverse_of_triangle(torch.tensor([[2.0, 0.0], [2.0, 1.0]]))
    tensor([[ 0.5000,  0.0000],
            [-1.0000,  1.0000]])
    """
    size = len(factor)
    if size <= _LEAST_HALVED:
        identity = torch.eye(size, dtype=factor.dtype, device=factor.device)
        solved: Tensor = torch.linalg.solve_triangular(factor, identity, upper=False)
        return solved
    half = size // 2
    upper = inverse_of_triangle(factor[:half, :half])
    lower = inverse_of_triangle(factor[half:, half:])
    inverted = torch.zeros_like(factor)
    inverted[:half, :half], inverted[half:, half:] = upper, lower
    inverted[half:, :half] = -lower @ (factor[half:, :half] @ upper)
    return inverted


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues, ascending, and eigenvectors of a symmetric float64 matrix.

    Parameters
    ----------
    matrix : tensor of shape (n, n), float64

    Returns
    -------
    eigenvalues : tensor of shape (n,)
    vectors : tensor of shape (n, n)

    Raises
    ------
    FitError
        If the matrix cannot be decomposed.

    Notes
    -----
    Some GPU libraries decompose wrongly, or slower than a CPU; where a short test on a small
    matrix finds that, the CPU does it.
    """
    try:
        if eigh_place(matrix.device) == "cpu":
            values, vectors = map(torch.from_numpy, np.linalg.eigh(matrix.cpu().numpy()))
        else:
            values, vectors = torch.linalg.eigh(matrix)
        is_solved = bool(values.isfinite().all())
    except (np.linalg.LinAlgError, torch.linalg.LinAlgError):  # type: ignore[attr-defined]
        is_solved = False
    if not is_solved:
        msg = (
            f"the Gram matrix of X ({len(matrix)} × {len(matrix)}) could not be decomposed; its "
            f"largest number is {float(matrix.abs().max()):.3g}. Bring the features to similar "
            "scales."
        )
        raise FitError(msg)
    return values.to(matrix.device), vectors.to(matrix.device)


def eigh_place(device: torch.device) -> Place:
    """Find out by a short test where matrices of a device are best decomposed.

    Returns
    -------
    {"device", "cpu"}
    """
    if device.type == "cpu":
        return "cpu"
    return _tried(str(device))


@lru_cache(maxsize=8)
def _tried(device: str) -> Place:
    there = _trial(torch.device(device))
    return "device" if there < _TOO_SLOW * _trial(torch.device("cpu")) else "cpu"


def _trial(device: torch.device) -> float:
    """Seconds for a small decomposition; infinite if its answer is wrong."""
    draw = torch.randn(_TRIAL, _TRIAL, generator=torch.Generator().manual_seed(0)).double()
    matrix = (draw @ draw.T).to(device)
    seconds = []
    for _ in range(2):  # the first call of a library takes its time to start
        start = time.perf_counter()
        try:
            values, vectors = torch.linalg.eigh(matrix)
            error = (vectors * values) @ vectors.T - matrix
            residual = float(error.abs().max() / values.abs().max())  # waits for the device
        except RuntimeError:
            return float("inf")
        seconds.append(time.perf_counter() - start)
        if not residual < _TRIAL_RESIDUAL:
            return float("inf")
    return min(seconds)


def _parts(n_rows: int, row_length: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(1, row_length))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))
