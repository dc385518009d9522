"""A study file that changes: what is run, what is left over, and what removing it leaves."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from voxscale.cli import _prune as command
from voxscale.cli import app
from voxscale.errors import ConfigError, StoreError
from voxscale.store import one_run
from voxscale.study import Study, orphans, plan, prune, results, run, status
from voxscale.study._plan import cell_store, feature_store


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    path = tiny.write_study(tmp_path_factory.mktemp("finished"), training_stories="[1, 3]")
    run(Study.from_toml(path), progress=False, device="cpu")
    return path


@pytest.fixture
def file(finished, tmp_path):
    shutil.copytree(finished.parent, tmp_path / "here")
    return tmp_path / "here" / "tiny.toml"


def changed(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return Study.from_toml(file)


def contents(study):
    """Return every file of the study's folder with what is in it."""
    hidden = (".run.lock",)
    found = [path for path in study.out.rglob("*") if path.is_file() and path.name not in hidden]
    return {str(path.relative_to(study.out)): path.read_bytes() for path in found}


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.mark.parametrize(
    ("old", "new", "n_run", "n_left"),
    [
        ("layers = [0, 1, 2]", "layers = [1, 2]", 0, 2),  # one layer of each subject is left over
        ("contexts = [4, 32]", "contexts = [8, 32]", 2, 2),
        ("training_stories = [1, 3]", "training_stories = [2, 3]", 4, 4),
        ("alphas = [1.0, 30.0, 1000.0]", "alphas = [1.0, 30.0]", 12, 12),
        ("n_permutations = 30", "n_permutations = 40", 6, 6),  # reference cells alone
        ("draws = 2", "draws = 3", 2, 0),
        ('name = "tiny"', 'name = "tiny"  # ours', 0, 0),
    ],
)
def test_only_cells_that_changed_are_run_and_the_others_are_orphans(file, old, new, n_run, n_left):
    before = set(plan(Study.from_toml(file)).keys.values())
    study = changed(file, old, new)
    made = plan(study)
    assert len(made.missing) == n_run
    found = [one for one in made.orphans.items if one.kind == "result"]
    assert {one.path.stem for one in found} == before - set(made.keys.values())
    assert len(found) == n_left


def test_features_of_cells_that_are_done_are_kept(file):
    study = Study.from_toml(file)
    assert len(orphans(study)) == 0
    shutil.rmtree(feature_store(study).folder)
    assert len(orphans(study)) == 0


def test_features_that_no_cell_needs_are_orphans(file):
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    found = orphans(study).by_kind
    assert [one.what.partition(", ")[2] for one in found["features"]] == [
        "context 4, layers [2]"
    ] * len(found["features"])
    assert {one.what.partition(",")[0] for one in found["features"]} == {
        f"story {run}" for run in "abcxy"
    }
    assert sorted(one.what for one in found["result"]) == [
        f"{subject}, model echo, layer 2, context 4, 3 stories" for subject in ("s1", "s2")
    ]
    sizes = [
        sum(path.stat().st_size for path in one.path.rglob("*") if path.is_file())
        for one in found["features"]
    ]
    assert [one.n_bytes for one in found["features"]] == sizes
    assert [one.n_bytes for one in found["result"]] == [
        one.path.stat().st_size for one in found["result"]
    ]


def test_plan_and_status_tell_of_orphans(file):
    study = Study.from_toml(file)
    assert "orphans" not in str(plan(study)) + str(status(study))
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    total = sum(one.n_bytes for one in orphans(study).items)
    told = f"2 results, 5 sets of features: {total / 1000:.0f} kB, which no cell names any more"
    for page in (str(plan(study)), str(status(study))):
        assert told in page
        assert "voxscale prune removes them" in page


def test_pruning_removes_orphans_and_nothing_else(file):
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    store = cell_store(study)
    store.fail("0123", {"cell": {"subject": "s9", "layer": 3}}, "boom")
    kept = plan(study)
    feature_store(study).fail("4567", {"run": "a"}, "boom")
    (study.out / "mine.txt").write_text("mine")
    (store.folder / "notes.npz.txt").write_text("mine too")
    (store.folder / "not a key.npz").write_text("mine as well")
    before, listed = contents(study), orphans(study)
    removed = prune(study)
    assert {one.path for one in removed.items} == {one.path for one in listed.items}
    assert removed.summary.startswith("2 results, 5 sets of features, 2 records of failures: ")
    paths = [str(one.path.relative_to(study.out)) for one in removed.items]
    assert contents(study) == {
        name: held for name, held in before.items() if not name.startswith(tuple(paths))
    }
    assert len(orphans(study)) == 0
    assert plan(study).done == kept.done
    assert len(results(study).cells) == len(kept.done)
    assert run(study, progress=False, device="cpu").computed == ()


