"""What is computed once for a subject: ceilings, baselines, the mix of layers."""

import re
import tomllib
import warnings
from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from sklearn.linear_model import Ridge

from voxscale import plugins
from voxscale.design import delay, lanczos, zscore
from voxscale.errors import ConfigError, DataError, StoreError, VoxscaleWarning
from voxscale.evaluate import ceiling_intervals, choose_best, position_features, r2
from voxscale.features import sound_features, word_rate
from voxscale.features.echo import Echo
from voxscale.fit import RidgeCV, Stacking
from voxscale.store import hash_file
from voxscale.study import Study, orphans, plan, prune, results, run
from voxscale.study._baselines import _first_rows, _scaled
from voxscale.study._stacking_cell import stacking_folds

LEAST = {"name": "n", "dataset": "tiny", "model": "echo", "layers": [0, 2], "contexts": [8]}


def study_of(tiny, folder, **replaced):
    return Study.from_toml(tiny.write_study(folder, tiny.BESIDE, **replaced))


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    study = study_of(tiny, tmp_path_factory.mktemp("beside"), alphas="[30.0]")
    run(study, progress=False, device="cpu")
    return results(study)


@pytest.fixture(scope="module")
def held(tiny, tmp_path_factory):
    """Return results of a study that keeps a story back to choose layers."""
    folder = tmp_path_factory.mktemp("held")
    study = study_of(
        tiny, folder, alphas="[30.0]", training_stories='[2]\nvalidation_stories = ["b"]'
    )
    run(study, progress=False, device="cpu")
    return results(study)


def joined(tiny, runs, layer=None):
    """Join states or word rate by hand; responses of repeats are their mean."""
    data = tiny.load("s1")
    X, Y = [], []
    for name in runs:
        words, times = data.words[name], data.responses[name].tr_times
        events = word_rate(words)
        if layer is not None:
            options = {"min_context": 16, "max_context": 32}
            events = Echo().extract({name: words}, [layer], **options)[layer][name]
        X.append(delay(zscore(lanczos(events, times)[5:-2]), (1, 2)))
        heard = data.trials.get(name, (data.responses[name],))
        Y.append(zscore(np.mean([zscore(o.values[5:-2].astype(float)) for o in heard], axis=0)))
    return np.vstack(X), np.vstack(Y)


def test_every_kind_is_there_once_for_each_subject(found):
    kinds = [(cell.kind, cell.subject) for cell in found.beside]
    assert sorted(kinds) == sorted(
        (kind, subject) for kind in ("ceiling", "baselines", "stacking") for subject in ("s1", "s2")
    )
    assert {cell.kind for cell in found.cells} == {"fit"}
    assert plan(found.study).missing == ()
    assert [cell.label for cell in found.beside[:3]] == [
        "s1, noise ceilings", "s1, baselines beside layer 2", "s1, stacked layers",
    ]  # fmt: skip


def test_ceilings_have_the_intervals_of_the_repeats(found, tiny):
    trials = [zscore(one.values[5:-2].astype(float)) for one in tiny.load("s1").trials["x"]]
    with pytest.warns(match="noise ceiling"):
        by_hand = ceiling_intervals(np.stack(trials), n_bootstraps=40, seed=1)
    arrays = found.ceiling("s1")
    for name in ("cc_max", "explainable_variance"):
        for part, end in (("estimate", ""), ("low", "_low"), ("high", "_high")):
            expected = getattr(getattr(by_hand, name), part)
            np.testing.assert_allclose(arrays[name + end], expected, rtol=2e-3, atol=2e-4)
    meta = found.meta(found.beside_cell("ceiling", "s1"))
    assert meta["n_without_ceiling"] == {
        "without signal power": int(np.isnan(arrays["cc_max"]).sum())
    }
    centre = found.arrays(found.reference("s1"))
    known = ~np.isnan(centre["cc_norm_low"]) & ~np.isnan(centre["cc_norm_high"])
    assert known.sum() >= 30  # limits are infinite where there may be no signal
    assert (centre["cc_norm_low"] <= centre["cc_norm"])[known].all()
    assert (centre["cc_norm"] <= centre["cc_norm_high"])[known].all()


