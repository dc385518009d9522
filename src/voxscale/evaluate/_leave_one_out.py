"""How well one repeat, or one subject, agrees with the mean of the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate._between import (
    Bootstrap,
    interval_over_voxels,
    pooled_covariances,
    whole_stories,
)
from voxscale.evaluate._block_bootstrap import pair_of
from voxscale.evaluate._interval import Interval, warn_undefined, warn_unlimited
from voxscale.evaluate._repeats import Trials, one_stack

__all__ = ["LeaveOneOut", "leave_one_out", "leave_one_out_growth"]

_LARGEST_R = 1 - 1e-12


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """How well each repeat, or subject, is told by the mean of the others.

    Made by :func:`leave_one_out`.

    Parameters
    ----------
    correlation : Interval
        Mean over those left out; the ceiling of a model of one repeat, or subject, that is as
        good as the others' mean.
    correlations : array of shape (n_repeats, n_voxels), float64
        Of each one left out.
    n_repeats : int
        How many repeats, or subjects, there are.
    """

    correlation: Interval = field(repr=False)
    correlations: Array = field(repr=False)
    n_repeats: int

    def with_number(self, n_repeats: float) -> Interval:
        """Extrapolate to another number of repeats, or subjects.

        Parameters
        ----------
        n_repeats : float
            In all, the one left out included: at least 2; ``numpy.inf`` is allowed, and tells
            what the best model of a single one can reach.

        Returns
        -------
        Interval
            Undefined where the correlation is not above 0.

        Raises
        ------
        ValueError
            If there are fewer than two.

        Notes
        -----
        Takes all to share one signal and to differ in noise of equal power, q = SP / TP of one
        being the reliability that makes the correlation found: r(n) = q · sqrt((n - 1) /
        (1 + (n - 2) · q)), and sqrt(q) in the limit.
        """
        if not n_repeats >= 2:
            msg = f"n_repeats is {n_repeats}; expected at least 2, or numpy.inf."
            raise ValueError(msg)

        def grown(r: Array) -> Array:
            single = _single_reliability(r, self.n_repeats)
            if np.isinf(n_repeats):
                return np.asarray(np.sqrt(single))
            return np.asarray(single * np.sqrt((n_repeats - 1) / (1 + (n_repeats - 2) * single)))

        found = self.correlation.map(grown, "without signal power")
        return found.from_zero(self.correlation)


def _single_reliability(r: Array, n_repeats: int) -> Array:
    """Solve r = q·sqrt((n - 1) / (1 + (n - 2)·q)) for q; NaN where r is not above 0."""
    squared = np.where(r > 0, r, np.nan) ** 2
    half = (n_repeats - 2) * squared
    return np.asarray(
        (half + np.sqrt(half**2 + 4 * (n_repeats - 1) * squared)) / (2 * (n_repeats - 1))
    )


def leave_one_out(
    trials: Trials,
    *,
    level: float = 0.95,
    n_bootstraps: int = 400,
    block_trs: int | None = None,
    seed: int | np.random.Generator = 0,
) -> LeaveOneOut:
    """Correlate each repeat, or each subject, with the mean of the others.

    The inter-subject correlation, if the first axis has subjects. It needs no repeats: what
    subjects share is what a model of the stimulus alone can tell of any of them.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_trs, n_voxels), or one for each of several stories
        Repeats of one subject (leave-one-repeat-out), or subjects who heard the same story, in
        the same order of voxels or regions (leave-one-subject-out). The same number in every
        story; stories count as one long response, each about its own mean. z-score each first
        where they differ in scale: the mean is of the responses as they are.
    level : float
    n_bootstraps : int
    block_trs : int, in TRs, optional
    seed : int or numpy.random.Generator
        All four as for :func:`ceiling_intervals`.

    Returns
    -------
    LeaveOneOut

    Raises
    ------
    ValueError
        As :func:`ceiling_intervals`.
    AlignmentError
        If stories differ in their repeats or voxels.

    Warns
    -----
    VoxscaleWarning
        Counts voxels without an answer: not finite, or constant in a repeat. Another counts
        those with an estimate but no limits, as in :func:`ceiling_intervals`.

    Notes
    -----
    The interval is about Fisher's z of the mean correlation, from blocks of TRs and a jackknife
    over those left out: subjects differ by more than noise, and the interval tells how the mean
    would differ with other subjects and other stretches of the story.

    References
    ----------
    Hasson et al. 2004, Science 303:1634; Nastase et al. 2019, Soc. Cogn. Affect. Neurosci.
    14:667, doi:10.1093/scan/nsz037 (leave-one-out inter-subject correlation).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> subjects = rng.standard_normal((400, 1)) + rng.standard_normal((9, 400, 1))
    >>> found = leave_one_out(subjects)
    >>> bool(found.correlation.low[0] < np.sqrt(0.5 * 8 / 9) < found.correlation.high[0])
    True
    >>> more = found.with_number(np.inf)
    >>> bool(more.low[0] < np.sqrt(0.5) < more.high[0])
    True
    """
    stories = one_stack(trials)
    n_repeats, _, n_voxels = stories[0].shape
    each = np.full((n_repeats, n_voxels), np.nan)
    bootstrap = Bootstrap(level, n_bootstraps, block_trs, seed)
    found = interval_over_voxels(stories, _fisher_of_mean, 8 * n_repeats, bootstrap)
    plans = whole_stories([story.shape[1] for story in stories])
    for voxels, usable, draws, _ in pooled_covariances(stories, plans, 4 * n_repeats):
        each[:, voxels.start + usable] = _correlations(draws)[0]
    warn_undefined("leave-one-out correlation", found.why_undefined)
    warn_unlimited("leave-one-out correlation", found.is_defined & ~found.has_limits)
    return LeaveOneOut(found.map(np.tanh), each, n_repeats)


def leave_one_out_growth(
    trials: Trials,
    numbers: Sequence[int] | None = None,
    *,
    n_subsets: int = 50,
    seed: int | np.random.Generator = 0,
) -> tuple[Array, Array]:
    """Measure how the leave-one-out correlation grows with the number of repeats or subjects.

    What was found in smaller numbers shows whether :meth:`LeaveOneOut.with_number`, which
    supposes that all share one signal, may be trusted for larger ones.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_trs, n_voxels), or one for each of several stories
        As for :func:`leave_one_out`.
    numbers : sequence of int, optional
        From 2 up to those there are, which is the default.
    n_subsets : int
        How many subsets of each number to draw and average over.
    seed : int or numpy.random.Generator

    Returns
    -------
    numbers : array of int of shape (n_numbers,)
    correlations : array of shape (n_numbers, n_voxels), float64
        Mean over subsets and over those left out. NaN where not finite, or constant in any.

    Raises
    ------
    ValueError
        If a number is below 2 or above those there are.
    AlignmentError
        If stories differ in their repeats or voxels.
    """
    stories = one_stack(trials)
    n_repeats, _, n_voxels = stories[0].shape
    asked = np.arange(2, n_repeats + 1) if numbers is None else np.asarray(numbers, dtype=int)
    if asked.ndim != 1 or not len(asked) or asked.min() < 2 or asked.max() > n_repeats:
        msg = f"numbers are {numbers}; expected some of 2 to {n_repeats}, the repeats there are."
        raise ValueError(msg)
    if index(n_subsets) < 1:
        msg = f"n_subsets is {n_subsets}; expected at least 1."
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    place = pair_of(n_repeats)
    subsets = [
        [np.sort(rng.permutation(n_repeats)[:n]) for _ in range(n_subsets if n < n_repeats else 1)]
        for n in asked
    ]
    found = np.full((len(asked), n_voxels), np.nan)
    plans = whole_stories([story.shape[1] for story in stories])
    for voxels, usable, draws, _ in pooled_covariances(stories, plans, 4 * n_repeats):
        for row, of_number in enumerate(subsets):
            of_subsets = [
                _correlations(draws[:, place[np.ix_(some, some)][np.triu_indices(len(some))]])
                for some in of_number
            ]
            found[row, voxels.start + usable] = np.mean(of_subsets, axis=(0, 1, 2))
    return asked, found


def _n_of(n_pairs: int) -> int:
    return (math.isqrt(1 + 8 * n_pairs) - 1) // 2


def _correlations(draws: Array) -> Array:
    """Correlate each with the others' mean, (n_draws, n_repeats, n_voxels), from covariances."""
    place = pair_of(_n_of(draws.shape[1]))
    own = draws[:, np.diagonal(place)]
    rows = np.stack([draws[:, row].sum(axis=1) for row in place], axis=1)
    others = rows.sum(axis=1, keepdims=True) - 2 * rows + own
    return np.asarray(_quotient(rows - own, own * others))


