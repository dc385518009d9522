"""Two runs of one study at once: the second is told of the first; all else works meanwhile."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import voxscale
from voxscale.cli import app
from voxscale.errors import StoreError
from voxscale.study import Study, plan, results, run, status
from voxscale.study import _run as running

TESTS = Path(__file__).resolve().parents[1]

BUSY = """
import sys, time
from voxscale import plugins
import tiny
plugins._registered["datasets"]["tiny"] = tiny
from voxscale.study import Study, run

def tell(step):
    if step.phase == "cells" and step.state == "start" and step.done == 2:
        print("busy", flush=True)
        time.sleep(100)

run(Study.from_toml(sys.argv[1]), progress=tell, device="cpu")
"""


@pytest.fixture
def file(tiny, tmp_path):
    return tiny.write_study(tmp_path, layers="[1, 2]", training_stories="[3]", contexts="[8]")


@pytest.fixture
def busy(file):
    """Start a run of the study that stops after two cells; it is killed at the end."""
    here = [Path(voxscale.__file__).parents[1], TESTS]
    other = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(file)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, here))},
        stdout=subprocess.PIPE,
    )
    assert other.stdout.readline() == b"busy\n"
    yield other
    other.kill()
    other.wait()
    other.stdout.close()


def test_a_second_run_is_told_of_the_first_and_goes_on_once_it_is_killed(file, busy):
    study = Study.from_toml(file)
    with pytest.raises(StoreError, match=rf"another run: process {busy.pid} on .*, since 20"):
        run(study, progress=False, device="cpu")
    done = CliRunner().invoke(app, ["run", str(file)])
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: {study.out} is being filled by another run: process ")
    assert len(done.stderr.splitlines()) == 1

    assert len(plan(study).done) == len(status(study).plan.done) == len(results(study).cells) == 2
    assert CliRunner().invoke(app, ["results", str(file)]).exit_code == 0

    os.kill(busy.pid, signal.SIGKILL)
    busy.wait()
    summary = run(study, progress=False, device="cpu")
    assert len(summary.computed) == 2
    assert summary.failed == ()


def test_what_another_run_has_filled_meanwhile_is_not_computed_again(file, monkeypatch):
    """It ends between the plan of this one and its taking of the folder."""
    study, checked = Study.from_toml(file), running.checked_plan

    def overtaken(inputs):
        made = checked(inputs)
        monkeypatch.setattr(running, "checked_plan", checked)
        run(study, progress=False, device="cpu")
        return made

    monkeypatch.setattr(running, "checked_plan", overtaken)
    summary = run(study, progress=False, device="cpu")
    assert (summary.computed, summary.n_passes, summary.n_done) == ((), 0, 4)


def test_a_run_with_nothing_to_do_takes_no_lock(file, monkeypatch):
    study = Study.from_toml(file)
    run(study, progress=False, device="cpu")
    monkeypatch.setattr(running, "one_run", None)
    assert run(study, progress=False, device="cpu").computed == ()


def test_files_that_are_written_anew_are_written_under_the_lock(file, monkeypatch):
    study = Study.from_toml(file)
    run(study, progress=False, device="cpu")
    (study.out / "scores.parquet").unlink()
    monkeypatch.setattr(running, "one_run", refused)
    with pytest.raises(StoreError, match="by another run"):
        run(study, progress=False, device="cpu")
    assert not (study.out / "scores.parquet").exists()


def refused(folder):
    message = f"{folder} is being filled by another run"
    raise StoreError(message)
