"""Joining: by TR number, one run at a time."""

import numpy as np
import pytest

from voxscale.arrays import EventSeries, TRSeries
from voxscale.design import DesignRecipe, delay, lanczos, zscore
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning

TR_TIMES = np.arange(30) * 2.0 + 1


@pytest.fixture
def events(rng):
    return {
        run: EventSeries(rng.standard_normal((70, 3)), np.sort(rng.uniform(0, 60, 70)))
        for run in ("one", "two")
    }


@pytest.fixture
def responses(rng):
    return {
        run: TRSeries(rng.standard_normal((20, 5)), run, first_tr=6, tr_times=TR_TIMES)
        for run in ("one", "two")
    }


def test_join_equals_the_steps_by_hand(events, responses):
    recipe = DesignRecipe(delays=(1, 3), trim=(7, 5))
    X, Y = recipe.join(events, responses, ["two", "one"])
    expected_X, expected_Y = [], []
    for run in ("two", "one"):
        rows = lanczos(events[run], TR_TIMES)[7:25]
        expected_X.append(delay(zscore(rows), (1, 3)))
        expected_Y.append(zscore(responses[run].values[1:19]))  # row 0 is TR 6
    np.testing.assert_allclose(X, np.concatenate(expected_X), atol=1e-6)
    np.testing.assert_allclose(Y, np.concatenate(expected_Y), atol=1e-6)
    assert X.dtype == Y.dtype == np.float32
    assert recipe.run_lengths(responses, ["two", "one"]) == [18, 18]


def test_a_planted_response_lands_on_its_own_rows(rng, events):
    """If BOLD is feature 0 two TRs later, the column of delay 2 is the response itself."""
    responses = {}
    for run, series in events.items():
        bold = np.roll(lanczos(series, TR_TIMES)[:, :1], 2, axis=0)
        responses[run] = TRSeries(bold[8:28], run, first_tr=8, tr_times=TR_TIMES)
    X, Y = DesignRecipe(delays=(1, 2), trim=(8, 2)).join(events, responses, ["one", "two"])
    per_run = [slice(2, 20), slice(22, 40)]  # the first rows of a run have no past
    for rows in per_run:
        assert np.corrcoef(X[rows, 3], Y[rows, 0])[0, 1] > 0.999999
        assert np.corrcoef(X[rows, 0], Y[rows, 0])[0, 1] < 0.9


def test_nothing_crosses_a_run_boundary(events, responses):
    recipe = DesignRecipe(delays=(1, 2, 3, 4), trim=(6, 4))
    X, _ = recipe.join(events, responses, ["one", "two"])
    assert not X[20].any()  # the first row of the second run has no past


def test_old_protocol_runs_on_and_keeps_responses(events, responses):
    recipe = DesignRecipe(delays=(1,), trim=(6, 4), protocol="huth2023")
    X, Y = recipe.join(events, responses, ["one", "two"])
    z = np.concatenate([zscore(lanczos(events[r], TR_TIMES)[6:26]) for r in ("one", "two")])
    np.testing.assert_allclose(X[1:], z[:-1], atol=1e-6)
    np.testing.assert_allclose(Y[:20], responses["one"].values, atol=1e-6)


def test_several_spaces_stand_side_by_side(events, responses):
    recipe = DesignRecipe(delays=(1,), trim=(6, 4))
    rate = {run: EventSeries(np.ones((70, 1)), series.times) for run, series in events.items()}
    both, _ = recipe.join([events, rate], responses, ["one"])
    alone, _ = recipe.join(events, responses, ["one"])
    assert both.shape == (20, 4)
    np.testing.assert_array_equal(both[:, :3], alone)


def test_features_already_at_trs_are_taken_as_they_are(events, responses):
    recipe = DesignRecipe(trim=(6, 4))
    at_trs = {run: recipe.downsample(one, TR_TIMES, run) for run, one in events.items()}
    np.testing.assert_array_equal(
        recipe.join(at_trs, responses, ["one", "two"])[0],
        recipe.join(events, responses, ["one", "two"])[0],
    )


