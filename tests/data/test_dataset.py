"""Data sets: what holds together, and how they are found."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest

from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.data import Dataset, Transcript, TRReport, check_run, datasets, load
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning


def series(run, n_trs=6, n_voxels=4):
    return TRSeries(np.ones((n_trs, n_voxels)), run)


def make(**changes):
    runs = ("souls", "naked", "buck")
    fields = {
        "name": "moth",
        "subject": "01",
        "words": {run: Transcript(["hi"], [1.0]) for run in runs},
        "responses": {run: series(run) for run in runs},
        "trials": {"buck": (series("buck"), series("buck"))},
        "train": ["souls", "naked"],
        "test": ["buck"],
        "tr_s": 2.0,
    }
    return Dataset(**(fields | changes))


class Lazy(Mapping):
    """Makes a run when it is asked for, and remembers which."""

    def __init__(self, runs):
        self.runs = runs
        self.read = []

    def __getitem__(self, run):
        self.read.append(run)
        return series(run)

    def __iter__(self):
        return iter(self.runs)

    def __len__(self):
        return len(self.runs)


# --- Dataset -------------------------------------------------------------------------------


def test_a_dataset_splits_by_story():
    data = make()
    assert data.split() == (["souls", "naked"], ["buck"])
    assert (data.train, data.test) == (("souls", "naked"), ("buck",))
    assert data.n_voxels == 4
    assert (data.audio, data.space, data.licence, data.citation, data.truth) == (
        {},
        None,
        "",
        "",
        None,
    )


def test_repr_is_short():
    assert repr(make()) == "Dataset('moth', subject '01': 2 training and 1 test runs, TR 2.0 s)"


def test_a_dataset_is_frozen():
    with pytest.raises(AttributeError):
        make().subject = "02"


def test_runs_outside_the_splits_are_allowed():
    data = make(train=["souls"])
    assert "naked" in data.responses


def test_lazy_responses_are_not_read_until_they_are_asked_for():
    lazy = Lazy(["souls", "naked", "buck"])
    trials = Lazy(["buck"])
    data = make(responses=lazy, trials=trials)
    assert lazy.read == trials.read == []
    assert data.n_voxels == 4
    assert lazy.read == ["souls"]
    repr(data)
    assert lazy.read == ["souls"]


def test_the_names_of_lazy_responses_are_checked():
    lazy = Lazy(["souls", "buck"])
    with pytest.raises(AlignmentError, match="runs 'naked' are in train or test but have no resp"):
        make(responses=lazy)
    assert lazy.read == []


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"test": ["buck", "souls"]}, DataError, "runs 'souls' are named twice in train and test"),
        ({"train": ["souls", "souls"]}, DataError, "runs 'souls' are named twice"),
        ({"train": [], "test": []}, DataError, "no runs in train or test"),
        ({"train": ["avatar"]}, AlignmentError, "'avatar' are .* have no words.*'buck', 'naked'"),
        ({"words": {}}, AlignmentError, "runs 'souls', 'naked', 'buck' .*for no run"),
        ({"responses": {"buck": series("buck")}}, AlignmentError, "have no responses"),
        (
            {"trials": {"tst": (series("tst"),) * 2}},
            AlignmentError,
            "'tst' have trials but no resp",
        ),
        (
            {"trials": {"buck": (series("buck"),)}},
            DataError,
            "run 'buck' has 1 trials; expected two",
        ),
        ({"train": "souls"}, TypeError, "train is 'souls'; expected a sequence of runs"),
        ({"tr_s": 0.0}, ValueError, "dataset 'moth', subject '01': tr_s is 0.0"),
        ({"tr_s": float("nan")}, ValueError, "tr_s is nan"),
    ],
)
def test_what_does_not_hold_together_is_an_error(changes, error, message):
    with pytest.raises(error, match=message):
        make(**changes)


def test_every_run_and_trial_has_the_same_voxels():
    wider = series("naked", n_voxels=5)
    responses = {"souls": series("souls"), "naked": wider, "buck": series("buck")}
    with pytest.raises(AlignmentError, match="run 'naked' has 5 voxels, run 'souls' has 4"):
        make(responses=responses)
    with pytest.raises(AlignmentError, match="run 'buck' has 5 voxels, run 'souls' has 4"):
        make(trials={"buck": (series("buck"), series("buck", n_voxels=5))})


def test_responses_under_another_name_are_an_error():
    responses = {run: series(run) for run in ("souls", "naked")} | {"buck": series("avatar")}
    with pytest.raises(AlignmentError, match="of run 'buck' say that they are of run 'avatar'"):
        make(responses=responses)


# --- check_run -----------------------------------------------------------------------------


def run_with(onsets, first_tr=0, n_trs=10):
    times = TRReport.simulated(n_trs, tr_s=2.0).tr_times  # 0 to 20 s
    responses = TRSeries(np.ones((n_trs - first_tr, 2)), "souls", first_tr, times)
    return Transcript(["w"] * len(onsets), onsets), responses


def test_words_within_the_scan_pass():
    check_run(*run_with([0.0, 5.0, 20.0]))
    check_run(*run_with([1.0, 15.0], first_tr=5))


def test_words_of_another_clock_are_an_error():
    message = r"run 'souls': its words last from 30\.00 to 40\.00 s, its responses from 0\.00 to 20"
    with pytest.raises(AlignmentError, match=message):
        check_run(*run_with([30.0, 40.0]))
    with pytest.raises(AlignmentError, match=r"responses from 10\.00 to 20\.00 s"):
        check_run(*run_with([1.0, 9.0], first_tr=5))


def test_words_outside_the_scan_are_counted():
    with pytest.warns(VoxscaleWarning, match="run 'souls': 2 of 3 words were heard outside"):
        check_run(*run_with([-1.0, 5.0, 21.0]))


def test_without_times_there_is_nothing_to_check():
    check_run(Transcript(["w"], [1e6]), series("souls"))


# --- datasets and load ---------------------------------------------------------------------


@pytest.fixture
def registered(monkeypatch):
    """Return a function that registers a plugin for one test."""
    monkeypatch.setattr(plugins, "_registered", {"datasets": {}, "extractors": {}})
    return lambda plugin, name="moth": plugins.register("datasets", name, plugin)


def test_a_registered_data_set_is_listed_and_loaded(registered, tmp_path):
    asked = []

    def load_one(subject, root):
        asked.append((subject, root))
        return make(subject=subject)

    registered(SimpleNamespace(SUBJECTS=("01", "02"), load=load_one))
    assert "moth" in datasets()
    assert datasets() == sorted(datasets())
    assert load("moth").subject == "01"
    assert load("moth", "02", root=str(tmp_path)).subject == "02"
    assert asked == [("01", None), ("02", tmp_path)]


def test_unknown_names_and_subjects_list_those_that_exist(registered, tmp_path):
    registered(SimpleNamespace(SUBJECTS=("UTS01", "UTS02"), load=make))
    with pytest.raises(DataError, match=r"dataset 'mothh' is unknown.*did you mean 'moth'"):
        load("mothh")
    message = r"dataset 'moth' has no subject 'S02'; choose one of UTS01, UTS02 .*'UTS02'"
    with pytest.raises(DataError, match=message):
        load("moth", subject="S02")
    with pytest.raises(
        DataError, match=r"nowhere', which is not a folder; .*where 'moth' lies; fetch"
    ):
        load("moth", root=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("plugin", "message"),
    [
        (SimpleNamespace(load=make), "dataset 'moth' is not one: .* lacks SUBJECTS or load"),
        (SimpleNamespace(SUBJECTS=("01",)), "lacks SUBJECTS or load"),
        (SimpleNamespace(SUBJECTS=("01",), load=lambda *_: {}), "gave a dict; expected a Dataset"),
    ],
)
def test_a_plugin_that_is_none_is_said_to_be_none(registered, plugin, message):
    registered(plugin)
    with pytest.raises(DataError, match=message):
        load("moth")
