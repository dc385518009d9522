import numpy as np
import pytest
import soundfile
from transformers.audio_utils import mel_filter_bank, spectrogram

from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features import sound_features

RATE = 8000


def write(path, waveform, rate=RATE):
    soundfile.write(path, waveform, rate, subtype="FLOAT")
    return path


@pytest.fixture
def noise():
    rng = np.random.default_rng(0)
    return rng.standard_normal(RATE * 3) * np.linspace(0.01, 0.3, RATE * 3)


def test_bands_are_those_of_transformers(tmp_path, noise):
    found = sound_features(write(tmp_path / "a.wav", noise), n_mels=12)
    bands = mel_filter_bank(201, 12, 50.0, 4000.0, RATE, norm="slaney", mel_scale="slaney")
    power = spectrogram(
        noise.astype(np.float32), np.hanning(401)[:-1], 400, 200, power=2.0, center=False,
        mel_filters=bands, mel_floor=0.0,
    )  # fmt: skip
    assert found.values.shape == (power.shape[1], 13)
    expected = 10 * np.log10(power.T) - 10 * np.log10(power.max()) + 80
    np.testing.assert_allclose(found.values[:, 1:], expected, atol=1e-3)


def test_the_envelope_is_the_root_mean_square_of_each_frame(tmp_path, noise):
    found = sound_features(write(tmp_path / "a.wav", noise))
    for frame in (0, 7, len(found.values) - 1):
        part = noise[frame * 200 : frame * 200 + 400]
        assert found.values[frame, 0] == pytest.approx(np.sqrt(np.mean(part**2)), rel=1e-5)
        assert found.times[frame] == pytest.approx((frame * 200 + 200) / RATE)
    assert found.times[-1] + 0.025 <= 3.0 < found.times[-1] + 0.05


def test_a_tone_is_in_its_band_and_channels_are_averaged(tmp_path):
    t = np.arange(RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 1000 * t)
    found = sound_features(write(tmp_path / "a.wav", np.stack([2 * tone, 0 * tone], axis=1)))
    edges = mel_filter_bank(201, 32, 50.0, 4000.0, RATE, norm="slaney", mel_scale="slaney")
    assert found.values[5, 1:].argmax() == edges[50].argmax()
    np.testing.assert_allclose(found.values[5, 0], 0.5 / np.sqrt(2), rtol=1e-3)


def test_blocks_make_no_difference(tmp_path, noise, monkeypatch):
    path = write(tmp_path / "a.wav", noise)
    whole = sound_features(path)
    monkeypatch.setattr("voxscale.features._sound_frames._AT_ONCE_S", 7 * 0.05)
    np.testing.assert_allclose(sound_features(path).values, whole.values, rtol=1e-6)


def test_silence_lies_80_db_below_the_loudest(tmp_path, noise):
    found = sound_features(write(tmp_path / "a.wav", np.concatenate([noise, np.zeros(RATE)])))
    assert np.abs(found.values[-1]).max() < 1e-3
    assert found.values[:, 1:].max() == pytest.approx(80, abs=1e-3)
    with pytest.warns(VoxscaleWarning, match=r"b\.wav is silent throughout"):
        silent = sound_features(write(tmp_path / "b.wav", np.zeros(RATE)))
    assert np.isfinite(silent.values).all()
    assert np.ptp(silent.values, axis=0).max() == 0


def test_several_runs_at_once(tmp_path, noise):
    path = write(tmp_path / "a.wav", noise)
    found = sound_features({"one": path, "two": path})
    np.testing.assert_array_equal(found["two"].values, sound_features(path).values)


def test_what_is_no_sound_is_refused(tmp_path, noise):
    text = tmp_path / "a.txt"
    text.write_text("words")
    with pytest.raises(DataError, match=r"a\.txt: cannot be read .*; convert it"):
        sound_features(text)
    with pytest.raises(DataError, match=r"b\.wav does not exist"):
        sound_features(tmp_path / "b.wav")
    with pytest.raises(DataError, match=r"shorter than one frame of 0\.05 s"):
        sound_features(write(tmp_path / "c.wav", noise[:300]))
    noise[5] = np.nan
    with pytest.raises(DataError, match="holds NaN"):
        sound_features(write(tmp_path / "d.wav", noise))
    with pytest.raises(ValueError, match="n_mels is 0"):
        sound_features(write(tmp_path / "e.wav", noise[10:]), n_mels=0)