def test_unions_are_fitted_with_spaces_balanced_and_leave_out_what_does_not_validate(found, tiny):
    train, test = ("a", "b", "c"), ("x", "y")
    (L, Y), (L_test, Y_test) = joined(tiny, train, 2), joined(tiny, test, 2)
    (W, _), (W_test, _) = joined(tiny, train), joined(tiny, test)
    P, P_test = (np.vstack(position_features([53] * n)) for n in (3, 2))
    spaces = {"language": (L, L_test), "word_rate": (W, W_test), "position": (P, P_test)}
    arrays = found.baselines("s1")
    model = Ridge(30.0, fit_intercept=False)
    predicted, validated = {}, {}
    for size in (1, 2, 3):
        for union in combinations(spaces, size):
            n = sum(spaces[name][0].shape[1] for name in union)
            X, X_test = (
                np.hstack(
                    [
                        spaces[name][part] * np.sqrt(n / (size * spaces[name][0].shape[1]))
                        for name in union
                    ]
                )
                for part in (0, 1)
            )
            runs = np.arange(159).reshape(3, 53)
            validated[union] = np.mean(
                [
                    r2(
                        Y[held],
                        model.fit(np.delete(X, held, 0), np.delete(Y, held, 0)).predict(X[held]),
                    )
                    for held in runs
                ],
                axis=0,
            )
            predicted[union] = model.fit(X, Y).predict(X_test)
            subsets = [one for one in predicted if set(one) <= set(union)]
            best = [max(subsets, key=lambda one: validated[one][v]) for v in range(40)]
            expected = np.stack([predicted[one][:, v] for v, one in enumerate(best)], axis=1)
            name = f"r2_{'+'.join(union)}"
            np.testing.assert_allclose(arrays[name], r2(Y_test, expected), atol=2e-3)
    assert len(set(best)) > 3


def test_parts_add_up_and_the_planted_model_is_beyond_the_baselines(found, tiny):
    made = found.partition("s1")
    assert made.names == ("language", "word_rate", "position")
    np.testing.assert_allclose(sum(made.parts.values()), made.total, atol=1e-6)
    assert made.unique["language"][: tiny.N_PLANTED].mean() > 0.2
    assert made.unique["language"][tiny.N_PLANTED :].mean() < 0.05
    p = found.baselines("s1")["p_unique"]
    assert (p[: tiny.N_PLANTED] <= 0.05).mean() > 0.9
    assert (p[tiny.N_PLANTED :] <= 0.05).mean() <= 0.3


def test_smooth_noise_scores_where_splits_give_neighbours_away(tiny, tmp_path, found):
    """Whole runs left out give nothing away; scattered chunks without a gap do."""
    smooth = np.exp(-np.arange(6) / 3)

    def load(subject, root):
        data = tiny.load(subject)
        slow = {
            name: replace(
                one,
                values=np.apply_along_axis(np.convolve, 0, one.values, smooth, mode="same").astype(
                    "f4"
                ),
            )
            for name, one in data.responses.items()
        }
        return replace(data, responses=slow, trials={})

    plugin = SimpleNamespace(SUBJECTS=("s1",), load=load)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plugins._registered["datasets"], "tiny", plugin)
        chunks = "cv = { chunk_len = 2, n_chunks = 12, n_repeats = 4 }"
        study = study_of(
            tiny, tmp_path, alphas=f"[0.01, 1.0]\n{chunks}", layers="[2]", contexts="[8]"
        )
        run(study, progress=False, device="cpu")
        given_away = results(study).baselines("s1")["autocorrelation_cv_score"]
    assert given_away.mean() > 0.2
    nothing = found.baselines("s1")["autocorrelation_cv_score"]
    assert np.abs(nothing).max() < 1e-6


