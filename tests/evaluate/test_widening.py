"""By how much swapped blocks understate chance, against matrices written out and simulations."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import lfilter

from voxscale.evaluate._runs import block_rows, run_rows
from voxscale.evaluate._widening import _GRID, Widening


def covariances(lengths, phi):
    """Write out those of a product of two autoregressive series, each about its run's mean."""
    whole = np.zeros((sum(lengths), sum(lengths)))
    for rows, length in zip(run_rows(lengths), lengths, strict=True):
        trs = np.arange(length)
        toeplitz = np.sqrt(phi) ** np.abs(np.subtract.outer(trs, trs))
        centering = np.eye(length) - 1 / length
        whole[rows, rows] = (centering @ toeplitz @ centering) ** 2
    return whole


@settings(max_examples=40, deadline=None)
@given(
    lengths=st.lists(st.integers(8, 40), min_size=1, max_size=4),
    block_trs=st.integers(1, 4),
    place=st.integers(0, len(_GRID) - 1),
)
def test_variances_are_those_of_matrices(lengths, block_trs, place):
    products = covariances(lengths, _GRID[place])
    widening = Widening(lengths, block_trs)
    measured, widened = widening._expected(_GRID[place], Counter(lengths), block_trs)
    blocks = block_rows(lengths, block_trs)
    within, whole = sum(products[block, block].sum() for block in blocks), products.sum()
    ratio = (len(blocks) - 1) * whole / max(len(blocks) * within - whole, 1e-9 * whole)
    assert widened == pytest.approx(np.sqrt(max(ratio, 1.0)), rel=1e-6)
    # About the mean of all rows, whose variance is that of the sum over the squared rows.
    products -= whole / len(products) ** 2
    lagged = sum(
        np.trace(products[rows, rows], lag)
        for rows in run_rows(lengths)
        for lag in range(1, widening.n_lags + 1)
    )
    assert measured == pytest.approx(lagged / products.trace(), rel=1e-6, abs=1e-9)


def product(rng, lengths, n_voxels, r):
    """Multiply two autoregressive series, each about its run's mean."""
    factors = []
    for _ in range(2):
        runs = []
        for length in lengths:
            noise = rng.standard_normal((length + 100, n_voxels))
            run = lfilter([1.0], [1.0, -r], noise, axis=0)[100:]
            runs.append(run - run.mean(axis=0))
        factors.append(np.concatenate(runs))
    return factors[0] * factors[1]


@pytest.mark.parametrize("lengths", [(400,), (120, 150, 130)])
@pytest.mark.parametrize("r", [0.0, 0.6, 0.9])
def test_the_factor_makes_up_for_borders(rng, lengths, r):
    series = product(rng, lengths, 4000, r)
    sums = np.stack([series[block].sum(axis=0) for block in block_rows(lengths, 20)])
    n_blocks = len(sums)
    # As blocks that are independent would: the variance of a sum, from that between its blocks.
    between = n_blocks * sums.var(axis=0, ddof=1).mean()
    factor = Widening(lengths, 20).of(series)
    assert factor.min() >= 1
    found = (sums.sum(axis=0) ** 2).mean() / between
    assert np.mean(factor) ** 2 == pytest.approx(found, rel=0.08)
    assert (found > 1.3) == (r == 0.9)


def test_what_is_in_common_is_not_widened():
    widening = Widening((60,), 20)
    swaps = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    of_blocks = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 5.0]])
    by_chance = (1 - 2 * swaps) @ of_blocks
    difference = of_blocks.sum(axis=0)
    widened = widening.widen(by_chance.copy(), difference, swaps, np.array([3.0, 3.0]))
    # Alike in all blocks: nothing to widen. All or none swapped: the difference itself.
    np.testing.assert_allclose(widened[:, 0], by_chance[:, 0])
    np.testing.assert_allclose(widened[:2, 1], [9.0, -9.0])
    assert widened[2, 1] == pytest.approx(3 + 3 * (5 - 3))


def test_series_without_variance_are_not_widened():
    np.testing.assert_array_equal(Widening((40, 50), 10).of(np.ones((90, 3))), 1)
    # Runs of a single TR have no autocorrelation.
    np.testing.assert_array_equal(Widening((1, 1, 1), 1).of(np.eye(3)), 1)
