"""By how much swapped blocks understate chance, where what is alike goes on past their borders.

A block that is swapped by itself counts what it shares with its neighbours as chance of its own,
and the mean that was taken from a run ties its blocks together. How much that leaves out follows
from the autocorrelation, and from the lengths of runs and blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from voxscale.arrays import Array
from voxscale.evaluate._runs import block_rows, run_rows

__all__ = ["Widening"]

# Autocorrelations of the difference from TR to TR at which the answer is worked out.
_GRID = np.concatenate([np.linspace(0.0, 0.8, 17), np.linspace(0.82, 0.98, 9)])
# Autocorrelations are measured up to a part of a block: slow ones beneath fast noise count, too.
_SPANS_PER_BLOCK = 4


class Widening:
    """How much wider than its swaps a difference scatters, by its measured autocorrelation.

    Parameters
    ----------
    lengths : sequence of int, in TRs
        Of the runs.
    block_trs : int
        As :func:`block_rows` takes it.

    Notes
    -----
    A difference is a product of responses with the difference of two predictions. Both are taken
    to be autoregressive of order one, and about their means over a run: with T the Toeplitz
    matrix of their correlations, and C what takes a mean away, the product has the covariances
    Γ = (C T C)², element by element. Its sum over a run has the variance ΣΣ Γ, of which swaps
    see what lies within blocks.

    Only the differences between blocks are widened. What the blocks have in common is what is
    tested: swaps see it as it is, and were it widened, too, too little would be found.
    """

    def __init__(self, lengths: Sequence[int], block_trs: int) -> None:
        self.runs = run_rows(lengths)
        self.shares = np.array([b.stop - b.start for b in block_rows(lengths, block_trs)])
        self.shares = self.shares / self.shares.sum()
        self.n_lags = max(1, block_trs // _SPANS_PER_BLOCK)
        known = [self._expected(phi, Counter(lengths), block_trs) for phi in _GRID]
        # In runs too short to tell slow from slower, the widest counts.
        self.measured, self.widened = np.maximum.accumulate(np.array(known), axis=0).T

    def of(self, series: Array) -> Array:
        """Return what to multiply differences by, at least 1.

        Parameters
        ----------
        series : array of shape (n_trs, n_voxels)
            What each TR adds to the difference, but for a constant.

        Returns
        -------
        array of shape (n_voxels,)
            1 where nothing varies.
        """
        centered = series - series.mean(axis=0)
        lagged = np.zeros(series.shape[1])
        for run in self.runs:
            part = centered[run]
            for lag in range(1, min(self.n_lags, len(part) - 1) + 1):
                lagged += np.einsum("tv,tv->v", part[lag:], part[:-lag])
        power = np.einsum("tv,tv->v", centered, centered)
        varies = power > 0
        sums = lagged / np.where(varies, power, 1.0)
        return np.where(varies, np.interp(sums, self.measured, self.widened), 1.0)

    def widen(self, by_chance: Array, difference: Array, swaps: Array, factor: Array) -> Array:
        """Widen what swaps make of differences between blocks, in place.

        Parameters
        ----------
        by_chance : array of shape (n_permutations, n_voxels)
        difference, factor : arrays of shape (n_voxels,)
        swaps : array of shape (n_permutations, n_blocks)
            1 where a block is swapped, otherwise 0.
        """
        in_common = 1.0 - 2.0 * (swaps @ self.shares)
        by_chance *= factor
        by_chance += np.outer(in_common, (1.0 - factor) * difference)
        return by_chance

    def _expected(self, phi: float, runs: Counter[int], block_trs: int) -> tuple[float, float]:
        """Return the sum of autocorrelations that is measured, and the ratio of deviations."""
        n_trs = sum(length * count for length, count in runs.items())
        sums, n_pairs = np.zeros((2, self.n_lags + 1))
        whole = within = 0.0
        for length, count in runs.items():
            by_lag = np.sqrt(phi) ** np.arange(length)
            lost = _row_sums(by_lag) / length
            mean = lost.mean()
            whole += count * _squares(by_lag, lost, mean)
            within += count * sum(
                _squares(by_lag, lost[block], mean) for block in block_rows([length], block_trs)
            )
            for lag in range(min(self.n_lags, length - 1) + 1):
                left = by_lag[lag] - lost[lag:] - lost[: length - lag] + mean
                sums[lag] += count * np.sum(left**2)
                n_pairs[lag] += count * (length - lag)
        sums -= n_pairs * whole / n_trs**2  # the mean of the series is taken from it, too
        if not (within > 0 and sums[0] > 0):
            return 0.0, 1.0
        n_blocks = len(self.shares)
        between = max(n_blocks * within - whole, 1e-9 * whole)
        ratio = (n_blocks - 1) * whole / between
        return float(sums[1:].sum() / sums[0]), float(np.sqrt(max(ratio, 1.0)))


def _row_sums(by_lag: Array) -> Array:
    """Sum each row of the symmetric Toeplitz matrix of these values."""
    running = np.cumsum(by_lag)
    return np.asarray(running + running[::-1] - by_lag[0])


def _squares(by_lag: Array, lost: Array, mean: float) -> float:
    """Sum (t_ij - m_i - m_j + m)² over a block, in as many steps as it has TRs.

    ``by_lag`` holds t, ``lost`` the m_i of the block, ``mean`` is m.
    """
    length = len(lost)
    own = by_lag[:length]
    n_pairs = np.where(np.arange(length) == 0, 1, 2) * (length - np.arange(length))
    total = lost.sum()
    return float(
        n_pairs @ own**2
        + 2 * length * (lost @ lost)
        + 2 * total**2
        + (length * mean) ** 2
        - 4 * (lost @ _row_sums(own))
        + 2 * mean * (n_pairs @ own)
        - 4 * mean * length * total
    )
