"""Commands that read a study: plan, run, status, results, report."""

import io

import pandas as pd
import pytest
from typer.testing import CliRunner

from voxscale import reports
from voxscale.cli import app
from voxscale.study import Study, results
from voxscale.study import _fill_cells as computing


def invoke(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture
def file(tiny, tmp_path):
    return tiny.write_study(tmp_path, layers="[2]", contexts="[8]", training_stories="[1, 3]")


def test_plan_prints_a_page_and_writes_nothing(file, tmp_path):
    done = invoke("plan", file)
    assert done.exit_code == 0
    assert "cells  6: 0 done, 6 to do" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_run_status_run_again(file, tmp_path):
    first = invoke("run", file, "--device", "cpu")
    assert first.exit_code == 0
    assert first.stdout.startswith("6 of 6 cells done (6 now, 0 before; 5 passes over a story)")
    assert "[cells 6/6]" in first.stderr
    status = invoke("status", file)
    assert status.exit_code == 0
    assert "  stories  1: 4/4, 3: 2/2" in status.stdout
    second = invoke("run", file)
    assert second.exit_code == 0
    assert second.stdout.startswith("6 of 6 cells done (0 now, 6 before; 0 passes over a story)")
    shown = sorted(path.name for path in (tmp_path / "results").glob("[!.]*"))
    assert shown == ["arrays.zarr", "cells", "features", "scores.parquet", "study.json"]


def test_results_can_go_elsewhere(file, tmp_path):
    out = tmp_path / "elsewhere"
    assert invoke("run", file, "--out", out).exit_code == 0
    assert len(list((out / "cells").iterdir())) == 6
    assert not (tmp_path / "results").exists()
    assert "6 of 6 cells done" in invoke("status", file, "--out", out).stdout


def test_failed_cells_are_told_with_code_1(file, monkeypatch):
    def broken(inputs, cell, *rest):
        message = "no luck"
        raise RuntimeError(message)

    monkeypatch.setattr(computing, "compute_cell", broken)
    done = invoke("run", file)
    assert done.exit_code == 1
    assert "6 cells failed; running again tries them again:" in done.stdout
    assert "s1, layer 2, context 8, 3 stories: RuntimeError: no luck" in done.stdout
    assert "results/cells/*.failed.json" in done.stderr
    assert "Traceback" not in done.output
    status = invoke("status", file)
    assert status.exit_code == 0
    assert "6 failed:" in status.stdout
    assert "results/cells/*.failed.json" in status.stdout


@pytest.mark.parametrize("command", ["plan", "run", "status", "report"])
def test_a_mistake_in_the_file_is_told_with_code_2(file, command):
    file.write_text(file.read_text().replace("layers", "layer"))
    done = invoke(command, file)
    assert done.exit_code == 2
    assert done.stderr.startswith("error: tiny.toml, line 2: [study] lacks 'layers'")
    assert "tiny.toml, line 6: [study] has no field 'layer'" in done.stderr
    assert done.stdout == ""


def test_one_failed_cell_is_one(file, monkeypatch):
    fit = computing.compute_cell
    cells = []

    def broken(inputs, cell, *rest):
        cells.append(cell)
        if len(cells) == 1:
            message = "no luck"
            raise RuntimeError(message)
        return fit(inputs, cell, *rest)

    monkeypatch.setattr(computing, "compute_cell", broken)
    done = invoke("run", file)
    assert "1 cell failed; running again tries it again:" in done.stdout


@pytest.mark.parametrize(
    ("device", "message"),
    [("foo", "device 'foo' is unknown"), ("cuda:99", "device 'cuda:99' is not available")],
)
def test_a_device_that_is_not_here_is_told_before_any_work(file, tmp_path, device, message):
    done = invoke("run", file, "--device", device)
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {message}")
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [("layers = [2]", "layers = [9]"), ('"echo"', '"./none"'), ("[5, 2]", "[50, 20]")],
)
def test_a_mistake_leaves_no_folder_behind(file, tmp_path, old, new):
    file.write_text(file.read_text().replace(old, new))
    assert invoke("run", file).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_a_result_cut_short_is_told_with_code_2(file, tmp_path):
    assert invoke("run", file).exit_code == 0
    path = sorted((tmp_path / "results" / "cells").iterdir())[2]
    path.write_bytes(b"")
    for command in ("plan", "run", "status"):
        done = invoke(command, file)
        assert done.exit_code == 2
        assert done.stderr.startswith(f"error: {path} is damaged")
        assert "delete it and run again" in done.stderr


