"""Signals that a model's hidden states predict, and noise that nothing does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.signal import lfilter

from voxscale.arrays import Array, EventSeries
from voxscale.design import double_gamma_hrf, zscore

__all__ = ["expected_correlation", "planted_signal", "principal_components", "slow_noise"]

_N_WAVES = 60  # cosines per weight map: enough to look like a smooth random field


def principal_components(
    states: Mapping[str, EventSeries], n_components: int
) -> dict[str, EventSeries]:
    """Reduce the states of many stories to their leading directions, each of unit variance.

    Parameters
    ----------
    states : mapping of run to EventSeries of shape (n_words, n_dims)
    n_components : int

    Returns
    -------
    dict of run to EventSeries of shape (n_words, n_components)
    """
    stacked = zscore(np.concatenate([one.values for one in states.values()]).astype(np.float64))
    left, *_ = np.linalg.svd(stacked, full_matrices=False)
    scores = left[:, :n_components] * np.sqrt(len(stacked))
    bounds = np.cumsum([len(one) for one in states.values()])[:-1]
    parts = np.split(scores, bounds)
    return {
        run: EventSeries(part, one.times)
        for (run, one), part in zip(states.items(), parts, strict=True)
    }


def planted_signal(
    components: Sequence[Mapping[str, EventSeries]],
    tr_times: Mapping[str, Array],
    coordinates: Array,
    preferred: Array,
    *,
    smoothness_mm: float = 25.0,
    word_rate_weight: float = 0.5,
    seed: int = 0,
) -> dict[str, Array]:
    """Put word-level components through a haemodynamic response and smooth weight maps.

    Parameters
    ----------
    components : sequence over planted layers of mappings of run to EventSeries
        (n_words, n_components) each.
    tr_times : mapping of run to array of shape (n_trs,), in seconds
    coordinates : array of shape (n_vertices, 3), in mm
    preferred : array of int, shape (n_vertices,)
        Which of the layers drives a vertex; -1 for none.
    smoothness_mm : float
        Wavelength scale of the weight maps.
    word_rate_weight : float
        Weight of the word rate beside the components.
    seed : int

    Returns
    -------
    dict of run to array of shape (n_trs, n_vertices), float32
        Zero mean and unit variance in each run; zero where ``preferred`` is -1.
    """
    rng = np.random.default_rng(seed)
    first = components[0]
    n_components = next(iter(first.values())).values.shape[1]
    weights = _smooth_maps(coordinates, n_components, smoothness_mm, rng)
    rate_weights = word_rate_weight * _smooth_maps(coordinates, 1, 2 * smoothness_mm, rng)
    signal = {}
    for run, times in tr_times.items():
        values = np.zeros((len(times), len(coordinates)), dtype=np.float32)
        response = double_gamma_hrf(times[:, None] - first[run].times)
        rate = zscore(response.sum(axis=1, keepdims=True))
        for layer, of_layer in enumerate(components):
            here = preferred == layer
            drive = zscore(response @ of_layer[run].values)
            values[:, here] = drive @ weights[:, here] + rate @ rate_weights[:, here]
        signal[run] = zscore(values)
    return signal


def slow_noise(
    n_trs: int,
    n_vertices: int,
    rng: np.random.Generator,
    *,
    autocorrelation: float = 0.4,
    drift_share: float = 0.1,
) -> Array:
    """Draw noise as a scanner gives it: autocorrelated, on a slow drift.

    Parameters
    ----------
    n_trs, n_vertices : int
    rng : numpy Generator
    autocorrelation : float
        Of one TR with the next, before the drift is added.
    drift_share : float
        Share of the variance that is drift: three slow cosines.

    Returns
    -------
    array of shape (n_trs, n_vertices), float32, zero mean and unit variance
    """
    burn_in = 20
    white = rng.standard_normal((n_trs + burn_in, n_vertices), dtype=np.float32)
    coloured = lfilter([1.0], [1.0, -autocorrelation], white, axis=0)[burn_in:]
    waves = np.cos(np.outer(np.linspace(0, np.pi, n_trs), [1, 2, 3])) / [1, 2, 3]
    drift = waves @ rng.standard_normal((3, n_vertices))
    mixed = np.sqrt(1 - drift_share) * zscore(coloured) + np.sqrt(drift_share) * zscore(drift)
    return zscore(mixed.astype(np.float32))


def expected_correlation(signal_share: Array, n_repeats: int) -> Array:
    """Compute the correlation of the true signal with a mean of repeated responses.

    Parameters
    ----------
    signal_share : array of shape (n_vertices,)
        Share of a single response's variance that is signal.
    n_repeats : int

    Returns
    -------
    array of shape (n_vertices,)

    References
    ----------
    Schoppe et al. 2016, Front. Comput. Neurosci. 10:10, doi:10.3389/fncom.2016.00010 (CC_max).

    Examples
    --------
    >>> expected_correlation(np.array([0.0, 0.5, 1.0]), 1).round(3)
    array([0.   , 0.707, 1.   ])
    """
    return np.sqrt(signal_share / (signal_share + (1 - signal_share) / n_repeats))


def _smooth_maps(
    coordinates: Array, n_maps: int, wavelength_mm: float, rng: np.random.Generator
) -> Array:
    """Draw smooth random maps (n_maps, n_vertices) of about unit variance: sums of cosines."""
    maps = []
    for _ in range(n_maps):
        directions = rng.standard_normal((3, _N_WAVES)) / wavelength_mm
        phases = rng.uniform(0, 2 * np.pi, _N_WAVES)
        waves = np.cos(coordinates @ directions + phases)
        maps.append(waves.sum(axis=1) * np.sqrt(2 / _N_WAVES))
    return np.array(maps)