def test_the_mix_is_that_of_stacking_and_the_best_layer_is_validated(found, tiny):
    arrays = found.stacking("s1")
    meta = found.meta(found.beside_cell("stacking", "s1"))
    assert meta["models"] == ["layer 0", "layer 1", "layer 2", "word_rate", "position"]
    weights = arrays["weights"]
    assert weights.shape == (5, 40)
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)
    planted = slice(0, tiny.N_PLANTED)
    layers = weights[:3, planted] / weights[:3, planted].sum(axis=0)
    found_at = arrays["center_of_mass"][planted]
    np.testing.assert_allclose(found_at, [0, 1, 2] @ layers, atol=1e-5)
    assert arrays["r_stacked"][planted].mean() > arrays["r_single"][planted].mean() - 0.02
    assert (arrays["best_layer"][planted] == tiny.PLANTED_LAYER).mean() > 0.9
    cells = {cell.layer: cell for cell in found.sweep("layer", "s1")}
    for voxel in (0, 12, 35):
        of_layer = found.array(cells[int(arrays["best_layer"][voxel])], "r")
        assert arrays["r_single"][voxel] == pytest.approx(of_layer[voxel], abs=2e-4)


def test_layers_are_chosen_on_training_stories_and_never_on_test_stories(found):
    validation, test = (found.layer_scores("s1", on) for on in ("validation", "test"))
    assert validation.stories == ("a", "b", "c")
    assert test.stories == ("x", "y")
    best = found.best_layer("s1")
    cells = found.sweep("layer", "s1")
    cv = np.stack([found.array(cell, "cv_score") for cell in cells])
    np.testing.assert_array_equal(best.chosen, cv.argmax(axis=0))
    r = np.stack([found.array(cell, "r") for cell in cells])
    expected = np.take_along_axis(r, best.chosen[None], axis=0)[0]
    np.testing.assert_array_equal(best.scores(test), expected.astype(float))
    with pytest.raises(ValueError, match="chose the models and cannot report on them"):
        best.scores(validation)


def test_stories_that_are_kept_back_choose_layers_and_train_nothing(held):
    assert {cell.stories for cell in held.cells} == {("a", "c")}
    validation = held.layer_scores("s1", "validation")
    assert validation.stories == ("b",)
    cells = held.sweep("layer", "s1")
    kept = np.stack([held.array(cell, "r_validation") for cell in cells])
    np.testing.assert_array_equal(validation.scores, kept.astype(float))
    stacked = held.stacking("s1")
    assert held.meta(held.beside_cell("stacking", "s1"))["chosen_on"] == ["b"]
    np.testing.assert_array_equal(stacked["best_layer"], held.best_layer("s1").map([0, 1, 2]))
    gain = stacked["r_stacked_validation"] - stacked["r_single_validation"]
    np.testing.assert_array_equal(stacked["is_stacked"], (gain > 0.05).astype(float))
    assert 0 < stacked["is_stacked"].sum() < 40
    masked = np.where(gain > 0.05, stacked["r_stacked"], stacked["r_single"])
    np.testing.assert_array_equal(stacked["r_masked"], masked)


def test_what_the_mix_gains_is_told_over_the_ceiling(found):
    held = found.stacking("s1")
    cells = {cell.layer: found.arrays(cell) for cell in found.sweep("layer", "s1")}
    single = np.array(
        [cells[int(layer)]["cc_norm"][voxel] for voxel, layer in enumerate(held["best_layer"])]
    )
    has = np.isfinite(single)
    assert np.isnan(held["gain_norm"][~has]).all()
    # r over both test stories differs from that in the repeated one alone, but not by much
    about = (held["r_stacked"] - held["r_single"])[has] / found.ceiling("s1")["cc_max"][has]
    assert np.corrcoef(held["gain_norm"][has], about)[0, 1] > 0.5


