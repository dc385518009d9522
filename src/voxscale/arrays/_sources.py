"""Where an array is, and how it is noticed that it is no longer what it was.

Neither h5py nor zarr is imported: their arrays are known by what they have.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays._series import Array

__all__ = ["Source", "source_of"]

_FEW_CHUNKS = 1000  # that a store which is no folder can be asked to list at every read


def _no_trouble(rows: slice, columns: slice) -> str:
    return ""


def _always() -> bool:
    return True


@dataclass(frozen=True, eq=False)
class Source:
    """Where an array of shape (n_rows, n_columns) is.

    Parameters
    ----------
    where : str
        File and dataset, as far as known.
    chunk : tuple of int
        Rows and columns of one storage chunk; (1, 1) where there are none.
    is_in_memory : bool
    gives_copies : bool
        A slice of it is nobody else's.
    is_open : callable
        Tells whether the file is open still.
    trouble : callable
        Told rows and columns, says in words what happened to them since the array was opened;
        empty if nothing did. Cheap beside reading them.
    """

    where: str
    chunk: tuple[int, int] = (1, 1)
    is_in_memory: bool = False
    gives_copies: bool = False
    is_open: Callable[[], bool] = _always
    trouble: Callable[[slice, slice], str] = _no_trouble


def source_of(values: Any) -> Source:
    """Describe an array of two axes: of numpy, h5py, zarr, or of somebody else.

    Raises whatever h5py and zarr raise where a file is closed or damaged.
    """
    if isinstance(values, np.ndarray):
        return _of_numpy(values)
    for has, describe in _KINDS:
        if all(hasattr(values, name) for name in has):
            return describe(values)
    return Source(f"an array of type {type(values).__name__}", _chunk(values))


def _of_numpy(values: Array) -> Source:
    base: Any = values
    filename = None
    while base is not None and not isinstance(base, mmap.mmap):
        filename = getattr(base, "filename", None) or filename
        offset = getattr(base, "offset", 0)
        base = getattr(base, "base", None)
    if base is None:
        return Source("an array in memory", is_in_memory=True)
    n_bytes = len(base) + offset // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY

    def trouble(rows: slice, columns: slice) -> str:
        # Touching what is mapped beyond the end of a file ends the process.
        n_now = base.size()
        return f"the file has {n_now} bytes, {n_bytes} are mapped" if n_now < n_bytes else ""

    return Source(f"the memory map of {filename or 'a file'}", trouble=trouble)


def _of_hdf5(dataset: Any) -> Source:
    n_stored, n_bytes = dataset.id.get_storage_size(), _file_bytes(dataset)
    others = {path: path.stat().st_size for path in _other_files(dataset) if path.is_file()}

    def trouble(rows: slice, columns: slice) -> str:
        # HDF5 reads zeros where a file ends early, and the fill value where one is gone.
        if (n_now := _file_bytes(dataset)) < n_bytes:
            return f"the file has {n_now} bytes now, {n_bytes} when it was opened"
        if (n_now := dataset.id.get_storage_size()) < n_stored:
            return f"it holds {n_now} bytes now, {n_stored} when it was opened"
        for path, n_before in others.items():
            if not path.is_file() or path.stat().st_size < n_before:
                return f"its file {path} is gone or was cut short"
        return ""

    where = f"{dataset.file.filename}, dataset {dataset.name!r}"
    return Source(
        where,
        _chunk(dataset),
        gives_copies=True,
        is_open=lambda: bool(dataset),
        trouble=trouble,
    )


def _file_bytes(dataset: Any) -> int:
    """Size of the file that HDF5 has open, even if another has its name by now; 0 if unknown."""
    file = dataset.file
    return os.fstat(file.id.get_vfd_handle()).st_size if file.driver == "sec2" else 0


def _other_files(dataset: Any) -> list[Path]:
    """List the files that a virtual or external dataset has its numbers in."""
    names = [part[0] for part in dataset.external or ()]
    if dataset.is_virtual:
        names += [part.file_name for part in dataset.virtual_sources() if part.file_name != "."]
    folder = Path(dataset.file.filename).parent
    return [folder / name for name in names]


def _of_zarr(array: Any) -> Source:
    root, path = getattr(array.store, "root", None), array.path
    if isinstance(root, Path):  # a folder; to ask for the very files is as good as nothing
        trouble = _lost_files(array, root / path)
    elif array.nchunks <= _FEW_CHUNKS:
        trouble = _lost_chunks(array)
    else:
        trouble = _no_trouble
    where = f"{array.store}/{path}".rstrip("/")
    return Source(where, _chunk(array), gives_copies=True, trouble=trouble)


def _lost_files(array: Any, folder: Path) -> Callable[[slice, slice], str]:
    """Watch the files of chunks: zarr reads the fill value where there is none."""
    file = getattr(array, "shards", None) or array.chunks  # rows and columns in one of them

    def absent(rows: slice, columns: slice) -> set[str]:
        numbers = (
            range(one.start // step, -(-one.stop // step))
            for one, step in zip((rows, columns), file, strict=True)
        )
        keys = (array.metadata.encode_chunk_key(place) for place in product(*numbers))
        return {key for key in keys if not os.path.isfile(f"{folder}/{key}")}  # noqa: PTH113

    never_written = absent(*(slice(0, size) for size in array.shape))

    def trouble(rows: slice, columns: slice) -> str:
        lost = sorted(absent(rows, columns) - never_written)
        return f"{len(lost)} chunks are gone, such as {lost[0]}" if lost else ""

    return trouble


def _lost_chunks(array: Any) -> Callable[[slice, slice], str]:
    """Count the chunks of a store that is no folder: quadratic in zarr 3.1, so only a few."""
    n_stored = array.nchunks_initialized

    def trouble(rows: slice, columns: slice) -> str:
        n_lost = n_stored - array.nchunks_initialized
        return f"{n_lost} chunks are gone" if n_lost > 0 else ""

    return trouble


def _chunk(values: Any) -> tuple[int, int]:
    """Rows and columns of a chunk, no more than there are; (1, 1) without chunks, or uneven."""
    chunks = getattr(values, "chunks", None)
    if not isinstance(chunks, tuple) or not all(isinstance(size, int) for size in chunks):
        return (1, 1)
    rows, columns = (max(1, min(pair)) for pair in zip(chunks, values.shape, strict=True))
    return rows, columns


# What the arrays of a library have, and who describes them.
_KINDS: tuple[tuple[tuple[str, ...], Callable[[Any], Source]], ...] = (
    (("store", "path", "metadata", "chunks"), _of_zarr),
    (("file", "id", "chunks"), _of_hdf5),
)
