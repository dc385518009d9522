"""One result, one ``.npz`` file: arrays, and JSON that says what they are."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.store._key import plain

__all__ = ["read_meta", "read_result", "write_npy", "write_result"]

META = "__meta__"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # so that equal results are equal files


def write_npy(path: str | Path, array: ArrayLike) -> None:
    """Write one array as ``numpy.save`` would, but for what it says of a full disk.

    ``numpy.save`` then raises an OSError without a number, which nobody can tell from others.

    Parameters
    ----------
    path : path
        Taken as it is; no ``.npy`` is added.
    array : array of any shape
        Numbers or text, no Python objects.

    Raises
    ------
    OSError
        If the disk is full, read-only, …; its ``errno`` says which.
    TypeError
        If the array holds Python objects.
    """
    array = np.asanyarray(array)
    _check_plain(array, "the array")
    with Path(path).open("wb") as file:
        # What has nothing but a write method is written to, not handed to C's fwrite.
        np.lib.format.write_array(SimpleNamespace(write=file.write), array, allow_pickle=False)


def write_result(path: Path, arrays: Mapping[str, Array], meta: Mapping[str, Any]) -> None:
    """Write arrays and their metadata into one ``.npz`` file, without pickle.

    Raises
    ------
    TypeError
        If an array holds Python objects, or the metadata are not JSON.
    ValueError
        If an array has the name that is kept for the metadata.
    """
    if META in arrays:
        msg = f"an array is named {META!r}, which is kept for the metadata; rename it."
        raise ValueError(msg)
    packed = {name: np.asanyarray(array) for name, array in arrays.items()}
    for name, array in packed.items():
        _check_plain(array, f"array {name!r}")
    packed[META] = np.frombuffer(
        json.dumps(plain(meta, "meta", finite=False)).encode(), dtype=np.uint8
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in packed.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)


def read_result(
    path: Path, names: Collection[str] | None = None, *, missing_ok: bool = False
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what :func:`write_result` wrote; every byte read is checked against its CRC.

    Raises
    ------
    KeyError
        If a name is not in the file, unless that is fine.
    """
    with zipfile.ZipFile(path) as archive:
        held = [entry.removesuffix(".npy") for entry in archive.namelist()]
        if META not in held:
            msg = "it holds no metadata"
            raise zipfile.BadZipFile(msg)
        if names is not None and missing_ok:
            names = [name for name in names if name in held]
        if names is not None and (unknown := sorted(set(names) - set(held))):
            msg = f"no array {unknown[0]!r}, only {', '.join(sorted(set(held) - {META}))}"
            raise KeyError(msg)
        wanted = [name for name in held if name != META] if names is None else list(names)
        arrays = {name: _read(archive, name) for name in wanted}
        return arrays, json.loads(_read(archive, META).tobytes())


def read_meta(path: Path) -> dict[str, Any]:
    """Read the metadata alone."""
    return read_result(path, names=())[1]


def _check_plain(array: Array, what: str) -> None:
    if array.dtype.hasobject:
        msg = f"{what} has dtype {array.dtype}; expected numbers or text, not objects."
        raise TypeError(msg)


def _read(archive: zipfile.ZipFile, name: str) -> Array:
    with archive.open(f"{name}.npy") as file:
        array: Array = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # reaching the end is what compares the CRC
    return array
