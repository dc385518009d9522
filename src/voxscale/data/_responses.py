"""Read the responses of one run, and look at them before they are used."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, TRSeries
from voxscale.data._files import FilePath, present
from voxscale.data._stored import open_array, row_blocks
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["check_responses", "read_responses"]


def read_responses(
    path: FilePath,
    *,
    run: str | None = None,
    first_tr: int = 0,
    tr_times: ArrayLike | None = None,
    key: str = "data",
    n_trs: int | None = None,
    n_voxels: int | None = None,
) -> TRSeries:
    """Read the responses of one run from HDF5, npy or zarr.

    Files often lack the first TRs of the run: say so with ``first_tr``, or words and responses
    are joined at the wrong time. Stored numbers are not changed, so z-score them later.

    Parameters
    ----------
    path : path-like
        ``.hf5``, ``.h5``, ``.hdf5``, ``.npy``, or a zarr folder; an array of shape
        (n_trs, n_voxels). A ``.npy`` file and an HDF5 array stored in one piece are memory
        maps, read-only; anything else is read by blocks of rows.
    run : str, optional
        By default the name of the file without its ending.
    first_tr : int
        TR number of row 0, counted from the first TR of the run.
    tr_times : array of shape (n_run_trs,), in seconds, optional
        Middle of *every* TR of the run, from the onset of the sound; see `read_tr_report`.
    key : str
        Name of the array in an HDF5 file or zarr group.
    n_trs, n_voxels : int, optional
        What the shape must be.

    Returns
    -------
    TRSeries

    Raises
    ------
    DataError
        If the file cannot be read, is truncated or not fetched, has no such key, or fails
        `check_responses`. Nothing is ever unpickled. Chunks of an HDF5 or zarr array that are
        missing are an error too, since those that were lost cannot be told from those that
        were left out as empty; with a fill value of NaN they are read as NaN, with a warning.
    AlignmentError
        If the rows reach past ``tr_times``.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "story.npy")
    ...     np.save(path, np.random.default_rng(0).standard_normal((20, 3)))
    ...     series = read_responses(path, first_tr=10, n_voxels=3)
    ...     series.run, series.trs
    ('story', range(10, 30))
    """
    path = present(path, folder=True)
    run = path.stem if run is None else run
    values = open_array(path, key)
    label = f"{path}: run {run!r}"
    checked, note = _checked(values, label, first_tr=first_tr, n_trs=n_trs, n_voxels=n_voxels)
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    times = None if tr_times is None else np.asarray(tr_times, dtype=np.float64)
    return TRSeries(checked, run, first_tr, times)


@overload
def check_responses(
    responses: TRSeries,
    *,
    run: str | None = None,
    n_trs: int | None = None,
    n_voxels: int | None = None,
) -> TRSeries: ...


@overload
def check_responses(
    responses: ArrayLike,
    *,
    run: str | None = None,
    n_trs: int | None = None,
    n_voxels: int | None = None,
) -> Array: ...


def check_responses(
    responses: TRSeries | ArrayLike,
    *,
    run: str | None = None,
    n_trs: int | None = None,
    n_voxels: int | None = None,
) -> TRSeries | Array:
    """Check the responses of one run: shape, kind of number, infinite and NaN values.

    Voxels with NaN and voxels that never change are let through, with one warning that counts
    them, since they only score NaN; an infinite value is an error, since it spoils what is
    computed over voxels. Large arrays are read by blocks of rows.

    Parameters
    ----------
    responses : TRSeries, or array of shape (n_trs, n_voxels)
        Float; integers are converted.
    run : str, optional
        Name for messages; by default that of the series.
    n_trs, n_voxels : int, optional
        What the shape must be.

    Returns
    -------
    TRSeries or array
        What was given, as floating point numbers in the machine's byte order. No copy where
        it already is so.

    Raises
    ------
    DataError
        If the shape or the kind of number is wrong, or a value is infinite. The message names
        the run and the first bad (TR, voxel).

    Examples
    --------
    >>> check_responses(np.array([[1, 2], [3, 5]]), run="story", n_voxels=2)
    array([[1., 2.],
           [3., 5.]])
    """
    series = responses if isinstance(responses, TRSeries) else None
    if run is None and series is not None:
        run = series.run
    label = "the responses" if run is None else f"run {run!r}"
    checked, note = _checked(
        responses if series is None else series.values,
        label,
        first_tr=0 if series is None else series.first_tr,
        n_trs=n_trs,
        n_voxels=n_voxels,
    )
    if note:
        warnings.warn(note, VoxscaleWarning, stacklevel=2)
    return checked if series is None else replace(series, values=checked)


def _checked(
    values: Any, label: str, *, first_tr: int, n_trs: int | None, n_voxels: int | None
) -> tuple[Array, str]:
    """Return the values as floating point numbers, and what to warn of, if anything."""
    values = values if isinstance(values, np.ndarray) else np.asarray(values)
    _check_shape(values, label, n_trs, n_voxels)
    if values.dtype.kind not in "fiu":
        msg = (
            f"{label}: values are of type {values.dtype}; expected real numbers, float or "
            "integer; convert the file."
        )
        raise DataError(msg)
    if values.dtype.kind != "f":
        values = values.astype(np.result_type(values.dtype, np.float32))
    elif not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    found = _look(values)
    if found.infinite is not None:
        row, voxel = found.infinite
        counts = f"{_spaced(found.n_infinite)} of {_spaced(values.shape[1])} voxels"
        msg = (
            f"{label}: {counts} hold an infinite value (first at TR {first_tr + row}, voxel "
            f"{voxel}); expected finite numbers, or NaN where there is no answer; mend the "
            "preprocessing, or set them to NaN."
        )
        raise DataError(msg)
    return values, _note(found, label, first_tr, values.shape[1])


def _check_shape(values: Array, label: str, n_trs: int | None, n_voxels: int | None) -> None:
    if values.ndim != 2 or 0 in values.shape:
        msg = (
            f"{label}: responses have shape {values.shape}; expected (n_trs, n_voxels), "
            "with at least one of each; reshape them."
        )
        raise DataError(msg)
    wanted = (
        values.shape[0] if n_trs is None else n_trs,
        values.shape[1] if n_voxels is None else n_voxels,
    )
    if values.shape == wanted:
        return
    if values.shape[::-1] == wanted:
        do = "they are transposed: TRs come first"
    elif values.shape[0] < wanted[0]:
        do = "the file may be truncated, or cut to fewer TRs: see first_tr"
    else:
        do = "check that these are the responses of this run and subject"
    msg = (
        f"{label}: {values.shape[0]} TRs × {_spaced(values.shape[1])} voxels; expected "
        f"{wanted[0]} × {_spaced(wanted[1])}; {do}."
    )
    raise DataError(msg)


@dataclass
class _Found:
    """What a look at all values found; places are (row, voxel)."""

    n_nan: int
    n_constant: int
    n_infinite: int
    nan: tuple[int, int] | None
    infinite: tuple[int, int] | None


def _look(values: Array) -> _Found:
    n_voxels = values.shape[1]
    has_nan, has_infinite = np.zeros(n_voxels, bool), np.zeros(n_voxels, bool)
    low, high = np.full(n_voxels, np.inf), np.full(n_voxels, -np.inf)
    first_nan = first_infinite = None
    for start, block in row_blocks(values):
        if not np.isfinite(block).all():
            nan, infinite = np.isnan(block), np.isinf(block)
            first_nan = first_nan or _first(nan, start)
            first_infinite = first_infinite or _first(infinite, start)
            has_nan |= nan.any(axis=0)
            has_infinite |= infinite.any(axis=0)
        np.fmin(low, np.fmin.reduce(block, axis=0), out=low)
        np.fmax(high, np.fmax.reduce(block, axis=0), out=high)
    constant = (low == high) & ~has_nan
    return _Found(
        int(has_nan.sum()), int(constant.sum()), int(has_infinite.sum()), first_nan, first_infinite
    )


def _first(flags: Array, start: int) -> tuple[int, int] | None:
    if not flags.any():
        return None
    row, voxel = np.unravel_index(int(flags.argmax()), flags.shape)
    return start + int(row), int(voxel)


def _note(found: _Found, label: str, first_tr: int, n_voxels: int) -> str:
    of, parts = f"of {_spaced(n_voxels)} voxels ", []
    if found.nan is not None:
        row, voxel = found.nan
        place = f"(first at TR {first_tr + row}, voxel {voxel})"
        parts.append(f"{_spaced(found.n_nan)} {of}have NaN {place}")
    if found.n_constant:
        parts.append(f"{_spaced(found.n_constant)} {'' if parts else of}are constant")
    return f"{label}: {', '.join(parts)}; they will score NaN." if parts else ""


def _spaced(count: int) -> str:
    return f"{count:,}".replace(",", " ")
