"""Power of modulations: planted in tones and noise, and against scipy and transformers."""

import numpy as np
import pytest
from scipy.signal import periodogram
from transformers.audio_utils import mel_filter_bank, spectrogram

from voxscale.errors import VoxscaleWarning
from voxscale.features import modulation_power

RATE = 8000
BANDS = [(1, 2), (2, 4), (4, 8), (8, 16), (16, 32)]


def modulated(rate_hz, depth=0.5, seconds=12.0, rate=RATE, carrier=None):
    t = np.arange(round(seconds * rate)) / rate
    carrier = np.sin(2 * np.pi * 1000 * t) if carrier is None else carrier
    return carrier * (1 + depth * np.cos(2 * np.pi * rate_hz * t))


@pytest.mark.parametrize(("rate_hz", "band"), [(1.5, 0), (3, 1), (6, 2), (12, 3), (24, 4)])
def test_a_modulated_tone_has_its_power_in_its_band(rate_hz, band):
    for window_s, times_more in ((2.0, 4), (4.0, 50)):  # 1.5 Hz is one step of 0.5 Hz from 2 Hz
        found = modulation_power((modulated(rate_hz), RATE), window_s=window_s).values
        assert found.shape[1] == 5
        assert (found.argmax(axis=1) == band).all()
        others = np.delete(found, band, axis=1).max(axis=1)
        assert (found[:, band] > times_more * others).all()


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_a_sinusoid_of_depth_m_has_half_its_square(rate):
    sound = modulated(3, depth=0.6, rate=rate)
    found = modulation_power((sound, rate), n_mels=8, average=False).values.reshape(-1, 8, 5)
    loudest = found[:, np.argmax(found[0, :, 1])]
    np.testing.assert_allclose(loudest[:, 1], 0.6**2 / 2, rtol=0.02)
    assert loudest[:, [0, 2, 3, 4]].max() < 0.002


@pytest.mark.parametrize(("rate_hz", "share"), [(8, 0.97), (31.5, 0.60)])
def test_frames_weaken_fast_modulations_as_told(rate_hz, share):
    found = modulation_power((modulated(rate_hz, depth=0.2), RATE), average=False, n_mels=8)
    of_1000_hz = found.values.reshape(-1, 8, 5)[:, 3].sum(axis=1) / 0.02
    np.testing.assert_allclose(of_1000_hz, share, atol=0.01)
    x = rate_hz * 0.02  # the spectrum of a Hann window of 20 ms
    np.testing.assert_allclose(of_1000_hz, (np.sinc(x) / (1 - x**2)) ** 2, atol=0.02)


def test_noise_is_modulated_where_it_was_planted(rng):
    carrier = rng.standard_normal(40 * RATE)
    steady = modulation_power((carrier, RATE)).values.mean(axis=0)
    for rate_hz, band in ((2.8, 1), (5.6, 2)):
        found = modulation_power((modulated(rate_hz, 0.8, 40.0, carrier=carrier), RATE))
        excess = found.values.mean(axis=0) - steady
        assert excess.argmax() == band
        assert excess[band] == pytest.approx(0.8**2 / 2, rel=0.2)


def test_windows_are_those_of_scipy(rng, frozen):
    noise = frozen(rng.standard_normal(6 * RATE) * (1 + np.sin(np.arange(6 * RATE) / 900)))
    found = modulation_power((noise, RATE), n_mels=6, average=False, hop_s=0.5)
    weights = mel_filter_bank(81, 6, 50.0, 4000.0, RATE, norm="slaney", mel_scale="slaney")
    power = spectrogram(
        noise, np.hanning(161)[:-1], 160, 40, power=2.0, center=False, mel_filters=weights,
        mel_floor=0.0,
    )  # fmt: skip
    envelopes = np.sqrt(power)
    starts = range(0, envelopes.shape[1] - 399, 100)
    window = np.hanning(401)[:-1]
    level = np.mean(
        [(envelopes[:, s : s + 400] * window).sum(axis=1) / window.sum() for s in starts], axis=0
    )
    expected = []
    for start in starts:
        row = []
        for one, mean in zip(envelopes, level, strict=True):
            f, density = periodogram(one[start : start + 400] / mean, 200, "hann", detrend=False)
            row += [density[(f >= low) & (f < high)].sum() * f[1] for low, high in BANDS]
        expected.append(row)
    np.testing.assert_allclose(found.values, expected, rtol=1e-4)
    np.testing.assert_allclose(found.times, 0.5 * np.arange(len(starts)) + (399 * 40 + 160) / 16000)
    averaged = modulation_power((noise, RATE), n_mels=6, hop_s=0.5).values
    np.testing.assert_allclose(averaged, np.mean(np.reshape(expected, (-1, 6, 5)), 1), rtol=1e-4)


def test_gain_does_not_matter_and_silence_has_no_modulations(rng):
    noise = rng.standard_normal(5 * RATE)
    one, louder = modulation_power((noise, RATE)), modulation_power((100 * noise, RATE))
    np.testing.assert_allclose(louder.values, one.values, rtol=1e-4)
    with pytest.warns(VoxscaleWarning, match="silent throughout"):
        assert not modulation_power((np.zeros(5 * RATE), RATE)).values.any()


def test_blocks_make_no_difference(rng, monkeypatch):
    noise = rng.standard_normal(8 * RATE)
    whole = modulation_power((noise, RATE))
    monkeypatch.setattr("voxscale.features._modulation._AT_ONCE_S", 0.75)
    np.testing.assert_allclose(modulation_power((noise, RATE)).values, whole.values, rtol=1e-5)


def test_bands_out_of_reach_are_refused():
    sound = (modulated(4), RATE)
    for bad in ([(0.5, 2)], [(4, 2)], [(2, 2)], [(16, 64)], [(np.nan, 4)]):
        with pytest.raises(ValueError, match=r"a band of modulations is .* within 1 to 50 Hz"):
            modulation_power(sound, bands_hz=bad)
    for bad in ([], [1, 2], [(1, 2, 3)]):
        with pytest.raises(ValueError, match=r"bands_hz has shape .*; expected \(low, high\)"):
            modulation_power(sound, bands_hz=bad)
    slow = modulation_power(sound, bands_hz=[(0.5, 1)], window_s=4.0)
    assert slow.values.shape[1] == 1
