"""Npz files in the folders of the published scripts: names, numbers, and what differs."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

import voxscale as package
from voxscale import speech_states
from voxscale.errors import DataError, StoreError, VoxscaleWarning
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.study import SpeechNpz, extract_speech_npz
from voxscale.study._npz_rows import NpzRows, key_in, read_npz, writing_npz

torch = pytest.importorskip("torch")
_spec = importlib.util.spec_from_file_location(
    "speech_models", Path(__file__).parents[1] / "features" / "speech_models.py"
)
speech_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(speech_models)

SIZES = {"stride_s": 0.1, "context_s": 0.3, "device": "cpu", "batch_size": 4}
DURATIONS = {"hut": 1.3, "chess": 0.97}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return speech_models.save_tiny("hubert-large", tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def audio(write_sounds, tmp_path_factory):
    return write_sounds(tmp_path_factory.mktemp("sounds"), DURATIONS)


def tree(out):
    """Return the bytes of every file, hidden ones included, by its path."""
    files = [path for path in out.rglob("*") if path.is_file()]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def arrays(out):
    found = {}
    for path in sorted(out.rglob("*.npz")):
        with np.load(path) as held:
            found[path.relative_to(out).as_posix()] = {name: held[name] for name in held.files}
    return found


# The command lines that were recorded: what is asked of ours, and the stories.
RECORDED = {
    "hubert_all_stories_layers": (
        "hubert", ["wav/exact", "wav/long", "wav/shortclip"],
        {"context_s": 0.3, "layers": [0, 2], "normalize": False},
    ),
    "whisper_basic": ("whisper", ["wav/exact"], {"context_s": 0.5}),
    "hubert_pad_silence": ("hubert", ["wav/shortclip"], {"context_s": 0.6, "pad_silence": True}),
    # The scripts cut 0.44999… s off to 7199 samples; here seconds are rounded.
    "hubert_stride": (
        "hubert", ["wav/long"],
        {"stride_s": 0.25, "chunk_s": 0.1, "context_s": 0.15 + 7199 / 16000,
         "full_context": True},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RECORDED)
def test_files_are_those_of_the_recorded_command_lines(name, golden, tmp_path):
    speech = golden / "speech"
    model, stories, options = RECORDED[name]
    audio = {Path(story).name: speech / f"{story}.wav" for story in stories}
    kept = extract_speech_npz(
        audio, speech / "models" / model, tmp_path, **{"stride_s": 0.1, "device": "cpu", **options}
    )
    [folder] = {path.parent.relative_to(tmp_path).as_posix() for path in kept.values()}
    found = arrays(tmp_path)
    with np.load(speech / "cli_outputs.npz") as recorded:
        expected = {
            key: recorded[key]
            for key in recorded
            if key.startswith(f"{folder}/") and ("stride_" in key) == ("stride_" in folder)
            and Path(key.split("::")[0]).stem.removesuffix("_times") in audio
        }  # fmt: skip
    assert {f"{path}::{key}" for path in found for key in found[path]} == set(expected)
    for path, held in found.items():
        for key, values in held.items():
            old = expected[f"{path}::{key}"]
            assert (values.shape, values.dtype) == (old.shape, old.dtype), path
            np.testing.assert_allclose(values, old, rtol=0, atol=2e-5)


def hann_sinc(samples, old_hz, new_hz, *, n_zeros=6, rolloff=0.99):
    """Resample as torchaudio does by default, from the formula of its documentation."""
    divisor = np.gcd(old_hz, new_hz)
    old, new = old_hz // divisor, new_hz // divisor
    cutoff = min(old, new) * rolloff
    width = int(np.ceil(n_zeros * old / cutoff))
    padded = np.pad(samples, (width, width + old))
    n_new = -(-new * len(samples) // old)
    made = np.empty(n_new, "f4")
    at = np.arange(-width, width + old, dtype="f4") / np.float32(old)
    for i in range(n_new):  # in single precision throughout, as there
        block, phase = divmod(i, new)
        t = (np.float32(-phase) / np.float32(new) + at) * np.float32(cutoff)
        t = np.clip(t, -n_zeros, n_zeros)
        window = np.cos(t * np.float32(np.pi) / n_zeros / 2) ** 2
        kernel = np.sinc(t) * window * np.float32(cutoff / old)
        made[i] = kernel @ padded[block * old : block * old + len(t)]
    return made


def test_a_sound_of_another_rate_differs_by_its_resampler_alone(golden, tmp_path):
    speech = golden / "speech"
    audio = {"stereo22k": speech / "wav_other" / "stereo22k.wav"}
    options = {"stride_s": 0.1, "context_s": 0.4, "device": "cpu"}
    extract_speech_npz(audio, speech / "models" / "hubert", tmp_path / "ours", **options)
    samples, hz = soundfile.read(audio["stereo22k"], dtype="f4")
    theirs = tmp_path / "stereo22k.wav"
    soundfile.write(theirs, hann_sinc(samples.mean(axis=1), hz, 16000), 16000, subtype="FLOAT")
    model = speech / "models" / "hubert"
    extract_speech_npz({"stereo22k": theirs}, model, tmp_path / "theirs", **options)
    ours, again = arrays(tmp_path / "ours"), arrays(tmp_path / "theirs")
    assert list(ours) == list(again)
    with np.load(speech / "cli_outputs.npz") as recorded:
        for path, held in again.items():
            for key, values in held.items():
                old = recorded[f"{path}::{key}"]
                assert (ours[path][key].shape, ours[path][key].dtype) == (old.shape, old.dtype)
                np.testing.assert_allclose(values, old, rtol=0, atol=2e-5)
                assert np.corrcoef(ours[path][key].ravel(), old.ravel())[0, 1] > 0.99


def test_names_with_folders_make_the_recorded_tree(golden, tmp_path):
    speech = golden / "speech"
    stories = ["wav/exact", "wav/long", "wav/shortclip", "wav_other/stereo22k"]
    audio = {story: speech / f"{story}.wav" for story in stories}
    model = speech / "models" / "hubert"
    options = {"stride_s": 0.2, "context_s": 0.4, "normalize": False, "device": "cpu"}
    extract_speech_npz(audio, model, tmp_path, **options)
    listed = json.loads((speech / "cli_runs.json").read_text())["tree"]
    expected = {
        path: {key: tuple(map(str, value)) for key, value in held.items()}
        for path, held in listed.items()
        if path.startswith("features_cnk0.2_ctx0.4/") and "custom_stimuli" not in path
    }
    found = {
        path: {key: (str(list(one.shape)), str(one.dtype)) for key, one in held.items()}
        for path, held in arrays(tmp_path).items()
    }
    assert found == expected


def test_the_last_layer_is_always_after_the_norm(folder, audio, tmp_path):
    kept = extract_speech_npz(audio, folder, tmp_path, layers=[3], **SIZES)
    model, sound = speech_models.tiny("hubert-large"), soundfile.read(audio["hut"], dtype="f4")[0]
    window = sound[len(sound) - 6400 :][None]
    window = (window - window.mean()) / np.sqrt(window.var() + 1e-7)
    given_to_the_norm = []
    model.encoder.layer_norm.register_forward_pre_hook(
        lambda _, inputs: given_to_the_norm.append(inputs[0][0, -1].numpy())
    )
    with torch.inference_mode():
        normed = model(torch.from_numpy(window)).last_hidden_state[0, -1].numpy()
    final = read_npz(kept["hut"], "features")
    np.testing.assert_allclose(final[-1], normed, rtol=2e-4, atol=2e-5)
    assert np.abs(final[-1] - given_to_the_norm[-1]).max() > 0.1
    layer = kept["hut"].parent / "layer.3" / "hut.npz"
    np.testing.assert_array_equal(read_npz(layer, "features"), final)


def test_numbers_and_times_are_those_of_python(folder, audio, tmp_path):
    kept = extract_speech_npz(audio, folder, tmp_path, **SIZES)
    states = speech_states(audio, folder, **SIZES)
    for story, path in kept.items():
        for layer in range(4):
            values = read_npz(path.parent / f"layer.{layer}" / f"{story}.npz", "features")
            np.testing.assert_array_equal(values, states[layer][story].values)
        times = read_npz(path.with_name(f"{story}_times.npz"), "times")
        np.testing.assert_array_equal(times[:, 1], states[0][story].times.astype("f4"))


def test_a_short_sound_has_only_rows_that_exist(folder, audio, tmp_path):
    """The published scripts go on to the end of the context, and repeat the last row."""
    soundfile.write(tmp_path / "s.wav", np.random.default_rng(0).random(7520) - 0.5, 16000)
    sizes = {**SIZES, "context_s": 0.8}
    kept = extract_speech_npz({"s": tmp_path / "s.wav"}, folder, tmp_path, layers=[0], **sizes)
    times = read_npz(kept["s"].with_name("s_times.npz"), "times")
    np.testing.assert_allclose(times, [[0, 0.1], [0, 0.2], [0, 0.3], [0, 0.4]], atol=1e-7)
    assert read_npz(kept["s"], "features").shape == (4, 16)


def test_more_layers_are_computed_and_no_others(folder, audio, tmp_path, ran):
    extract_speech_npz(audio, folder, tmp_path, layers=[1], **SIZES)
    assert ran == [(13, [1, 3]), (9, [1, 3])]  # the last layer is STORY.npz
    before = tree(tmp_path)
    extract_speech_npz(audio, folder, tmp_path, layers=[1, 2], **SIZES)
    assert ran[2:] == [(13, [2]), (9, [2])]
    after = tree(tmp_path)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2
    assert extract_speech_npz(audio, folder, tmp_path, layers=[2], **SIZES)
    assert len(ran) == 4


def test_a_run_that_stops_between_two_files_goes_on_there(
    folder, audio, tmp_path, ran, monkeypatch
):
    """The published scripts wrote times first, and then took the story for done."""
    extract_speech_npz(audio, folder, tmp_path / "whole", **SIZES)
    whole, check = tree(tmp_path / "whole"), NpzRows.check
    n_parts = 4 + 2
    for n_kept in (0, 2, 4, 5):
        out, finished = tmp_path / f"cut{n_kept}", []

        def stop(self, finished=finished, n_kept=n_kept):
            if len(finished) == n_parts + n_kept:
                raise KeyboardInterrupt
            finished.append(self)
            check(self)

        with monkeypatch.context() as patch:
            patch.setattr(NpzRows, "check", stop)
            with pytest.raises(KeyboardInterrupt):
                extract_speech_npz(audio, folder, out, **SIZES)
        cut = tree(out)
        assert len(cut) == n_parts + n_kept
        assert not any("chess_times" in path for path in cut)
        ran.clear()
        extract_speech_npz(audio, folder, out, **SIZES)
        lacking = [layer for layer in range(4) if layer >= n_kept]
        computed = lacking or ([3] if n_kept == 4 else [])
        assert ran == ([(9, computed)] if computed else [])
        assert tree(out) == whole


SCRIPT = """
    import os, signal
    from voxscale.study import extract_speech_npz
    def kill(one):
        if one.story == "chess" and one.n_windows_done >= 13 + 4:
            os.kill(os.getpid(), signal.SIGKILL)
    extract_speech_npz({audio!r}, {folder!r}, {out!r}, progress=kill, **{sizes!r})
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_equal_bytes(folder, audio, tmp_path, ran):
    killed = tmp_path / "killed"
    paths = {story: str(path) for story, path in audio.items()}
    code = textwrap.dedent(SCRIPT).format(
        audio=paths, folder=str(folder), out=str(killed), sizes=SIZES
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    environment["PYTHONPATH"] = str(Path(package.__file__).parents[1])
    ended = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert ended.returncode == -signal.SIGKILL
    there = [path for path in tree(killed) if not path.endswith(".tmp")]
    assert len(there) == 6
    assert all("hut" in path for path in there)
    extract_speech_npz(audio, folder, killed, **SIZES)
    extract_speech_npz(audio, folder, tmp_path / "whole", **SIZES)
    assert [n for n, _ in ran] == [9, 13, 9]
    assert tree(killed) == tree(tmp_path / "whole")  # nothing half-written is left


def test_what_a_killed_run_left_is_removed_by_the_next_though_it_asks_for_less(
    folder, audio, tmp_path
):
    from voxscale.store._aside import machine_name

    kept = extract_speech_npz(audio, folder, tmp_path, layers=[0], **SIZES)
    where = kept["hut"].parent / "layer.2"
    where.mkdir()
    killed = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                            capture_output=True, text=True, check=True)  # fmt: skip
    left, ours, elsewhere = (
        where / f".hut.npz.{machine}.{process}.0123abcd.tmp"
        for machine, process in (
            (machine_name(), int(killed.stdout)), (machine_name(), os.getpid()), ("other", 1),
        )
    )  # fmt: skip
    for path in (left, ours, elsewhere):
        path.write_bytes(b"half")
    extract_speech_npz(audio, folder, tmp_path, layers=[0], **SIZES)
    assert sorted(where.iterdir()) == sorted([ours, elsewhere])


