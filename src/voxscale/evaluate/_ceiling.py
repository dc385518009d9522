"""How well any model could do, judged by repeats of the same stimulus."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate._columns import rounding_unit, voxel_blocks
from voxscale.evaluate._repeats import (
    Predictions,
    Trials,
    about_run_means,
    as_stories,
    centered_series,
    joined_predictions,
    story_names,
    tr_weights,
)
from voxscale.evaluate._scores import correlation

__all__ = ["NoiseCeiling", "ceiling_with", "noise_ceiling"]

# Signal power within this many rounding units of the total power is none.
_ROUNDING_UNITS = 8


def ceiling_with(signal_to_noise: Array, n_repeats: float) -> Array:
    """Compute sqrt(n·q / (1 + n·q)) for n repeats and q = SP / NP; NaN where q is not above 0."""
    if not n_repeats >= 1:
        msg = f"n_repeats is {n_repeats}; expected at least 1; numpy.inf is allowed."
        raise ValueError(msg)
    with np.errstate(divide="ignore", invalid="ignore"):
        ceiling = 1.0 / np.sqrt(1.0 + 1.0 / (n_repeats * signal_to_noise))
    return np.where(signal_to_noise > 0, ceiling, np.nan)


@dataclass(frozen=True, eq=False)
class NoiseCeiling:
    """Signal and noise of each voxel, and scores of predictions against them.

    Made by :func:`noise_ceiling`. Powers are unbiased estimates, so that the signal power of a
    voxel without signal scatters around zero; where it is not above zero (but for rounding)
    the voxel has no ceiling, and whatever divides by one is NaN.

    Parameters
    ----------
    mean_response : array of shape (n_trs, n_voxels), float64 or float32
        Mean over repeats, y; what predictions are compared with. Stories one after another.
        float32 where the repeats are, which halves its memory; powers are those of the mean
        before that rounding.
    total_power : array of shape (n_voxels,)
        TP, the variance of a single repeat.
    signal_power : array of shape (n_voxels,)
        SP = (K · Var(y) - TP) / (K - 1), for K repeats. Can be negative.
    n_repeats : int, or tuple of int
        A tuple where stories have different numbers of repeats.
    run_lengths : tuple of int, optional
        TRs of each story. Variances and correlations are about each story's own mean.
    variance_of_mean : array of shape (n_voxels,), optional
        Var(y). By default that which SP, TP and K make.
    constant : array of bool of shape (n_voxels,), optional
        Where a repeat does not vary, in any story. Such a voxel is NaN throughout.
    stories : tuple of str, optional
        Names of the stories, where the trials had any.

    References
    ----------
    Schoppe et al. 2016, Front. Comput. Neurosci. 10:10, doi:10.3389/fncom.2016.00010.
    Sahani & Linden 2003, "How linear are auditory cortical responses?", NIPS 15 (SP and SPE).
    """

    mean_response: Array = field(repr=False)
    total_power: Array = field(repr=False)
    signal_power: Array = field(repr=False)
    n_repeats: int | tuple[int, ...]
    run_lengths: tuple[int, ...] | None = field(default=None, repr=False)
    variance_of_mean: Array | None = field(default=None, repr=False)
    constant: Array | None = field(default=None, repr=False)
    stories: tuple[str, ...] | None = field(default=None, repr=False)

    @property
    def noise_power(self) -> Array:
        """NP = TP - SP, of shape (n_voxels,): variance that repeats do not share."""
        return np.asarray(self.total_power - self.signal_power)

    @property
    def cc_max(self) -> Array:
        """Correlation of the mean response with the true signal, of shape (n_voxels,).

        1 / sqrt(1 + (TP/SP - 1) / K), which equals sqrt(SP / Var(y)): the best that any model
        can reach on average. NaN where there is no signal power.
        """
        power = self._usable_signal_power()
        if self.variance_of_mean is not None:
            return np.asarray(np.sqrt(power / self.variance_of_mean))
        noise = (self.total_power / power - 1.0) / np.asarray(self.n_repeats)
        return np.asarray(1.0 / np.sqrt(1.0 + noise))

    @property
    def explainable_variance(self) -> Array:
        """EV = SP / TP, of shape (n_voxels,): the share of a single repeat's variance.

        Corrected for bias, so it can be negative. Not cc_max², the share of the *mean* of K
        repeats, which is K·EV / (1 + (K - 1)·EV) (Spearman-Brown). NaN without variance.
        """
        varies = self.total_power > 0
        return np.where(varies, self.signal_power / np.where(varies, self.total_power, 1), np.nan)

    @property
    def why_undefined(self) -> Array:
        """What keeps each voxel from having a ceiling, array of str of shape (n_voxels,).

        ``"not finite"``, ``"constant"`` (in one repeat at least), ``"without signal power"``, or
        empty.
        """
        constant = self.total_power == 0 if self.constant is None else self.constant
        return why_no_ceiling(
            np.isfinite(self.total_power) | constant,
            ~constant,
            np.isfinite(self._usable_signal_power()),
        )

    def cc_max_with(self, n_repeats: float) -> Array:
        """Extrapolate the ceiling to another number of repeats.

        Parameters
        ----------
        n_repeats : float
            At least 1; ``numpy.inf`` is allowed, and has a ceiling of 1.

        Returns
        -------
        array of shape (n_voxels,), float64
            sqrt(SP / (SP + NP / n_repeats)); NaN where there is no signal power.

        Raises
        ------
        ValueError
            If there is less than one repeat.

        Notes
        -----
        Holds as long as more repeats are like those at hand: no habituation, the same scanner.
        """
        power = self._usable_signal_power()
        noise = np.maximum(self.total_power - power, 0.0)
        with np.errstate(divide="ignore"):
            return ceiling_with(power / noise, n_repeats)

    def spe(self, Y_pred: Predictions) -> Array:
        """Compute the share of signal power that a prediction explains.

        Punishes a wrong size of the prediction, and is not bounded below.

        Parameters
        ----------
        Y_pred : array of shape (n_trs, n_voxels), or a mapping of one for each story
            As for :meth:`cc_abs`.

        Returns
        -------
        array of shape (n_voxels,), float64
            SPE = (Var(y) - Var(y - Y_pred)) / SP. NaN where there is no signal power, or where
            trials or prediction are not finite. A constant prediction explains 0.

        Raises
        ------
        AlignmentError
            If the prediction has other TRs, voxels or stories than the trials.
        """
        predictions = self._checked(Y_pred)
        n_trs, n_voxels = predictions.shape
        explained = np.empty(n_voxels)
        for voxels in voxel_blocks(n_voxels, 4 * n_trs):
            response = self.mean_response[:, voxels].astype(np.float64)
            with np.errstate(invalid="ignore", over="ignore"):
                residual = response - predictions[:, voxels]
                explained[voxels] = self._variance(response) - self._variance(residual)
        explained[~np.isfinite(explained)] = np.nan
        return np.asarray(explained / self._usable_signal_power())

    def cc_abs(self, Y_pred: Predictions) -> Array:
        """Correlate a prediction with the mean response, each story about its own mean.

        Parameters
        ----------
        Y_pred : array of shape (n_trs, n_voxels), or a mapping of one for each story
            Stories one after another, or by the names that the trials had.

        Returns
        -------
        array of shape (n_voxels,), float64
            NaN where either is constant or not finite.

        Raises
        ------
        AlignmentError
            If the prediction has other TRs, voxels or stories than the trials.
        """
        predictions = self._checked(Y_pred)
        if self.run_lengths is None or len(self.run_lengths) < 2:
            return correlation(self.mean_response, predictions)
        n_trs, n_voxels = predictions.shape
        result = np.empty(n_voxels)
        for voxels in voxel_blocks(n_voxels, 6 * n_trs):
            both = (self.mean_response[:, voxels], predictions[:, voxels])
            result[voxels] = correlation(*(about_run_means(one, self.run_lengths) for one in both))
        return result

    def cc_norm(self, Y_pred: Predictions, floor: float | None = None) -> Array:
        """Divide the correlation by the best one possible.

        Estimates the correlation with the true signal. Noisy where the ceiling is low: values
        above 1, even far above, are to be expected there and are not clipped.

        The ceiling of several stories is about each story's own mean, and so is the correlation
        here. ``correlation(Y, Y_pred)`` over the rows of all stories is about the grand mean,
        and is not what ``cc_max`` bounds: subtract each story's mean from responses and
        predictions first (then it equals ``cc_abs``), or call this.

        Parameters
        ----------
        Y_pred : array of shape (n_trs, n_voxels), or a mapping of one for each story
            As for :meth:`cc_abs`.
        floor : float, optional
            Smallest ceiling to divide by, above 0 and at most 1 (0.25 in the scaling-laws
            paper). It also serves voxels without signal power, whose ceiling counts as 0:
            their small correlations stay small instead of being left out.

        Returns
        -------
        array of shape (n_voxels,), float64
            ``cc_abs / cc_max``, or ``cc_abs / max(cc_max, floor)``. NaN where ``cc_abs`` is
            and, without a floor, where there is no signal power.

        Raises
        ------
        AlignmentError
            If the prediction has other TRs, voxels or stories than the trials.
        ValueError
            If the floor is not above 0 and at most 1.
        """
        if floor is None:
            return np.asarray(self.cc_abs(Y_pred) / self.cc_max)
        if not 0 < floor <= 1:
            msg = f"floor is {floor}; expected a correlation above 0 and at most 1, such as 0.25."
            raise ValueError(msg)
        return np.asarray(self.cc_abs(Y_pred) / np.fmax(self.cc_max, floor))

    def _usable_signal_power(self) -> Array:
        rounding = _ROUNDING_UNITS * np.finfo(np.float64).eps * self.total_power
        return np.where(self.signal_power > rounding, self.signal_power, np.nan)

    def _variance(self, block: Array) -> Array:
        """Variance over TRs, about each story's own mean."""
        lengths = self.run_lengths or (len(block),)
        ends = np.cumsum(lengths)
        weights = tr_weights(lengths)
        parts = [
            block[end - length : end].var(axis=0, ddof=1)
            for length, end in zip(lengths, ends, strict=True)
        ]
        return np.asarray(np.tensordot(weights, np.stack(parts), axes=1))

    def _checked(self, Y_pred: Predictions) -> Array:
        predictions = joined_predictions(Y_pred, self.stories)
        if predictions.shape != self.mean_response.shape:
            msg = (
                f"Y_pred has shape {predictions.shape} but each trial has shape "
                f"{self.mean_response.shape}; expected the same TRs and voxels in both."
            )
            raise AlignmentError(msg)
        return predictions


