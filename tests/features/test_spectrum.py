"""Envelope, mel bands and spectral flux against other libraries, naive loops and planted sounds."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.audio_utils import mel_filter_bank, spectrogram

from voxscale.errors import VoxscaleWarning
from voxscale.features import envelope, mel_bands, sound_features, spectral_flux

RATE = 8000


@pytest.fixture
def noise(rng, frozen):
    return frozen(rng.standard_normal(RATE * 2) * np.linspace(0.01, 0.3, RATE * 2))


def tone(hz, seconds=1.0, rate=RATE):
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def test_sound_features_are_envelope_and_mel_bands(noise):
    both = sound_features((noise, RATE), n_mels=7).values
    np.testing.assert_array_equal(both[:, :1], envelope((noise, RATE)).values)
    np.testing.assert_array_equal(both[:, 1:], mel_bands((noise, RATE), n_mels=7).values)


def test_the_envelope_is_the_root_mean_square_of_each_frame(noise):
    found = envelope((noise, RATE), window_s=0.04, hop_s=0.01)
    expected = [
        np.sqrt(np.mean(noise[start : start + 320] ** 2))
        for start in range(0, len(noise) - 319, 80)
    ]
    np.testing.assert_allclose(found.values[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(found.times, 0.02 + 0.01 * np.arange(len(expected)))


@pytest.mark.parametrize("log", [False, True])
def test_bands_are_those_of_transformers(noise, log):
    found = mel_bands((noise, RATE), n_mels=10, log=log, window_s=0.1, hop_s=0.02)
    bands = mel_filter_bank(401, 10, 50.0, 4000.0, RATE, norm="slaney", mel_scale="slaney")
    power = spectrogram(
        noise.astype(np.float32), np.hanning(801)[:-1], 800, 160, power=2.0, center=False,
        mel_filters=bands, mel_floor=0.0,
    ).T  # fmt: skip
    expected = 10 * np.log10(power) - 10 * np.log10(power.max()) + 80 if log else power
    assert found.values.shape == expected.shape
    np.testing.assert_allclose(found.values, expected, rtol=1e-5, atol=1e-3 if log else 0)


def test_gain_changes_power_and_not_decibels(noise):
    quiet, loud = (noise, RATE), (noise * 4, RATE)
    power = mel_bands(quiet, log=False).values
    np.testing.assert_allclose(mel_bands(loud, log=False).values, 16 * power, rtol=1e-5)
    np.testing.assert_allclose(mel_bands(loud).values, mel_bands(quiet).values, atol=1e-3)


def test_bands_that_would_be_empty_are_refused(noise):
    with pytest.raises(ValueError, match=r"n_mels is 300, but \d+ of the bands are narrower than"):
        mel_bands((noise, RATE), n_mels=300)
    with pytest.raises(ValueError, match="n_mels is 0; expected 1 or more"):
        mel_bands((noise, RATE), n_mels=0)
    with pytest.raises(ValueError, match="sampling rate is 80 Hz; expected more than 100 Hz"):
        mel_bands((noise, 80), window_s=1, hop_s=1)


def test_flux_is_the_naive_sum(noise):
    found = spectral_flux((noise, RATE), window_s=0.04, hop_s=0.01)
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / 320) for n in range(320)])
    magnitudes = [
        np.abs(np.fft.rfft(noise[start : start + 320] * window)) / window.sum()
        for start in range(0, len(noise) - 319, 80)
    ]
    expected = [
        sum(max(0.0, after - before) for before, after in zip(one, two, strict=True))
        for one, two in pairwise(magnitudes)
    ]
    np.testing.assert_allclose(found.values[:, 0], expected, rtol=1e-4)
    np.testing.assert_allclose(found.times, 0.025 + 0.01 * np.arange(len(expected)))


def test_a_steady_tone_has_no_flux_and_a_fading_one_none():
    assert spectral_flux((tone(400), RATE)).values.max() < 1e-6  # whole periods in each step
    with pytest.warns(VoxscaleWarning, match="silent throughout"):
        assert spectral_flux((np.zeros(RATE), RATE)).values.max() == 0
    # Frequencies that are in the tone; its sudden end would spread to others.
    fading = tone(400) * np.exp(-3 * np.arange(RATE) / RATE)
    assert spectral_flux((fading, RATE)).values.max() < 0.01


def test_flux_is_largest_where_a_sound_sets_in():
    onset_s = 0.5
    sound = tone(440, 1.5) * (np.arange(round(1.5 * RATE)) >= onset_s * RATE)
    found = spectral_flux((sound, RATE), window_s=0.05, hop_s=0.005)
    assert found.times[found.values[:, 0].argmax()] == pytest.approx(onset_s, abs=0.01)
    far = np.abs(found.times - onset_s) > 0.06
    assert found.values[far].max() < 0.01 * found.values.max()


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_flux_and_envelope_are_in_units_of_the_waveform(gain, seed):
    waveform = np.random.default_rng(seed).standard_normal(2000)
    for measure in (envelope, spectral_flux):
        one, louder = measure((waveform, RATE)), measure((gain * waveform, RATE))
        np.testing.assert_allclose(louder.values, gain * one.values, rtol=1e-4)
