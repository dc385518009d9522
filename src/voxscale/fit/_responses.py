"""Responses wherever they lie, read by blocks of voxels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns, read_ahead
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
    """Responses of shape (n_trs, n_voxels), in memory or on disk.

    Parameters
    ----------
    columns : Columns
    dtype : torch.dtype
        To compute in.
    device : torch.device
    """

    columns: Columns
    dtype: torch.dtype
    device: torch.device

    @classmethod
    def of(cls, Y: Any, dtype: torch.dtype, device: torch.device) -> Responses:
        """Take responses as they are, unread.

        Raises
        ------
        DataError
            If their file is closed already, or damaged.
        ValueError
            If they are not numbers of shape (n_trs, n_voxels).
        """
        try:
            columns = Columns.of(Y, "Y")
        except ValueError as error:
            if np.ndim(Y) == 1:
                msg = f"{error} Give a single voxel as Y[:, None]."
                raise ValueError(msg) from None
            raise
        return cls(columns, dtype, device)

    @property
    def shape(self) -> tuple[int, int]:
        """TRs and voxels."""
        return self.columns.shape

    def check_rows_of(self, X_shape: tuple[int, ...]) -> None:
        """Raise an AlignmentError that names both shapes if a design has other rows."""
        if X_shape[0] != self.shape[0]:
            msg = (
                f"X has shape {X_shape} but Y has shape {self.shape}; expected as many rows in "
                "both. Join features and responses on the TRs that they share."
            )
            raise AlignmentError(msg)

    def read(self, width: int) -> Iterator[Block]:
        """Yield blocks of at most so many voxels, of about equal width; the next is read ahead."""
        n_voxels = self.shape[1]
        n_blocks = -(-n_voxels // width)
        edges = [n_voxels * i // max(1, n_blocks) for i in range(n_blocks + 1)]
        voxels = [slice(start, stop) for start, stop in itertools.pairwise(edges)]
        name = str(self.dtype).removeprefix("torch.")
        with closing(read_ahead(self.columns, voxels, name)) as reading:
            for block, values in reading:
                yield self._block(block, values)

    def _block(self, voxels: slice, values: Array) -> Block:
        not_finite = np.asarray(~np.isfinite(values).all(axis=0))
        constant = np.asarray((values == values[:1]).all(axis=0))
        return Block(voxels, torch.from_numpy(values).to(self.device), not_finite, constant)
