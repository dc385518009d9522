"""From the training responses to inputs ``Uᵀ Y``: by a matrix, or by way of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from voxscale.arrays._linalg import matmul
from voxscale.fit._costs import pays_by_features
from voxscale.fit._decompose import Gram
from voxscale.fit._decompositions import Spectrum
from voxscale.fit._design import chunks, converted_bytes
from voxscale.fit._plan import device_kind

__all__ = ["ByFeatures", "ByMatrix", "ToInputs", "go_by_features"]


class ToInputs(Protocol):
    """What takes training responses (n_train, n_voxels) to inputs (n_inputs, n_voxels).

    Responses are about their mean with an intercept, times the roots of the weights of their rows.
    """

    def __call__(self, values: Tensor) -> Tensor: ...

    @property
    def n_bytes(self) -> int: ...

    @property
    def flop_per_voxel(self) -> float: ...


@dataclass(frozen=True, eq=False)
class ByMatrix:
    """By one product with a matrix, for many voxels.

    Parameters
    ----------
    matrix : tensor of shape (n_inputs, n_train)
    """

    matrix: Tensor

    def __call__(self, values: Tensor) -> Tensor:
        """Multiply."""
        return matmul(self.matrix, values)

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, whatever the voxels."""
        return self.matrix.nbytes

    @property
    def flop_per_voxel(self) -> float:
        """Floating-point operations for one voxel."""
        return 2.0 * self.matrix.numel()


@dataclass(frozen=True, eq=False)
class ByFeatures:
    """By way of the features, for few voxels: ``Uᵀ Y = (V / S)ᵀ (Xᵀ Y)``, and no ``U`` is made.

    Parameters
    ----------
    gram : Gram
    rows : tensor of int64, shape (n_train,)
        Rows that train.
    spectrum : Spectrum
        Of these rows.

    Notes
    -----
    ``1 / S`` enlarges what rounding leaves of ``Xᵀ Y`` in the weak directions, by as much as they
    are weaker than the strongest. So both products are float64, whatever the dtype of the design.
    """

    gram: Gram
    rows: Tensor
    spectrum: Spectrum

    def __call__(self, values: Tensor) -> Tensor:
        """Multiply with the features of some rows at a time, then with ``V / S``."""
        X, n_voxels = self.gram.X, values.shape[1]
        total = torch.zeros((X.shape[1], n_voxels), dtype=torch.float64, device=X.device)
        rest = total.new_zeros(n_voxels)
        for part in chunks(len(self.rows), X.shape[1]):
            rows, exact = self.rows[part], values[part].double()
            total += matmul(X[rows].double().T, exact)
            rest += self.gram.root[rows] @ exact
        if self.spectrum.mean is not None:
            # Responses about their mean leave nothing but the rounding of their dtype.
            total -= torch.outer(self.spectrum.mean, rest)
        return matmul(self.spectrum.scaled.T, total).to(values.dtype)

    @property
    def n_bytes(self) -> int:
        """Memory that it takes, whatever the voxels; rows while they are float64 included."""
        return self.spectrum.scaled.nbytes + converted_bytes(
            len(self.rows), self.gram.X.shape[1], self.gram.X.element_size()
        )

    @property
    def flop_per_voxel(self) -> float:
        """Floating-point operations for one voxel."""
        n_features, rank = self.spectrum.scaled.shape
        return 2.0 * n_features * (len(self.rows) + rank)


def go_by_features(gram: Gram, n_train: int, n_voxels: int) -> bool:
    """Tell whether so many voxels go by way of the features; in the primal form alone."""
    return pays_by_features(n_train, gram.X.shape[1], n_voxels, device_kind(gram.X.device))
