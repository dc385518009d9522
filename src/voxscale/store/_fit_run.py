"""A fit that is being written to a folder, a block of voxels at a time."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from dataclasses import replace
from operator import index
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from voxscale.errors import StoreError
from voxscale.store._fit_arrays import ArraySpec, array_names, chunk_voxels, lacking
from voxscale.store._fit_header import FitHeader
from voxscale.store._lock import FolderLock

__all__ = ["FitRun"]


class FitRun:
    """A fit that is being written. Made by :meth:`FitStore.open`; no other process writes to it.

    Parameters
    ----------
    path : path
    header : FitHeader
    lock : FolderLock
    """

    def __init__(self, path: Path, header: FitHeader, lock: FolderLock) -> None:
        self.path = path
        self._header = header
        self._voxels_per_chunk: dict[str, int] = {}
        self._release = weakref.finalize(self, lock.release)  # also of a run that nobody closes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FitRun({str(self.path)!r})"

    def array(
        self,
        name: str,
        *,
        shape: Sequence[int],
        dtype: DTypeLike = "float32",
        voxel_axis: int | None = -1,
        chunk: int | None = None,
    ) -> Any:
        """Create an array, or open it again with what was written before.

        Parameters
        ----------
        name : str
            Letters, digits, "_" and "-".
        shape : sequence of int
        dtype : {"float32", "float64"} or an integer type
        voxel_axis : int or None
            Along which it is cut into chunks. None: into no chunks.
        chunk : int, optional
            Voxels of a chunk. Default: as :meth:`chunk_voxels` says, and no more than there
            are. An array that was there before keeps its own.

        Returns
        -------
        zarr.Array
            Written to by slices. What is not written is NaN, or -1 in integers.

        Raises
        ------
        StoreError
            If an array of that name has another shape or dtype, or is damaged, or cannot be
            written.
        ValueError
            If it is no such name, dtype or axis.
        """
        self._check_open()
        native = np.dtype(dtype).newbyteorder("=")
        spec = ArraySpec(name, tuple(index(size) for size in shape), native, voxel_axis)
        if name in array_names(self.path):
            array = spec.open(self.path)
        else:
            if self._header.is_finished:
                self._write(replace(self._header, is_finished=False))
            array = spec.create(self.path, chunk)
        if spec.voxel_axis is not None:
            self._voxels_per_chunk[name] = int(array.chunks[spec.voxel_axis])
        return array

    @staticmethod
    def chunk_voxels(n_other: int, dtype: DTypeLike = "float64") -> int:
        """Choose how many voxels go into one chunk: a power of two, 4 MiB at most.

        Parameters
        ----------
        n_other : int
            Numbers for each voxel: the product of the other axes.
        dtype : dtype

        Returns
        -------
        int
            From 1 to 1024.

        Examples
        --------
        >>> FitRun.chunk_voxels(15 * 3), FitRun.chunk_voxels(50_000, "float32")
        (1024, 16)
        """
        return chunk_voxels(n_other, dtype)

    @property
    def block_multiple(self) -> int:
        """Voxels that make whole chunks of every array opened so far.

        Blocks that begin and end at multiples of it (or at the last voxel) are written without
        reading, and rewriting, chunks that are there. Others are right, but slower, as long as
        no two that share a chunk are written at the same time.
        """
        return math.lcm(*self._voxels_per_chunk.values())

    def is_done(self, stage: str, start: int, stop: int) -> bool:
        """Tell whether voxels ``start`` to ``stop - 1`` of a stage are on disk.

        Blocks need not be those that were marked.
        """
        return self._header.is_done(stage, *_checked_block(start, stop))

    def mark_done(self, stage: str, start: int, stop: int) -> None:
        """Note, once all was written, that voxels ``start`` to ``stop - 1`` are on disk.

        A stop before leaves the block to be done again. What follows a finish unfinishes.

        Parameters
        ----------
        stage : str
        start, stop : int

        Raises
        ------
        StoreError
            If it cannot be written.
        ValueError
            If there is no voxel in between.
        """
        self._check_open()
        if not self.is_done(stage, start, stop):
            self._write(self._header.with_done(stage, *_checked_block(start, stop)))

    def finish(self) -> None:
        """Note that the fit is complete, and let others have the folder.

        Raises
        ------
        StoreError
            If an array lacks a chunk: voxels without an answer are to be written, too.
        """
        self._check_open()
        if what := lacking(self.path):
            msg = (
                f"{self.path} is not complete: {what}; write all blocks, or delete it and "
                "run again."
            )
            raise StoreError(msg)
        self._write(replace(self._header, is_finished=True))
        self.close()

    def close(self) -> None:
        """Let others have the folder; what was marked stays. May be called twice."""
        self._release()

    def _check_open(self) -> None:
        if not self._release.alive:
            msg = f"the run of {self.path} is closed; open the store again."
            raise ValueError(msg)

    def _write(self, header: FitHeader) -> None:
        header.write(self.path)
        self._header = header


def _checked_block(start: int, stop: int) -> tuple[int, int]:
    start, stop = index(start), index(stop)
    if not 0 <= start < stop:
        msg = f"voxels are {start} to {stop}; expected a start, 0 or more, before the stop."
        raise ValueError(msg)
    return start, stop
