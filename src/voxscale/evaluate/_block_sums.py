"""Sums over blocks of TRs, from which the scores of two models can be had again and again.

A correlation and an R² are made of a few sums over TRs. With these taken block by block, the score
of any mixture of blocks of two predictions, or of all blocks but one, needs no TR again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate._columns import center, unit_columns
from voxscale.evaluate._draws import TIE

__all__ = ["SUMS", "BlockSums"]

# Below this share of the variance of all rows, what is left has none.
_NO_VARIANCE = 1e-12


@dataclass(frozen=True, eq=False)
class BlockSums:
    """What the scores of models A and B are made of, block by block.

    Parameters
    ----------
    counts : array of shape (n_blocks,)
        TRs of each block.
    shared : array of shape (2, n_blocks, n_voxels)
        Sums of the responses, centred and of length one over all rows, and of their squares.
    of_a, of_b : array of shape (n_sums, n_blocks, n_voxels)
        What the score takes of each model.
    score : callable
        From a number of TRs and sums over them, to scores.
    defined : array of bool of shape (n_voxels,)
        Where both models have a score.
    tie : array of shape (n_voxels,)
        Differences of scores closer than this are ties.
    series : array of shape (n_trs, n_voxels)
        What each TR adds to the difference of the scores, but for a constant.
    """

    counts: Array
    shared: Array
    of_a: Array
    of_b: Array
    score: Callable[[Array, Array, Array], Array]
    defined: Array
    tie: Array
    series: Array

    def difference(self) -> Array:
        """Subtract the score of B from that of A, as (n_voxels,)."""
        n_trs, shared, a, b = self._totals()
        difference = self.score(n_trs, shared, a) - self.score(n_trs, shared, b)
        return np.where(self.defined, difference[0], np.nan)

    def swapped(self, swaps: Array) -> Array:
        """Subtract scores with A and B swapped in some blocks, as (n_permutations, n_voxels).

        ``swaps``, of shape (n_permutations, n_blocks), is 1 where a block is swapped.
        """
        n_trs, shared, a, b = self._totals()
        moved = swaps @ (self.of_b - self.of_a)
        return self.score(n_trs, shared, a + moved) - self.score(n_trs, shared, b - moved)

    def jackknife_error(self) -> Array:
        """Estimate the standard error of the difference by leaving out a block at a time."""
        n_trs, shared, a, b = self._totals()
        rest, without = n_trs - self.counts[:, None], shared - self.shared
        differences = self.score(rest, without, a - self.of_a)
        differences -= self.score(rest, without, b - self.of_b)
        n_blocks = len(self.counts)
        error = np.sqrt((n_blocks - 1) * differences.var(axis=0))
        return np.where(self.defined, error, np.nan)

    def _totals(self) -> tuple[Array, Array, Array, Array]:
        sums = (one.sum(axis=1, keepdims=True) for one in (self.shared, self.of_a, self.of_b))
        return self.counts.sum(), *sums


def _of_correlations(block: Array, a: Array, b: Array, rows: Sequence[slice]) -> BlockSums:
    truth, defined = unit_columns(block)
    of_models = []
    series = np.zeros(truth.shape)
    for predictions, add in ((a, np.add), (b, np.subtract)):
        guess, varies = unit_columns(predictions)
        defined = defined & varies
        of_models.append(_summed((guess, None), (guess, guess), (truth, guess), rows=rows))
        # To first order: a TR counts by its product, and by what it adds to the variances.
        r = of_models[-1][2].sum(axis=0)
        add(series, guess * (truth - 0.5 * r * guess), out=series)
    shared = _summed((truth, None), (truth, truth), rows=rows)
    tie = np.full(len(defined), TIE)
    return BlockSums(
        _counts(rows), shared, of_models[0], of_models[1], _correlation, defined, tie, series
    )


def _of_errors(block: Array, a: Array, b: Array, rows: Sequence[slice]) -> BlockSums:
    truth, size, defined = center(block)
    length = np.where(defined, np.sqrt(np.einsum("tv,tv->v", truth, truth)), 1.0)
    truth /= length
    shared = _summed((truth, None), (truth, truth), rows=rows)
    unit = np.where(defined, size, 1.0) * length
    of_models = []
    series = np.zeros(truth.shape)
    for predictions, add in ((a, np.subtract), (b, np.add)):
        with np.errstate(invalid="ignore", over="ignore"):
            residual = block / unit
            residual -= predictions / unit
            errors = _summed((residual, residual), rows=rows)
            defined = defined & np.isfinite(errors.sum(axis=(0, 1)))
            add(series, residual**2, out=series)
        of_models.append(errors)
    for errors in of_models:
        errors[..., ~defined] = 0.0
    series[:, ~defined] = 0.0
    tie = TIE * (of_models[0] + of_models[1]).sum(axis=(0, 1))
    return BlockSums(_counts(rows), shared, of_models[0], of_models[1], _r2, defined, tie, series)


# A row per statistic: responses, predictions of A and of B, and the rows of blocks -> sums.
SUMS = {"correlation": _of_correlations, "r2": _of_errors}


def _correlation(n_trs: Array, shared: Array, model: Array) -> Array:
    """Correlate by sums of the response and its squares, of the guess, its squares and products.

    A mixture of two predictions without variance predicts nothing: 0.
    """
    y, yy = shared
    guess, squares, products = model
    truth_varies, guess_varies = yy - y**2 / n_trs, squares - guess**2 / n_trs
    product = products - y * guess / n_trs
    defined = np.minimum(truth_varies, guess_varies) > _NO_VARIANCE
    size = np.sqrt(np.where(defined, truth_varies * guess_varies, 1.0))
    return np.asarray(np.where(defined, product / size, 0.0))


def _r2(n_trs: Array, shared: Array, model: Array) -> Array:
    y, yy = shared
    (errors,) = model
    varies = yy - y**2 / n_trs
    defined = varies > _NO_VARIANCE
    return np.asarray(np.where(defined, 1.0 - errors / np.where(defined, varies, 1.0), 0.0))


def _summed(*pairs: tuple[Array, Array | None], rows: Sequence[slice]) -> Array:
    """Sum columns, or products of two, over the TRs of each block."""
    sums = np.empty((len(pairs), len(rows), pairs[0][0].shape[1]))
    for (left, right), of_pair in zip(pairs, sums, strict=True):
        for block, of_block in zip(rows, of_pair, strict=True):
            if right is None:
                of_block[:] = left[block].sum(axis=0)
            else:
                np.einsum("tv,tv->v", left[block], right[block], out=of_block)
    return sums


def _counts(rows: Sequence[slice]) -> Array:
    return np.array([block.stop - block.start for block in rows], dtype=np.float64)
