"""Whether a prediction tells of the responses what baselines cannot."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.evaluate._choices import known
from voxscale.evaluate._columns import as_numbers, paired, rounding_unit, unit_columns, voxel_blocks
from voxscale.evaluate._draws import TIE, positive
from voxscale.evaluate._interval import warn_undefined, why_no_score
from voxscale.evaluate._nulls import NULLS, CircularShifts, Null
from voxscale.evaluate._runs import as_lengths, run_rows
from voxscale.evaluate._significance import PermutationTest, options_of

__all__ = ["unique_test"]

# What is left of a column is nothing where it is smaller than this share of it: predictions are
# sums of many products in float32.
_NOTHING = 1e-5


def unique_test(
    Y: ArrayLike,
    prediction: ArrayLike,
    baseline: ArrayLike,
    *,
    n_permutations: int = 1000,
    run_lengths: Sequence[int] | None = None,
    kind: str = "circular-shift",
    min_shift: int | None = None,
    block_trs: int | None = None,
    seed: int | np.random.Generator = 0,
) -> PermutationTest:
    """Test whether a prediction explains what no mix of baseline features can.

    A partial correlation: baselines are projected out of responses and prediction, on the test
    TRs, and what is left is tested against itself rearranged in time, as in
    :func:`permutation_test`. What a joint model predicts by its baselines cannot count.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels), or (n_trs,) for one voxel
        Responses of the test part. May be a memory map.
    prediction : array of the same shape
        Of the model that has baselines and language model together, such as the last one of
        :func:`union_predictions`.
    baseline : array of shape (n_trs, n_columns), or (n_trs,) for one column
        The baseline features themselves on the same TRs, not a prediction from them: every
        column that the model was given, with delays. Columns may repeat each other. Where folds
        were predicted by models of their own, a set of columns for each (see Notes).
    n_permutations : int
    run_lengths : sequence of int, in TRs, optional
        Lengths of the runs in the order of the rows. By default all rows are one run.
    kind : {"circular-shift", "block", "phase"}
    min_shift : int, in TRs
    block_trs : int, in TRs
    seed : int or numpy.random.Generator
        All as in :func:`permutation_test`.

    Returns
    -------
    PermutationTest
        ``observed`` and ``null`` are partial correlations; p-values are one-sided, for a
        prediction that adds to the baselines. Correct them by :func:`fdr` or
        :func:`max_statistic`.

    Raises
    ------
    AlignmentError
        If the shapes differ, or ``run_lengths`` do not add up to the rows.
    ValueError
        If baselines are not finite, do not vary, or leave nothing of so few TRs; or as
        :func:`permutation_test`.
    TypeError
        If a count is no whole number, or an array not of real numbers.

    Warns
    -----
    VoxscaleWarning
        Counts the voxels that are NaN: constant or not finite, and those whose prediction, or
        response, is nothing but the baselines. Also if fewer different rearrangements exist
        than were asked for.

    Notes
    -----
    Let M take out the mean of each run and all that a regression on the baselines, with one
    coefficient for all runs, can fit. The score is the correlation of M Y with M Ŷ; by chance
    it is that of M Y with M S M Ŷ, where S rearranges. What was shifted is no longer free of
    baselines, so they are projected out again: without that, chance varies less than the score
    and a little too much is found.

    A difference of predictions, with and without the language model, correlated with what the
    smaller model left over, is no such test. It holds what the joint model changed about the
    weights of baselines, and finds it where the language model means nothing.

    Where responses were word rate (four delays) and position (five columns), with an R² of 0.15
    together, and autoregressive noise, and features of a "language model" (100 columns,
    autocorrelation 0.8) were unrelated to both, models were fitted to 600 TRs with ``RidgeCV``,
    balanced, all spaces in all voxels (``choose=False``), for 200 stimuli. Of 20,000 voxels
    tested with 299 permutations, the share with p at most 0.05 and at most 0.01 was, by the
    autocorrelation of the noise,

    =====================  ============  ============  ============  ============
    noise, test runs       this test     once          difference    joint
    =====================  ============  ============  ============  ============
    0.5, one of 300 TRs    0.054, 0.010  0.058, 0.011  0.067, 0.014  0.942, 0.804
    0.5, three of 250 TRs  0.053, 0.011  0.056, 0.014  0.100, 0.029  1.000, 0.994
    0.8, one of 300 TRs    0.053, 0.011  0.057, 0.012  0.094, 0.032  0.710, 0.533
    0.8, three of 250 TRs  0.057, 0.011  0.061, 0.013  0.151, 0.061  0.948, 0.842
    =====================  ============  ============  ============  ============

    by this test; "once": with the baselines projected out before shifting only; "difference": of
    predictions, as above; "joint": :func:`permutation_test` of the joint prediction, which tells
    that baselines predict. Where the language model did explain an R² of 0.05 (or 0.15) beyond the
    baselines, this test had p of at most 0.05 in 0.27 (0.81) of voxels in one run of 300 TRs, and
    in 0.46 (0.99) in three of 250 TRs, with noise of 0.5. In short runs it finds a little too
    much, as :func:`permutation_test` does.

    All rows must be predicted by one model. Where each fold of a story was predicted by a model of
    its own, weights of baselines differ from fold to fold, and one coefficient for all cannot take
    them out. Then give the baselines, and a column of ones, once for each fold, with 0 in the rows
    of the others. On real responses in five folds (``examples/alice_unique.py --check``), with a
    language model moved in time so that it told nothing, the mean partial correlation of single
    people was -0.17 and 0.010 of them had p at most 0.05 with one set of baselines; -0.01 and
    0.051 with a set for each fold.

    Each column of baselines costs as much time as a permutation test.

    References
    ----------
    Winkler, Ridgway, Webster, Smith & Nichols 2014, NeuroImage 92:381,
    doi:10.1016/j.neuroimage.2014.01.060 (ways of permuting beside nuisance variables; this is
    the one after Smith, and "once" above that after Kennedy).
    Harris 2020, bioRxiv, doi:10.1101/2020.11.29.402719 (limits of circular shifts).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rate, words, noise = rng.standard_normal((3, 200, 2))
    >>> words[:, 1] = 0.0  # in the second voxel, the model has nothing but noise to add
    >>> test = unique_test(rate + words + noise, rate + words + rng.standard_normal((200, 2)),
    ...                    rate, n_permutations=99)
    >>> test.p_values < 0.05
    array([ True, False])
    """
    known("kind", kind, NULLS)
    responses, predictions = paired(Y, prediction)
    n_trs, n_voxels = responses.shape
    lengths = as_lengths(run_lengths, n_trs)
    columns = _basis(baseline, lengths, n_trs)
    options = options_of(kind, min_shift=min_shift, block_trs=block_trs)
    rng = np.random.default_rng(seed)
    drawn = NULLS[kind](lengths, positive(n_permutations), rng, **options)
    observed = np.full(n_voxels, np.nan)
    p_values = np.full(n_voxels, np.nan)
    null = np.full((len(drawn), n_voxels), np.nan, dtype=np.float32)
    reasons = np.full(n_voxels, "", dtype="U10")
    n_nothing = 0
    for voxels in voxel_blocks(n_voxels, 8 * n_trs + 3 * len(drawn) + drawn.numbers_per_voxel()):
        truth, truth_varies, truth_is_left = _beyond(responses[:, voxels], columns, lengths)
        guess, guess_varies, guess_is_left = _beyond(predictions[:, voxels], columns, lengths)
        varies, is_left = truth_varies & guess_varies, truth_is_left & guess_is_left
        reasons[voxels] = why_no_score(varies, responses[:, voxels], predictions[:, voxels])
        n_nothing += int((varies & ~is_left).sum())
        score = np.clip(np.einsum("tv,tv->v", truth, guess), -1.0, 1.0)
        by_chance = _by_chance(drawn, truth, guess, columns)
        n_above = np.count_nonzero(by_chance >= score - TIE, axis=0)
        defined = varies & is_left
        observed[voxels] = np.where(defined, score, np.nan)
        p_values[voxels] = np.where(defined, (1 + n_above) / (1 + len(drawn)), np.nan)
        null[:, voxels] = np.where(defined, by_chance, np.nan)
    warn_undefined("p-value", reasons)
    if n_nothing:
        msg = (
            f"in {n_nothing} of {n_voxels} voxels the prediction or the response is nothing but "
            "the baselines, so that there is nothing to test, and they are NaN; the model gives "
            "no weight to what is beyond them there."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    shifts = drawn.shifts if isinstance(drawn, CircularShifts) else None
    return PermutationTest(observed, p_values, null, shifts, kind, "partial correlation")


def _basis(baseline: ArrayLike, lengths: tuple[int, ...], n_trs: int) -> Array:
    """Return orthonormal columns, about the mean of each run, that span the baselines."""
    given = as_numbers(baseline, "baseline")
    features = given[:, np.newaxis] if given.ndim == 1 else given
    if features.ndim != 2 or len(features) != n_trs:
        msg = (
            f"baseline has shape {given.shape} but Y has {n_trs} TRs; expected (n_trs, n_columns) "
            "on the same TRs: the features themselves, not a prediction."
        )
        raise AlignmentError(msg)
    if not np.isfinite(features).all():
        msg = "baseline holds NaN or infinity; expected numbers: mend or leave out these columns."
        raise ValueError(msg)
    units, _ = unit_columns(features)
    units = _about_runs(units, lengths)
    length = np.linalg.norm(units, axis=0)
    varies = length > _NOTHING  # nor does a column that only steps from run to run
    if not varies.any():
        msg = (
            f"none of {features.shape[1]} columns of baseline varies within a run; expected some: "
            "use permutation_test where there is nothing to go beyond."
        )
        raise ValueError(msg)
    left, strength, _ = np.linalg.svd(units[:, varies] / length[varies], full_matrices=False)
    tolerance = strength[0] * max(features.shape) * rounding_unit(features.dtype)
    columns = np.ascontiguousarray(left[:, strength > tolerance])
    n_left = n_trs - len(lengths) - columns.shape[1]
    if n_left < 2:
        msg = (
            f"{columns.shape[1]} independent columns of baseline leave {max(n_left, 0)} degrees of "
            f"freedom of {n_trs} TRs in {len(lengths)} run(s); expected 2 or more, and for a test "
            "of use far more: use fewer columns."
        )
        raise ValueError(msg)
    return columns


def _beyond(block: Array, columns: Array, lengths: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Project baselines out, and give what is left length one.

    Returns
    -------
    unit : array of shape (n_trs, n_block_voxels)
        Zero where undefined.
    varies, is_left : arrays of bool of shape (n_block_voxels,)
        Whether the column varies; and whether more than rounding is left of it.
    """
    values, varies = unit_columns(block)
    values = _about_runs(values, lengths)
    values -= columns @ (columns.T @ values)
    values -= columns @ (columns.T @ values)  # once more: rounding of the first is of its size
    length = np.linalg.norm(values, axis=0)
    is_left = length > _NOTHING
    values /= np.where(is_left, length, 1.0)
    values[:, ~is_left] = 0.0
    return values, varies, is_left


def _about_runs(values: Array, lengths: tuple[int, ...]) -> Array:
    """Subtract the mean of each run, in place."""
    for run in run_rows(lengths):
        values[run] -= values[run].mean(axis=0)
    return values


def _by_chance(drawn: Null, truth: Array, guess: Array, columns: Array) -> Array:
    """Correlate with each rearrangement, out of which baselines are projected again."""
    by_chance = drawn.correlate(truth, guess)
    in_baselines = np.zeros_like(by_chance)
    for column in columns.T:
        along = drawn.correlate(np.repeat(column[:, np.newaxis], guess.shape[1], axis=1), guess)
        along **= 2
        in_baselines += along
    # Projected once more, the response stays what it is: only lengths change.
    by_chance /= np.sqrt(np.maximum(1.0 - in_baselines, TIE))
    return np.clip(by_chance, -1.0, 1.0, out=by_chance)
