"""Delays, z-scores, Lanczos and the tutorial's pipeline give the old code's numbers.

Where ours differs on purpose, the test states both.
"""

import numpy as np
import pytest

from voxscale.arrays import EventSeries, TRSeries
from voxscale.design import DesignRecipe, delay, lanczos, zscore
from voxscale.errors import AlignmentError

CLOSE = {"rtol": 1e-7, "atol": 1e-7}


@pytest.mark.parametrize("case", ["pos", "neg", "zero"])
def test_make_delayed(golden, case):
    with np.load(golden / "make_delayed.npz") as recorded:
        ours = delay(recorded["stim"], list(recorded[f"delays_{case}"]))
        np.testing.assert_allclose(ours, recorded[f"out_{case}"], **CLOSE)


@pytest.mark.parametrize("case", ["toolong", "neg_toolong"])
def test_delays_longer_than_the_run_were_silent_zeros_and_are_refused(golden, case):
    with np.load(golden / "make_delayed.npz") as recorded:
        stim, delays = recorded["stim"], list(recorded[f"delays_{case}"])
        too_long = [i for i, d in enumerate(delays) if abs(d) >= len(stim)]
        blocks = recorded[f"out_{case}"].reshape(len(stim), len(delays), -1)
        assert too_long
        assert not blocks[:, too_long].any()
        with pytest.raises(ValueError, match="do not fit in a run"):
            delay(stim, delays)


def test_delays_keep_float32_where_the_old_code_made_float64(golden):
    with np.load(golden / "make_delayed.npz") as recorded:
        ours = delay(recorded["stim_f32"], (0, 1))
        assert recorded["out_f32_delay01"].dtype == np.float64
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, recorded["out_f32_delay01"], **CLOSE)


@pytest.mark.parametrize("kind", ["", "_int", "_f32", "_nan"])
def test_zscore(golden, kind):
    with np.load(golden / "zscore.npz") as recorded:
        expected = recorded[f"npp_zs{kind}"]
        tolerance = {"rtol": 2e-6, "atol": 2e-6} if kind == "_f32" else CLOSE
        np.testing.assert_allclose(zscore(recorded[f"x{kind}"]), expected, **tolerance)


def test_zscore_of_a_column_that_is_constant_but_for_rounding(golden):
    with np.load(golden / "zscore.npz") as recorded:
        column = recorded["const_rounding_in"]
        off = np.abs(recorded["const_rounding_zs"]).max(axis=0) > 0.5
        assert off.any()  # the old code turned rounding into z = 1
        np.testing.assert_array_equal(zscore(column), 0)


@pytest.mark.parametrize("window", [1, 2, 3, 5])
@pytest.mark.parametrize("cutoff", ["0.5", "1", "2"])
def test_lanczos(golden, window, cutoff):
    with np.load(golden / "interp.npz") as recorded:
        tr_times = recorded["newtime"]
        ours = lanczos(
            EventSeries(recorded["data"], recorded["oldtime"]),
            tr_times,
            lobes=window,
            cutoff_hz=float(cutoff) / np.diff(tr_times).mean(),
        )
        np.testing.assert_allclose(ours, recorded[f"lanczos_w{window}_c{cutoff}"], **CLOSE)


def test_lanczos_of_other_types(golden):
    with np.load(golden / "interp.npz") as recorded:
        old, new = recorded["oldtime"], recorded["newtime"]
        of = {name: EventSeries(recorded[name], old) for name in ("data", "lanczos_bool_in")}
        np.testing.assert_allclose(lanczos(of["data"], new), recorded["lanczos_default"], **CLOSE)
        truths = lanczos(of["lanczos_bool_in"], new)
        np.testing.assert_allclose(truths, recorded["lanczos_bool"], **CLOSE)


def test_uneven_tr_times_were_averaged_and_are_refused(golden):
    with np.load(golden / "interp.npz") as recorded:
        assert np.isfinite(recorded["lanczos_uneven"]).all()
        events = EventSeries(recorded["data"], recorded["oldtime"])
        with pytest.raises(AlignmentError, match="expected evenly spaced"):
            lanczos(events, recorded["newtime_uneven"])


def test_word_sequence_downsampling(golden):
    with np.load(golden / "datasequence.npz") as recorded:
        ours = lanczos(EventSeries(recorded["data"], recorded["data_times"]), recorded["tr_times"])
        np.testing.assert_allclose(ours, recorded["lanczos"], **CLOSE)


def tutorial_runs(recorded):
    """Return the tutorial's features and responses as series that know their TRs."""
    runs = [key.removeprefix("feat/") for key in recorded.files if key.startswith("feat/")]
    features, responses = {}, {}
    for run in runs:
        n_trs = len(recorded[f"feat/{run}"])
        features[run] = TRSeries(recorded[f"feat/{run}"], run)
        responses[run] = TRSeries(recorded[f"resp/{run}"], run, 10, np.arange(n_trs) * 2.0)
    return features, responses


ROUNDED = [1, 5, 9, 13]  # delayed copies of feature 1, constant in a story but for rounding
REST = [column for column in range(16) if column not in ROUNDED]


def test_tutorial_design_matrices(golden):
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        features, responses = tutorial_runs(recorded)
        train = [str(run) for run in recorded["train_stories"]]
        recipe = DesignRecipe(trim=(10, 5), protocol="huth2023")
        X, Y = recipe.join(features, responses, train)
        np.testing.assert_allclose(X[:, REST], recorded["delRstim"][:, REST], **CLOSE)
        np.testing.assert_allclose(Y, recorded["Rresp"], **CLOSE)
        X, Y = DesignRecipe(trim=(50, 5), protocol="huth2023").join(features, responses, ["testX"])
        np.testing.assert_allclose(X[:, REST], recorded["delPstim"][:, REST], **CLOSE)
        np.testing.assert_allclose(Y, recorded["Presp"], **CLOSE)


def test_tutorial_feature_that_is_constant_but_for_rounding(golden):
    """The old z-score made it plus or minus one, ours makes it zero."""
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        features, responses = tutorial_runs(recorded)
        train = [str(run) for run in recorded["train_stories"]]
        recipe = DesignRecipe(trim=(10, 5), protocol="huth2023")
        X, _ = recipe.join(features, responses, train)
        differs = ~np.isclose(X[:, ROUNDED], recorded["delRstim"][:, ROUNDED], **CLOSE)
        assert differs.any()
        assert not X[:, ROUNDED][differs].any()
        np.testing.assert_allclose(np.abs(recorded["delRstim"][:, ROUNDED][differs]), 1)


def test_our_default_differs_only_where_stories_meet(golden):
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        features, responses = tutorial_runs(recorded)
        train = [str(run) for run in recorded["train_stories"]]
        X, _ = DesignRecipe(trim=(10, 5)).join(features, responses, train)
        theirs = recorded["delRstim"]
        same = np.isclose(X[:, REST], theirs[:, REST], **CLOSE).all(axis=1)
        starts = np.cumsum([len(responses[run]) for run in train])[:-1]
        assert set(np.flatnonzero(~same)) == {start + row for start in starts for row in range(4)}
        assert not X[starts].any()
        assert theirs[starts].any()
