"""Two layers compared, a product measure, and ceilings between subjects, in a study."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from voxscale import plugins
from voxscale.design import delay, lanczos, zscore
from voxscale.errors import ConfigError
from voxscale.evaluate import compare_models, position_features, r2
from voxscale.features import word_rate
from voxscale.features.echo import Echo
from voxscale.fit import BandedRidgeCV, leave_run_out
from voxscale.study import Study, plan, results, run

TRAIN, TEST = ("a", "b", "c"), ("x", "y")
ALL = "false\ncompare_layers = [2, 0]\nproduct_measure = true\nbetween_subjects = true"


def needs_himalaya():
    pytest.importorskip("himalaya")


def study_of(tiny, folder, **replaced):
    chosen = {"alphas": "[30.0]", "stack": ALL, "word_rate": "false", "position": "true"}
    text = tiny.STUDY.replace("n_bootstraps = 0", "n_bootstraps = 40")
    return Study.from_toml(tiny.write_study(folder, text, **chosen | replaced))


def shared_story(tiny, subject, root=None):
    """Give subjects half of their signal in common."""
    data = tiny.load(subject)
    rng = np.random.default_rng(3)
    common = {run: rng.standard_normal((tiny.N_TRS, 1)) for run in data.responses}

    def mixed(one, run):
        return replace(one, values=(one.values + common[run]).astype("f4"))

    trials = {run: tuple(mixed(one, run) for one in some) for run, some in data.trials.items()}
    responses = {run: mixed(one, run) for run, one in data.responses.items()}
    return replace(data, responses=responses, trials=trials)


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    needs_himalaya()
    plugin = SimpleNamespace(
        SUBJECTS=tiny.SUBJECTS, load=lambda s, root=None: shared_story(tiny, s)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plugins._registered["datasets"], "tiny", plugin)
        study = study_of(tiny, tmp_path_factory.mktemp("compared"))
        run(study, progress=False, device="cpu")
        yield results(study)


def responses(tiny, subject, runs):
    data = shared_story(tiny, subject)
    joined = []
    for name in runs:
        heard = data.trials.get(name, (data.responses[name],))
        joined.append(zscore(np.mean([zscore(o.values[5:-2].astype(float)) for o in heard], 0)))
    return np.vstack(joined)


def design(tiny, layer, runs, *, with_rate=False):
    data = tiny.load("s1")
    rows = []
    for name in runs:
        options = {"min_context": 16, "max_context": 32}
        states = Echo().extract({name: data.words[name]}, [layer], **options)[layer][name]
        events = [states, word_rate(data.words[name])][: 1 + with_rate]
        times = data.responses[name].tr_times
        rows.append(np.hstack([delay(zscore(lanczos(one, times)[5:-2]), (1, 2)) for one in events]))
    return np.vstack(rows)


def ridge(X, Y, alpha=30.0):
    return np.linalg.solve(X.T @ X + alpha * np.eye(X.shape[1]), X.T @ Y)


def test_layers_are_compared_on_the_test_stories(found, tiny):
    Y, Y_test = responses(tiny, "s1", TRAIN), responses(tiny, "s1", TEST)
    first, second = (
        design(tiny, layer, TEST, with_rate=True)
        @ ridge(design(tiny, layer, TRAIN, with_rate=True), Y)
        for layer in (2, 0)
    )
    by_hand = compare_models(
        Y_test, first, second, block_trs=17, n_permutations=30, run_lengths=[53, 53], seed=1
    )
    held = found.comparison("s1")
    np.testing.assert_allclose(held["difference"], by_hand.observed, atol=2e-4)
    assert np.mean(held["p_difference"] == by_hand.p_values.astype("f4")) > 0.9  # but for rounding
    cells = {cell.layer: cell for cell in found.sweep("layer", "s1")}
    np.testing.assert_allclose(held["r_first"], found.array(cells[2], "r"), atol=1e-6)
    np.testing.assert_allclose(held["r_second"], found.array(cells[0], "r"), atol=1e-6)
    planted = slice(0, tiny.N_PLANTED)
    norm = [found.array(cells[layer], "cc_norm")[planted] for layer in (2, 0)]
    np.testing.assert_allclose(held["difference_norm"][planted], norm[0] - norm[1], atol=1e-5)
    assert held["difference"][planted].mean() > 0.1


def test_parts_of_the_product_measure_are_those_of_one_banded_fit(found, tiny):
    Y, Y_test = responses(tiny, "s1", TRAIN), responses(tiny, "s1", TEST)
    bands = {
        "language": (design(tiny, 2, TRAIN), design(tiny, 2, TEST)),
        "position": tuple(np.vstack(position_features([53] * n)) for n in (3, 2)),
    }
    model = BandedRidgeCV([30.0], leave_run_out([53] * 3), seed=1, device="cpu")
    model.fit({name: train for name, (train, _) in bands.items()}, Y)
    held = found.product("s1")
    assert set(held) == {"language", "position"}
    whole = model.predict({name: test for name, (_, test) in bands.items()})
    np.testing.assert_allclose(sum(held.values()), r2(Y_test, whole), atol=2e-3)
    at = np.cumsum([0, bands["language"][0].shape[1], bands["position"][0].shape[1]])
    for i, (name, (_, test)) in enumerate(bands.items()):
        own = test @ np.asarray(model.coef_)[at[i] : at[i + 1]]
        naive = (own * (2 * Y_test - whole)).sum(0) / (Y_test**2).sum(0)
        np.testing.assert_allclose(held[name], naive, atol=2e-3)


def test_ceilings_between_subjects_are_correlations_with_the_others(found, tiny):
    one, other = (responses(tiny, subject, TEST) for subject in ("s1", "s2"))
    expected = [np.corrcoef(one[:, v], other[:, v])[0, 1] for v in range(tiny.N_VOXELS)]
    held = found.between_subjects
    np.testing.assert_allclose(held["each"], [expected, expected], atol=1e-5)
    np.testing.assert_allclose(held["correlation"], expected, atol=1e-5)
    assert (held["correlation_low"] < held["correlation"]).all()
    positive = held["correlation"] > 0
    best = np.sqrt(held["correlation"][positive])
    np.testing.assert_allclose(held["correlation_of_all"][positive], best, rtol=1e-5)
    (cell,) = (one for one in found.beside if one.kind == "between")
    meta = found.meta(cell)
    assert meta["subjects"] == ["s1", "s2"]
    assert [one["subject"] for one in meta["inputs"]] == ["s1", "s1", "s2", "s2"]
    assert cell.label == "all subjects, noise ceilings between them"


def test_their_numbers_are_in_the_table_of_scores(found):
    table = found.scores
    kinds = table.groupby("kind")["what"].unique()
    assert list(kinds["comparison"]) == ["layer 2 less layer 0"]
    assert "product measure of language" in kinds["product"]
    assert "noise ceiling (cc_max)" in kinds["ceiling"]
    between = table[table["kind"] == "between"]
    assert list(between["subject"]) == ["all"]
    assert between["value"].item() == pytest.approx(
        found.between_subjects["correlation"].mean(), abs=1e-6
    )
    row = table[(table["what"] == "noise ceiling (cc_max)") & (table["subject"] == "s2")]
    expected = found.ceiling("s2")["cc_max"]
    assert row.iloc[0]["value"] == pytest.approx(np.nanmean(expected), abs=1e-6)
    assert row.iloc[0]["n_voxels"] == np.isfinite(expected).sum()


def test_changing_one_of_them_computes_that_one_again(tiny, found):
    source = found.study
    changed = source.evaluate.model_copy(update={"compare_layers": (1, 0)})
    missing = plan(source.model_copy(update={"evaluate": changed})).missing
    assert {cell.kind for cell in missing} == {"comparison"}
    fewer = source.model_copy(update={"subjects": ("s2", "s1")})
    assert {cell.kind for cell in plan(fewer).missing} == {"between"}


@pytest.mark.parametrize(
    ("replaced", "told"),
    [
        ({"stack": "false\ncompare_layers = [2, 7]"}, "compare_layers has 7, which is not among"),
        ({"stack": "false\ncompare_layers = [2, 2]"}, "two different layers"),
        ({"stack": "false\ncompare_layers = [2]"}, "two different layers"),
        ({"stack": "false\ncompare_layers = [0, 1, 2]"}, "compare_layers"),
        (
            {"stack": "false\nproduct_measure = true", "position": "false"},
            "line 31: [evaluate] product_measure needs baselines",
        ),
        (
            {"stack": 'false\nbetween_subjects = true', "dataset": '"tiny"\nsubjects = ["s1"]'},
            "line 32: [evaluate] between_subjects: there is one subject, 's1'",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_computed_is_said_before_any_work(tiny, tmp_path, replaced, told):
    with pytest.raises(ConfigError) as error:
        plan(study_of(tiny, tmp_path, **replaced))
    assert told in str(error.value)


def test_subjects_in_other_voxels_cannot_be_compared(tiny, tmp_path):
    def load(subject, root=None):
        data = tiny.load(subject)
        if subject == "s1":
            return data
        return replace(
            data,
            trials={},
            responses={k: replace(o, values=o.values[:, :9]) for k, o in data.responses.items()},
        )

    with pytest.MonkeyPatch.context() as patch:
        plugin = SimpleNamespace(SUBJECTS=tiny.SUBJECTS, load=load)
        patch.setitem(plugins._registered["datasets"], "tiny", plugin)
        study = study_of(tiny, tmp_path, stack="false\nbetween_subjects = true")
        with pytest.raises(ConfigError, match=r"voxels differ: 40 of subject 's1', 9 of 's2'"):
            plan(study)


def test_a_product_measure_says_what_to_install(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("voxscale.study._checks.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"himalaya, .* pip install 'voxscale\[banded\]'"):
        plan(study_of(tiny, tmp_path))
