"""Delays, z-scores, Lanczos and the tutorial's pipeline give the old code's numbers.

Where ours differs on purpose, the test states both.
"""

import numpy as np
import pytest

from voxscale.arrays import EventSeries, TRSeries
from voxscale.design import DesignRecipe, delay, lanczos, zscore
from voxscale.errors import AlignmentError
from voxscale.fit import RidgeCV
from voxscale.study import Protocol

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


def joined(recorded, recipe, runs):
    features, responses = tutorial_runs(recorded)
    return recipe.join(features, responses, runs, dtype="float64")


def training_runs(recorded):
    return [str(run) for run in recorded["train_stories"]]


def test_tutorial_design_matrices(golden):
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        recipe = DesignRecipe(trim=(10, 5), protocol="huth2023")
        X, Y = joined(recorded, recipe, training_runs(recorded))
        np.testing.assert_allclose(X, recorded["delRstim"], **CLOSE)
        np.testing.assert_allclose(Y, recorded["Rresp"], **CLOSE)
        X, Y = joined(recorded, DesignRecipe(trim=(50, 5), protocol="huth2023"), ["testX"])
        np.testing.assert_allclose(X, recorded["delPstim"], **CLOSE)
        np.testing.assert_allclose(Y, recorded["Presp"], **CLOSE)


def test_tutorial_from_features_to_scores(golden):
    """Features and responses in; held-out scores, penalties, weights and test scores out."""
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        recipe = DesignRecipe(trim=(10, 5), protocol="huth2023")
        X, Y = joined(recorded, recipe, training_runs(recorded))
        held_out = [np.sort(rows) for rows in recorded["valinds"]]
        cv = [(np.setdiff1d(np.arange(len(X)), rows), rows) for rows in held_out]
        alphas = recorded["alphas"] ** 2  # theirs are square roots of ours
        model = RidgeCV(alphas, cv, scoring="huth2023", dtype="float64", device="cpu").fit(X, Y)
        np.testing.assert_allclose(model.cv_scores_, recorded["bscorrs"], **CLOSE)
        np.testing.assert_allclose(model.best_alphas_, recorded["valphas"] ** 2, **CLOSE)
        np.testing.assert_allclose(model.coef_, recorded["wt"], **CLOSE)
        X, Y = joined(recorded, DesignRecipe(trim=(50, 5), protocol="huth2023"), ["testX"])
        explained = 1 - (Y - model.predict(X)).var(axis=0) / Y.var(axis=0)
        signed_root = np.sign(explained) * np.sqrt(np.abs(explained))
        np.testing.assert_allclose(signed_root, recorded["corrs"], **CLOSE)


def test_the_protocol_makes_the_tutorial_s_designs_and_chunks(golden):
    """The file that a study names, on the notebook's own numbers."""
    protocol = Protocol.named("huth2023")
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        recipe, train = protocol.recipe(test=["testX"]), training_runs(recorded)
        X, Y = joined(recorded, recipe, train)
        np.testing.assert_allclose(X, recorded["delRstim"], **CLOSE)
        np.testing.assert_allclose(Y, recorded["Rresp"], **CLOSE)
        X_test, Y_test = joined(recorded, recipe, ["testX"])
        np.testing.assert_allclose(X_test, recorded["delPstim"], **CLOSE)
        np.testing.assert_allclose(Y_test, recorded["Presp"], **CLOSE)
        np.testing.assert_allclose(protocol.fit.penalties, recorded["alphas"] ** 2)
        lengths = [len(recorded[f"resp/{run}"]) for run in train]
        ours, theirs = protocol.splits(lengths), recorded["valinds"]
    assert len(ours) == len(theirs)
    for (_, held), rows in zip(ours, theirs, strict=True):
        assert len(held) == len(rows)  # as many chunks, of as many rows …
        starts = np.sort(rows).reshape(-1, 20)[:, 0] % 20
        assert not starts.any()  # … cut from the first row on, as ours
        assert not (held.reshape(-1, 20)[:, 0] % 20).any()


# Delayed copies of feature 1, which is constant in a story but for rounding.
ROUNDED = [1, 5, 9, 13]
REST = [column for column in range(16) if column not in ROUNDED]


def test_a_feature_that_is_constant_but_for_rounding(golden):
    """The old z-score made it plus or minus one, our default makes it zero."""
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        X, _ = joined(recorded, DesignRecipe(trim=(10, 5)), training_runs(recorded))
        first = slice(4, 60)  # of the first story, past its delays
        np.testing.assert_allclose(np.abs(recorded["delRstim"][first][:, ROUNDED]), 1)
        assert not X[first][:, ROUNDED].any()


def test_our_default_differs_else_only_where_stories_meet(golden):
    with np.load(golden / "tutorial_pipeline.npz") as recorded:
        train = training_runs(recorded)
        X, _ = joined(recorded, DesignRecipe(trim=(10, 5)), train)
        theirs = recorded["delRstim"]
        same = np.isclose(X[:, REST], theirs[:, REST], **CLOSE).all(axis=1)
        starts = np.cumsum([len(recorded[f"resp/{run}"]) for run in train])[:-1]
        assert set(np.flatnonzero(~same)) == {start + row for start in starts for row in range(4)}
        assert not X[starts].any()
        assert theirs[starts].any()


def test_circular_delays_are_not_offered_and_truth_values_stay_whole(golden):
    """The old code could wrap a run around, and turned integers into floats; ours keeps types."""
    with np.load(golden / "make_delayed.npz") as recorded:
        wrapped = recorded["out_pos_circ"]
        ours = delay(recorded["stim"], list(recorded["delays_pos_circ"]))
        assert not np.array_equal(ours, wrapped)
        np.testing.assert_array_equal(ours[4:], wrapped[4:])  # but for the rows without a past
        whole = delay(recorded["stim_int"], (1,))
        assert (whole.dtype, recorded["out_int_delay1"].dtype) == (np.int64, np.float64)
        np.testing.assert_array_equal(whole, recorded["out_int_delay1"])


def test_lanczos_of_float32_stays_float32(golden):
    with np.load(golden / "interp.npz") as recorded:
        events = EventSeries(recorded["data"].astype(np.float32), recorded["oldtime"])
        ours = lanczos(events, recorded["newtime"])
        assert (ours.dtype, recorded["lanczos_f32"].dtype) == (np.float32, np.float64)
        np.testing.assert_allclose(ours, recorded["lanczos_f32"], rtol=2e-7, atol=2e-7)
