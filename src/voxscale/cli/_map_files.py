"""Maps to draw, in whatever file they are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.cli._study_map import study_maps
from voxscale.data._files import present
from voxscale.data._surface_mesh import nibabel_or_error
from voxscale.errors import ConfigError, DataError, did_you_mean

__all__ = ["read_map"]

_USUAL = "r"
_NUMBERS = "biuf"  # kinds of dtype
_REDUCED = {"reducer", "metric", "value"}  # columns of a study's scores.parquet
_DAMAGED = (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error)


def read_map(
    path: Path, column: str | None, subject: str | None = None, out: str | None = None
) -> Array:
    """Read one value for each voxel or vertex.

    Parameters
    ----------
    path : Path
        NumPy's .npy or .npz, .csv, .tsv or .parquet with a row for each voxel, NIfTI, GIFTI of
        one hemisphere with the other beside it, or a study file.
    column : str, optional
        Of a table, key of an .npz, array of a study's cell where the sweeps meet. By default
        "r", or the only one of numbers.
    subject, out : str, optional
        Of a study.

    Returns
    -------
    array of float64, shape (n_voxels,), (z, y, x) or (n_vertices,)

    Raises
    ------
    ConfigError
        If the kind of file is not known, has no columns, or a study has no such subject.
    DataError
        If the file has no content, is not what its name says, holds no numbers, or has no such
        column; if a study has no such array, or its table of scores is given instead of it.
    StoreError
        If a study has no such cell.
    """
    ending = next((one for one in _READERS if path.name.lower().endswith(one)), None)
    if ending is None:
        msg = f"{path} is none of the files that are read; expected {', '.join(_READERS)}."
        raise ConfigError(msg)
    if ending == ".toml":
        return study_maps(path, subject, out).values(column)
    if ending in _WITHOUT_COLUMNS and column is not None:
        msg = f"{path} has one map and no columns; expected none to be named ({column!r})."
        raise ConfigError(msg)
    whole = present(path)
    try:
        values = np.asarray(_READERS[ending](whole, column))
        if values.dtype.kind not in _NUMBERS:
            where = f"{path}: {column!r}" if column is not None else str(path)
            msg = f"{where} holds {values.dtype}; expected numbers, one for each voxel."
            raise DataError(msg)
        return values.astype(np.float64)
    except DataError:
        raise
    except _DAMAGED as error:
        raise DataError(_damaged(path, ending, error)) from error


def _damaged(path: Path, ending: str, error: BaseException) -> str:
    """Say why a file is not read; not as NumPy does, whose advice would run what is in it."""
    if "Object arrays" in str(error):
        return (
            f"{path} holds Python objects, which are not read; expected numbers of voxels; save "
            "them again as an array of numbers: np.save(path, values.astype(float))."
        )
    why = "it does not begin as such a file does" if "allow_pickle" in str(error) else error
    return f"{path} cannot be read as {ending}, numbers of voxels ({why}); fetch it again."


def _of_npy(path: Path, _: str | None) -> Any:
    return np.load(path, allow_pickle=False)


def _of_npz(path: Path, column: str | None) -> Any:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays[_chosen(path, column, arrays.files)]


def _of_table(read: str, **options: Any) -> Callable[[Path, str | None], Any]:
    def column_of(path: Path, column: str | None) -> Any:
        import pandas as pd

        table = getattr(pd, read)(path, **options)
        table.columns = table.columns.astype(str)
        if set(table.columns) >= _REDUCED:
            msg = (
                f"{path}: this is a study's table of reduced scores, which has no voxels; expected "
                "one row for each voxel; pass the study file (study.toml) instead."
            )
            raise DataError(msg)
        numeric = table.select_dtypes(["number", "bool"])
        if column in table and column not in numeric:
            told = ", ".join(numeric) or "none"
            msg = f"{path}: column {column!r} holds text; expected one of numbers: {told}."
            raise DataError(msg)
        chosen = numeric[_chosen(path, column, list(numeric))]
        return chosen.to_numpy(dtype=np.float64, na_value=np.nan)

    return column_of


def _of_nifti(path: Path, _: str | None) -> Any:
    values = np.asarray(_loaded(path).dataobj).T
    return values[0] if values.ndim == 4 and len(values) == 1 else values


def _of_gifti(path: Path, _: str | None) -> Any:
    for left, right in (("hemi-L", "hemi-R"), ("lh.", "rh."), ("_lh", "_rh")):
        if left in path.name or right in path.name:
            names = path.name.replace(right, left), path.name.replace(left, right)
            sides = [_loaded(present(path.with_name(name))) for name in names]
            return np.concatenate([one.darrays[0].data for one in sides])
    msg = f"{path} does not tell its hemisphere; expected hemi-L or hemi-R in its name; rename it."
    raise DataError(msg)


def _loaded(path: Path) -> Any:
    from xml.parsers.expat import ExpatError

    nibabel = nibabel_or_error("reading NIfTI and GIFTI files")
    try:
        return nibabel.load(path)
    except (ExpatError, nibabel.filebasedimages.ImageFileError) as error:
        raise ValueError(str(error)) from error


def _chosen(path: Path, column: str | None, known: Iterable[str]) -> str:
    """Check the name of a column, or choose the usual or the only one."""
    names = list(known)
    if column in names:
        return str(column)
    if column is None and (_USUAL in names or len(names) == 1):
        return _USUAL if _USUAL in names else names[0]
    told = ", ".join(names) or "none"
    what = "no column was named" if column is None else f"there is no column {column!r}"
    hint = did_you_mean(column, names) if column else ""
    msg = f"{path}: {what}{hint}; expected one of numbers: {told}."
    raise DataError(msg)


_READERS: dict[str, Callable[[Path, str | None], Any]] = {
    ".npy": _of_npy,
    ".npz": _of_npz,
    ".parquet": _of_table("read_parquet"),
    ".csv": _of_table("read_csv"),
    ".tsv": _of_table("read_csv", sep="\t"),
    ".nii.gz": _of_nifti,
    ".nii": _of_nifti,
    ".gii": _of_gifti,
    ".toml": _of_npy,  # told apart before: a study has subjects
}
_WITHOUT_COLUMNS = (".npy", ".nii.gz", ".nii", ".gii")
