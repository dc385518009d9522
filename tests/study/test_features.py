import shutil
from dataclasses import replace

import numpy as np
import pytest

from voxscale.errors import FitError
from voxscale.features.echo import Echo
from voxscale.store import LayerStore
from voxscale.study import Study
from voxscale.study._cells import cells_of
from voxscale.study._features import (
    compute_pass,
    feature_key,
    missing_passes,
    passes_for,
    read_features,
)
from voxscale.study._inputs import Inputs


@pytest.fixture
def inputs(tiny, tmp_path):
    return Inputs(Study.from_toml(tiny.write_study(tmp_path)))


@pytest.fixture
def store(tmp_path):
    return LayerStore(tmp_path / "features")


def cells_in(inputs, subject="s1"):
    return list(cells_of(inputs.study, inputs.facts(subject)))


def test_each_story_runs_once_at_each_context(inputs):
    passes = passes_for(inputs, cells_in(inputs))
    assert sorted((one.context, one.targets[0].run) for one in passes) == [
        (context, run) for context in (4, 32) for run in "abcxy"
    ]
    assert {one.context: one.layers for one in passes} == {32: (0, 1, 2), 4: (2,)}


def test_a_story_runs_for_the_layers_that_its_cells_read(tiny, tmp_path):
    text = tiny.STUDY + "\n[[sweep]]\nlayers = [0]\ncontexts = [4, 8]\ntraining_stories = [1]\n"
    made = Inputs(Study.from_toml(tiny.write_study(tmp_path, text)))
    cells = cells_in(made)
    (alone,) = {cell.stories for cell in cells if cell.context == 8}
    layers = {(p.context, p.targets[0].run): p.layers for p in passes_for(made, cells)}
    assert {layers[32, run] for run in "abcxy"} == {(0, 1, 2)}
    assert {run for context, run in layers if context == 8} == {*alone, "x", "y"}
    assert {layers[8, run] for run in (*alone, "x", "y")} == {(0,)}
    assert {run: layers[4, run] for run in "abcxy"} == {
        run: (0, 2) if run in (*alone, "x", "y") else (2,) for run in "abcxy"
    }


def test_what_is_computed_beside_the_fits_reads_its_own_layers(tiny, tmp_path):
    path = tiny.write_study(tmp_path, tiny.BESIDE, layers="[0, 1, 2]")
    path.write_text(path.read_text() + "\ncompare_layers = [0, 1]\n")
    made = Inputs(Study.from_toml(path))
    of_kind = {cell.kind: passes_for(made, [cell]) for cell in cells_in(made)}
    layers = {kind: {one.layers for one in found} for kind, found in of_kind.items()}
    layers.pop("fit")
    assert layers == {
        "ceiling": set(), "baselines": {(2,)}, "stacking": {(0, 1, 2)}, "comparison": {(0, 1)},
    }  # fmt: skip


def test_subjects_who_heard_the_same_share_everything(inputs):
    both = [*cells_in(inputs, "s1"), *cells_in(inputs, "s2")]
    assert passes_for(inputs, both) == passes_for(inputs, cells_in(inputs))


def test_only_the_stories_of_the_cells_run(inputs):
    cell = next(cell for cell in cells_in(inputs) if cell.n_stories == 1)
    runs = [one.targets[0].run for one in passes_for(inputs, [cell])]
    assert runs == [*cell.stories, "x", "y"]


