"""Voxel blocks from a memory budget, and the voxels that cannot be fitted."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns, read_ahead
from voxscale.arrays._device import choose_device, choose_dtype
from voxscale.arrays._memory import available_bytes
from voxscale.errors import FitError, VoxscaleWarning
from voxscale.fit._results import Results
from voxscale.fit._samples import Samples

__all__ = [
    "VoxelBlocks",
    "block_width",
    "budget_bytes",
    "check_budget",
    "complaint",
    "readable",
    "resolve_device",
    "resolve_dtype",
]

GIB = 2**30
_DTYPES = ("float32", "float64")
_SHARE = 0.7  # of the free memory; the rest is left to everybody else
# Wider blocks than this gain no speed: on a CPU they only fall out of its caches.
_COMFORTABLE_BYTES = {"cpu": 64 * 2**20, "cuda": 2 * GIB}
_NARROWEST_COMFORTABLE = 1024
_NOT_FINITE, _CONSTANT = 1, 2


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
            f"{what} needs {readable(needed)}, {readable(budget)} may be used; use fewer delays "
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
    Y : Columns
        Of shape (n_trs, n_voxels), in memory or on disk; never written to.
    samples : Samples
        TRs that count.
    dtype : torch.dtype
    device : torch.device
    state : array of int8, shape (n_voxels,)
        Of the voxels that have been read: 0, or 1 if not finite, or 2 if constant; -1 before.
        Voxels that cannot be fitted are read as zeros.

    Notes
    -----
    While a block is worked on, the next is read.
    """

    Y: Columns
    samples: Samples
    dtype: torch.dtype
    device: torch.device
    state: Array

    @classmethod
    def of(
        cls, Y: Any, dtype: torch.dtype, device: torch.device, samples: Samples | None = None
    ) -> VoxelBlocks:
        """Take responses as they are; none of their numbers are read yet."""
        columns = Columns.of(Y, "Y")
        n_trs, n_voxels = columns.shape
        counted = Samples.of(None, n_trs) if samples is None else samples
        return cls(columns, counted, dtype, device, np.full(n_voxels, -1, dtype=np.int8))

    @property
    def n_voxels(self) -> int:
        """Columns of the responses."""
        return self.Y.shape[1]

    @property
    def not_finite(self) -> Array:
        """Voxels that hold NaN or infinity."""
        found: Array = self.state == _NOT_FINITE
        return found

    @property
    def constant(self) -> Array:
        """Voxels of one number only."""
        found: Array = self.state == _CONSTANT
        return found

    @property
    def undefined(self) -> Array:
        """Voxels that cannot be fitted, for either reason."""
        return self.state > 0

    def state_in(self, results: Results) -> Any:
        """Open the state that results keep, and take over what is known there."""
        kept = results.array("voxel_state", shape=(self.n_voxels,), dtype="int8", voxel_axis=0)
        known = np.asarray(kept[:])
        self.state[known >= 0] = known[known >= 0]
        return kept

    @property
    def dtype_name(self) -> str:
        """Name of the dtype, as numpy has it."""
        return str(self.dtype).removeprefix("torch.")

    def slices(self, width: int, multiple: int = 1) -> list[slice]:
        """Cut the voxels into blocks of whole chunks, as wide as they may be.

        ``multiple`` voxels are written together; that they are comes first.
        """
        both = math.lcm(self.Y.chunk_width, multiple)
        step = width // both * both or width // multiple * multiple or self.Y.aligned(width)
        n_voxels = self.n_voxels
        return [slice(start, min(start + step, n_voxels)) for start in range(0, n_voxels, step)]

    def read(self, blocks: Iterable[slice]) -> Iterator[tuple[slice, Tensor]]:
        """Yield each block's place and its values, of shape (n_kept_trs, n_block_voxels).

        Rows are multiplied with the roots of their weights.
        """
        with closing(read_ahead(self.Y, blocks, self.dtype_name)) as reading:
            for block, values in reading:
                yield block, self._usable(block, values)

    def warn_of(self, undefined: Array, *, stacklevel: int) -> None:
        """Warn of voxels without an answer, (n_voxels,) of bool: how many, and why."""
        if message := complaint(undefined, self.not_finite, self.constant):
            warnings.warn(message, VoxscaleWarning, stacklevel=stacklevel)

    def _usable(self, block: slice, values: Array) -> Tensor:
        if self.samples.kept is not None:
            values = values[self.samples.kept]
        state = np.where((values == values[0]).all(axis=0), _CONSTANT, 0)
        state[~np.isfinite(values).all(axis=0)] = _NOT_FINITE
        self.state[block] = state
        values[:, self.undefined[block]] = 0
        if self.samples.root is not None:
            values *= self.samples.root[:, None].astype(values.dtype)
        return torch.from_numpy(values).to(self.device)


def complaint(undefined: Array, not_finite: Array, constant: Array) -> str | None:
    """Say how many voxels have no answer, and why; None if all have one. All are (n_voxels,)."""
    n_undefined = int(undefined.sum())
    if not n_undefined:
        return None
    reasons = {
        "hold NaN or infinity": int(not_finite.sum()),
        "are constant": int(constant.sum()),
        "have no score in any split": int((undefined & ~(not_finite | constant)).sum()),
    }
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return (
        f"{n_undefined} of {len(undefined)} voxels could not be fitted ({counted}) and are NaN in "
        "weights, scores and predictions. Leave them out of Y to be rid of this warning."
    )


def readable(n_bytes: int) -> str:
    """Write a number of bytes as people do."""
    for unit, size in (("GiB", GIB), ("MiB", 2**20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.4g} {unit}"
    return f"{max(0, n_bytes) / 2**10:.4g} KiB"
