"""Where results of a fit go, a block of voxels at a time: memory, or something that outlives it."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from voxscale.arrays import Array

__all__ = ["InMemory", "Results"]


class Results(Protocol):
    """What a fit writes to; ``voxscale.store.FitStore(path).open(...)`` gives one on disk.

    A stage of the fit is done for some voxels once all that it makes of them has been written;
    a fit that is started again goes on behind what is done.
    """

    @property
    def block_multiple(self) -> int:
        """Voxels that are stored together: blocks of multiples of it are written once."""

    def array(self, name: str, *, shape: tuple[int, ...], dtype: str, voxel_axis: int) -> Any:
        """Make an array (-1 if of integers), or open the one that is there."""

    def is_done(self, stage: str, start: int, stop: int) -> bool:
        """Tell whether a stage is done for voxels from ``start`` to ``stop``."""

    def mark_done(self, stage: str, start: int, stop: int) -> None:
        """Note that a stage is done for these voxels."""

    def finish(self) -> None:
        """Note that nothing is left to do."""


class InMemory:
    """Results as numpy arrays; nothing is done beforehand."""

    block_multiple = 1

    def __init__(self) -> None:
        self.arrays: dict[str, Array] = {}

    def array(self, name: str, *, shape: tuple[int, ...], dtype: str, voxel_axis: int) -> Array:
        """Make an array: -1 if of integers; of floats, what it holds is nothing until written."""
        del voxel_axis
        is_float = np.dtype(dtype).kind == "f"
        self.arrays[name] = np.empty(shape, dtype) if is_float else np.full(shape, -1, dtype)
        return self.arrays[name]

    def is_done(self, stage: str, start: int, stop: int) -> bool:
        """Nothing is."""
        del stage, start, stop
        return False

    def mark_done(self, stage: str, start: int, stop: int) -> None:
        """Memory needs no marks."""

    def finish(self) -> None:
        """Nothing is to be closed."""