def test_files_of_something_else_are_an_error_and_can_be_overwritten(folder, audio, tmp_path, ran):
    extract_speech_npz(audio, folder, tmp_path, **SIZES)
    ran.clear()
    changed = [
        {"stride_s": 0.12}, {"context_s": 0.31}, {"normalize": False}, {"pad_silence": True},
        {"full_context": True}, {"dtype": "bfloat16"},
    ]  # fmt: skip
    for one in changed:  # one decimal: all of these share a folder
        with pytest.raises(StoreError, match=r"layer\.0/hut\.npz was made from another sound, by"):
            extract_speech_npz(audio, folder, tmp_path, **{**SIZES, **one})
    swapped = {"hut": audio["chess"], "chess": audio["hut"]}
    with pytest.raises(StoreError, match="was made from another sound"):
        extract_speech_npz(swapped, folder, tmp_path, **SIZES)
    assert ran == []
    extract_speech_npz(swapped, folder, tmp_path, overwrite=True, **SIZES)
    assert [n for n, _ in ran] == [9, 13]
    extract_speech_npz(swapped, folder, tmp_path, **SIZES)
    assert len(ran) == 2


def published(kept, story):
    """Write a story's last layer and times again, as numpy does, without what they know."""
    for path, key in (
        (kept[story], "features"),
        (kept[story].with_name(f"{story}_times.npz"), "times"),
    ):
        values = read_npz(path, key)
        np.savez_compressed(path, **{key: values})


