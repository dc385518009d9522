"""How sure a noise ceiling is, and the scores of a prediction against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._between import Bootstrap
from voxscale.evaluate._block_bootstrap import BlockPlan, covariance_draws, never_varies
from voxscale.evaluate._ceiling import ceiling_with, why_no_ceiling
from voxscale.evaluate._ceiling_limits import ceiling_limits, judge_of, prediction_limits
from voxscale.evaluate._columns import voxel_blocks
from voxscale.evaluate._interval import Interval, warn_undefined, warn_unlimited
from voxscale.evaluate._moments import pooled_moments
from voxscale.evaluate._repeats import (
    Predictions,
    Trials,
    as_stories,
    centered_series,
    joined_predictions,
    story_names,
    tr_weights,
)

__all__ = ["CeilingIntervals", "ceiling_intervals"]

_ALWAYS = (
    "total_power", "signal_power", "noise_power", "signal_to_noise", "explainable_variance",
    "cc_max",
)  # fmt: skip
_OF_PREDICTIONS = ("cc_abs", "cc_norm", "spe", "cc_norm_corrected")


@dataclass(frozen=True, eq=False)
class CeilingIntervals:
    """Estimates of :class:`NoiseCeiling`, each with an interval.

    Made by :func:`ceiling_intervals`.

    Parameters
    ----------
    total_power, signal_power, noise_power : Interval
    signal_to_noise : Interval
        SP / NP of a single repeat; negative where SP is.
    explainable_variance : Interval
        SP / TP of a single repeat.
    cc_max : Interval
        Undefined without signal power; its upper limit then says how high it may be yet.
    cc_abs, cc_norm, spe : Interval, optional
        Of the prediction, where there is one. Limits of ``cc_norm`` and ``spe`` are infinite
        where signal power may be 0.
    cc_norm_corrected : array of shape (n_voxels,), optional
        ``cc_norm`` less its bias, which is upwards where the ceiling is low.
    block_trs : int
        About how many TRs a block had, in the stories that had the longest.
    """

    total_power: Interval = field(repr=False)
    signal_power: Interval = field(repr=False)
    noise_power: Interval = field(repr=False)
    signal_to_noise: Interval = field(repr=False)
    explainable_variance: Interval = field(repr=False)
    cc_max: Interval = field(repr=False)
    cc_abs: Interval | None = field(repr=False)
    cc_norm: Interval | None = field(repr=False)
    spe: Interval | None = field(repr=False)
    cc_norm_corrected: Array | None = field(repr=False)
    block_trs: int

    def cc_max_with(self, n_repeats: float) -> Interval:
        """Extrapolate the ceiling, and its interval, to another number of repeats.

        Parameters
        ----------
        n_repeats : float
            At least 1; ``numpy.inf`` is allowed.

        Returns
        -------
        Interval
            sqrt(SP / (SP + NP / n_repeats)) of estimate and limits.

        Raises
        ------
        ValueError
            If there is less than one repeat.
        """
        return _ceilings(self.signal_to_noise, n_repeats)


def ceiling_intervals(
    trials: Trials,
    Y_pred: Predictions | None = None,
    *,
    level: float = 0.95,
    n_bootstraps: int = 400,
    block_trs: int | None = None,
    seed: int | np.random.Generator = 0,
) -> CeilingIntervals:
    """Estimate noise ceilings, and scores against them, with intervals.

    The true values are those of all stimuli like this one, and of all repeats like these: an
    interval holds the chance of which TRs were played as well as the noise.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_trs, n_voxels), or one for each of several stories
        As for :func:`noise_ceiling`: repeats, not averages. Each repeat of a story counts about
        its own mean.
    Y_pred : array of shape (n_trs, n_voxels), or a mapping of one for each story, optional
        Predictions for the mean response, as :meth:`NoiseCeiling.cc_abs` takes them.
    level : float
        Share of intervals that should hold the true value.
    n_bootstraps : int
        Samples from which standard errors are taken: 400 give them to 4 %.
    block_trs : int, in TRs, optional
        Length of the blocks of TRs that are drawn; should be longer than the autocorrelation.
        By default the square root of all TRs, and in a story too short for four of them a
        quarter of that story.
    seed : int or numpy.random.Generator

    Returns
    -------
    CeilingIntervals

    Raises
    ------
    ValueError
        If there are fewer than 2 repeats, an average in place of repeats, a story is shorter
        than four blocks, or a number is out of range.
    AlignmentError
        If trials differ in shape, or the prediction has other TRs or voxels.

    Warns
    -----
    VoxscaleWarning
        Counts the voxels without a ceiling: not finite, constant in a repeat, or without signal
        power. Another counts those with an estimate but no limits: they, or their prediction,
        vary in so few TRs that some samples of blocks hold none of them.

    Notes
    -----
    *Time.* Blocks of TRs are drawn with replacement within each story, around in a circle, for
    all repeats together: powers are averages over time of products of repeats, so blocks carry
    the chance in signal and noise alike.

    *Repeats.* They are never drawn with replacement. A repeat drawn twice shares its noise with
    itself and would pass it for signal; leaving such pairs out still counts the noise once for
    blocks and once for repeats. Instead each repeat is deleted in turn, and the variance of
    that jackknife, less what the noise of the same TRs explains, is added: it stays near 0
    unless repeats differ as a whole, such as in noise power. With 2 repeats it cannot be had.

    *Limits* are Student's, by Satterthwaite's degrees of freedom, on scales where errors are
    about normal: logarithms of powers, log(SP + NP/K) for signal power, log(1 + K·SP/NP) for
    ceilings, Fisher's z for correlations; ``cc_norm`` and ``spe`` are quotients of two such.

    ``cc_norm_corrected`` takes the error of signal power to be normal, of the size found, for
    which 1/sqrt(SP) has an unbiased estimate: a parabolic cylinder function of SP.

    *Coverage.* In 2000 simulations each of 280 TRs, 3, 5 or 10 repeats and ceilings from 0.35 to
    0.9, with signal and noise autocorrelated like BOLD, intervals of 0.95 held the true powers
    in 93.5 to 97 %, ceilings in 94.5 to 96.5 %, ``cc_abs`` in 94 to 96 %, ``cc_norm`` and
    ``spe`` in 94 to 99 % (the most where the ceiling is low, and limits infinite). Where noise
    power differs between repeats (by a factor of 2, one standard deviation) a few repeats tell
    too little of others: 87 to 92 % for noise power, and 86 to 96 % for ceilings, least with 3
    repeats.

    *Bias.* The mean ``cc_norm`` of the true model was within 0.005 of 1 over voxels whose
    ceiling was *found* above 0.35, true ceilings spreading evenly from 0.35 to 0.95. Chance
    works both ways there: at a true ceiling of 0.35 such voxels were 0.10 to 0.18 too low, and
    all voxels 0.15 or more too high. ``cc_norm_corrected`` was within 0.012 over all of these
    voxels, and within 0.01 at any ceiling from 0.5, but 0.10 to 0.14 too low at 0.35 with 280
    TRs, where every seventh voxel has no signal power by chance (0.01 to 0.035 with 790).

    Trials that were z-scored have a total power of 1 by construction, which samples of blocks
    do not know: intervals of powers are then too wide, those of ceilings are not.

    References
    ----------
    Politis & Romano 1992, "A circular block-resampling procedure for stationary data".
    Cameron, Gelbach & Miller 2011, J. Bus. Econ. Stat. 29:238 (two-way variances).
    Schoppe et al. 2016, Front. Comput. Neurosci. 10:10, doi:10.3389/fncom.2016.00010.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal = rng.standard_normal((400, 1))
    >>> trials = signal + rng.standard_normal((4, 400, 1))
    >>> found = ceiling_intervals(trials, signal)
    >>> bool(found.cc_max.low[0] < np.sqrt(4 / 5) < found.cc_max.high[0])
    True
    >>> bool(found.cc_norm.low[0] < 1 < found.cc_norm.high[0])
    True
    """
    stories = as_stories(trials)
    numbers = [len(story) for story in stories]
    lengths = [story.shape[1] for story in stories]
    n_voxels = stories[0].shape[2]
    predictions = None
    if Y_pred is not None:
        shape = (sum(lengths), n_voxels)
        predictions = _checked(joined_predictions(Y_pred, story_names(trials)), shape)
    plans = Bootstrap(level, n_bootstraps, block_trs, seed).plans(lengths)
    names = _ALWAYS + (() if predictions is None else _OF_PREDICTIONS)
    found = {name: np.full((3, n_voxels), np.nan) for name in names}
    finite, varies = np.empty((2, n_voxels), dtype=bool)
    sums = sum((number + 1) * (number + 4) for number in numbers)
    held = len(plans[0].counts) * (sums + 14 * (1 + sum(numbers)))
    for voxels in voxel_blocks(n_voxels, held + 3 * max(numbers) * sum(lengths)):
        series, finite[voxels], varies[voxels] = _series(stories, predictions, voxels)
        usable = np.flatnonzero(finite[voxels] & varies[voxels])
        if len(usable):
            block = [one[:, :, usable] for one in series]
            for name, limits in _block_limits(block, plans, numbers, level).items():
                found[name][:, voxels.start + usable] = limits
    if predictions is not None:
        for name in _OF_PREDICTIONS:
            found[name][:, ~_finite(predictions)] = np.nan
    has_signal = np.isfinite(found["cc_max"][0])
    reasons = why_no_ceiling(finite, varies, has_signal)
    warn_undefined("noise ceiling", reasons)
    no_limits = [
        ~np.isnan(one) & (np.isnan(low) | np.isnan(high)) for one, low, high in found.values()
    ]
    warn_unlimited("noise ceiling or score", np.any(no_limits, axis=0))
    return _collected(found, reasons, level, plans)


def _block_limits(
    series: list[Array], plans: list[BlockPlan], numbers: list[int], level: float
) -> dict[str, Any]:
    """Return estimate, low and high of everything for one block of usable voxels."""
    with_prediction = len(series[0]) > numbers[0]
    draws = [covariance_draws(one, plan) for one, plan in zip(series, plans, strict=True)]
    weights = tr_weights([plan.n_trs for plan in plans])
    whole, deleted, groups = pooled_moments(
        draws, numbers, weights, with_prediction=with_prediction
    )
    n_blocks = sum(plan.n_blocks for plan in plans)
    judge = judge_of(whole, deleted, groups, n_blocks, len(plans))
    found = ceiling_limits(whole, judge, level)
    if with_prediction:
        found |= prediction_limits(whole, judge, level, found)
    silent = never_varies(whole.total) | never_varies(deleted.total)
    for _, low, high in found.values():
        low[silent] = high[silent] = np.nan
    return found


def _series(
    stories: list[Array], predictions: Array | None, voxels: slice
) -> tuple[list[Array], Array, Array]:
    """Return each story's repeats about their means, the prediction last, and what is usable."""
    n_voxels = voxels.stop - voxels.start
    finite, varies = np.ones((2, n_voxels), dtype=bool)
    collected, end = [], 0
    for story in stories:
        series, story_finite, story_varies = centered_series(story[:, :, voxels])
        finite &= story_finite
        varies &= story_varies.all(axis=0)
        start, end = end, end + story.shape[1]
        if predictions is not None:
            guess, _, _ = centered_series(predictions[None, start:end, voxels])
            series = np.concatenate([series, guess])
        collected.append(series)
    return collected, finite, varies


