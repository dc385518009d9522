"""Subjects with the stories that features have."""

import numpy as np
import pytest

from voxscale.arrays import TRSeries
from voxscale.data import Dataset, Transcript, with_stories_of
from voxscale.errors import DataError, VoxscaleWarning

STORIES = ("a", "b", "c", "d")


@pytest.fixture
def data():
    runs = {name: TRSeries(np.ones((4, 5)), name) for name in STORIES}
    words = {name: Transcript(["hi"], [0.5]) for name in STORIES}
    return Dataset("mine", "01", words, runs, {}, train=("a", "b"), test=("c", "d"), tr_s=2.0)


def test_nothing_is_left_out(data):
    again = with_stories_of(data, dict.fromkeys([*STORIES, "e"]))
    assert again.split() == data.split()


def test_what_is_left_out_is_listed(data):
    told = "responses of 4 stories where features have 3; 2 have both .* without features: b, c"
    with pytest.warns(VoxscaleWarning, match=told):
        some = with_stories_of(data, ["a", "d", "z"])
    assert some.split() == (["a"], ["d"])
    assert set(some.responses) == set(STORIES)


def test_nothing_is_left(data):
    with pytest.raises(DataError, match=r"none of the 2 stories to test on; they have a, z"):
        with_stories_of(data, ["a", "z"])
