"""Scores of a study along an axis, and what they tell of slopes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from voxscale import plugins
from voxscale.errors import ConfigError
from voxscale.features.echo import Echo
from voxscale.scaling import slope_components
from voxscale.study import Study, results, run, story_scores_along
from voxscale.synthetic import planted_scores


class Shallow(Echo):
    n_layers = 2

    @property
    def identity(self):
        return {"model": "shallow"}


@pytest.fixture(scope="module")
def found(tiny, tmp_path_factory):
    study = Study.from_toml(tiny.write_study(tmp_path_factory.mktemp("study"), layers="[2]"))
    run(study, progress=False, device="cpu")
    return results(study)


def test_hours_are_means_over_draws_and_subjects(found):
    along = story_scores_along(found)
    assert along.axis == "hours"
    assert along.subjects == ("s1", "s2")
    assert along.stories == ("x", "y")
    assert along.scores.shape == (3, 2, 2)
    np.testing.assert_allclose(along.x, np.array([1, 2, 3]) * 53 * 2 / 3600)
    for i, n_stories in enumerate((1, 2, 3)):
        for j, subject in enumerate(along.subjects):
            cells = [c for c in found.sweep("n_stories", subject) if c.n_stories == n_stories]
            assert len(cells) == (1 if n_stories == 3 else 2)
            each = [found.meta(cell)["mean_r_by_story"] for cell in cells]
            np.testing.assert_allclose(along.scores[i, j], np.mean(each, axis=0))
    assert along.components.design == "crossed"
    assert along.components == slope_components(along.x, along.scores)
    assert along.decades == pytest.approx(np.log10(3))
    assert along.story_minutes == pytest.approx(53 * 2 / 60)
    assert along.times_heard == {"x": 3}


def test_contexts_are_their_sweep(found):
    along = story_scores_along(found, "context")
    assert along.x.tolist() == [4, 32]
    cells = found.sweep("context", "s2")
    np.testing.assert_allclose(
        along.scores[:, 1], [found.meta(cell)["mean_r_by_story"] for cell in cells]
    )


def models(scores, layers=(3, 6)):
    """Results of four models and two layers, of which validation prefers the second."""
    rows, stories = [], []
    for subject in range(scores.shape[1]):
        for model in range(scores.shape[0]):
            for layer in layers:
                key = f"{subject}{model}{layer}"
                cell = {"subject": f"s{subject}", "model": f"m{model}", "draw": 0, "key": key}
                rows.append(
                    cell
                    | {"in_model_sweep": True, "mean_r_validation": np.nan}
                    | {"mean_cv_score": float(layer)}
                )
                for story, r in enumerate(scores[model, subject]):
                    worse = 0.0 if layer == layers[-1] else 1.0  # by test scores, the first
                    stories.append(cell | {"story": f"t{story}", "mean_r": r + worse})
    return made_of(rows, stories)


def made_of(rows, stories):
    """Results of such tables; test story t0 is of 100 TRs, t1 of 200 and so on, in two blocks."""
    table = pd.DataFrame(rows)
    n = np.arange(10)
    meta = {
        "tr_s": 1.5,
        "blocks": {
            "story": [f"t{i // 2}" for i in range(20)],
            "n_trs": [*np.repeat(50 * (n + 1), 2)],
        },
        "ceiling_runs": {"t1": 4, "t9": 2},
    }
    return SimpleNamespace(
        table=table,
        story_table=pd.DataFrame(stories),
        subjects=tuple(table["subject"].unique()),
        study=SimpleNamespace(name="many"),
        select=lambda subject: [subject],
        meta=lambda cell: meta,
    )


def test_models_are_taken_at_the_layer_that_validation_chose():
    sizes = [1e8, 1e9, 1e10, 1e11]
    scores = planted_scores(3, 2, sizes, subject_sd=0.01, story_sd=0.01, size_sd=0.01)
    backwards = {f"m{i}": size for i, size in enumerate(sizes[::-1])}
    along = story_scores_along(models(scores[::-1]), n_params=backwards)
    assert along.axis == "n_params"
    assert along.x.tolist() == sizes
    np.testing.assert_array_equal(along.scores, scores)


def test_layers_are_compared_by_one_measure_that_all_have():
    scores = planted_scores(2, 2, [1e8, 1e9], size_sd=0.01)
    names = {"m0": 1e8, "m1": 1e9}
    made = models(scores)
    # Cross-validation prefers the second layer; validation, which the first alone has, is no rival.
    made.table.loc[made.table.mean_cv_score == 3, "mean_r_validation"] = 99.0
    np.testing.assert_array_equal(story_scores_along(made, n_params=names).scores, scores)
    made.table["mean_r_validation"] = -made.table["mean_cv_score"]  # all have it: it is first
    np.testing.assert_array_equal(story_scores_along(made, n_params=names).scores, scores + 1)


def test_without_a_validation_score_no_layer_is_chosen():
    made = models(planted_scores(2, 2, [1e8, 1e9]))
    gone = (made.table.subject == "s1") & (made.table.mean_cv_score == 3)
    made.table.loc[gone, "mean_cv_score"] = np.nan
    with pytest.raises(
        ConfigError, match=r"the 2 layers of model 'm0' in subject 's1' do not all have a finite"
    ):
        story_scores_along(made)
    alone = models(planted_scores(2, 2, [1e8, 1e9]), layers=(3,))
    alone.table["mean_cv_score"] = np.nan
    assert story_scores_along(alone, n_params={"m0": 1e8, "m1": 1e9}).scores.shape == (2, 2, 2)


def test_sizes_and_stories_that_not_all_have_are_left_out():
    sizes = [1e8, 1e9, 1e10]
    scores = planted_scores(2, 3, sizes)
    made = models(scores)
    names = {f"m{i}": size for i, size in enumerate(sizes)}
    made.table = made.table[~((made.table.subject == "s1") & (made.table.model == "m1"))]
    gone = (made.story_table.subject == "s0") & (made.story_table.story == "t1")
    made.story_table = made.story_table[~gone]
    along = story_scores_along(made, n_params=names)
    assert along.x.tolist() == [1e8, 1e10]
    assert along.stories == ("t0", "t2")
    assert along.lacking == {"m1": ("s1",)}
    assert along.apart == {}
    assert along.story_minutes == (100 + 300) / 2 * 1.5 / 60  # of the stories in common
    assert along.times_heard == {}
    assert story_scores_along(models(scores), n_params=names).times_heard == {"t1": 4}
    made.story_table = made.story_table[
        (made.story_table.subject == "s0") == (made.story_table.story == "t0")
    ]
    with pytest.raises(ConfigError, match="tested on no story in common"):
        story_scores_along(made, n_params=names)


def hours(heard, asked=(0.5, 1.0, 2.0, 4.0), slopes=None):
    """Results of subjects who heard so many hours, at the hours asked for and at all of them."""
    rows, stories = [], []
    for number, (subject, total) in enumerate(heard.items()):
        some = [one for one in asked if one < total]
        for size in (*some, total):
            is_all = size == total
            key = f"{subject}{size}"
            cell = {"subject": subject, "model": "m0", "draw": 0, "key": key}
            rows.append(cell | {
                "n_stories": round(4 * size), "hours": size, "reference": is_all,
                "asked_hours": np.nan if is_all else size, "in_n_stories_sweep": True,
                "in_context_sweep": False, "in_model_sweep": False,
            })  # fmt: skip
            slope = 0.1 if slopes is None else slopes[number]
            for story in range(2):
                r = 0.2 + slope * np.log10(size) + 0.01 * story
                stories.append(cell | {"story": f"t{story}", "mean_r": r})
    return made_of(rows, stories)


def test_all_stories_are_no_size_where_subjects_heard_different_hours():
    along = story_scores_along(hours({"s0": 16.0, "s1": 6.0}, slopes=(0.1, 0.2)))
    assert along.x.tolist() == [0.5, 1.0, 2.0, 4.0]
    assert along.apart == {"all": {"s0": 16.0, "s1": 6.0}}
    assert along.lacking == {}
    # Each subject has its own line of its own hours, and nothing else: no scatter.
    parts = along.components
    assert parts.slope == pytest.approx(0.15)
    assert parts.subject_sd == pytest.approx(0.1 / np.sqrt(2))
    assert parts.size_sd == pytest.approx(0, abs=1e-12)
    expected = 0.2 + np.log10([0.5, 1, 2, 4])[:, None] * [0.1, 0.2]
    np.testing.assert_allclose(along.scores[:, :, 0], expected)


def test_all_stories_are_a_size_where_hours_are_nearly_the_same():
    along = story_scores_along(hours({"s0": 16.0, "s1": 14.0}))
    assert along.x.tolist() == pytest.approx([0.5, 1, 2, 4, np.sqrt(16 * 14)])
    assert along.apart == {}


def test_of_who_heard_as_many_hours_as_are_asked_for_all_stories_stand_for_them():
    along = story_scores_along(hours({"s0": 16.0, "s1": 3.8}, asked=(1.0, 4.0)))
    assert along.x.tolist() == pytest.approx([1, np.sqrt(4 * 3.8)])
    assert along.scores[1, 1, 0] == pytest.approx(0.2 + 0.1 * np.log10(3.8))
    assert along.apart == {"all": {"s0": 16.0, "s1": 3.8}}


def test_an_amount_that_a_subject_never_heard_is_no_size():
    along = story_scores_along(hours({"s0": 16.0, "s1": 2.6}))
    assert along.x.tolist() == [0.5, 1.0, 2.0]
    assert along.lacking == {"4.0 h": ("s1",)}
    assert along.apart == {"all": {"s0": 16.0, "s1": 2.6}}


def test_without_two_amounts_on_which_subjects_agree_it_is_said_why():
    with pytest.raises(ConfigError) as error:
        story_scores_along(hours({"s0": 16.0, "s1": 6.25}, asked=(1.0,)))
    assert str(error.value) == (
        "subjects share fewer than two sizes along hours (all is 16 h of s0, 6.25 h of s1); "
        "amounts of data are one size where subjects' hours agree within 10 %; sweep over hours "
        "that every subject has."
    )
    made = models(planted_scores(2, 2, [1e8, 1e9]))
    made.table = made.table[(made.table.subject == "s0") | (made.table.model == "m0")]
    with pytest.raises(ConfigError, match=r"n_params \(m1 is not done of s1\); run the cells"):
        story_scores_along(made, n_params={"m0": 1e8, "m1": 1e9})


def test_without_two_sizes_there_is_no_slope(found):
    with pytest.raises(ConfigError, match="study 'tiny' has no two sizes along n_params that are"):
        story_scores_along(found, "n_params")
    with pytest.raises(ValueError, match="axis 'layer' is unknown; choose one of n_params, hours"):
        story_scores_along(found, "layer")


def test_models_of_a_real_study_are_sizes(tiny, tmp_path):
    plugins.register("extractors", "shallow", Shallow)
    path = tiny.write_study(tmp_path, training_stories='["all"]', contexts="[32]")
    many = (
        'models = ["shallow", "echo"]\nmodel = "echo"\nlayers = { echo = [1, 2], shallow = [0, 1] }'
    )
    text = path.read_text().replace('model = "echo"\nlayers = [0, 1, 2]', many)
    path.write_text(text)
    study = Study.from_toml(path)
    run(study, progress=False, device="cpu")
    found = results(study)
    along = story_scores_along(found, "n_params", n_params={"shallow": 1e3, "echo": 1e6})
    assert along.x.tolist() == [1e3, 1e6]
    table = found.table.set_index(["subject", "model", "layer"])["mean_cv_score"]
    for j, subject in enumerate(along.subjects):
        for i, model in enumerate(("shallow", "echo")):
            best = table.loc[subject, model].idxmax()
            (cell,) = [
                c for c in found.sweep("model", subject) if (c.model, c.layer) == (model, best)
            ]
            np.testing.assert_allclose(along.scores[i, j], found.meta(cell)["mean_r_by_story"])


def test_hours_and_stories_of_one_number_are_two_sizes(tiny, tmp_path):
    grid = "\n[[sweep]]\ntraining_stories = [1]\n"
    path = tiny.write_study(tmp_path, tiny.STUDY + grid, layers="[2]")
    text = path.read_text().replace("training_stories = [1, 2, 3]", 'hours = [0.05, "all"]')
    study = Study.from_toml(path.with_name("tiny.toml")) if path.write_text(text) else None
    run(study, progress=False, device="cpu")
    along = story_scores_along(results(study), "hours")
    assert len(along.x) == 2  # the grid is beside the sweep of hours
