"""Whether one model predicts better than another, on the same responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.evaluate._block_sums import SUMS
from voxscale.evaluate._choices import known
from voxscale.evaluate._columns import as_numbers, paired, voxel_blocks
from voxscale.evaluate._draws import draw_codes, positive
from voxscale.evaluate._interval import warn_undefined, why_no_score
from voxscale.evaluate._runs import as_lengths, block_rows, checked_block
from voxscale.evaluate._widening import Widening

__all__ = ["ModelComparison", "compare_models", "noise_normalized_difference"]


@dataclass(frozen=True, eq=False)
class ModelComparison:
    """Difference between the scores of two models, and what chance makes of it.

    Made by :func:`compare_models`.

    Parameters
    ----------
    observed : array of shape (n_voxels,), float64
        Score of model A less that of model B. NaN where either is undefined.
    p_values : array of shape (n_voxels,), float64
        (1 + number of permutations that differ at least as much) / (1 + n_permutations). Not
        corrected for the number of voxels: see :func:`max_statistic` and :func:`fdr`.
    standard_error : array of shape (n_voxels,), float64
        Of ``observed``, by the jackknife that leaves out a block at a time, and ``widened``.
    null : array of shape (n_permutations, n_voxels), float32
        Difference under each permutation, which is the same one in all voxels; between blocks
        ``widened``.
    widened : array of shape (n_voxels,), float64
        By how much differences between blocks were widened, at least 1, since what is alike goes
        on past the borders of blocks. 1 where that was not asked for.
    n_blocks : int
    alternative : str
    statistic : str
    """

    observed: Array = field(repr=False)
    p_values: Array = field(repr=False)
    standard_error: Array = field(repr=False)
    null: Array = field(repr=False)
    widened: Array = field(repr=False)
    n_blocks: int
    alternative: str
    statistic: str

    @property
    def n_permutations(self) -> int:
        """How many permutations the p-values rest on."""
        return len(self.null)

    @property
    def z_scores(self) -> Array:
        """Difference in units of its standard error, of shape (n_voxels,).

        A map that shows where a difference is sure, next to that of the difference itself, which
        shows where it is large. NaN where the error is 0.
        """
        error = np.where(self.standard_error > 0, self.standard_error, np.nan)
        return np.asarray(self.observed / error)


def compare_models(
    Y: ArrayLike,
    Y_pred_a: ArrayLike,
    Y_pred_b: ArrayLike,
    *,
    block_trs: int = 40,
    n_permutations: int = 1000,
    run_lengths: Sequence[int] | None = None,
    alternative: str = "two-sided",
    seed: int | np.random.Generator = 0,
    statistic: str = "correlation",
    widen: bool = True,
) -> ModelComparison:
    """Test in each voxel whether model A predicts better than model B.

    If they predict equally well, it does not matter which of the two a prediction comes from.
    Each permutation swaps the predictions of A and B in about half of the blocks of TRs, in the
    same blocks for all voxels, and scores both again.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses. May be a memory map.
    Y_pred_a, Y_pred_b : arrays of the same shape
        Predictions of the two models for the same TRs.
    block_trs : int, in TRs
        Length of blocks. Each run is cut into as many equal ones as hold at least so many TRs.
        Longer than the autocorrelation lasts; but few blocks find nothing, and n of them show no
        p-value below 2^(1-n), two-sided (see Notes).
    n_permutations : int
        How many different sets of blocks to swap. Where fewer exist, each is used once, with a
        warning.
    run_lengths : sequence of int, in TRs, optional
        Lengths of the runs in the order of the rows. By default all rows are one run.
    alternative : {"two-sided", "greater"}
        "greater": model A predicts better.
    seed : int or numpy.random.Generator
    statistic : {"correlation", "r2"}
        With "correlation", each prediction is z-scored over all rows before blocks are swapped,
        so that a difference in their sizes plays no part.
    widen : bool
        Whether to make up for what is alike across the borders of blocks (see Notes). Without,
        the test is that of blocks that are independent of each other.

    Returns
    -------
    ModelComparison

    Raises
    ------
    AlignmentError
        If the shapes differ, or ``run_lengths`` do not add up to the rows.
    ValueError
        If a choice is unknown, a block is longer than the shortest run, there are fewer than two
        blocks, or a number is not positive.
    TypeError
        If a count is not an integer, or a dtype is not one of real numbers.

    Warns
    -----
    VoxscaleWarning
        If fewer different sets of blocks exist than permutations were asked for: 2^n_blocks - 1.
        Another counts the voxels without a p-value: not finite, or constant. Those that have no
        prediction at all, NaN throughout, are not counted again.

    Notes
    -----
    Tells about these two fitted models and new TRs of such stories: not about models that were
    fitted to other stories, nor about other subjects.

    *Borders.* What is alike across the border of two blocks is counted as chance in each, and the
    mean taken from a run ties its blocks together: swaps alone understate chance in smooth series,
    whatever the length of blocks that leaves enough of them. So the differences between blocks are
    widened, in each voxel, by the factor that makes up for it: the autocorrelation of the
    difference is measured up to a quarter of a block, and for series that are autoregressive of
    order one, in runs and blocks of these lengths, variances with and without borders are known.
    What blocks have in common, the mean difference, is left as it is.

    By block length, the share of voxels with p <= 0.05, two-sided, where neither model predicted
    anything (``benchmarks/false_positives.py``; 40,000 voxels, series z-scored run by run, 999
    permutations; 0.001 is a standard error) was:

    =====================  =====  =====  =====  =====  ===============
    autocorrelation, runs  20     30     40     60     40, not widened
    =====================  =====  =====  =====  =====  ===============
    0.5, one of 790 TRs    0.049  0.049  0.050  0.050  0.052
    0.5, one of 300 TRs    0.050  0.050  0.047  0.000  0.049
    0.5, three of 250 TRs  0.050  0.050  0.051  0.049  0.053
    0.5, five of 60 TRs    0.050  0.050  0.000  0.000  0.000
    0.7, one of 790 TRs    0.048  0.048  0.049  0.049  0.053
    0.7, one of 300 TRs    0.054  0.050  0.050  0.000  0.054
    0.7, three of 250 TRs  0.050  0.050  0.050  0.051  0.056
    0.7, five of 60 TRs    0.050  0.051  0.000  0.000  0.000
    0.8, one of 790 TRs    0.050  0.049  0.049  0.048  0.056
    0.8, one of 300 TRs    0.050  0.051  0.046  0.000  0.054
    0.8, three of 250 TRs  0.051  0.052  0.051  0.051  0.061
    0.8, five of 60 TRs    0.050  0.053  0.000  0.000  0.000
    0.9, one of 790 TRs    0.051  0.052  0.051  0.050  0.070
    0.9, one of 300 TRs    0.049  0.048  0.045  0.000  0.064
    0.9, three of 250 TRs  0.049  0.049  0.050  0.049  0.072
    0.9, five of 60 TRs    0.053  0.056  0.000  0.000  0.000
    =====================  =====  =====  =====  =====  ===============

    Five blocks, as in the cells with 0.000, show no p-value below 0.0625: short runs need shorter
    blocks. With six or more blocks of 40, two models that predicted equally well gave 0.048 to
    0.051; one-sided tests 0.046 to 0.051; R² 0.040 to 0.043, and 0.019 to 0.027 where neither
    model predicted anything; white noise smoothed by a haemodynamic response 0.044 to 0.048. Slow
    series (0.95) beneath as much white noise are not what the factor supposes: 0.063 to 0.075, or
    0.071 to 0.088 without it. So remove drifts, and use longer blocks where there are many TRs.

    The standard error comes from the score without one block at a time, D_j of n blocks:
    sqrt((n - 1) / n · Σ (D_j - mean D)²), times ``widened``.

    References
    ----------
    Diebold & Mariano 1995, J. Bus. Econ. Stat. 13:253, doi:10.1080/07350015.1995.10524599
    (comparing predictions whose errors are autocorrelated).
    Künsch 1989, Ann. Stat. 17:1217, doi:10.1214/aos/1176347265 (jackknife of blocks).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y, noise = rng.standard_normal((2, 400, 2))
    >>> better = Y + noise * [1.0, 4.0]
    >>> worse = Y + rng.standard_normal((400, 2)) * 4.0
    >>> comparison = compare_models(Y, better, worse, run_lengths=[200, 200])
    >>> comparison.p_values < 0.05
    array([ True, False])
    """
    known("alternative", alternative, ("two-sided", "greater"))
    known("statistic", statistic, SUMS)
    responses, first = paired(Y, Y_pred_a)
    _, second = paired(Y, Y_pred_b)
    n_trs, n_voxels = responses.shape
    lengths = as_lengths(run_lengths, n_trs)
    block_trs = checked_block(block_trs, lengths, 1)
    blocks = block_rows(lengths, block_trs)
    two_sided = alternative == "two-sided"
    # Swapping all blocks only turns the sign.
    swaps = _draw_swaps(len(blocks), positive(n_permutations), seed, 1 + two_sided)
    widening = Widening(lengths, block_trs) if widen else None
    observed, p_values, errors, widened = np.full((4, n_voxels), np.nan)
    null = np.full((len(swaps), n_voxels), np.nan, dtype=np.float32)
    reasons = np.full(n_voxels, "", dtype="U10")
    for voxels in voxel_blocks(n_voxels, 10 * n_trs + 12 * (len(swaps) + len(blocks))):
        sums = SUMS[statistic](responses[:, voxels], first[:, voxels], second[:, voxels], blocks)
        difference, by_chance = sums.difference(), sums.swapped(swaps)
        wider = np.ones(len(difference))
        if widening:
            wider = widening.of(sums.series)
            widening.widen(by_chance, difference, swaps, wider)
        reached = np.abs(by_chance) if two_sided else by_chance
        level = np.abs(difference) if two_sided else difference
        n_above = np.count_nonzero(reached >= level - sums.tie, axis=0)
        observed[voxels] = difference
        p_values[voxels] = np.where(sums.defined, (1 + n_above) / (1 + len(swaps)), np.nan)
        errors[voxels] = wider * sums.jackknife_error()
        widened[voxels] = np.where(sums.defined, wider, np.nan)
        null[:, voxels] = np.where(sums.defined, by_chance, np.nan)
        series = (one[:, voxels] for one in (responses, first, second))
        reasons[voxels] = why_no_score(sums.defined, *series)
    warn_undefined("p-value", reasons)
    return ModelComparison(
        observed, p_values, errors, null, widened, len(blocks), alternative, statistic
    )


def _draw_swaps(
    n_blocks: int, n_permutations: int, seed: int | np.random.Generator, n_certain: int
) -> Array:
    """Draw different sets of blocks, as 0 and 1 of shape (n_permutations, n_blocks)."""
    if n_blocks < 2:
        msg = (
            f"all rows make {n_blocks} block; expected 2 at least, and 6 for a p-value below 0.05: "
            "lower block_trs, or test on more TRs."
        )
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    what = f"sets of {n_blocks} blocks can be swapped"
    codes = draw_codes(2**n_blocks - 1, n_permutations, rng, what, n_certain=n_certain)
    if codes is None:
        return rng.integers(0, 2, size=(n_permutations, n_blocks)).astype(np.float64)
    bits = (codes[:, None] + 1) >> np.arange(n_blocks)  # none swapped is no permutation
    return np.asarray((bits & 1).astype(np.float64))


def noise_normalized_difference(
    scores_a: ArrayLike, scores_b: ArrayLike, cc_max: ArrayLike, *, floor: float | None = None
) -> Array:
    """Divide the difference of two models' correlations by the best one possible.

    The difference of the two models' ``cc_norm``: how much more of what can be predicted at all
    model A predicts. Comparable between voxels with much noise and with little, and itself
    noisy where the ceiling is low.

    Parameters
    ----------
    scores_a, scores_b : array of shape (n_voxels,)
        Correlations, such as those of :func:`correlation` with the mean of the repeats.
    cc_max : array of shape (n_voxels,)
        Ceilings, as of :func:`noise_ceiling`. NaN or 0 where there is none.
    floor : float, optional
        Smallest ceiling to divide by, above 0 and at most 1; it serves voxels without a ceiling,
        too, as in :meth:`NoiseCeiling.cc_norm`.

    Returns
    -------
    array of shape (n_voxels,), float64
        ``(scores_a - scores_b) / cc_max``, or ``/ max(cc_max, floor)``. NaN where a score is
        and, without a floor, where there is no ceiling.

    Raises
    ------
    AlignmentError
        If the shapes differ.
    ValueError
        If a ceiling is negative or infinite, or the floor is not above 0 and at most 1.

    References
    ----------
    Schoppe et al. 2016, Front. Comput. Neurosci. 10:10, doi:10.3389/fncom.2016.00010 (cc_norm).

    Examples
    --------
    >>> noise_normalized_difference([0.5, 0.2], [0.3, 0.1], [0.5, 0.1]).round(3)
    array([0.4, 1. ])
    >>> noise_normalized_difference([0.5, 0.2], [0.3, 0.1], [0.5, 0.1], floor=0.25).round(3)
    array([0.4, 0.4])
    """
    a, b, ceiling = (
        as_numbers(values, name).astype(np.float64)
        for values, name in ((scores_a, "scores_a"), (scores_b, "scores_b"), (cc_max, "cc_max"))
    )
    if not a.shape == b.shape == ceiling.shape:
        msg = (
            f"scores_a, scores_b and cc_max have shapes {a.shape}, {b.shape} and {ceiling.shape}; "
            "expected the same voxels in all."
        )
        raise AlignmentError(msg)
    if (np.isinf(ceiling) | (ceiling < 0)).any():
        msg = (
            f"cc_max ranges from {np.nanmin(ceiling):.3g} to {np.nanmax(ceiling):.3g}; expected "
            "correlations above 0, and NaN where there is no ceiling."
        )
        raise ValueError(msg)
    if floor is None:
        return np.asarray((a - b) / np.where(ceiling > 0, ceiling, np.nan))
    if not 0 < floor <= 1:
        msg = f"floor is {floor}; expected a correlation above 0 and at most 1, such as 0.25."
        raise ValueError(msg)
    return np.asarray((a - b) / np.fmax(ceiling, floor))