def _collected(
    found: dict[str, Array], reasons: Array, level: float, plans: list[BlockPlan]
) -> CeilingIntervals:
    """Make intervals of estimates and limits, and say why any is missing."""
    intervals: dict[str, Any] = dict.fromkeys(("cc_abs", "cc_norm", "spe"))
    for name, (estimate, low, high) in found.items():
        needs_signal = name not in ("cc_abs", *_ALWAYS[:-1])
        known = np.where((reasons == "without signal power") & (not needs_signal), "", reasons)
        why = np.where(known == "", "without a usable prediction", known)
        why = np.where(np.isnan(estimate), why, "")
        intervals[name] = Interval(estimate, low, high, why, level)
    intervals.pop("cc_norm_corrected", None)
    corrected = found["cc_norm_corrected"][0] if "cc_norm_corrected" in found else None
    block = max(round(plan.n_trs / plan.n_blocks) for plan in plans)
    return CeilingIntervals(**intervals, cc_norm_corrected=corrected, block_trs=block)


def _ceilings(signal_to_noise: Interval, n_repeats: float) -> Interval:
    """Take SP / NP to the ceiling with this many repeats; 0 where a limit is below it."""
    found = signal_to_noise.map(lambda q: ceiling_with(q, n_repeats), "without signal power")
    return found.from_zero(signal_to_noise)


def _finite(predictions: Array) -> Array:
    """Whether each voxel's prediction is finite, a block of voxels at a time."""
    finite = np.empty(predictions.shape[1], dtype=bool)
    for voxels in voxel_blocks(len(finite), len(predictions)):
        finite[voxels] = np.isfinite(predictions[:, voxels]).all(axis=0)
    return finite


def _checked(predictions: Array, shape: tuple[int, int]) -> Array:
    if predictions.shape != shape:
        msg = (
            f"Y_pred has shape {predictions.shape} but the mean response has shape {shape}; "
            "expected the same TRs and voxels in both, stories one after another."
        )
        raise AlignmentError(msg)
    return predictions
