"""Voxel blocks from a memory budget, and the voxels that cannot be fitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._device import choose_device, choose_dtype
from voxscale.arrays._memory import available_bytes
from voxscale.errors import FitError

__all__ = [
    "VoxelBlocks",
    "block_width",
    "budget_bytes",
    "check_budget",
    "resolve_device",
    "resolve_dtype",
]

GIB = 2**30
_DTYPES = ("float32", "float64")
_SHARE = 0.7  # of the free memory; the rest is left to everybody else
# Wider blocks than this gain no speed: on a CPU they only fall out of its caches.
_COMFORTABLE_BYTES = {"cpu": 64 * 2**20, "cuda": 2 * GIB}
_NARROWEST_COMFORTABLE = 1024


def resolve_device(device: str | torch.device | None) -> torch.device:
    """Choose where the algebra runs: as told, else cuda when there is one, else the CPU.

    Raises
    ------
    ValueError
        If the device is unknown or not available, or cannot decompose in float64.
    """
    return choose_device(device, float64=True)


def resolve_dtype(dtype: Any) -> torch.dtype:
    """Look up float32 or float64, by name or as a dtype of torch or numpy.

    Raises
    ------
    ValueError
        If it is neither.
    """
    return choose_dtype(dtype, _DTYPES)


def budget_bytes(memory_gib: float | None, device: torch.device) -> int:
    """Turn a budget in GiB into bytes; without one, take 70 % of what is free.

    Raises
    ------
    ValueError
        If the budget is not a positive number.
    """
    if memory_gib is None:
        return int(_SHARE * available_bytes(device))
    if not (np.isfinite(memory_gib) and memory_gib > 0):
        msg = f"memory_gib is {memory_gib}; expected a positive number of GiB, or None."
        raise ValueError(msg)
    return int(memory_gib * GIB)


def check_budget(needed: int, budget: int, what: str) -> None:
    """Raise a FitError that states both numbers if the budget is too small."""
    if needed > budget:
        msg = (
            f"{what} needs {_readable(needed)}, {_readable(budget)} may be used; use fewer delays "
            "or features, or raise memory_gib."
        )
        raise FitError(msg)


def block_width(bytes_per_voxel: int, budget: int, device: torch.device) -> int:
    """Choose how many voxels to work on at once.

    Raises
    ------
    FitError
        If not even one voxel fits the budget.
    """
    check_budget(bytes_per_voxel, budget, "working on one voxel beside the decomposition")
    comfortable = _COMFORTABLE_BYTES[device.type] // bytes_per_voxel
    return min(budget // bytes_per_voxel, max(comfortable, _NARROWEST_COMFORTABLE))


@dataclass(frozen=True, eq=False)
class VoxelBlocks:
    """Responses, read a block of voxels at a time.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        May be a memory map; read by blocks, never written to.
    dtype : torch.dtype
    device : torch.device
    not_finite, constant : array of bool, shape (n_voxels,)
        Voxels that cannot be fitted; they are read as zeros.
    """

    Y: Array
    dtype: torch.dtype
    device: torch.device
    not_finite: Array
    constant: Array

    @classmethod
    def of(cls, Y: Array, dtype: torch.dtype, device: torch.device) -> VoxelBlocks:
        """Look through the responses for voxels that cannot be fitted."""
        if Y.ndim != 2 or Y.dtype.kind not in "fiub":
            msg = f"Y has shape {Y.shape} and dtype {Y.dtype}; expected (n_trs, n_voxels) numbers."
            raise ValueError(msg)
        not_finite = np.zeros(Y.shape[1], dtype=bool)
        constant = np.zeros(Y.shape[1], dtype=bool)
        width = max(1, _COMFORTABLE_BYTES["cpu"] // (8 * len(Y)))
        for block in _slices(Y.shape[1], width):
            values = _cast(Y[:, block], dtype)
            not_finite[block] = ~np.isfinite(values).all(axis=0)
            constant[block] = (values == values[0]).all(axis=0)
        return cls(Y, dtype, device, not_finite, constant)

    @property
    def undefined(self) -> Array:
        """Voxels that cannot be fitted, for either reason."""
        return self.not_finite | self.constant

    @property
    def dtype_name(self) -> str:
        """Name of the dtype, as numpy has it."""
        return str(self.dtype).removeprefix("torch.")

    def read(self, width: int) -> Iterator[tuple[slice, Tensor]]:
        """Yield each block's place and its values, of shape (n_trs, n_block_voxels)."""
        undefined = self.undefined
        for block in _slices(self.Y.shape[1], width):
            values = _cast(self.Y[:, block], self.dtype)
            values[:, undefined[block]] = 0
            yield block, torch.from_numpy(values).to(self.device)


def _cast(values: Array, dtype: torch.dtype) -> Array:
    with np.errstate(over="ignore", invalid="ignore"):  # too large for float32: inf, found above
        return np.array(values, dtype=str(dtype).removeprefix("torch."), order="C")


def _slices(n_voxels: int, width: int) -> Iterator[slice]:
    for start in range(0, n_voxels, width):
        yield slice(start, min(start + width, n_voxels))


def _readable(n_bytes: int) -> str:
    for unit, size in (("GiB", GIB), ("MiB", 2**20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.4g} {unit}"
    return f"{max(0, n_bytes) / 2**10:.4g} KiB"
