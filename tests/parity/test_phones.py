"""Articulation and phone rate against the published code: its dead column, and its silences."""

from __future__ import annotations

import json

import numpy as np
import pytest

from voxscale.arrays import EventSeries
from voxscale.data import TRReport, read_transcript
from voxscale.design import lanczos
from voxscale.features import ARTICULATIONS, PHONES, articulation, phone_rate

STORIES = ("s1a", "s1b", "s2a", "tst")


@pytest.fixture
def phones_of(golden):
    """Return a function that reads every label of a story's phone tier, silences included."""

    def read(story):
        path = golden / "dataset" / "derivative" / "TextGrids" / f"{story}.TextGrid"
        return read_transcript(path, "phone", bad_words=(), drop_blank=False)

    return read


@pytest.fixture
def tr_times_of(golden):
    """Return a function that gives the TR times which the published code makes up for a story."""
    n_scanned = json.loads((golden / "dataset" / "derivative" / "respdict.json").read_text())
    return lambda story: TRReport.simulated(n_scanned[story] - 5, tr_s=2.0, start_s=-10.0).tr_times


@pytest.fixture
def recorded(golden):
    with np.load(golden / "dataset" / "features.npz") as file:
        return dict(file)


def test_the_columns_have_the_published_names_in_the_published_order(recorded):
    assert tuple(recorded["articulate_names"]) == ARTICULATIONS


@pytest.mark.parametrize("story", STORIES)
def test_articulation_differs_in_the_dead_column_alone(story, phones_of, tr_times_of, recorded):
    phones, tr_times = phones_of(story), tr_times_of(story)
    ours, old = lanczos(articulation(phones), tr_times), recorded[f"articulation/{story}"]
    assert ours.shape == old.shape
    dead = ARTICULATIONS.index("affricative")
    alive = np.arange(22) != dead
    np.testing.assert_allclose(ours[:, alive], old[:, alive], rtol=1e-5, atol=1e-5)  # float32
    assert not old[:, dead].any()
    is_affricate = [[label.strip("012") in ("CH", "JH")] for label in phones.words]
    expected = lanczos(EventSeries(np.array(is_affricate, dtype=float), phones.times), tr_times)
    np.testing.assert_allclose(ours[:, dead], expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("story", STORIES)
def test_its_phone_rate_counts_silences_and_ours_does_not(story, phones_of, tr_times_of, recorded):
    phones, tr_times = phones_of(story), tr_times_of(story)
    rate = phone_rate(phones)
    silences = EventSeries(1 - rate.values, phones.times)
    n_silences = sum(label.strip("012") not in PHONES for label in phones.words)
    assert silences.values.sum() == n_silences > 0
    ours = lanczos(rate, tr_times) + lanczos(silences, tr_times)
    np.testing.assert_allclose(ours, recorded[f"phonemerate/{story}"], rtol=1e-5, atol=1e-5)
