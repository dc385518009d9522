"""Uncertainty from the units at hand: resample them, take percentiles."""

from __future__ import annotations

import numpy as np

from voxscale.arrays import Array

__all__ = ["percentile_interval", "resampled_means"]

# How many numbers one block of draws may hold. Results do not depend on it.
_BLOCK_NUMBERS = 2**22


def resampled_means(scores: Array, n_draws: int, seed: int | np.random.Generator) -> Array:
    """Average over units drawn with replacement, again and again.

    Parameters
    ----------
    scores : array of shape (n_points, n_units)
    n_draws : int
    seed : int or numpy.random.Generator

    Returns
    -------
    array of shape (n_points, n_draws)
        A unit is drawn with all its points, so that what its points share stays shared.
    """
    rng = np.random.default_rng(seed)
    n_points, n_units = scores.shape
    means = np.empty((n_points, n_draws))
    width = max(1, _BLOCK_NUMBERS // (n_points * n_units))
    for start in range(0, n_draws, width):
        draws = slice(start, min(start + width, n_draws))
        chosen = rng.integers(n_units, size=(draws.stop - start, n_units))
        means[:, draws] = scores[:, chosen].mean(axis=2)
    return means


def percentile_interval(draws: Array, level: float) -> tuple[Array, Array]:
    """Return the middle ``level`` of the draws along the last axis; NaN where there are none.

    References
    ----------
    Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13.
    """
    if draws.shape[-1] == 0:
        nothing = np.full(draws.shape[:-1], np.nan)
        return nothing[()], nothing.copy()[()]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return low, high
