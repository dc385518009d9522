"""Zero mean and unit variance, column by column."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array

__all__ = ["zscore", "zscore_as_published"]


def zscore(x: ArrayLike) -> Array:
    """Subtract each column's mean and divide by its standard deviation.

    A constant column becomes 0, also where rounding leaves it a tiny spread: a column of 0.1
    has a computed deviation of 1e-17, which must not be blown up to one. In float16 the steps
    between numbers are as large as real signals, so that there float32's rounding is the measure.

    Parameters
    ----------
    x : array of shape (n_trs, n_columns)
        One run. Never written to.

    Returns
    -------
    array of shape (n_trs, n_columns)
        Same dtype if floating, else float64. The deviation is the population's (ddof 0);
        means and deviations are taken in float64. A column with a NaN or an infinity is NaN
        throughout.

    Raises
    ------
    ValueError
        If ``x`` is not two-dimensional, has no rows, or is not made of real numbers.

    Examples
    --------
    >>> zscore(np.array([[1.0, 5.0], [3.0, 5.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    x = np.asarray(x)
    if x.ndim != 2 or len(x) == 0:
        msg = f"x has shape {x.shape}; expected (n_trs, n_columns) with at least one row."
        raise ValueError(msg)
    if x.dtype.kind not in "fiub":
        msg = f"x has dtype {x.dtype}; expected real numbers."
        raise ValueError(msg)
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float64)
    exact = x.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):  # a column that is not finite becomes NaN
        # In units of its largest value, no square over- or underflows; seen from its own first
        # row, a constant column is zero exactly, however long it is.
        size = np.abs(exact).max(axis=0)
        scaled = exact / np.where(size > 0, size, 1.0)
        shifted = scaled - scaled[0]
        centred = shifted - shifted.mean(axis=0)
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    rounding = min(np.finfo(dtype).eps, np.finfo(np.float32).eps)
    constant = deviation <= 4 * rounding * np.abs(scaled[0])
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation)).astype(dtype)


def zscore_as_published(x: Array) -> Array:
    """Do as the scripts of Antonello et al. 2023: divide wherever the deviation is not exactly 0.

    A constant column whose computed deviation is a rounding error becomes plus or minus one.
    """
    deviation = x.std(axis=0)
    scaled: Array = (x - x.mean(axis=0)) / np.where(deviation == 0, 1.0, deviation)
    return scaled
