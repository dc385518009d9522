"""Open a stored array of rows: npy, HDF5 or zarr."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import present
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["hdf5_shapes", "open_array", "open_repeats", "row_blocks"]

_BLOCK_BYTES = 32 * 2**20
_WRITE_OUT = (
    "; where they hold nothing but {fill}, write them out too, with zarr's "
    "config={{'write_empty_chunks': True}}"
)


def open_array(path: Path, key: str) -> Array:
    """Open an array of numbers of shape (n_rows, n_columns): a memory map where it can be one.

    Raises
    ------
    DataError
        If the kind of file is unknown, it cannot be read, or it holds no such array.
    """
    kind = ".zarr" if path.is_dir() else path.suffix.lower()
    if kind not in _READERS:
        msg = (
            f"{path}: files of kind {kind!r} cannot be read; expected one of "
            f"{', '.join(_READERS)}; convert it."
        )
        raise DataError(msg)
    return _READERS[kind](path, key)


def row_blocks(values: Any) -> Iterator[tuple[int, Array]]:
    """Yield (first row, rows) of anything with a shape and rows, a bounded piece at a time."""
    n_rows = max(1, _BLOCK_BYTES // max(1, values.dtype.itemsize * values.shape[1]))
    for start in range(0, values.shape[0], n_rows):
        yield start, np.asarray(values[start : start + n_rows])


def _read_npy(path: Path, key: str) -> Array:
    del key  # an npy file holds one array
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(_unreadable(path, "an npy file of numbers", error)) from error
    if not isinstance(values, np.ndarray):
        msg = f"{path}: holds {type(values).__name__}; expected one array; save it with np.save."
        raise DataError(msg)
    return values


def _read_hdf5(path: Path, key: str) -> Array:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stored = file.get(key)
            if not isinstance(stored, h5py.Dataset):
                names: list[str] = []
                file.visititems(
                    lambda name, item: (
                        names.append(name) if isinstance(item, h5py.Dataset) else None
                    )
                )
                raise DataError(_no_key(path, key, names))
            _check_kind(stored, path)
            note = _absent(path, *_absent_of_hdf5(stored), stored.fillvalue)
            offset = stored.id.get_offset()  # known where the array is stored in one piece
            if offset is not None:
                return np.memmap(
                    stored.file.filename,
                    dtype=stored.dtype,
                    mode="r",
                    offset=offset,
                    shape=stored.shape,
                )
            values = _in_memory(stored)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(_unreadable(path, "an HDF5 file", error)) from error
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=4)
    return values


def _absent_of_hdf5(stored: Any) -> tuple[int, int]:
    """Count the chunks that were never written, and all; an array in one piece is one."""
    if stored.chunks is not None:
        steps = zip(stored.shape, stored.chunks, strict=True)
        n_chunks = math.prod(math.ceil(size / step) for size, step in steps)
        return n_chunks - stored.id.get_num_chunks(), n_chunks
    # A virtual array has no storage of its own.
    return int(not stored.is_virtual and stored.id.get_storage_size() == 0), 1


def _read_zarr(path: Path, key: str) -> Array:
    import zarr

    try:
        unfetched = [one for one in path.rglob("*") if one.is_symlink() and not one.exists()]
        if unfetched:
            present(unfetched[0])  # raises: a chunk that is not there would read as zero
        stored = zarr.open(path, mode="r")
        if not isinstance(stored, zarr.Array):
            if not isinstance(stored.get(key), zarr.Array):
                raise DataError(_no_key(path, key, sorted(stored.array_keys())))
            stored = stored[key]
        _check_kind(stored, path)
        n_absent = stored.nchunks - stored.nchunks_initialized
        note = _absent(path, n_absent, stored.nchunks, stored.fill_value, _WRITE_OUT)
        values = _in_memory(stored)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DataError(_unreadable(path, "a zarr array or group", error)) from error
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=4)
    return values


def _in_memory(stored: Any) -> Array:
    """Read a stored array by blocks of rows."""
    values = np.empty(stored.shape, stored.dtype)
    for start, block in row_blocks(stored):
        values[start : start + len(block)] = block
    return values


def _check_kind(stored: Any, path: Path) -> None:
    if stored.dtype.kind not in "fiu" or stored.ndim != 2 or 0 in stored.shape:
        msg = (
            f"{path}: {stored.name!r} has shape {stored.shape} and type {stored.dtype}; expected "
            "real numbers of shape (n_trs, n_voxels); name another key, or convert the file."
        )
        raise DataError(msg)


_READERS: dict[str, Callable[[Path, str], Array]] = {
    ".hf5": _read_hdf5,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".npy": _read_npy,
    ".zarr": _read_zarr,
}


def _unreadable(path: Path, expected: str, error: Exception) -> str:
    return (
        f"{path}: cannot be read ({error}); expected {expected}; the file may be truncated or "
        "of another kind: fetch or write it again."
    )


def _absent(path: Path, n_absent: int, n_chunks: int, fill: Any, remedy: str = "") -> str:
    """Refuse chunks that are missing; where they read as NaN, say what to warn of."""
    if not n_absent:
        return ""
    what = f"{n_absent} of {n_chunks} chunks" if n_absent < n_chunks else "all of its numbers"
    if fill is not None and np.isnan(fill):
        return (
            f"{path}: {what} are missing and read as NaN; if they were meant to hold data, fetch "
            "or write them again."
        )
    msg = (
        f"{path}: {what} are missing and would be read as {fill}; expected every chunk, or a "
        f"fill_value of NaN; fetch or write them again{remedy.format(fill=fill)}."
    )
    raise DataError(msg)


def _no_key(path: Path, key: str, names: list[str]) -> str:
    shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    return f"{path}: no array {key!r}; expected one of: {shown or 'none'}; pass key= one of them."


def open_repeats(path: Path, key: str) -> tuple[Array, ...]:
    """Open the repeats of one run from an HDF5 array of shape (n_repeats, n_trs, n_voxels).

    Each is (n_trs, n_voxels): a memory map where the array is stored in one piece.

    Returns
    -------
    tuple of array
        Empty where the file has no such array.

    Raises
    ------
    DataError
        If the file cannot be read, or the array has another shape or kind of number.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            stored = file.get(key)
            if not isinstance(stored, h5py.Dataset):
                return ()
            if stored.dtype.kind not in "fiu" or stored.ndim != 3 or 0 in stored.shape:
                msg = (
                    f"{path}: {key!r} has shape {stored.shape} and type {stored.dtype}; expected "
                    "real numbers of shape (n_repeats, n_trs, n_voxels)."
                )
                raise DataError(msg)
            offset = stored.id.get_offset()
            if offset is not None:
                return tuple(
                    np.memmap(path, stored.dtype, mode="r", offset=offset, shape=stored.shape)
                )
            return tuple(np.asarray(stored[i]) for i in range(stored.shape[0]))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(_unreadable(path, "an HDF5 file", error)) from error


def hdf5_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each array at the top of an HDF5 file; no number is read.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return {
                name: item.shape for name, item in file.items() if isinstance(item, h5py.Dataset)
            }
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(_unreadable(path, "an HDF5 file", error)) from error
