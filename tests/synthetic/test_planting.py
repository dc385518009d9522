"""Planted signal and noise have the variance, the smoothness and the place that they claim."""

import numpy as np
import pytest

from voxscale.arrays import EventSeries
from voxscale.design import double_gamma_hrf
from voxscale.synthetic import (
    expected_correlation,
    planted_signal,
    principal_components,
    slow_noise,
)

TR_TIMES = np.arange(80) * 2.0 + 1


@pytest.fixture
def states(rng):
    return {
        run: EventSeries(rng.standard_normal((200, 12)) @ rng.standard_normal((12, 12)), times)
        for run, times in (("a", np.linspace(0, 158, 200)), ("b", np.linspace(0, 150, 200)))
    }


def test_components_are_orthonormal_over_all_runs_and_span_the_states(states):
    parts = principal_components(states, 12)
    stacked = np.concatenate([part.values for part in parts.values()])
    np.testing.assert_allclose(stacked.T @ stacked / len(stacked), np.eye(12), atol=1e-9)
    original = np.concatenate([part.values for part in states.values()])
    original = original - original.mean(axis=0)
    _, residual, *_ = np.linalg.lstsq(stacked, original, rcond=None)
    assert residual.max() < 1e-9 * (original**2).sum()


def test_a_signal_is_its_layer_through_the_response(states, rng):
    """A vertex's course lies in the span of its own layer's filtered components and the rate."""
    other = {
        run: EventSeries(rng.standard_normal((200, 9)), one.times) for run, one in states.items()
    }
    layers = [principal_components(states, 4), principal_components(other, 4)]
    coordinates = rng.uniform(-50, 50, (30, 3))
    preferred = np.repeat([0, 1, -1], 10)
    signal = planted_signal(layers, {"a": TR_TIMES}, coordinates, preferred, seed=1)["a"]
    filtered = double_gamma_hrf(TR_TIMES[:, None] - states["a"].times)
    for layer, here in ((0, slice(0, 10)), (1, slice(10, 20))):
        own = np.column_stack(
            [filtered @ layers[layer]["a"].values, filtered.sum(axis=1), np.ones(len(TR_TIMES))]
        )
        fitted = own @ np.linalg.lstsq(own, signal[:, here], rcond=None)[0]
        np.testing.assert_allclose(fitted, signal[:, here], atol=1e-4)
    np.testing.assert_allclose(signal[:, :20].std(axis=0), 1, rtol=1e-4)
    assert not signal[:, 20:].any()


def test_neighbours_share_their_weights(states):
    layers = [principal_components(states, 4)]
    line = np.zeros((3, 3))
    line[:, 0] = [0, 1, 400]  # mm
    signal = planted_signal(layers, {"a": TR_TIMES}, line, np.zeros(3, int), seed=3)["a"]
    assert np.corrcoef(signal[:, 0], signal[:, 1])[0, 1] > 0.99
    assert np.corrcoef(signal[:, 0], signal[:, 2])[0, 1] < 0.9


def test_noise_is_autocorrelated_as_asked(rng):
    noise = slow_noise(400, 2000, rng, autocorrelation=0.4, drift_share=0.0)
    lagged = np.mean(noise[1:] * noise[:-1])
    assert abs(lagged - 0.4) < 0.01
    np.testing.assert_allclose(noise.std(axis=0), 1, rtol=1e-4)
    drifting = slow_noise(400, 2000, rng, autocorrelation=0.0, drift_share=0.3)
    assert abs(np.mean(drifting[1:] * drifting[:-1]) - 0.3) < 0.01


@pytest.mark.parametrize("n_repeats", [1, 5])
def test_expected_correlation_is_what_a_simulation_gives(rng, n_repeats):
    share = np.array([0.1, 0.4, 0.8])
    clean = rng.standard_normal((20000, 3))
    noise = rng.standard_normal((n_repeats, 20000, 3)).mean(axis=0)
    measured = np.sqrt(share) * clean + np.sqrt(1 - share) * noise
    found = [np.corrcoef(clean[:, i], measured[:, i])[0, 1] for i in range(3)]
    np.testing.assert_allclose(found, expected_correlation(share, n_repeats), atol=0.015)
