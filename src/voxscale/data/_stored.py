"""Open a stored array of rows: npy, HDF5 or zarr."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import present
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["open_array", "row_blocks"]

_BLOCK_BYTES = 32 * 2**20


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
            offset = stored.id.get_offset()  # known where the array is stored in one piece
            if offset is not None and stored.dtype.kind in "fiu" and stored.ndim == 2:
                return np.memmap(
                    stored.file.filename,
                    dtype=stored.dtype,
                    mode="r",
                    offset=offset,
                    shape=stored.shape,
                )
            return _in_memory(stored, path)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(_unreadable(path, "an HDF5 file", error)) from error


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
        if n_absent and (stored.fill_value is None or not np.isnan(stored.fill_value)):
            raise DataError(_absent(path, n_absent, stored))
        values = _in_memory(stored, path)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise DataError(_unreadable(path, "a zarr array or group", error)) from error
    if n_absent:
        msg = (
            f"{path}: {n_absent} of {stored.nchunks} chunks are missing and read as NaN; if they "
            "were meant to hold data, fetch or write them again."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=4)
    return values


def _in_memory(stored: Any, path: Path) -> Array:
    """Read a stored array by blocks of rows."""
    _check_kind(stored, path)
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


def _absent(path: Path, n_absent: int, stored: Any) -> str:
    return (
        f"{path}: {n_absent} of {stored.nchunks} chunks are missing and would be read as "
        f"{stored.fill_value}; expected every chunk, or a fill_value of NaN; fetch or write them "
        f"again; where they hold nothing but {stored.fill_value}, write them out too, with "
        "zarr's config={'write_empty_chunks': True}."
    )


def _no_key(path: Path, key: str, names: list[str]) -> str:
    shown = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    return f"{path}: no array {key!r}; expected one of: {shown or 'none'}; pass key= one of them."
