"""Speech states on disk: complete or absent, resumed by sound and by layer, times exact."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxscale as package
from voxscale import speech_states
from voxscale.arrays import EventSeries, TRSeries
from voxscale.data import Transcript
from voxscale.design import DesignRecipe
from voxscale.errors import AlignmentError, DataError, StoreError, VoxscaleWarning
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.store import LayerStore, LayerWriter
from voxscale.study import SpeechExtraction, extract_speech, read_extracted_speech

torch = pytest.importorskip("torch")
_spec = importlib.util.spec_from_file_location(
    "speech_models", Path(__file__).parents[1] / "features" / "speech_models.py"
)
speech_models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(speech_models)

SIZES = {"stride_s": 0.1, "context_s": 0.3, "device": "cpu", "batch_size": 4}
DURATIONS = {"hut": 2.3, "chess": 1.57}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return speech_models.save_tiny("hubert", tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def audio(write_sounds, tmp_path_factory):
    return write_sounds(tmp_path_factory.mktemp("sounds"), DURATIONS)


TRS = {story: np.arange(0.25, seconds, 0.5) for story, seconds in DURATIONS.items()}


def contents(out):
    store = LayerStore(out)
    keys = store.keys()
    return {(key, name): store.get(key, name) for key in keys for name in store.names(key)}


def test_rows_are_lanczos_of_the_states(folder, audio, tmp_path):
    kept = extract_speech(audio, folder, TRS, tmp_path, layers=[3, 1], **SIZES)
    states = speech_states(audio, folder, **SIZES)
    assert list(kept) == ["hut", "chess"]
    for story, paths in kept.items():
        assert sorted(paths) == [1, 3]
        for layer, path in paths.items():
            assert path.name.startswith(f"{story}-layer_{layer}-")
            series = read_extracted_speech(path)
            expected = DesignRecipe().downsample(states[layer][story], TRS[story], story)
            assert isinstance(series, TRSeries)
            assert (series.run, series.first_tr) == (story, 0)
            np.testing.assert_array_equal(series.tr_times, TRS[story])
            np.testing.assert_allclose(series.values, expected.values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("changed", [{}, {"stride_s": 0.0333}, {"pad_silence": True}])
def test_every_window_is_kept_with_its_time_to_the_last_digit(folder, audio, tmp_path, changed):
    options = {**SIZES, **changed}
    kept = extract_speech(audio, folder, None, tmp_path, layers=[2], **options)
    states = speech_states(audio, folder, layers=[2], **options)[2]
    store = LayerStore(tmp_path)
    for story, paths in kept.items():
        series = read_extracted_speech(paths[2])
        assert isinstance(series, EventSeries)
        assert series.times.dtype == np.float64
        np.testing.assert_array_equal(series.times, states[story].times)
        np.testing.assert_array_equal(series.values, states[story].values)
        starts = store.get(paths[2].stem, "times")[:, 0]
        lengths = np.round(16000 * (series.times - starts))
        assert lengths.max() == round(16000 * (options["stride_s"] + 0.3))
        assert starts.min() == 0


def test_times_far_into_a_sound_are_exact(folder, tmp_path):
    """Float32 would have them 1 ms off after four hours: here 1000 s lie beside it in the store."""
    store = LayerStore(tmp_path)
    times = (np.arange(1, 9) * 1600 + 16000 * 10**6) / 16000
    with store.writing("hut", n_rows=8, meta={"run": "hut", "layer": 0}) as writer:
        writer.append("states", np.ones((8, 2)))
        writer.append("times", np.stack([times - 1, times], axis=1), dtype="float64")
    np.testing.assert_array_equal(read_extracted_speech(tmp_path / "hut.zarr").times, times)


def test_more_layers_are_computed_and_no_others(folder, audio, tmp_path, ran):
    first = extract_speech(audio, folder, TRS, tmp_path, layers=[1], **SIZES)
    assert ran == [(23, [1]), (15, [1])]
    before = contents(tmp_path)
    told = []
    kept = extract_speech(audio, folder, TRS, tmp_path, progress=told.append, **SIZES)
    assert ran[2:] == [(23, [0, 2, 3]), (15, [0, 2, 3])]  # one pass over each sound
    assert [kept[story][1] for story in kept] == [first[story][1] for story in kept]
    after = contents(tmp_path)
    assert len(after) == 4 * len(before)
    assert all(after[name].tobytes() == values.tobytes() for name, values in before.items())
    assert told[-1].n_windows_done == told[-1].n_windows == 38
    assert (told[-1].n_stories_done, told[-1].seconds_left) == (2, 0)
    assert told[-1].windows_per_s > 0


def test_where_nothing_is_missing_no_model_is_loaded(folder, audio, tmp_path, monkeypatch):
    first = extract_speech(audio, folder, TRS, tmp_path, layers=[0], **SIZES)
    monkeypatch.setattr(SpeechExtractor, "load", lambda _: pytest.fail("loaded"))
    assert extract_speech(audio, folder, TRS, tmp_path, layers=[0], **SIZES) == first
    with pytest.raises(pytest.fail.Exception):
        extract_speech(audio, folder, TRS, tmp_path, layers=[0, 1], **SIZES)


def test_a_run_that_stops_between_two_layers_goes_on_there(
    folder, audio, tmp_path, ran, monkeypatch
):
    whole = tmp_path / "whole"
    extract_speech(audio, folder, TRS, whole, **SIZES)
    check, n_finished = LayerWriter.check, []

    def stop(self):
        n_finished.append(self)
        if len(n_finished) == 4 + 3:  # the second sound, at its third layer
            raise KeyboardInterrupt
        check(self)

    with monkeypatch.context() as patch:
        patch.setattr(LayerWriter, "check", stop)
        with pytest.raises(KeyboardInterrupt):
            extract_speech(audio, folder, TRS, tmp_path / "cut", **SIZES)
    there = sorted(key.rsplit("-", 1)[0] for key in LayerStore(tmp_path / "cut").keys())  # noqa: SIM118
    assert there == ["chess-layer_0", "chess-layer_1", *(f"hut-layer_{k}" for k in range(4))]
    ran.clear()
    extract_speech(audio, folder, TRS, tmp_path / "cut", **SIZES)
    assert ran == [(15, [2, 3])]
    expected = contents(whole)
    found = contents(tmp_path / "cut")
    assert list(found) == list(expected)
    assert all(found[name].tobytes() == values.tobytes() for name, values in expected.items())
    assert all(path.suffix == ".zarr" for path in (tmp_path / "cut").iterdir())


SCRIPT = """
    import os, signal
    from voxscale.study import extract_speech
    def kill(one):
        if one.story == "chess" and one.n_windows_done >= 23 + 8:
            os.kill(os.getpid(), signal.SIGKILL)
    extract_speech({audio!r}, {folder!r}, {{k: v for k, v in {trs!r}.items()}}, {out!r},
                   progress={progress}, **{sizes!r})