def test_mismatch_names_the_run_and_both_ranges(events, responses):
    with pytest.raises(
        AlignmentError, match=r"run 'one': responses cover TRs 6\.\.25, .* TRs 2\.\.24 of the run"
    ):
        DesignRecipe(trim=(2, 5)).join(events, responses, ["one"])


def test_missing_runs_times_and_rows_are_named(events, responses, rng):
    with pytest.raises(
        AlignmentError, match=r"responses hold no run 'three'; they hold 'one', 'two'"
    ):
        DesignRecipe(trim=(6, 4)).join(events, responses, ["three"])
    with pytest.raises(AlignmentError, match=r"features hold no run 'one'; they hold none"):
        DesignRecipe(trim=(6, 4)).join({}, responses, ["one"])
    timeless = {"one": TRSeries(rng.standard_normal((20, 5)), "one")}
    with pytest.raises(AlignmentError, match="carry no TR times"):
        DesignRecipe(trim=(6, 4)).join(events, timeless, ["one"])
    with pytest.raises(AlignmentError, match="Trim less"):
        DesignRecipe(trim=(20, 10)).join(events, responses, ["one"])
    with pytest.raises(AlignmentError, match="no run to concatenate"):
        DesignRecipe(trim=(6, 4)).join(events, responses, [])


def test_bad_settings():
    with pytest.raises(ValueError, match="none negative"):
        DesignRecipe(trim=(-1, 5))
    with pytest.raises(ValueError, match="protocol 'huth' is unknown"):
        DesignRecipe(protocol="huth")


def test_features_that_are_too_short_are_named(responses, rng):
    short = {"one": TRSeries(rng.standard_normal((20, 3)), "one")}
    with pytest.raises(
        AlignmentError, match=r"run 'one': features cover TRs 0\.\.19, .* TRs 6\.\.25 of the run"
    ):
        DesignRecipe(trim=(6, 4)).join(short, responses, ["one"])


def test_a_series_listed_under_another_run_is_refused(events, responses):
    swapped = {"one": responses["two"], "two": responses["one"]}
    with pytest.raises(
        AlignmentError, match="listed under run 'one' say that they are of run 'two'"
    ):
        DesignRecipe(trim=(6, 4)).join(events, swapped, ["one"])


def test_words_on_another_clock_are_refused(responses, rng):
    late = {"one": EventSeries(rng.standard_normal((30, 3)), np.linspace(1000, 1060, 30))}
    with pytest.raises(AlignmentError, match=r"TRs lie at 1\.0\.\.59\.0 s, its events at 1000\.0"):
        DesignRecipe(trim=(6, 4)).join(late, responses, ["one"])


def words_at(times):
    times = np.asarray(times, dtype=float)
    return {"one": EventSeries(np.sin(times)[:, None], times)}


@pytest.mark.parametrize(
    ("times", "told"),
    [
        # Three words in four before the scan.
        (
            np.linspace(-150, 50, 300),
            r"-150\.0\.\.50\.0 s: 216 of 300 lie more than 6\.0 s outside",
        ),
        # The first word is heard in any unit.
        (1000 * np.linspace(0, 60, 300), r"0\.0\.\.60000\.0 s: 299 of 300 .* or in milliseconds"),
        # All within the filter's reach, but none within the run.
        (np.linspace(-5, -1, 30), r"-5\.0\.\.-1\.0 s: 0 of 30"),
        ([], r"its events at none: 0 of 0"),
    ],
)
def test_a_run_that_hears_less_than_half_of_its_words_is_refused(responses, times, told):
    with pytest.raises(AlignmentError, match=rf"run 'one': its TRs lie at 1\.0\.\.59\.0 s.*{told}"):
        DesignRecipe(trim=(6, 4)).join(words_at(times), responses, ["one"])
    with pytest.raises(AlignmentError, match=told):
        DesignRecipe().downsample(words_at(times)["one"], TR_TIMES, "one")


