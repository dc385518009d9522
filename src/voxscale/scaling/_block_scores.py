"""A correlation cut into blocks of time, so that blocks can be drawn anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.evaluate._columns import paired, unit_columns, voxel_blocks
from voxscale.evaluate._runs import as_lengths, block_rows, checked_block

__all__ = ["BlockScores", "block_scores"]


@dataclass(frozen=True, eq=False)
class BlockScores:
    """Scores of blocks of TRs; made by :func:`block_scores`.

    Parameters
    ----------
    scores : array of shape (n_units, n_voxels), float64
        A unit is a block. NaN in voxels where the correlation is undefined.
    n_trs : array of int of shape (n_units,)
        TRs of each block: the ``unit_weights`` of :func:`fit_scaling_law`.
    runs : array of int of shape (n_units,)
        Number of the run, or story, that each block belongs to.
    """

    scores: Array = field(repr=False)
    n_trs: Array = field(repr=False)
    runs: Array = field(repr=False)


def block_scores(
    Y: ArrayLike,
    Y_pred: ArrayLike,
    run_lengths: Sequence[int] | None = None,
    block_trs: int = 30,
) -> BlockScores:
    """Cut the correlation of responses with predictions into blocks of TRs.

    The mean of the blocks, weighted by their TRs, is the correlation over all rows: each holds
    the mean product of response and prediction, both z-scored over all rows. A block's score is
    therefore not bounded by 1, nor the correlation within the block.

    Parameters
    ----------
    Y : array of shape (n_trs, n_voxels)
        Or (n_trs,) for one voxel.
    Y_pred : array of the shape of ``Y``
    run_lengths : sequence of int, optional
        TRs of each run (story), in the order of the rows. No block crosses a run.
        Default: one run.
    block_trs : int
        Each run is cut into as many equal blocks as hold this many TRs or more. Choose it
        longer than responses remember: 30 TRs of 2 s.

    Returns
    -------
    BlockScores

    Raises
    ------
    AlignmentError
        If the shapes differ, or runs do not make up the rows.
    ValueError
        If a run is shorter than a block.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> Y, noise = rng.standard_normal((2, 100, 3))
    >>> blocks = block_scores(Y, Y + noise, run_lengths=[60, 40], block_trs=20)
    >>> blocks.scores.shape, blocks.runs
    ((5, 3), array([0, 0, 0, 1, 1]))
    >>> whole = np.average(blocks.scores, axis=0, weights=blocks.n_trs)
    >>> np.allclose(whole, [np.corrcoef(Y[:, v], (Y + noise)[:, v])[0, 1] for v in range(3)])
    True
    """
    truth, guess = paired(Y, Y_pred)
    n_trs, n_voxels = truth.shape
    lengths = as_lengths(run_lengths, n_trs)
    blocks = block_rows(lengths, checked_block(block_trs, lengths, 1))
    starts = np.array([block.start for block in blocks])
    sizes = np.array([block.stop - block.start for block in blocks])
    scores = np.empty((len(blocks), n_voxels))
    for voxels in voxel_blocks(n_voxels, 4 * n_trs):
        (one, one_varies), (two, two_varies) = (
            unit_columns(array[:, voxels]) for array in (truth, guess)
        )
        sums = np.add.reduceat(one * two, starts, axis=0)
        scores[:, voxels] = np.where(one_varies & two_varies, sums * n_trs / sizes[:, None], np.nan)
    runs = np.searchsorted(np.cumsum(lengths), starts, side="right")
    return BlockScores(scores, sizes, runs)