"""


def run_script(folder, audio, out, progress):
    source = Path(package.__file__).parents[1]
    code = textwrap.dedent(SCRIPT).format(
        audio={story: str(path) for story, path in audio.items()},
        folder=str(folder),
        trs={story: times.tolist() for story, times in TRS.items()},
        out=str(out),
        progress=progress,
        sizes=SIZES,
    )
    environment = {**os.environ, "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1"}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_equal_bytes(folder, audio, tmp_path, ran):
    assert run_script(folder, audio, tmp_path / "killed", "kill") == -signal.SIGKILL
    there = [key.split("-")[0] for key in LayerStore(tmp_path / "killed").keys()]  # noqa: SIM118
    assert there == ["hut"] * 4
    extract_speech(audio, folder, TRS, tmp_path / "killed", **SIZES)
    extract_speech(audio, folder, TRS, tmp_path / "whole", **SIZES)
    assert ran == [(15, [0, 1, 2, 3]), (23, [0, 1, 2, 3]), (15, [0, 1, 2, 3])]
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert list(killed) == list(whole)
    assert all(killed[name].tobytes() == values.tobytes() for name, values in whole.items())
    assert all(path.suffix == ".zarr" for path in (tmp_path / "killed").iterdir())


def key_of(folder, audio, **changed):
    story = {"hut": changed.pop("sound", audio["hut"])}
    if "story" in changed:
        story = {changed.pop("story"): audio["hut"]}
    tr_times = changed.pop("tr_times", dict.fromkeys(story, TRS["hut"]))
    recipe, model = changed.pop("recipe", None), changed.pop("model", folder)
    windows = SpeechWindows(**{"stride_s": 0.1, "context_s": 0.3, **changed.pop("windows", {})})
    extractor = SpeechExtractor(model, windows, **{"device": "cpu", **changed})
    extraction = SpeechExtraction(story, extractor, tr_times, "out", layers=[1], recipe=recipe)
    [keys] = extraction.keys.values()
    return keys[1]


def test_all_that_can_change_the_numbers_is_in_the_key(folder, audio, tmp_path):
    other = speech_models.save_tiny("hubert", tmp_path / "1" / "tiny", seed=1)
    heard_otherwise = speech_models.save_tiny("hubert", tmp_path / "2" / "tiny", do_normalize=False)
    that_count = [
        {},
        {"sound": audio["chess"]},
        {"story": "river"},
        {"tr_times": {"hut": TRS["hut"][:-1]}},
        {"tr_times": None},
        {"recipe": DesignRecipe(lobes=2)},
        {"recipe": DesignRecipe(cutoff_hz=0.1)},
        {"recipe": DesignRecipe(normalize=True)},
        {"windows": {"stride_s": 0.2}},
        {"windows": {"context_s": 0.4}},
        {"windows": {"full_context": True}},
        {"windows": {"pad_silence": True}},
        {"normalize": False},
        {"normalize": True},
        {"trim_padding": True},
        {"dtype": "bfloat16"},
        {"model": other},
        {"model": heard_otherwise},
    ]
    assert len({key_of(folder, audio, **changed) for changed in that_count}) == len(that_count)


def test_what_changes_no_number_is_not_in_the_key(folder, audio, tmp_path):
    (tmp_path / "elsewhere.wav").write_bytes(audio["hut"].read_bytes())
    same = [
        {"batch_size": 3}, {"sound": tmp_path / "elsewhere.wav"}, {"resample": False},
        {"tr_times": {"hut": TRS["hut"].tolist()}},
    ]  # fmt: skip
    assert {key_of(folder, audio, **changed) for changed in same} == {key_of(folder, audio)}
    raw = {"tr_times": None}  # no filter is used
    filtered = key_of(folder, audio, **raw, recipe=DesignRecipe(lobes=2))
    assert filtered == key_of(folder, audio, **raw)


def test_a_name_that_is_no_file_name_is_made_one(folder, audio):
    key = key_of(folder, audio, story="a b/ü" * 40)
    assert key.startswith("a_b__a_b__")
    assert len(key) < 100


def test_a_broken_sound_leaves_the_others_done(folder, audio, tmp_path, ran):
    (tmp_path / "text.wav").write_text("no sound")
    soundfile.write(tmp_path / "short.wav", np.ones(500), 16000)
    broken = {"text": tmp_path / "text.wav", "gone": tmp_path / "gone.wav"}
    sounds = {**broken, "hut": audio["hut"], "short": tmp_path / "short.wav"}
    options = {"layers": [0], **SIZES}
    with pytest.raises(DataError) as raised:
        extract_speech(sounds, folder, None, tmp_path / "out", **options)
    said = str(raised.value)
    assert said.startswith("3 of 4 sounds cannot be used; the others are done:\n  gone: ")
    assert "gone.wav does not exist" in said
    assert "text.wav: cannot be read" in said
    assert "short.wav lasts 0.03125 s, too short for a window" in said
    assert ran == [(23, [0])]
    extraction = SpeechExtraction(sounds, folder, None, tmp_path / "out", layers=[0])
    assert list(extraction.sounds.absent) == ["gone"]
    with pytest.raises(DataError, match=r"gone\.wav does not exist"):  # alone: its own error
        extract_speech({"gone": broken["gone"]}, folder, None, tmp_path / "out", **options)
    assert len(LayerStore(tmp_path / "out").keys()) == 1


def test_words_of_another_story_are_refused_before_anything_is_run(folder, audio, tmp_path, ran):
    def words(end_s):
        return {"hut": Transcript(["once"], [0.5], [end_s])}

    options = {"layers": [0], **SIZES}
    with pytest.raises(AlignmentError, match=r"'hut': its last word ends at 3\.40 s, .* at 2\.30"):
        extract_speech(audio, folder, TRS, tmp_path, words=words(3.4), **options)
    late = {"hut": Transcript(["once"], [3.1], [3.2])}
    with pytest.raises(AlignmentError, match=r"run 'hut': its words last from"):  # check_run
        extract_speech(audio, folder, TRS, tmp_path, words=late, **options)
    assert ran == []
    assert list(tmp_path.iterdir()) == []
    assert len(extract_speech(audio, folder, TRS, tmp_path, words=words(3.2), **options)) == 2


def test_a_sound_that_goes_on_long_after_its_words_is_warned_of(folder, tmp_path):
    sound = 0.1 * np.random.default_rng(0).standard_normal(32 * 16000)
    soundfile.write(tmp_path / "hut.wav", sound, 16000)
    words = {"hut": Transcript(["once"], [0.5], [1.0])}
    times = {"hut": np.arange(1.0, 32, 2)}
    options = {**SIZES, "stride_s": 2.0, "layers": [0]}
    with pytest.warns(VoxscaleWarning, match=r"last word ends at 1\.00 s, the sound hut\.wav at"):
        extract_speech(
            {"hut": tmp_path / "hut.wav"}, folder, times, tmp_path, words=words, **options
        )


def test_trs_that_go_on_long_after_a_sound_are_warned_of(folder, audio, tmp_path, recwarn):
    options = {"layers": [0], **SIZES}
    long = {"hut": np.arange(0.5, 33.5), "chess": np.arange(0.5, 31.5)}  # 2.3 and 1.57 s of sound
    for _ in range(2):  # of what is there too
        with pytest.warns(VoxscaleWarning) as told:
            extract_speech(audio, folder, long, tmp_path, **options)
        [one] = told
        assert str(one.message) == (
            "story 'hut': its TRs go on to 32.50 s, the sound hut.wav ends at 2.30 s; features of "
            "TRs after it are 0; check that both are of the same story, or leave these TRs out."
        )
        assert one.filename == __file__
    extract_speech({"chess": audio["chess"]}, folder, long, tmp_path, **options)


def test_trs_on_another_clock_are_refused_before_anything_is_run(folder, audio, tmp_path, ran):
    late = {"hut": TRS["hut"], "chess": TRS["chess"] + 1000}
    with pytest.raises(AlignmentError, match="run 'chess'"):
        extract_speech(audio, folder, late, tmp_path, **SIZES)
    assert ran == []


def test_what_is_kept_goes_on_to_a_design(folder, audio, tmp_path):
    recipe, rng = DesignRecipe(delays=(0, 1), trim=(0, 0)), np.random.default_rng(0)
    responses = {
        story: TRSeries(rng.standard_normal((len(times), 2)), story, 0, times)
        for story, times in TRS.items()
    }
    states = speech_states(audio, folder, layers=[3], **SIZES)[3]
    expected, _ = recipe.join(states, responses, list(TRS))
    for tr_times in (TRS, None):
        kept = extract_speech(audio, folder, tr_times, tmp_path, layers=[3], **SIZES)
        features = {story: read_extracted_speech(paths[3]) for story, paths in kept.items()}
        X, _ = recipe.join(features, responses, list(TRS))
        np.testing.assert_allclose(X, expected, rtol=1e-4, atol=1e-4)


def test_what_is_no_speech_layer_is_not_read(tmp_path):
    with LayerStore(tmp_path).writing("hut", n_rows=2, meta={"run": "hut"}) as writer:
        writer.append("layer_0", np.ones((2, 2)))
    with pytest.raises(StoreError, match="is no layer of a speech model"):
        read_extracted_speech(tmp_path / "hut.zarr")
    with pytest.raises(StoreError, match="does not exist"):
        read_extracted_speech(tmp_path / "chess.zarr")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"audio": "hut.wav"}, TypeError, "audio is of type str; expected a mapping of story"),
        ({"audio": {}}, ValueError, "there is no sound"),
        ({"audio": {"hut": (np.ones(9), 16000)}}, TypeError, "'hut' is of type tuple; expected a"),
        ({"tr_times": {}}, ValueError, "tr_times has no story 'hut', only nothing"),
        ({"tr_times": np.arange(3.0)}, TypeError, "expected a mapping of story to its TR times;"),
        ({"words": ["once"]}, TypeError, "words is of type list; expected a mapping"),
        ({"layers": [9]}, ValueError, "layer 9 does not exist"),
        ({"recipe": {}}, TypeError, "recipe is of type dict; expected a DesignRecipe"),
        ({"stride_s": 0}, ValueError, "stride_s is 0"),
        ({"progress": 3}, TypeError, "progress is 3; expected something that can be called"),
        ({"device": "abacus"}, ValueError, "device 'abacus' is unknown"),
    ],
)
def test_arguments_that_cannot_be_are_told(folder, audio, tmp_path, changed, error, message):
    given = {"audio": audio, "tr_times": None, **SIZES, **changed}
    sounds, tr_times = given.pop("audio"), given.pop("tr_times")
    with pytest.raises(error, match=message):
        extract_speech(sounds, folder, tr_times, tmp_path, **given)
    assert LayerStore(tmp_path).keys() == []
