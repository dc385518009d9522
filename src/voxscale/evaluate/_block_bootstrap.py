"""Covariances between repeats, and what they would be in other stretches of time.

Every ceiling is a function of the covariances between repeats. Resampling blocks of TRs changes
only those, so sums of products over short cells of TRs are made once, and a bootstrap sample is
a product of counts with them: raw TRs are not touched again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["BlockPlan", "covariance_draws", "never_varies", "pair_of", "plan_blocks"]

# Blocks start at every cell; more cells to a block hardly change anything and cost more.
_CELLS_PER_BLOCK = 4
_FEWEST_BLOCKS = 4
# A variance in a sample, as a share of that of the data, that is rounding alone.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class BlockPlan:
    """How often each TR of a story counts in each bootstrap sample.

    Parameters
    ----------
    first_trs : array of int of shape (n_cells,)
        Where each cell of TRs begins.
    n_trs : int
    counts : array of shape (1 + n_bootstraps, n_cells), float64
        How often each cell was drawn. The first row is the story as it is.
    n_blocks : int
        How many blocks a sample consists of.
    """

    first_trs: Array
    n_trs: int
    counts: Array
    n_blocks: int


def plan_blocks(
    lengths: Sequence[int],
    block_trs: int | None,
    n_bootstraps: int,
    seed: int | np.random.Generator,
) -> list[BlockPlan]:
    """Draw blocks of TRs with replacement, within each story, around in a circle.

    By default blocks of a story are as long as the square root of all TRs, and shorter in stories
    that do not hold four such.

    Raises
    ------
    ValueError
        If a story is shorter than four blocks, or a number is too small.
    """
    if index(n_bootstraps) < 2:
        msg = f"n_bootstraps is {n_bootstraps}; expected at least 2, such as 400."
        raise ValueError(msg)
    # Long enough for BOLD, whose autocorrelation lasts some ten seconds; grows with the data.
    longest = round(math.sqrt(sum(lengths))) if block_trs is None else index(block_trs)
    shortest = _FEWEST_BLOCKS * (1 if block_trs is None else longest)
    if longest < 1 or min(lengths) < shortest:
        msg = (
            f"a story of {min(lengths)} TRs does not hold {_FEWEST_BLOCKS} blocks of "
            f"{shortest // _FEWEST_BLOCKS} TRs; expected blocks of at least 1 TR, longer than the "
            "autocorrelation, and many of them: lower block_trs, or join short stories into one."
        )
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    return [
        _plan(n_trs, min(longest, n_trs // _FEWEST_BLOCKS), n_bootstraps, rng) for n_trs in lengths
    ]


def _plan(n_trs: int, length: int, n_bootstraps: int, rng: np.random.Generator) -> BlockPlan:
    n_cells = max(1, round(n_trs * min(_CELLS_PER_BLOCK, length) / length))
    per_block = max(1, round(n_cells * length / n_trs))
    n_blocks = max(1, round(n_cells / per_block))
    starts = rng.integers(0, n_cells, size=(n_bootstraps, n_blocks))
    counts = np.zeros((1 + n_bootstraps, n_cells))
    counts[0] = 1.0
    samples = 1 + np.arange(n_bootstraps)[:, None]
    for step in range(per_block):
        np.add.at(counts, (samples, (starts + step) % n_cells), 1.0)
    first_trs = np.linspace(0, n_trs, n_cells, endpoint=False).round().astype(np.intp)
    return BlockPlan(first_trs, n_trs, counts, n_blocks)


def pair_of(n_series: int) -> Array:
    """Return the place of every pair of series among the packed covariances."""
    place = np.zeros((n_series, n_series), dtype=np.intp)
    first, second = np.triu_indices(n_series)
    place[first, second] = place[second, first] = np.arange(len(first))
    return place


def covariance_draws(series: Array, plan: BlockPlan) -> Array:
    """Compute the covariances between series, as they are and in every bootstrap sample.

    Parameters
    ----------
    series : array of shape (n_series, n_trs, n_voxels), float64
        Each about its own mean over TRs.
    plan : BlockPlan

    Returns
    -------
    array of shape (1 + n_bootstraps, n_pairs, n_voxels)
        Packed as in :func:`pair_of`; ddof 1, about the means of the sample.
    """
    n_series, n_trs, n_voxels = series.shape
    if n_trs != plan.n_trs:
        msg = f"series have {n_trs} TRs; expected the {plan.n_trs} that blocks were drawn for."
        raise AlignmentError(msg)
    first, second = np.triu_indices(n_series)
    cells = np.empty((len(plan.first_trs), len(first) + n_series, n_voxels))
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        products = series[one] * series[other]
        np.add.reduceat(products, plan.first_trs, axis=0, out=cells[:, pair])
    np.add.reduceat(series, plan.first_trs, axis=1, out=cells[:, len(first) :].swapaxes(0, 1))
    sums = (plan.counts @ cells.reshape(len(cells), -1)).reshape(len(plan.counts), *cells.shape[1:])
    sizes = np.diff(plan.first_trs, append=n_trs)
    n_drawn = (plan.counts @ sizes)[:, None]
    covariances, totals = sums[:, : len(first)], sums[:, len(first) :]
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        covariances[:, pair] -= totals[:, one] * totals[:, other] / n_drawn
    covariances /= (n_drawn - 1.0)[:, None]
    return np.asarray(covariances)


def never_varies(variances: Array) -> Array:
    """Find the voxels that some bootstrap sample finds constant: none of its TRs vary there.

    Parameters
    ----------
    variances : array of shape (1 + n_bootstraps, ..., n_voxels)
        The first row is of the data as they are.

    Returns
    -------
    array of bool of shape (n_voxels,)
    """
    silent = variances <= _ROUNDING * variances[0]
    return np.asarray(silent.any(axis=tuple(range(silent.ndim - 1))))
