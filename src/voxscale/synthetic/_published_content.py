"""What the miniature of the published folder holds.

What is planted: responses are features times smooth weights, stronger in and around four regions,
and noise. Features of language are states of a small model with random weights, those of speech are
made up; layers of speech explain voxels around the auditory region, shallow ones in its middle,
and the language model those around the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data import Transcript
from voxscale.data.antonello2023 import REPEATED, TEST
from voxscale.data.lebel2023 import SESSIONS
from voxscale.design import delay, lanczos, zscore
from voxscale.features import language_states
from voxscale.synthetic._published_pickles import as_textgrid, as_tr_file
from voxscale.synthetic._small_cortex import SMALL_REGIONS
from voxscale.synthetic._small_opt import write_small_opt

__all__ = ["HZ", "UNHEARD", "MiniatureContent", "MiniatureTruth"]

_DELAYS = (1, 2, 3, 4)
_TR_S = 2.0045
_FIRST_TR, _LAST_TRS, _TEST_TRS = 10, 5, 50
_N_TRS, _N_REPEATED_TRS = 110, 160  # of a run; real ones have about 150 to 500
_LAYER, _N_SOUND_DIMS, _N_REPEATS, _N_SPEECH = 2, 12, 10, 16
UNHEARD = ("canplanetearthfeedtenbillionpeoplepart1", "canplanetearthfeedtenbillionpeoplepart2")
_RIDGE = 100.0  # penalty of the published weights
_NOISE_OF_REPEAT = 1.6  # standard deviations, beside a signal of at most 1
_ALIKE = 0.7  # correlation of the errors of two layers of speech
_N_NAN = 5  # voxels whose matrix for stacking is not finite
HZ = 2000  # of the sounds, which are beeps
_VOCABULARY = """
    the a and to of i was it in that he she we they my his her then when but so because there
    were had been would could out into over under house door night morning mother father friend
    street river water light hand voice story school train winter summer letter table window
    garden said told went came knew thought felt looked walked waited asked answered laughed
    never always maybe again still only just really suddenly finally little big old new long
    first last one two three years day time way man woman people something nothing everything