def test_words_that_are_lost_are_counted_once(responses):
    recipe = DesignRecipe(trim=(6, 4))
    words = words_at([*np.linspace(0, 60, 50), -6.0, 66.0, -6.1, 66.1, 90.0])  # 6 s: the reach
    told = r"run 'one': 3 of 55 events lie more than 6\.0 s outside its TRs \(1\.0\.\.59\.0 s\)"
    with pytest.warns(VoxscaleWarning, match=told) as caught:
        recipe.join([words, words], responses, ["one", "one"])
    assert [one.filename for one in caught] == [__file__]
    with pytest.warns(VoxscaleWarning, match=told) as caught:
        recipe.downsample(words["one"], TR_TIMES, "one")
    assert [one.filename for one in caught] == [__file__]
    farther = DesignRecipe(trim=(6, 4), cutoff_hz=0.1)  # reaches 30 s, so that each word counts
    farther.join(words, responses, ["one"])


def test_half_of_the_words_suffice(responses):
    words = words_at([*np.linspace(0, 60, 10), *np.linspace(100, 200, 10)])
    with pytest.warns(VoxscaleWarning, match="10 of 20 events"):
        DesignRecipe(trim=(6, 4)).join(words, responses, ["one"])
    words = words_at([*np.linspace(0, 60, 10), *np.linspace(100, 200, 11)])
    with pytest.raises(AlignmentError, match="11 of 21"):
        DesignRecipe(trim=(6, 4)).join(words, responses, ["one"])


@pytest.mark.parametrize(
    ("tr_times", "told"),
    [
        (np.arange(30) * 1.5 + 1, r"30 TRs of 1\.500 s at 1\.00\.\.44\.50 s"),
        (TR_TIMES + 0.03, r"30 TRs of 2\.000 s at 1\.03\.\.59\.03 s"),
        (np.arange(31) * 2.0 + 1, r"31 TRs of 2\.000 s at 1\.00\.\.61\.00 s"),
    ],
)
def test_features_of_another_clock_are_refused(responses, rng, tr_times, told):
    features = {"one": TRSeries(rng.standard_normal((30, 2)), "one", 0, tr_times)}
    ours = r"30 TRs of 2\.000 s at 1\.00\.\.59\.00 s"
    with pytest.raises(
        AlignmentError,
        match=rf"run 'one': its responses and its features .* former have {ours}, .* {told}",
    ):
        DesignRecipe(trim=(6, 4)).join(features, responses, ["one"])


def test_a_clock_may_be_rounded(responses, rng):
    values = rng.standard_normal((30, 2))
    recipe = DesignRecipe(trim=(6, 4))
    rounded = {"one": TRSeries(values, "one", 0, TR_TIMES + 0.01)}
    timeless = {"one": TRSeries(values, "one")}
    X, _ = recipe.join(rounded, responses, ["one"])
    np.testing.assert_array_equal(X, recipe.join(timeless, responses, ["one"])[0])


def test_features_past_the_end_of_the_run_are_refused(responses, rng):
    longer = {"one": TRSeries(rng.standard_normal((37, 2)), "one")}
    with pytest.raises(
        AlignmentError, match=r"run 'one': features cover TRs 0\.\.36, .* the run has TRs 0\.\.29"
    ):
        DesignRecipe(trim=(6, 4)).join(longer, responses, ["one"])


def test_a_spread_that_float32_cannot_hold_is_seen_before_rounding(events, rng):
    spread = rng.standard_normal((20, 2))
    stored = 2e4 + 0.01 * spread[:, :1], 1e39 * spread[:, 1:]
    responses = {"one": TRSeries(np.hstack(stored), "one", 6, TR_TIMES)}
    _, Y = DesignRecipe(trim=(6, 4)).join(events, responses, ["one"])
    assert Y.dtype == np.float32
    np.testing.assert_allclose(Y, zscore(spread), atol=1e-5)


@pytest.mark.parametrize("dtype", ["bool", "int16", "float16", "float32"])
def test_responses_of_any_type_are_scaled_in_full(events, rng, dtype):
    """As if they had been float32 from the start: float16 would leave three digits of z-scores."""
    stored = (100 * rng.standard_normal((20, 5))).astype(dtype)
    stored[0] = False
    responses = {"one": TRSeries(stored, "one", 6, TR_TIMES)}
    _, Y = DesignRecipe(trim=(6, 4)).join(events, responses, ["one"])
    np.testing.assert_array_equal(Y, zscore(stored.astype(np.float32)))


