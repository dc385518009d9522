"""``voxscale features speech``, on tiny models in folders."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

import voxscale as vs
from voxscale.cli._app import app
from voxscale.cli._stimuli import find_sounds
from voxscale.store import LayerStore
from voxscale.study import read_extracted_speech

torch = pytest.importorskip("torch")
_spec = importlib.util.spec_from_file_location(
    "speech_models", Path(__file__).parents[1] / "features" / "speech_models.py"
)
speech_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(speech_models)

SIZES = ["--context", "0.3"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    where = tmp_path_factory.mktemp("models")
    for name, family in (("hubert-tiny", "hubert"), ("whisper-tiny", "whisper")):
        speech_models.save_tiny(family, where / name)
    return where


@pytest.fixture
def sounds(tmp_path):
    """Write two sounds at 16 kHz, and one in stereo at 22 kHz in a folder of its own."""
    rng = np.random.default_rng(0)
    (tmp_path / "sounds" / "more").mkdir(parents=True)
    for name, seconds, hz, shape in (
        ("hut.wav", 1.3, 16000, ()), ("chess.flac", 0.9, 16000, ()),
        ("more/river.ogg", 0.8, 22050, (2,)),
    ):  # fmt: skip
        samples = 0.1 * rng.standard_normal((round(seconds * hz), *shape))
        soundfile.write(tmp_path / "sounds" / name, samples, hz)
    return tmp_path / "sounds"


def invoke(*arguments):
    return CliRunner().invoke(app, ["features", "speech", *map(str, arguments)])


def files(out):
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def test_the_command_of_the_published_scripts_writes_their_folders(sounds, models, tmp_path):
    out = tmp_path / "out"
    ran = invoke(sounds, sounds / "more", "--model", models / "whisper-tiny", "--stride", "0.1",
                 "--context", "16", "--stories", "hut,river", "--layers", "0,2", "--pad-silence",
                 "--full-context", "--resample", "--out", out)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    folder = "features_cnk0.1_ctx16.0/whisper-tiny"
    parts = ("{}.npz", "{}_times.npz", "encoder.0/{}.npz", "encoder.2/{}.npz")
    expected = sorted(f"{folder}/{one.format(name)}" for name in ("hut", "river") for one in parts)
    assert files(out) == expected
    assert ran.stdout.split() == [str(out / folder / f"{name}.npz") for name in ("hut", "river")]
    assert "[stories 1/2] hut:" in ran.stderr
    assert "windows/s" in ran.stderr
    states = vs.speech_states(
        sounds / "more" / "river.ogg", models / "whisper-tiny", pad_silence=True, layers=[2, 3]
    )
    with np.load(out / folder / "encoder.2" / "river.npz") as held:
        np.testing.assert_allclose(held["features"], states[2].values, rtol=1e-4, atol=1e-5)
    with np.load(out / folder / "river_times.npz") as held:
        np.testing.assert_allclose(held["times"][:, 1], np.arange(1, 9) / 10, rtol=1e-6)


def test_running_again_is_resuming(sounds, models, tmp_path):
    given = [sounds, "--model", models / "hubert-tiny", *SIZES, "--out", tmp_path / "out"]
    first = invoke(*given, "--stories", "chess", "--layers", "1")
    whole = invoke(*given)
    assert whole.exit_code == 0, whole.output
    assert "[stories 1/2]" in whole.stderr
    before = {
        path: (tmp_path / "out" / path).stat().st_mtime_ns for path in files(tmp_path / "out")
    }
    again = invoke(*given)
    assert (again.exit_code, again.stdout, again.stderr) == (0, whole.stdout, "")
    assert first.stdout in whole.stdout
    after = {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in files(tmp_path / "out")}
    assert after == before
    assert invoke(*given, "--overwrite").exit_code == 0
    changed = {path: (tmp_path / "out" / path).stat().st_mtime_ns for path in before}
    assert all(changed[path] > before[path] for path in before)


@pytest.mark.parametrize("how", [[], ["--raw"], ["--tr", "0.5"]])
def test_a_sound_that_must_not_be_resampled_is_refused_though_its_files_are_there(
    how, sounds, models, tmp_path
):
    given = [sounds, sounds / "more", "--model", models / "hubert-tiny", *SIZES, "--layers", "0",
             "--out", tmp_path / "out", *how]  # fmt: skip
    assert invoke(*given, "--resample").exit_code == 0
    before = files(tmp_path / "out")
    ran = invoke(*given)
    assert ran.exit_code == 1
    assert "error: 1 of 3 sounds cannot be used; the others are done:" in ran.stderr
    assert "river.ogg has 2 channel(s) at 22050 Hz; expected 1 at 16000 Hz" in ran.stderr
    assert not any("river" in path for path in ran.stdout.split())
    planned = invoke(*given, "--plan")
    assert "done  2 of 3 sounds" in planned.stdout
    assert "unfit  " in planned.stdout
    alone = invoke(*given, "--stories", "river")
    assert (alone.exit_code, alone.stdout) == (2, "")
    assert files(tmp_path / "out") == before
    assert invoke(*given, "--resample").exit_code == 0


def test_a_store_holds_features_at_tr_rate(sounds, models, tmp_path):
    lines = ["0.0 init-trigger", *(f"{0.5 * i} trigger" for i in range(1, 4)), "0.0 sound-start"]
    for story in ("hut", "chess"):
        (tmp_path / f"{story}.report").write_text("\n".join(lines) + "\n")
    given = [sounds, "--model", models / "hubert-tiny", *SIZES, "--layers", "0,3"]
    for options, n_trs in ((["--tr", "0.5"], [2, 3]), (["--tr-reports", tmp_path], [4, 4])):
        ran = invoke(*given, *options, "--out", tmp_path / "out")
        assert ran.exit_code == 0, ran.output
        kept = [read_extracted_speech(path) for path in ran.stdout.split()]
        assert [one.run for one in kept] == ["chess", "chess", "hut", "hut"]
        assert [len(one.values) for one in kept] == list(np.repeat(n_trs, 2))
    assert all(path.endswith(".zarr") for path in ran.stdout.split())
    np.testing.assert_allclose(kept[0].tr_times, 0.25 + 0.5 * np.arange(4))


def test_a_store_holds_every_window(sounds, models, tmp_path):
    ran = invoke(sounds / "hut.wav", "--model", models / "hubert-tiny", *SIZES, "--raw",
                 "--layers", "2", "--out", tmp_path / "out")  # fmt: skip
    [path] = ran.stdout.split()
    series = read_extracted_speech(path)
    expected = vs.speech_states(
        sounds / "hut.wav", models / "hubert-tiny", layers=[2], context_s=0.3
    )[2]
    np.testing.assert_array_equal(series.times, expected.times)
    np.testing.assert_allclose(series.values, expected.values, rtol=1e-4, atol=1e-5)


def test_every_option_that_can_change_the_numbers_does(sounds, models, tmp_path):
    """Each makes a group of its own."""
    some = [
        [], ["--stride", "0.15"], ["--context", "0.4"], ["--pad-silence"], ["--full-context"],
        ["--no-normalize"], ["--normalize"], ["--dtype", "bfloat16"], ["--layers", "1"],
    ]  # fmt: skip
    kept = []
    for options in some:
        ran = invoke(sounds / "hut.wav", "--model", models / "hubert-tiny", *SIZES, "--layers",
                     "0", "--raw", "--out", tmp_path / "out", *options)  # fmt: skip
        assert ran.exit_code == 0, ran.output
        kept += ran.stdout.split()
    assert len(set(kept)) == len(some)
    store = LayerStore(tmp_path / "out")
    values = [store.get(Path(path).stem, "states") for path in kept]
    assert [len(one) for one in values[:5]] == [13, 8, 13, 13, 10]
    assert np.abs(values[5] - values[0]).max() > 1e-3
    np.testing.assert_array_equal(values[6], values[0])  # as the model was trained
    for options in ([], ["--trim-padding"]):
        ran = invoke(sounds / "hut.wav", "--model", models / "whisper-tiny", *SIZES, "--layers",
                     "3", "--raw", "--out", tmp_path / "out", *options)  # fmt: skip
        kept += ran.stdout.split()
    one, other = (store.get(Path(path).stem, "states") for path in kept[-2:])
    assert np.abs(one - other).max() > 1e-3


def test_windows_may_overlap_by_more_than_the_stride(sounds, models, tmp_path):
    ran = invoke(sounds / "hut.wav", "--model", models / "hubert-tiny", "--stride", "0.25",
                 "--chunk", "0.1", "--context", "0.6", "--full-context", "--layers", "0",
                 "--out", tmp_path)  # fmt: skip
    assert ran.exit_code == 0, ran.output
    path = Path(ran.stdout.strip())
    folder = "features_cnk0.1_ctx0.6/hubert-tiny/stride_0.25"
    assert path.relative_to(tmp_path).as_posix() == f"{folder}/hut.npz"
    with np.load(path.with_name("hut_times.npz")) as held:
        np.testing.assert_allclose(held["times"], [[0, 0.7], [0.25, 0.95], [0.5, 1.2]], rtol=1e-6)


def test_a_plan_counts_and_runs_nothing(sounds, models, tmp_path):
    given = [sounds, "--model", models / "hubert-tiny", *SIZES, "--out", tmp_path / "out"]
    told = invoke(*given, "--layers", "0,1", "--plan")
    assert told.exit_code == 0, told.output
    assert "done  0 of 2 sounds" in told.stdout
    assert "to do  2, 8 files" in told.stdout
    assert "windows  22 of up to 0.4 s" in told.stdout
    assert not (tmp_path / "out").exists()
    invoke(*given, "--stories", "hut")
    told = invoke(*given, "--plan")
    assert "done  1 of 2 sounds" in told.stdout
    assert "to do  1, 6 files" in told.stdout
    assert "windows  9 of" in told.stdout
    told = invoke(*given, "--stories", "hut", "--plan")
    assert "nothing is missing" in told.stdout
    assert "to do  2, 8 layers" in invoke(*given, "--plan", "--tr", "0.5").stdout
    (sounds / "gone.wav").symlink_to(sounds / "nowhere.wav")
    assert "absent  1: gone" in invoke(*given, "--plan").stdout


def test_a_broken_sound_among_many_is_told_of_at_the_end(sounds, models, tmp_path):
    (sounds / "broken.wav").write_text("no sound")
    given = [sounds, "--model", models / "hubert-tiny", *SIZES, "--out", tmp_path / "out"]
    ran = invoke(*given, "--recursive")
    assert ran.exit_code == 1
    assert [Path(path).stem for path in ran.stdout.split()] == ["chess", "hut"]
    assert "error: 2 of 4 sounds cannot be used; the others are done:" in ran.stderr
    assert "  broken: " in ran.stderr
    assert "2 channel(s) at 22050 Hz; expected 1 at 16000 Hz" in ran.stderr
    assert not [path for path in files(tmp_path / "out") if "broken" in path or "river" in path]
    alone = invoke(*given, "--stories", "broken")
    assert alone.exit_code == 2
    assert "broken.wav: cannot be read" in alone.stderr
    ran = invoke(*given, "--recursive", "--resample")
    assert "1 of 4 sounds" in ran.stderr
    assert any("layer.0/more/river.npz" in path for path in files(tmp_path / "out"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--stories", "hut,cess"], "asks for 'cess' (did you mean 'chess'?), but there are only"),
        (["--stories", ","], "asks for no story"),
        (["--layers", "first"], "--layers is 'first'; expected all, or numbers"),
        (
            ["--layers", "7"],
            "layer 7 does not exist in model 'hubert-tiny'; expected 0 (the input of",
        ),
        (["--stride", "0"], "stride_s is 0.0; expected seconds above 0"),
        (["--context", "-1"], "context_s is -1.0"),
        (["--chunk", "2", "--stride", "9"], "context_s is -6.7"),
        (["--dtype", "int8"], "dtype 'int8' is unknown"),
        (["--device", "abacus"], "device 'abacus' is unknown"),
        (["--batch-size", "0"], "batch_size is 0"),
        (["--trim-padding"], "trim_padding is for Whisper"),
        (["--tr", "0"], "tr_s is 0.0"),
        (["--tr", "1e-9"], "would have over a million TRs"),
        (["--tr-reports", __file__], "which is no folder"),
        (["--tr-reports", "."], "chess.report"),
        (["--tr", "1", "--raw"], "--tr and --raw exclude each other"),
        (["--tr", "1", "--overwrite"], "--overwrite is for npz files, --tr for the store"),
        (["--raw", "--chunk", "0.1"], "--chunk is for npz files, --raw for the store"),
    ],
)
def test_mistakes_are_one_message(options, message, sounds, models, tmp_path):
    ran = invoke(sounds, "--model", models / "hubert-tiny", *SIZES, "--out", tmp_path / "out",
                 *options)  # fmt: skip
    assert ran.exit_code == 2
    assert message in ran.stderr
    assert "Traceback" not in ran.output
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_a_window_that_the_model_cannot_hear_is_refused(sounds, models, tmp_path):
    for options in ([], ["--tr", "0.5"]):
        ran = invoke(sounds, "--model", models / "whisper-tiny", "--context", "40", "--out",
                     tmp_path / "out", *options)  # fmt: skip
        assert ran.exit_code == 2
        assert "a window lasts 40.1 s" in ran.stderr
        assert files(tmp_path / "out") == []


def test_sounds_are_found_and_named(tmp_path):
    for name in ("b.wav", "b.flac", "a.MP3", "c.ogg", "c.mp3", "notes.txt", "._b.wav", "d/e.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.wav").mkdir()
    found = {name: path.name for name, path in find_sounds([tmp_path], recursive=False).items()}
    assert found == {"a": "a.MP3", "b": "b.flac", "c": "c.ogg"}
    found = find_sounds([tmp_path], recursive=True)
    assert list(found) == ["a", "b", "c", "d/e"]
    found = find_sounds([tmp_path / "b.wav", tmp_path / "d"], recursive=False)
    assert {name: path.name for name, path in found.items()} == {"b": "b.wav", "e": "e.wav"}


def test_sounds_that_cannot_be_told_apart_or_are_not_there_are_refused(sounds, models, tmp_path):
    given = ["--model", models / "hubert-tiny", "--out", tmp_path / "out"]
    (sounds / "more" / "hut.wav").touch()
    ran = invoke(sounds, sounds / "more" / "hut.wav", *given)
    assert ran.exit_code == 2
    assert "would both be story 'hut'" in ran.stderr
    (tmp_path / "empty").mkdir()
    ran = invoke(tmp_path / "empty", *given)
    assert (ran.exit_code, "empty' holds no sound (.flac, .wav" in ran.stderr) == (2, True)
    ran = invoke(tmp_path / "nowhere.wav", *given)
    assert (ran.exit_code, "nowhere.wav does not exist" in ran.stderr) == (2, True)


def test_a_terminal_shows_a_bar(sounds, models, tmp_path, monkeypatch):
    from rich import console

    monkeypatch.setattr(console.Console, "is_terminal", True)
    ran = invoke(sounds, "--model", models / "hubert-tiny", *SIZES, "--out", tmp_path / "out")
    assert ran.exit_code == 0, ran.output
    assert "2/2 stories" in ran.stderr
    assert "windows/s" in ran.stderr


def test_transcripts_of_other_sounds_are_refused(sounds, models, tmp_path):
    words = tmp_path / "words"
    words.mkdir()
    for name, end_s in (("hut", 1.2), ("chess", 2.5)):
        rows = f"word,onset,offset\none,0.1,0.4\ntwo,0.5,{end_s}\n"
        (words / f"{name}.csv").write_text(rows)
    given = [sounds, "--model", models / "hubert-tiny", *SIZES, "--out", tmp_path / "out"]
    ran = invoke(*given, "--transcripts", words)
    assert ran.exit_code != 0
    assert "its last word ends at 2.50 s, the sound chess.flac at 0.90 s" in ran.stderr
    assert not (tmp_path / "out").exists()
    assert invoke(*given, "--transcripts", words, "--stories", "hut").exit_code == 0
    ran = invoke(*given, "--transcripts", tmp_path / "none")
    assert "--transcripts is" in ran.stderr
    (words / "chess.csv").unlink()
    ran = invoke(*given, "--transcripts", words)
    assert "has no chess.TextGrid" in ran.stderr


@pytest.mark.parametrize("how", [["--plan"], []])
def test_windows_that_a_model_cannot_hear_are_refused_before_anything_is_made(
    sounds, models, tmp_path, how
):
    given = [sounds, "--model", models / "whisper-tiny", "--out", tmp_path / "out"]
    ran = invoke(*given, "--context", "40", *how)
    assert ran.exit_code != 0
    assert "hears 30 s at most; lower context_s" in ran.stderr
    assert not (tmp_path / "out").exists()