def test_scores_on_kept_back_stories_are_those_of_a_fit_without_them(held, tiny):
    (X, Y), (X_held, Y_held) = (joined_with_rate(tiny, runs) for runs in (("a", "c"), ("b",)))
    predicted = Ridge(30.0, fit_intercept=False).fit(X, Y).predict(X_held)
    cell = held.reference("s1")
    r = [np.corrcoef(Y_held[:, v], predicted[:, v])[0, 1] for v in range(40)]
    np.testing.assert_allclose(held.array(cell, "r_validation"), r, atol=1e-3)


def joined_with_rate(tiny, runs):
    (L, Y), (W, _) = joined(tiny, runs, 2), joined(tiny, runs)
    # Delays come after spaces: state and rate of one delay stand side by side.
    halves = [np.split(one, 2, axis=1) for one in (L, W)]
    return np.hstack([half[i] for i in range(2) for half in halves]), Y


def test_every_number_says_what_it_is(found):
    table = found.scores
    assert set(table["reducer"]) == {"mean_voxels", "mean_where_cc_max_above(0.35)"}
    assert table.loc[table["metric"] == "r", "unit"].unique().tolist() == ["correlation"]
    cell = found.reference("s1")
    arrays = found.arrays(cell)
    own = table[(table["key"] == found.key(cell))].set_index(["metric", "stories", "reducer"])
    reliable = arrays["cc_max"] > 0.35
    rule = "mean_where_cc_max_above(0.35)"
    assert own.loc[("r", "concatenated", "mean_voxels"), "value"] == pytest.approx(
        arrays["r"].mean()
    )
    row = own.loc[("r", "by_story", rule)]
    assert row["value"] == pytest.approx(arrays["r_by_story"].mean(0)[reliable].mean(), rel=1e-5)
    assert row["n_voxels"] == reliable.sum()
    assert row["n_not_chosen"] == 40 - reliable.sum()
    shared = table[(table["kind"] == "baselines") & (table["subject"] == "s1")]
    assert "unique to language" in set(shared["what"])
    made = found.partition("s1")
    unique = shared[(shared["what"] == "unique to language") & (shared["reducer"] == "mean_voxels")]
    assert unique["value"].item() == pytest.approx(made.unique["language"].mean())


def test_reducers_can_be_changed_without_computing_anything(found):
    evaluate = found.study.evaluate.model_copy(update={"reducers": ("median_voxels",)})
    other = found.study.model_copy(update={"evaluate": evaluate})
    assert plan(other).missing == ()
    assert set(results(other).scores["reducer"]) == {"median_voxels"}


@pytest.mark.parametrize(
    ("changed", "kinds"),
    [
        ({"n_bootstraps": "41"}, {"ceiling", "fit"}),
        ({"n_bootstraps": "40\nceiling_repeats = [20]"}, {"ceiling"}),
        ({"position": "false"}, {"baselines", "stacking"}),
        ({"autocorrelation": "false"}, {"baselines"}),
        ({"n_permutations": "31"}, {"baselines", "fit", "stacking"}),
        ({"stack": "false"}, set()),
        ({"alphas": "[31.0]"}, {"fit", "baselines", "stacking"}),
        ({"layers": "[1, 2]"}, {"stacking"}),
    ],
)
def test_only_what_changes_is_computed_again(found, tiny, tmp_path, changed, kinds):
    asked = {"alphas": "[30.0]", **changed}
    text = tiny.BESIDE.replace('out = "results"', f'out = "{found.study.out}"')
    made = plan(Study.from_toml(tiny.write_study(tmp_path, text, **asked)))
    assert {cell.kind for cell in made.missing} == kinds
    if "fit" in kinds and "n_bootstraps" in changed:
        assert all(c.layer == 2 and c.reference for c in made.missing if c.kind == "fit")


