"""Scores of runs that chose nothing: alphas are chosen anew without each run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError
from voxscale.fit._choose import check_alphas, choose_alphas
from voxscale.fit._cross_validate import Scoring, voxel_blocks
from voxscale.fit._decompose import Gram
from voxscale.fit._results import InMemory
from voxscale.fit._splits import Split, as_lengths, as_splits

__all__ = ["NestedScores", "nested_scores"]


@dataclass(frozen=True, eq=False)
class NestedScores:
    """Scores of every run, at alphas that the other runs chose.

    Parameters
    ----------
    scores : array of shape (n_voxels, n_runs), float64
        Of the left-out run, by weights of all other runs.
    best_alphas : array of shape (n_voxels, n_runs), float64
        Chosen by leaving out one of the other runs at a time.
    cv_scores : array of shape (n_alphas, n_voxels, n_runs), float64
        Mean scores by which they were chosen.
    """

    scores: Array
    best_alphas: Array
    cv_scores: Array


def nested_scores(
    gram: Gram,
    Y: Any,
    run_lengths: Sequence[int],
    alphas: ArrayLike,
    *,
    scoring: str = "r2",
    local_alpha: bool = True,
    groups: ArrayLike | None = None,
    solver: str = "auto",
    tolerance: float | None = None,
) -> NestedScores:
    """Leave out each run for a test, and each other one in turn to choose alphas for it.

    Parameters
    ----------
    gram : Gram
        Of the design matrix, (n_trs, n_features), runs one after the other.
    Y : array of shape (n_trs, n_voxels)
        In memory or on disk.
    run_lengths : sequence of int, in TRs
        Three runs or more.
    alphas : array of shape (n_alphas,)
    scoring, solver, tolerance
        As :func:`cv_scores`.
    local_alpha, groups
        As :func:`choose_alphas`.

    Returns
    -------
    NestedScores

    Raises
    ------
    AlignmentError
        If the runs do not add up to the rows, or Y and the design differ in rows.
    FitError
        If the memory budget is too small, or a run has fewer than two rows that count.
    ValueError
        If there are fewer than three runs.

    Warns
    -----
    VoxscaleWarning
        Counts voxels without a score.

    Notes
    -----
    Leaving out runs ``a`` and ``b`` trains the same weights whichever of the two is the test:
    ``n (n - 1) / 2`` decompositions serve ``n (n - 1)`` splits; with the solver "holdout", one
    serves all.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((30, 4))
    >>> nested = nested_scores(Gram.of(X, device="cpu"), X, [10, 8, 12], [0.1, 1.0])
    >>> nested.scores.shape, bool((nested.scores > 0.9).all())
    ((4, 3), True)
    """
    runs, penalties = _rows(run_lengths, gram.samples.n_trs), check_alphas(alphas)
    blocks = voxel_blocks(gram, Y)
    places, pairs = _splits(runs)
    splits = gram.samples.splits(as_splits(pairs, gram.samples.n_trs))
    work = Scoring.of([gram], blocks, splits, penalties, scoring, solver, tolerance)
    shape = (len(penalties), blocks.n_voxels, len(runs))
    test, total, counted = np.full(shape, np.nan), np.zeros(shape), np.zeros(shape[1:])
    for _, i, block, found in work.scores([InMemory()]):
        outer, inner = places[i]
        if outer == inner:
            test[:, block, outer] = found
            continue
        counts = np.isfinite(found).any(axis=0)
        total[:, block, outer] += np.where(counts, found, 0)
        counted[block, outer] += counts
    means = np.full(shape, np.nan)
    np.divide(total, counted, out=means, where=np.broadcast_to(counted > 0, shape))
    best = np.stack(
        [
            choose_alphas(penalties, one[:, :, None], local_alpha=local_alpha, groups=groups)
            for one in np.moveaxis(means, 2, 0)
        ],
        axis=1,
    )
    at_best = (penalties[:, None, None] == best).argmax(axis=0)
    scores = np.take_along_axis(test, at_best[None], axis=0)[0]
    scores[np.isnan(best)] = np.nan
    blocks.warn_of(np.asarray(np.isnan(scores).all(axis=1)), stacklevel=3)
    return NestedScores(scores, best, means)


def _rows(run_lengths: Sequence[int], n_trs: int) -> list[Array]:
    """Rows of each run."""
    lengths = as_lengths(run_lengths)
    if len(lengths) < 3:
        msg = (
            f"run_lengths are {lengths}; expected three runs or more: one to "
            "test, one to choose alphas, one to train."
        )
        raise ValueError(msg)
    if sum(lengths) != n_trs:
        msg = f"run_lengths add up to {sum(lengths)} TRs, but X has {n_trs} rows; expected as many."
        raise AlignmentError(msg)
    return np.split(np.arange(n_trs), np.cumsum(lengths)[:-1])


def _splits(runs: Sequence[Array]) -> tuple[list[tuple[int, int]], list[Split]]:
    """Pairs of an outer and an inner run, and their rows; an outer run by itself is its test.

    Those that train on the same rows are neighbours.
    """
    places: list[tuple[int, int]] = []
    for a in range(len(runs)):
        places.append((a, a))
        for b in range(a + 1, len(runs)):
            places += [(a, b), (b, a)]
    return places, [
        (np.concatenate([rows for i, rows in enumerate(runs) if i not in place]), runs[place[1]])
        for place in places
    ]
