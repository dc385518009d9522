"""Predictions at many alphas from few products, and their sums with the responses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._linalg import matmul, row_sums
from voxscale.fit._shrinkage import Curves, Stretch

__all__ = ["AlphaSums", "Products", "Workspace", "as_tensor", "tiles", "voxel_tiles"]

# Rows and voxels worked on at once: on a CPU, so that all products of a tile stay in its caches.
_TILE_ROWS = {"cpu": 256, "cuda": 4096}
_TILE_BYTES = {"cpu": 12 * 2**20, "cuda": 2**30}
_TILE_VOXELS = {"cpu": (512, 512), "cuda": (512, 8192)}  # least and most


class Workspace:
    """Memory that is used again for every tile: new memory would cost as much as a product.

    Parameters
    ----------
    like : tensor
        Its dtype and device are taken.
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._held: dict[str, Tensor] = {}

    def take(self, name: str, *shape: int) -> Tensor:
        """Give a tensor of some shape; what an earlier one of that name held is lost."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.numel() < size:
            held = self._held[name] = self._like.new_empty(size)
        return held[:size].view(shape)


@dataclass(frozen=True, eq=False)
class Products:
    """The products ``rows · (shrinkage ∘ inputs)`` for all rows of a table of shrinkages.

    Parameters
    ----------
    parts : list of (slice, tensor of shape (n_products · n_rows, n_columns))
        Rows, times the factors of a stretch of the spectrum, stacked.
    mixing : tensor of shape (n_out, n_products), or None
        None: the products themselves are wanted.
    n_rows : int
    """

    parts: list[tuple[slice, Tensor]]
    mixing: Tensor | None
    n_rows: int

    @classmethod
    def of(cls, rows: Tensor, stretches: Sequence[Stretch], dtype: torch.dtype) -> Products:
        """Multiply the rows (n_rows, rank), float64, with the factors of each stretch."""
        parts = []
        for stretch in stretches:
            factors = torch.from_numpy(stretch.factors).to(rows.device)
            stacked = (rows[:, stretch.columns] * factors[:, None]).to(dtype)
            parts.append((stretch.columns, stacked.flatten(0, 1)))
        mixing = np.concatenate([stretch.mixing for stretch in stretches], axis=1)
        is_direct = len(stretches) == 1 and mixing.shape[0] == mixing.shape[1]
        if is_direct and (mixing == np.eye(len(mixing))).all():
            return cls(parts, None, len(rows))
        return cls(parts, torch.from_numpy(mixing).to(rows.device, dtype), len(rows))

    @property
    def n_products(self) -> int:
        """Matrix products that are made."""
        return sum(len(stacked) for _, stacked in self.parts) // max(1, self.n_rows)

    @property
    def n_bytes(self) -> int:
        """Memory that the factors take."""
        return sum(stacked.nbytes for _, stacked in self.parts)

    @property
    def flop_per_voxel(self) -> float:
        """Floating-point operations for one column of inputs."""
        products = sum(2.0 * stacked.numel() for _, stacked in self.parts)
        mixed = 0 if self.mixing is None else 2.0 * self.mixing.numel() * self.n_rows
        return products + mixed

    def __call__(self, inputs: Tensor, workspace: Workspace) -> Tensor:
        """Multiply; inputs (rank, n_voxels) give (n_out, n_rows, n_voxels), in the workspace."""
        n_voxels = inputs.shape[1]
        made = workspace.take("products", self.n_products * self.n_rows, n_voxels)
        start = 0
        for columns, stacked in self.parts:
            matmul(stacked, inputs[columns], out=made[start : start + len(stacked)])
            start += len(stacked)
        if self.mixing is None:
            return made.view(-1, self.n_rows, n_voxels)
        mixed = workspace.take("mixed", len(self.mixing), self.n_rows * n_voxels)
        matmul(self.mixing, made.view(self.n_products, -1), out=mixed)
        return mixed.view(len(self.mixing), self.n_rows, n_voxels)


class AlphaSums:
    """Sums over validation rows of ``y · p`` and ``p · p``, float64, gathered tile by tile.

    Parameters
    ----------
    n_few, n_voxels : int
    device : torch.device
    """

    def __init__(self, n_few: int, n_voxels: int, device: torch.device) -> None:
        self.yp = torch.zeros((n_few, n_voxels), dtype=torch.float64, device=device)
        self.pp = torch.zeros_like(self.yp)

    def add(self, voxels: slice, predictions: Tensor, y: Tensor) -> None:
        """Add rows: predictions (n_few, n_rows, n_tile_voxels), responses (n_rows, …), centred."""
        for i, prediction in enumerate(predictions):
            self.yp[i, voxels] += row_sums(prediction, y)
            self.pp[i, voxels] += row_sums(prediction, prediction)

    def along(self, curves: Curves) -> tuple[Tensor, Tensor]:
        """Give the sums at all alphas, each (n_alphas, n_voxels)."""
        if len(curves.at) == len(curves.linear):
            return self.yp, self.pp
        device = self.yp.device
        yp = matmul(torch.from_numpy(curves.linear).to(device), self.yp)
        pp = matmul(torch.from_numpy(curves.squared).to(device), self.pp)
        return yp, pp.clamp_min_(0)


def tiles(n_rows: int, device: torch.device) -> Iterator[slice]:
    """Rows that are worked on together."""
    step = _TILE_ROWS[device.type]
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def voxel_tiles(n_voxels: int, bytes_per_voxel: int, device: torch.device) -> Iterator[slice]:
    """Voxels that are worked on together."""
    least, most = _TILE_VOXELS[device.type]
    step = min(max(_TILE_BYTES[device.type] // max(1, bytes_per_voxel), least), most)
    for start in range(0, n_voxels, step):
        yield slice(start, min(start + step, n_voxels))


def as_tensor(values: Array, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Move a numpy array to where a tensor is."""
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device, dtype or like.dtype)
