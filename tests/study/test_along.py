"""Scores along an axis of a study: as its tables and arrays have them, and as laws take them."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from voxscale import plugins
from voxscale.data import Dataset
from voxscale.errors import ConfigError, VoxscaleWarning
from voxscale.features.echo import Echo
from voxscale.scaling import fit_pooled_law, fit_scaling_law, slope_map
from voxscale.study import results, run

PAGE = Path(__file__).resolve().parents[2] / "docs" / "studies.md"
TRAIN = ("a", "b", "c", "d", "e", "f")
N_REPEATS, NOISE = 6, 2.5
FIELDS = {
    "model": '"echo"\nmodels = ["echo", "shallow"]',
    "layers": "{ echo = [1, 2], shallow = [0, 1] }",
    "contexts": "[8, 32]",
    "training_stories": "[1, 2, 3, 4, 5, 6]",
    "n_bootstraps": "20",
    "n_permutations": "0",
}


class Shallow(Echo):
    """A model of the two layers of echo that hear least."""

    n_layers = 2

    @property
    def identity(self):
        return {"model": "shallow"}


def planted(tiny, subject):
    """Plant a subject who learns from six stories, and hears every test story six times."""
    words = {run: tiny._words(i) for i, run in enumerate(TRAIN + tiny.TEST)}
    rng = np.random.default_rng([7, tiny.SUBJECTS.index(subject)])
    heard = {
        run: [
            tiny._series(signal + NOISE * rng.standard_normal(signal.shape), run)
            for _ in range(N_REPEATS if run in tiny.TEST else 1)
        ]
        for run, signal in tiny._signals(words, rng).items()
    }
    means = {
        run: tiny._series(np.mean([o.values for o in each], 0), run) for run, each in heard.items()
    }
    trials = {run: tuple(heard[run]) for run in tiny.TEST}
    return Dataset("tiny", subject, words, means, trials, TRAIN, tiny.TEST, tr_s=tiny.TR_S)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """Run such a study, over hours, contexts and two models; return its folder."""
    data = SimpleNamespace(
        SUBJECTS=tiny.SUBJECTS, load=lambda subject, root=None: planted(tiny, subject)
    )
    where = tmp_path_factory.mktemp("along")
    path = tiny.write_study(where, **FIELDS).rename(where / "study.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(plugins._registered["datasets"], "tiny", data)
        patch.setitem(plugins._registered["extractors"], "shallow", Shallow)
        assert not run(path, progress=False, device="cpu").failed
        yield where


@pytest.fixture(scope="module")
def found(folder):
    return results(folder / "study.toml")


def with_table(found, **columns):
    """Let the same results have another table."""
    changed = replace(found)
    changed.__dict__["table"] = found.table.assign(**columns)
    return changed


def without(found, **fields):
    """Let the same results lack some cells."""
    gone = found.select(**fields)
    assert gone
    return replace(found, cells=tuple(cell for cell in found.cells if cell not in gone))


def test_hours_are_those_of_the_table_and_scores_means_over_draws(found):
    along = found.along("hours")
    assert (along.axis, along.unit, along.blocks) == ("hours", "story", None)
    assert along.names == ("1", "2", "3", "4", "5", "all")
    rows = found.table[found.table["in_n_stories_sweep"]]
    hours = rows.groupby("n_stories")["hours"].mean()  # all stories are of one length
    np.testing.assert_allclose(along.x, hours)
    subjects, stories = along.levels["subject"], along.levels["story"]
    assert list(zip(subjects, stories, strict=True)) == [
        ("s1", "x"), ("s1", "y"), ("s2", "x"), ("s2", "y"),
    ]  # fmt: skip
    table = found.story_table[found.story_table["key"].isin(rows["key"])]
    for i, (subject, story) in enumerate(zip(subjects, stories, strict=True)):
        own = table[(table["subject"] == subject) & (table["story"] == story)]
        np.testing.assert_allclose(along.scores[:, i], own.groupby("n_stories")["mean_r"].mean())
    assert along.unit_weights.tolist() == [1, 1, 1, 1]


def test_one_subject_is_its_columns_of_all(found):
    both, one = found.along("hours"), found.along("hours", "s2")
    np.testing.assert_allclose(one.scores, both.scores[:, 2:])
    assert set(one.levels["subject"]) == {"s2"}


def test_blocks_weigh_to_the_correlation_over_all_test_trs(found):
    along = found.along("hours", unit="block")
    assert along.scores.shape == (6, 4)
    assert along.unit_weights.tolist() == [53, 53, 53, 53]
    assert along.blocks.tolist() == [0, 1, 0, 1]
    rows = found.table[found.table["in_n_stories_sweep"]]
    for subject in found.subjects:
        own = along.levels["subject"] == subject
        whole = np.average(along.scores[:, own], axis=1, weights=along.unit_weights[own])
        mean_r = rows[rows["subject"] == subject].groupby("n_stories")["mean_r"].mean()
        np.testing.assert_allclose(whole, mean_r, rtol=1e-5)


def test_voxels_average_to_the_means(found):
    along = found.along("hours", "s1", voxels=True)
    assert along.scores.shape == (6, 2, 40)
    np.testing.assert_allclose(
        np.nanmean(along.scores, axis=2), found.along("hours", "s1").scores, rtol=1e-5
    )
    one = [found.by_story(cell)["y"] for cell in found.select(subject="s1", n_stories=2)]
    assert len(one) == 2
    np.testing.assert_allclose(along.scores[1, 1], np.mean(one, axis=0), rtol=1e-6)
    assert along.columns.shape == (6, 40, 2)
    np.testing.assert_array_equal(along.columns[3, :, 1], along.scores[3, 1])


def test_contexts_are_their_sweep(found):
    along = found.along("context")
    assert along.x.tolist() == [8, 32]
    assert along.names == (8, 32)
    table = found.story_table.query("layer == 2 and n_stories == 6 and model == 'echo'")
    wanted = table.pivot_table("mean_r", "context", ["subject", "story"])
    np.testing.assert_allclose(along.scores, wanted)


def test_models_are_taken_at_the_layer_that_validation_chose(found):
    along = found.along("n_params", n_params={"echo": 2e6, "shallow": 1e6})
    assert along.x.tolist() == [1e6, 2e6]
    assert along.names == ("shallow", "echo")
    rows = found.table[found.table["in_model_sweep"]]
    for i, (subject, story) in enumerate(zip(*along.levels.values(), strict=True)):
        for j, model in enumerate(along.names):
            own = rows[(rows["subject"] == subject) & (rows["model"] == model)]
            best = own.loc[own["mean_cv_score"].idxmax(), "layer"]
            cell = found.select(subject=subject, model=model, layer=best, context=32, n_stories=6)
            assert along.scores[j, i] == pytest.approx(
                np.nanmean(found.by_story(cell[0])[story]), rel=1e-5
            )


def test_models_of_unknown_size_are_told(found):
    with pytest.raises(
        ConfigError,
        match=r"fewer than two sizes along n_params .*\(echo, shallow\): give n_params=",
    ):
        found.along("n_params")
    sizes = {"echo": 2e6, "shallow": 1e6, "other": 5.0}
    lost = np.where(found.table["model"] == "shallow", np.nan, found.table["mean_cv_score"])
    with pytest.raises(ConfigError, match=r"to choose a layer by \(shallow of s1, shallow of s2\)"):
        with_table(found, mean_cv_score=lost).along("n_params", n_params=sizes)


def test_amounts_that_differ_between_subjects_are_left_out_and_told(found):
    table = found.table
    longer = (table["subject"] == "s2") & (table["n_stories"] == 6)
    uneven = with_table(found, hours=np.where(longer, 2 * table["hours"], table["hours"]))
    wanted = (
        r"^along hours, left out: 'all', which is not one size for all subjects "
        r"\(0.177 h of s1, 0.353 h of s2\)\.$"
    )
    with pytest.warns(VoxscaleWarning, match=wanted):
        along = uneven.along("hours")
    assert along.names == ("1", "2", "3", "4", "5")
    assert uneven.along("hours", "s2").x[-1] == pytest.approx(0.3533, abs=1e-4)


def test_units_that_lack_a_size_are_counted(found):
    fewer = without(found, subject="s2", n_stories=3, model="echo", layer=2)
    wanted = (
        r"^along hours, left out: 2 of 4 story units without a score at some size "
        r"\(3 stories of s2\)\.$"
    )
    with pytest.warns(VoxscaleWarning, match=wanted):
        along = fewer.along("hours")
    assert along.scores.shape == (6, 2)
    assert set(along.levels["subject"]) == {"s1"}
    assert len(fewer.along("hours", "s2").x) == 5


def test_one_size_is_too_few(found):
    fewer = without(found, context=8)
    with pytest.raises(ConfigError, match=r"^study 'tiny' has fewer than two sizes along context "):
        fewer.along("context")
    with pytest.raises(ConfigError, match="of subject 's1'"):
        fewer.along("context", "s1", voxels=True)


def test_wrong_options_are_told(found):
    with pytest.raises(ValueError, match=r"axis 'layer' is unknown; choose one of hours, context"):
        found.along("layer")
    with pytest.raises(ValueError, match="unit 'tr' is unknown; choose one of story, block"):
        found.along("hours", unit="tr")
    with pytest.raises(ValueError, match=r'expected unit="story" with voxels=True'):
        found.along("hours", "s1", unit="block", voxels=True)
    with pytest.raises(ValueError, match=r"there are subjects s1, s2; name one with subject="):
        found.along("hours", voxels=True)
    with pytest.raises(ValueError, match="no cell of subject 's3' is done"):
        found.along("hours", "s3")


def test_the_functions_of_scaling_take_them(found):
    along = found.along("hours")
    law = fit_scaling_law(along.x, along.scores, levels=along.levels)
    assert (law.interval_over, law.n_members) == ("subject", 2)
    voxels = found.along("hours", "s1", voxels=True)
    slopes = slope_map(voxels.x, voxels.scores, levels=voxels.levels)
    assert slopes.over == "story"
    own = fit_scaling_law(voxels.x, found.along("hours", "s1").scores)
    assert slopes.slopes.mean() == pytest.approx(own.slope, rel=1e-5)
    mean = fit_pooled_law(along.x, along.columns, levels=along.levels)
    assert mean.asymptotes.shape == (1,)


def test_the_page_goes_from_results_to_laws(folder, monkeypatch):
    monkeypatch.chdir(folder)
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)), names)
    law = names["law"]
    assert (law.interval_by, law.interval_over, law.n_members) == ("bca", "subject", 2)
    assert 0 < law.slope_interval[0] < law.slope < law.slope_interval[1]
    laws, has, cc_max = names["laws"], names["has"], names["cc_max"]
    assert 30 <= has.sum() < len(has) == 40
    np.testing.assert_array_equal(laws.asymptotes, cc_max[has])
    assert (laws.exponents[:30] > 0).all()
    pooled = names["pooled"]
    assert pooled.n_left_out == 0
    assert 0 < pooled.exponents[0] < 4
