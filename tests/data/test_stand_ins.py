"""TextGrids and TR files of published pickles."""

import numpy as np
import pytest

from voxscale.data import read_textgrid
from voxscale.data._released import StandIn
from voxscale.data._stand_ins import textgrid_of, tr_report_of
from voxscale.data._transcript import transcript_of
from voxscale.errors import DataError, VoxscaleWarning

SHORT = "\n".join(
    [
        'File type = "ooTextFile"', 'Object class = "TextGrid"', "", "0", "1.5", "<exists>", "2",
        '"IntervalTier"', '"phone"', "0", "1.5", "2", "0", "0.5", '"HH"', "0.5", "1.5", '"AY"',
        '"IntervalTier"', '"word"', "0", "1.5", "2", "0", "0.5", '"{sp}"', "0.5", "1.5", '"hi"',
    ]
)  # fmt: skip


def tier(rows, **held):
    own = {"nameid": "word", "xmin": "0", "xmax": "2", "simple_transcript": rows, **held}
    return StandIn("Tier", "ridge_utils.textgrid", own)


def grid(*tiers, **held):
    return StandIn("TextGrid", "ridge_utils.textgrid", {"tiers": list(tiers), **held})


def tr_file(times, sound=5.0, **held):
    own = {"trtimes": list(times), "soundstarttime": sound, **held}
    return StandIn("TRFile", "ridge_utils.stimulus_utils", own)


def test_tiers_of_text():
    made = textgrid_of(grid(tier([("0", "0.5", "sp"), ("0.5", "1.2", "Hi")])), "a")
    assert made.tiers[0].intervals[1] == (0.5, 1.2, "Hi")
    assert (made.start_s, made.end_s) == (0.0, 2.0)
    assert transcript_of(made, "a").words == ("Hi",)
    points = textgrid_of(grid(tier([("0.5", "click")])), "a").tiers[0]
    assert not points.is_interval_tier
    assert points.points[0] == (0.5, "click")


def test_the_text_of_the_file_goes_before_what_the_old_reader_made_of_it(tmp_path):
    """It lost the last interval of every tier but the last, in the short format."""
    lost = tier([("0", "0.5", "HH")], nameid="phone")
    made = textgrid_of(grid(lost, tier([]), read_file=SHORT), "a")
    (tmp_path / "a.TextGrid").write_text(SHORT)
    assert made == read_textgrid(tmp_path / "a.TextGrid")
    assert len(made.tiers[0]) == 2


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (grid(), r"story 'a': this TextGrid holds tiers; expected tiers, or the text"),
        (grid(tier("no rows")), "tier 0 has no simple_transcript"),
        (grid(tier([("0", "x", "hi")])), r"tier 0: 'x' is no time; expected seconds"),
        (grid(tier([("0", "nan", "hi")])), "'nan' is no time"),
        (grid(tier([("0", "1", "hi"), ("2", "x")])), "tier 0 has rows of 2, 3 parts; expected"),
        (grid(tier(["abc"])), "rows of 0 parts"),
        (grid(tier([("0", "1", b"\xff")])), "tier 0: text is not UTF-8"),
        (grid("no tier"), "tier 0 has no simple_transcript"),
    ],
)
def test_textgrids_that_cannot_be_had(given, match):
    with pytest.raises(DataError, match=match):
        textgrid_of(given, "story 'a'")


def test_tr_times_count_from_the_sound():
    made = tr_report_of([tr_file(3 + 2.0 * np.arange(5), 7.0)], "a")
    np.testing.assert_allclose(made.trigger_times, [-4, -2, 0, 2, 4])
    np.testing.assert_allclose(made.tr_times, [-3, -1, 1, 3, 5])
    assert made.sound_stop_s is None


def test_times_that_the_old_repair_left_out_of_order():
    times = [0.0, 2, 4, 8, 10, 14, 16]  # two triggers were missing, at 6 and at 12 s …
    repaired = [0.0, 2, 4, 6, 8, 12, 10, 14, 16]  # … and the second was put one place too early
    assert len(repaired) == len(times) + 2
    with pytest.warns(VoxscaleWarning, match=r"out of order.*grid of 9 TRs, 2 s apart"):
        made = tr_report_of(tr_file(repaired, expectedtr=2.0), "a")
    np.testing.assert_allclose(made.trigger_times + 5, 2.0 * np.arange(9))


@pytest.mark.parametrize(
    ("given", "match"),
    [
        (tr_file([1.0]), "1 times of TRs; expected two or more"),
        (tr_file(["x", 2]), "no numbers"),
        (tr_file([1.0, np.nan]), "2 times of TRs"),
        (tr_file([1.0, 3.0], sound=-1), "no onset of the sound, for which its class holds -1"),
        (tr_file([0.0, 2, 1, 9], expectedtr=2.0), "out of order, and 4 even TRs from 0 to 9 s"),
        ([], "0 times of TRs"),
        (tr_file([1.0, 3.0], otherlabels=[("x", "y")]), "'x' is no time"),
        (tr_file([1.0, 3.0], otherlabels=[(1.0,)]), "no numbers"),
        (tr_file([0.0, 2, 2.5, *range(4, 90, 2)]), "2.5 s are 0.5 s apart, where a TR is 2 s"),
    ],
)
def test_tr_files_that_cannot_be_had(given, match):
    with pytest.raises(DataError, match=match):
        tr_report_of(given, "a")
