"""Weights on disk that are read in blocks, whatever they are stored as."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._released import stream_released
from voxscale.errors import DataError

__all__ = ["StoredWeights"]

_BLOCK_BYTES = 64 * 2**20


class StoredWeights:
    """Weights of a fit in a ``.jbl`` or a Zarr folder, never held whole.

    As :func:`voxscale.fit.predict_streamed` takes them; blocks may be asked for again.

    Parameters
    ----------
    path : Path
        Of a file that holds one array, (n_features, n_voxels).

    Raises
    ------
    DataError
        If the file holds no array of two axes; when it is first read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"StoredWeights({str(self.path)!r})"

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole, (n_features, n_voxels)."""
        return self._facts[0]

    @property
    def axis(self) -> int:
        """Along which blocks come: 0 for rows, 1 for columns."""
        return self._facts[1]

    def blocks(self) -> Iterator[tuple[int, Array]]:
        """Yield where a block begins along ``axis``, and the block, read-only."""
        if self.path.suffix != ".zarr":
            for array in stream_released(self.path):
                yield from array.blocks()
                return
        stored = self._stored
        n_rows = max(1, _BLOCK_BYTES // max(1, stored.dtype.itemsize * stored.shape[1]))
        n_rows = max(1, n_rows // stored.chunks[0]) * stored.chunks[0]
        for start in range(0, stored.shape[0], n_rows):
            block = np.asarray(stored[start : start + n_rows])
            block.flags.writeable = False
            yield start, block

    @cached_property
    def _facts(self) -> tuple[tuple[int, ...], int]:
        if self.path.suffix == ".zarr":
            shape, axis = tuple(self._stored.shape), 0
        else:
            first = next(((a.shape, a.axis) for a in stream_released(self.path)), ((), 0))
            shape, axis = first
        if len(shape) != 2:
            msg = (
                f"{self.path}: holds {'no array' if not shape else f'an array of shape {shape}'}; "
                "expected weights (n_features, n_voxels); look what is in it with: voxscale "
                f"inspect '{self.path}'"
            )
            raise DataError(msg)
        return shape, axis

    @cached_property
    def _stored(self) -> Any:
        import zarr

        stored = zarr.open(self.path, mode="r")
        arrays = [stored] if isinstance(stored, zarr.Array) else [a for _, a in stored.arrays()]
        if len(arrays) != 1 or arrays[0].ndim != 2:
            msg = (
                f"{self.path}: holds {len(arrays)} arrays; expected one of weights, (n_features, "
                "n_voxels)."
            )
            raise DataError(msg)
        return arrays[0]
