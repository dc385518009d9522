import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from voxscale import plugins, store
from voxscale.arrays import TRSeries
from voxscale.data import Transcript
from voxscale.errors import AlignmentError, ConfigError, DataError, VoxscaleWarning
from voxscale.study import Study
from voxscale.study import _inputs as module
from voxscale.study._inputs import Inputs, _hash_checked


def study(tiny, tmp_path, **replaced):
    return Study.from_toml(tiny.write_study(tmp_path, **replaced))


def changed(tiny, monkeypatch, **fields):
    """Register the tiny data set with some fields of it changed; its inputs' facts."""

    def load(subject, root):
        data = tiny.load(subject)
        given = {name: make(data) for name, make in fields.items()}
        return replace(data, **given)

    plugin = SimpleNamespace(SUBJECTS=tiny.SUBJECTS, load=load)
    monkeypatch.setitem(plugins._registered["datasets"], "tiny", plugin)


def test_facts_are_what_the_data_set_has(tiny, tmp_path):
    inputs = Inputs(study(tiny, tmp_path))
    facts = inputs.facts("s1")
    assert inputs.subjects == ("s1", "s2")
    assert (facts.train, facts.test, facts.tr_s) == (("a", "b", "c"), ("x", "y"), 2.0)
    assert facts.n_voxels == 40
    assert facts.repeated() == ("x",)
    assert facts.inputs_of("x")["trials"] is not None
    assert facts.inputs_of("y")["trials"] is None
    np.testing.assert_array_equal(facts.tr_times["a"], tiny.TR_TIMES)


def test_subjects_share_what_they_heard_but_not_their_responses(tiny, tmp_path):
    inputs = Inputs(study(tiny, tmp_path))
    one, other = (inputs.facts(subject).inputs_of("a") for subject in ("s1", "s2"))
    assert (one["words"], one["tr_times"]) == (other["words"], other["tr_times"])
    assert one["responses"] != other["responses"]


def test_hashes_are_the_same_every_time(tiny, tmp_path):
    made = study(tiny, tmp_path)
    assert Inputs(made).facts("s1").hashes == Inputs(made).facts("s1").hashes


def later(run):
    return lambda data: {
        **data.words,
        run: Transcript(data.words[run].words, data.words[run].onset_s + 0.01),
    }


def louder(run):
    return lambda data: {
        **data.responses,
        run: replace(data.responses[run], values=data.responses[run].values * np.float32(1.5)),
    }


def one_trial_less(data):
    return {"x": data.trials["x"][:-1]}


@pytest.mark.parametrize(
    ("fields", "run", "what"),
    [
        ({"words": later("a")}, "a", "words"),
        ({"responses": louder("y")}, "y", "responses"),
        ({"trials": one_trial_less}, "x", "trials"),
    ],
)
def test_a_changed_input_changes_its_hash_alone(tiny, tmp_path, monkeypatch, fields, run, what):
    made = study(tiny, tmp_path)
    before = Inputs(made).facts("s1").hashes
    changed(tiny, monkeypatch, **fields)
    after = Inputs(made).facts("s1").hashes
    different = {
        (name, field)
        for name, one in before.items()
        for field in one
        if one[field] != after[name][field]
    }
    assert different == {(run, what)}


def test_the_same_rows_on_other_trs_are_another_input(tiny, tmp_path, monkeypatch):
    made = study(tiny, tmp_path)
    hashes = []
    for first_tr in (0, 1):

        def shifted(data, first_tr=first_tr):
            one = data.responses["a"]
            moved = TRSeries(one.values[:-1], "a", first_tr, one.tr_times)
            return {**data.responses, "a": moved}

        changed(tiny, monkeypatch, responses=shifted)
        hashes.append(Inputs(made).facts("s1").hashes["a"]["responses"])
    assert hashes[0] != hashes[1]


def test_only_one_subject_is_kept_in_memory(tiny, tmp_path):
    inputs = Inputs(study(tiny, tmp_path))
    first = inputs.dataset("s1")
    assert inputs.dataset("s1") is first
    inputs.dataset("s2")
    assert inputs.dataset("s1") is not first


