"""Responses from NIfTI volumes and GIFTI surfaces, as (n_trs, n_voxels)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import present, read_text
from voxscale.errors import DataError

__all__ = ["cleaned", "confounds_of", "epi_mask", "read_images", "read_mask", "tr_s_of"]


def read_images(files: Sequence[Path], mask: Path | Array | None = None) -> Array:
    """Read one recording.

    Parameters
    ----------
    files : sequence of Path
        One volume, or two surfaces, whose vertices follow each other.
    mask : Path, or array of shape (x, y, z), optional
        Of a volume: a voxel is taken where it is not 0, in the order of nilearn's NiftiMasker
        (the last axis of the grid changes fastest). By default every voxel of the grid.

    Returns
    -------
    array of shape (n_trs, n_voxels), float32
        Numbers as they are stored.

    Raises
    ------
    DataError
        If a file cannot be read, hemispheres differ in their TRs, or a mask is on another grid
        or empty.
    """
    if len(files) > 1:
        halves = [_surface(path) for path in files]
        if len({len(half) for half in halves}) > 1:
            counts = " and ".join(str(len(half)) for half in halves)
            msg = f"{files[0]}: the hemispheres have {counts} TRs; expected the same; fetch again."
            raise DataError(msg)
        return np.concatenate(halves, axis=1)
    path = files[0]
    image = _open(path)
    if len(image.shape) != 4:
        msg = f"{path} has shape {image.shape}; expected (x, y, z, n_trs); name the 4-D file."
        raise DataError(msg)
    keep = _kept(mask, path, image)
    with _reading(path):
        values = image.get_fdata(dtype=np.float32, caching="unchanged")[keep]
    return np.ascontiguousarray(values.T)


def _kept(mask: Path | Array | None, path: Path, image: Any) -> Array:
    if mask is None:
        return np.ones(image.shape[:3], bool)
    if isinstance(mask, Path):
        return read_mask(mask, path, image)
    if mask.shape != image.shape[:3]:
        msg = (
            f"{path} has volumes of shape {image.shape[:3]}; expected {mask.shape}, as the run "
            "that the mask was made of; pass mask= one that fits, or fetch the file again."
        )
        raise DataError(msg)
    return mask


def read_mask(mask: Path, path: Path, image: Any) -> Array:
    """Read which voxels of an image are meant, (x, y, z) truth values."""
    one = _open(mask)
    same_place = np.allclose(one.affine, image.affine, atol=1e-3)
    if one.shape[:3] != image.shape[:3] or not same_place:
        where = "" if same_place else ", at another place in space"
        msg = (
            f"mask {mask} has shape {one.shape}{where}; expected that of {path.name}, "
            f"{image.shape[:3]}; choose the mask of this space and resolution."
        )
        raise DataError(msg)
    with _reading(mask):
        keep: Array = np.asarray(one.dataobj).reshape(image.shape[:3]) != 0
    if not keep.any():
        msg = f"mask {mask} is 0 everywhere; expected voxels of the brain; choose another."
        raise DataError(msg)
    return keep


def epi_mask(path: Path) -> Array:
    """Find the brain in a recording, as ``nilearn.masking.compute_epi_mask`` does, (x, y, z)."""
    _need("nilearn")
    from nilearn.masking import compute_epi_mask

    image = _open(path)
    with _reading(path):
        keep: Array = np.asarray(compute_epi_mask(image).dataobj) != 0
    return keep


def tr_s_of(files: Sequence[Path], beside: Sequence[Path] = ()) -> float | None:
    """Return the TR in seconds: from a side file of json, or else the header of a volume.

    Parameters
    ----------
    files : sequence of Path
    beside : sequence of Path
        Side files, best first; those that are not there are passed over.
    """
    for path in beside:
        if path.is_file():
            try:
                found = json.loads(read_text(path))
            except json.JSONDecodeError as error:
                msg = f"{path}, line {error.lineno}: is no JSON ({error.msg}); fetch it again."
                raise DataError(msg) from error
            value = found.get("RepetitionTime") if isinstance(found, dict) else None
            if isinstance(value, int | float) and value > 0:
                return float(value)
    if len(files) > 1:
        return None
    header = _open(files[0]).header
    _, unit = header.get_xyzt_units()
    step = float(header.get_zooms()[-1]) / {"msec": 1e3, "usec": 1e6}.get(unit, 1.0)
    return step if step > 0 else None


def confounds_of(files: Sequence[Path], strategy: Sequence[str]) -> tuple[Array, int]:
    """Read what fMRIPrep says of noise, by ``nilearn.interfaces.fmriprep.load_confounds``.

    Returns
    -------
    values : array of shape (n_trs, n_confounds)
        Of every TR; NaN, as derivatives have in the first one, is 0.
    n_first : int
        TRs at the start that are not in a steady state, to be left out.

    Raises
    ------
    DataError
        If they cannot be read, or TRs are missing elsewhere than at the start.
    """
    _need("nilearn")
    from nilearn.interfaces.fmriprep import load_confounds

    names: Any = [str(one) for one in files]
    try:
        frame, kept = load_confounds(names if len(names) > 1 else names[0], tuple(strategy))
    except (ValueError, FileNotFoundError, KeyError) as error:
        first = (str(error).splitlines() or [""])[0]
        msg = (
            f"{files[0]}: no confounds {', '.join(strategy)} ({first}); expected the files of "
            "fMRIPrep beside it, desc-confounds_timeseries.tsv and .json; fetch them, or pass "
            "confounds=None."
        )
        raise DataError(msg) from error
    values = np.nan_to_num(frame.to_numpy(dtype=np.float64))
    if kept is None:
        return values, 0
    n_first = len(values) - len(kept)
    if list(kept) != list(range(n_first, len(values))):
        msg = (
            f"{files[0]}: the confounds leave out {n_first} TRs in the middle of the run; expected "
            "whole runs, since rows are matched by TR; leave 'scrub' out of confounds."
        )
        raise DataError(msg)
    return values, n_first


def cleaned(
    values: Array,
    *,
    tr_s: float,
    confounds: Array | None,
    detrend: bool,
    high_pass_hz: float | None,
) -> Array:
    """Take confounds, a linear trend and slow drift out of (n_trs, n_voxels), by nilearn.

    The mean of each voxel goes with a trend or a filter; variances are not changed otherwise.
    """
    _need("nilearn")
    from nilearn import signal

    found: Array = signal.clean(
        values,
        confounds=confounds,
        detrend=detrend,
        high_pass=high_pass_hz,
        filter="butterworth" if high_pass_hz else False,
        t_r=tr_s,
        standardize=None,
    )
    return found.astype(np.float32, copy=False)


def _surface(path: Path) -> Array:
    """Read one hemisphere, (n_trs, n_vertices)."""
    image = _open(path)
    arrays = [np.asarray(one.data, dtype=np.float32) for one in getattr(image, "darrays", [])]
    if not arrays or len({one.shape for one in arrays}) > 1:
        msg = f"{path} holds no time series; expected one array for each TR; name another file."
        raise DataError(msg)
    if len(arrays) == 1 and arrays[0].ndim == 2:  # (n_vertices, n_trs)
        return np.ascontiguousarray(arrays[0].T)
    return np.stack(arrays)


def _open(path: Path) -> Any:
    nibabel = _need("nibabel")
    path = present(path)
    with _reading(path):
        return nibabel.load(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    import zlib

    from nibabel.filebasedimages import ImageFileError

    try:
        yield
    # A truncated or damaged file is told by whichever layer meets it first.
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        msg = f"{path}: cannot be read ({first}); expected a NIfTI or GIFTI image; fetch it again."
        raise DataError(msg) from error


def _need(name: str) -> ModuleType:
    from importlib import import_module

    try:
        return import_module(name)
    except ImportError as error:
        msg = (
            f"brain images are read with {name}, which is not installed; install it with: "
            "pip install 'voxscale[brain]'"
        )
        raise DataError(msg) from error
