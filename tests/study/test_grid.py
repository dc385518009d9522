"""A study over two models, hours and feature spaces, run and read."""

import numpy as np
import pytest

from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.design import DesignRecipe
from voxscale.errors import ConfigError
from voxscale.evaluate import correlation, position_features
from voxscale.features import word_rate
from voxscale.features.echo import Echo
from voxscale.fit import RidgeCV, leave_run_out
from voxscale.study import Study, plan, results, run, status

GRID = """
[[sweep]]
models = ["echo", "shallow"]
hours = [0.02, "all"]
draws = 2

[[sweep]]
bands = ["language", "language+position", "word_rate", "position+word_rate"]
"""


class Shallow(Echo):
    """A model of two layers, which are those of echo that hear least."""

    n_layers = 2

    @property
    def identity(self):
        return {"model": "shallow"}


@pytest.fixture(scope="module")
def grid(tiny, tmp_path_factory):
    plugins.register("extractors", "shallow", Shallow)
    path = tiny.write_study(tmp_path_factory.mktemp("grid"), tiny.STUDY + GRID, contexts="[32]")
    layers = 'models = ["echo", "shallow"]\nlayers = { echo = [1, 2], shallow = [0, 1] }'
    layers = 'models = ["echo", "shallow"]\nlayers = { echo = [1, 2], shallow = [0, 1] }'
    text = path.read_text().replace("layers = [0, 1, 2]", layers)
    path.write_text(text.replace("training_stories = [1, 2, 3]", 'hours = [0.02, 0.05, "all"]'))
    study = Study.from_toml(path)
    summary = run(study, progress=False, device="cpu")
    assert not summary.failed
    return study


def test_every_combination_is_there_and_nothing_is_left_to_do(grid):
    made = plan(grid)
    assert not made.missing
    found = results(grid)
    table = found.table
    assert set(table["model"]) == {"echo", "shallow"}
    own = table[table["subject"] == "s1"]
    models = own[own["in_model_sweep"]]
    assert sorted(zip(models["model"], models["layer"], strict=True)) == [
        ("echo", 1), ("echo", 2), ("shallow", 0), ("shallow", 1),
    ]  # fmt: skip
    assert (own[own["in_layer_sweep"]]["model"] == "echo").all()
    sized = own[own["in_n_stories_sweep"]]
    assert sorted(sized["asked_hours"].dropna()) == [0.02, 0.02, 0.05, 0.05]
    bands = own[own["in_bands_sweep"]]["bands"]
    assert sorted(bands) == ["language", "language+position", "word_rate", "word_rate+position"]
    told = str(status(grid))
    assert "model" in told
    assert "echo: 4/4, shallow: 4/4" in told


def test_models_are_read_apart(grid):
    found = results(grid)
    cells = {(c.model, c.layer): c for c in found.sweep("model", "s1")}
    assert list(cells) == [("echo", 1), ("echo", 2), ("shallow", 0), ("shallow", 1)]
    # Their layer 1 is the same function of the words, so that the scores are.
    echo, shallow = (found.array(cells[model, 1], "r") for model in ("echo", "shallow"))
    np.testing.assert_array_equal(echo, shallow)
    assert not np.array_equal(echo, found.array(cells["shallow", 0], "r"))


def test_bands_are_the_spaces_side_by_side(grid, tiny):
    data = tiny.load("s1")
    recipe = DesignRecipe((1, 2), (5, 2))
    alphas = [1.0, 30.0, 1000.0]

    def designs(runs):
        states = Echo().extract(
            {r: data.words[r] for r in runs}, [2], min_context=16, max_context=32
        )
        X, Y = recipe.join(states[2], data.responses, runs)
        rate, _ = recipe.join(word_rate({r: data.words[r] for r in runs}), data.responses, runs)
        lengths = recipe.run_lengths(data.responses, runs)
        position = np.concatenate(position_features(lengths)).astype(np.float32)
        return {"language": X, "word_rate": rate, "position": position}, Y, lengths

    responses = dict(data.responses)
    mean = np.mean([
        recipe.join(word_rate({"x": data.words["x"]}), {"x": one}, ["x"])[1]
        for one in data.trials["x"]
    ], axis=0)  # fmt: skip
    responses["x"] = TRSeries(mean, "x", 5, data.responses["x"].tr_times)
    train, Y, lengths = designs(data.train)
    test, _, _ = designs(data.test)
    _, Y_test = recipe.join(word_rate(data.words), responses, data.test)
    found = results(grid)
    for cell in found.sweep("bands", "s1"):
        names = cell.bands.split("+")
        X = np.hstack([train[name] for name in names])
        model = RidgeCV(alphas, leave_run_out(lengths), device="cpu").fit(X, Y)
        r = correlation(Y_test, model.predict(np.hstack([test[name] for name in names])))
        np.testing.assert_allclose(found.array(cell, "r"), r, atol=2e-5)


def test_sound_that_is_not_there_is_an_error_of_the_sweep(tiny, tmp_path):
    path = tiny.write_study(tmp_path, tiny.STUDY + '\n[[sweep]]\nbands = ["language+sound"]\n')
    match = (
        r"tiny.toml, line \d+: \[\[sweep\]\] bands has sound, but .*'s1', no run has audio; leave"
    )
    with pytest.raises(ConfigError, match=match):
        plan(Study.from_toml(path))


def test_layers_that_a_model_lacks_are_told_with_their_sweep(tiny, tmp_path):
    path = tiny.write_study(tmp_path, tiny.STUDY + "\n[[sweep]]\nlayers = [1, 7]\n")
    with pytest.raises(
        ConfigError, match=r"line \d+: \[\[sweep\]\] layers has 7; model 'echo' has"
    ):
        plan(Study.from_toml(path))


def test_blocks_average_to_the_mean_correlation(grid):
    found = results(grid)
    blocks = found.block_table
    assert list(blocks[blocks["key"] == blocks["key"].iloc[0]]["story"]) == ["x", "y"]
    for key, own in blocks.groupby("key"):
        (row,) = found.table[found.table["key"] == key].itertuples()
        assert own["n_trs"].sum() == row.n_test_trs
        mean = np.average(own["mean_r"], weights=own["n_trs"])
        np.testing.assert_allclose(mean, row.mean_r, atol=1e-6)
