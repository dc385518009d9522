"""One fold of one design: its training rows decomposed once, to predict the others anywhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import matmul
from voxscale.fit._decompose import Gram, about_mean
from voxscale.fit._splits import Split

__all__ = ["Fold", "kept_bytes", "making_bytes", "working_bytes"]


@dataclass(frozen=True, eq=False)
class Fold:
    """Predictions of rows that are left out, for any block of voxels at any alphas.

    It holds no design and no products of one. Predictions are
    ``rotated · S² / (S² + alpha) · Uᵀ Y``.

    Parameters
    ----------
    train : tensor of int64, shape (n_train,)
        Among the rows that count.
    eigenvalues : tensor of shape (rank, 1)
        ``S²``.
    left : tensor of shape (n_train, rank)
        ``U``.
    rotated : tensor of shape (n_held, rank)
    root : tensor of shape (n_train,), float64, or None
        Square roots of the weights of rows; None: all weigh the same.
    has_mean : bool
        Responses are predicted about their mean over the training rows.
    """

    train: Tensor
    eigenvalues: Tensor
    left: Tensor
    rotated: Tensor
    root: Tensor | None
    has_mean: bool

    @classmethod
    def of(cls, gram: Gram, split: Split) -> Fold:
        """Decompose the rows that train; row numbers are among those that count."""
        train, held = (torch.from_numpy(rows).to(gram.X.device) for rows in split)
        parts, dtype = gram.split(train, held), gram.X.dtype
        gram.release()
        return cls(
            train,
            parts.eigenvalues[:, None].to(dtype),
            parts.left,
            parts.rotated.to(dtype),
            None if gram.samples.root is None else gram.root[train],
            gram.means is not None,
        )

    def __call__(self, values: Tensor, alphas: Array) -> Tensor:
        """Predict the rows left out, (n_held, n_block_voxels).

        ``values`` (n_trs, n_block_voxels) are responses of all rows that count, times the roots
        of their weights; ``alphas`` are (n_block_voxels,).
        """
        trained_on, mean = values[self.train], None
        if self.has_mean:
            exact, mean = about_mean(trained_on, self.root)
            trained_on = exact.to(values.dtype)
        inputs = matmul(self.left.T, trained_on).mul_(self.eigenvalues)
        inputs /= self.eigenvalues + torch.from_numpy(alphas).to(inputs)
        predicted = matmul(self.rotated, inputs)
        return predicted if mean is None else predicted + mean.to(predicted.dtype)


def kept_bytes(sizes: tuple[int, int], n_features: int, itemsize: int) -> int:
    """Bytes of a fold with so many rows that train and that are left out."""
    return itemsize * (sum(sizes) + 1) * min(sizes[0], n_features) + 16 * sizes[0]


def making_bytes(sizes: tuple[int, int], n_features: int) -> int:
    """Bytes that making a fold takes besides, in float64."""
    rank = min(sizes[0], n_features)
    return 8 * (sizes[0] + 2 * sizes[1]) * rank + 4 * 8 * rank**2


def working_bytes(sizes: tuple[int, int], n_features: int, itemsize: int) -> int:
    """Bytes for each voxel that is predicted."""
    return sizes[0] * (itemsize + 16) + 3 * itemsize * min(sizes[0], n_features) + 24 * sizes[1]
