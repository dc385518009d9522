"""Whether a prediction beats chance, when both series are autocorrelated."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from operator import index

import numpy as np
from numpy.typing import ArrayLike
from scipy import fft

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate._columns import paired, unit_columns, voxel_blocks

__all__ = ["PermutationTest", "permutation_test"]

# Correlations closer than this are ties: a Fourier transform rounds at 1e-16 per term.
_TIE = 1e-10

# Beyond this many combinations of shifts, drawing the same one twice is out of the question.
_COUNTABLE = 2**62


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Scores of predictions, and what chance makes of them.

    Made by :func:`permutation_test`.

    Parameters
    ----------
    observed : array of shape (n_voxels,), float64
        Score of the prediction as it is. NaN where undefined.
    p_values : array of shape (n_voxels,), float64
        (1 + number of permutations that score at least as high) / (1 + n_permutations), so
        never 0. One-sided, and not corrected for the number of voxels. NaN where undefined.
    null : array of shape (n_permutations, n_voxels), float32
        Score of each permutation; kept in float32, since it is large (380 MB for 1000
        permutations of 95 000 voxels). ``p_values`` are counted before that rounding.
    shifts : array of int of shape (n_permutations, n_runs), in TRs
        By how much the prediction of each run was moved later.
    kind : str
    statistic : str
    """

    observed: Array = field(repr=False)
    p_values: Array = field(repr=False)
    null: Array = field(repr=False)
    shifts: Array = field(repr=False)
    kind: str
    statistic: str

    @property
    def n_permutations(self) -> int:
        """How many permutations the p-values rest on."""
        return len(self.shifts)

    def threshold(self, p: float) -> Array:
        """Compute the score that a voxel must exceed to have a p-value of at most ``p``.

        Parameters
        ----------
        p : float
            Between 0 and 1, not corrected for the number of voxels.

        Returns
        -------
        array of shape (n_voxels,), float64
            One threshold per voxel, each from the voxel's own permutations. To the precision
            of float32, as ``null`` is. NaN where undefined.

        Raises
        ------
        ValueError
            If ``p`` is not between 0 and 1, or smaller than this many permutations can show.
        """
        if not 0 < p < 1:
            msg = f"p is {p}; expected a probability between 0 and 1, such as 0.05."
            raise ValueError(msg)
        # 0.29 * 100 must count as 29.
        rank = math.floor(p * (self.n_permutations + 1) + 1e-9)
        if rank < 1:
            msg = (
                f"p is {p}, but {self.n_permutations} permutations show nothing below "
                f"{1 / (self.n_permutations + 1):.2g}; use more permutations."
            )
            raise ValueError(msg)
        position = self.n_permutations - rank
        levels = np.empty(len(self.observed))
        for voxels in voxel_blocks(len(levels), self.n_permutations):
            levels[voxels] = np.partition(self.null[:, voxels], position, axis=0)[position]
        return levels


def permutation_test(
    Y: ArrayLike,
    Y_pred: ArrayLike,
    *,
    kind: str = "circular-shift",
    n_permutations: int = 1000,
    run_lengths: Sequence[int] | None = None,
    min_shift: int = 1,
    seed: int | np.random.Generator = 0,
    statistic: str = "correlation",
) -> PermutationTest:
    """Test each voxel's score against the same prediction moved in time.

    BOLD responses and predictions are both smooth in time, so shuffling TRs would call noise
    significant. Moving a whole run around in a circle keeps the smoothness and breaks the link.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses. May be a memory map.
    Y_pred : array of the same shape
        Predictions.
    kind : {"circular-shift"}
        Each run of the prediction is rotated by its own random number of TRs; all voxels are
        rotated alike, so the dependence between voxels is kept.
    n_permutations : int
        How many different combinations of shifts to draw. Where fewer exist, each is used
        once, with a warning.
    run_lengths : sequence of int, in TRs, optional
        Lengths of the runs in the order of the rows. By default all rows are one run.
    min_shift : int, in TRs
        Smallest distance, in both directions, of a shift from none at all. More than 1 finds too
        much unless it stays far below the length of the shortest run (see Notes).
    seed : int or numpy.random.Generator
    statistic : {"correlation"}

    Returns
    -------
    PermutationTest
        One-sided p-values: a prediction that scores higher than chance.

    Raises
    ------
    AlignmentError
        If the shapes differ, or ``run_lengths`` do not add up to the rows.
    ValueError
        If ``kind`` or ``statistic`` is unknown, a run is shorter than twice ``min_shift``, or
        a number is not positive.
    TypeError
        If a count is not an integer.

    Warns
    -----
    VoxscaleWarning
        If fewer different combinations of shifts exist than permutations were asked for.

    Notes
    -----
    Rotating a run changes neither the mean nor the variance of the whole prediction, so every
    permuted correlation is a sum over runs of circular cross-covariances, which one Fourier
    transform per run gives for all shifts at once.

    Valid for series that are stationary within a run. Slow drifts in both are "significant"
    under rotation (Harris 2020), and so are differences between the means of runs: remove
    drifts, and z-score responses run by run, as :class:`voxscale.DesignRecipe` does.

    The shifts next to none at all resemble the observed score; leaving them out makes
    p-values too small where they are a large part of a run. In simulations of unrelated series
    with an autocorrelation of 0.7 from TR to TR, the share of voxels below p = 0.05 and below
    0.01 was, by ``min_shift``:

    =================  ==============  ==============
    runs               10              1
    =================  ==============  ==============
    one of 790 TRs     0.053, 0.013    0.049, 0.010
    one of 300 TRs     0.055, 0.014    0.048, 0.010
    three of 250 TRs   0.056, 0.013    0.051, 0.010
    five of 60 TRs     0.092, 0.034    0.054, 0.012
    =================  ==============  ==============

    References
    ----------
    Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39, doi:10.2202/1544-6115.1585 (why
    1 is added to both counts, and why the same permutation should not be drawn twice).
    Harris 2020, "Nonsense correlations in neuroscience", bioRxiv,
    doi:10.1101/2020.11.29.402719 (limits of circular shifts).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> signal, noise = rng.standard_normal((2, 200, 2))
    >>> signal[:, 1] = 0.0
    >>> test = permutation_test(signal + noise, signal + 1e-3 * rng.standard_normal((200, 2)),
    ...                         n_permutations=99, run_lengths=[100, 100])
    >>> test.p_values < 0.05
    array([ True, False])
    """
    _known("kind", kind, _NULLS)
    _known("statistic", statistic, ("correlation",))
    responses, predictions = paired(Y, Y_pred)
    n_trs, n_voxels = responses.shape
    lengths = _checked_lengths(run_lengths, n_trs, min_shift)
    shifts = _draw_shifts(lengths, index(min_shift), _positive(n_permutations), seed)
    observed = np.full(n_voxels, np.nan)
    p_values = np.full(n_voxels, np.nan)
    null = np.full((len(shifts), n_voxels), np.nan, dtype=np.float32)
    for voxels in voxel_blocks(n_voxels, 6 * n_trs + 3 * len(shifts)):
        truth, truth_varies = unit_columns(responses[:, voxels])
        guess, guess_varies = unit_columns(predictions[:, voxels])
        score = np.clip(np.einsum("tv,tv->v", truth, guess), -1.0, 1.0)
        by_chance = _NULLS[kind](truth, guess, lengths, shifts)
        n_above = np.count_nonzero(by_chance >= score - _TIE, axis=0)
        defined = truth_varies & guess_varies
        observed[voxels] = np.where(defined, score, np.nan)
        p_values[voxels] = np.where(defined, (1 + n_above) / (1 + len(shifts)), np.nan)
        null[:, voxels] = np.where(defined, by_chance, np.nan)
    return PermutationTest(observed, p_values, null, shifts, kind, statistic)