def test_folds_of_the_mix_are_whole_stories():
    lengths = [10, 20, 30, 10, 10, 20, 30, 40]
    stories = np.repeat(range(8), lengths)
    folds = stacking_folds(Study(**LEAST), lengths)
    assert len(folds) == 5
    held = np.concatenate([left_out for _, left_out in folds])
    assert sorted(held) == list(range(170))
    for train, left_out in folds:
        assert not set(stories[train]) & set(stories[left_out])
    (first, *_) = alone = stacking_folds(Study(**LEAST), [50])
    assert len(alone) == 5
    assert first[0].min() - first[1].max() > 4  # the longest delay lies between


@pytest.mark.parametrize("null", ["block", "phase"])
def test_p_values_come_from_the_null_that_is_asked_for(tiny, tmp_path, null):
    block = "\nblock_trs = 10" if null == "block" else ""
    study = study_of(
        tiny, tmp_path, alphas="[30.0]", layers="[2]", contexts="[32]", stack="false",
        n_bootstraps="0", n_permutations=f'30\nnull = "{null}"{block}',
    )  # fmt: skip
    run(study, progress=False, device="cpu")
    found = results(study)
    p = found.array(found.reference("s1"), "p_value")
    family = found.array(found.reference("s1"), "p_family")
    assert (p[: tiny.N_PLANTED] <= 0.05).mean() > 0.9
    assert (p[tiny.N_PLANTED :] > 0.05).mean() >= 0.7
    assert (family >= p - 1e-6).all()


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"n_permutations": '9\nnull = "shuffle"'}, r"\[evaluate\] null cannot be 'shuffle'"),
        ({"n_permutations": "9\nblock_trs = 9"}, r"only the null \"block\" has blocks"),
        ({"n_permutations": '9\nreducers = ["mean"]'}, r"reducer 'mean' is unknown"),
        ({"n_permutations": '9\nfdr = "by2"'}, r"\[evaluate\] fdr cannot be 'by2'"),
        ({"position": "1"}, r"\[baselines\] position cannot be 1"),
        ({"sound": "false\nphonemes = true"}, r"\[baselines\] has no field 'phonemes'"),
        ({"draws": "2\nvalidation_stories = -1"}, r"validation_stories cannot be -1"),
    ],
)
def test_what_cannot_be_asked_for_is_told_with_its_line(tiny, tmp_path, replaced, told):
    with pytest.raises(ConfigError, match=told) as caught:
        study_of(tiny, tmp_path, **replaced)
    assert str(caught.value).startswith("tiny.toml, line ")


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"draws": '2\nvalidation_stories = ["bb"]'}, r"has 'bb', .* story .*did you mean 'b'"),
        ({"draws": '2\nvalidation_stories = ["x"]'}, r"has 'x', which is no training story of"),
        ({"draws": "2\nvalidation_stories = 3"}, r"takes all 3 training stories"),
        ({"n_permutations": '9\nnull = "block"\nblock_trs = 40'}, r"40; test run 'x' has 53 TRs"),
        ({"trim": "[50, 5]"}, r"\[baselines\] position: run '\w': a run of 5 TRs is too short"),
    ],
)  # fmt: skip
def test_what_the_data_do_not_allow_is_told_before_any_work(tiny, tmp_path, replaced, told):
    study = study_of(tiny, tmp_path, training_stories="[1]", **replaced)
    with pytest.raises(ConfigError, match=told):
        plan(study)


def test_how_many_are_kept_back_is_drawn_with_the_seed(tiny, tmp_path):
    def stories(seed):
        one = study_of(
            tiny, tmp_path, seed=str(seed), training_stories="[1]\nvalidation_stories = 1"
        )
        return {cell.stories for cell in plan(one).cells if cell.kind == "baselines"}

    drawn = [stories(seed) for seed in range(8)]
    assert all(len(next(iter(one))) == 2 for one in drawn)
    assert len({next(iter(one)) for one in drawn}) > 1
    assert stories(3) == stories(3)


