"""One symmetric eigendecomposition per design, primal or dual by shape, always in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from voxscale.arrays._columns import Columns
from voxscale.arrays._linalg import gram, matmul, square_part
from voxscale.fit._blocks import budget_bytes, check_budget, resolve_device, resolve_dtype
from voxscale.fit._decompositions import (
    Bordering,
    Decomposition,
    Form,
    Penalised,
    Spectrum,
    Whole,
    about_training_mean,
    above_rounding,
    cross_products,
)
from voxscale.fit._design import bytes_needed, chunks, means_of, read_design
from voxscale.fit._samples import Samples
from voxscale.fit._scoring import centred

# Where a Gram keeps the rows and products that it gave last.
_GROWN = "grown", b""

__all__ = ["Gram", "about_mean"]


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
    samples : Samples
        Rows that are kept, and what they were multiplied with.

    Examples
    --------
    >>> Gram.of([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], device="cpu").form
    'dual'
    """

    X: Tensor
    products: Tensor
    means: Tensor | None
    budget: int
    samples: Samples
    _recent: dict[tuple[str, bytes], tuple[Any, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        X: Any,
        *,
        sample_weight: ArrayLike | None = None,
        fit_intercept: bool = False,
        device: str | torch.device | None = None,
        dtype: Any = "float32",
        memory_gib: float | None = None,
    ) -> Gram:
        """Check and copy a design matrix, and sum its products.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
            In memory or on disk, as :class:`Columns` takes it.
        sample_weight : array of shape (n_trs,), optional
            Weights of squared errors; TRs of weight 0 are left out.
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
        columns = Columns.of(X, "X")
        samples = Samples.of(sample_weight, columns.shape[0])
        n_trs, n_features = samples.n_kept, columns.shape[1]
        needed = bytes_needed(n_trs, n_features, torch_dtype.itemsize)
        name = str(torch_dtype).removeprefix("torch.")
        check_budget(needed, budget, f"decomposing X ({n_trs} × {n_features}, {name})")
        means = means_of(columns, samples) if fit_intercept else None
        values = read_design(columns, samples, name, means)
        design = torch.from_numpy(values).to(chosen)
        products = gram(design, of_columns=n_trs > n_features)
        on_device = None if means is None else torch.from_numpy(means).to(chosen)
        return cls(design, products, on_device, budget, samples)

    def of_rows(self, rows: ArrayLike) -> Gram:
        """Sum the products of some of these rows, from what is summed already where that is less.

        Parameters
        ----------
        rows : array of int, shape (n_rows,)
            No row twice; the new design has them in this order.

        Returns
        -------
        Gram
            As ``Gram.of`` of these rows has it, but for rounding of float64.

        Raises
        ------
        ValueError
            If this Gram has an intercept or weights of rows, which are about all its rows.

        Examples
        --------
        >>> whole = Gram.of([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]], device="cpu")
        >>> whole.of_rows([1]).products
        tensor([[4.]], dtype=torch.float64)
        """
        if self.means is not None or self.samples.root is not None:
            msg = "a Gram with an intercept or weights is about all its rows; make one of the rows."
            raise ValueError(msg)
        chosen = torch.tensor(np.array(rows, dtype=np.int64), device=self.X.device)
        if self.form == "dual":
            products = square_part(self.products, chosen)
        elif len(chosen) <= self.X.shape[1]:
            products = gram(self.X[chosen])
        else:
            products = self._grown(chosen)
        budget = self.budget - self.held_bytes
        return Gram(self.X[chosen], products, None, budget, Samples.of(None, len(chosen)))

    @property
    def form(self) -> Form:
        """Which products are held."""
        n_trs, n_features = self.X.shape
        return "dual" if n_trs <= n_features else "primal"

    @property
    def held_bytes(self) -> int:
        """Bytes that the design, its products, and decompositions that are kept take."""
        kept = [
            *vars(self).get("whole", ()),
            *(one for some in self._recent.values() for one in some),
        ]
        kept_bytes = sum(one.nbytes for one in kept if isinstance(one, Tensor))
        return self.X.nbytes + self.products.nbytes + kept_bytes

    def release(self) -> None:
        """Drop the decompositions that are kept; they are made again if asked for."""
        self._recent.clear()
        self.__dict__.pop("whole", None)

    @cached_property
    def whole(self) -> Whole:
        """Decomposition of all rows, computed once."""
        products, mean = self.products, None
        if self.form == "primal":
            every = torch.arange(len(self.X), device=self.X.device)
            products, mean = self._centred_products(every)
            eigenvalues, right, _ = above_rounding(products)
            left = self._project(every, mean, right / eigenvalues.sqrt())
            return Whole("primal", eigenvalues, left, right, None)
        if self.means is not None:
            products, _ = about_training_mean(products, products, self.root, self.root)
        eigenvalues, left, null = above_rounding(products)
        return Whole("dual", eigenvalues, left, None, null)

    @cached_property
    def root(self) -> Tensor:
        """Square roots of the weights of rows, (n_trs,), float64; 1 where nothing weighs."""
        root = self.samples.root
        if root is None:
            return torch.ones(len(self.X), dtype=torch.float64, device=self.X.device)
        return torch.from_numpy(root).to(self.X.device)

    def unweighted(self, values: Tensor, rows: Tensor) -> Tensor:
        """Divide rows by what they were multiplied with."""
        return values if self.samples.root is None else values / self.root[rows, None]

    def about_mean(self, values: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Subtract the weighted mean of some rows; values (n_rows, n_voxels) of responses.

        Returns the rest in the dtype of the design, and the mean, (n_voxels,), float64.
        """
        root = None if self.samples.root is None else self.root[rows]
        exact, mean = about_mean(values, root)
        return exact.to(self.X.dtype), mean

    def penalised(self, train: Tensor, validation: Tensor) -> Penalised:
        """Products of some rows to which a penalty can be added, and rows to be predicted."""
        if len(train) <= self.X.shape[1]:
            kernel, across = self._kernels(train, validation)
            return Penalised("dual", kernel, self.unweighted(across, validation), None)
        products, mean = self._centred_products(train)
        rows = self.X[validation].double()
        if mean is not None:
            rows -= torch.outer(self.root[validation], mean)
        return Penalised("primal", products, self.unweighted(rows, validation), mean)

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

    def spectrum(self, train: Tensor) -> Spectrum:
        """Decompose the columns of some rows, more than there are features; not the rows.

        Parameters
        ----------
        train : tensor of int64
            Row numbers; no row twice. The decomposition that was made last is kept.
        """

        def decomposed() -> Spectrum:
            products, mean = self._centred_products(train)
            eigenvalues, right, _ = above_rounding(products)
            return Spectrum(eigenvalues, right / eigenvalues.sqrt(), mean)

        return Spectrum(*self._remembered("columns", train, decomposed))

    def rotated(self, rows: Tensor, onto: Spectrum) -> Tensor:
        """Predict from inputs: ``rows V / S``, (n_rows, rank), float64, weights taken out."""
        return self.unweighted(self._project(rows, onto.mean, onto.scaled), rows)

    def bordered(self, train: Tensor) -> Bordering:
        """Decompose some rows, and keep the products of all others; in the dual form alone.

        Parameters
        ----------
        train : tensor of int64
            Row numbers; may be none.
        """
        trains = torch.zeros_like(self.root)
        trains[train] = self.root[train]
        others = (trains == 0).nonzero()[:, 0]
        # Of the training rows, times every row; without an intercept nothing is about a mean.
        mean = torch.zeros_like(self.root)
        if self.means is not None and len(train):
            mean = self.products @ trains / trains.square().sum()
        overall = trains @ mean / trains.square().sum() if len(train) else 0.0

        def about_mean(rows: Tensor, columns: Tensor) -> Tensor:
            part = self.products[rows][:, columns]
            part -= torch.outer(self.root[rows], mean[columns] - overall * self.root[columns])
            return part.sub_(torch.outer(mean[rows], self.root[columns]))

        def decomposed() -> tuple[Tensor, ...]:
            return above_rounding(self._kernels(train, others[:0])[0])[:2]

        own = about_mean(others, others)
        if not len(train):
            nothing = own[:, :0]
            return Bordering(train, others, nothing[0], nothing[:0], nothing, own)
        eigenvalues, left = self._remembered("rows", train, decomposed)
        across = matmul(about_mean(others, train), left)
        return Bordering(train, others, eigenvalues, left, across, own)

    def _kernels(self, train: Tensor, validation: Tensor) -> tuple[Tensor, Tensor]:
        """Products of training rows among themselves, and of validation rows with them."""
        if self.form == "dual":
            kernel = self.products[train][:, train]
            across = self.products[validation][:, train]
        else:
            part = self.X[train]
            kernel, across = gram(part), cross_products(self.X[validation], part)
        if self.means is None:
            return kernel, across
        return about_training_mean(kernel, across, self.root[train], self.root[validation])

    def _centred_products(self, train: Tensor) -> tuple[Tensor, Tensor | None]:
        """Products of columns about their training mean, and that mean."""
        products = self._products_of(train)
        if self.means is None:
            return products, None
        root = self.root[train]
        size = float(root.square().sum())
        mean = (
            sum(
                (
                    root[rows] @ self.X[train[rows]].double()
                    for rows in chunks(len(train), self.X.shape[1])
                ),
                start=self.X.new_zeros(self.X.shape[1], dtype=torch.float64),
            )
            / size
        )
        return products - size * torch.outer(mean, mean), mean

    def _dual(self, train: Tensor, validation: Tensor) -> Decomposition:
        kernel, across = self._kernels(train, validation)
        eigenvalues, left = self._remembered("rows", train, lambda: above_rounding(kernel)[:2])
        rotated = self.unweighted(matmul(across, left / eigenvalues), validation)
        return Decomposition("dual", eigenvalues, left.to(self.X.dtype), rotated)

    def _primal(self, train: Tensor, validation: Tensor) -> Decomposition:
        parts = self.spectrum(train)
        (left,) = self._remembered(
            "left",
            train,
            lambda: (self._project(train, parts.mean, parts.scaled).to(self.X.dtype),),
        )
        return Decomposition("primal", parts.eigenvalues, left, self.rotated(validation, parts))

    def _remembered(
        self, name: str, train: Tensor, make: Callable[[], tuple[Any, ...]]
    ) -> tuple[Any, ...]:
        """Make something of training rows, or give what was made of the same rows just before."""
        rows = train.cpu().numpy().tobytes()
        if (name, rows) not in self._recent:
            for other in [key for key in self._recent if key[1] != rows]:
                del self._recent[other]
            self._recent[name, rows] = make()
        return self._recent[name, rows]

    def _grown(self, rows: Tensor) -> Tensor:
        """Sum column products of some rows: onto those of the rows before, if these are among them.

        So that nested sets of rows, each larger than the one before, are summed once.
        """
        wanted = torch.zeros(len(self.X), dtype=torch.bool, device=self.X.device)
        wanted[rows] = True
        before = self._recent.get(_GROWN)
        if before is not None and bool((before[0] & ~wanted).any()):
            before = None
        n_more = len(rows) - (int(before[0].sum()) if before is not None else 0)
        if before is None or n_more > len(self.X) - len(rows):
            products = self._products_of(rows)
        else:
            more = wanted & ~before[0]
            products = before[1] + gram(self.X[more], of_columns=True)
        self._recent[_GROWN] = (wanted, products)
        return products

    def _products_of(self, train: Tensor) -> Tensor:
        """Column products of some rows: all of them less the others, where that is exact."""
        n_trs = len(self.X)
        if len(train) == n_trs:
            return self.products
        others = torch.ones(n_trs, dtype=torch.bool, device=self.X.device)
        others[train] = False
        if 2 * len(train) > n_trs:
            removed = gram(self.X[others], of_columns=True)
            # If the others hold most of the energy, the difference would be rounding.
            if 2 * removed.trace() <= self.products.trace():
                return self.products - removed
        return gram(self.X[train], of_columns=True)

    def _project(self, rows: Tensor, mean: Tensor | None, onto: Tensor) -> Tensor:
        projected = torch.empty((len(rows), onto.shape[1]), dtype=torch.float64, device=onto.device)
        for chunk in chunks(len(rows), self.X.shape[1]):
            values = self.X[rows[chunk]].double()
            if mean is not None:
                values -= torch.outer(self.root[rows[chunk]], mean)
            projected[chunk] = matmul(values, onto)
        return projected


def about_mean(values: Tensor, root: Tensor | None) -> tuple[Tensor, Tensor]:
    """Subtract the weighted mean of rows that were multiplied with these roots of weights.

    Returns the rest, float64, and the mean, (n_voxels,), float64.
    """
    if root is None:
        return centred(values)
    exact = values.double()
    mean = root @ exact / root.square().sum()
    return exact - torch.outer(root, mean), mean