def test_an_interruption_is_told_with_code_130(file, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(computing, "compute_cell", interrupt)
    done = invoke("run", file)
    assert done.exit_code == 130
    assert "the same command goes on" in done.stderr


def test_a_folder_that_cannot_be_written_is_told_first(file, tmp_path):
    (tmp_path / "results").write_text("a file")
    done = invoke("run", file)
    assert done.exit_code == 2
    assert "results" in done.stderr
    assert "a part of the path is a file, not a folder" in done.stderr


def test_report_prints_where_it_is(file, monkeypatch):
    studies = []

    def report(study):
        studies.append(study)
        return study.out / "report.html"

    monkeypatch.setattr(reports, "report", report, raising=False)
    done = invoke("report", file)
    assert done.exit_code == 0
    assert done.stdout == f"{studies[0].out}/report.html\n"


def test_status_before_any_run(file):
    assert "0 of 6 cells done" in invoke("status", file).stdout


def test_scores_are_listed_with_what_they_are(file, tmp_path):
    invoke("run", file)
    told = invoke("results", file, "--subject", "s2")
    assert told.exit_code == 0
    same, heading, *rows = told.stdout.splitlines()
    for column in ("metric", "unit", "stories", "reducer", "value", "n_voxels"):
        assert column in f"{same} {heading}"
    assert same.startswith("all rows: subject s2, ")
    path = tmp_path / "scores.csv"
    assert invoke("results", file, "--csv", path).stdout.strip() == str(path)
    table = pd.read_csv(path)
    assert set(table["subject"]) == {"s1", "s2"}
    assert len(table[table["subject"] == "s2"]) == len(rows)
    found = results(Study.from_toml(file))
    cell = found.reference("s1")
    own = table[(table["key"] == found.key(cell)) & (table["reducer"] == "mean_voxels")]
    first = own[(own["metric"] == "r") & (own["stories"] == "concatenated")]
    assert first["value"].item() == pytest.approx(found.array(cell, "r").mean(), rel=1e-6)


def test_scores_have_the_hours_that_trained(file):
    invoke("run", file)
    found = results(Study.from_toml(file))
    hours = found.table["hours"]
    limit = (hours.min() + hours.max()) / 2
    told = invoke("results", file, "--where", f"hours > {limit}", "--csv", "-")
    table = pd.read_csv(io.StringIO(told.stdout))
    assert set(table["hours"]) == set(hours[hours > limit])
    shown = invoke("results", file, "--where", 'kind == "fit"').stdout.splitlines()[1].split()
    assert shown[shown.index("n_stories") + 1] == "hours"


def test_scores_of_nobody_are_refused(file):
    invoke("run", file)
    told = invoke("results", file, "--subject", "s3")
    assert told.exit_code == 2
    assert "no cell of subject 's3' is done" in told.stderr
    assert "there are s1, s2" in told.stderr


def test_scores_can_be_chosen_and_go_to_standard_output(file, tmp_path):
    invoke("run", file)
    where = 'subject == "s2" and n_stories == 3 and reducer == "mean_voxels"'
    told = invoke("results", file, "--where", where, "--csv", "-")
    assert told.exit_code == 0
    table = pd.read_csv(io.StringIO(told.stdout))
    assert len(table) > 0
    assert set(table["subject"]) == {"s2"}
    assert set(table["n_stories"]) == {3}
    path = tmp_path / "scores.csv"
    invoke("results", file, "--where", where, "--csv", path)
    pd.testing.assert_frame_equal(pd.read_csv(path), table)
    same, _, *rows = invoke("results", file, "--where", where).stdout.splitlines()
    assert same.startswith("all rows: ")
    assert len(rows) == len(table)
    nothing = invoke("results", file, "--where", "layer == 99")
    assert nothing.stdout == "no score is like that.\n"
    wrong = invoke("results", file, "--where", "layers == 2")
    assert wrong.exit_code == 2
    assert "error: --where: there is no column 'layers' (did you mean 'layer'?)" in wrong.stderr
    assert not (tmp_path / "-").exists()
