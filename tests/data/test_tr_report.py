"""Event logs of scans."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from voxscale.arrays import EventSeries
from voxscale.data import TRReport, read_tr_report
from voxscale.data._triggers import repaired_triggers
from voxscale.design import lanczos
from voxscale.errors import DataError, VoxscaleWarning


@pytest.fixture
def read(tmp_path):
    """Return a function that reads lines as a report."""

    def read_it(lines, **options):
        path = tmp_path / "story.report"
        path.write_text(lines if isinstance(lines, str) else "\n".join(lines))
        return read_tr_report(path, **options)

    return read_it


def log(times, sound_start=0.0):
    return [f"{sound_start} sound-start", *(f"{time:.6f} trigger" for time in times)]


def test_times_count_from_the_onset_of_the_sound(read):
    report = read(
        ["10 init-trigger", "11.5 sound-start", "12 trigger", "14 trigger", "15 sound-stop"]
    )
    np.testing.assert_allclose(report.trigger_times, [-1.5, 0.5, 2.5])
    np.testing.assert_allclose(report.tr_times, [-0.5, 1.5, 3.5])
    assert report.tr_s == 2.0
    assert (report.sound_start_s, report.sound_stop_s) == (11.5, 15.0)
    assert report.n_repaired == 0
    assert len(report) == 3


def test_labels_follow_the_rules_of_the_published_code(read):
    lines = ["1 first trigger of all", "2 START story", "3 trigger", "4 key  press 4", "5 trigger"]
    report = read([*lines, "6 END", "7 end", "8 triggers"])
    np.testing.assert_allclose(report.trigger_times, [-1, 1, 3])
    assert (report.sound_start_s, report.sound_stop_s) == (2.0, 6.0)
    assert report.other == ((4.0, "key press 4"), (7.0, "end"), (8.0, "triggers"))
    assert read(["0 start of it", "1 trigger", "3 trigger"]).sound_start_s == 0.0


def test_blank_lines_tabs_and_order_do_not_matter(read):
    report = read("\n3.0\ttrigger\r\n\r\n  1.0   trigger\n\n5.0 trigger\n2.0 sound-start\n")
    np.testing.assert_allclose(report.trigger_times, [-1, 1, 3])


def test_two_triggers_are_enough(read):
    assert read(log([0, 1.5])).tr_s == 1.5


def test_no_gap_gives_no_warning(read, rng):
    times = np.arange(50) * 2.0045 + rng.uniform(-0.003, 0.003, 50)
    report = read(log(times))  # a warning would be an error
    assert report.n_repaired == 0
    np.testing.assert_array_equal(report.tr_times, report.trigger_times + report.tr_s / 2)


def test_a_jittered_log_is_evened_out_with_one_warning(read, rng):
    jitter = rng.uniform(-0.05, 0.05, 50)
    with pytest.warns(VoxscaleWarning, match=r"up to \d+ ms off an even grid, which is") as caught:
        report = read(log(10 + np.arange(50) * 2.0045 + jitter))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert report.n_repaired == 0
    slope, start = np.polyfit(np.arange(50), report.trigger_times, 1)
    expected = start + slope * np.arange(50) + report.tr_s / 2
    np.testing.assert_allclose(report.tr_times, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("late", [0, 7, 49])
def test_a_report_with_one_late_trigger_can_be_used(read, late):
    times = np.arange(50) * 2.0
    times[late] += 0.03
    message = r"story\.report: triggers lie up to (2\d|30) ms off an even grid, which is evened out"
    with pytest.warns(VoxscaleWarning, match=message):
        report = read(log(times))
    assert report.trigger_times[late] == pytest.approx(times[late])
    np.testing.assert_allclose(report.tr_times, np.arange(50) * 2.0 + 1, rtol=0, atol=5e-3)
    word = EventSeries(np.ones((1, 1)), [21.0])
    rows = lanczos(word, report.tr_times)
    np.testing.assert_allclose(rows, lanczos(word, np.arange(50) * 2.0 + 1), atol=0.01)


def test_what_is_too_uneven_is_not_evened_out():
    times = np.arange(30) * 2.0
    times[15:] += 0.5
    report = TRReport(times, 2.0)
    np.testing.assert_array_equal(report.tr_times, times + 1)


@pytest.mark.parametrize("missing", [[5], [5, 6], [5, 9], [3, 4, 5, 9, 15, 16]])
def test_missing_triggers_are_filled_where_they_were(read, missing):
    times = 3.0 + np.arange(20) * 2.0
    kept = np.delete(times, missing)
    message = rf"story\.report: {len(missing)} of 20 TRs have no trigger and were filled in"
    with pytest.warns(VoxscaleWarning, match=message) as caught:
        report = read(log(kept, sound_start=7.0))
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert report.n_repaired == len(missing)
    assert report.tr_s == pytest.approx(2.0)
    np.testing.assert_allclose(report.trigger_times, times - 7.0)


@st.composite
def lossy_runs(draw, gaps):
    """Draw TRs of a jittered run whose triggers were kept: every gap is one of those given."""
    steps = draw(st.lists(st.sampled_from(gaps), min_size=10, max_size=40))
    kept = np.concatenate([[0], np.cumsum(steps)])
    n_trs = int(kept[-1]) + 1
    tr_s = draw(st.sampled_from([0.72, 1.5, 2.0045]))
    jitter = draw(st.lists(st.floats(-0.01, 0.01), min_size=n_trs, max_size=n_trs).map(np.array))
    return steps, kept, (5 + np.arange(n_trs) + jitter) * tr_s, tr_s


def check_filled(filled, kept, times, tr_s):
    assert len(filled) == len(times)
    np.testing.assert_allclose(filled, times, rtol=0, atol=0.03 * tr_s)
    np.testing.assert_allclose(filled[kept], times[kept], rtol=0, atol=1e-9)


@settings(deadline=None)
@given(run=lossy_runs([1, 1, 2, 3, 5]))
def test_missing_triggers_are_found_where_one_pair_is_adjacent(run):
    steps, kept, times, tr_s = run
    assume(steps.count(1) >= max(1, 0.05 * len(steps)))
    assume(len(kept) >= len(times) / 3)
    check_filled(repaired_triggers(times[kept], None, "a.report"), kept, times, tr_s)


@settings(deadline=None)
@given(run=lossy_runs([2, 3, 4, 7]))
def test_missing_triggers_are_found_by_the_expected_tr_where_no_pair_is_adjacent(run):
    _, kept, times, tr_s = run
    check_filled(repaired_triggers(times[kept], tr_s * 1.004, "a.report"), kept, times, tr_s)


def test_a_long_gap_is_filled_by_the_tr_as_logged_and_not_as_expected(read):
    times = np.arange(400) * 2.0045
    kept = np.delete(times, np.arange(50, 350))
    with pytest.warns(VoxscaleWarning, match="300 of 400 TRs"):
        report = read(log(kept), expected_tr_s=2.0)
    np.testing.assert_allclose(report.trigger_times, times, rtol=0, atol=1e-4)


@pytest.mark.parametrize("times", [[0, 2, 6, 8, 12], [0, 4, 8, 12, 14, 16, 20, 24]])
def test_a_run_that_lost_half_of_its_triggers_is_repaired(read, times):
    with pytest.warns(VoxscaleWarning, match=r"TRs have no trigger.*a TR is 2 s \(if not, pass"):
        report = read(log(times))
    np.testing.assert_allclose(report.trigger_times, np.arange(0, times[-1] + 1, 2))
    assert report.tr_s == 2.0


def test_jitter_does_not_add_up_over_a_long_gap(rng):
    # The median of single gaps is off by 0.1 %: over 150 TRs that is more than a log may be off.
    for _ in range(60):
        times = (np.arange(400) + rng.normal(0, 0.01, 400)) * rng.uniform(0.8, 2.5)
        first = int(rng.integers(20, 100))
        missing = np.arange(first, first + int(rng.integers(100, 200)))
        kept = np.delete(np.arange(400), missing)
        filled = repaired_triggers(times[kept], None, "a.report")
        assert len(filled) == 400
        np.testing.assert_array_equal(filled[kept], times[kept])


@pytest.mark.parametrize("tr_s", [0.8, 2.0])
def test_the_warning_says_whether_jitter_is_evened_out(read, tr_s):
    grid = np.arange(40) * tr_s
    jittered = grid.copy()
    jittered[20] += 0.08 * tr_s
    with pytest.warns(VoxscaleWarning, match=r"off an even grid, which is evened out\."):
        report = read(log(jittered))
    np.testing.assert_allclose(report.tr_times, grid + tr_s / 2, rtol=0, atol=0.01 * tr_s)
    drifting = np.concatenate([grid[:20], grid[20:] + 0.05 * tr_s * np.arange(1, 21)])
    message = r"off an even grid, which is too much to be evened out\."
    with pytest.warns(VoxscaleWarning, match=message):
        report = read(log(drifting))
    np.testing.assert_allclose(report.trigger_times, drifting, atol=1e-6)
    np.testing.assert_array_equal(report.tr_times, report.trigger_times + report.tr_s / 2)


def test_the_expected_tr_tells_what_no_gap_shows(read):
    assert read(log([0, 4, 8, 12])).tr_s == 4.0
    with pytest.warns(VoxscaleWarning, match="3 of 7 TRs"):
        report = read(log([0, 4, 8, 12]), expected_tr_s=2.0)
    np.testing.assert_allclose(report.trigger_times, np.arange(0, 13, 2))


def test_a_gap_that_is_no_multiple_of_the_tr_is_an_error(read):
    message = r"at 4\.0 and 7\.0 s are 3 s apart; expected a multiple .* 2 s; pass expected_tr_s="
    with pytest.raises(DataError, match=message):
        read(log([0, 2, 4, 7, 9, 11]))
    with pytest.raises(DataError, match=message):
        read(log([0, 2, 4, 7, 9, 11]), expected_tr_s=2.0)
    with pytest.warns(VoxscaleWarning, match="6 of 12 TRs"):
        assert read(log([0, 2, 4, 7, 9, 11]), expected_tr_s=1.0).tr_s == 1.0


@pytest.mark.parametrize("at", [0.02, 0.4, 0.666, 1.0, 1.1, 1.5, 1.99])
def test_a_trigger_too_many_in_a_long_run_is_an_error(read, at):
    times = np.arange(100) * 2.0
    with pytest.raises(DataError, match=r"triggers at .* s apart"):
        read(log([*times[:50], times[49] + at, *times[50:]]))


@pytest.mark.parametrize("bad", [0.0, -2.0, float("nan"), float("inf")])
def test_an_impossible_tr_is_a_bad_argument(read, bad):
    with pytest.raises(ValueError, match="expected_tr_s is"):
        read(log([0, 2, 4]), expected_tr_s=bad)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_an_onset_of_the_sound_that_is_not_finite_is_a_bad_argument(read, bad):
    with pytest.raises(ValueError, match=f"sound_start_s is {bad}; expected finite seconds"):
        read(["0 trigger", "2 trigger"], sound_start_s=bad)


def test_no_onset_of_the_sound_is_an_error_that_says_what_to_do(read):
    lines = ["1 trigger", "3 trigger"]
    with pytest.raises(DataError, match=r"0 sound-start labels \(none\).*pass sound_start_s="):
        read(lines)
    report = read(lines, sound_start_s=2.0)
    np.testing.assert_allclose(report.trigger_times, [-1, 1])
    assert report.sound_start_s == 2.0


def test_two_onsets_of_the_sound_are_not_chosen_between(read):
    lines = ["0 start scanner", "1 trigger", "3 trigger", "3.5 sound-start"]
    with pytest.raises(
        DataError, match=r"2 sound-start labels \(0\.0 'start scanner', 3\.5 'sound"
    ):
        read(lines)
    assert read(lines, sound_start_s=3.5).sound_start_s == 3.5


@pytest.mark.parametrize(("lines", "n"), [(["0 sound-start", "1 trigger"], 1), (["0 hello"], 0)])
def test_fewer_than_two_triggers_are_an_error(read, lines, n):
    with pytest.raises(DataError, match=f"{n} triggers; expected two or more"):
        read(lines)


@pytest.mark.parametrize("line", ["x trigger", "1.0", "nan trigger", "1,5 trigger", "1_0 trigger"])
def test_a_bad_line_is_named(read, line):
    with pytest.raises(DataError, match=rf"story\.report, line 2: '{line}'; expected a time"):
        read(["0 sound-start", line, "2 trigger"])


def test_a_trigger_too_many_is_an_error(read):
    with pytest.raises(DataError, match=r"triggers at 4\.0 and 4\.01 s are 0\.01 s apart"):
        read(log([0, 2, 4, 4.01, 6, 8]))
    with pytest.raises(DataError, match=r"triggers at 1\.0 and 1\.0 s"):
        read(log([1, 1, 1]))


def test_the_length_of_a_tr_may_be_checked(read):
    assert read(log([0, 2.004, 4.01]), expected_tr_s=2.0).tr_s == pytest.approx(2.005)
    with pytest.raises(DataError, match=r"median time between triggers is 1\.5 s; expected 2\.0 s"):
        read(log([0, 1.5, 3]), expected_tr_s=2.0)


def test_a_pointer_is_not_a_report(read):
    with pytest.raises(DataError, match="not fetched"):
        read("/annex/objects/MD5E-s1--0.report")


def test_simulated_reports_start_where_they_are_told():
    report = TRReport.simulated(4, tr_s=1.5, start_s=-3.0)
    np.testing.assert_array_equal(report.trigger_times, [-3.0, -1.5, 0.0, 1.5])
    np.testing.assert_array_equal(report.tr_times, [-2.25, -0.75, 0.75, 2.25])
    assert (report.tr_s, report.sound_start_s, report.sound_stop_s) == (1.5, 3.0, None)
    assert len(TRReport.simulated(1)) == 1
    np.testing.assert_array_equal(TRReport.simulated(2).tr_times, [1.0, 3.0])


def test_times_of_a_report_are_read_only_copies():
    times = np.array([0.0, 2.0])
    report = TRReport(times, 2.0)
    times[0] = 9.0
    assert report.trigger_times[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        report.trigger_times[0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_trs": 0}, "n_trs is 0; expected 1 or more"),
        ({"n_trs": 3, "tr_s": 0.0}, r"tr_s is 0\.0"),
        ({"n_trs": 3, "tr_s": float("nan")}, "tr_s is nan"),
        ({"n_trs": 3, "start_s": float("inf")}, "start_s is inf"),
    ],
)
def test_impossible_simulations_are_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        TRReport.simulated(**arguments)


@pytest.mark.parametrize("n_trs", [10.5, 10.0, "10", None])
def test_a_number_of_trs_is_whole(n_trs):
    with pytest.raises(TypeError, match=rf"n_trs is {n_trs!r}; expected a whole number"):
        TRReport.simulated(n_trs)


def test_a_number_of_trs_may_be_numpys():
    assert len(TRReport.simulated(np.int32(10))) == 10
