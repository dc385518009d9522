"""Whether a prediction beats chance, when both series are autocorrelated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.evaluate._choices import known
from voxscale.evaluate._columns import paired, unit_columns, voxel_blocks
from voxscale.evaluate._draws import TIE, checked_rank, positive
from voxscale.evaluate._interval import warn_undefined, why_no_score
from voxscale.evaluate._nulls import NULLS, CircularShifts
from voxscale.evaluate._runs import as_lengths
from voxscale.evaluate._scores import r2

__all__ = ["PermutationTest", "options_of", "permutation_test"]

# A row per kind: the options it has, with their defaults.
_OPTIONS: dict[str, dict[str, int]] = {
    "circular-shift": {"min_shift": 1},
    "block": {"block_trs": 30},
    "phase": {},
}


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
        never 0. One-sided, and not corrected for the number of voxels: see
        :func:`max_statistic` and :func:`fdr`. NaN where undefined.
    null : array of shape (n_permutations, n_voxels), float32
        Score of each permutation, which is the same one in all voxels; kept in float32, since
        it is large (380 MB for 1000 permutations of 95 000 voxels). ``p_values`` are counted
        before that rounding.
    shifts : array of int of shape (n_permutations, n_runs), in TRs, or None
        By how much the prediction of each run was moved later. None for kinds that do not
        shift.
    kind : str
    statistic : str
    """

    observed: Array = field(repr=False)
    p_values: Array = field(repr=False)
    null: Array = field(repr=False)
    shifts: Array | None = field(repr=False)
    kind: str
    statistic: str

    @property
    def n_permutations(self) -> int:
        """How many permutations the p-values rest on."""
        return len(self.null)

    @property
    def alternative(self) -> str:
        """What is tested: that scores are greater than by chance."""
        return "greater"

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
        position = self.n_permutations - checked_rank(p, self.n_permutations)
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
    min_shift: int | None = None,
    block_trs: int | None = None,
    seed: int | np.random.Generator = 0,
    statistic: str = "correlation",
) -> PermutationTest:
    """Test each voxel's score against the same prediction rearranged in time.

    BOLD responses and predictions are both smooth in time, so shuffling TRs would call noise
    significant. Each kind of rearrangement keeps the smoothness and breaks the link. All voxels
    are rearranged alike, so the dependence between voxels is kept.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses. May be a memory map.
    Y_pred : array of the same shape
        Predictions.
    kind : {"circular-shift", "block", "phase"}
        "circular-shift": each run of the prediction is rotated by its own random number of
        TRs. "block": each run is cut into blocks of ``block_trs``, the last of them shorter
        where these do not fit, and all its blocks are put in a random order. "phase": each
        frequency of each run is turned by a random phase, which keeps the power spectrum.
    n_permutations : int
        How many different rearrangements to draw. Where fewer exist, each is used once, with
        a warning.
    run_lengths : sequence of int, in TRs, optional
        Lengths of the runs in the order of the rows. By default all rows are one run.
    min_shift : int, in TRs, optional
        Of circular shifts alone: smallest distance, in both directions, of a shift from none at
        all; 1 by default. More finds too much unless it stays far below the length of the
        shortest run (see Notes).
    block_trs : int, in TRs, optional
        Of blocks alone: their length, 30 by default. Every run must hold two. Blocks that are
        not far longer than the autocorrelation lasts find too much (see Notes).
    seed : int or numpy.random.Generator
    statistic : {"correlation", "r2"}
        No rearrangement changes the mean or variance of a prediction, so that R² moves with
        the correlation alone: p-values are the same, ``observed`` and ``null`` are R². A
        constant prediction has an R², and a p-value of 1.

    Returns
    -------
    PermutationTest
        One-sided p-values: a prediction that scores higher than chance.

    Raises
    ------
    AlignmentError
        If the shapes differ, or ``run_lengths`` do not add up to the rows.
    ValueError
        If ``kind`` or ``statistic`` is unknown, an option is given that the kind has not, a run
        is shorter than twice ``min_shift`` or ``block_trs``, or than three TRs for phases, or a
        number is not positive.
    TypeError
        If a count is not an integer.

    Warns
    -----
    VoxscaleWarning
        If fewer different rearrangements exist than permutations were asked for. Another counts
        the voxels without a p-value: not finite, or constant. Those whose prediction is NaN
        throughout, having been told of where it was made, are not counted again.

    Notes
    -----
    Valid for series that are stationary within a run. Slow drifts in both are "significant"
    under any of these (Harris 2020). Differences between the means of runs stay in every
    permutation: they raise scores and their null alike, and with them the largest score that
    :func:`max_statistic` compares with. So remove drifts, and z-score responses and predictions
    run by run, as :class:`voxscale.DesignRecipe` does for responses.

    The shifts next to none at all resemble the observed score; leaving them out makes
    p-values too small where they are a large part of a run. In simulations of 40,000 voxels
    with unrelated series (``benchmarks/false_positives.py``; an autocorrelation of 0.7 from TR to
    TR; 999 permutations), the share of p-values up to 0.05 and up to 0.01 was, by ``min_shift``:

    ================  ============  ============
    runs              10            1
    ================  ============  ============
    one of 790 TRs    0.053, 0.011  0.050, 0.008
    one of 300 TRs    0.059, 0.014  0.051, 0.010
    three of 250 TRs  0.060, 0.015  0.052, 0.011
    five of 60 TRs    0.093, 0.034  0.054, 0.012
    ================  ============  ============

    Blocks break the autocorrelation where they meet, and find too much unless they are long; two
    blocks a run, on the other hand, show little. In the same simulations the share up to 0.05 was,
    by kind (``min_shift`` of 1; ``block_trs`` of 20, 30 and 60; 0.001 is a standard error):

    =====================  ==============  =====  ========  ========  ========
    autocorrelation, runs  circular-shift  phase  block 20  block 30  block 60
    =====================  ==============  =====  ========  ========  ========
    0.5, one of 790 TRs    0.050           0.050  0.053     0.053     0.053
    0.5, one of 300 TRs    0.049           0.049  0.051     0.051     0.050
    0.5, three of 250 TRs  0.052           0.051  0.055     0.055     0.056
    0.5, five of 60 TRs    0.052           0.049  0.050     0.033     —
    0.7, one of 790 TRs    0.050           0.049  0.056     0.056     0.054
    0.7, one of 300 TRs    0.051           0.051  0.057     0.054     0.052
    0.7, three of 250 TRs  0.052           0.052  0.058     0.058     0.057
    0.7, five of 60 TRs    0.054           0.052  0.051     0.031     —
    0.8, one of 790 TRs    0.050           0.050  0.060     0.057     0.054
    0.8, one of 300 TRs    0.050           0.050  0.059     0.056     0.053
    0.8, three of 250 TRs  0.053           0.052  0.063     0.059     0.056
    0.8, five of 60 TRs    0.055           0.051  0.052     0.033     —
    0.9, one of 790 TRs    0.049           0.050  0.074     0.064     0.057
    0.9, one of 300 TRs    0.051           0.051  0.073     0.066     0.056
    0.9, three of 250 TRs  0.053           0.052  0.073     0.064     0.059
    0.9, five of 60 TRs    0.060           0.057  0.059     0.031     —
    =====================  ==============  =====  ========  ========  ========

    References
    ----------
    Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39, doi:10.2202/1544-6115.1585 (why
    1 is added to both counts, and why the same permutation should not be drawn twice).
    Harris 2020, "Nonsense correlations in neuroscience", bioRxiv,
    doi:10.1101/2020.11.29.402719 (limits of circular shifts).
    Prichard & Theiler 1994, Phys. Rev. Lett. 73:951, doi:10.1103/PhysRevLett.73.951 (random
    phases that several series share).

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
    known("kind", kind, NULLS)
    known("statistic", statistic, ("correlation", "r2"))
    options = options_of(kind, min_shift=min_shift, block_trs=block_trs)
    responses, predictions = paired(Y, Y_pred)
    n_trs, n_voxels = responses.shape
    drawn = NULLS[kind](
        as_lengths(run_lengths, n_trs), positive(n_permutations), np.random.default_rng(seed),
        **options,
    )  # fmt: skip
    observed = np.full(n_voxels, np.nan)
    p_values = np.full(n_voxels, np.nan)
    null = np.empty((len(drawn), n_voxels), dtype=np.float32)
    reasons = np.full(n_voxels, "", dtype="U10")
    for voxels in voxel_blocks(n_voxels, 6 * n_trs + len(drawn) + drawn.numbers_per_voxel()):
        truth, truth_varies = unit_columns(responses[:, voxels])
        guess, guess_varies = unit_columns(predictions[:, voxels])
        score = np.clip(np.einsum("tv,tv->v", truth, guess), -1.0, 1.0)
        by_chance = drawn.correlate(truth, guess)
        np.clip(by_chance, -1.0, 1.0, out=by_chance)
        n_above = np.count_nonzero(by_chance >= score - TIE, axis=0)
        defined = truth_varies & guess_varies
        if statistic == "r2":
            score, defined = _as_r2(score, by_chance, responses[:, voxels], predictions[:, voxels])
        observed[voxels] = np.where(defined, score, np.nan)
        p_values[voxels] = np.where(defined, (1 + n_above) / (1 + len(drawn)), np.nan)
        null[:, voxels] = by_chance
        null[:, voxels][:, ~defined] = np.nan
        reasons[voxels] = why_no_score(defined, responses[:, voxels], predictions[:, voxels])
    warn_undefined("p-value", reasons)
    shifts = drawn.shifts if isinstance(drawn, CircularShifts) else None
    return PermutationTest(observed, p_values, null, shifts, kind, statistic)


def options_of(kind: str, **given: int | None) -> dict[str, int]:
    """Complete the options of a kind, and refuse those that it has not."""
    options = dict(_OPTIONS[kind])
    for name, value in given.items():
        if value is None:
            continue
        if name not in options:
            having = next(other for other, own in _OPTIONS.items() if name in own)
            msg = (
                f"{name} is {value}, but kind {kind!r} has no such option and would ignore it; "
                f"leave it out, or choose kind {having!r}."
            )
            raise ValueError(msg)
        options[name] = value
    return options


def _as_r2(score: Array, by_chance: Array, block: Array, predictions: Array) -> tuple[Array, Array]:
    """Turn correlations by chance into R², in place; return the R² observed, and where it is.

    The squared error of a prediction is a constant less twice its product with the response.
    """
    observed = r2(block, predictions)
    truth, guess = block.astype(np.float64), predictions.astype(np.float64)
    defined = np.isfinite(observed)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        slope = np.where(defined, 2.0 * guess.std(axis=0) / truth.std(axis=0), 0.0)
        by_chance -= score
        by_chance *= slope
        by_chance += observed
    return observed, defined
