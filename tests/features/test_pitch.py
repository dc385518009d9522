"""Pitch of planted voices, and of Praat on the whole of a sound."""

import sys

import numpy as np
import pytest

from voxscale.errors import VoxscaleWarning
from voxscale.features import pitch

RATE = 16000
parselmouth = pytest.importorskip("parselmouth")


def voice(course_hz):
    """Return a buzz of ten harmonics that follows a course of frequencies, one a sample."""
    phase = 2 * np.pi * np.cumsum(course_hz) / RATE
    return sum(np.sin(k * phase) / k for k in range(1, 11)) / 4


@pytest.mark.parametrize("hz", [90, 150, 220, 410])
def test_a_steady_voice_has_its_frequency(hz):
    found = pitch((voice(np.full(RATE, hz)), RATE))
    np.testing.assert_allclose(found.values[:, 0], hz, rtol=2e-3)
    assert (found.values[:, 1] == 1).all()
    np.testing.assert_allclose(np.diff(found.times), 0.01)


def test_a_glide_is_followed_in_time():
    seconds = np.arange(2 * RATE) / RATE
    found = pitch((voice(100 + 50 * seconds), RATE))
    np.testing.assert_allclose(found.values[:, 0], 100 + 50 * found.times, rtol=5e-3)


def test_where_nobody_speaks_there_is_no_pitch(rng):
    spoken = voice(np.full(RATE, 120.0))
    hiss = 1e-4 * rng.standard_normal(RATE)
    found = pitch((np.concatenate([spoken, hiss, spoken]), RATE))
    between = (found.times > 1.03) & (found.times < 1.97)
    assert not found.values[between].any()
    inside = (found.times < 0.95) | (found.times > 2.05)
    np.testing.assert_allclose(found.values[inside, 0], 120, rtol=2e-3)
    with pytest.warns(VoxscaleWarning, match="silent throughout"):
        assert not pitch((np.zeros(RATE), RATE)).values.any()


def test_range_is_kept():
    both = voice(np.concatenate([np.full(RATE, 100.0), np.full(RATE, 300.0)]))
    found = pitch((both, RATE), floor_hz=200, ceiling_hz=400).values[:, 0]
    assert ((found == 0) | ((found >= 200) & (found <= 400))).all()
    assert np.median(found[120:]) == pytest.approx(300, rel=2e-3)


@pytest.fixture
def babble(rng):
    """Return thirty seconds of voices and noises at many levels, a quiet part in between."""
    parts = []
    for _ in range(60):
        n = RATE // 2
        course = rng.uniform(90, 200) + rng.uniform(-40, 40) * np.arange(n) / n
        sound = voice(course) if rng.random() < 0.6 else 0.1 * rng.standard_normal(n)
        parts.append(sound * 10 ** rng.uniform(-2, 0))
    whole = np.concatenate(parts)
    whole[10 * RATE : 20 * RATE] *= 0.02
    return whole + 1e-4 * rng.standard_normal(len(whole)) + 0.01  # not centred


def test_it_is_what_praat_says_of_the_whole(babble):
    found = pitch((babble, RATE))
    sound = parselmouth.Sound(babble.astype(np.float32).astype(float), RATE)
    praat = sound.to_pitch_ac(time_step=0.01)
    times, frequency = praat.xs(), praat.selected_array["frequency"]
    theirs = np.interp(found.times, times, frequency)
    voiced = found.values[:, 1] > 0
    near = np.abs(theirs - found.values[:, 0]) < 0.01 * theirs
    assert 0.2 < voiced.mean() < 0.8
    assert near[voiced].mean() > 0.95  # frames are not at the very same times


def test_parts_make_no_difference(babble, monkeypatch):
    whole = pitch((babble, RATE))
    monkeypatch.setattr("voxscale.features._pitch._PART_S", 3.0)
    parts = pitch((babble, RATE))
    np.testing.assert_array_equal(parts.times, whole.times)
    np.testing.assert_allclose(parts.values, whole.values, rtol=1e-5)


def test_bad_ranges_are_refused():
    sound = (np.zeros(RATE), RATE)
    for options in (
        {"floor_hz": 0}, {"floor_hz": 300, "ceiling_hz": 200}, {"ceiling_hz": np.inf},
        {"hop_s": 0}, {"hop_s": np.nan},
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected 0 < floor_hz < ceiling_hz"):
            pitch(sound, **options)


def test_without_parselmouth_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(ImportError, match=r"pitch needs parselmouth.*pip install 'voxscale\[voice"):
        pitch((np.zeros(RATE), RATE))
