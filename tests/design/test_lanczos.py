"""The filter against its formula, one weight at a time, and against what linearity demands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.arrays import EventSeries
from voxscale.design import lanczos, lanczos_operator
from voxscale.errors import AlignmentError


def naive(values, times, tr_times, lobes, cutoff_hz):
    """Sum over every event, from the formula."""
    out = np.zeros((len(tr_times), values.shape[1]))
    for i, tr_time in enumerate(tr_times):
        for j, time in enumerate(times):
            x = cutoff_hz * (tr_time - time)
            if abs(x) > lobes:
                continue
            weight = 1.0
            if x != 0:
                weight = lobes * np.sin(np.pi * x) * np.sin(np.pi * x / lobes) / (np.pi * x) ** 2
            out[i] += weight * values[j]
    return out


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    n_events=st.integers(0, 40),
    lobes=st.integers(1, 5),
    tr_s=st.floats(0.5, 3),
    cutoff=st.floats(0.2, 2),
)
def test_equals_the_double_loop(seed, n_events, lobes, tr_s, cutoff):
    rng = np.random.default_rng(seed)
    times = rng.uniform(-5, 30, n_events)
    values = rng.standard_normal((n_events, 3))
    tr_times = tr_s * np.arange(12) + rng.uniform(-2, 2)
    ours = lanczos(EventSeries(values, times), tr_times, lobes=lobes, cutoff_hz=cutoff)
    np.testing.assert_allclose(ours, naive(values, times, tr_times, lobes, cutoff), atol=1e-10)


def test_default_cutoff_is_one_over_the_tr(rng, frozen):
    events = EventSeries(frozen(rng.standard_normal((30, 2))), frozen(rng.uniform(0, 40, 30)))
    tr_times = np.arange(20) * 2.0
    np.testing.assert_array_equal(
        lanczos(events, tr_times), lanczos(events, tr_times, cutoff_hz=0.5)
    )


def test_shifting_events_and_trs_together_changes_nothing(rng):
    values, times, tr_times = rng.standard_normal((30, 2)), rng.uniform(0, 40, 30), np.arange(20.0)
    here = lanczos(EventSeries(values, times), tr_times)
    there = lanczos(EventSeries(values, times + 64), tr_times + 64)
    np.testing.assert_allclose(here, there, atol=1e-12)


def test_a_constant_signal_sums_to_the_events_per_tr_and_normalises_to_one():
    times = np.arange(0, 100, 0.5)
    events = EventSeries(np.ones((len(times), 1)), times)
    tr_times = np.arange(20, 80, 2.0)
    assert lanczos(events, tr_times) == pytest.approx(3.988, abs=0.02)  # four events a TR
    np.testing.assert_allclose(lanczos(events, tr_times, normalize=True), 1.0)


def test_a_silence_does_not_blow_up_when_normalised():
    events = EventSeries(np.full((2, 1), 10.0), [0.0, 60.0])
    tr_times = np.arange(0, 61, 2.0)
    assert np.abs(lanczos(events, tr_times, normalize=True)).max() <= 10.0


def test_keeps_float32_and_turns_truth_values_into_floats():
    times = np.arange(5.0)
    assert lanczos(EventSeries(np.ones((5, 1), np.float32), times), times).dtype == np.float32
    assert lanczos(EventSeries(np.ones((5, 1), bool), times), times).dtype == np.float64


def test_operator_is_sparse(rng):
    operator = lanczos_operator(np.sort(rng.uniform(0, 600, 2000)), np.arange(0, 600, 2.0))
    assert operator.nnz < 0.03 * np.prod(operator.shape)


@pytest.mark.parametrize(
    "tr_times", [[0.0], [0.0, 2.0, 5.0], [4.0, 2.0, 0.0], [0.0, np.nan, 4.0], [1.0, 1.0]]
)
def test_refuses_a_grid_that_is_not_one(tr_times):
    with pytest.raises(AlignmentError, match=r"expected (evenly spaced|at least two)"):
        lanczos(EventSeries(np.ones((1, 1)), [1.0]), tr_times)


def test_refuses_a_filter_without_width():
    events = EventSeries(np.ones((1, 1)), [1.0])
    with pytest.raises(ValueError, match="expected both to be positive"):
        lanczos(events, [0.0, 2.0], lobes=0)
