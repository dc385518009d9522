from __future__ import annotations

import numpy as np
import pytest

from voxscale.features import word_rate


def test_every_word_is_a_one(story):
    transcript = story("the quick brown fox")
    rate = word_rate(transcript)
    np.testing.assert_array_equal(rate.values, np.ones((4, 1)))
    assert rate.values.dtype == np.float32
    np.testing.assert_array_equal(rate.times, transcript.times)


def test_mapping_in_is_mapping_out(story):
    rates = word_rate({"one": story("the fox"), "two": story("jumps")})
    assert {run: len(rate) for run, rate in rates.items()} == {"one": 2, "two": 1}


def test_what_is_no_transcript_is_named(story):
    for bad in (["a", "b"], "a b", [story("a")]):
        with pytest.raises(TypeError, match="expected a Transcript or a mapping of run to"):
            word_rate(bad)
    with pytest.raises(TypeError, match="transcript of run 'two' is of type str"):
        word_rate({"one": story("a"), "two": "b"})
