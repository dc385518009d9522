"""A study of a data set that is a file beside it."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from voxscale.cli import app
from voxscale.data import _dataset_file as files
from voxscale.errors import ConfigError
from voxscale.store import key_of
from voxscale.study import Study, plan, results, run
from voxscale.study._cell_keys import cell_key
from voxscale.study._cells import cells_of
from voxscale.study._inputs import Inputs

TINY = Path(__file__).resolve().parents[1] / "tiny.py"


@pytest.fixture(autouse=True)
def nothing_loaded(monkeypatch):
    monkeypatch.setattr(files, "_loaded", {})


@pytest.fixture
def folder(tiny, tmp_path):
    """Return a folder with a study file, and the data set that it names beside it."""
    home = tmp_path / "here"
    home.mkdir()
    tiny.write_study(home, dataset='"./tiny.py"', layers="[2]", training_stories="[3]")
    shutil.copy(TINY, home / "tiny.py")
    return home


def test_a_file_counts_from_the_study_file(folder, monkeypatch):
    study = Study.from_toml(folder / "tiny.toml")
    assert study.dataset == str(folder / "tiny.py")
    assert study.dataset_name == "tiny"
    monkeypatch.chdir(folder.parent)
    fields = {"name": "t", "model": "echo", "layers": [1], "contexts": [8]}
    assert Study(dataset="here/tiny.py", **fields).dataset == str(folder / "tiny.py")
    assert Study(dataset="demo", **fields).dataset_name == "demo"


def test_a_study_that_has_moved_computes_nothing_again(folder, tmp_path):
    first = run(Study.from_toml(folder / "tiny.toml"), progress=False, device="cpu")
    assert len(first.computed) == 4
    moved = tmp_path / "there"
    folder.rename(moved)
    study = Study.from_toml(moved / "tiny.toml")
    again = run(study, progress=False, device="cpu")
    assert (again.computed, again.n_done) == ((), 4)
    found = results(study)
    meta = found.meta(found.cells[0])
    assert meta["dataset"] == "tiny"
    assert str(tmp_path) not in str(meta)


def test_keys_are_those_of_a_data_set_of_that_name(folder, tiny, tmp_path):
    of_file = plan(Study.from_toml(folder / "tiny.toml"))
    by_name = tiny.write_study(tmp_path, layers="[2]", training_stories="[3]")
    assert list(of_file.keys.values()) == list(plan(Study.from_toml(by_name)).keys.values())
    assert "data set  tiny: s1, s2" in str(of_file)


def test_the_name_of_a_data_set_is_in_its_keys_as_ever(tiny, tmp_path, monkeypatch):
    """Nothing that was computed from a named data set is computed again."""
    study = Study.from_toml(tiny.write_study(tmp_path))
    inputs, held = Inputs(study), []
    monkeypatch.setattr(
        "voxscale.study._cell_keys.key_of", lambda fields: held.append(fields) or key_of(fields)
    )
    facts = inputs.facts("s1")
    cell_key(study, next(iter(cells_of(study, facts))), facts, inputs.identity("echo"))
    assert held[0]["dataset"] == "tiny"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import no_such_module", "it failed at line 1: ModuleNotFoundError: No module named"),
        ("SUBJECTS = ()", "is no data set: it lacks"),
        (None, "does not exist; expected the Python file"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_the_line_of_the_study(folder, text, message):
    if text is None:
        (folder / "tiny.py").unlink()
    else:
        (folder / "tiny.py").write_text(text)
    with pytest.raises(ConfigError, match=rf"^tiny.toml, line 4: .*tiny.py:? {message}"):
        plan(Study.from_toml(folder / "tiny.toml"))
    done = CliRunner().invoke(app, ["plan", str(folder / "tiny.toml")])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: tiny.toml, line 4: ")
    assert "Traceback" not in done.stderr


def test_a_mistake_while_loading_is_one_message(folder):
    (folder / "tiny.py").write_text(
        "SUBJECTS = ('s1',)\ndef load(subject, root):\n    return {}[subject]\n"
    )
    done = CliRunner().invoke(app, ["plan", str(folder / "tiny.toml")])
    assert done.exit_code == 2
    assert "load('s1', …) failed at line 3: KeyError: 's1'" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_subject_is_told_with_the_name(folder):
    path = folder / "tiny.toml"
    path.write_text(path.read_text().replace('"echo"', '"echo"\nsubjects = ["s3"]'))
    with pytest.raises(ConfigError, match=r"subjects: dataset 'tiny' has no subject 's3'"):
        plan(Study.from_toml(path))
