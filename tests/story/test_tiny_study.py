"""One tiny study from its file to its results, as a user would meet it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import voxscale as package
from voxscale.features.echo import Echo
from voxscale.fit import RidgeCV
from voxscale.study import Study, plan, results, run, status
from voxscale.study._plan import cell_store, feature_store

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    study = Study.from_toml(tiny.write_study(tmp_path_factory.mktemp("finished")))
    run(study, progress=False, device="cpu")
    return study


@pytest.fixture
def counted(monkeypatch):
    """Count the fits and the stories that go through the extractor."""
    counts = {"fits": 0, "stories": []}
    fit, extract = RidgeCV.fit, Echo.extract

    def counting_fit(self, X, Y):
        counts["fits"] += 1
        return fit(self, X, Y)

    def counting_extract(self, transcripts, *args, **options):
        counts["stories"] += list(transcripts)
        return extract(self, transcripts, *args, **options)

    monkeypatch.setattr(RidgeCV, "fit", counting_fit)
    monkeypatch.setattr(Echo, "extract", counting_extract)
    return counts


@pytest.fixture
def copy(finished, tmp_path):
    """Return the finished study in a folder of its own."""
    source = finished.out.parent
    subprocess.run(["cp", "-r", str(source), str(tmp_path / "copy")], check=True)
    return Study.from_toml(tmp_path / "copy" / "tiny.toml")


def numbers(study):
    found = results(study)
    return {cell: found.arrays(cell) for cell in found.cells}


def assert_same(one, other, **tolerance):
    assert one.keys() == other.keys()
    for cell, arrays in one.items():
        assert arrays.keys() == other[cell].keys()
        for name, array in arrays.items():
            np.testing.assert_allclose(array, other[cell][name], err_msg=name, **tolerance)


def test_every_cell_is_computed_once_and_who_heard_the_same_shares_its_fit(tiny, tmp_path, counted):
    study = Study.from_toml(tiny.write_study(tmp_path))
    summary = run(study, progress=False, device="cpu")
    assert len(plan(study).cells) == len(summary.computed) == 16
    assert counted["fits"] == 8  # of two subjects each
    assert sorted(counted["stories"]) == sorted("abcxy" * 2)
    assert status(study).failures == ()


def test_running_again_computes_nothing(copy, counted):
    before = numbers(copy)
    summary = run(copy, progress=False, device="cpu")
    assert counted == {"fits": 0, "stories": []}
    assert (summary.computed, summary.n_passes) == ((), 0)
    assert_same(numbers(copy), before, rtol=0)


def test_a_result_that_is_gone_is_computed_again_alone(copy, counted):
    before = numbers(copy)
    made = plan(copy)
    gone = made.cells[4]
    cell_store(copy).path(made.keys[gone]).unlink()
    summary = run(copy, progress=False, device="cpu")
    assert summary.computed == (gone,)
    assert counted == {"fits": 1, "stories": []}
    # Alone, its products are of other shapes, which rounds their float32 in other ways.
    assert_same(numbers(copy), before, rtol=0, atol=1e-6)


def test_features_may_be_thrown_away_when_all_is_done(copy, counted):
    for key in feature_store(copy).keys():  # noqa: SIM118 - a store is no mapping
        shutil.rmtree(feature_store(copy).path(key))
    run(copy, progress=False, device="cpu")
    assert counted == {"fits": 0, "stories": []}


def test_more_of_a_sweep_keeps_what_is_there(copy, counted):
    path = copy.out.parent / "tiny.toml"
    path.write_text(path.read_text().replace("[4, 32]", "[4, 16, 32]"))
    summary = run(Study.from_toml(path), progress=False, device="cpu")
    assert [(cell.subject, cell.context) for cell in summary.computed] == [("s1", 16), ("s2", 16)]
    assert sorted(counted["stories"]) == list("abcxy")


def test_the_planted_layer_is_found(finished, tiny):
    found = results(finished)
    table = found.table
    for subject in tiny.SUBJECTS:
        rows = table[(table["subject"] == subject) & table["in_layer_sweep"]]
        best = rows.loc[rows["mean_r"].idxmax()]
        assert best["layer"] == tiny.PLANTED_LAYER
        assert best["mean_r"] > 1.5 * rows["mean_r"].drop(best.name).max()
        by_context = [found.meta(cell)["mean_r"] for cell in found.sweep("context", subject)]
        assert by_context == sorted(by_context)
        arrays = found.arrays(found.reference(subject))
        planted = slice(tiny.N_PLANTED)
        noise = slice(tiny.N_PLANTED, None)
        assert arrays["r"][planted].min() > 0.4
        assert abs(arrays["r"][noise].mean()) < 0.15
        assert np.nanmean(arrays["cc_norm"][planted]) > 0.7


def test_more_stories_predict_better(finished, tiny):
    table = results(finished).table
    rows = table[table["in_n_stories_sweep"]]
    for subject in tiny.SUBJECTS:
        by_size = rows[rows["subject"] == subject].groupby("n_stories")["mean_r"].mean()
        assert by_size.is_monotonic_increasing
        assert by_size.index.tolist() == [1, 2, 3]


def test_numbers_do_not_depend_on_the_memory_budget(finished, tiny, tmp_path):
    text = tiny.STUDY.replace("[fit]", "[fit]\nmemory_gib = 0.0002")
    small = Study.from_toml(tiny.write_study(tmp_path, text))
    assert small.fit.memory_gib == 0.0002
    run(small, progress=False, device="cpu")
    assert_same(numbers(small), numbers(finished), rtol=1e-4, atol=1e-5)


def test_numbers_do_not_depend_on_the_folder_or_the_process(finished, tiny, tmp_path):
    path = tiny.write_study(tmp_path)
    voxscale("run", path, home=tmp_path)
    assert_same(numbers(Study.from_toml(path)), numbers(finished), rtol=1e-4, atol=1e-5)


def test_a_failed_cell_is_recorded_and_tried_again(tiny, tmp_path, monkeypatch):
    study = Study.from_toml(tiny.write_study(tmp_path, layers="[1, 2]", training_stories="[3]"))
    fit = RidgeCV.fit
    calls = []

    def broken(self, X, Y):
        calls.append(Y.shape)
        if len(calls) in (2, 3):  # that of both subjects, then that of the first alone
            message = "the second one fails"
            raise FloatingPointError(message)
        return fit(self, X, Y)

    with monkeypatch.context() as patch:
        patch.setattr(RidgeCV, "fit", broken)
        summary = run(study, progress=False, device="cpu")
    assert len(summary.computed) == 5
    ((failed, text),) = summary.failed
    assert text == "FloatingPointError: the second one fails"
    ((told, record),) = results(study).failed
    assert told == failed
    assert "in broken" in record["traceback"]
    again = run(study, progress=False, device="cpu")
    assert again.computed == (failed,)
    assert results(study).failed == ()


KILL = """
import os, signal, sys
from voxscale.study import Study, run

