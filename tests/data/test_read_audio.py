"""Sounds read as one channel at a given rate."""

import numpy as np
import pytest
import soundfile
from scipy.signal import resample_poly

from voxscale.data import audio_duration_s, read_audio
from voxscale.errors import DataError

HZ = 16000


def tone(hz, seconds, rate):
    made = (0.4 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")
    made.flags.writeable = False
    return made


@pytest.mark.parametrize(
    ("form", "atol"), [("wav", 1e-4), ("flac", 1e-4), ("ogg", 0.02), ("mp3", 0.05)]
)
def test_every_format_gives_the_same_waveform(tmp_path, form, atol):
    sound = tone(440, 1.5, HZ)
    path = tmp_path / f"tone.{form}"
    soundfile.write(path, sound, HZ)
    found = read_audio(path)
    assert found.dtype == np.float32
    assert abs(len(found) - len(sound)) <= 1200  # an mp3 may be padded
    middle = slice(4000, 20000)
    np.testing.assert_allclose(found[middle], sound[middle], atol=atol)
    assert audio_duration_s(path) == pytest.approx(len(found) / HZ)


@pytest.mark.parametrize("kind", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_every_bit_depth_is_read(tmp_path, kind):
    soundfile.write(tmp_path / "a.wav", tone(300, 0.5, HZ), HZ, subtype=kind)
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), tone(300, 0.5, HZ), atol=0.01)


def test_channels_are_averaged(tmp_path):
    left, right = tone(440, 1, HZ), tone(880, 1, HZ)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), HZ, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav"), (left + right) / 2, atol=1e-6)
    both = (np.stack([left, right], axis=1), HZ)
    np.testing.assert_allclose(read_audio(both), (left + right) / 2, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_another_rate_is_resampled_as_scipy_does(rate):
    """A tone below the lower rate's half stays what it is, over the blocks it is read in."""
    sound = tone(1000, 70, rate)  # more than two blocks
    found = read_audio((sound, rate))
    assert len(found) == 70 * HZ
    middle = slice(1000, -1000)
    np.testing.assert_allclose(found[middle], tone(1000, 70, HZ)[middle], atol=2e-4)
    divisor = np.gcd(HZ, rate)
    other = resample_poly(sound.astype("f8"), HZ // divisor, rate // divisor)
    np.testing.assert_allclose(found[middle], other[middle], atol=3e-3)


def test_what_lies_above_half_the_rate_is_taken_away():
    found = read_audio((tone(11000, 1, 44100) + tone(500, 1, 44100), 44100))
    np.testing.assert_allclose(found[500:-500], tone(500, 1, HZ)[500:-500], atol=1e-3)


def test_blocks_leave_no_seam(tmp_path):
    sound = np.random.default_rng(0).standard_normal(HZ * 65).astype("f4") * 0.1
    soundfile.write(tmp_path / "a.wav", sound, HZ, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav"), sound)


def test_integers_are_scaled_by_their_largest():
    whole = (tone(200, 0.5, HZ) * 32767).astype(np.int16)
    np.testing.assert_allclose(read_audio((whole, HZ)), tone(200, 0.5, HZ), atol=1e-4)


@pytest.mark.parametrize(
    ("samples", "told"),
    [
        (np.zeros(0, "f4"), "has no samples"),
        (np.zeros(100, "f4"), "silent throughout"),
        (np.array([0.1, np.nan, np.inf], "f4"), "NaN or infinity in 2 of 3 samples"),
    ],
)
def test_a_sound_without_sound_is_refused(tmp_path, samples, told):
    with pytest.raises(DataError, match=told):
        read_audio((samples, HZ))
    soundfile.write(tmp_path / "a.wav", samples, HZ, subtype="FLOAT")
    with pytest.raises(DataError, match=told):
        read_audio(tmp_path / "a.wav")


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.wav does not exist"):
        read_audio(tmp_path / "nothing.wav")
    (tmp_path / "text.wav").write_text("hello")
    with pytest.raises(DataError, match=r"text\.wav: cannot be read"):
        read_audio(tmp_path / "text.wav")
    (tmp_path / "empty.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"empty\.wav"):
        read_audio(tmp_path / "empty.wav")


@pytest.mark.parametrize("form", ["wav", "flac", "mp3"])
def test_a_file_that_was_cut_short_is_refused(tmp_path, form):
    whole, cut = tmp_path / f"whole.{form}", tmp_path / f"cut.{form}"
    rng = np.random.default_rng(0)
    soundfile.write(whole, rng.standard_normal(HZ * 3) * 0.1, HZ)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(DataError, match=f"cut.{form}.*(cut short|cannot be read)"):
        read_audio(cut)


def test_a_decoder_that_stops_early_is_found_out(tmp_path, monkeypatch):
    """Fewer samples than the header says, and no error: nothing is made up for the rest."""
    soundfile.write(tmp_path / "a.wav", tone(200, 3, HZ), HZ)
    read = soundfile.SoundFile.read

    def short(self, frames=-1, **options):
        return read(self, frames, **options)[: HZ // 2]

    monkeypatch.setattr(soundfile.SoundFile, "read", short)
    with pytest.raises(DataError, match=r"cut short: its header speaks of 48,000 samples"):
        read_audio(tmp_path / "a.wav")


def test_integers_are_what_a_file_of_them_is(tmp_path):
    whole = np.array([-32768, -1, 0, 1, 32767] * 100, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", whole, HZ)
    np.testing.assert_array_equal(read_audio((whole, HZ)), read_audio(tmp_path / "a.wav"))


def test_a_recording_that_was_streamed_is_read(tmp_path):
    """A header that does not know the length is no sign of loss."""
    path = tmp_path / "streamed.wav"
    soundfile.write(path, tone(200, 0.5, HZ), HZ)
    held = bytearray(path.read_bytes())
    at = held.index(b"data") + 4
    held[at : at + 4] = held[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(held)
    assert len(read_audio(path)) == HZ // 2


def test_resampling_can_be_refused(tmp_path):
    with pytest.raises(DataError, match=r"1 channel\(s\) at 8000 Hz; expected 1 at 16000 Hz"):
        read_audio((tone(200, 1, 8000), 8000), resample=False)
    soundfile.write(tmp_path / "a.wav", np.stack([tone(200, 1, HZ)] * 2, axis=1), HZ)
    with pytest.raises(DataError, match=r"2 channel\(s\) at 16000 Hz"):
        read_audio(tmp_path / "a.wav", resample=False)
    assert len(read_audio((tone(200, 1, HZ), HZ), resample=False)) == HZ


@pytest.mark.parametrize(
    ("audio", "kind", "told"),
    [
        (np.zeros(10), TypeError, "expected a path, or a waveform with its sampling rate"),
        ((np.ones(10), 0), ValueError, "the sampling rate is 0"),
        ((np.ones(10), float("nan")), ValueError, "the sampling rate is nan"),
        ((np.ones(10), float("inf")), ValueError, "the sampling rate is inf"),
        ((np.ones((2, 3, 4)), HZ), ValueError, "of shape"),
        ((np.ones((2, 300)), HZ), ValueError, "transpose them"),
        ((np.ones(9, np.uint8), HZ), ValueError, "unsigned"),
        ((np.array(["a"]), HZ), ValueError, "expected numbers"),
    ],
)
def test_what_is_no_sound_is_refused(audio, kind, told):
    with pytest.raises(kind, match=told):
        read_audio(audio)
