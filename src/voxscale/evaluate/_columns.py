"""Columns of numbers in float64, a block of voxels at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["as_numbers", "center", "paired", "rounding_unit", "unit_columns", "voxel_blocks"]

# What one block may take in float64, temporaries included. Results do not depend on it.
BLOCK_BYTES = 128 * 2**20

# A column whose deviation is within this many rounding units of its size is constant.
_ROUNDING_UNITS = 4


def voxel_blocks(n_voxels: int, numbers_per_voxel: int) -> Iterator[slice]:
    """Yield slices of voxels that fit in the memory of one block."""
    width = max(1, BLOCK_BYTES // (8 * max(1, numbers_per_voxel)))
    for start in range(0, n_voxels, width):
        yield slice(start, min(start + width, n_voxels))


def as_numbers(values: ArrayLike, name: str) -> Array:
    """See values as an array, without a copy where they are one, and refuse what is no number."""
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        msg = f"{name} has dtype {array.dtype}; expected real numbers; convert it first."
        raise TypeError(msg)
    return array


def paired(Y: ArrayLike, Y_pred: ArrayLike) -> tuple[Array, Array]:
    """Check that responses and predictions share TRs and voxels, and see 1-D as one voxel."""
    truth, guess = as_numbers(Y, "Y"), as_numbers(Y_pred, "Y_pred")
    if truth.shape != guess.shape:
        msg = (
            f"Y has shape {truth.shape} but Y_pred has shape {guess.shape}; expected the same "
            "TRs and voxels in both; join them on shared TRs first."
        )
        raise AlignmentError(msg)
    if truth.ndim not in (1, 2):
        msg = f"Y has shape {truth.shape}; expected (n_trs, n_voxels), or (n_trs,) for one voxel."
        raise ValueError(msg)
    if len(truth) < 2:
        msg = f"Y has shape {truth.shape}; expected at least 2 TRs: no score exists for fewer."
        raise ValueError(msg)
    return (truth[:, None], guess[:, None]) if truth.ndim == 1 else (truth, guess)


def rounding_unit(dtype: np.dtype) -> float:
    """Return the relative spacing of the numbers as they were made, at best that of float64.

    Numbers in half precision were made in a wider one and only stored so: where they differ,
    they do.
    """
    own = np.finfo(dtype).eps if dtype.kind == "f" else 0.0
    return float(np.clip(own, np.finfo(np.float64).eps, np.finfo(np.float32).eps))


def center(block: Array) -> tuple[Array, Array, Array]:
    """Scale columns to size one and subtract their means, in float64.

    Returns
    -------
    centered : array of shape (n_trs, n_columns)
        Undefined columns are zero.
    size : array of shape (n_columns,)
        Largest magnitude of each column; what ``centered`` was divided by, so that no square
        overflows or vanishes. NaN where a value is not finite.
    varies : array of bool of shape (n_columns,)
        False where a column is not finite, or constant but for rounding.
    """
    values = block.astype(np.float64, order="C")
    with np.errstate(invalid="ignore"):
        size = np.abs(values).max(axis=0)
    finite = np.isfinite(size)
    size[~finite] = np.nan
    values[:, ~finite] = 0.0
    values /= np.where(finite & (size > 0), size, 1.0)
    mean = values.mean(axis=0)
    values -= mean
    # The sum behind a mean rounds, by more than the column varies where its offset is large.
    values -= values.mean(axis=0)
    deviation = np.sqrt(np.mean(values**2, axis=0))
    tolerance = _ROUNDING_UNITS * rounding_unit(block.dtype)
    varies = finite & (deviation > tolerance * np.abs(mean))
    values[:, ~varies] = 0.0
    return values, size, varies


def unit_columns(block: Array) -> tuple[Array, Array]:
    """Center columns and give them length one, so that products of them are correlations.

    Returns
    -------
    unit : array of shape (n_trs, n_columns)
        Undefined columns are zero.
    varies : array of bool of shape (n_columns,)
        False where the correlation of a column is undefined.
    """
    values, _, varies = center(block)
    length = np.sqrt(np.einsum("tv,tv->v", values, values))
    values /= np.where(varies, length, 1.0)
    return values, varies