def why_no_ceiling(finite: Array, varies: Array, has_signal: Array) -> Array:
    """Name what each voxel lacks; empty where nothing."""
    missing = [~finite, ~varies, ~has_signal]
    names = ["not finite", "constant", "without signal power"]
    return np.select(missing, names, default="")


def noise_ceiling(trials: Trials, *, total_power: float | ArrayLike | None = None) -> NoiseCeiling:
    """Separate signal from noise in repeats of one stimulus, or of several.

    Works on the trials as they are: z-score each trial first where sessions differ in scale.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_trs, n_voxels), or a sequence of (n_trs, n_voxels)
        May be a memory map; only a block of voxels at a time is taken to float64. For several
        stories a dict, or a sequence, of such arrays, one each; numbers of repeats and of TRs
        may differ between stories. Averages are no repeats: two averages given as if they were
        cannot be told from repeats, and their ceiling is that of averages.
    total_power : float or array of shape (n_voxels,), optional
        Variance of a single repeat, where it is known. By default it is taken from the data:
        the mean over repeats of the variance over TRs (ddof 1). The tutorial of the
        scaling-laws paper takes it to be 1 for z-scored trials, although that is exact only
        for a z-score with ddof 1.

    Returns
    -------
    NoiseCeiling
        Powers of shape (n_voxels,). A voxel with a NaN or an infinity in any trial, or with a
        trial that is constant, is NaN throughout; the others are not affected. No warning
        counts voxels without signal power, which are to be expected, or those that are constant
        or not finite in all trials, such as those outside the brain: ``why_undefined`` names
        them.

    Raises
    ------
    ValueError
        If there are fewer than 2 repeats or 2 TRs, an average in place of repeats, or
        ``total_power`` is not positive.
    AlignmentError
        If trials differ in shape, or stories in their voxels.

    Warns
    -----
    VoxscaleWarning
        Counts the voxels that are constant in some trials and vary in others: a dead recording
        among good ones, which would make powers wrong.

    Notes
    -----
    Powers of several stories are means weighted by TRs (n_trs - 1), each story's about its own
    mean: SP = Σ w·SP_story, with SP_story from the repeats of that story alone. The ceiling is
    that of all mean responses one after another: cc_max² = SP / Σ w·Var(y_story), where a story
    with fewer repeats has the noisier mean.

    References
    ----------
    Schoppe et al. 2016, Front. Comput. Neurosci. 10:10, doi:10.3389/fncom.2016.00010.

    Examples
    --------
    >>> signal = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    >>> noise = np.array([[[1.0], [1.0], [-1.0], [-1.0]], [[1.0], [-1.0], [-1.0], [1.0]]])
    >>> ceiling = noise_ceiling(signal + noise)
    >>> ceiling.signal_power.round(3), ceiling.noise_power.round(3), ceiling.cc_max.round(3)
    (array([1.333]), array([1.333]), array([0.816]))
    >>> ceiling.cc_abs(signal).round(3), ceiling.cc_norm(signal).round(3)
    (array([0.816]), array([1.]))
    """
    stories = as_stories(trials)
    lengths = [story.shape[1] for story in stories]
    n_voxels = stories[0].shape[2]
    given = None if total_power is None else _given(total_power, n_voxels)
    # What float32 repeats can tell, their mean can: powers are taken before it is rounded.
    dtype = np.result_type(np.float32, *(story.dtype for story in stories))
    mean = np.empty((sum(lengths), n_voxels), dtype=dtype)
    pooled = np.zeros((3, n_voxels))
    n_dead = np.zeros(n_voxels, dtype=np.intp)
    end = 0
    for story, weight in zip(stories, tr_weights(lengths), strict=True):
        start, end = end, end + story.shape[1]
        *powers, dead = _story_powers(story, given, mean[start:end])
        pooled += weight * np.stack(powers)
        n_dead += dead
    numbers = tuple(len(story) for story in stories)
    n_dead[np.isnan(pooled[0])] = 0  # not finite comes first
    pooled[:, n_dead > 0] = np.nan
    mean[:, n_dead > 0] = np.nan
    _warn_dead((n_dead > 0) & (n_dead < sum(numbers)), sum(numbers))
    total, signal, variance_of_mean = pooled
    return NoiseCeiling(
        mean,
        total,
        signal,
        numbers if len(set(numbers)) > 1 else numbers[0],
        tuple(lengths),
        variance_of_mean if len(set(numbers)) > 1 else None,
        n_dead > 0,
        story_names(trials),
    )


