"""Length and frequency of words, pauses and positions, against naive loops and wordfreq itself."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxscale.data import Transcript
from voxscale.errors import DataError, VoxscaleWarning
from voxscale.features import pauses, story_position, word_length, zipf_frequency


def test_letters_and_digits_are_counted(story):
    lengths = {"Don't": 4, "go!": 2, "{cat}": 3, "1997": 4, "café": 4, "cafe\u0301": 4, "...": 0}
    found = word_length(story(list(lengths)))
    assert found.values.ravel().tolist() == list(lengths.values())
    assert found.values.dtype == np.float32
    np.testing.assert_array_equal(found.times, story(list(lengths)).times)


@pytest.mark.parametrize("measure", [word_length, zipf_frequency, pauses, story_position])
def test_mapping_in_is_mapping_out(measure, story):
    if measure is zipf_frequency:
        pytest.importorskip("wordfreq")
    runs = {"one": story("the quick fox"), "two": story("jumps")}
    found = measure(runs)
    assert {run: len(one) for run, one in found.items()} == {"one": 3, "two": 1}
    np.testing.assert_array_equal(found["one"].values, measure(runs["one"]).values)
    with pytest.raises(TypeError, match="transcript of run 'two' is of type str"):
        measure({"one": story("a"), "two": "b"})


def test_frequency_is_the_logarithm_of_wordfreq(story):
    wordfreq = pytest.importorskip("wordfreq")
    words = ["The", "cat", "sat,", "lighthouse", "don't", "serendipity"]
    found = zipf_frequency(story(words)).values.ravel()
    expected = [np.log10(wordfreq.word_frequency(word, "en") * 1e9) for word in words]
    np.testing.assert_allclose(found, expected, atol=0.006)  # given to two digits
    assert found[0] > found[1] > found[3] > found[5]
    german = zipf_frequency(story("die katze"), language="de").values.ravel()
    assert german[0] > 7 > german[1] > 3


def test_unknown_words_are_zero_and_counted_once(story):
    pytest.importorskip("wordfreq")
    runs = {"one": story("the xqzvbbk fox"), "two": story("xqzvbbk qqqzzzx")}
    told = r"3 of 5 words \(60.0%\) have no frequency in 'en', most often 'xqzvbbk', 'qqqzzzx'; "
    with pytest.warns(VoxscaleWarning, match=told + "they are given 0") as caught:
        found = zipf_frequency(runs)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert found["one"].values[1] == 0
    assert not found["two"].values.any()


def test_a_language_that_is_not_there_is_refused(story):
    pytest.importorskip("wordfreq")
    with pytest.raises(ValueError, match=r"language is 'xx'; expected .* knows: ar, .*, en, "):
        zipf_frequency(story("a"), language="xx")


def test_without_wordfreq_the_error_says_what_to_install(story, monkeypatch):
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    with pytest.raises(ImportError, match=r"needs wordfreq.*pip install 'voxscale\[words\]'"):
        zipf_frequency(story("a"))


@st.composite
def transcripts(draw):
    """Draw words on a grid of tenths, some of which overlap."""
    steps = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
    onset = np.cumsum([step for step, _ in steps])
    offset = onset + [length for _, length in steps]
    return Transcript(["w"] * len(steps), onset / 10, offset / 10), onset, offset


@given(transcripts())
def test_pauses_are_the_tenths_in_which_nobody_speaks(drawn):
    transcript, onset, offset = drawn
    silent = np.ones(max(offset) + 1, dtype=bool)
    for start, stop in zip(onset, offset, strict=True):
        silent[start:stop] = False
    # A word of no length splits a silence, so each is counted before the word that ends it.
    expected = [0.0] + [silent[before:after].sum() / 10 for before, after in pairwise(onset)]
    at_words = pauses(transcript)
    np.testing.assert_allclose(at_words.values[:, 0], expected, atol=1e-6)
    np.testing.assert_array_equal(at_words.times, transcript.times)
    alone = pauses(transcript, at="pauses")
    kept = at_words.values[:, 0] > 0
    np.testing.assert_array_equal(alone.values, at_words.values[kept])
    middles = transcript.onset_s[kept] - at_words.values[kept, 0] / 2
    np.testing.assert_allclose(alone.times, middles, atol=1e-6)


def test_short_silences_are_no_pauses():
    words = Transcript(list("abcd"), [0.0, 0.1, 0.4, 1.0], [0.1 - 1e-9, 0.2, 0.5, 1.2])
    np.testing.assert_allclose(pauses(words).values[:, 0], [0, 0, 0.2, 0.5], atol=1e-7)
    long = pauses(words, at="pauses", min_s=0.25)
    np.testing.assert_allclose(long.values, [[0.5]])
    np.testing.assert_allclose(long.times, [0.75])
    assert pauses(words, at="pauses", min_s=3).values.shape == (0, 1)


def test_pauses_need_offsets_and_sense():
    bare = Transcript(["a", "b"], [0.0, 1.0])
    with pytest.raises(DataError, match="run 'two': its words have no offsets"):
        pauses({"two": bare})
    with pytest.raises(ValueError, match=r"at is 'word'; choose one of .*did you mean 'words'"):
        pauses(bare, at="word")
    for min_s in (-1, np.nan, np.inf):
        with pytest.raises(ValueError, match="expected seconds, 0 or more"):
            pauses(bare, min_s=min_s)


def test_position_runs_from_the_first_word_to_the_end_of_the_last():
    words = Transcript(list("abc"), [10.0, 12.0, 18.0], [11.0, 20.0, 19.0])
    found = story_position(words)
    np.testing.assert_allclose(found.values[:, 1], [0.5, 6.0, 8.5])
    np.testing.assert_allclose(found.values[:, 0], np.array([0.5, 6.0, 8.5]) / 10)
    np.testing.assert_array_equal(found.times, words.times)
    without = story_position(Transcript(list("abc"), [10.0, 12.0, 18.0]))
    np.testing.assert_allclose(without.values, [[0, 0], [0.25, 2], [1, 8]])
    assert story_position(Transcript(["a"], [5.0])).values.tolist() == [[0, 0]]
