"""Ceilings from correlations between repeats, or between subjects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate._between import Bootstrap, interval_over_voxels
from voxscale.evaluate._interval import Interval, warn_undefined, warn_unlimited
from voxscale.evaluate._repeats import Trials, one_stack

__all__ = ["SplitHalf", "root_of", "spearman_brown", "split_half"]

_LARGEST_R = 1 - 1e-12
_SMALLEST = 1e-3
# Without a repeat, fewer splits are looked at: only how much they differ matters.
_SPLITS_OF_DELETED = 20


def spearman_brown(reliability: Array | float, factor: float) -> Array:
    """Extrapolate a reliability to a mean of ``factor`` times as many repeats.

    Parameters
    ----------
    reliability : array or float
        Correlation between two means of the same number of repeats.
    factor : float
        Above 0: 2 for the whole of two halves, ``numpy.inf`` for a mean without noise.

    Returns
    -------
    array
        factor · r / (1 + (factor - 1) · r). NaN where the denominator is not above 0: no
        reliability is so negative.

    Raises
    ------
    ValueError
        If the factor is not above 0.

    References
    ----------
    Spearman 1910, Br. J. Psychol. 3:271; Brown 1910, Br. J. Psychol. 3:296.

    Examples
    --------
    >>> spearman_brown(np.array([0.5, 0.0, -0.2]), 2).round(3)
    array([ 0.667,  0.   , -0.5  ])
    """
    if not factor > 0:
        msg = f"factor is {factor}; expected above 0, such as 2 for the whole of two halves."
        raise ValueError(msg)
    r = np.asarray(reliability, dtype=np.float64)
    if math.isinf(factor):
        return np.where(np.isnan(r), np.nan, np.where(r == 0, 0.0, np.where(r > 0, 1.0, np.nan)))
    below = 1 + (factor - 1) * r
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 0, factor * r / below, np.nan)


@dataclass(frozen=True, eq=False)
class SplitHalf:
    """How well halves of the repeats agree.

    Made by :func:`split_half`.

    Parameters
    ----------
    correlation : Interval
        Between the means of two halves, averaged over splits.
    reliability : Interval
        The same of the mean of all repeats (Spearman-Brown): an estimate of cc_max². Can be
        negative.
    n_repeats : int
    half : int
        Repeats in a half. With an odd number each split leaves one repeat out.
    n_splits : int
    """

    correlation: Interval = field(repr=False)
    reliability: Interval = field(repr=False)
    n_repeats: int
    half: int
    n_splits: int

    @property
    def cc_max(self) -> Interval:
        """Ceiling of the mean of all repeats: the root of its reliability.

        Undefined where the reliability is not above 0; a limit below 0 is 0.
        """
        return root_of(self.reliability)


def root_of(squared: Interval) -> Interval:
    """Take the root of an interval; undefined where the estimate is not above 0."""
    found = squared.map(lambda v: np.sqrt(np.where(v > 0, v, np.nan)), "without signal power")
    return found.from_zero(squared)


def split_half(
    trials: Trials,
    *,
    n_splits: int = 150,
    level: float = 0.95,
    n_bootstraps: int = 400,
    block_trs: int | None = None,
    seed: int | np.random.Generator = 0,
) -> SplitHalf:
    """Correlate the means of two halves of the repeats, or of the subjects.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_trs, n_voxels), or one for each of several stories
        Repeats of one subject, or subjects; not averages of repeats, which a half would need to
        be made of. The same number in every story; stories count as one long response, each
        about its own mean.
    n_splits : int
        How many splits to average over, drawn at random where more exist: all of up to ten
        repeats.
    level : float
    n_bootstraps : int
    block_trs : int, in TRs, optional
    seed : int or numpy.random.Generator
        The last four as for :func:`ceiling_intervals`.

    Returns
    -------
    SplitHalf

    Raises
    ------
    ValueError
        As :func:`ceiling_intervals`; also if there are no splits.
    AlignmentError
        If stories differ in their repeats or voxels.

    Warns
    -----
    VoxscaleWarning
        Counts voxels without an answer: not finite, or constant in a repeat. Another counts
        those with an estimate but no limits, as in :func:`ceiling_intervals`.

    Notes
    -----
    With signal and noise of equal power in all repeats the expected correlation is
    SP / (SP + NP / half), whose Spearman-Brown extrapolation is cc_max². It is an average of
    quotients, and less precise than :func:`noise_ceiling` for few repeats.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> trials = rng.standard_normal((400, 1)) + rng.standard_normal((4, 400, 1))
    >>> half = split_half(trials)
    >>> half.n_splits, bool(half.reliability.low[0] < 0.8 < half.reliability.high[0])
    (3, True)
    """
    stories = one_stack(trials)
    n_repeats = len(stories[0])
    if index(n_splits) < 1:
        msg = f"n_splits is {n_splits}; expected at least 1."
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    whole = _Splits(range(n_repeats), n_repeats, n_splits, rng)
    deleted = [
        _Splits([k for k in range(n_repeats) if k != out], n_repeats, _SPLITS_OF_DELETED, rng)
        for out in (range(n_repeats) if n_repeats > 2 else ())
    ]

    def statistic(draws: Array) -> tuple[Array, Array]:
        without = [one.log_ratio(draws) for one in deleted]
        parts = np.stack(without, axis=1) if without else np.empty((len(draws), 0, draws.shape[2]))
        return whole.log_ratio(draws), parts

    bootstrap = Bootstrap(level, n_bootstraps, block_trs, seed)
    work = 5 * n_splits + n_repeats
    estimate = interval_over_voxels(stories, statistic, work, bootstrap)
    warn_undefined("split-half reliability", estimate.why_undefined)
    warn_unlimited("split-half reliability", estimate.is_defined & ~estimate.has_limits)
    factor = n_repeats / whole.half
    return SplitHalf(
        estimate.map(lambda g: np.expm1(2 * g) / (np.exp(2 * g) + factor - 1)),
        estimate.map(lambda g: -np.expm1(-2 * g)),
        n_repeats,
        whole.half,
        len(whole.halves),
    )


class _Splits:
    """Splits of some repeats into halves, as linear forms of their covariances."""

    def __init__(
        self, members: Sequence[int], n_repeats: int, n_splits: int, rng: np.random.Generator
    ) -> None:
        self.half = len(members) // 2
        self.halves = _halves(members, self.half, n_splits, rng)
        self.factor = n_repeats / self.half
        first, second = np.triu_indices(n_repeats)
        self.forms = np.empty((3, len(self.halves), len(first)))
        twice = np.where(first == second, 0.5, 1.0)
        for number, halves in enumerate(self.halves):
            a, b = np.zeros((2, n_repeats))
            a[list(halves[0])] = b[list(halves[1])] = 1 / self.half
            for form, (left, right) in enumerate([(a, b), (a, a), (b, b)]):
                both = left[first] * right[second] + left[second] * right[first]
                self.forms[form, number] = twice * both

    def log_ratio(self, draws: Array) -> Array:
        """Half the logarithm of Var(mean) / its noise, from the mean correlation of halves."""
        product, left, right = (form @ draws for form in self.forms)
        with np.errstate(divide="ignore", invalid="ignore"):
            r = (product / np.sqrt(left * right)).mean(axis=1)
        ratio = (1 + (self.factor - 1) * r) / (1 - np.minimum(r, _LARGEST_R))
        return np.asarray(0.5 * np.log(np.maximum(ratio, _SMALLEST)))


def _halves(
    members: Sequence[int], half: int, n_splits: int, rng: np.random.Generator
) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """List all splits into two halves, or draw some of them."""
    n = len(members)
    if math.comb(n, half) * math.comb(n - half, half) // 2 > n_splits:
        drawn = [rng.permutation(members)[: 2 * half].tolist() for _ in range(n_splits)]
        return [(tuple(one[:half]), tuple(one[half:])) for one in drawn]
    return [
        (first, second)
        for first in itertools.combinations(members, half)
        for second in itertools.combinations([k for k in members if k not in first], half)
        if first < second
    ]