def test_files_of_the_published_scripts_are_kept(folder, audio, tmp_path, ran):
    kept = extract_speech_npz(audio, folder, tmp_path, layers=[0], **SIZES)
    published(kept, "hut")
    before, _ = tree(tmp_path), ran.clear()
    with pytest.warns(VoxscaleWarning, match="2 files in .* do not say what they were made from"):
        extract_speech_npz(audio, folder, tmp_path, layers=[0, 1], **SIZES)
    assert ran == [(13, [1]), (9, [1])]
    assert {path: tree(tmp_path)[path] for path in before} == before


def test_layers_are_not_added_to_other_windows(folder, audio, tmp_path, ran):
    kept = extract_speech_npz(audio, folder, tmp_path, layers=[0], **SIZES)
    path = kept["hut"].with_name("hut_times.npz")
    times = read_npz(path, "times")
    for others in (times[:-1], times + 0.1):
        np.savez_compressed(path, times=others)
        ran.clear()
        with (
            pytest.warns(VoxscaleWarning, match="1 files"),
            pytest.raises(DataError, match=r"1 of 2 sounds .*\n.*hut_times\.npz is of \d+ other"),
        ):
            extract_speech_npz(audio, folder, tmp_path, layers=[0, 1, 2], **SIZES)
        assert not (kept["hut"].parent / "layer.1" / "hut.npz").exists()
        assert (kept["hut"].parent / "layer.1" / "chess.npz").exists()


