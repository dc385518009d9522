"""The tiny data set with sounds, and voxels that follow a tiny speech model; not a test.

Fifteen voxels follow the third layer of a random HuBERT, fifteen the language as they did, ten
are noise. The sound is loud where words are.
"""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from voxscale.design import delay, lanczos, zscore
from voxscale.features import speech_states

SUBJECTS = ("s1", "s2")
LAYER, N_SPEECH = 2, 15
STRIDE_S, CONTEXT_S = 1.0, 2.0
HZ = 16000

TABLE = f"""
[speech]
model = "./model"
layers = [0, 2, 3]
stride_s = {STRIDE_S}
context_s = {CONTEXT_S}
"""


def save_model(folder, family="hubert"):
    """Save a tiny random model, with what says how it hears."""
    from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    path = Path(__file__).with_name("features") / "speech_models.py"
    spec = importlib.util.spec_from_file_location("speech_models", path)
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    models.tiny(family).save_pretrained(folder)
    kind = WhisperFeatureExtractor if family == "whisper" else Wav2Vec2FeatureExtractor
    kind().save_pretrained(folder)
    return folder


class Spoken:
    """A data set: what a plugin is."""

    SUBJECTS = SUBJECTS

    def __init__(self, tiny, folder, model):
        self._tiny, self.folder = tiny, folder
        words = tiny.load("s1").words
        self.audio = {run: folder / f"{run}.wav" for run in words}
        for number, (run, path) in enumerate(self.audio.items()):
            soundfile.write(path, _waveform(words[run], number), HZ)
        options = {"layers": [LAYER], "stride_s": STRIDE_S, "context_s": CONTEXT_S}
        self._states = speech_states(self.audio, model, device="cpu", **options)[LAYER]

    def load(self, subject, root=None):
        """Let some voxels follow the speech model."""
        data = self._tiny.load(subject)
        rng = np.random.default_rng([5, SUBJECTS.index(subject)])
        weights = rng.standard_normal((2 * 16, N_SPEECH))
        signals = {
            run: zscore(delay(zscore(lanczos(events, self._tiny.TR_TIMES)), (1, 2)) @ weights)
            for run, events in self._states.items()
        }

        def planted(one):
            values = np.array(one.values)
            noise = 0.7 * rng.standard_normal((len(values), N_SPEECH))
            values[:, :N_SPEECH] = signals[one.run] + noise
            values.flags.writeable = False
            return replace(one, values=values)

        trials = {run: tuple(map(planted, some)) for run, some in data.trials.items()}
        responses = {run: planted(one) for run, one in data.responses.items()}
        return replace(data, responses=responses, trials=trials, audio=self.audio)


def _waveform(words, number):
    rng = np.random.default_rng(number)
    waveform = 0.01 * rng.standard_normal(HZ * 120)
    for onset_s in words.onset_s:
        waveform[int(HZ * onset_s) : int(HZ * (onset_s + 0.2))] *= rng.uniform(2, 30)
    return waveform
