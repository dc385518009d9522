"""Drift of states and scores along a story: against loops, and with planted truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxscale.errors import AlignmentError
from voxscale.evaluate import correlation, score_by_position, state_drift


def test_drift_is_high_where_states_are_unlike_the_later_ones():
    rng = np.random.default_rng(0)
    states = rng.standard_normal((400, 50))
    states[:20] += 5
    states[:, 0] *= 1e4  # a dimension with massive activations
    drift = state_drift(states)
    assert drift.shape == (400,)
    assert drift[:20].min() > 4
    np.testing.assert_allclose(drift[20:].mean(), 1, atol=0.05)
    np.testing.assert_allclose(drift[20:], np.ones(380), atol=0.6)


def test_drift_is_that_of_a_loop():
    rng = np.random.default_rng(1)
    states = rng.standard_normal((30, 4))
    last = states[21:]  # 30 % of 30 words
    expected = []
    for state in states:
        z = [(state[d] - last[:, d].mean()) / last[:, d].std() for d in range(4)]
        expected.append(np.sqrt(sum(one**2 for one in z) / 4))
    np.testing.assert_allclose(state_drift(states, reference=0.3), expected)


def test_constant_dimensions_do_not_count():
    rng = np.random.default_rng(2)
    states = rng.standard_normal((40, 3))
    constant = np.column_stack([states, np.full(40, 0.1)])
    np.testing.assert_allclose(state_drift(constant), state_drift(states))
    assert np.isnan(state_drift(np.ones((40, 3)))).all()


@pytest.mark.parametrize(
    ("states", "reference"),
    [(np.ones((2, 3)), 0.5), (np.ones((9, 3)), 0.1), (np.ones((9, 3)), 1.5), (np.ones(9), 0.5)],
)
def test_too_few_words_to_compare_with(states, reference):
    with pytest.raises(ValueError, match="a share up to 1 with two words or more"):
        state_drift(states, reference=reference)


@settings(max_examples=30, deadline=None)
@given(
    lengths=st.lists(st.integers(10, 60), min_size=1, max_size=4),
    window=st.integers(3, 15),
    seed=st.integers(0, 99),
)
def test_scores_are_those_of_a_loop(lengths, window, seed):
    if max(lengths) < window:
        return
    rng = np.random.default_rng(seed)
    Y, Y_pred = rng.standard_normal((2, sum(lengths), 3))
    first_trs, scores = score_by_position(Y, Y_pred, lengths, window=window)
    assert first_trs.tolist() == list(range(0, max(lengths) - window + 1, window))
    begins = np.cumsum([0, *lengths])
    for first, found in zip(first_trs, scores, strict=True):
        parts = []
        for begin, length in zip(begins, lengths, strict=False):
            if first + window <= length:
                rows = slice(begin + first, begin + first + window)
                parts.append((Y[rows] - Y[rows].mean(0), Y_pred[rows] - Y_pred[rows].mean(0)))
        one, other = (np.concatenate(both) for both in zip(*parts, strict=True))
        expected = [np.corrcoef(one[:, v], other[:, v])[0, 1] for v in range(3)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_start_without_signal_is_seen():
    rng = np.random.default_rng(3)
    Y_pred = rng.standard_normal((300, 20))
    Y = Y_pred + rng.standard_normal((300, 20))
    for start in (0, 100, 200):
        Y[start : start + 20] = rng.standard_normal((20, 20))
    first_trs, scores = score_by_position(Y, Y_pred, [100, 100, 100])
    assert first_trs.tolist() == [0, 20, 40, 60, 80]
    assert abs(scores[0].mean()) < 0.1
    assert (scores[1:].mean(axis=1) > 0.6).all()


def test_one_window_over_one_run_is_the_correlation():
    rng = np.random.default_rng(4)
    Y, Y_pred = rng.standard_normal((2, 25, 6))
    _, scores = score_by_position(Y, Y_pred, [25], window=25)
    np.testing.assert_allclose(scores[0], correlation(Y, Y_pred), atol=1e-12)


def test_voxels_that_do_not_vary_have_no_score():
    rng = np.random.default_rng(5)
    Y, Y_pred = rng.standard_normal((2, 40, 2))
    Y[:20, 0] = 3.0
    _, scores = score_by_position(Y, Y_pred, [40])
    assert np.isnan(scores).tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(("lengths", "window"), [([30, 20], 2), ([30, 10], 20), ([50], 3.5)])
def test_runs_that_do_not_make_up_the_rows(lengths, window):
    Y = np.zeros((50, 2))
    with pytest.raises(ValueError, match="expected at least 3 whole TRs, and runs of 50 TRs"):
        score_by_position(Y, Y, lengths, window=window)


def test_a_window_longer_than_every_run():
    Y = np.zeros((50, 2))
    with pytest.raises(ValueError, match="window is 40 TRs, but no run has more than 30; lower"):
        score_by_position(Y, Y, [30, 20], window=40)


def test_arrays_that_do_not_match():
    with pytest.raises(AlignmentError):
        score_by_position(np.zeros((50, 2)), np.zeros((49, 2)), [50])