def test_a_file_that_is_cut_off_is_written_anew(folder, audio, tmp_path, ran):
    """The published scripts wrote in place: a killed one left such files."""
    kept = extract_speech_npz(audio, folder, tmp_path, **SIZES)
    whole = tree(tmp_path)
    path = kept["hut"].parent / "layer.2" / "hut.npz"
    before = read_npz(path, "features")
    for content in (path.read_bytes()[:200], b""):
        path.write_bytes(content)
        ran.clear()
        extract_speech_npz(audio, folder, tmp_path, **SIZES)
        assert ran == [(13, [2])]
        np.testing.assert_allclose(read_npz(path, "features"), before, rtol=1e-4, atol=1e-5)
    assert set(tree(tmp_path)) == set(whole)


def test_a_broken_sound_leaves_the_others_done(folder, audio, tmp_path):
    (tmp_path / "text.wav").write_text("no sound")
    files = SpeechNpz({"text": tmp_path / "text.wav", **audio}, folder, tmp_path / "out")
    assert list(files.run()) == ["hut", "chess"]
    assert list(files.failed) == ["text"]
    assert files.missing == {"text": [0, 1, 2, 3, "final", "times"]}
    assert not [path for path in tree(tmp_path / "out") if "text" in path]


@pytest.mark.parametrize(
    ("stride_s", "context_s", "chunk_s", "name"),
    [
        (0.1, 16.0, None, "features_cnk0.1_ctx16.0/tiny"),
        (0.1, 16.0, 0.1, "features_cnk0.1_ctx16.0/tiny"),
        (0.02, 8, None, "features_cnk0.0_ctx8.0/tiny"),
        (0.5, 15.6, 0.1, "features_cnk0.1_ctx16.0/tiny/stride_0.5"),
        (1.0, 15.1, 0.1, "features_cnk0.1_ctx16.0/tiny/stride_1.0"),
    ],
)
def test_folders_are_named_as_they_were(stride_s, context_s, chunk_s, name, folder, tmp_path):
    extractor = SpeechExtractor(folder, SpeechWindows(stride_s, context_s))
    files = SpeechNpz({"hut": "hut.wav"}, extractor, tmp_path, chunk_s=chunk_s)
    assert files.folder == tmp_path / name
    assert files.path("hut", 2) == tmp_path / name / "layer.2" / "hut.npz"
    assert files.path("hut", "final") == tmp_path / name / "hut.npz"
    assert files.path("hut", "times") == tmp_path / name / "hut_times.npz"


