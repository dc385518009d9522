"""A compressed npz file of one array, written row after row, that knows what it was made from."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import StoreError
from voxscale.store import write_aside

__all__ = ["NpzRows", "key_in", "read_npz", "writing_npz"]

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError)


class NpzRows:
    """Writes the rows of an array.

    Parameters
    ----------
    file : binary file
    shape : tuple of int
        Of the whole array.
    """

    def __init__(self, file: object, shape: tuple[int, int]) -> None:
        self._file, self._left = file, shape[0]
        self._n_dims = shape[1]
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]

    def append(self, rows: Array) -> None:
        """Add rows, (any number, n_dims); they are kept as float32."""
        if rows.shape[1:] != (self._n_dims,):
            msg = f"rows have shape {rows.shape}; expected {self._n_dims} columns."
            raise ValueError(msg)
        self._left -= len(rows)
        self._file.write(np.ascontiguousarray(rows, dtype="<f4").tobytes())  # type: ignore[attr-defined]

    def check(self) -> None:
        """Raise ValueError unless all rows were given."""
        if self._left:
            msg = f"{self._left} rows are missing; a file must be complete."
            raise ValueError(msg)


@contextmanager
def writing_npz(path: Path, name: str, shape: tuple[int, int], key: str) -> Iterator[NpzRows]:
    """Write a file of one float32 array; it is there, as a whole, when the block ends.

    Parameters
    ----------
    path : path
    name : str
        Of the array.
    shape : tuple of int
    key : str
        Kept as the comment of the zip archive that an npz file is, where numpy does not look.

    Yields
    ------
    NpzRows

    Raises
    ------
    StoreError
        If it cannot be written.
    """
    member = zipfile.ZipInfo(f"{name}.npy")  # of no date, so that the same rows are the same bytes
    member.compress_type = zipfile.ZIP_DEFLATED
    with write_aside(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        archive.comment = key.encode()
        with archive.open(member, "w", force_zip64=True) as file:
            rows = NpzRows(file, shape)
            yield rows
            rows.check()


def key_in(path: Path) -> str | None:
    """Return a file's key: empty if somebody else wrote it; None if it is not there, or cut off."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment.decode(errors="replace")
    except (FileNotFoundError, zipfile.BadZipFile):
        return None


def read_npz(path: Path, name: str) -> Array:
    """Read an array.

    Raises
    ------
    StoreError
        If it is not there, or damaged.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            values = held[name]
            if not isinstance(values, np.ndarray):  # numpy hands over what it cannot read as bytes
                msg = "no array"
                raise ValueError(msg)
    except FileNotFoundError as error:
        msg = f"{path} does not exist; run again to compute it."
        raise StoreError(msg) from error
    except _DAMAGE as error:
        msg = f"{path} is damaged, or holds no array {name!r} ({error}); delete it and run again."
        raise StoreError(msg) from error
    return values