"""


@dataclass(frozen=True, eq=False)
class MiniatureTruth:
    """What was planted in the miniature, each (n_voxels,).

    Parameters
    ----------
    signal_sd : array
        Standard deviation of the signal in a story; noise of one repeat has 1.6.
    speech_share : array
        How far a voxel follows speech, 1, or language, 0.
    speech_layer : array
        Which of the 16 speech layers, from 0, a voxel follows most.
    """

    signal_sd: Array
    speech_share: Array
    speech_layer: Array


class MiniatureContent:
    """Everything that is written, made from one generator in a fixed order."""

    def __init__(self, rng: np.random.Generator, positions: Array, model: Path) -> None:
        self._rng, self._at = rng, positions
        self.n_voxels = len(positions)
        heard = sorted({story for session in SESSIONS.values() for story in session} | set(TEST))
        self.n_trs = {story: _N_TRS + int(rng.integers(20)) for story in heard}
        self.n_trs[REPEATED] = _N_REPEATED_TRS
        self.truth = self._planted()
        self.words: dict[str, Transcript] = {}
        self.sounds: dict[str, Array] = {}
        self.grids = {story: self._grid(story, n_trs) for story, n_trs in self.n_trs.items()}
        self.tr_files = {
            story: [as_tr_file(n_trs, _TR_S, 12.0, 12.0 + 5 * _TR_S)]
            for story, n_trs in self.n_trs.items()
        }
        write_small_opt(model, [" ".join(one.words) for one in self.words.values()], seed=0)
        self.features = self._states(model)
        self._heard = {story: self._smooth(n_trs) for story, n_trs in self.n_trs.items()}
        self._speech_weights = self._smooth_weights(self._heard)
        self._language_weights = self._smooth_weights(self.features)
        self._signals = {story: self._signal(story) for story in self.n_trs}
        self._respond()
        self.weights = self._fitted()
        self._stack()

    def _planted(self) -> MiniatureTruth:
        near = {
            name: np.exp(-(((self._at - (u, v)) ** 2).sum(axis=1)) / (2 * (1.3 * radius) ** 2))
            for name, (u, v, radius) in SMALL_REGIONS.items()
        }
        strength = np.max(list(near.values()), axis=0)
        language = np.max([near[name] for name in near if name != "AC"], axis=0)
        speech_share = near["AC"] / (near["AC"] + language)
        u, v, radius = SMALL_REGIONS["AC"]
        far = np.hypot(*(self._at - (u, v)).T) / (2 * radius)
        layer = np.clip(np.rint(far * (_N_SPEECH - 1)), 0, _N_SPEECH - 1)
        return MiniatureTruth(strength, speech_share, layer)

    def _smooth_weights(self, features: Mapping[str, Array]) -> Array:
        """Return weights (4 n_dims, n_voxels) that vary slowly over the cortex, of unit signal."""
        X = np.vstack([delay(zscore(one), _DELAYS) for one in features.values()])
        waves = self._rng.standard_normal((X.shape[1], 2)) * 2.5
        phases = self._rng.uniform(0, 2 * np.pi, len(waves))
        weights = np.sin(waves @ self._at.T + phases[:, None])
        return np.asarray(weights / (X @ weights).std(axis=0))

    def _grid(self, story: str, n_trs: int) -> Any:
        end_s = _TR_S * (n_trs - 7)
        onsets = np.sort(self._rng.uniform(0.3, end_s - 1.0, int(2.2 * end_s)))
        onsets = onsets[np.r_[True, np.diff(onsets) > 0.1]]
        ends = np.minimum(np.r_[onsets[1:], end_s], onsets + 0.35)
        words = self._rng.choice(_VOCABULARY.split(), len(onsets))
        self.words[story] = Transcript(list(map(str, words)), onsets.round(3), ends.round(3))
        self.sounds[story] = _beeps(onsets, ends, end_s)
        rows = [("0.0", f"{onsets[0]:.3f}", "sp")]
        rows += [
            (f"{a:.3f}", f"{b:.3f}", str(word))
            for a, b, word in zip(onsets, ends, words, strict=True)
        ]
        phones = [(a, b, label.upper()[:2]) for a, b, label in rows]
        return as_textgrid({"phone": phones, "word": rows}, end_s)

    def _states(self, model: Path) -> dict[str, Array]:
        """Return states of the small model on every TR of each story, (n_trs, n_dims)."""
        states = language_states(
            self.words, str(model), layers=[_LAYER], protocol="huth2023", device="cpu"
        )[_LAYER]
        tr_times = {story: _TR_S * (np.arange(n) - 4.5) for story, n in self.n_trs.items()}
        return {story: lanczos(one, tr_times[story]) for story, one in states.items()}

    def _smooth(self, n_trs: int) -> Array:
        """Return features (n_trs, n_dims) whose neighbours in time are alike."""
        steps = self._rng.standard_normal((n_trs, _N_SOUND_DIMS))
        for i in range(1, n_trs):
            steps[i] += 0.6 * steps[i - 1]
        return steps

    def _signal(self, story: str) -> Array:
        """Return the signal on every TR of the run, (n_trs, n_voxels)."""
        share = np.sqrt(self.truth.speech_share)
        parts = [
            delay(zscore(one[story]), _DELAYS) @ weights
            for one, weights in (
                (self._heard, self._speech_weights),
                (self.features, self._language_weights),
            )
        ]
        mixed = share * parts[0] + np.sqrt(1 - share**2) * parts[1]
        return np.asarray(self.truth.signal_sd * mixed)

    def _respond(self) -> None:
        """Make responses: of one story the mean of ten repeats, each trimmed and z-scored."""
        self.responses: dict[str, Array] = {}
        for story, signal in self._signals.items():
            stored = signal[_FIRST_TR:-_LAST_TRS]
            n_repeats = _N_REPEATS if story == REPEATED else 1
            noise = self._rng.standard_normal((n_repeats, *stored.shape))
            trials = [zscore(stored + _NOISE_OF_REPEAT * one) for one in noise]
            if story == REPEATED:
                self.repeats = np.stack(trials).astype(np.float32)
            self.responses[story] = zscore(np.mean(trials, axis=0)).astype(np.float32)
        for story in UNHEARD:
            shape = (_N_TRS, self.n_voxels)
            self.responses[story] = self._rng.standard_normal(shape).astype(np.float32)

    def _fitted(self) -> Array:
        """Return ridge weights of the features, (4 n_dims, n_voxels), fitted as published."""
        train = [story for story in self.n_trs if story not in TEST]
        kept = slice(_FIRST_TR, -_LAST_TRS)
        X = delay(np.vstack([zscore(self.features[one][kept]) for one in train]), _DELAYS)
        Y = np.vstack([self.responses[one] for one in train])
        weights = np.linalg.solve(X.T @ X + _RIDGE * np.eye(X.shape[1]), X.T @ Y)
        return np.asarray(weights.astype(np.float32))

    def _stack(self) -> None:
        """Make what each model predicts of the test story, then of the validation stories."""
        kept = slice(_TEST_TRS, -_LAST_TRS)
        signal = np.vstack([self._signals[story][kept] for story in TEST])
        self.test_responses = np.vstack(
            [self.responses[story][_TEST_TRS - _FIRST_TR :] for story in TEST]
        )
        layers = np.arange(_N_SPEECH)
        miss = np.abs(layers[:, None] - self.truth.speech_layer) / _N_SPEECH
        # How much of the signal's variance each model lacks: embedding, speech layers, language.
        share = self.truth.speech_share
        lacks = np.vstack([np.full(self.n_voxels, 0.8), 0.1 + 0.9 * (1 - share) + share * miss])
        lacks = np.vstack([lacks, 0.1 + 0.9 * share])
        self._residuals(lacks)
        errors = self._rng.standard_normal((len(lacks), *signal.shape))
        common = self._rng.standard_normal(signal.shape)  # layers of one model err alike
        errors[:-1] = np.sqrt(_ALIKE) * common + np.sqrt(1 - _ALIKE) * errors[:-1]
        predictions = [
            (signal + np.sqrt(lack) * self.truth.signal_sd * error).astype(np.float32)
            for lack, error in zip(lacks, errors, strict=True)
        ]
        self.speech_predictions: Sequence[Array] = predictions[1:-1]
        self.language_prediction = predictions[-1]

    def _residuals(self, lacks: Array) -> None:
        """Make products of residuals: noise that all models share, and errors of their own."""
        n_models = len(lacks)
        alike = np.full((n_models, n_models), _ALIKE)
        alike[-1] = alike[:, -1] = 0.0
        np.fill_diagonal(alike, 1.0)
        spread = np.sqrt(lacks).T * self.truth.signal_sd[:, None]
        own = spread[:, :, None] * spread[:, None, :] * alike
        covariances = _NOISE_OF_REPEAT**2 + own
        covariances[:: max(1, self.n_voxels // _N_NAN)][:_N_NAN] = np.nan
        self.residual_covariances = covariances


def _beeps(onsets: Array, ends: Array, end_s: float) -> Array:
    """Return a sound that is loud where a word is, (n_samples,)."""
    times = np.arange(int(end_s * HZ)) / HZ
    word = np.searchsorted(onsets, times, side="right") - 1
    is_word = (word >= 0) & (times < ends[np.maximum(word, 0)])
    return np.asarray(np.where(is_word, 0.5, 0.01) * np.sin(2 * np.pi * 200 * times))