def test_the_example_studies_say_what_is_the_default():
    from importlib.resources import files

    text = (files("voxscale.synthetic") / "demo.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text)
    plain = Study(**LEAST)
    assert tables["baselines"] == plain.baselines.model_dump()
    assert tables["evaluate"]["n_permutations"] == plain.evaluate.n_permutations
    assert tables["evaluate"]["n_bootstraps"] == plain.evaluate.n_bootstraps


def plugged(tiny, patch, change):
    """Let the data set be what ``change`` makes of the tiny one, for its first subject."""
    plugin = SimpleNamespace(
        SUBJECTS=("s1",), load=lambda subject, root: change(tiny.load(subject))
    )
    patch.setitem(plugins._registered["datasets"], "tiny", plugin)


def with_audio(folder, n_runs=5):
    """Give runs a sound that is loud where words are."""

    def change(data):
        audio = {}
        for number, name in enumerate(list(data.words)[:n_runs]):
            rng = np.random.default_rng(number)
            waveform = 0.01 * rng.standard_normal(8000 * 120)
            for onset in data.words[name].onset_s:
                waveform[int(8000 * onset) : int(8000 * (onset + 0.2))] *= 20
            audio[name] = folder / f"{name}.wav"
            if not audio[name].exists():
                soundfile.write(audio[name], waveform, 8000)
        return replace(data, audio=audio)

    return change


SMALL = {"alphas": "[30.0]", "layers": "[2]", "contexts": "[8]", "training_stories": "[3]"}


def test_sound_is_a_baseline_where_every_run_has_audio(tiny, tmp_path, monkeypatch):
    plugged(tiny, monkeypatch, with_audio(tmp_path))
    study = study_of(tiny, tmp_path, **SMALL, sound="true", stack="false")
    run(study, progress=False, device="cpu")
    found = results(study)
    made = found.partition("s1")
    assert made.names == ("language", "word_rate", "position", "sound")
    np.testing.assert_allclose(sum(made.parts.values()), made.total, atol=1e-6)
    sounds = sound_features(tmp_path / "x.wav", n_mels=8)
    assert sounds.values.shape[1] == 9
    heard = {
        one["run"]: one["sound"]
        for one in found.meta(found.beside_cell("baselines", "s1"))["inputs"]
    }
    assert heard == {run: hash_file(tmp_path / f"{run}.wav") for run in heard}
    assert "sound" not in found.meta(found.cells[0])["inputs"][0]
    before = {cell.kind: key for cell, key in plan(study).keys.items()}
    waveform, rate = soundfile.read(tmp_path / "x.wav")
    soundfile.write(tmp_path / "x.wav", waveform[::-1], rate)
    after = {cell.kind: key for cell, key in plan(study).keys.items()}
    assert {kind for kind in before if before[kind] != after[kind]} == {"baselines"}


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (lambda data: (data.audio["b"].write_text("no sound"), data)[1], "run 'b': .*cannot be"),
        (lambda data: replace(data, audio={}), "no run has audio"),
    ],
)
def test_what_was_made_of_a_sound_that_is_lost_is_not_pruned(
    tiny, tmp_path, monkeypatch, lose, told
):
    change = with_audio(tmp_path)
    plugged(tiny, monkeypatch, change)
    study = study_of(tiny, tmp_path, **SMALL, sound="true", stack="false")
    run(study, progress=False, device="cpu")
    plugged(tiny, monkeypatch, lambda data: lose(change(data)))
    with warnings.catch_warnings():  # told by whoever looks at it
        warnings.simplefilter("ignore", VoxscaleWarning)
        assert any("baselines" in one.what for one in orphans(study).items)
        with pytest.raises(DataError, match=rf"'s1': {told}.*; but s1, baselines.* Nothing is rem"):
            prune(study)
        assert any("baselines" in one.what for one in orphans(study).items)
        without = study_of(tiny, tmp_path, **SMALL, sound="false", stack="false")
        assert any("baselines" in one.what for one in prune(without).items)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda folder: (folder / "b.wav").unlink(), "run 'b': .*b.wav does not exist"),
        (lambda folder: (folder / "b.wav").write_text("no sound"), "run 'b': .*cannot be read"),
    ],
)
def test_audio_that_cannot_be_read_leaves_sound_out(tiny, tmp_path, monkeypatch, spoil, told):
    change = with_audio(tmp_path)

    def spoilt(data):
        data = change(data)
        spoil(tmp_path)
        return data

    plugged(tiny, monkeypatch, spoilt)
    study = study_of(tiny, tmp_path, **SMALL, sound="true", stack="false")
    with warnings.catch_warnings():  # a sound that is no sound is told by whoever looks at it
        warnings.simplefilter("ignore", VoxscaleWarning)
        summary = run(study, progress=False, device="cpu")
        (text,) = (one for one in summary.warnings if "baseline of sound" in one)
        assert re.search(f"no baseline of sound: {told}", text)
        assert results(study).partition("s1").names == ("language", "word_rate", "position")


