"""Ways to the weights of a block of voxels, each at its own alpha."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import few_threads, inverse, matmul
from voxscale.arrays._linalg import gram as products_of_rows
from voxscale.fit._blocks import check_budget
from voxscale.fit._decompose import Gram
from voxscale.fit._decompositions import Bordering
from voxscale.fit._inputs import ByFeatures, ByMatrix, ToInputs, go_by_features
from voxscale.fit._plan import device_kind
from voxscale.fit._solvers import WeightsWork, cheapest_way, ways_to_weights

__all__ = ["Bordered", "Factored", "Maker", "Rotated", "cheapest_maker"]


# Below this share of the trace of a Gram matrix a penalty would drown in its rounding.
_LEAST_PENALTY = 1e-10
# Rounding of the inverses that is let pass, against the size of the design.
_LOST = 0.005


class Maker(Protocol):
    """Makes weights, or dual coefficients, of the rows that count.

    ``make(values, alphas)`` takes responses (n_trs, n_block_voxels), about their mean with an
    intercept, and an alpha for each voxel, float64; it gives (n_features, n_block_voxels), or
    (n_trs, n_block_voxels).
    """

    def __call__(self, values: Tensor, alphas: Tensor) -> Tensor: ...

    @property
    def n_bytes(self) -> int: ...


def cheapest_maker(
    gram: Gram, alphas: Array, kind: str, train: Array | None, available: int
) -> Maker:
    """Choose the cheapest way to the weights, at an alpha for each voxel, (n_voxels,), or NaN.

    Parameters
    ----------
    gram : Gram
    alphas : array of shape (n_voxels,)
    kind : {"primal", "dual"}
    train : array of int, or None
        Rows whose decomposition is at hand.
    available : int
        Bytes that may be used.

    Raises
    ------
    FitError
        If no way fits the memory.
    """
    device, n_voxels = gram.X.device, len(alphas)
    unique = np.unique(alphas[~np.isnan(alphas)])
    n_trs, n_features = gram.X.shape
    work = WeightsWork(
        n_trs,
        n_features,
        n_voxels,
        len(unique),
        gram.X.element_size(),
        device_kind(device),
        kind,
        n_known=0 if train is None else len(train),
    )
    energy = float(gram.products.trace())
    is_factorable = len(unique) and unique[0] > _LEAST_PENALTY * energy
    ways = None if is_factorable else ("rotated",)
    way = cheapest_way(work, available, ways)
    needed = gram.budget - available + ways_to_weights(work)[way].held_bytes
    check_budget(needed, gram.budget, f"solving for weights of X ({n_trs} × {n_features})")
    if way == "rotated":
        return Rotated.of(gram, kind, n_voxels, is_known=work.is_known)
    penalties = torch.from_numpy(unique).to(device)
    made: Bordered | Factored
    if gram.form == "primal":
        made = Factored.of(gram, penalties)
    else:
        rows = np.arange(0) if way == "factored" or train is None else train
        made = Bordered.of(gram, torch.from_numpy(rows).to(device), penalties, kind, n_voxels)
    # Where rows or features depend on each other and penalties are small, the inverses enlarge
    # what lies beside the design, and rounding does not take it away again as a rotation does.
    lost = made.inverses.enlargement * energy * torch.finfo(gram.X.dtype).eps
    if lost < _LOST:
        return made
    del made
    return Rotated.of(gram, kind, n_voxels, is_known=work.is_known)


@dataclass(frozen=True, eq=False)
class Rotated:
    """From the decomposition of all rows: ``to_weights · (Uᵀ Y / (S² + alpha))``.

    Parameters
    ----------
    to_inputs : ToInputs
        ``Uᵀ``.
    eigenvalues : tensor of shape (rank, 1)
    to_weights : list of tensor
        Multiplied from the last to the first.
    """

    to_inputs: ToInputs
    eigenvalues: Tensor
    to_weights: list[Tensor]

    @classmethod
    def of(cls, gram: Gram, kind: str, n_voxels: int, *, is_known: bool = False) -> Rotated:
        """Decompose all rows, unless that is done; of their columns alone where that is enough.

        ``is_known`` says that it is done. It is taken on trust, as ``train`` of ``solve`` is.
        """
        dtype, n_trs = gram.X.dtype, len(gram.X)
        is_at_hand = is_known or "whole" in vars(gram)
        if kind == "primal" and not is_at_hand and go_by_features(gram, n_trs, n_voxels):
            return cls._by_features(gram)
        whole = gram.whole
        left = whole.left.to(dtype)
        to_weights: list[Tensor] = [gram.X.T, left]
        if kind == "dual":
            to_weights = [(whole.left * gram.root[:, None]).to(dtype)]
        elif whole.right is not None:
            to_weights = [(whole.right * whole.eigenvalues.sqrt()).to(dtype)]
        elif n_voxels > gram.X.shape[1]:
            to_weights = [matmul(gram.X.T, left)]
        return cls(ByMatrix(left.T), whole.eigenvalues[:, None].to(dtype), to_weights)

    @classmethod
    def _by_features(cls, gram: Gram) -> Rotated:
        """Decompose the columns of all rows: ``U`` is not made."""
        every, dtype = torch.arange(len(gram.X), device=gram.X.device), gram.X.dtype
        parts = gram.spectrum(every)
        to_weights = (parts.scaled * parts.eigenvalues).to(dtype)
        return cls(
            ByFeatures(gram, every, parts), parts.eigenvalues[:, None].to(dtype), [to_weights]
        )

    def __call__(self, values: Tensor, alphas: Tensor) -> Tensor:
        """Rotate, shrink, rotate back."""
        found = self.to_inputs(values) / (self.eigenvalues + alphas.to(values.dtype))
        for factor in reversed(self.to_weights):
            found = matmul(factor, found)
        return found

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, whatever the voxels."""
        return self.to_inputs.n_bytes + sum(one.nbytes for one in self.to_weights)


