"""Intervals from a block bootstrap over time and a jackknife over repeats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import special

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning

__all__ = [
    "Interval",
    "Spread",
    "correlation_of_draws",
    "quotient_limits",
    "spread",
    "warn_undefined",
    "warn_unlimited",
    "why_no_score",
]

# Overlapping blocks estimate a variance as well as 1.5 times as many separate ones.
_FREEDOM_PER_BLOCK = 1.5


@dataclass(frozen=True, eq=False)
class Interval:
    """A number for each voxel, and the range in which its true value may lie.

    Parameters
    ----------
    estimate, low, high : arrays of shape (n_voxels,), float64
        NaN where undefined. A limit can be infinite where the data set none, and both are NaN
        where a voxel varies in too few TRs: ``has_limits``.
    why_undefined : array of str of shape (n_voxels,)
        Empty where there is an estimate, otherwise what is missing.
    level : float
        Share of such intervals that hold the true value, 0.95 by default.
    """

    estimate: Array = field(repr=False)
    low: Array = field(repr=False)
    high: Array = field(repr=False)
    why_undefined: Array = field(repr=False)
    level: float

    @property
    def is_defined(self) -> Array:
        """Whether each voxel has an estimate, array of bool of shape (n_voxels,)."""
        return np.asarray(self.why_undefined == "")

    @property
    def has_limits(self) -> Array:
        """Whether each voxel has both limits, array of bool of shape (n_voxels,)."""
        return ~(np.isnan(self.low) | np.isnan(self.high))

    def map(self, function: Callable[[Array], Array], why: str = "") -> Interval:
        """Put estimate and limits through an increasing function.

        Parameters
        ----------
        function : callable
            From an array to an array of the same shape, NaN where it has no answer.
        why : str, optional
            Said of voxels whose estimate the function has no answer for.

        Returns
        -------
        Interval
        """
        estimate, low, high = (function(values) for values in (self.estimate, self.low, self.high))
        lost = np.isnan(estimate) & self.is_defined
        reasons = np.where(lost, why or "no answer", self.why_undefined)
        return Interval(estimate, low, high, reasons, self.level)

    def from_zero(self, before: Interval) -> Interval:
        """Let limits that a function of ``before`` had no answer for be 0."""
        low, high = (
            np.where(np.isnan(limit) & ~np.isnan(known), 0.0, limit)
            for limit, known in ((self.low, before.low), (self.high, before.high))
        )
        return replace(self, low=low, high=high)


@dataclass(frozen=True)
class Spread:
    """Standard error of a number in each voxel, and how many degrees of freedom it rests on."""

    error: Array
    freedom: Array

    def reach(self, level: float) -> Array:
        """How far an interval of this level reaches to either side."""
        return np.asarray(self.error * special.stdtrit(self.freedom, 0.5 + level / 2))


def spread(
    draws: Array, deleted: Array, groups: Array, n_blocks: int, n_stories: int = 1
) -> Spread:
    """Add the variance between repeats to that over time, without counting noise twice.

    Blocks of TRs are drawn for all repeats together, so the variance over draws holds both the
    signal's and the noise's. Deleting a repeat changes a number too, by more than the noise of
    its TRs explains where repeats differ as a whole; only that excess is added.

    Parameters
    ----------
    draws : array of shape (1 + n_bootstraps, n_voxels)
        A number, on a scale where its errors are about normal. The first row is the estimate.
    deleted : array of shape (1 + n_bootstraps, n_deletions, n_voxels)
        The same without each of the repeats. May have no deletions.
    groups : array of int of shape (n_deletions,)
        Which story each deletion belongs to; repeats are exchangeable within.
    n_blocks : int
        Blocks that a sample consists of.
    n_stories : int
        Each story's own mean costs a block.

    Returns
    -------
    Spread
        Degrees of freedom by Satterthwaite's approximation.
    """
    n_free = max(n_blocks - n_stories, 1)
    lost = n_blocks / n_free
    time = lost * _variance(draws[1:])
    excess, between_freedom = np.zeros_like(time), 0
    for group in np.unique(groups):
        members = deleted[:, groups == group]
        n_members = members.shape[1]
        apart = members - members.mean(axis=1, keepdims=True)
        by_noise = lost * _variance(apart[1:])
        factor = (n_members - 1) / n_members
        excess += factor * (apart[0] ** 2 - by_noise).sum(axis=0)
        between_freedom += n_members - 1
    excess = np.maximum(excess, 0.0)
    variance = time + excess
    time_freedom = _FREEDOM_PER_BLOCK * n_free
    parts = time**2 / time_freedom + excess**2 / max(between_freedom, 1)
    known = parts > 0
    freedom = np.where(known, variance**2 / np.where(known, parts, 1.0), time_freedom)
    return Spread(np.sqrt(variance), freedom)


def _variance(draws: Array) -> Array:
    """Variance over bootstrap samples, without a copy of them all."""
    mean = draws.mean(axis=0)
    total = np.zeros_like(mean)
    for draw in draws:
        total += (draw - mean) ** 2
    return np.asarray(total / (len(draws) - 1))


def quotient_limits(
    top: tuple[Array, Array, Array], bottom: tuple[Array, Array, Array], together: Array
) -> tuple[Array, Array]:
    """Limits of a quotient, from those of its two parts.

    Parameters
    ----------
    top, bottom : tuples of arrays (estimate, low, high), each of shape (n_voxels,)
        The bottom is positive, and its low limit may be 0.
    together : array of shape (n_voxels,)
        Correlation of the errors of both parts.

    Returns
    -------
    low, high : arrays of shape (n_voxels,)
        Infinite where the bottom may be 0.

    References
    ----------
    Donner & Zou 2012, Stat. Methods Med. Res. 21:347, doi:10.1177/0962280210383082 (MOVER-R).
    """
    high = _upper_quotient(top, bottom, together)
    estimate, low, upper = top
    mirrored = _upper_quotient((-estimate, -upper, -low), bottom, -together)
    return -mirrored, high


def _upper_quotient(
    top: tuple[Array, Array, Array], bottom: tuple[Array, Array, Array], together: Array
) -> Array:
    """Largest q for which ``top - q · bottom`` may still be 0."""
    estimate, _, upper = top
    divisor, divisor_low, divisor_high = bottom
    up = upper - estimate
    # The errors that make a quotient large: a small divisor, or a large one below zero.
    positive = upper > 0
    away = np.where(positive, divisor - divisor_low, divisor_high - divisor)
    square = divisor**2 - away**2
    middle = estimate * divisor - together * up * away
    rest = estimate**2 - up**2
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(np.maximum(middle**2 - square * rest, 0.0))
        found = (middle + root) / square
    found = np.where(square > 0, found, np.where(positive, np.inf, 0.0))
    return np.where(np.isnan(estimate) | np.isnan(divisor), np.nan, found)


def warn_undefined(what: str, reasons: Array, stacklevel: int = 3) -> None:
    """Count the voxels without an answer, by reason, in one warning."""
    missing = reasons[reasons != ""]
    if not len(missing):
        return
    names, counts = np.unique(missing, return_counts=True)
    parts = ", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True))
    msg = (
        f"{len(missing)} of {len(reasons)} voxels have no {what} and are NaN: {parts}. Leave "
        "them out of means, and say how many they were."
    )
    warnings.warn(msg, VoxscaleWarning, stacklevel=stacklevel)


def why_no_score(defined: Array, responses: Array, *predictions: Array) -> Array:
    """Name what keeps voxels from having a score: values that are not finite, or no variance.

    Nothing is said of voxels that have no prediction at all, NaN throughout: whoever made the
    predictions has counted them.
    """
    reasons = np.where(defined, "", "not finite")
    lost = np.flatnonzero(~defined)
    if len(lost):
        series = [one[:, lost] for one in (responses, *predictions)]
        finite = np.all([np.isfinite(one).all(axis=0) for one in series], axis=0)
        absent = np.any([np.isnan(one).all(axis=0) for one in series[1:]], axis=0)
        reasons[lost[finite]] = "constant"
        reasons[lost[absent]] = ""
    return reasons


def warn_unlimited(what: str, lacking: Array, stacklevel: int = 3) -> None:
    """Count the voxels that have an estimate, but no limits."""
    n_lacking = np.count_nonzero(lacking)
    if n_lacking:
        msg = (
            f"{n_lacking} of {len(lacking)} voxels have a {what} without limits, which are NaN: "
            "these voxels, or their predictions, vary in so few TRs that some bootstrap samples "
            "hold none of them. Look at their time courses, or leave them out."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=stacklevel)


def correlation_of_draws(one: Array, other: Array) -> Array:
    """Correlate two numbers over their bootstrap samples, voxel by voxel."""
    left, right = one[1:] - one[1:].mean(axis=0), other[1:] - other[1:].mean(axis=0)
    size = np.sqrt((left**2).sum(axis=0) * (right**2).sum(axis=0))
    product = (left * right).sum(axis=0)
    return np.asarray(np.divide(product, size, out=np.zeros_like(size), where=size > 0))
