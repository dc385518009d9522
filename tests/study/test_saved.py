"""Results as files: what is in them, and when they are written. Read without voxscale."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from voxscale.errors import StoreError
from voxscale.study import Study, plan, results, run
from voxscale.study import _results as collecting
from voxscale.study import _saved as saving
from voxscale.study._plan import cell_store
from voxscale.study._provenance import shared_provenance
from voxscale.study._score_table import SCORE_COLUMNS, score_table


@pytest.fixture(scope="module")
def study(tiny, tmp_path_factory):
    path = tiny.write_study(tmp_path_factory.mktemp("saved"), tiny.BESIDE, n_permutations="20")
    made = Study.from_toml(path)
    run(made, progress=False, device="cpu")
    return made


@pytest.fixture(scope="module")
def found(study):
    return results(study)


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """Run a study of four cells, once."""
    folder = tmp_path_factory.mktemp("finished")
    fields = {"layers": "[1, 2]", "training_stories": "[3]", "contexts": "[8]"}
    run(Study.from_toml(tiny.write_study(folder, **fields)), progress=False, device="cpu")
    return folder


@pytest.fixture
def small(finished, tmp_path):
    """Return the file of a finished study in a folder of its own."""
    shutil.copytree(finished, tmp_path / "small")
    return tmp_path / "small" / "tiny.toml"


def fill(path):
    study = Study.from_toml(path)
    return run(study, progress=False, device="cpu"), study


def test_the_table_has_every_score_and_where_it_comes_from(study, found):
    table = pd.read_parquet(study.out / "scores.parquet")
    shared = table[list(SCORE_COLUMNS)]
    pd.testing.assert_frame_equal(shared, score_table(found))
    pd.testing.assert_frame_equal(found.scores, score_table(found))
    assert list(table.columns[len(SCORE_COLUMNS) :]) == ["seed", "voxscale", "provenance"]
    assert "hours" in SCORE_COLUMNS
    fits = table[table["kind"] == "fit"].set_index("key")
    hours = found.table.set_index("key")["hours"]
    assert fits["hours"].to_dict() == hours.to_dict()
    assert table[table["kind"] == "ceiling"]["hours"].isna().all()
    assert set(table["seed"]) == {1}


def test_every_row_has_all_that_its_numbers_were_made_of(study, found):
    table = pd.read_parquet(study.out / "scores.parquet")
    metas = {found.key(cell): found.meta(cell) for cell in (*found.cells, *found.beside)}
    told = dict(zip(table["key"], table["provenance"], strict=True))
    assert {key: json.loads(text) for key, text in told.items()} == metas
    one = json.loads(told[found.key(found.cells[0])])
    assert one["inputs"][0]["run"] == "a"
    assert one["versions"]["numpy"] == np.__version__
    assert one["fit"]["alphas"] == [1.0, 30.0, 1000.0]
    assert str(study.out) not in str(told)


def test_arrays_are_those_of_the_cells(study, found):
    for subject in ("s1", "s2"):
        saved = xr.open_zarr(study.out / "arrays.zarr", group=subject)
        assert dict(saved.sizes) == {"cell": 8, "voxel": 40}
        beside = found.to_xarray(subject)
        for name in beside.data_vars:
            np.testing.assert_array_equal(saved[name], beside[name], err_msg=name)
        for name in beside.coords:
            told, kept = beside[name].values, saved[name].values
            if told.dtype.kind == "f":
                np.testing.assert_array_equal(kept, told, err_msg=name)  # NaN is NaN
            else:
                assert kept.tolist() == told.tolist(), name
        for i, cell in enumerate(found.select(subject=subject)):
            assert saved["layer"].values[i] == cell.layer
            assert saved["key"].values[i] == found.key(cell)
            arrays = found.arrays(cell)
            if "p_value" in arrays:
                np.testing.assert_array_equal(saved["p_value"][i], arrays["p_value"])
            else:
                assert np.isnan(saved["p_value"][i]).all()
        assert saved["r"].dtype == np.float32
        assert saved["layer"].dtype == np.int64
        assert saved["reference"].dtype == bool
        assert saved["mean_r"].dtype == np.float64


def test_arrays_tell_where_they_come_from(study, found):
    whole = xr.open_zarr(study.out / "arrays.zarr").attrs
    for subject in found.subjects:
        saved = xr.open_zarr(study.out / "arrays.zarr", group=subject)
        cells = found.select(subject=subject)
        told = [json.loads(text) for text in saved["provenance"].values]
        assert told == [found.meta(cell) for cell in cells]
        shared, one = saved.attrs["provenance"], found.meta(cells[0])
        assert saved.attrs["differs"] == ["min_context"]  # as the contexts do
        for field in ("seed", "fit", "design", "evaluate", "reducers", "versions", "extractor"):
            assert shared[field] == one[field], field
        assert "min_context" not in shared
        assert set(saved.attrs["inputs"]) == {"a", "b", "c", "x", "y"}
        for meta in told:
            for one_run in meta["inputs"]:
                assert saved.attrs["inputs"][one_run["run"]] == one_run
        assert str(study.out) not in str(saved.attrs)
        assert whole["provenance"] == shared
    assert whole["differs"] == ["min_context"]


def test_what_cells_do_not_share_is_named():
    fields = {"seed": 1, "fit": {"alphas": [1.0]}, "mean_r": 0.1, "cell": {"layer": 1}}
    shared = shared_provenance([fields, {**fields, "seed": 2}, {**fields, "versions": {}}])
    assert shared == {"provenance": {"fit": {"alphas": [1.0]}}, "differs": ["seed", "versions"]}


def test_files_open_without_voxscale(study):
    code = (
        "import sys, pandas as pd, xarray as xr\n"
        f"table = pd.read_parquet({str(study.out / 'scores.parquet')!r})\n"
        f"arrays = xr.open_zarr({str(study.out / 'arrays.zarr')!r}, group='s2')\n"
        "assert len(table) and float(arrays['r'].sel(voxel=0)[0]) == float(arrays['r'][0, 0])\n"
        "assert arrays.attrs['study'] == 'tiny'\n"
        "print('voxscale' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.stdout.strip() == "False"


def test_cells_are_unstacked_to_where_their_labels_say(found):
    dense = found.to_array("r")
    assert dense.dims == ("subject", "model", "layer", "context", "hours", "draw", "voxel")
    assert dense.shape == (2, 1, 3, 2, 3, 2, 40)
    hours = found.table.groupby("n_stories")["hours"].first()  # stories are of one length
    np.testing.assert_allclose(dense["hours"], hours)
    assert dense["amount"].values.tolist() == ["1", "2", "all"]
    for cell in found.cells:
        labels = {"subject": cell.subject, "draw": cell.draw}
        one = dense.sel(model="echo", layer=cell.layer, context=cell.context, **labels)
        one = one.isel(hours=cell.n_stories - 1)
        np.testing.assert_array_equal(one, found.array(cell, "r"))
        np.testing.assert_allclose(one["actual_hours"], found.meta(cell)["hours"])
        assert one["n_stories"] == cell.n_stories
    assert int(np.isfinite(dense).sum()) == len(found.cells) * 40 == 16 * 40
    assert np.isnan(dense["actual_hours"].sel(draw=1)[:, 2]).all()  # all stories are drawn once
    assert dense.attrs == {"study": "tiny"}
    own = found.to_array("r", subject="s2")
    xr.testing.assert_identical(own, dense.sel(subject=["s2"]))


def test_hours_are_those_asked_for_and_all_may_be_one_of_them(found):
    """As a study of 0.05 h and 0.088 h would have it: the latter is all that there is."""
    table = found.table
    asked = {2: 0.05, 3: 0.088}
    hours = table["n_stories"].map(asked).where(table["in_n_stories_sweep"])
    of_hours = replace(found)
    of_hours.__dict__["table"] = table.assign(asked_hours=hours)
    dense = of_hours.to_array("r")
    assert dense["amount"].values.tolist() == ["1", "0.05 h", "0.088 h", "all"]
    np.testing.assert_allclose(dense["hours"], [53 / 1800, 0.05, 0.088, 3 * 53 / 1800])
    actual = np.array([2, 3, 3]) * 53 / 1800
    np.testing.assert_allclose(dense["actual_hours"][0, 1:, 0], actual)
    at_reference = dense.sel(layer=2, context=32, draw=0).isel(hours=[2, 3])
    assert np.isfinite(at_reference).all()
    np.testing.assert_array_equal(*at_reference.transpose("hours", ...))
    elsewhere = dense.sel(layer=1, context=32, draw=0).isel(hours=[2, 3])
    is_there = np.isfinite(elsewhere).any(["subject", "model", "voxel"])
    assert is_there.values.tolist() == [False, True]


def test_subjects_with_other_numbers_of_voxels_are_told(found):
    odd = replace(found)
    metas = {
        cell: {**found.meta(cell), "n_voxels": 41} if cell.subject == "s2" else found.meta(cell)
        for cell in found.cells
    }
    odd.__dict__["_metas"] = metas
    wanted = r"numbers of voxels \(40 of s1, 41 of s2\), .* name one with subject=\.$"
    with pytest.raises(ValueError, match=wanted):
        odd.to_array()
    assert odd.to_array("r", "s1").sizes["voxel"] == 40


def test_a_sweep_alone_is_dense(found):
    dense = found.to_array("r2", "s2", cells=found.sweep("layer", "s2"))
    assert dense.shape == (1, 1, 3, 1, 1, 1, 40)
    assert np.isfinite(dense).all()
    by_layer = dense.squeeze().transpose("layer", "voxel")
    np.testing.assert_array_equal(by_layer.layer, [0, 1, 2])


def test_an_array_of_some_cells_is_nan_in_the_others(found):
    dense = found.to_array("p_value", "s1")
    filled = np.isfinite(dense).any("voxel")
    assert int(filled.sum()) == 3
    assert bool(filled.sel(context=32, draw=0).isel(hours=2).all())


def test_what_cannot_be_unstacked_is_told(found):
    with pytest.raises(ValueError, match="no cell of subject 's3' is done; there are s1, s2"):
        found.to_array("r", "s3")
    with pytest.raises(StoreError, match="no cell has an array 'q'; the first has best_alpha, "):
        found.to_array("q", "s1")
    with pytest.raises(ValueError, match=r"'r_by_story' has shape \(2, 40\); expected one number"):
        found.to_array("r_by_story", "s1")
    stranger = found.select(subject="s2")[0]
    with pytest.raises(ValueError, match=r"^s2, layer 0, .* is not among the fits of subject 's1'"):
        found.to_array("r", "s1", cells=[stranger])
    one = replace(stranger, context=7)
    with pytest.raises(ValueError, match=r"is not among the fits of study 'tiny'; see"):
        found.to_array("r", cells=[one])
    with pytest.raises(ValueError, match="no cell is given, which is not among"):
        found.to_array("r", "s1", cells=[])


def test_files_are_written_when_something_was_computed(small, monkeypatch):
    saves = []
    save = collecting.Results.save
    monkeypatch.setattr(collecting.Results, "save", lambda self: saves.append(save(self)))
    _, study = fill(small)
    assert saves == []
    made = plan(study)
    cell_store(study).path(made.keys[made.cells[0]]).unlink()
    fill(small)
    assert saves == [(study.out / "scores.parquet", study.out / "arrays.zarr")]
    (study.out / "scores.parquet").unlink()
    fill(small)
    assert len(saves) == 2
    (study.out / "arrays.zarr" / ".zattrs").write_text("[]")
    fill(small)
    assert len(saves) == 3
    fill(small)
    assert len(saves) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("layers = [1, 2]", "layers = [2]"),
        ("[evaluate]", '[evaluate]\nreducers = ["median_voxels"]'),
    ],
)
def test_files_follow_the_study_file_even_where_nothing_is_computed(small, old, new):
    small.write_text(small.read_text().replace(old, new))
    summary, study = fill(small)
    assert summary.computed == ()
    table = pd.read_parquet(study.out / "scores.parquet")
    pd.testing.assert_frame_equal(table[list(SCORE_COLUMNS)], score_table(results(study)))
    saved = xr.open_zarr(study.out / "arrays.zarr", group="s1")
    assert saved.sizes["cell"] == len(results(study).select(subject="s1"))


def test_scores_are_read_from_the_file_only_while_it_is_about_these_cells(small, monkeypatch):
    _, study = fill(small)
    monkeypatch.setattr(collecting, "score_table", None)  # must not be asked
    first = results(study).scores
    monkeypatch.undo()
    found = results(study)
    key = found.key(found.cells[0])
    arrays, meta = cell_store(study).get(key)
    arrays["r"] = arrays["r"] + np.float32(0.5)
    cell_store(study).path(key).unlink()
    cell_store(study).put(key, arrays, meta)  # as other versions might compute it
    now = results(study).scores
    rise = now["value"] - first["value"]
    is_r = (now["key"] == key) & (now["metric"] == "r") & (now["stories"] == "concatenated")
    np.testing.assert_allclose(rise[is_r & (now["on"] == "test")], 0.5, atol=1e-6)
    assert (rise[now["key"] != key] == 0).all()
    summary, _ = fill(small)
    assert summary.computed == ()
    saved = pd.read_parquet(study.out / "scores.parquet")
    pd.testing.assert_frame_equal(saved[list(SCORE_COLUMNS)], now)
    older = saved.drop(columns="hours")  # as versions without that column wrote it
    with monkeypatch.context() as patch:
        patch.setattr(saving, "FORMAT", saving.FORMAT - 1)
        older.attrs = {"made_of": saving._made_of(found)}
    older.to_parquet(study.out / "scores.parquet", engine="pyarrow", index=False)
    assert not saving.is_saved(results(study))
    pd.testing.assert_frame_equal(results(study).scores, now)
    cut = (study.out / "scores.parquet").read_bytes()[:-100]
    (study.out / "scores.parquet").write_bytes(cut)
    pd.testing.assert_frame_equal(results(study).scores, now)


def test_files_name_the_model_as_the_study_does(small, monkeypatch):
    from voxscale import plugins
    from voxscale.features.echo import Echo

    monkeypatch.setitem(plugins._registered["extractors"], "resonance", Echo)
    small.write_text(small.read_text().replace('model = "echo"', 'model = "resonance"'))
    summary, study = fill(small)
    assert summary.computed == ()
    assert set(results(study).scores["model"]) == {"resonance"}
    assert set(xr.open_zarr(study.out / "arrays.zarr", group="s1")["model"].values) == {"resonance"}


def test_models_that_share_their_cells_are_saved_side_by_side(small, monkeypatch):
    from voxscale import plugins
    from voxscale.features.echo import Echo

    monkeypatch.setitem(plugins._registered["extractors"], "resonance", Echo)
    text = small.read_text().replace('model = "echo"', 'models = ["echo", "resonance"]')
    grid = '[[sweep]]\nmodels = ["echo", "resonance"]\ntraining_stories = [1]\n'
    small.write_text(f"{text}\n{grid}")
    _, study = fill(small)
    found = results(study)
    assert len(set(map(found.key, found.cells))) < len(found.cells)
    saved = xr.open_zarr(study.out / "arrays.zarr", group="s1")
    assert saved.sizes["cell"] == len(found.select(subject="s1"))
    assert found.to_xarray("s1").sizes["cell"] == saved.sizes["cell"]
    assert set(saved["model"].values) == {"echo", "resonance"}


def test_nothing_is_written_where_nothing_is_done(small, monkeypatch):
    shutil.rmtree(small.parent / "results")

    def broken(*args):
        message = "no luck"
        raise RuntimeError(message)

    from voxscale.study import _fill_cells as computing

    monkeypatch.setattr(computing, "compute_cell", broken)
    summary, study = fill(small)
    assert len(summary.failed) == 4
    assert not (study.out / "scores.parquet").exists()
    assert not (study.out / "arrays.zarr").exists()


def test_old_files_stay_until_new_ones_are_whole(small, monkeypatch):
    from voxscale.study import _saved as saving

    _, study = fill(small)
    held = (study.out / "scores.parquet").read_bytes()
    before = xr.open_zarr(study.out / "arrays.zarr", group="s1").load()

    def cut_short(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(saving, "_write_variables", cut_short)
    with pytest.raises(KeyboardInterrupt):
        results(study).save()
    xr.testing.assert_identical(xr.open_zarr(study.out / "arrays.zarr", group="s1").load(), before)
    assert (study.out / "scores.parquet").read_bytes() == held
    assert not list(study.out.glob(".*.tmp"))


def test_many_cells_are_written_a_few_at_a_time(small, monkeypatch):
    from voxscale.study import _saved as saving

    _, study = fill(small)
    whole = xr.open_zarr(study.out / "arrays.zarr", group="s1").load()
    monkeypatch.setattr(saving, "_CHUNK_BYTES", 1)
    results(study).save()
    parts = xr.open_zarr(study.out / "arrays.zarr", group="s1").load()
    xr.testing.assert_identical(parts, whole)


def test_labels_that_are_missing_can_be_written():
    from voxscale.study._saved import _labels

    assert _labels([1, 2]).dtype == np.int64
    assert _labels([True, False]).dtype == bool
    np.testing.assert_array_equal(_labels([1, None, 2.5]), [1, np.nan, 2.5])
    assert _labels(["a", None, ("b", "c"), np.nan]).tolist() == ["a", "", "b+c", ""]


def test_validation_at_the_centre_chooses_the_same_voxels_in_every_cell(small):
    text = small.read_text()
    reducers = 'reducers = ["mean_voxels", "mean_where_validation_above(0.0)"]'
    small.write_text(text.replace("[evaluate]", f"[evaluate]\n{reducers}"))
    found = results(Study.from_toml(small))
    scores = found.scores
    is_r = (scores["metric"] == "r") & (scores["stories"] == "concatenated")
    own = scores[is_r & (scores["reducer"] == "mean_where_validation_above(0.0)")].set_index("key")
    for cell in found.cells:
        centre = found.reference(cell.subject)
        chosen = found.array(centre, "cv_score") > 0
        row = own.loc[found.key(cell)]
        assert 0 < row["n_voxels"] == chosen.sum() < len(chosen)
        assert row["value"] == pytest.approx(found.array(cell, "r")[chosen].mean(), rel=1e-6)