def test_failures_of_cells_that_the_study_has_are_kept(file):
    study = Study.from_toml(file)
    made = plan(study)
    cell_store(study).path(made.keys[made.cells[0]]).unlink()
    cell_store(study).fail(made.keys[made.cells[0]], {}, "boom")
    assert len(prune(study)) == 0
    assert plan(study).failed == (made.cells[0],)


def test_what_is_damaged_can_be_removed(file):
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    first, second = (one.path for one in orphans(study).by_kind["result"])
    first.write_bytes(b"")
    (next(iter(orphans(study).by_kind["features"])).path / "zarr.json").write_text("{")
    told = str(orphans(study))
    assert f"damaged ({first.name})" in told
    assert second.exists()
    prune(study)
    assert len(orphans(study)) == 0


def test_of_a_link_only_the_link_is_removed(file, tmp_path):
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    one = orphans(study).by_kind["features"][0].path
    one.rename(tmp_path / "elsewhere")
    one.symlink_to(tmp_path / "elsewhere")
    prune(study)
    assert not one.is_symlink()
    assert (tmp_path / "elsewhere" / "zarr.json").is_file()


def test_another_layer_comes_back_with_the_same_numbers(file):
    """Pruning, and changing the file back, computes again what was removed."""
    study = Study.from_toml(file)
    found = results(study)
    cell = found.select(subject="s1", layer=0)[0]
    before = found.array(cell, "r")
    prune(changed(file, "layers = [0, 1, 2]", "layers = [1, 2]"))
    study = changed(file, "layers = [1, 2]", "layers = [0, 1, 2]")
    summary = run(study, progress=False, device="cpu")
    assert {one.layer for one in summary.computed} == {0}
    np.testing.assert_allclose(results(study).array(cell, "r"), before, rtol=1e-4, atol=1e-5)


def test_a_folder_of_another_study_is_refused(file):
    study = changed(file, 'name = "tiny"', 'name = "other"')
    before = contents(study)
    with pytest.raises(ConfigError, match="holds the results of study 'tiny'; choose another out"):
        prune(study)
    (study.out / "study.json").unlink()
    with pytest.raises(
        ConfigError, match=r'tiny\.toml, line 12: .*results does not say whose .*"name": "other"}'
    ):
        prune(study)
    (study.out / "study.json").write_text(json.dumps({"name": "tiny"}))
    assert contents(study).keys() == before.keys()


def test_nothing_is_removed_while_a_run_holds_the_folder(file):
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    before = contents(study)
    with one_run(study.out):
        with pytest.raises(StoreError, match="is being filled by another run"):
            prune(study)
        assert len(status(study).plan.orphans) == 7
    assert contents(study) == before


def test_a_study_that_never_ran_has_nothing_to_remove(tiny, tmp_path):
    study = Study.from_toml(tiny.write_study(tmp_path))
    assert len(orphans(study)) == len(prune(study)) == 0
    assert not study.out.exists()
    assert invoke("prune", tmp_path / "tiny.toml").stdout == "there is nothing to remove.\n"


def test_the_command_lists_and_asks(file, monkeypatch):
    study = changed(file, "contexts = [4, 32]", "contexts = [32]")
    before = contents(study)
    refused = invoke("prune", file)
    assert refused.exit_code == 2
    assert "2 results, " in refused.stdout
    assert "s1, model echo, layer 2, context 4, 3 stories" in refused.stdout
    assert refused.stderr == (
        "error: nothing was removed: there is no terminal to ask in; add --yes to remove these.\n"
    )
    assert contents(study) == before

    monkeypatch.setattr(command.sys, "stdin", None)
    monkeypatch.setattr(command, "_asked", lambda: False)
    assert invoke("prune", file).stdout.endswith("nothing was removed.\n")
    assert contents(study) == before

    monkeypatch.undo()
    done = invoke("prune", file, "--yes")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].startswith("removed 2 results, 5 sets of features: ")
    assert len(orphans(study)) == 0
    assert invoke("prune", file, "--yes").stdout == "there is nothing to remove.\n"


def test_a_long_list_is_cut(file):
    study = changed(file, "alphas = [1.0, 30.0, 1000.0]", "alphas = [1.0, 30.0]")
    lines = str(orphans(study)).splitlines()
    assert lines[0].startswith("12 results, ")
    assert lines[-1].strip() == "and 2 more"
    assert len(lines) == 12
