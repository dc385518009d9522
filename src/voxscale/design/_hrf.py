"""The haemodynamic response to one moment."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from voxscale.arrays import Array

__all__ = ["double_gamma_hrf"]


def double_gamma_hrf(
    times: ArrayLike,
    *,
    peak_s: float = 6.0,
    undershoot_s: float = 16.0,
    undershoot_ratio: float = 1 / 6,
) -> Array:
    """Evaluate the canonical double-gamma response.

    Parameters
    ----------
    times : array of any shape, in seconds
        Since the event. Before it the response is zero.
    peak_s, undershoot_s : float, in seconds
        Shapes of the two gamma densities, whose scale is one second: the modes lie one
        second earlier.
    undershoot_ratio : float

    Returns
    -------
    array of the shape of ``times``, float64, largest value 1

    References
    ----------
    Friston et al. 1998, NeuroImage 7:30, doi:10.1006/nimg.1997.0306; the defaults of SPM.

    Examples
    --------
    >>> double_gamma_hrf([-1.0, 0.0, 5.0]).round(2)
    array([0., 0., 1.])
    """

    def response(at: Array) -> Array:
        undershoot = undershoot_ratio * _gamma_density(at, undershoot_s)
        return _gamma_density(at, peak_s) - undershoot

    largest = response(np.linspace(0, 2 * undershoot_s, 3201)).max()
    return np.asarray(response(np.asarray(times, dtype=np.float64)) / largest)


def _gamma_density(times: Array, shape: float) -> Array:
    positive = np.maximum(times, np.finfo(np.float64).tiny)
    density = np.exp((shape - 1) * np.log(positive) - positive - gammaln(shape))
    return np.where(times > 0, density, 0.0)
