import errno
import json
import os
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import voxscale
from voxscale import plugins
from voxscale.arrays import TRSeries
from voxscale.data import Dataset, Transcript
from voxscale.errors import ConfigError, StoreError, VoxscaleWarning
from voxscale.features.echo import Echo
from voxscale.store import Store
from voxscale.study import Study, plan, results, run, status
from voxscale.study import _fill_cells as computing
from voxscale.study._plan import cell_store


@pytest.fixture
def study(tiny, tmp_path):
    path = tiny.write_study(tmp_path, layers="[1, 2]", training_stories="[3]", contexts="[8]")
    return Study.from_toml(path)


def fill(study):
    return run(study, progress=False, device="cpu")


@pytest.fixture
def failing(monkeypatch):
    """Make the fit of some cells fail; return the list of those tried."""
    tried = []

    def make(is_broken, error):
        fit = computing.compute_cell

        def broken(inputs, cell, *rest):
            tried.append(cell)
            if is_broken(cell):
                raise error
            return fit(inputs, cell, *rest)

        monkeypatch.setattr(computing, "compute_cell", broken)
        return tried

    return make


def test_a_summary_tells_what_was_done(study):
    summary = fill(study)
    assert summary.n_cells == summary.n_done == len(summary.computed) == 4
    assert summary.n_passes == 5
    assert summary.failed == ()
    assert str(summary).startswith("4 of 4 cells done (4 now, 0 before; 5 passes over a story) in ")
    again = fill(study)
    assert (again.computed, again.n_passes, again.n_done) == ((), 0, 4)


def test_where_numbers_come_from_is_kept(study):
    fill(study)
    found = results(study)
    meta = found.meta(found.cells[0])
    assert meta["cell"]["stories"] == ["a", "b", "c"]
    assert meta["seed"] == 1
    assert meta["extractor"] == {"model": "echo", "recipe": 1}
    assert meta["design"]["trim"] == [5, 2]
    assert "memory_gib" not in meta["fit"]
    assert [one["run"] for one in meta["inputs"]] == ["a", "b", "c", "x", "y"]
    assert set(meta["versions"]) == {"voxscale", "python", "numpy", "torch", "transformers"}
    assert meta["versions"]["numpy"] == np.__version__
    assert meta["reducers"]["mean_r"] == "mean of r over voxels with a score"
    assert meta["seconds"] > 0


def test_a_failed_cell_is_recorded_and_the_others_go_on(study, failing):
    tried = failing(lambda cell: cell.layer == 1, ArithmeticError("one\ntwo"))
    summary = fill(study)
    assert len(tried) == 4
    assert len(summary.computed) == 2
    assert [(cell.layer, error) for cell, error in summary.failed] == [
        (1, "ArithmeticError: one")
    ] * 2
    assert "2 cells failed" in str(summary)
    made = plan(study)
    record = cell_store(study).failure(made.keys[made.failed[0]])
    assert record["message"] == "one\ntwo"
    assert "ArithmeticError" in record["traceback"]
    assert record["meta"]["cell"]["layer"] == 1


@pytest.mark.parametrize("error", [ConfigError("bad field"), StoreError("disk full")])
def test_what_would_be_met_again_stops_at_once(study, failing, error):
    tried = failing(lambda cell: cell.layer == 2, error)
    with pytest.raises(type(error), match=str(error)):
        fill(study)
    assert [cell.layer for cell in tried] == [1, 1, 2]  # of both subjects, who heard the same
    assert len(plan(study).done) == 2