def _circular_shift_null(
    truth: Array, guess: Array, lengths: Sequence[int], shifts: Array
) -> Array:
    """Correlate unit columns after rotating each run of ``guess`` later by its shift."""
    null = np.zeros((len(shifts), truth.shape[1]))
    start = 0
    for length, of_run in zip(lengths, shifts.T, strict=True):
        rows = slice(start, start + length)
        spectrum = fft.rfft(truth[rows], axis=0) * np.conj(fft.rfft(guess[rows], axis=0))
        null += fft.irfft(spectrum, n=length, axis=0)[of_run]
        start += length
    return np.clip(null, -1.0, 1.0)


# A row per kind: unit columns of responses and predictions, run lengths and shifts -> null.
_NULLS = {"circular-shift": _circular_shift_null}


def _draw_shifts(
    lengths: Sequence[int], min_shift: int, n_permutations: int, seed: int | np.random.Generator
) -> Array:
    """Draw different combinations of one shift per run, or all where there are no more."""
    rng = np.random.default_rng(seed)
    choices = [length - 2 * min_shift + 1 for length in lengths]
    n_combinations = math.prod(choices)
    if n_combinations < n_permutations:
        msg = (
            f"only {n_combinations} different shifts exist for runs of {list(lengths)} TRs with "
            f"min_shift={min_shift}, fewer than n_permutations={n_permutations}; each is used "
            f"once, and no p-value can be below {1 / (n_combinations + 1):.2g}."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=3)
    if n_combinations < _COUNTABLE:
        # Without replacement: a repeated shift adds to the count but is no new evidence.
        size = min(n_permutations, n_combinations)
        codes = rng.choice(n_combinations, size=size, replace=False)
        shifts = np.empty((size, len(choices)), dtype=np.int64)
        for run, n_choices in enumerate(choices):
            codes, shifts[:, run] = np.divmod(codes, n_choices)
        return min_shift + shifts
    return min_shift + rng.integers(0, choices, size=(n_permutations, len(choices)))


def _checked_lengths(run_lengths: Sequence[int] | None, n_trs: int, min_shift: int) -> list[int]:
    lengths = [n_trs] if run_lengths is None else [index(length) for length in run_lengths]
    if sum(lengths) != n_trs or min(lengths, default=0) < 1:
        msg = (
            f"run_lengths are {lengths}, {sum(lengths)} TRs in all, but Y has {n_trs}; expected "
            "one positive length per run, in the order of the rows."
        )
        raise AlignmentError(msg)
    if index(min_shift) < 1:
        msg = f"min_shift is {min_shift}; expected at least 1 TR: no shift is no permutation."
        raise ValueError(msg)
    if min(lengths) < 2 * min_shift:
        msg = (
            f"a run of {min(lengths)} TRs cannot be shifted by {min_shift} TRs or more in both "
            f"directions; expected runs of at least {2 * min_shift} TRs: lower min_shift, or "
            "leave the run out."
        )
        raise ValueError(msg)
    return lengths


def _positive(n_permutations: int) -> int:
    if index(n_permutations) < 1:
        msg = f"n_permutations is {n_permutations}; expected at least 1."
        raise ValueError(msg)
    return index(n_permutations)


def _known(name: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        msg = f"{name} {value!r} is unknown; choose one of {', '.join(choices)}."
        raise ValueError(msg)
