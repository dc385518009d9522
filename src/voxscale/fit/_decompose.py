"""One symmetric eigendecomposition per design, primal or dual by shape, always in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import FitError
from voxscale.fit._blocks import budget_bytes, check_budget, resolve_device, resolve_dtype

__all__ = ["Decomposition", "Gram"]

Form = Literal["dual", "primal"]

# Numbers converted to float64 at a time while products are summed.
_CHUNK = 2**24


@dataclass(frozen=True, eq=False)
class Decomposition:
    """Thin singular value decomposition ``U S Vᵀ`` of training rows, from their Gram matrix.

    Parameters
    ----------
    form : {"dual", "primal"}
        Which Gram matrix was decomposed: rows by rows, or features by features.
    eigenvalues : tensor of shape (rank,), float64
        ``S²``, ascending; those lost to rounding are left out.
    left : tensor of shape (n_train, rank)
        ``U``.
    rotated : tensor of shape (n_rows, rank), float64
        ``rows V / S``, for the rows to be predicted; or ``V / S`` itself, to form weights.

    Notes
    -----
    Everything at a penalty ``alpha`` is ``rotated · S² / (S² + alpha) · Uᵀ Y``: predictions of
    the rows, or weights.

    A Gram matrix squares the singular values, so that directions under about 1e-7 of the
    largest singular value cannot be told from rounding; they are treated as absent. At
    alpha = 0 this makes the least-squares solution the one of minimum norm.
    """

    form: Form
    eigenvalues: Tensor
    left: Tensor
    rotated: Tensor


@dataclass(frozen=True, eq=False)
class Gram:
    """A design matrix on its device, and the products of its rows or columns, computed once.

    Parameters
    ----------
    X : tensor of shape (n_trs, n_features)
        A copy; with an intercept, about the mean of each column.
    products : tensor of shape (n_trs, n_trs) or (n_features, n_features), float64
        ``X Xᵀ`` in the dual form, ``Xᵀ X`` in the primal form; the smaller of the two.
    means : tensor of shape (n_features,), float64, or None
        Means that were subtracted; None without an intercept.
    budget : int
        Bytes that may be used, these matrices included.

    Examples
    --------
    >>> Gram.of(np.eye(2, 3), device="cpu").form
    'dual'
    """

    X: Tensor
    products: Tensor
    means: Tensor | None
    budget: int

    @classmethod
    def of(
        cls,
        X: ArrayLike,
        *,
        fit_intercept: bool = False,
        device: str | torch.device | None = None,
        dtype: Any = "float32",
        memory_gib: float | None = None,
    ) -> Gram:
        """Check and copy a design matrix, and sum its products.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
        fit_intercept : bool
        device : str, optional
            Default: cuda when there is one, else cpu.
        dtype : {"float32", "float64"}
            Of all that is multiplied with responses; the decomposition is float64 anyhow.
        memory_gib : float, optional, in GiB
            Default: 70 % of the memory that is free.

        Raises
        ------
        FitError
            If X is not finite, or the budget is too small for its decomposition.
        ValueError
            If X is not a matrix of numbers.
        """
        chosen, torch_dtype = resolve_device(device), resolve_dtype(dtype)
        budget = budget_bytes(memory_gib, chosen)
        values = _checked(X)
        n_trs, n_features = values.shape
        needed = _bytes_needed(n_trs, n_features, torch_dtype.itemsize)
        name = str(torch_dtype).removeprefix("torch.")
        check_budget(needed, budget, f"decomposing X ({n_trs} × {n_features}, {name})")
        means = values.mean(axis=0, dtype=np.float64) if fit_intercept else None
        design = torch.from_numpy(_copied(values, means, name)).to(chosen)
        products = _row_products(design) if n_trs <= n_features else _column_products(design)
        on_device = None if means is None else torch.from_numpy(means).to(chosen)
        return cls(design, products, on_device, budget)

    @property
    def form(self) -> Form:
        """Which products are held."""
        n_trs, n_features = self.X.shape
        return "dual" if n_trs <= n_features else "primal"

    @property
    def fixed_bytes(self) -> int:
        """Bytes that the matrices and one decomposition take, whatever the voxels."""
        return _bytes_needed(len(self.X), self.X.shape[1], self.X.element_size())

    def decompose(self) -> Decomposition:
        """Decompose all rows, to form weights."""
        if self.form == "primal":
            return self._primal(torch.arange(len(self.X), device=self.X.device), None)
        kernel = self.products
        if self.means is not None:
            kernel, _ = _about_training_mean(kernel, kernel)
        eigenvalues, left = _eigh(kernel)
        scaled = left / eigenvalues
        rotated = scaled.new_empty((self.X.shape[1], len(eigenvalues)))
        for columns in _chunks(self.X.shape[1], len(self.X)):
            rotated[columns] = self.X[:, columns].double().T @ scaled
        return Decomposition("dual", eigenvalues, left.to(self.X.dtype), rotated)

    def split(self, train: Tensor, validation: Tensor) -> Decomposition:
        """Decompose some rows, and rotate others to be predicted from them.

        Parameters
        ----------
        train, validation : tensor of int64
            Row numbers; no row twice, nor in both.
        """
        if len(train) <= self.X.shape[1]:
            return self._dual(train, validation)
        return self._primal(train, validation)

    def _dual(self, train: Tensor, validation: Tensor) -> Decomposition:
        if self.form == "dual":
            kernel = self.products[train][:, train]
            across = self.products[validation][:, train]
        else:
            part = self.X[train]
            kernel, across = _row_products(part), _row_products(self.X[validation], part)
        if self.means is not None:
            kernel, across = _about_training_mean(kernel, across)
        eigenvalues, left = _eigh(kernel)
        rotated = across @ (left / eigenvalues)
        return Decomposition("dual", eigenvalues, left.to(self.X.dtype), rotated)

    def _primal(self, train: Tensor, validation: Tensor | None) -> Decomposition:
        products = self._products_of(train)
        mean = None
        if self.means is not None:
            mean = self.X[train].double().mean(0)
            products = products - len(train) * torch.outer(mean, mean)
        eigenvalues, right = _eigh(products)
        scaled = right / eigenvalues.sqrt()
        left = self._project(train, mean, scaled).to(self.X.dtype)
        rotated = scaled if validation is None else self._project(validation, mean, scaled)
        return Decomposition("primal", eigenvalues, left, rotated)

    def _products_of(self, train: Tensor) -> Tensor:
        """Column products of some rows: all of them less the others, where that is exact."""
        n_trs = len(self.X)
        if len(train) == n_trs:
            return self.products
        others = torch.ones(n_trs, dtype=torch.bool, device=self.X.device)
        others[train] = False
        if 2 * len(train) > n_trs:
            removed = _column_products(self.X[others])
            # If the others hold most of the energy, the difference would be rounding.
            if 2 * removed.trace() <= self.products.trace():
                return self.products - removed
        return _column_products(self.X[train])

    def _project(self, rows: Tensor, mean: Tensor | None, onto: Tensor) -> Tensor:
        projected = torch.empty((len(rows), onto.shape[1]), dtype=torch.float64, device=onto.device)
        for chunk in _chunks(len(rows), self.X.shape[1]):
            values = self.X[rows[chunk]].double()
            projected[chunk] = (values if mean is None else values - mean) @ onto
        return projected


def design_tensor(X: ArrayLike, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Check a design matrix and copy it to a device."""
    name = str(dtype).removeprefix("torch.")
    return torch.from_numpy(_copied(_checked(X), None, name)).to(device)


