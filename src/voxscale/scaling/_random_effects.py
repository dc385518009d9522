"""How much the true values behind several estimates differ: restricted maximum likelihood."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import optimize

from voxscale.arrays import Array

__all__ = ["WeightedMean", "restricted_variance", "weighted_mean"]

_GRID = 100


class WeightedMean(NamedTuple):
    """A mean by weights of one over each variance, and what it rests on."""

    mean: float
    weights: Array  # (n,), not normalised
    spread: float  # weighted square about the mean, over n - 1: 1 if the variances are right


def weighted_mean(values: Array, variances: Array) -> WeightedMean:
    """Average estimates of known variance, each (n,)."""
    weights = 1 / variances
    mean = float(weights @ values / weights.sum())
    spread = float(weights @ (values - mean) ** 2 / max(len(values) - 1, 1))
    return WeightedMean(mean, weights, spread)


def restricted_variance(values: Array, variances: Array) -> float:
    """Find the variance between true values, 0 or more, of the greatest restricted likelihood.

    Parameters
    ----------
    values, variances : arrays of shape (n,)
        Estimates and their squared standard errors.

    Notes
    -----
    A grid over the variance finds the highest of what may be several maxima, and a root of the
    derivative between its neighbours sharpens it.

    References
    ----------
    Viechtbauer 2005, J. Educ. Behav. Stat. 30:261, doi:10.3102/10769986030003261.
    """
    widest = float(np.var(values, ddof=1)) * 100
    if widest == 0:
        return 0.0
    floor = min(float(variances.min()), widest) * 1e-6
    grid = np.concatenate([[0.0], np.geomspace(floor, widest, _GRID)])
    best = int(np.argmax(_log_likelihoods(grid, values, variances)))
    if best == 0 and _score(0.0, values, variances) <= 0:
        return 0.0
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    at_low, at_high = (_score(end, values, variances) for end in (low, high))
    if at_low <= 0 or at_high >= 0:
        return float(grid[best])
    found = optimize.brentq(_score, low, high, args=(values, variances), xtol=1e-300, rtol=1e-14)
    return float(found)


def _log_likelihoods(between: Array, values: Array, variances: Array) -> Array:
    """Restricted log-likelihood at each variance between, but for a constant."""
    heights = np.empty(len(between))
    for i, one in enumerate(between):
        total = variances + one
        weights = 1 / total
        weight = weights.sum()
        apart = values - weights @ values / weight
        heights[i] = np.log(total).sum() + np.log(weight) + weights @ apart**2
    return -0.5 * heights


def _score(between: float, values: Array, variances: Array) -> float:
    """Twice its derivative in the variance between."""
    mean, weights, _ = weighted_mean(values, variances + between)
    square = weights**2
    return float(square @ (values - mean) ** 2 - weights.sum() + square.sum() / weights.sum())