@dataclass(frozen=True, eq=False)
class Factored:
    """From Cholesky factors in the primal form: ``(Xᵀ X + alpha)⁻¹ Xᵀ Y``.

    Parameters
    ----------
    X : tensor of shape (n_trs, n_features)
    inverses : _Inverses
    """

    X: Tensor
    inverses: _Inverses

    @classmethod
    def of(cls, gram: Gram, alphas: Tensor) -> Factored:
        """Factor at every alpha that occurs, (n_unique,)."""
        every = torch.arange(len(gram.X), device=gram.X.device)
        products = gram.penalised(every, every[:0]).products
        systems = (products + torch.diag(alpha.expand(len(products))) for alpha in alphas)
        return cls(gram.X, _Inverses.of(systems, alphas, gram.X.dtype))

    def __call__(self, values: Tensor, alphas: Tensor) -> Tensor:
        """Multiply with the design, then with the inverse of each alpha."""
        return self.inverses(matmul(self.X.T, values), alphas)

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, whatever the voxels."""
        return self.inverses.n_bytes


@dataclass(frozen=True, eq=False)
class Bordered:
    """From the decomposition of some rows, to which the others are added; in the dual form.

    With ``G`` the inverse of the kernel of these rows and its penalty, the coefficients of the
    others solve ``(own + alpha - across G acrossᵀ) d = y - across G y_train``, as in the inverse
    of a partitioned matrix. Where no rows are decomposed, this is a Cholesky factor per alpha.

    Parameters
    ----------
    gram : Gram
    train, others : tensor of int64
        Row numbers: those that are decomposed, and those that are not.
    left : tensor of shape (n_train, rank)
        ``U``.
    across : tensor of shape (n_others, rank)
        Products of the others with the training rows, times ``U``.
    eigenvalues : tensor of shape (rank, 1)
    inverses : _Inverses
        Of the systems of the others.
    to_weights : tensor of shape (n_features, rank + n_others), or None
        None: by way of the dual coefficients.
    kind : {"primal", "dual"}
    """

    gram: Gram
    train: Tensor
    others: Tensor
    left: Tensor
    across: Tensor
    eigenvalues: Tensor
    inverses: _Inverses
    to_weights: Tensor | None
    kind: str

    @classmethod
    def of(cls, gram: Gram, train: Tensor, alphas: Tensor, kind: str, n_voxels: int) -> Bordered:
        """Decompose the training rows, unless just done; factor at every alpha, (n_unique,)."""
        rows, dtype = gram.bordered(train), gram.X.dtype
        left = rows.left.to(dtype)
        to_weights = None
        if kind == "primal" and n_voxels > gram.X.shape[1]:
            of_train, of_others = gram.X[train], gram.X[rows.others]
            if gram.means is not None and len(train):
                root = gram.root[train]
                mean = (root.to(dtype) @ of_train) / root.square().sum()
                of_others = of_others - torch.outer(gram.root[rows.others], mean).to(dtype)
            to_weights = torch.cat([matmul(of_train.T, left), of_others.T], 1)
        return cls(
            gram,
            train,
            rows.others,
            left,
            rows.across.to(dtype),
            rows.eigenvalues[:, None].to(dtype),
            _Inverses.of(_border_systems(gram, rows, alphas), alphas, dtype),
            to_weights,
            kind,
        )

    def __call__(self, values: Tensor, alphas: Tensor) -> Tensor:
        """Solve for the coefficients of the others, then for those of the training rows."""
        trained_on, rest = values[self.train], values[self.others]
        has_mean = self.gram.means is not None and len(self.train) > 0
        if has_mean:
            trained_on, mean = self.gram.about_mean(trained_on, self.train)
            rest = rest - torch.outer(self.gram.root[self.others], mean).to(rest.dtype)
        penalised = self.eigenvalues + alphas.to(values.dtype)
        inputs = matmul(self.left.T, trained_on)
        of_others = self.inverses(rest - matmul(self.across, inputs / penalised), alphas)
        inputs = (inputs - matmul(self.across.T, of_others)) / penalised
        if self.to_weights is not None:
            return matmul(self.to_weights, torch.cat([inputs, of_others]))
        of_train = matmul(self.left, inputs)
        if has_mean:
            root = self.gram.root[self.train]
            total = self.gram.root[self.others] @ of_others.double() / root.square().sum()
            of_train -= torch.outer(root, total).to(of_train.dtype)
        found = torch.empty_like(values)
        found[self.train], found[self.others] = of_train, of_others
        if self.kind == "dual":
            return found * self.gram.root[:, None].to(found.dtype)
        return matmul(self.gram.X.T, found)

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, whatever the voxels."""
        to_weights = 0 if self.to_weights is None else self.to_weights.nbytes
        return self.left.nbytes + self.across.nbytes + self.inverses.n_bytes + to_weights


