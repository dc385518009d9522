"""Data sets: what holds together, and how they are found."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.data import (
    Dataset,
    Transcript,
    TRReport,
    check_run,
    check_subject,
    datasets,
    load,
)
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning


def series(run, n_trs=6, n_voxels=4, first_tr=0, tr_times=None):
    return TRSeries(np.ones((n_trs, n_voxels)), run, first_tr, tr_times)


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
        ({"tr_s": "2"}, TypeError, "tr_s is of type str; expected seconds"),
        ({"words": ["hi"]}, TypeError, "words is of type list; expected a mapping with runs"),
        ({"responses": None}, TypeError, "responses is of type NoneType; expected a mapping"),
        ({"trials": ()}, TypeError, "trials is of type tuple; expected a mapping"),
        ({"audio": "a.wav"}, TypeError, "audio is of type str; expected a mapping"),
        (
            {"words": {"souls": ["hi"]}},
            TypeError,
            "words of run 'souls' is of type list; expected a Transcript",
        ),
        (
            {"responses": {"souls": np.ones((6, 4))}},
            TypeError,
            "responses of run 'souls' is of type ndarray; expected a TRSeries",
        ),
        (
            {"trials": {"buck": series("buck")}},
            TypeError,
            "trials of run 'buck' is of type TRSeries; expected a tuple of TRSeries",
        ),
        (
            {"trials": {"buck": (series("buck"), np.ones((6, 4)))}},
            TypeError,
            "one of the trials of run 'buck' is of type ndarray; expected a TRSeries",
        ),
        (
            {"trials": {"buck": (series("buck", 5), series("buck", 4))}},
            AlignmentError,
            r"trials of run 'buck' cover TRs 0\.\.4 and 0\.\.3; expected the same TRs",
        ),
        (
            {"trials": {"buck": (series("buck"), series("buck", first_tr=1))}},
            AlignmentError,
            r"cover TRs 0\.\.5 and 1\.\.6",
        ),
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


@pytest.mark.parametrize("where", ["responses", "trials"])
@pytest.mark.parametrize(
    ("step_s", "fits"),
    [(2.0, True), (1.985, True), (2.015, True), (1.975, False), (2.025, False), (1.5, False)],
)
def test_the_tr_is_that_of_the_tr_times(where, step_s, fits):
    timed = series("buck", tr_times=np.arange(9) * step_s)
    changes = {
        "responses": {"souls": series("souls"), "naked": series("naked"), "buck": series("buck")},
        "trials": {"buck": (series("buck"), timed)},
    }
    if where == "responses":
        changes = {"responses": changes["responses"] | {"buck": timed}}
    if fits:
        assert make(**changes).tr_s == 2.0
        return
    message = rf"TRs of run 'buck' are {step_s:.4g} s apart, tr_s is 2\.0 s; expected .* within 1 %"
    with pytest.raises(AlignmentError, match=message):
        make(**changes)


def test_one_tr_time_tells_no_tr():
    timed = TRSeries(np.ones((1, 4)), "buck", 0, [1.0])
    data = make(responses={"souls": series("souls"), "naked": series("naked"), "buck": timed})
    assert data.responses["buck"] is timed


def test_responses_under_another_name_are_an_error():
    responses = {run: series(run) for run in ("souls", "naked")} | {"buck": series("avatar")}
    with pytest.raises(AlignmentError, match="of run 'buck' say that they are of run 'avatar'"):
        make(responses=responses)


def test_regions_are_a_name_for_each_voxel_and_stay_as_they_are(frozen):
    assert make().regions is None
    names = frozen(["AC", "", "Broca", "AC"])
    for given in (names, names.tolist(), names.astype(object)):
        regions = make(regions=given).regions
        assert regions.dtype.kind == "U"
        assert regions.tolist() == ["AC", "", "Broca", "AC"]
        assert not regions.flags.writeable
    mine = np.array(names)
    data = make(regions=mine)
    mine[0] = "changed"
    assert data.regions[0] == "AC"


@pytest.mark.parametrize(
    ("regions", "error", "message"),
    [
        (["AC"] * 3, AlignmentError, "'moth', subject '01': regions are 3, voxels 4; expected a"),
        ([["AC"] * 4], AlignmentError, r"regions have shape \(1, 4\); expected \(n_voxels,\)"),
        ("AC", AlignmentError, r"regions have shape \(\); expected"),
        ([1, 2, 3, 4], TypeError, "regions are of type int; expected str"),
        (np.array([b"AC"] * 4), TypeError, "regions are of type bytes; expected str"),
        (["AC", None, "", ""], TypeError, "regions are of type NoneType; expected str"),
        (["AC", float("nan"), "", ""], TypeError, "type float; expected str, a name for each"),
    ],
)
def test_regions_of_another_kind_or_number_are_refused(regions, error, message):
    with pytest.raises(error, match=message):
        make(regions=regions)


def test_lazy_responses_are_not_read_for_regions():
    lazy = Lazy(["souls", "naked", "buck"])
    assert make(responses=lazy, regions=["AC"]).regions.tolist() == ["AC"]
    assert lazy.read == []


# --- check_run -----------------------------------------------------------------------------


def run_with(onsets, first_tr=0, n_trs=10):
    times = TRReport.simulated(n_trs, tr_s=2.0).tr_times  # 0 to 20 s
    responses = TRSeries(np.ones((n_trs - first_tr, 2)), "souls", first_tr, times)
    return Transcript(["w"] * len(onsets), onsets), responses


def test_words_within_the_scan_pass():
    check_run(*run_with([0.0, 5.0, 20.0]))
    check_run(*run_with([1.0, 15.0], first_tr=5))


@pytest.mark.parametrize("onset", [0.0, 0.5, 1.5, 18.5, 19.5, 20.0])
def test_a_word_anywhere_in_the_first_or_last_tr_is_in_the_scan(onset):
    check_run(*run_with([onset]))  # a warning would be an error


@pytest.mark.parametrize("onset", [-0.01, 20.01])
def test_a_word_just_outside_the_scan_is_not(onset):
    with pytest.raises(AlignmentError, match="expected them to overlap"):
        check_run(*run_with([onset]))


def test_words_of_another_clock_are_an_error():
    message = r"run 'souls': its words last from 30\.00 to 40\.00 s, its responses from 0\.00 to 20"
    with pytest.raises(AlignmentError, match=message):
        check_run(*run_with([30.0, 40.0]))
    with pytest.raises(AlignmentError, match=r"responses from 10\.00 to 20\.00 s"):
        check_run(*run_with([1.0, 9.0], first_tr=5))


def test_single_words_outside_the_scan_are_left_to_the_design():
    check_run(*run_with([-1.0, 5.0, 21.0]))  # a warning would be an error


def test_without_times_there_is_nothing_to_check():
    check_run(Transcript(["w"], [1e6]), series("souls"))


@pytest.fixture
def sound(tmp_path):
    """Return a function that writes a sound of that many seconds."""

    def write(duration_s):
        path = tmp_path / "story.wav"
        soundfile.write(path, np.zeros(int(duration_s * 8_000)), 8_000)
        return path

    return write


@pytest.mark.parametrize("duration_s", [12.0, 14.5, 44.5])
def test_a_sound_about_as_long_as_its_words_passes(sound, duration_s):
    words, responses = run_with([1.0, 12.0])
    check_run(Transcript(words.words, words.onset_s, [2.0, 15.0]), responses, sound(duration_s))


@pytest.mark.parametrize("duration_s", [11.5, 45.5])
def test_a_sound_that_is_not_as_long_as_its_words_is_warned_of(sound, duration_s):
    words, responses = run_with([1.0, 12.0])
    words = Transcript(words.words, words.onset_s, [2.0, 15.0])
    message = (
        r"run 'souls': its last word ends at 15\.00 s, the sound story\.wav at "
        rf"{duration_s:.2f} s; are they of the same story"
    )
    with pytest.warns(VoxscaleWarning, match=message) as caught:
        check_run(words, responses, sound(duration_s))
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_sound_is_compared_where_there_are_no_tr_times(sound):
    with pytest.warns(VoxscaleWarning, match=r"last word ends at 15\.00 s, the sound"):
        check_run(Transcript(["w"], [15.0]), series("souls"), sound(1.0))


def test_a_sound_that_was_not_fetched_is_left_aside(tmp_path):
    (tmp_path / "pointer.wav").write_text("/annex/objects/MD5E-s1--0.wav\n")
    (tmp_path / "link.wav").symlink_to(".git/annex/objects/a/b/MD5E-s1--0.wav/MD5E-s1--0.wav")
    for name in ("pointer.wav", "link.wav", "nothing.wav"):
        check_run(*run_with([5.0]), tmp_path / name)  # a warning would be an error


def test_a_sound_that_is_none_is_warned_of(tmp_path):
    (tmp_path / "a.wav").write_text("hello")
    with pytest.warns(VoxscaleWarning, match=r"run 'souls': .*a\.wav: cannot be read"):
        check_run(*run_with([5.0]), tmp_path / "a.wav")


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


def test_the_subject_of_a_data_set_is_checked():
    check_subject("moth", "01", ["01", "02"])
    with pytest.raises(DataError, match=r"dataset 'moth' has no subject '1'; choose one of none\."):
        check_subject("moth", "1", [])


def test_a_root_that_may_not_be_entered_is_told(registered, tmp_path, monkeypatch):
    registered(SimpleNamespace(SUBJECTS=("01",), load=make))

    def refuse(self, *args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "stat", refuse)
    with pytest.raises(DataError, match=r"cannot be opened \(Permission denied\)"):
        load("moth", root=tmp_path)


def test_a_cortex_is_a_folder_that_need_not_be_there(tmp_path):
    assert make().cortex is None
    assert make(cortex=str(tmp_path / "UTS03")).cortex == tmp_path / "UTS03"
    with pytest.raises(TypeError, match="cortex is of type int; expected a folder's path"):
        make(cortex=3)
