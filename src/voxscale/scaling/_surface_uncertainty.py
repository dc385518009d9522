"""How sure the parameters of a surface are, and whatever is computed from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from voxscale.arrays import Array
from voxscale.scaling._bootstrap import percentile_interval

__all__ = ["Estimate", "Uncertainty"]

_STEP = 1e-3  # of a difference quotient, in standard errors


class Estimate(NamedTuple):
    """A number and the ends of its interval: infinite where no end was found, NaN without one.

    Parameters
    ----------
    value, low, high : float
    """

    value: float
    low: float
    high: float


class Uncertainty(NamedTuple):
    """Either a covariance of the parameters with its degrees of freedom, or bootstrap draws."""

    level: float
    covariance: Array | None = None  # (n_parameters, n_parameters)
    freedom: float = np.nan
    draws: Array | None = None  # (n_draws, n_parameters)
    bounded: Array | None = None  # (n_axes, 2): intervals of exponents that are at a bound

    @property
    def is_known(self) -> bool:
        """Whether there was anything to learn it from."""
        return self.covariance is not None or self.draws is not None

    @property
    def reach(self) -> float:
        """Standard errors that an interval by Student's t reaches to either side."""
        return float(special.stdtrit(self.freedom, 0.5 + self.level / 2))

    def interval(
        self, function: Callable[[Array], Array], parameters: Array
    ) -> tuple[Array, Array]:
        """Find the interval of a function of parameters (..., n_parameters) → (...,)."""
        if self.draws is not None:
            return percentile_interval(np.moveaxis(function(self.draws), 0, -1), self.level)
        value = function(parameters)
        if self.covariance is None:
            return np.full_like(value, np.nan), np.full_like(value, np.nan)
        away = self.reach * self.error(function, parameters)
        return value - away, value + away

    def error(self, function: Callable[[Array], Array], parameters: Array) -> Array:
        """Compute the standard error of a function, by its derivatives (delta method)."""
        if self.covariance is None:
            return np.full_like(function(parameters), np.nan)
        values, vectors = np.linalg.eigh(self.covariance)
        errors = vectors * np.sqrt(np.maximum(values, 0.0))
        total = np.zeros_like(function(parameters))
        for direction in errors.T:
            step = _STEP * direction
            with np.errstate(invalid="ignore"):  # infinite on both sides
                change = function(parameters + step) - function(parameters - step)
            total = total + (change / 2) ** 2
        return np.sqrt(total) / _STEP

    def where_zero(
        self,
        gap: Callable[[Array, Array], Array],
        parameters: Array,
        value: float,
        window: tuple[float, float],
    ) -> tuple[float, float]:
        """Find the ends of the set around ``value`` where a gap could be 0.

        Fieller's method, for any function: the positions t at which ``gap(parameters, t)`` is
        within so many standard errors of 0. Infinite where the set does not end in the window.

        References
        ----------
        Fieller 1954, J. R. Stat. Soc. B 16:175, doi:10.1111/j.2517-6161.1954.tb00159.x.
        """

        def excess(positions: Array) -> Array:
            error = self.error(lambda theta: gap(theta[..., None, :], positions), parameters)
            return np.abs(gap(parameters, positions)) - self.reach * error

        start = float(np.clip(value, *window))
        if start != value and excess(np.array([start]))[0] > 0:
            return value, value  # out of reach, and surely so
        low, high = (
            -np.inf if value == -np.inf else _end(excess, start, window[0]),
            np.inf if value == np.inf else _end(excess, start, window[1]),
        )
        return low, high


def _end(excess: Callable[[Array], Array], start: float, limit: float) -> float:
    """Go from the start towards the limit until the excess is above 0."""
    grid = start + (limit - start) * np.concatenate([[0.0], np.geomspace(1e-9, 1, 400)])
    outside = np.flatnonzero(excess(grid)[1:] > 0) + 1
    if not len(outside):
        return float(np.copysign(np.inf, limit - start))
    inner, outer = grid[outside[0] - 1], grid[outside[0]]
    if excess(np.array([inner]))[0] > 0:
        return float(inner)  # no uncertainty at all, but for rounding
    return float(optimize.brentq(lambda t: float(excess(np.array([t]))[0]), inner, outer))
