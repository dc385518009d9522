"""What tests of extraction share: sounds on disk, and a note of what a speech model hears."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(scope="session")
def write_sounds():
    """Return a function that writes noises by their durations, and returns their paths."""
    import soundfile

    def write(where, durations):
        rng = np.random.default_rng(0)
        for story, seconds in durations.items():
            samples = 0.1 * rng.standard_normal(round(16000 * seconds))
            soundfile.write(where / f"{story}.wav", samples, 16000)
        return {story: where / f"{story}.wav" for story in durations}

    return write


@pytest.fixture
def ran(monkeypatch):
    """Return what is run: pairs of windows and layers, a pair for each pass over a sound."""
    from voxscale.features import SpeechExtractor

    passes = []
    stream = SpeechExtractor.stream

    def noted(self, clip, layers="all"):
        passes.append((len(clip.plan), sorted(layers)))
        return stream(self, clip, layers)

    monkeypatch.setattr(SpeechExtractor, "stream", noted)
    return passes
