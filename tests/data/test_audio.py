"""How long a sound lasts."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile

from voxscale.data import audio_duration_s
from voxscale.errors import DataError


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_the_duration_is_samples_over_rate(tmp_path, rng, ending):
    path = tmp_path / f"story.{ending}"
    soundfile.write(path, rng.uniform(-0.1, 0.1, (12_000, 2)), 8_000)
    assert audio_duration_s(path) == pytest.approx(1.5)


def test_what_is_no_sound_is_an_error(tmp_path):
    path = tmp_path / "story.wav"
    path.write_bytes(np.arange(100).tobytes())
    with pytest.raises(DataError, match=r"story\.wav: cannot be read .*expected a sound"):
        audio_duration_s(path)


def test_a_pointer_is_not_a_sound(tmp_path):
    path = tmp_path / "story.wav"
    path.write_text("/annex/objects/MD5E-s1--0.wav\n")
    with pytest.raises(DataError, match="not fetched"):
        audio_duration_s(path)