def test_layers_of_whisper_are_of_an_encoder(tmp_path):
    folder = speech_models.save_tiny("whisper", tmp_path / "whisper")
    files = SpeechNpz({"hut": "hut.wav"}, folder, tmp_path)
    assert files.path("hut", 0).relative_to(files.folder).as_posix() == "encoder.0/hut.npz"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"audio": {"../hut": "hut.wav"}}, r"story '\.\./hut' cannot name a file"),
        ({"audio": {"/hut": "hut.wav"}}, "story '/hut' cannot name a file"),
        ({"audio": {"": "hut.wav"}}, "story '' cannot name a file"),
        (
            {"audio": {"hut": "hut.wav", "hut_times": "times.wav"}},
            r"'hut' and 'hut_times' would share the file hut_times\.npz",
        ),
        ({"chunk_s": 0}, "chunk_s is 0; expected seconds above 0"),
        ({"chunk_s": 17}, r"chunk_s is 17; .* no more than the 16\.1 s of a window"),
        ({"layers": [4]}, "layer 4 does not exist"),
    ],
)
def test_arguments_that_cannot_be_are_told(folder, tmp_path, changed, message):
    given = {"audio": {"hut": "hut.wav"}, **changed}
    with pytest.raises(ValueError, match=message):
        SpeechNpz(given.pop("audio"), folder, tmp_path, **given)


