"""A planted data set of a few kilobytes, and a study of it; not a test.

Two subjects hear five stories. Thirty voxels follow the states of the echo extractor's deepest
layer, as a mean over the last 16 to 32 words; ten are noise. One test story is heard three times.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voxscale.arrays import EventSeries, TRSeries
from voxscale.data import Dataset, Transcript
from voxscale.design import delay, lanczos, zscore
from voxscale.features.echo import _states

SUBJECTS = ("s1", "s2")
TRAIN = ("a", "b", "c")
TEST = ("x", "y")
REPEATED, N_REPEATS = "x", 3
N_TRS, TR_S = 60, 2.0
N_VOXELS, N_PLANTED = 40, 30
PLANTED_LAYER, PLANTED_CONTEXT = 2, 32
TR_TIMES = (np.arange(N_TRS) + 0.5) * TR_S
VOCABULARY = [f"word{i}" for i in range(40)]

STUDY = """
[study]
name = "tiny"
dataset = "tiny"
model = "echo"
layers = [0, 1, 2]
contexts = [4, 32]
training_stories = [1, 2, 3]
draws = 2
reference_layer = 2
seed = 1
out = "results"

[design]
delays = [1, 2]
trim = [5, 2]

[fit]
alphas = [1.0, 30.0, 1000.0]

[baselines]
word_rate = false
position = false
sound = false
autocorrelation = false

[evaluate]
n_permutations = 30
n_bootstraps = 0
stack = false
"""

# What is computed once for a subject, beside the fits.
BESIDE = (
    STUDY.replace("position = false", "position = true")
    .replace("\nword_rate = false", "\nword_rate = true")
    .replace("autocorrelation = false", "autocorrelation = true")
    .replace("n_bootstraps = 0", "n_bootstraps = 40")
    .replace("stack = false", "stack = true")
)


def load(subject, root=None):
    """Plant one subject; ``root`` is not used."""
    words = {run: _words(i) for i, run in enumerate(TRAIN + TEST)}
    rng = np.random.default_rng([7, SUBJECTS.index(subject)])
    signals = _signals(words, rng)
    repeats = {run: N_REPEATS if run == REPEATED else 1 for run in words}
    heard = {
        run: [_series(signal + rng.standard_normal(signal.shape), run) for _ in range(repeats[run])]
        for run, signal in signals.items()
    }
    means = {run: _series(np.mean([o.values for o in all_], 0), run) for run, all_ in heard.items()}
    trials = {REPEATED: tuple(heard[REPEATED])}
    return Dataset("tiny", subject, words, means, trials, TRAIN, TEST, tr_s=TR_S)


def write_study(folder, text=STUDY, **replaced):
    """Write the study file with some lines replaced: ``layers="[0, 1]"``."""
    lines = text.splitlines()
    for field, value in replaced.items():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{field} ="))
        lines[at] = f"{field} = {value}"
    path = Path(folder) / "tiny.toml"
    path.write_text("\n".join(lines))
    return path


def _words(number):
    rng = np.random.default_rng([11, number])
    onset_s = np.sort(rng.uniform(0, N_TRS * TR_S - 1, size=200))
    return Transcript(rng.choice(VOCABULARY, size=200), onset_s, onset_s + 0.2)


def _signals(words, rng):
    """Return the planted part of the responses, of unit variance, zero for noise voxels."""
    # Not Echo.extract, whose calls the tests count.
    states = {
        run: EventSeries(_states(one.words, 16, PLANTED_CONTEXT)[PLANTED_LAYER], one.times)
        for run, one in words.items()
    }
    weights = rng.standard_normal((2 * 8, N_PLANTED))
    signals = {}
    for run, events in states.items():
        design = delay(zscore(lanczos(events, TR_TIMES)), (1, 2))
        planted = zscore(design @ weights)
        signals[run] = np.hstack([planted, np.zeros((N_TRS, N_VOXELS - N_PLANTED))])
    return signals


def _series(values, run):
    values = np.asarray(values, dtype=np.float32)
    values.flags.writeable = False
    return TRSeries(values, run, 0, TR_TIMES)
