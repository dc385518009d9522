"""Responses wherever they lie, read by blocks of voxels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["Block", "Responses"]


@dataclass(frozen=True, eq=False)
class Block:
    """Some voxels of the responses.

    Parameters
    ----------
    voxels : slice
        Which they are.
    values : tensor of shape (n_trs, n_block_voxels)
    not_finite, constant : array of bool, shape (n_block_voxels,)
        Voxels that cannot be fitted.
    """

    voxels: slice
    values: Tensor
    not_finite: Array
    constant: Array

    @property
    def defined(self) -> Array:
        """Voxels that can be fitted."""
        return ~(self.not_finite | self.constant)


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses of shape (n_trs, n_voxels), in memory or not.

    Parameters
    ----------
    Y : array, or whatever gives arrays for ``Y[:, start:stop]``
    shape : tuple of int
    dtype : torch.dtype
        To compute in.
    device : torch.device
    """

    Y: Any
    shape: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, Y: Any, dtype: torch.dtype, device: torch.device) -> Responses:
        """Take responses as they are, unread.

        Raises
        ------
        ValueError
            If they are not numbers of shape (n_trs, n_voxels).
        """
        if not isinstance(getattr(Y, "dtype", None), np.dtype):
            Y = np.asarray(Y)
        shape = tuple(int(n) for n in Y.shape)
        if len(shape) != 2 or Y.dtype.kind not in "fiub":
            hint = " Give a single voxel as Y[:, None]." if len(shape) == 1 else ""
            msg = f"Y has shape {shape} and dtype {Y.dtype}; expected (n_trs, n_voxels) numbers."
            raise ValueError(msg + hint)
        return cls(Y, shape, dtype, device)

    def check_rows_of(self, X_shape: tuple[int, ...]) -> None:
        """Raise an AlignmentError that names both shapes if a design has other rows."""
        if X_shape[0] != self.shape[0]:
            msg = (
                f"X has shape {X_shape} but Y has shape {self.shape}; expected as many rows in "
                "both. Join features and responses on the TRs that they share."
            )
            raise AlignmentError(msg)

    def read(self, width: int) -> Iterator[Block]:
        """Yield blocks of at most so many voxels, of about equal width."""
        n_voxels = self.shape[1]
        n_blocks = -(-n_voxels // width)
        edges = [n_voxels * i // max(1, n_blocks) for i in range(n_blocks + 1)]
        for start, stop in itertools.pairwise(edges):
            yield self._block(slice(start, stop))

    def _block(self, voxels: slice) -> Block:
        own = np.asarray(self.Y[:, voxels])
        with np.errstate(over="ignore"):  # too large for float32: inf, found right below
            values = np.array(own, dtype=str(self.dtype).removeprefix("torch."), order="C")
        not_finite = ~np.isfinite(values).all(axis=0)
        constant = (values == values[:1]).all(axis=0)
        return Block(voxels, torch.from_numpy(values).to(self.device), not_finite, constant)