def _border_systems(gram: Gram, rows: Bordering, alphas: Tensor) -> Iterator[Tensor]:
    """Give what the coefficients of the other rows solve, at each alpha, float64."""
    for alpha in alphas:
        system = rows.own - products_of_rows(rows.across / (rows.eigenvalues + alpha).sqrt())
        if gram.means is not None and len(rows.train):
            # The coefficients of all rows sum to 0: those of the training rows share the rest.
            root, size = gram.root[rows.others], gram.root[rows.train].square().sum()
            system += torch.outer(alpha / size * root, root)
        system.diagonal().add_(alpha)
        yield system


@dataclass(frozen=True, eq=False)
class _Inverses:
    """Inverses of positive definite matrices, one for each alpha.

    A product with an inverse is faster than solving with its factor, and as exact: its matrix
    has a penalty on its diagonal.
    """

    alphas: Tensor
    matrices: list[Tensor]

    @classmethod
    def of(cls, matrices: Iterable[Tensor], alphas: Tensor, dtype: torch.dtype) -> _Inverses:
        """Invert in float64."""
        inverted = []
        for matrix in matrices:
            with few_threads(len(matrix), matrix.device):
                inverted.append(inverse(matrix).to(dtype))
        return cls(alphas, inverted)

    def __call__(self, values: Tensor, alphas: Tensor) -> Tensor:
        """Multiply each column with the inverse of its alpha; 0 where there is none."""
        found = torch.zeros_like(values)
        for alpha, inverted in zip(self.alphas, self.matrices, strict=True):
            columns = (alphas == alpha).nonzero()[:, 0]
            if len(columns):
                found[:, columns] = matmul(inverted, values[:, columns])
        return found

    @property
    def enlargement(self) -> float:
        """Size of what comes out for white noise of size 1 that goes in, the largest of all."""
        return max(
            (float(torch.linalg.matrix_norm(one)) / len(one) ** 0.5 for one in self.matrices),
            default=0.0,
        )

    @property
    def n_bytes(self) -> int:
        """Memory that the matrices take."""
        return sum(matrix.nbytes for matrix in self.matrices)
