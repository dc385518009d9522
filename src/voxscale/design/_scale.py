"""Zero mean and unit variance, column by column."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array

__all__ = ["zscore"]


def zscore(x: ArrayLike) -> Array:
    """Subtract each column's mean and divide by its standard deviation.

    A constant column becomes 0, also where rounding leaves it a tiny spread: a column of 0.1
    has a computed deviation of 1e-17, which must not be blown up to one.

    Parameters
    ----------
    x : array of shape (n_trs, n_columns)
        One run. Never written to.

    Returns
    -------
    array of shape (n_trs, n_columns)
        Same dtype if floating, else float64. The deviation is the population's (ddof 0);
        means and deviations are taken in float64. A column with a NaN is NaN throughout.

    Raises
    ------
    ValueError
        If ``x`` is not two-dimensional or has no rows.

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
    dtype = x.dtype if np.issubdtype(x.dtype, np.floating) else np.dtype(np.float64)
    # Seen from its own first row, a constant column is zero exactly, however long it is.
    shifted = x.astype(np.float64) - x[0]
    centred = shifted - shifted.mean(axis=0)
    deviation = np.sqrt(np.mean(centred**2, axis=0))
    constant = deviation <= 4 * np.finfo(dtype).eps * np.abs(x[0])
    return np.where(constant, 0.0, centred / np.where(constant, 1.0, deviation)).astype(dtype)
