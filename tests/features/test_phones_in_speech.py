"""What a packaged Whisper knows of real speech: phones, better than the spectrum does."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from voxscale import speech_states
from voxscale.features import mel_bands
from voxscale.features._packaged import PACKAGED

CLIPS = Path(__file__).with_name("librivox")
CLASSES = {
    "vowel": "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW",
    "plosive": "P B T D K G",
    "fricative": "CH JH F V TH DH S Z SH ZH HH",
    "nasal": "M N NG",
    "approximant": "L R W Y",
}
CLASS_OF = {phone: name for name, phones in CLASSES.items() for phone in phones.split()}
LAG_S = 0.05  # a phone is known a little after it was spoken


@pytest.fixture(scope="module")
def clips():
    missing = [one for one, _ in PACKAGED["whisper-tiny.en"].parts if find_spec(one) is None]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    return {path.stem: path for path in sorted(CLIPS.glob("*.flac"))}


def labels(clip, times):
    """Return the class of the phone that is spoken at each time."""
    phones = pd.read_csv(CLIPS / "phones.tsv", sep="\t", dtype={"clip": str})
    own = phones[phones["clip"] == clip]
    at = np.searchsorted(own["onset"].to_numpy(), times, side="right") - 1
    return np.array([CLASS_OF.get(own["phone"].iloc[max(i, 0)], "silence") for i in at])


def recent_bands(series, times):
    """Return the bands of the latest frames that end by each time: 50, 100, 150 and 200 ms ago."""
    last = np.searchsorted(series.times + 0.025, times + 1e-9, side="right") - 1
    return np.hstack([series.values[np.maximum(last - back, 0)] for back in (0, 2, 4, 6)])


def held_out_accuracy(features, classes):
    """Read classes out of features linearly, each clip by what the others taught."""
    scores = []
    for held in features:
        others = [clip for clip in features if clip != held]
        model = make_pipeline(StandardScaler(), RidgeClassifierCV(np.logspace(0, 5, 11)))
        model.fit(
            np.vstack([features[one] for one in others]),
            np.concatenate([classes[one] for one in others]),
        )
        scores.append(np.mean(model.predict(features[held]) == classes[held]))
    return float(np.mean(scores))


@pytest.mark.whisper
@pytest.mark.slow
def test_layer_2_tells_phone_classes_better_than_mel_bands(clips):
    states = speech_states(clips, "whisper-tiny.en", layers=[2], context_s=4.0, device="cpu")[2]
    bands = mel_bands(clips, n_mels=40)
    times = {clip: series.times for clip, series in states.items()}
    classes = {clip: labels(clip, times[clip] - LAG_S) for clip in clips}
    of_layer = held_out_accuracy({clip: states[clip].values for clip in clips}, classes)
    of_bands = held_out_accuracy(
        {clip: recent_bands(bands[clip], times[clip]) for clip in clips}, classes
    )
    all_classes = np.concatenate(list(classes.values()))
    most_frequent = max(np.mean(all_classes == one) for one in set(all_classes))
    assert of_bands > most_frequent + 0.1
    assert of_layer > of_bands + 0.05
