"""TextGrids against what the published code read from the same files."""

from __future__ import annotations

import json

import pytest

from voxscale.data import read_textgrid

SAME = ["storylong", "storychron", "storypoints", "quirk_crlf", "quirk_multiline_label_long"]
ITS_ERRORS = {
    "quirk_exponent_tierxmin": 1e-05,
    "quirk_negative_xmin": -1.0,
    "quirk_no_blank_third_line": 0.0,
    "quirk_item_in_label": 0.0,
}


@pytest.fixture
def both(golden):
    """Return a function: our grid of a file, and the tiers that the published code found."""
    recorded = json.loads((golden / "textgrid" / "parsed.json").read_text())

    def of(name):
        return read_textgrid(golden / "textgrid" / f"{name}.TextGrid"), recorded[f"{name}.TextGrid"]

    return of


def as_numbers(transcript):
    return [(*map(float, times), label) for *times, label in transcript]


def entries(tier):
    return [tuple(one) for one in tier.intervals or tier.points]


@pytest.mark.parametrize("name", SAME)
def test_files_that_it_read_well_are_read_alike(both, name):
    grid, old = both(name)
    assert (grid.start_s, grid.end_s) == (old["xmin"], old["xmax"])
    assert len(grid.tiers) == old["n_tiers_found"]
    for tier, theirs in zip(grid.tiers, old["tiers"], strict=True):
        assert tier.name == theirs["nameid"]
        assert tier.is_interval_tier == (theirs["classid"] == "IntervalTier")
        assert (tier.start_s, tier.end_s) == (theirs["xmin"], theirs["xmax"])
        assert entries(tier) == as_numbers(theirs["transcript"])


def test_the_short_format_no_longer_loses_the_last_phone(both):
    # Q26: 51 phones are in the file; the published code found 50.
    grid, old = both("storyshort")
    phones, words = old["tiers"]
    assert phones["size"] == 51
    assert len(phones["transcript"]) == 50
    assert len(grid.tiers[0]) == 51
    assert entries(grid.tiers[0])[:50] == as_numbers(phones["transcript"])
    assert grid.tiers[0].intervals[-1] == (8.6587, 8.765, "Z")
    assert entries(grid.tiers[1]) == as_numbers(words["transcript"])
    assert grid == both("storylong")[0]


@pytest.mark.parametrize("kind", ["long", "short"])
def test_doubled_quotes_no_longer_cut_a_label(both, kind):
    # Q27: the published code kept 'say '.
    grid, old = both(f"quirk_escaped_quotes_{kind}")
    assert old["tiers"][1]["transcript"][0][2] == "say "
    assert grid.tiers[1].intervals[0] == (0.0, 0.5, 'say "hi" now')
    assert [len(tier) for tier in grid.tiers] == [1, 3]


@pytest.mark.parametrize(("name", "start_s"), ITS_ERRORS.items())
def test_files_that_it_could_not_read_are_read(both, name, start_s):
    # Q28: each of these was an IndexError.
    grid, old = both(name)
    assert old["ERROR"].startswith("IndexError")
    assert grid.tiers[0].start_s == start_s
    assert grid.tiers[0].intervals[-1].text == "X"
    if name == "quirk_item_in_label":
        assert [one.text for one in grid.tiers[1].intervals] == ["an item [1] here", "b"]


def test_a_real_hand_corrected_file_is_read_whole(real_data):
    (path,) = (real_data / "alice" / "alice_stim_shared").glob("*.TextGrid")
    grid = read_textgrid(path)
    (tier,) = grid.tiers
    assert len(tier.intervals) == 2423
    assert (tier.start_s, tier.end_s) == (12.073065986394568, 743.6344265311994)
    assert tier.intervals[1] == (20.05891632653599, 20.621637414967992, "Alice")
    assert tier.intervals[0].onset_s == tier.start_s
    assert tier.intervals[-1].text == "sp"
    assert sum(one.text == "sp" for one in tier.intervals) == 290
