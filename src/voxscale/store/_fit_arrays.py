"""The zarr arrays of one fit: how they are cut, created, opened again, and looked through."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from voxscale.errors import StoreError

__all__ = ["ArraySpec", "array_names", "chunk_voxels", "lacking", "opened"]

_CHUNK_BYTES = 4 * 2**20
# More would save few files and make blocks wide: whole chunks of every array must fit in one.
_MOST_VOXELS = 1024
_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
_FILL = {"f": float("nan"), "i": -1}  # what is not there yet is no answer


@dataclass(frozen=True)
class ArraySpec:
    """What an array of a fit is like.

    Parameters
    ----------
    name : str
    shape : tuple of int
    dtype : numpy.dtype
    voxel_axis : int or None
        Counted from the first axis or the last; kept as counted from the first.

    Raises
    ------
    ValueError
        If there can be no such array.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    voxel_axis: int | None

    def __post_init__(self) -> None:
        name, dtype, axis, n_axes = self.name, self.dtype, self.voxel_axis, len(self.shape)
        if not _NAME.fullmatch(name):
            msg = f"name {name!r} cannot name an array; expected letters, digits, '_' and '-'."
            raise ValueError(msg)
        if dtype.kind not in _FILL or dtype.itemsize > 8 or dtype == np.float16:
            msg = f"array {name!r}: dtype is {dtype}; expected float32, float64 or signed integers."
            raise ValueError(msg)
        if axis is None:
            return
        if not -n_axes <= axis < n_axes:
            msg = f"array {name!r}: voxel_axis is {axis}; expected an axis of shape {self.shape}."
            raise ValueError(msg)
        object.__setattr__(self, "voxel_axis", axis % n_axes)

    def create(self, folder: Path, chunk: int | None) -> Any:
        """Create the array, of chunks of so many voxels.

        Raises
        ------
        StoreError
            If it cannot be written.
        ValueError
            If a chunk has no voxel.
        """
        from zarr import create_array
        from zarr.codecs import ZstdCodec

        from voxscale.store._durable import DurableStore

        if chunk is not None and chunk < 1:
            msg = f"chunk is {chunk}; expected 1 voxel or more."
            raise ValueError(msg)
        return create_array(
            DurableStore(folder),
            name=self.name,
            shape=self.shape,
            chunks=self._chunks(chunk),
            dtype=self.dtype,
            compressors=ZstdCodec(checksum=True),
            fill_value=_FILL[self.dtype.kind],
            attributes={"voxel_axis": self.voxel_axis},
            zarr_format=3,
            config={"write_empty_chunks": True},  # a chunk that lacks is damage
        )

    def open(self, folder: Path) -> Any:
        """Open the array to go on writing it.

        Raises
        ------
        StoreError
            If what is there is another, or damaged.
        """
        import zarr

        from voxscale.store._durable import DurableStore

        with _damage_told(folder), zarr.config.set({"array.write_empty_chunks": True}):
            array = zarr.open_array(DurableStore(folder), path=self.name, mode="r+")
            stored = (array.shape, array.dtype, array.attrs["voxel_axis"])
        if stored != (self.shape, self.dtype, self.voxel_axis):
            msg = (
                f"array {self.name!r} of {folder} has shape {stored[0]}, dtype {stored[1]} and "
                f"voxel axis {stored[2]}; asked for were {self.shape}, {self.dtype} and "
                f"{self.voxel_axis}; delete the folder and run again."
            )
            raise StoreError(msg)
        return array

    def _chunks(self, chunk: int | None) -> tuple[int, ...]:
        chunks, axis = [max(1, size) for size in self.shape], self.voxel_axis
        if axis is not None:
            n_other = math.prod(self.shape[:axis] + self.shape[axis + 1 :])
            most = min(chunk_voxels(n_other, self.dtype), self.shape[axis])
            chunks[axis] = _power_of_two(most) if chunk is None else chunk
        return tuple(chunks)


def chunk_voxels(n_other: int, dtype: DTypeLike) -> int:
    """Choose how many voxels of ``n_other`` numbers each go into one chunk."""
    most = _CHUNK_BYTES // (np.dtype(dtype).itemsize * max(1, n_other))
    return _power_of_two(min(most, _MOST_VOXELS))


def array_names(folder: Path) -> list[str]:
    """List the arrays of a fit, sorted."""
    return sorted(one.parent.name for one in folder.glob("*/zarr.json"))


def opened(folder: Path, name: str) -> Any:
    """Open an array that is there, for reading; StoreError if it is damaged."""
    import zarr

    with _damage_told(folder):
        return zarr.open_array(folder / name, mode="r")


def lacking(folder: Path) -> str:
    """Tell the first array that lacks chunks, and how many; empty if all are there."""
    for name in array_names(folder):
        keys = list(_chunk_keys(opened(folder, name)))
        n_lacking = sum(not _has_content(f"{folder}/{name}/{key}") for key in keys)
        if n_lacking:
            return f"array {name!r} lacks {n_lacking} of its {len(keys)} chunks"
    return ""


def _chunk_keys(array: Any) -> Iterator[str]:
    n_chunks = (-(-size // step) for size, step in zip(array.shape, array.chunks, strict=True))
    return (array.metadata.encode_chunk_key(place) for place in product(*map(range, n_chunks)))


def _has_content(file: str) -> bool:
    """Tell whether a file is there and not empty; zarr's own count of them is quadratic."""
    try:
        return os.stat(file).st_size > 0  # noqa: PTH116
    except FileNotFoundError:
        return False


def _power_of_two(most: int) -> int:
    """Return the largest power of two up to a number, at least 1."""
    return 1 << (max(1, most).bit_length() - 1)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # zarr's own errors differ from version to version
        how = f"{type(error).__name__}: {error}"
        msg = f"{path} is damaged ({how}); delete it and run again."
        raise StoreError(msg) from error
