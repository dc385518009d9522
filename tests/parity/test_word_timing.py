"""When words were heard, and in which TR, against the published code."""

from __future__ import annotations

import json

import numpy as np
import pytest

from voxscale.data import BAD_WORDS, TRReport, read_textgrid, read_tr_report, read_transcript

EXTENDED = BAD_WORDS | {"sl", "cg", "ig", ""}


@pytest.fixture
def sequences(golden):
    """Return the words, times and TR boundaries of the published code for one story."""
    return json.loads((golden / "textgrid" / "datasequences.json").read_text())


@pytest.fixture
def story(golden):
    """Return a function that reads the words of that story."""

    def read(**options):
        path = golden / "textgrid" / "storylong.TextGrid"
        return read_transcript(path, lower=True, drop_blank=False, **options)

    return read


def words_per_tr(onset_s, report):
    """Count words that start before the end of each TR; what comes later is in the last one."""
    ends = report.trigger_times[:-1] + report.tr_s
    boundaries = np.array([(onset_s < end).sum() for end in ends])
    return np.diff([0, *boundaries, len(onset_s)])


def lengths(sequence):
    return [len(part) for part in np.split(np.array(sequence["data"]), sequence["split_inds"])]


@pytest.mark.parametrize(
    ("name", "options"),
    [("words", {}), ("words_extended_badset", {"bad_words": EXTENDED})],
)
def test_words_and_times_are_those_of_the_published_code(sequences, story, name, options):
    old, words = sequences[name], story(**options)
    assert list(words.words) == old["data"]
    np.testing.assert_allclose(words.times, old["data_times"], rtol=0, atol=1e-9)

    report = TRReport.simulated(sequences["n_simulated_trs"], tr_s=2.0, start_s=-10.0)
    np.testing.assert_array_equal(report.tr_times, old["tr_times"])
    np.testing.assert_array_equal(words_per_tr(words.onset_s, report), lengths(old))


def test_word_counts_are_those_of_its_word_rate(sequences, story):
    report = TRReport.simulated(sequences["n_simulated_trs"], tr_s=2.0, start_s=-10.0)
    counts = words_per_tr(story().onset_s, report)
    np.testing.assert_array_equal(counts, np.ravel(sequences["wordrate_rect"]))
    assert counts.sum() == 18


def test_words_heard_by_default_lack_its_blank_words(sequences, golden):
    # Q29: the published code keeps 2 silences as words, 18 in all; by default 16 are words.
    words = read_transcript(golden / "textgrid" / "storylong.TextGrid")
    old = sequences["words"]["data"]
    assert old.count("") == 2
    assert len(words) == len(old) - 2 == 16
    assert [word.lower() for word in words.words] == [word for word in old if word]
    assert words.words[1] == "CAT"


@pytest.mark.parametrize("name", ["storyshort", "storychron", "storypoints", "quirk_crlf"])
def test_every_format_gives_the_same_story(story, golden, name):
    path = golden / "textgrid" / f"{name}.TextGrid"
    assert read_transcript(path, lower=True, drop_blank=False) == story()


def test_a_logged_scan_gives_the_same_times(sequences, story, golden):
    old = sequences["from_grid_clean_report"]
    words = story(bad_words=())
    report = read_tr_report(golden / "trfile" / "clean.report")
    assert list(words.words) == old["data"]
    np.testing.assert_allclose(words.times, old["data_times"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(report.tr_times, old["tr_times"], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(words_per_tr(words.onset_s, report), lengths(old))


def test_phones_are_read_as_well(sequences, golden):
    old = sequences["phonemes"]
    path = golden / "textgrid" / "storylong.TextGrid"
    phones = read_transcript(path, "phone", bad_words=(), drop_blank=False, lower=True)
    assert list(phones.words) == old["data"]
    np.testing.assert_allclose(phones.times, old["data_times"], rtol=0, atol=1e-9)
    assert len(read_textgrid(path).tiers[0]) == 51