def test_audio_of_some_runs_alone_leaves_sound_out(tiny, tmp_path, monkeypatch):
    plugged(tiny, monkeypatch, with_audio(tmp_path, n_runs=3))
    study = study_of(tiny, tmp_path, **SMALL, sound="true", stack="false")
    with pytest.warns(VoxscaleWarning, match="2 of 5 runs have no audio, the first is 'x'"):
        run(study, progress=False, device="cpu")
    assert results(study).partition("s1").names == ("language", "word_rate", "position")


def test_voxels_that_are_no_numbers_stay_so_and_spoil_no_other(tiny, tmp_path, monkeypatch, found):
    def change(data):
        spoilt = {}
        for name, one in data.responses.items():
            values = np.array(one.values)
            values[:, 7] = np.nan
            spoilt[name] = replace(one, values=values)
        trials = {}
        for name, some in data.trials.items():
            trials[name] = []
            for one in some:
                values = np.array(one.values)
                values[:, 7] = np.nan
                trials[name].append(replace(one, values=values))
        return replace(data, responses=spoilt, trials={k: tuple(v) for k, v in trials.items()})

    plugged(tiny, monkeypatch, change)
    study = study_of(tiny, tmp_path, alphas="[30.0]")
    with pytest.warns(VoxscaleWarning):
        run(study, progress=False, device="cpu")
    spoilt = results(study)
    for kind in ("ceiling", "baselines", "stacking"):
        arrays, clean = getattr(spoilt, kind)("s1"), getattr(found, kind)("s1")
        for name, array in arrays.items():
            if name == "is_stacked":
                continue
            assert np.isnan(array[..., 7]).all(), name
            others = np.delete(array, 7, axis=-1)
            np.testing.assert_allclose(others, np.delete(clean[name], 7, axis=-1), atol=2e-5)


def test_one_training_story_and_the_published_protocol(tiny, tmp_path):
    stories = '[1]\nvalidation_stories = ["b", "c"]'
    study = study_of(
        tiny, tmp_path, alphas="[30.0]", training_stories=stories,
        delays='[1, 2]\nprotocol = "huth2023"',
    )  # fmt: skip
    run(study, progress=False, device="cpu")
    found = results(study)
    assert {cell.stories for cell in found.cells} == {("a",)}
    assert np.isfinite(found.partition("s1").total).all()
    np.testing.assert_allclose(found.stacking("s1")["weights"].sum(axis=0), 1, atol=1e-6)
    assert found.layer_scores("s1", "validation").stories == ("b", "c")


def test_a_layer_cannot_be_chosen_by_test_stories(found):
    with pytest.raises(
        ValueError, match=r"stories \['x', 'y'\] are test stories, and cannot choose"
    ):
        choose_best(found.layer_scores("s1", "test"))


def test_the_mix_and_the_fits_choose_the_same_layers(found):
    best = found.best_layer("s1").map([0, 1, 2])
    np.testing.assert_array_equal(found.stacking("s1")["best_layer"], best)