def _fisher_of_mean(draws: Array) -> tuple[Array, Array]:
    """Fisher's z of the mean correlation, and the same without each repeat in turn."""
    place = pair_of(_n_of(draws.shape[1]))
    own = draws[:, np.diagonal(place)]
    rows = np.stack([draws[:, row].sum(axis=1) for row in place], axis=1)
    total = rows.sum(axis=1, keepdims=True)
    whole = _fisher(_quotient(rows - own, own * (total - 2 * rows + own)).mean(axis=1))
    n_repeats = len(place)
    deleted = np.empty((len(draws), n_repeats if n_repeats > 2 else 0, draws.shape[2]))
    for out in range(deleted.shape[1]):
        kept = np.arange(n_repeats) != out
        of_kept, with_out = own[:, kept], draws[:, place[out, kept]]
        # Sums over what is left: rows lose one covariance, the total a row and a column.
        left = rows[:, kept] - with_out
        total_left = total - 2 * rows[:, [out]] + own[:, [out]]
        r = _quotient(left - of_kept, of_kept * (total_left - 2 * left + of_kept))
        deleted[:, out] = _fisher(r.mean(axis=1))
    return whole, deleted


def _quotient(product: Array, squares: Array) -> Array:
    """Divide covariances by the root of variances; NaN where there is no variance."""
    known = squares > 0
    root = np.sqrt(np.where(known, squares, 1.0))
    return np.where(known, product / root, np.nan)


def _fisher(r: Array) -> Array:
    return np.asarray(np.arctanh(np.clip(r, -_LARGEST_R, _LARGEST_R)))
