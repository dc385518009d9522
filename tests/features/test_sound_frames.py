"""Sounds from files and from memory, frame by frame."""

import numpy as np
import pytest
import soundfile

from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features import (
    envelope,
    mel_bands,
    modulation_power,
    pitch,
    sound_features,
    spectral_flux,
)

RATE = 8000
ALL = [sound_features, envelope, mel_bands, spectral_flux, modulation_power, pitch]
FRAMED = [envelope, mel_bands, spectral_flux]


@pytest.fixture(autouse=True)
def has_parselmouth():
    pytest.importorskip("parselmouth")


@pytest.fixture
def stereo(rng, frozen):
    waveform = rng.standard_normal((RATE * 5, 2)) * np.linspace(0.01, 0.3, RATE * 5)[:, None]
    return frozen(waveform.astype(np.float32))


@pytest.mark.parametrize("measure", ALL)
def test_a_file_and_its_samples_are_the_same_sound(measure, tmp_path, stereo):
    soundfile.write(tmp_path / "a.wav", stereo, RATE, subtype="FLOAT")
    from_file, from_memory = measure(tmp_path / "a.wav"), measure((stereo, RATE))
    np.testing.assert_array_equal(from_file.values, from_memory.values)
    np.testing.assert_array_equal(from_file.times, from_memory.times)
    assert from_file.values.dtype == np.float32
    assert np.abs(from_file.values).max() > 0 or measure is pitch


@pytest.mark.parametrize("measure", ALL)
def test_channels_are_averaged(measure, stereo, frozen):
    mono = frozen(stereo.mean(axis=1))
    np.testing.assert_array_equal(measure((stereo, RATE)).values, measure((mono, RATE)).values)


@pytest.mark.parametrize("measure", ALL)
def test_a_mapping_of_runs_gives_one_series_a_run(measure, stereo):
    one, two = (stereo, RATE), (stereo[: 3 * RATE], RATE)
    found = measure({"one": one, "two": two})
    assert list(found) == ["one", "two"]
    np.testing.assert_array_equal(found["two"].values, measure(two).values)


@pytest.mark.parametrize("measure", FRAMED)
def test_times_are_the_middle_of_what_a_value_comes_from(measure, rng):
    """Noise that is replaced beyond the reach that is told changes nothing; within it, it does."""
    window_s, hop_s = 0.1, 0.03
    reach_s = window_s / 2 + (hop_s / 2 if measure is spectral_flux else 0)
    noise = rng.standard_normal(2 * RATE)
    options = {"window_s": window_s, "hop_s": hop_s}
    if measure is mel_bands:
        options["log"] = False
    whole = measure((noise, RATE), **options)
    at = 20
    first = round((whole.times[at] - reach_s) * RATE)
    last = round((whole.times[at] + reach_s) * RATE)
    other = rng.standard_normal(len(noise))
    other[first:last] = noise[first:last]
    same = measure((other, RATE), **options)
    np.testing.assert_array_equal(same.values[at], whole.values[at])
    assert (same.values[at - 1] != whole.values[at - 1]).all()
    assert (same.values[at + 1] != whole.values[at + 1]).all()


@pytest.mark.parametrize("measure", FRAMED)
def test_blocks_make_no_difference(measure, stereo, monkeypatch):
    whole = measure((stereo, RATE))
    monkeypatch.setattr("voxscale.features._sound_frames._AT_ONCE_S", 3 * 0.05)
    np.testing.assert_allclose(measure((stereo, RATE)).values, whole.values, rtol=1e-6)


@pytest.mark.parametrize("measure", ALL)
def test_what_is_no_sound_is_refused(measure, tmp_path, stereo):
    with pytest.raises(DataError, match=r"b\.wav does not exist"):
        measure(tmp_path / "b.wav")
    with pytest.raises(DataError, match="audio: the sound is shorter than one frame of"):
        measure((stereo[:200], RATE))
    broken = stereo.copy()
    broken[7] = np.nan
    with pytest.raises(DataError, match="audio of run 'one': the sound holds NaN or infinity"):
        measure({"one": (broken, RATE)})
    with pytest.raises(TypeError, match="audio is of type ndarray; expected a path or"):
        measure(stereo)
    with pytest.raises(TypeError, match=r"dtype int16; expected floating point.*by 32768"):
        measure((np.zeros(RATE, dtype=np.int16), RATE))
    with pytest.raises(TypeError, match=r"a tuple of 3; expected \(samples, hz\)"):
        measure((stereo, RATE, 1))
    with pytest.raises(ValueError, match=r"shape \(2, 40000\); expected .* transpose them"):
        measure((stereo.T, RATE))
    for hz in (0, -1, np.nan, np.inf, "8000"):
        with pytest.raises(ValueError, match=r"the sampling rate is .*; expected"):
            measure((stereo, hz))


@pytest.mark.parametrize("measure", FRAMED)
def test_frames_that_leave_samples_out_are_refused(measure, stereo):
    for window_s, hop_s in ((0.02, 0.03), (0.02, 0.0), (np.inf, 0.01), (np.nan, 0.01)):
        with pytest.raises(ValueError, match="so that no part of the sound is left out"):
            measure((stereo, RATE), window_s=window_s, hop_s=hop_s)
    with pytest.raises(ValueError, match="expected frames of 8 samples or more"):
        measure((stereo, RATE), window_s=1e-4, hop_s=1e-4)


@pytest.mark.parametrize("measure", ALL)
def test_a_sound_without_samples_is_refused_in_the_words_of_all(measure, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), RATE)
    with pytest.raises(DataError, match=r"a\.wav has no samples; expected a recording"):
        measure(tmp_path / "a.wav")


@pytest.mark.parametrize("measure", ALL)
def test_a_silent_sound_is_warned_of_once(measure, tmp_path, stereo):
    soundfile.write(tmp_path / "a.wav", np.zeros((5 * RATE, 1)), RATE)
    with pytest.warns(VoxscaleWarning) as told:
        measure({"one": tmp_path / "a.wav", "two": (stereo, RATE)})
    [one] = told
    assert "a.wav is silent throughout (all samples are 0)" in str(one.message)
    faint = np.zeros(5 * RATE)
    faint[-1] = 1e-4  # the last sample of all
    measure((faint, RATE))
