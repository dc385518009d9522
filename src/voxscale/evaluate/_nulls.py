"""What chance makes of a prediction: rearranged in time, alike in all voxels.

A kind draws its rearrangements once, and then correlates responses with the prediction under each
of them, a block of voxels at a time. None changes the mean or the variance of a run, so that the
correlation of columns of length one stays the sum of their products.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import Protocol

import numpy as np
from scipy import fft, sparse

from voxscale.arrays import Array
from voxscale.evaluate._draws import draw_codes
from voxscale.evaluate._runs import checked_block, run_rows

__all__ = ["NULLS", "BlockOrders", "CircularShifts", "Null", "RandomPhases"]


class Null(Protocol):
    """Rearrangements of a prediction, drawn."""

    def __len__(self) -> int:
        """How many permutations."""

    def numbers_per_voxel(self) -> int:
        """How many numbers :meth:`correlate` holds for each voxel."""

    def correlate(self, truth: Array, guess: Array) -> Array:
        """Correlate unit columns (n_trs, n_voxels) as (n_permutations, n_voxels)."""


@dataclass(frozen=True, eq=False)
class CircularShifts:
    """Each run rotated later by its own number of TRs.

    Every permuted correlation is a sum over runs of circular cross-covariances, which Fourier
    transforms give for all shifts of a run at once.
    """

    lengths: tuple[int, ...]
    shifts: Array  # (n_permutations, n_runs)

    @classmethod
    def draw(
        cls, lengths: tuple[int, ...], n_permutations: int, rng: np.random.Generator,
        *, min_shift: int,
    ) -> CircularShifts:  # fmt: skip
        """Draw different combinations of one shift per run, or all where there are no more."""
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
        choices = [length - 2 * min_shift + 1 for length in lengths]
        what = f"shifts exist for runs of {list(lengths)} TRs with min_shift={min_shift}"
        remedy = 'test on more or longer runs, or by rearranging blocks ("block")'
        codes = draw_codes(math.prod(choices), n_permutations, rng, what, remedy=remedy)
        if codes is None:
            shifts = rng.integers(0, choices, size=(n_permutations, len(choices)))
            return cls(lengths, min_shift + shifts)
        shifts = np.empty((len(codes), len(choices)), dtype=np.int64)
        for run, n_choices in enumerate(choices):
            codes, shifts[:, run] = np.divmod(codes, n_choices)
        return cls(lengths, min_shift + shifts)

    def __len__(self) -> int:
        return len(self.shifts)

    def numbers_per_voxel(self) -> int:
        return 4 * max(self.lengths) + 2 * len(self)

    def correlate(self, truth: Array, guess: Array) -> Array:
        null = np.zeros((len(self.shifts), truth.shape[1]))
        for rows, of_run in zip(run_rows(self.lengths), self.shifts.T, strict=True):
            spectrum = _cross_spectrum(guess[rows], truth[rows])
            n_trs = rows.stop - rows.start
            covariances = fft.irfft(spectrum, n=n_trs, axis=0, overwrite_x=True, workers=_cores())
            null += covariances[of_run]
        return null


@dataclass(frozen=True, eq=False)
class BlockOrders:
    """Blocks of TRs of each run in another order, the short one at its end among them.

    Products of all pairs of blocks that can meet are summed once; a permutation picks some of
    them. The short block moves what comes after it, so that full blocks begin on one of two grids.
    """

    lengths: tuple[int, ...]
    block_trs: int
    orders: tuple[Array, ...]  # of each run: (n_permutations, n_blocks)

    @classmethod
    def draw(
        cls, lengths: tuple[int, ...], n_permutations: int, rng: np.random.Generator,
        *, block_trs: int,
    ) -> BlockOrders:  # fmt: skip
        """Draw different orders, none of them the true one, or all where there are no more."""
        checked_block(block_trs, lengths, 2)
        n_blocks = [-(-length // block_trs) for length in lengths]
        n_orders = math.prod(math.factorial(n) for n in n_blocks)
        what = f"orders exist of blocks of {block_trs} TRs in runs of {list(lengths)} TRs"
        remedy = "test on more or longer runs, or take shorter blocks (block_trs)"
        codes = draw_codes(n_orders - 1, n_permutations, rng, what, remedy=remedy)
        if codes is None:
            orders = [
                rng.permuted(np.tile(np.arange(n), (n_permutations, 1)), axis=1) for n in n_blocks
            ]
            return cls(lengths, block_trs, tuple(orders))
        codes += 1  # 0 is the order as it is
        orders = []
        for n in n_blocks:
            codes, of_run = np.divmod(codes, math.factorial(n))
            orders.append(_decoded(of_run, n))
        return cls(lengths, block_trs, tuple(orders))

    def __len__(self) -> int:
        return len(self.orders[0])

    def numbers_per_voxel(self) -> int:
        return 2 * int(self._picks.shape[1]) + 6 * max(self.lengths) + 2 * len(self)

    def correlate(self, truth: Array, guess: Array) -> Array:
        pairs = [self._pairs(truth[rows], guess[rows]) for rows in run_rows(self.lengths)]
        table = np.empty((self._picks.shape[1], truth.shape[1]))
        return np.asarray(self._picks @ np.concatenate(pairs, out=table))

    def _pairs(self, truth: Array, guess: Array) -> Array:
        """Sum products of every pair of blocks that can meet, ordered as in :func:`_pair_rows`."""
        n_full, short = divmod(len(truth), self.block_trs)
        whole, n_voxels = n_full * self.block_trs, truth.shape[1]
        by_voxel = np.ascontiguousarray(truth.T)
        right = np.ascontiguousarray(guess[:whole].T).reshape(n_voxels, n_full, self.block_trs)
        tables = []
        for start in (0, short) if short else (0,):
            left = by_voxel[:, start : start + whole].reshape(right.shape)
            tables.append((left @ right.transpose(0, 2, 1)).reshape(n_voxels, -1).T)
        if short:
            last = guess[whole:]
            starts = range(0, whole + 1, self.block_trs)
            products = [np.einsum("tv,tv->v", truth[at : at + short], last) for at in starts]
            tables.append(np.stack(products))
        return np.concatenate(tables)

    @cached_property
    def _picks(self) -> sparse.csr_array:
        """Which pairs meet in each permutation, of shape (n_permutations, n_pairs)."""
        columns, n_pairs = [], 0
        for length, orders in zip(self.lengths, self.orders, strict=True):
            rows, n_rows = _pair_rows(orders, *divmod(length, self.block_trs))
            columns.append(n_pairs + rows)
            n_pairs += n_rows
        picked = np.concatenate(columns, axis=1)
        starts = np.arange(0, picked.size + 1, picked.shape[1])
        ones = np.ones(picked.size)
        return sparse.csr_array((ones, picked.ravel(), starts), shape=(len(picked), n_pairs))


@dataclass(frozen=True, eq=False)
class RandomPhases:
    """Each frequency of each run turned by a random phase, the same in all voxels.

    By Parseval's theorem a permuted correlation is a weighted sum over the frequencies of the
    cross-spectrum: one product of matrices gives it for all permutations.
    """

    lengths: tuple[int, ...]
    phases: Array  # (n_permutations, n_frequencies of all runs), in radians

    @classmethod
    def draw(
        cls, lengths: tuple[int, ...], n_permutations: int, rng: np.random.Generator
    ) -> RandomPhases:
        """Draw phases, none for the mean; the highest frequency of an even run stays real."""
        if min(lengths) < 3:
            msg = f"a run of {min(lengths)} TRs has no phase to draw; expected at least 3 TRs."
            raise ValueError(msg)
        of_runs = []
        for length in lengths:
            phases = rng.uniform(0, 2 * np.pi, size=(n_permutations, length // 2 + 1))
            phases[:, 0] = 0.0
            if length % 2 == 0:
                phases[:, -1] = np.pi * (phases[:, -1] > np.pi)
            of_runs.append(phases)
        return cls(lengths, np.concatenate(of_runs, axis=1))

    def __len__(self) -> int:
        return len(self.phases)

    def numbers_per_voxel(self) -> int:
        return 5 * sum(self.lengths) + len(self)

    def correlate(self, truth: Array, guess: Array) -> Array:
        parts = []
        for rows in run_rows(self.lengths):
            spectrum = _cross_spectrum(truth[rows], guess[rows])
            n_trs = rows.stop - rows.start
            spectrum[1 : (n_trs + 1) // 2] *= 2.0  # these stand for their conjugates, too
            parts.append(spectrum / n_trs)
        spectrum = np.concatenate(parts)
        return np.asarray(self._turns @ np.concatenate([spectrum.real, spectrum.imag]))

    @cached_property
    def _turns(self) -> Array:
        return np.concatenate([np.cos(self.phases), -np.sin(self.phases)], axis=1)


# A row per kind.
NULLS: dict[str, Callable[..., Null]] = {
    "circular-shift": CircularShifts.draw,
    "block": BlockOrders.draw,
    "phase": RandomPhases.draw,
}


def _decoded(codes: Array, n_blocks: int) -> Array:
    """Turn numbers below n! into orders of n blocks; 0 is the order as it is."""
    orders = np.empty((len(codes), n_blocks), dtype=np.int64)
    left = np.tile(np.arange(n_blocks), (len(codes), 1))
    for place in range(n_blocks):
        which, codes = np.divmod(codes, math.factorial(n_blocks - 1 - place))
        chosen = np.arange(left.shape[1]) == which[:, None]
        orders[:, place] = left[chosen]
        left = left[~chosen].reshape(len(orders), -1)
    return orders


def _pair_rows(orders: Array, n_full: int, short: int) -> tuple[Array, int]:
    """Find the pairs that meet: full ones on the first and second grid, then the short one."""
    places = np.arange(orders.shape[1])
    if not short:
        return places * n_full + orders, n_full**2
    is_short = orders == n_full
    grid = np.cumsum(is_short, axis=1)
    full = grid * n_full**2 + (places - grid) * n_full + orders
    return np.where(is_short, 2 * n_full**2 + places, full), 2 * n_full**2 + n_full + 1


def _cross_spectrum(left: Array, right: Array) -> Array:
    """Conjugate spectrum of the one, times that of the other."""
    spectrum = np.conj(fft.rfft(left, axis=0, workers=_cores()))
    spectrum *= fft.rfft(right, axis=0, workers=_cores())
    return np.asarray(spectrum)


def _cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