def test_an_interruption_keeps_what_is_done(study, failing):
    failing(lambda cell: cell.subject == "s2", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        fill(study)
    made = plan(study)
    assert [cell.subject for cell in made.done] == ["s1"]
    assert made.failed == ()
    assert not list(study.out.rglob("*.tmp"))


def test_a_disk_that_fills_up_stops_the_run(study, monkeypatch):
    put = Store.put

    def full(self, key, arrays, meta):
        if self.folder.name == "cells" and self.keys():
            with monkeypatch.context() as patch:

                def no_space(*args, **options):
                    raise OSError(errno.ENOSPC, "No space left on device")

                patch.setattr(np.lib.format, "write_array", no_space)
                return put(self, key, arrays, meta)
        return put(self, key, arrays, meta)

    monkeypatch.setattr(Store, "put", full)
    with pytest.raises(StoreError, match="the disk is full"):
        fill(study)


def test_a_folder_that_cannot_be_written_is_found_first(tiny, tmp_path, monkeypatch):
    (tmp_path / "results").write_text("a file")
    study = Study.from_toml(tiny.write_study(tmp_path))

    def refuse(*args, **options):
        message = "the model was used"
        raise AssertionError(message)

    monkeypatch.setattr(Echo, "extract", refuse)
    with pytest.raises(StoreError, match="a part of the path is a file"):
        fill(study)


def test_features_that_fail_fail_their_cells_alone(tiny, tmp_path, monkeypatch):
    extract = Echo.extract

    def broken(self, transcripts, *args, **options):
        if "b" in transcripts:
            message = "no memory for b\nat all"
            raise MemoryError(message)
        return extract(self, transcripts, *args, **options)

    study = Study.from_toml(tiny.write_study(tmp_path, layers="[2]", contexts="[8]", draws="3"))
    with monkeypatch.context() as patch:
        patch.setattr(Echo, "extract", broken)
        summary = fill(study)
    assert summary.n_passes == 4
    assert summary.computed
    assert not any("b" in cell.stories for cell in summary.computed)
    assert all("b" in cell.stories for cell, _ in summary.failed)
    assert "could not be computed (MemoryError: no memory for b); see " in summary.failed[0][1]
    assert summary.failed[0][1].endswith(".failed.json.")
    assert summary.n_failed_passes == 1
    where = f"{study.out}/features/*.failed.json"
    assert f"1 pass over a story failed; its tracebacks are in {where}" in str(summary)
    assert str(status(study)).endswith(f"cells/*.failed.json, those of features in {where}")
    again = fill(study)
    assert again.n_failed_passes == 0
    assert again.n_passes == 1
    assert set(again.computed) == {cell for cell, _ in summary.failed}
    assert not list(study.out.rglob("*.failed.json"))


def test_progress_is_told(study):
    told = []
    run(study, progress=told.append, device="cpu")
    ends = [(one.phase, one.done, one.total) for one in told if one.state == "done"]
    assert ends == [("features", i, 5) for i in range(1, 6)] + [
        ("cells", i, 4) for i in range(1, 5)
    ]
    assert told[-1].label == "s2, layer 2, context 8, 3 stories"


def test_warnings_of_many_cells_are_told_once_with_their_count(study, tiny, monkeypatch):
    def load(subject, root):
        data = tiny.load(subject)

        def silenced(one):
            values = np.array(one.values)
            values[:, 7] = 3.0
            return TRSeries(values, one.run, one.first_tr, one.tr_times)

        responses = {name: silenced(one) for name, one in data.responses.items()}
        trials = {name: tuple(map(silenced, all_)) for name, all_ in data.trials.items()}
        return Dataset(
            "tiny", subject, data.words, responses, trials, data.train, data.test, data.tr_s
        )

    monkeypatch.setitem(
        plugins._registered["datasets"], "tiny", SimpleNamespace(SUBJECTS=("s1", "s2"), load=load)
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        summary = fill(study)
        found = results(study)
    texts = [str(one.message) for one in caught if one.category is VoxscaleWarning]
    assert len(texts) == 1
    assert texts[0].startswith("2 of 80 voxels could not be fitted (2 are constant)")
    assert texts[0].endswith("(2 times)")
    assert list(summary.warnings.values()) == [2]
    for cell in found.cells:
        arrays = found.arrays(cell)
        for name in ("r", "r2", "cv_score", "best_alpha", "cc_norm", "cc_max", "p_value"):
            assert np.isnan(arrays[name][7]), name
            assert np.isfinite(arrays[name][:7]).all() or name.startswith("cc")
    assert set(found.table["n_scored"]) == {39}
    assert np.isfinite(found.table["mean_r"]).all()


def test_words_outside_the_scan_are_told_in_one_wording(study, tiny, monkeypatch):
    def load(subject, root):
        data = tiny.load(subject)
        a = data.words["a"]
        late = a.onset_s + np.where(np.arange(len(a)) >= len(a) - 5, 1000.0, 0.0)
        return replace(data, words={**data.words, "a": Transcript(a.words, late)})

    plugin = SimpleNamespace(SUBJECTS=tiny.SUBJECTS, load=load)
    monkeypatch.setitem(plugins._registered["datasets"], "tiny", plugin)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run(study, progress=False, device="cpu")
    told = [str(one.message) for one in caught if "run 'a'" in str(one.message)]
    assert len(told) == 1
    assert "5 of" in told[0]


def test_voxels_that_cannot_be_scored_are_told(study, tiny, monkeypatch):
    def load(subject, root):
        data = tiny.load(subject)

        def broken(one):
            values = np.array(one.values)
            values[:, 7] = 3.0
            values[20, 8] = np.nan
            return replace(one, values=values)

        responses = {
            run: broken(one) if run in data.test else one for run, one in data.responses.items()
        }
        trials = {run: tuple(map(broken, all_)) for run, all_ in data.trials.items()}
        return replace(data, responses=responses, trials=trials)

    monkeypatch.setitem(
        plugins._registered["datasets"], "tiny", SimpleNamespace(SUBJECTS=("s1", "s2"), load=load)
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fill(study)
    (text,) = [
        str(one.message)
        for one in caught
        if one.category is VoxscaleWarning and "no score" in str(one.message)
    ]
    assert text.startswith("2 of 40 voxels were fitted but have no score, which is NaN: ")
    assert text.endswith("(4 times)")
    found = results(study)
    for cell in found.cells:
        assert np.flatnonzero(np.isnan(found.array(cell, "r"))).tolist() == [7, 8]
        assert np.isfinite(found.array(cell, "cv_score")).all()


def test_two_studies_do_not_share_a_folder(study, tiny, tmp_path):
    assert plan(study).study.out == study.out
    assert not study.out.exists()
    fill(study)
    assert json.loads((study.out / "study.json").read_text()) == {"name": "tiny"}
    path = study.out.parent / "tiny.toml"
    text = path.read_text()
    path.write_text(text.replace('name = "tiny"', 'name = "other"'))
    other = Study.from_toml(path)
    match = (
        r"tiny\.toml, line 12: \[study\] out: .*results holds the results of study 'tiny'; choose "
        r"another out, or name this study 'tiny' too"
    )
    for way in (plan, status, fill, results):
        with pytest.raises(ConfigError, match=match):
            way(other)
    (study.out / "study.json").unlink()
    assert fill(other).computed == ()  # of a folder made before names were kept
    assert len(results(study).cells) == 4
    (study.out / "study.json").write_text("{}")
    with pytest.raises(StoreError, match=r"study\.json cannot be read .*delete it"):
        plan(study)


IDLE = """
import sys
from voxscale import plugins
import tiny
plugins._registered["datasets"]["tiny"] = tiny
from voxscale.study import Study, run
assert run(Study.from_toml(sys.argv[1]), progress=False).computed == ()
print([m for m in ("torch", "sklearn", "transformers") if m in sys.modules])
"""


def test_with_nothing_to_do_no_torch_is_imported(study):
    fill(study)
    here = [Path(voxscale.__file__).parents[1], Path(__file__).parents[1]]
    done = subprocess.run(
        [sys.executable, "-c", IDLE, str(study.out.parent / "tiny.toml")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, here))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


def test_other_warnings_pass(study, monkeypatch):
    fit = computing.compute_cell

    def warn(*args):
        warnings.warn("somebody else's", UserWarning, stacklevel=1)
        return fit(*args)

    monkeypatch.setattr(computing, "compute_cell", warn)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        summary = fill(study)
    assert "somebody else's" in {str(one.message) for one in caught}
    assert summary.warnings == {}
