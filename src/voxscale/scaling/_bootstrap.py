"""Draw members of every level anew, from the outermost inwards, and what intervals draws make."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from voxscale.arrays import Array
from voxscale.scaling._units import Units

__all__ = ["bca_interval", "drawn_shares", "jackknife_shares", "percentile_interval"]


def drawn_shares(
    units: Units, n_draws: int, seed: int | np.random.Generator, *, crossed: bool = False
) -> Array:
    """Draw with replacement at every level: subjects, of each drawn subject stories, and so on.

    Parameters
    ----------
    units : Units
    n_draws : int
    seed : int or numpy.random.Generator
    crossed : bool
        Draw the members between the outermost level and the units once for all, by their
        labels: stories that every subject heard.

    Returns
    -------
    array of shape (n_draws, n_units)
        The weight of each unit in each draw; rows sum to 1.

    Notes
    -----
    A member that was drawn m times has its k parts drawn m·k times in all: a multinomial draw.
    """
    rng = np.random.default_rng(seed)
    shares = _once(units, n_draws, rng, crossed=crossed)
    # Where subjects heard different stories, a draw may hold no story of any drawn subject.
    while (empty := np.isnan(shares[:, 0])).any():
        shares[empty] = _once(units, int(empty.sum()), rng, crossed=crossed)
    return shares


def _once(units: Units, n_draws: int, rng: np.random.Generator, *, crossed: bool) -> Array:
    outer = np.zeros(len(units.weights), np.intp)
    times = np.ones((n_draws, 1), np.int64)
    subjects = None
    for depth in range(len(units.names)):
        inner = units.paths(depth)
        is_between = 0 < depth < len(units.names) - 1
        if crossed and is_between:
            times = _by_label(units.labels[depth], outer, inner, times, rng)
        else:
            times = _nested(outer, inner, times, rng)
        outer = inner
        if depth == 0 and units.subjects.any():
            subjects = times
    return units.shares(times, subjects)


def _nested(outer: Array, inner: Array, times: Array, rng: np.random.Generator) -> Array:
    """Draw the parts of each member as often as it was drawn itself."""
    parents = np.empty(inner.max() + 1, np.intp)
    parents[inner] = outer
    counts = np.zeros((len(times), len(parents)), np.int64)
    for parent in range(times.shape[1]):
        parts = np.flatnonzero(parents == parent)
        chances = np.full(len(parts), 1 / len(parts))
        counts[:, parts] = rng.multinomial(times[:, parent] * len(parts), chances)
    return counts


def _by_label(
    labels: Array, outer: Array, inner: Array, times: Array, rng: np.random.Generator
) -> Array:
    """Draw labels once, for whatever member they are found in."""
    own, codes = np.unique(labels, return_inverse=True)
    drawn = rng.multinomial(np.full(len(times), len(own)), np.full(len(own), 1 / len(own)))
    n_inner = inner.max() + 1
    parents, names = np.empty(n_inner, np.intp), np.empty(n_inner, np.intp)
    parents[inner], names[inner] = outer, codes
    return np.asarray(times[:, parents] * drawn[:, names])


def jackknife_shares(units: Units, members: Array) -> Array:
    """Leave each member out in turn.

    Parameters
    ----------
    units : Units
    members : array of shape (n_members, n_units)
        Above 0 where a unit belongs to a member.

    Returns
    -------
    array of shape (n_members, n_units)
    """
    return units.shares((members == 0) * 1.0)


def percentile_interval(draws: Array, level: float) -> tuple[Array, Array]:
    """Return the middle ``level`` of the draws along the last axis; NaN where there are none.

    References
    ----------
    Efron & Tibshirani 1993, "An introduction to the bootstrap", chapter 13.
    """
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    ends = np.broadcast_to(tails, (*draws.shape[:-1], 2))
    return _quantiles(draws, ends)


def bca_interval(draws: Array, point: Array, left_out: Array, level: float) -> tuple[Array, Array]:
    """Correct percentiles for bias and for a spread that changes with the value.

    Parameters
    ----------
    draws : array of shape (..., n_draws)
    point : array of shape (...)
    left_out : array of shape (..., n_members)
        The estimate without each member.
    level : float

    Returns
    -------
    low, high : arrays of shape (...)
        Percentiles corrected for bias alone where no finite spread is left without one member.

    References
    ----------
    Efron 1987, J. Am. Stat. Assoc. 82:171, doi:10.1080/01621459.1987.10478410.
    """
    if draws.shape[-1] == 0:
        return percentile_interval(draws, level)
    below = (draws < point[..., None]).mean(axis=-1) + 0.5 * (draws == point[..., None]).mean(
        axis=-1
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        away = left_out.mean(axis=-1, keepdims=True) - left_out
        speed = (away**3).sum(axis=-1) / (6 * (away**2).sum(axis=-1) ** 1.5)
        speed = np.where(np.isfinite(speed), speed, 0.0)
        bias = ndtri(below)
        shift = bias[..., None] + ndtri([(1 - level) / 2, (1 + level) / 2])
        ends = ndtr(bias[..., None] + shift / (1 - speed[..., None] * shift))
    return _quantiles(draws, ends)


def _quantiles(draws: Array, ends: Array) -> tuple[Array, Array]:
    """Take a pair of quantiles along the last axis, infinite draws being draws like any other."""
    n_draws = draws.shape[-1]
    if n_draws == 0:
        nothing = np.full(draws.shape[:-1], np.nan)
        return nothing[()], nothing.copy()[()]
    ordered = np.sort(draws, axis=-1)
    place = np.where(np.isfinite(ends), ends, 0.0) * (n_draws - 1)
    below = np.floor(place).astype(np.intp)
    lower = np.take_along_axis(ordered, below, axis=-1)
    upper = np.take_along_axis(ordered, np.minimum(below + 1, n_draws - 1), axis=-1)
    with np.errstate(invalid="ignore"):
        apart = upper - lower
        nearest = np.where(place - below < 0.5, lower, upper)
        values = np.where(np.isfinite(apart), lower + (place - below) * apart, nearest)
    values = np.where(np.isfinite(ends) & ~np.isnan(ordered[..., -1:]), values, np.nan)
    return values[..., 0][()], values[..., 1][()]