@pytest.mark.parametrize(
    ("replaced", "match"),
    [
        ({"dataset": '"tinyy"'}, r"tiny\.toml, line 4: dataset 'tinyy' is unknown; .*tiny "
         r"\(did you mean 'tiny'"),
        ({"model": '"./no/such"'}, r"tiny\.toml, line 5: \[study\] model: there is no model at "),
        ({"layers": "[2, 3]"}, r"tiny\.toml, line 6: \[study\] layers has 3; model 'echo' has "
         r"layers 0 to 2; leave out"),
    ],
)  # fmt: skip
def test_what_does_not_exist_is_told_with_its_line(tiny, tmp_path, replaced, match):
    made = study(tiny, tmp_path, **replaced)
    with pytest.raises(ConfigError, match=match):
        Inputs(made).check_model()


def test_an_unknown_subject_is_told_with_its_line(tiny, tmp_path):
    path = tiny.write_study(tmp_path)
    path.write_text(path.read_text().replace("seed = 1", 'subjects = ["s1", "ss1"]'))
    match = (
        r"line \d+: \[study\] subjects: dataset 'tiny' has no subject 'ss1'; choose one of s1, s2 "
        r"\(did you mean 's"
    )
    with pytest.raises(ConfigError, match=match):
        Inputs(Study.from_toml(path))


def test_a_study_from_keywords_has_no_line(tiny):
    made = Study(name="n", dataset="tiny", model="echo", layers=[9], contexts=[4])
    with pytest.raises(ConfigError, match=r"^\[study\] layers has 9"):
        Inputs(made).check_model()


def test_subjects_can_be_chosen(tiny):
    made = Study(name="n", dataset="tiny", model="echo", layers=[1], contexts=[4], subjects=["s2"])
    assert Inputs(made).subjects == ("s2",)


@pytest.mark.parametrize("split", ["train", "test"])
def test_nothing_to_train_or_test_on_is_told(tiny, tmp_path, monkeypatch, split):
    changed(tiny, monkeypatch, **{split: lambda data: ()})
    with pytest.raises(DataError, match=rf"'tiny', subject 's1': no {split} runs"):
        Inputs(study(tiny, tmp_path)).facts("s1")


def test_responses_without_tr_times_are_told(tiny, tmp_path, monkeypatch):
    def timeless(data):
        return {run: replace(one, tr_times=None) for run, one in data.responses.items()}

    changed(tiny, monkeypatch, responses=timeless)
    with pytest.raises(AlignmentError, match=r"run 'a': its responses carry no TR times"):
        Inputs(study(tiny, tmp_path)).facts("s1")


def test_words_of_another_clock_are_told(tiny, tmp_path, monkeypatch):
    def elsewhere(data):
        a = data.words["a"]
        return {**data.words, "a": Transcript(a.words, a.onset_s + 1000)}

    changed(tiny, monkeypatch, words=elsewhere)
    with pytest.raises(AlignmentError, match="run 'a': its words last from"):
        Inputs(study(tiny, tmp_path)).facts("s1")


def hash_of(values):
    return _hash_checked("dataset 'tiny'", TRSeries(values, "a"))


def test_a_memory_map_is_checked_and_hashed_once_while_its_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "a.npy"
    np.save(path, np.arange(24.0).reshape(6, 4))
    hashed = []

    def counting(values):
        hashed.append(values.shape)
        return store.hash_array(values)

    def checking(series):
        checked.append(series.values.shape)

    checked = []
    monkeypatch.setattr(module, "hash_array", counting)
    monkeypatch.setattr(module.data, "check_responses", checking)
    whole = store.hash_array(np.load(path))
    for _ in range(2):
        values = np.load(path, mmap_mode="r")
        assert hash_of(values) == whole
        assert hash_of(np.asarray(values)[2:5]) == store.hash_array(values[2:5])
        assert hash_of(values[3:]) == store.hash_array(values[3:])
        assert hash_of(values[:3]) == store.hash_array(values[:3])
    assert hashed == checked == [(6, 4), (3, 4), (3, 4), (3, 4)]
    changed = np.arange(24.0).reshape(6, 4)
    changed[0, 0] = 9
    np.save(path, changed)
    os.utime(path, ns=(1, 1))
    assert hash_of(np.load(path, mmap_mode="r")) == store.hash_array(changed)