def test_the_weights_of_the_mix_are_those_of_the_estimator(found, tiny):
    designs, Y = [], None
    for layer in (0, 1, 2):
        (L, Y), (W, _) = joined(tiny, ("a", "b", "c"), layer), joined(tiny, ("a", "b", "c"))
        halves = [np.split(one, 2, axis=1) for one in (L, W)]
        designs.append(np.hstack([half[i] for i in range(2) for half in halves]))
    designs += [W, np.vstack(position_features([53] * 3))]
    rows = np.arange(159).reshape(3, 53)
    folds = [(np.delete(np.arange(159), held), held) for held in rows]
    by_hand = Stacking(RidgeCV([30.0], folds, device="cpu"), folds).fit(designs, Y)
    np.testing.assert_allclose(found.stacking("s1")["weights"], by_hand.weights_.T, atol=2e-3)


def test_smooth_noise_of_long_runs_looks_at_the_first_rows_of_two():
    rows, kept = _first_rows([2000, 1500, 400])
    assert kept == [1500, 1500]
    assert rows.tolist() == [*range(1500), *range(2000, 3500)]
    rows, kept = _first_rows([50_000])
    assert kept == [3000]
    rows, kept = _first_rows([300, 400, 350])
    assert kept == [300, 400, 350]
    assert rows.tolist() == list(range(1050))
    rows, kept = _first_rows([900] * 9)
    assert kept == [900] * 3


def test_chunks_are_as_dense_in_fewer_rows():
    cv = {"chunk_len": 40, "n_chunks": 125, "n_repeats": 2}
    study = Study(**LEAST, fit={"cv": cv})
    assert _scaled(study, 0.1).fit.cv.n_chunks == 12
    assert _scaled(study, 1e-4).fit.cv.n_chunks == 1
    assert _scaled(Study(**LEAST), 0.1) == Study(**LEAST)


def test_limits_depend_on_the_seed(tiny, tmp_path):
    def keys(seed):
        made = plan(study_of(tiny, tmp_path, n_permutations="0", seed=str(seed)))
        return {cell.label: key for cell, key in made.keys.items() if cell.subject == "s1"}

    one, other = keys(1), keys(2)
    same = {label for label in one.keys() & other.keys() if one[label] == other[label]}
    assert "s1, noise ceilings" not in same
    assert "s1, layer 2, context 32, 3 stories" not in same
    assert "s1, layer 1, context 32, 3 stories" in same


def test_without_a_fit_there_are_no_results(tiny, tmp_path, monkeypatch):
    def broken(self, *args, **options):
        raise RuntimeError("no states")

    monkeypatch.setattr(Echo, "extract", broken)
    study = study_of(tiny, tmp_path)
    summary = run(study, progress=False, device="cpu")
    assert {cell.kind for cell in summary.computed} == {"ceiling"}
    with pytest.raises(StoreError):
        results(study)


def test_ceilings_are_extrapolated_to_the_repeats_that_are_asked_for(tiny, tmp_path, found):
    more = study_of(
        tiny, tmp_path, alphas="[30.0]", layers="[2]", contexts="[32]", training_stories="[3]",
        position="false", word_rate="false", autocorrelation="false", stack="false",
        n_bootstraps="40\nceiling_repeats = [3, 20]",
    )  # fmt: skip
    run(more, progress=False, device="cpu")
    held = results(more).ceiling("s1")
    for end in ("", "_low", "_high"):
        now = held[f"cc_max{end}"].astype(float)
        known = np.isfinite(held["cc_max"]) & (now > 0) & (now < 1)
        np.testing.assert_allclose(held[f"cc_max_with_3{end}"][known], now[known], rtol=1e-4)
        of_one = now**2 / (1 - now**2) / 3  # signal over noise of a single repeat, from three
        expected = np.sqrt(20 * of_one / (1 + 20 * of_one))
        np.testing.assert_allclose(held[f"cc_max_with_20{end}"][known], expected[known], rtol=1e-3)
    assert "cc_max_with_20" not in found.ceiling("s1")