def _checked(X: ArrayLike) -> Array:
    values = np.asarray(X)
    if values.ndim != 2 or values.dtype.kind not in "fiub" or 0 in values.shape:
        msg = (
            f"X has shape {values.shape} and dtype {values.dtype}; expected numbers of shape "
            "(n_trs, n_features), with one row and one column or more."
        )
        raise ValueError(msg)
    _check_finite(values, values, "")
    return values


def _copied(values: Array, means: Array | None, dtype: str) -> Array:
    copy = np.empty(values.shape, dtype=dtype)
    with np.errstate(over="ignore"):  # too large for float32: found right below
        for rows in _chunks(*values.shape):
            copy[rows] = values[rows] if means is None else values[rows] - means
    _check_finite(copy, values, f" (too large for {dtype}: scale X, or choose float64)")
    return copy


def _check_finite(values: Array, shown: Array, reason: str) -> None:
    for rows in _chunks(*values.shape):
        bad = ~np.isfinite(values[rows])
        if bad.any():
            row, column = (int(i) for i in np.argwhere(bad)[0])
            row += rows.start
            msg = (
                f"X is {shown[row, column]} at row {row}, column {column}{reason}; expected finite "
                "numbers. Repair the features, or leave that TR out."
            )
            raise FitError(msg)


def _row_products(X: Tensor, other: Tensor | None = None) -> Tensor:
    """Sum ``X otherᵀ`` in float64, some columns at a time."""
    width = len(X) if other is None else len(other)
    total = torch.zeros((len(X), width), dtype=torch.float64, device=X.device)
    for columns in _chunks(X.shape[1], len(X) + width):
        part = X[:, columns].double()
        total.addmm_(part, part.T if other is None else other[:, columns].double().T)
    return total


def _column_products(X: Tensor) -> Tensor:
    """Sum ``Xᵀ X`` in float64, some rows at a time."""
    total = torch.zeros((X.shape[1], X.shape[1]), dtype=torch.float64, device=X.device)
    for rows in _chunks(*X.shape):
        part = X[rows].double()
        total.addmm_(part.T, part)
    return total


def _about_training_mean(kernel: Tensor, across: Tensor) -> tuple[Tensor, Tensor]:
    """Products that rows would have about the mean of the training rows."""
    by_row = kernel.mean(0)
    overall = by_row.mean()
    across = across - across.mean(1, keepdim=True) - by_row + overall
    return kernel - by_row - by_row[:, None] + overall, across


def _eigh(products: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues above rounding, and their vectors."""
    size = len(products)
    try:
        eigenvalues, vectors = torch.linalg.eigh(products)
        is_solved = bool(eigenvalues.isfinite().all())
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        is_solved = False
    if not is_solved:
        msg = (
            f"the Gram matrix of X ({size} × {size}) could not be decomposed; its largest number "
            f"is {float(products.abs().max()):.3g}. Bring the features to similar scales."
        )
        raise FitError(msg)
    cutoff = eigenvalues[-1].clamp_min(0) * size * torch.finfo(torch.float64).eps
    n_lost = int((eigenvalues <= cutoff).sum())
    return eigenvalues[n_lost:], vectors[:, n_lost:]


def _chunks(n_rows: int, row_length: int) -> Iterator[slice]:
    step = max(1, _CHUNK // max(1, row_length))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def _bytes_needed(n_trs: int, n_features: int, itemsize: int) -> int:
    """Bytes of X, its products, and one decomposition with its workspace."""
    smaller = min(n_trs, n_features)
    larger = max(n_trs, n_features)
    # Products, a split's part of them, eigenvectors, and twice that for LAPACK's workspace.
    square = 5 * 8 * smaller * smaller
    # Singular vectors of the longer side: float64 while they are made, then as X.
    oblong = (8 + itemsize) * smaller * larger
    # X, and the rows of one part.
    return square + oblong + 2 * itemsize * n_trs * n_features
