from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from voxscale import reports, study
from voxscale.cli import app
from voxscale.study._plan import cell_store


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """Replace the run and the report; return the studies that were run."""
    studies = []

    def run(made, **options):
        studies.append(made)
        return SimpleNamespace(failed=(), out=str(made.out), __str__=lambda self: "ran")

    monkeypatch.setattr(study, "run", run)
    monkeypatch.setattr(reports, "report", lambda made: made.out / "report.html", raising=False)
    monkeypatch.chdir(tmp_path)
    return studies


def test_everything_lies_in_one_folder(ran, tmp_path):
    done = CliRunner().invoke(app, ["demo", "--out", "here"])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == str(tmp_path / "here" / "report.html")
    assert ran[0].out == tmp_path / "here"
    assert ran[0].name == ran[0].dataset == "demo"
    again = study.Study.from_toml(tmp_path / "here" / "demo.toml")
    assert again.out == tmp_path / "here"


def test_the_wait_is_announced_the_first_time_alone(ran, tmp_path):
    first = CliRunner().invoke(app, ["demo", "--out", "here"])
    assert "some minutes the first time" in first.stderr
    cell_store(ran[0]).put("a" * 32, {"r": np.zeros(1)}, {})
    assert CliRunner().invoke(app, ["demo", "--out", "here"]).stderr == ""


def test_the_folder_has_a_name_by_default(ran, tmp_path):
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0
    assert ran[0].out == tmp_path / "voxscale-demo"


def test_a_study_file_that_was_edited_is_kept(ran, tmp_path):
    CliRunner().invoke(app, ["demo"])
    file = tmp_path / "voxscale-demo" / "demo.toml"
    file.write_text(file.read_text().replace("seed = 0", "seed = 5"))
    CliRunner().invoke(app, ["demo"])
    assert [one.seed for one in ran] == [0, 5]


def test_failed_cells_are_told_and_there_is_no_report(ran, monkeypatch, tmp_path):
    summary = SimpleNamespace(failed=((None, "x"),), out=str(tmp_path))
    monkeypatch.setattr(study, "run", lambda made, **options: summary)
    done = CliRunner().invoke(app, ["demo"])
    assert done.exit_code == 1
    assert "report.html" not in done.output


def test_a_folder_that_cannot_be_written_is_told(ran, tmp_path):
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["demo", "--out", "file/x"])
    assert done.exit_code == 2
    assert "a part of the path is a file" in done.stderr
    assert ran == []
