from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from voxscale.errors import StoreError
from voxscale.study import Cell, Study, plan, results, run
from voxscale.study._plan import cell_store
from voxscale.study._tables import COLUMNS


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
    made = Study.from_toml(tiny.write_study(tmp_path_factory.mktemp("study")))
    run(made, progress=False, device="cpu")
    return made


@pytest.fixture(scope="module")
def found(study):
    return results(study)


def test_the_table_has_a_row_for_each_cell_in_the_order_of_the_plan(study, found):
    assert list(found.table.columns) == list(COLUMNS)
    assert found.cells == plan(study).cells
    for name in ("subject", "model", "layer", "context", "n_stories", "draw", "reference"):
        assert found.table[name].tolist() == [getattr(cell, name) for cell in found.cells]
    assert found.table["key"].tolist() == [plan(study).keys[cell] for cell in found.cells]
    assert found.missing == found.failed == ()
    pd.testing.assert_frame_equal(found.table, results(study).table)


def test_rows_are_reduced_from_the_arrays(found):
    for cell, row in zip(found.cells, found.table.itertuples(), strict=True):
        arrays = found.arrays(cell)
        assert row.mean_r == pytest.approx(np.nanmean(arrays["r"]), rel=1e-5)
        assert row.mean_r2 == pytest.approx(np.nanmean(arrays["r2"]), rel=1e-4)
        assert row.mean_cv_score == pytest.approx(np.nanmean(arrays["cv_score"]), rel=1e-4)
        assert row.mean_cc_max == pytest.approx(np.nanmean(arrays["cc_max"]), rel=1e-4)
        assert row.hours == pytest.approx(53 * row.n_stories * 2 / 3600)


def test_sweeps_are_ordered_along_their_axis(found):
    layers = found.sweep("layer", "s1")
    assert [cell.layer for cell in layers] == [0, 1, 2]
    assert [cell.context for cell in found.sweep("context", "s2")] == [4, 32]
    stories = found.sweep("n_stories", "s1")
    assert [(cell.n_stories, cell.draw) for cell in stories] == [
        (1, 0), (1, 1), (2, 0), (2, 1), (3, 0),
    ]  # fmt: skip
    backwards = replace(found, cells=found.cells[::-1])
    assert backwards.sweep("n_stories", "s1") == stories
    assert [cell.subject for cell in found.sweep("context")] == ["s1", "s1", "s2", "s2"]
    table = found.table
    for axis in ("layer", "context", "n_stories"):
        assert len(found.sweep(axis)) == table[f"in_{axis}_sweep"].sum()
    with pytest.raises(ValueError, match="axis 'hours' is unknown; choose one of layer"):
        found.sweep("hours")


def test_cells_are_selected_by_their_fields(found):
    (cell,) = found.select(subject="s2", layer=0)
    assert (cell.subject, cell.layer, cell.n_stories) == ("s2", 0, 3)
    assert found.select(layer=99) == ()
    assert len(found.select(n_stories=1)) == 4
    assert found.subjects == ("s1", "s2")


def test_the_centre_of_the_star_is_found(found):
    cell = found.reference("s2")
    assert (cell.subject, cell.layer, cell.context, cell.n_stories) == ("s2", 2, 32, 3)
    with pytest.raises(StoreError, match="subject 's3': layer 2 with all stories is not done"):
        found.reference("s3")


def test_each_story_has_its_correlations(found):
    cell = found.reference("s1")
    by_story = found.by_story(cell)
    assert list(by_story) == ["x", "y"]
    np.testing.assert_array_equal(by_story["y"], found.array(cell, "r_by_story")[1])
    rows = found.story_table.query("subject == 's1' and layer == 2 and n_stories == 3")
    rows = rows[rows["context"] == 32].set_index("story")["mean_r"]
    for story, r in by_story.items():
        assert rows[story] == pytest.approx(r.mean(), rel=1e-5)
    assert len(found.story_table) == 2 * len(found.cells)


def test_predictions_know_their_trs(found, tiny):
    cell = found.reference("s1")
    prediction = found.prediction(cell)
    assert (prediction.run, prediction.trs) == ("x", range(5, 58))
    trials = np.stack([one.values[5:58] for one in tiny.load("s1").trials["x"]]).astype(float)
    response = ((trials - trials.mean(1, keepdims=True)) / trials.std(1, keepdims=True)).mean(0)
    r = [np.corrcoef(response[:, v], prediction.values[:, v])[0, 1] for v in range(40)]
    np.testing.assert_allclose(r, found.by_story(cell)["x"], atol=1e-5)
    with pytest.raises(StoreError, match="has no array 'prediction_y'"):
        found.prediction(cell, "y")
    with pytest.raises(StoreError, match=r"1 story: only reference cells keep predictions; ask"):
        found.prediction(found.select(n_stories=1)[0])


def test_cells_tell_how_many_permutations_there_were(found):
    for cell in found.cells:
        assert found.meta(cell)["n_permutations"] == (30 if cell.reference else 0)


def test_arrays_stand_side_by_side_in_xarray(found):
    scores = found.to_xarray("s1")
    assert dict(scores.sizes) == {"cell": 8, "voxel": 40}
    for i, cell in enumerate(found.select(subject="s1")):
        np.testing.assert_array_equal(scores["r"][i], found.array(cell, "r"))
        assert scores["layer"].values[i] == cell.layer
    with pytest.raises(ValueError, match="subjects s1, s2; name one with subject="):
        found.to_xarray()
    with pytest.raises(ValueError, match="no cell of subject 'nobody' is done; there are s1, s2"):
        found.to_xarray("nobody")


def test_a_cell_of_another_study_is_told(found):
    with pytest.raises(StoreError, match="is not a cell of study 'tiny'"):
        found.arrays(Cell("s9", "echo", 1, 32, ("a",)))


def test_nothing_done_is_told(tiny, tmp_path):
    study = Study.from_toml(tiny.write_study(tmp_path))
    with pytest.raises(StoreError, match=r"study 'tiny' has no results in .*run it first"):
        results(study)


def test_nothing_but_failures_is_told(tiny, tmp_path):
    study = Study.from_toml(tiny.write_study(tmp_path))
    keys = plan(study).keys
    for cell in list(keys)[:3]:
        cell_store(study).fail(keys[cell], {}, "boom")
    with pytest.raises(StoreError, match=r"every cell that was tried \(3\) failed; .* status"):
        results(study)


def test_what_is_done_so_far_can_be_had(tiny, tmp_path):
    study = Study.from_toml(tiny.write_study(tmp_path, layers="[2]", training_stories="[3]"))
    run(study, progress=False, device="cpu")
    keys = plan(study).keys
    gone, broken, *rest = keys
    cell_store(study).path(keys[gone]).unlink()
    cell_store(study).path(keys[broken]).unlink()
    cell_store(study).fail(keys[broken], {}, "boom")
    found = results(study)
    assert list(found.cells) == rest
    assert found.missing == (gone, broken)
    assert [(cell, record["message"]) for cell, record in found.failed] == [(broken, "boom")]


def test_a_damaged_result_is_told(tiny, tmp_path):
    study = Study.from_toml(tiny.write_study(tmp_path, layers="[2]", contexts="[8]"))
    run(study, progress=False, device="cpu")
    made = plan(study)
    path = cell_store(study).path(made.keys[made.cells[0]])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(StoreError, match=rf"{path.name} is damaged .*delete it and run again"):
        _ = results(study).table
