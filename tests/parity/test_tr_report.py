"""TR reports against what the published code read from the same files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from voxscale.data import TRReport, read_tr_report
from voxscale.errors import DataError, VoxscaleWarning


@pytest.fixture
def recorded(golden):
    """Return what the published code found, by file."""
    return json.loads((golden / "trfile" / "parsed.json").read_text())


@pytest.fixture
def ours(golden):
    """Return a function that reads one of the reports."""

    def read(name, **options):
        return read_tr_report(golden / "trfile" / f"{name}.report", **options)

    return read


@pytest.mark.parametrize("name", ["clean", "labels_START_END_first"])
def test_reports_that_it_read_well_are_read_alike(ours, recorded, name):
    report, old = ours(name), recorded[f"{name}.report"]
    np.testing.assert_allclose(report.trigger_times, old["rel"], rtol=0, atol=1e-9)
    assert report.tr_s == pytest.approx(old["avgtr"], abs=1e-12)
    assert report.sound_start_s == old["soundstarttime"]
    assert report.sound_stop_s == old["soundstoptime"]
    assert [list(one) for one in report.other] == old["otherlabels"]
    assert report.n_repaired == 0


def test_mid_tr_times_are_those_that_the_published_code_joins_words_with(ours, golden):
    sequences = json.loads((golden / "textgrid" / "datasequences.json").read_text())
    expected = sequences["from_grid_clean_report"]["tr_times"]
    np.testing.assert_allclose(ours("clean").tr_times, expected, rtol=0, atol=1e-9)


def test_one_missing_trigger_is_filled_within_a_millisecond_of_the_old_place(ours, recorded):
    old = recorded["missing_one.report"]
    with pytest.warns(VoxscaleWarning, match="1 of 12 TRs have no trigger"):
        report = ours("missing_one")
    np.testing.assert_allclose(report.trigger_times, old["rel"], rtol=0, atol=1e-3)
    assert report.tr_s == pytest.approx(old["avgtr"], abs=1e-12)
    # Its place: 2.0045 s after the one before, whatever the TR; ours: half way.
    assert old["trtimes"][5] == pytest.approx(13.1227)
    assert report.trigger_times[5] + report.sound_start_s == pytest.approx(13.12295)


def test_two_missing_triggers_are_no_longer_put_out_of_order(ours, recorded):
    # Q22: the second insertion came one place too early.
    old = recorded["missing_two_separate.report"]
    assert old["trtimes"][7:9] == [19.1367, 17.1322]
    with pytest.warns(VoxscaleWarning, match="2 of 12 TRs"):
        report = ours("missing_two_separate")
    np.testing.assert_allclose(
        report.trigger_times[7:9] + report.sound_start_s, [17.1322, 19.1364], rtol=0, atol=1e-9
    )
    np.testing.assert_allclose(report.trigger_times, np.sort(old["rel"]), rtol=0, atol=1e-3)


def test_a_gap_of_two_triggers_is_filled_with_two(ours, recorded):
    # Q23: one was inserted: 11 TRs of 2.2049 s, where 12 of 2.0045 s were scanned.
    old = recorded["missing_two_adjacent.report"]
    assert len(old["trtimes"]) == 11
    assert old["avgtr"] == pytest.approx(2.20494)
    with pytest.warns(VoxscaleWarning, match="2 of 12 TRs"):
        report = ours("missing_two_adjacent")
    assert len(report) == 12
    assert report.tr_s == pytest.approx(2.004490909)
    whole = recorded["clean.report"]["rel"]
    np.testing.assert_allclose(report.trigger_times, whole, rtol=0, atol=1e-3)


def test_an_unknown_onset_is_an_error_and_not_minus_one_second(ours, recorded):
    # Q24: the old onset was -1 s, so every time was 1 s late on the clock of the log.
    old = recorded["no_sound_start.report"]
    assert old["soundstarttime"] == -1
    assert old["rel"][0] == pytest.approx(3.1006 + 1)
    with pytest.raises(DataError, match="pass sound_start_s="):
        ours("no_sound_start")
    report = ours("no_sound_start", sound_start_s=9.3639)
    np.testing.assert_allclose(
        report.trigger_times, recorded["clean.report"]["rel"], rtol=0, atol=1e-9
    )


def test_a_blank_line_is_no_longer_an_error(ours, recorded):
    assert recorded["blank_line.report"]["ERROR"].startswith("IndexError")
    np.testing.assert_array_equal(ours("blank_line").trigger_times, ours("clean").trigger_times)


def test_simulated_reports_are_alike(recorded):
    old = recorded["simulated_tr2_start10_n13"]
    report = TRReport.simulated(13, tr_s=2.0, start_s=-10.0)
    np.testing.assert_array_equal(report.trigger_times, old["rel"])
    assert report.tr_s == old["avgtr"]
    assert report.sound_start_s == 10.0
    # Q24 again: without a start the old times began at 1 s; ours begin where they are told.
    default = recorded["simulated_default_n5"]
    assert default["rel"][0] == 1.0
    report = TRReport.simulated(5, tr_s=2.0045)
    np.testing.assert_allclose(report.trigger_times, default["trtimes"], rtol=0, atol=1e-12)