def tell(step):
    if step.phase == "cells" and step.state == "start" and step.done == 5:
        os.kill(os.getpid(), signal.SIGKILL)

run(Study.from_toml(sys.argv[1]), progress=tell, device="cpu")
"""


def environment(home):
    """Let another process find the tiny data set as it would any plugin: by an entry point."""
    site = home / "site"
    info = site / "tiny-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[voxscale.datasets]\ntiny = tiny\n")
    (site / "tiny.py").write_text((TESTS / "tiny.py").read_text())
    here = Path(package.__file__).parents[1]  # what this process tests, not what is installed
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (here, site)))}


def voxscale(*arguments, home, check=True):
    return subprocess.run(
        [sys.executable, "-m", "voxscale", *map(str, arguments)],
        env=environment(home),
        capture_output=True,
        text=True,
        check=check,
    )


def test_a_killed_run_goes_on_where_it_was(finished, tiny, tmp_path, counted):
    path = tiny.write_study(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", KILL, str(path)], env=environment(tmp_path), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    study = Study.from_toml(path)
    assert len(plan(study).done) == 5
    summary = run(study, progress=False, device="cpu")
    # Five cells are two of both subjects and one of the first; the other is fitted alone.
    assert (len(summary.computed), counted["fits"], counted["stories"]) == (11, 6, [])
    assert_same(numbers(study), numbers(finished), rtol=1e-4, atol=1e-5)


def test_the_commands_from_outside(tiny, tmp_path):
    path = tiny.write_study(tmp_path, layers="[2]", contexts="[8]", training_stories="[3]")
    assert "2: 0 done, 2 to do" in voxscale("plan", path, home=tmp_path).stdout
    assert "2 of 2 cells done" in voxscale("run", path, home=tmp_path).stdout
    assert "2 of 2 cells done" in voxscale("status", path, home=tmp_path).stdout
    path.write_text(path.read_text().replace('"echo"', '"./no-model"'))
    wrong = voxscale("run", path, home=tmp_path, check=False)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: tiny.toml, line 5: [study] model: there is no model at ")
    assert "Traceback" not in wrong.stderr