@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.integers(0, 9), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_rows_are_a_file_that_numpy_reads(tmp_path_factory, parts, seed):
    where = tmp_path_factory.mktemp("npz")
    values = np.random.default_rng(seed).standard_normal((sum(parts), 3))
    with writing_npz(where / "a.npz", "features", values.shape, "key") as rows:
        for part in np.split(values, np.cumsum(parts)[:-1]):
            rows.append(part)
    with writing_npz(where / "b.npz", "features", values.shape, "key") as rows:
        rows.append(values)
    with np.load(where / "a.npz") as held:
        assert held.files == ["features"]
        assert held["features"].dtype == np.float32
        np.testing.assert_array_equal(held["features"], values.astype("f4"))
    assert (where / "a.npz").read_bytes() == (where / "b.npz").read_bytes()
    assert key_in(where / "a.npz") == "key"
    with zipfile.ZipFile(where / "a.npz") as archive:
        assert archive.testzip() is None
        assert archive.infolist()[0].compress_type == zipfile.ZIP_DEFLATED


def test_a_file_lacks_no_row_and_has_no_other_columns(tmp_path):
    def write(*shape):
        with writing_npz(tmp_path / "a.npz", "features", (3, 2), "") as rows:
            rows.append(np.ones(shape))

    with pytest.raises(ValueError, match="1 rows are missing"):
        write(2, 2)
    with pytest.raises(ValueError, match=r"shape \(3, 4\); expected 2 columns"):
        write(3, 4)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(StoreError, match="does not exist"):
        read_npz(tmp_path / "a.npz", "features")
    write(3, 2)
    assert key_in(tmp_path / "a.npz") == ""
    with pytest.raises(StoreError, match="holds no array 'times'"):
        read_npz(tmp_path / "a.npz", "times")
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:60])
    with pytest.raises(StoreError, match="is damaged"):
        read_npz(tmp_path / "a.npz", "features")
    assert key_in(tmp_path / "a.npz") is None


def test_overwriting_leaves_no_layers_of_something_else_beside(audio, folder, tmp_path):
    options = dict(SIZES)
    extract_speech_npz(audio, folder, tmp_path, layers=[1, 2], **options)
    other = {**options, "context_s": 0.32}
    with pytest.raises(StoreError, match=r"layer\.2.*overwrite its layer too, or delete it"):
        extract_speech_npz(audio, folder, tmp_path, layers=[1], overwrite=True, **other)
    extract_speech_npz(audio, folder, tmp_path, layers=[1, 2], overwrite=True, **other)


def test_a_whole_number_of_seconds_is_the_same_setting(audio, folder, tmp_path):
    options = {"device": "cpu", "batch_size": 4, "layers": [1]}
    made = extract_speech_npz(audio, folder, tmp_path, stride_s=0.1, context_s=1, **options)
    again = extract_speech_npz(audio, folder, tmp_path, stride_s=0.1, context_s=1.0, **options)
    assert made == again


@pytest.mark.parametrize(
    "story", ["./hut", "a//b", "layer.2/hut", "encoder.0/hut", "../hut", "/hut"]
)
def test_names_that_would_share_a_file_are_refused(story, audio, folder, tmp_path):
    with pytest.raises(ValueError, match="cannot name a file"):
        SpeechNpz({story: audio["hut"]}, folder, tmp_path)


def test_the_folder_has_the_published_short_name(monkeypatch):
    from voxscale.features._models import short_name

    assert short_name("facebook/hubert-base-ls960") == "hubert-base"
    assert short_name("openai/whisper-tiny") == "whisper-tiny"
    assert short_name("facebook/wav2vec2-base") == "wav2vec2-base"
    assert short_name("whisper-tiny.en") == "whisper-tiny.en"


def test_damaged_times_of_one_story_do_not_stop_the_others(audio, folder, tmp_path):
    extractor = SpeechExtractor(folder, SpeechWindows(0.1, 0.3), device="cpu")
    files = SpeechNpz(audio, extractor, tmp_path, layers=[1])
    files.run()
    chess, hut = (files.path(story, 1) for story in ("chess", "hut"))
    chess.unlink()
    hut.unlink()
    times = files.path("chess", "times")
    with zipfile.ZipFile(times) as held:
        comment = held.comment
    with zipfile.ZipFile(times, "w") as broken:
        broken.writestr("times.npy", b"no array")
        broken.comment = comment
    files.run()
    assert list(files.failed) == ["chess"]
    assert hut.is_file()