def test_a_hub_model_that_cannot_be_had_is_told_with_its_line(tiny, tmp_path, monkeypatch):
    def unknown(files):
        message = "model 'no/such' cannot be loaded"
        raise DataError(message)

    monkeypatch.setattr("voxscale.features._language_extractor.identify", unknown)
    monkeypatch.setattr("voxscale.features._language_extractor.size_of", lambda files: (9, 8))
    made = study(tiny, tmp_path, model='"no/such"')
    with pytest.raises(
        ConfigError, match=r"^tiny\.toml, line 5: \[study\] model: model 'no/such' cannot be loaded"
    ):
        Inputs(made).check_model()


def spoiled(one, bad, row=4, voxel=7):
    values = np.array(one.values)
    values[row, voxel] = bad
    return replace(one, values=values)


def test_an_infinity_is_told_with_its_place_before_any_work(tiny, tmp_path, monkeypatch):
    def responses(data):
        one = spoiled(data.responses["b"], np.inf).between(3, 60)
        return {**data.responses, "b": one}

    changed(tiny, monkeypatch, responses=responses)
    message = (
        r"^dataset 'tiny', subject 's1', run 'b': 1 of 40 voxels hold an infinite value "
        r"\(first at TR 4, voxel 7\)"
    )
    with pytest.raises(DataError, match=message):
        Inputs(study(tiny, tmp_path)).facts("s1")


def test_an_infinity_in_one_repeat_is_told(tiny, tmp_path, monkeypatch):
    def trials(data):
        first, second, third = data.trials["x"]
        return {"x": (first, spoiled(second, -np.inf), third)}

    changed(tiny, monkeypatch, trials=trials)
    message = r"subject 's1', repeat 2, run 'x': 1 of 40 voxels hold an infinite value"
    with pytest.raises(DataError, match=message):
        Inputs(study(tiny, tmp_path)).facts("s1")


def test_an_infinity_in_a_memory_map_is_told_every_time(tiny, tmp_path, monkeypatch):
    def responses(data):
        path = tmp_path / "a.npy"
        np.save(path, spoiled(data.responses["a"], np.inf).values)
        mapped = np.load(path, mmap_mode="r")
        return {**data.responses, "a": replace(data.responses["a"], values=mapped)}

    changed(tiny, monkeypatch, responses=responses)
    for _ in range(2):
        with pytest.raises(DataError, match=r"run 'a': 1 of 40 voxels hold an infinite value"):
            Inputs(study(tiny, tmp_path)).facts("s1")


def test_voxels_that_only_score_nan_are_left_to_the_run_to_tell(tiny, tmp_path, monkeypatch):
    def responses(data):
        return {**data.responses, "a": spoiled(data.responses["a"], np.nan)}

    changed(tiny, monkeypatch, responses=responses)
    assert Inputs(study(tiny, tmp_path)).facts("s1").n_voxels == 40  # a warning would be an error


def test_a_sound_of_another_story_is_warned_of(tiny, tmp_path, monkeypatch):
    path = tmp_path / "story.wav"
    soundfile.write(path, np.zeros(8_000 * 20), 8_000)
    changed(tiny, monkeypatch, audio=lambda data: {"b": path, "c": tmp_path / "not-fetched.wav"})
    with pytest.warns(VoxscaleWarning, match=r"run 'b': its last word ends at 11\d") as caught:
        Inputs(study(tiny, tmp_path)).facts("s1")
    assert len(caught) == 1


def test_a_cortex_changes_no_fact_that_keys_are_made_of(tiny, tmp_path, monkeypatch):
    made = study(tiny, tmp_path)
    before = Inputs(made).facts("s1")
    changed(tiny, monkeypatch, cortex=lambda data: tmp_path / "db" / "s1")
    after = Inputs(made).facts("s1")
    assert after.hashes == before.hashes
    assert {**vars(after), "transcripts": 0, "tr_times": 0} == {
        **vars(before),
        "transcripts": 0,
        "tr_times": 0,
    }