def _story_powers(
    story: Array, given: Array | None, mean: Array
) -> tuple[Array, Array, Array, Array]:
    """Return total and signal power, variance of the mean, dead repeats, and fill in the mean."""
    n_repeats, n_trs, n_voxels = story.shape
    variance_of_mean, total = np.empty((2, n_voxels))
    n_dead = np.empty(n_voxels, dtype=np.intp)
    for voxels in voxel_blocks(n_voxels, 3 * n_repeats * n_trs):
        found = _powers(story[:, :, voxels])
        mean[:, voxels], variance_of_mean[voxels], total[voxels], n_dead[voxels] = found
    if given is not None:
        total = np.where(np.isnan(total), np.nan, given)
    signal = (n_repeats * variance_of_mean - total) / (n_repeats - 1)
    return total, signal, variance_of_mean, n_dead


def _powers(block: Array) -> tuple[Array, Array, Array, Array]:
    """Return the mean, its variance, the mean variance, and how many repeats are constant."""
    series, finite, varies = centered_series(block)
    total = np.einsum("ktv,ktv->v", series, series) / (len(block) * (block.shape[1] - 1))
    del series
    trials = block.astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        tolerance = 4 * rounding_unit(block.dtype) * np.abs(trials).max(axis=(0, 1))
        mean = trials.mean(axis=0)
        variance_of_mean = mean.var(axis=0, ddof=1)
        # What is constant but for rounding must not pass for a very small signal.
        silent = np.ptp(mean, axis=0) <= tolerance
    mean[:, silent] = mean[0, silent]
    variance_of_mean[silent] = 0.0
    for result in (mean, variance_of_mean, total):
        result[..., ~finite] = np.nan
    return mean, variance_of_mean, total, np.where(finite, (~varies).sum(axis=0), 0)


def _warn_dead(dead: Array, n_trials: int) -> None:
    """Count voxels in which a recording is dead, and others are not."""
    n_dead = np.count_nonzero(dead)
    if n_dead:
        msg = (
            f"{n_dead} of {len(dead)} voxels are constant in some of {n_trials} trials and vary in "
            "others; they have no ceiling and are NaN. Leave those trials out, or those voxels."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)


def _given(total_power: float | ArrayLike, n_voxels: int) -> Array:
    power = np.asarray(total_power, dtype=np.float64)
    if power.shape not in {(), (n_voxels,)}:
        msg = f"total_power has shape {power.shape}; expected one number, or {n_voxels}."
        raise ValueError(msg)
    if not (np.isfinite(power) & (power > 0)).all():
        msg = (
            f"total_power reaches down to {power.min()}; expected finite variances above 0, "
            "such as 1 after z-scoring."
        )
        raise ValueError(msg)
    return np.broadcast_to(power, (n_voxels,))