def test_stored_features_are_the_states_at_the_trs(inputs, store, tiny):
    cells = cells_in(inputs)
    passes = passes_for(inputs, cells)
    for one in passes:
        compute_pass(inputs, one, store)
    assert missing_passes(passes, store) == []
    cell = next(cell for cell in cells if cell.layer == 1)
    features = read_features(inputs, store, cell, ("a", "x"))
    words = tiny.load("s1").words["x"]
    states = Echo().extract({"x": words}, [1], min_context=16, max_context=32)[1]["x"]
    # The filter, from its formula: sinc(t) sinc(t / 3) within three TRs, summed over words.
    t = (tiny.TR_TIMES[:, None] - words.times[None, :]) / tiny.TR_S
    naive = np.where(abs(t) <= 3, np.sinc(t) * np.sinc(t / 3), 0) @ states.values.astype(float)
    assert list(features) == ["a", "x"]
    assert features["x"].values.dtype == np.float32
    assert features["x"].trs == range(60)
    np.testing.assert_allclose(features["x"].values, naive, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(features["x"].tr_times, tiny.TR_TIMES)


def test_only_what_is_missing_is_listed(inputs, store):
    passes = passes_for(inputs, cells_in(inputs))
    compute_pass(inputs, passes[0], store)
    assert missing_passes(passes, store) == passes[1:]


def test_another_layer_runs_alone(tiny, tmp_path, store):
    before = Inputs(Study.from_toml(tiny.write_study(tmp_path, layers="[0, 2]")))
    for one in passes_for(before, cells_in(before)):
        compute_pass(before, one, store)
    after = Inputs(Study.from_toml(tiny.write_study(tmp_path)))
    missing = missing_passes(passes_for(after, cells_in(after)), store)
    assert {(one.context, one.layers) for one in missing} == {(32, (1,))}
    assert sorted(one.targets[0].run for one in missing) == list("abcxy")
    kept = {key: store.meta(key) for key in store.keys()}  # noqa: SIM118 - a store is no mapping
    for one in missing:
        compute_pass(after, one, store)
    assert missing_passes(passes_for(after, cells_in(after)), store) == []
    assert {key: store.meta(key) for key in kept} == kept


def test_a_layer_that_one_run_lacks_is_written_for_that_run_alone(inputs, store):
    shifted = {run: times + 1 for run, times in inputs.facts("s2").tr_times.items()}
    other = {run: dict(one) for run, one in inputs.facts("s2").hashes.items()}
    for one in other.values():
        one["tr_times"] = "shifted"
    inputs._facts["s2"] = replace(inputs.facts("s2"), hashes=other, tr_times=shifted)
    cells = [*cells_in(inputs, "s1"), *cells_in(inputs, "s2")]
    one = next(made for made in passes_for(inputs, cells) if made.context == 32)
    compute_pass(inputs, one, store)
    arrays = {key: store.get(key, f"layer_{layer}") for layer, key in one.keys}
    (_, lost), (_, other_lost) = one.targets[0].keys[1], one.targets[1].keys[2]
    for key in (lost, other_lost):
        shutil.rmtree(store.path(key))
    (again,) = missing_passes([one], store)
    assert [target.keys for target in again.targets] == [((1, lost),), ((2, other_lost),)]
    compute_pass(inputs, again, store)
    for layer, key in one.keys:
        np.testing.assert_array_equal(store.get(key, f"layer_{layer}"), arrays[key])
        assert store.names(key) == [f"layer_{layer}"]
        assert store.meta(key)["layers"] == [layer]


def test_the_same_words_on_other_trs_run_once_but_are_two_files(inputs):
    facts = inputs.facts("s1")
    other = {run: dict(one) for run, one in inputs.facts("s2").hashes.items()}
    for one in other.values():
        one["tr_times"] = "shifted"
    inputs._facts["s2"] = replace(inputs.facts("s2"), hashes=other)
    passes = passes_for(inputs, [*cells_in(inputs, "s1"), *cells_in(inputs, "s2")])
    assert len(passes) == 10
    for one in passes:
        assert [target.subject for target in one.targets] == ["s1", "s2"]
        first, second = one.targets
        assert first.keys == tuple(
            (layer, feature_key(inputs, facts, first.run, "echo", one.context, layer))
            for layer in one.layers
        )
        assert not {key for _, key in first.keys} & {key for _, key in second.keys}


@pytest.mark.parametrize(
    "replaced",
    [{"contexts": "[4, 33]"}, {"delays": "[1]\nnormalize = true"}],
)
def test_what_changes_features_changes_their_key(inputs, tiny, tmp_path, replaced):
    other = Inputs(Study.from_toml(tiny.write_study(tmp_path, **replaced)))
    context = max(other.study.contexts)
    assert feature_key(other, other.facts("s1"), "a", "echo", context, 2) != (
        feature_key(inputs, inputs.facts("s1"), "a", "echo", 32, 2)
    )


@pytest.mark.parametrize(
    "replaced", [{"delays": "[1]"}, {"trim": "[1, 1]"}, {"alphas": "[1.0]"}, {"layers": "[1, 2]"}]
)
def test_what_comes_after_features_does_not(inputs, tiny, tmp_path, replaced):
    other = Inputs(Study.from_toml(tiny.write_study(tmp_path, **replaced)))
    assert feature_key(other, other.facts("s1"), "a", "echo", 32, 2) == (
        feature_key(inputs, inputs.facts("s1"), "a", "echo", 32, 2)
    )


def test_features_that_failed_say_why(inputs, store):
    cell = cells_in(inputs)[0]
    key = feature_key(inputs, inputs.facts("s1"), "a", "echo", 32, cell.layer)
    store.fail(key, {}, RuntimeError("out of memory"))
    match = (
        r"features of layer 0 of story 'a' at context 32 .* "
        r"\(RuntimeError: out of memory\); see .*failed"
    )
    with pytest.raises(FitError, match=match):
        read_features(inputs, store, cell, ("a",))