def test_responses_as_they_are_stored(events, responses):
    recipe = DesignRecipe(trim=(6, 4), zscore_responses=False)
    _, Y = recipe.join(events, responses, ["one"])
    np.testing.assert_array_equal(Y, responses["one"].values.astype(np.float32))


@pytest.mark.parametrize("dtype", ["int32", "float16", "foo", "longdouble", None, ["f4"]])
def test_other_dtypes_are_refused(events, responses, dtype):
    with pytest.raises(ValueError, match="is unknown; choose one of float32, float64"):
        DesignRecipe(trim=(6, 4)).join(events, responses, ["one"], dtype=dtype)


def test_an_uneven_grid_names_its_run(events, rng):
    uneven = TR_TIMES.copy()
    uneven[7] += 0.5
    responses = {"one": TRSeries(rng.standard_normal((20, 5)), "one", 6, uneven)}
    with pytest.raises(AlignmentError, match=r"run 'one': TR 6 and TR 7 are 2\.5000 s apart"):
        DesignRecipe(trim=(6, 4)).join(events, responses, ["one"])


def test_float64_on_request(events, responses):
    for dtype in ("float64", np.float64, np.dtype("float64")):
        X, Y = DesignRecipe(trim=(6, 4)).join(events, responses, ["one"], dtype=dtype)
        assert X.dtype == Y.dtype == np.float64


def test_what_is_no_series_is_refused(events, responses):
    recipe = DesignRecipe(trim=(6, 4))
    with pytest.raises(TypeError, match="of type ndarray; expected TRSeries"):
        recipe.join(events, {"one": np.ones((20, 5))}, ["one"])
    with pytest.raises(AlignmentError, match=r"features hold no run 'one'; they hold 15"):
        recipe.join({15: events}, responses, ["one"])
    with pytest.raises(ValueError, match="no features to join"):
        recipe.join([], responses, ["one"])


@pytest.mark.parametrize(
    "bad", [{"delays": 4}, {"trim": 10}, {"delays": (1.5,)}, {"trim": (6.0, 4)}]
)
def test_settings_that_are_no_whole_numbers(bad):
    with pytest.raises(TypeError, match="expected a sequence of whole numbers of TRs"):
        DesignRecipe(**bad)


def test_settings_without_width():
    with pytest.raises(ValueError, match="delays is empty"):
        DesignRecipe(delays=())
    with pytest.raises(ValueError, match="expected both to be positive"):
        DesignRecipe(lobes=0)
    with pytest.raises(ValueError, match="expected both to be positive"):
        DesignRecipe(cutoff_hz=float("nan"))


def test_trimming_that_leaves_less_than_the_delays_reach_names_the_run(events, responses):
    recipe = DesignRecipe(delays=(1, 4), trim=(20, 6))
    with pytest.raises(AlignmentError, match=r"run 'one' has 30 TRs.*leaves 4, and delays reach 4"):
        recipe.join(events, responses, ["one"])
    assert len(DesignRecipe(delays=(1, 4), trim=(19, 6)).join(events, responses, ["one"])[0]) == 5


@pytest.mark.parametrize("protocol", [None, "huth2023"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_no_numbers_are_named(rng, responses, protocol, bad):
    whole = {run: rng.standard_normal((30, 4)) for run in ("one", "two")}
    whole["two"][11, 3] = whole["two"][13, 0] = bad
    whole["two"][2] = np.nan  # trimmed off
    spaces = {run: TRSeries(values, run, tr_times=TR_TIMES) for run, values in whole.items()}
    narrow = {run: TRSeries(whole["one"][:, :2], run, tr_times=TR_TIMES) for run in whole}
    recipe = DesignRecipe(trim=(7, 5), **({"protocol": protocol} if protocol else {}))
    recipe.join(spaces, responses, ["one"])
    message = rf"run 'two': feature 3 of space 1 is {bad} at TR 11 .* one of 2 such values"
    with pytest.raises(DataError, match=message):
        recipe.join([narrow, spaces], responses, ["one", "two"])
