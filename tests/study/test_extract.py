"""Features of stories on disk: complete or absent, the same after a kill, never held at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import voxscale as package
from voxscale.data import Transcript
from voxscale.design import DesignRecipe
from voxscale.errors import AlignmentError, DataError
from voxscale.features import LanguageExtractor
from voxscale.store import LayerStore
from voxscale.study import extract_language

torch = pytest.importorskip("torch")
SIZES = {"min_context": 3, "max_context": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Save a tiny random Llama and a tokenizer of letters."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast

    vocabulary = {letter: i for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz ")}
    tokenizer = Tokenizer(models.WordLevel({**vocabulary, "<s>": 27}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    config = LlamaConfig(
        vocab_size=28, hidden_size=8, intermediate_size=12, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=128,
    )  # fmt: skip
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("models") / "tiny"
    AutoModelForCausalLM.from_config(config).save_pretrained(path)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>").save_pretrained(path)
    return path


def stories_of(*lengths):
    rng = np.random.default_rng(0)
    return {
        f"story {i}": Transcript(
            ["".join(rng.choice(list("abcdefgh"), 3)) for _ in range(n)], 0.5 * np.arange(n)
        )
        for i, n in enumerate(lengths)
    }


def tr_times_of(stories):
    return {name: np.arange(1.0, one.times[-1] + 2, 2.0) for name, one in stories.items()}


def contents(out):
    store = LayerStore(out)
    keys = store.keys()
    return {(key, name): store.get(key, name) for key in keys for name in store.names(key)}


def test_rows_are_lanczos_of_the_states(folder, tmp_path):
    stories = stories_of(40, 11)
    trs = tr_times_of(stories)
    model = LanguageExtractor(folder, device="cpu", batch_size=2)
    options = {**SIZES, "extras": ["surprisal", "context_length"]}
    kept = extract_language(stories, model, trs, tmp_path, keep_words=True, **options)
    states = model.extract(stories, **options)
    store = LayerStore(tmp_path)
    for story, path in kept.items():
        assert path.is_dir()
        assert store.meta(path.stem)["story"] == story
        for name in (0, 1, 2, "surprisal", "context_length"):
            array = name if isinstance(name, str) else f"layer_{name}"
            words = store.get(path.stem, f"words_{array}")
            np.testing.assert_allclose(words, states[name][story].values, atol=1e-5)
            expected = DesignRecipe().downsample(states[name][story], trs[story], story).values
            np.testing.assert_allclose(store.get(path.stem, array), expected, atol=1e-4)


def test_what_is_there_is_left_alone(folder, tmp_path, monkeypatch):
    stories = stories_of(9, 12)
    model = LanguageExtractor(folder, device="cpu")
    told = []
    first = extract_language(stories, model, tr_times_of(stories), tmp_path, progress=told.append)
    assert told[-1].n_words_done == told[-1].n_words == 21
    assert (told[-1].n_stories_done, told[-1].seconds_left) == (2, 0)
    assert told[-1].tokens_per_s > 0
    again = LanguageExtractor(folder, device="cpu")
    monkeypatch.setattr(LanguageExtractor, "ready", lambda *_: pytest.fail("loaded"))
    assert extract_language(stories, again, tr_times_of(stories), tmp_path) == first
    changed = [("policy", "sliding"), ("word_vector", "mean"), ("dtype", "float64")]
    for name, value in changed:
        other = LanguageExtractor(folder, device="cpu", **{name: value})
        with pytest.raises(pytest.fail.Exception):
            extract_language(stories, other, tr_times_of(stories), tmp_path)


def test_nothing_is_run_before_all_is_checked(folder, tmp_path, monkeypatch):
    model = LanguageExtractor(folder, device="cpu")
    monkeypatch.setattr(LanguageExtractor, "ready", lambda *_: pytest.fail("loaded"))
    stories = stories_of(9, 60)
    with pytest.raises(DataError, match="story 'story 1': a context of 60 words needs"):
        extract_language(
            stories, model, tr_times_of(stories), tmp_path, min_context=9, max_context=60
        )
    late = {name: times + 1000 for name, times in tr_times_of(stories).items()}
    with pytest.raises(AlignmentError, match="run 'story 0'"):
        extract_language(stories, model, late, tmp_path, **SIZES)
    assert list(tmp_path.iterdir()) == []


SCRIPT = """
    import os, signal, sys
    import numpy as np
    from voxscale.data import Transcript
    from voxscale.features import LanguageExtractor
    from voxscale.study import extract_language
    sys.path.insert(0, {tests!r})
    from test_extract import SIZES, stories_of, tr_times_of
    stories = stories_of(8, 200)
    model = LanguageExtractor({folder!r}, device="cpu", batch_size=2)
    def kill(one):
        if one.story == "story 1" and one.n_words_done > 60:
            os.kill(os.getpid(), signal.SIGKILL)
    extract_language(stories, model, tr_times_of(stories), {out!r}, progress={progress}, **SIZES)
"""


def run_script(folder, out, progress):
    source = Path(package.__file__).parents[1]
    code = textwrap.dedent(SCRIPT).format(
        tests=str(Path(__file__).parent), folder=str(folder), out=str(out), progress=progress
    )
    environment = {**os.environ, "PYTHONPATH": str(source), "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen([sys.executable, "-c", code], env=environment)


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_equal_bytes(folder, tmp_path):
    assert run_script(folder, tmp_path / "killed", "kill").wait() == -signal.SIGKILL
    done = LayerStore(tmp_path / "killed").keys()
    assert [key.startswith("story_0") for key in done] == [True]
    assert run_script(folder, tmp_path / "killed", None).wait() == 0
    assert run_script(folder, tmp_path / "whole", None).wait() == 0
    killed, whole = contents(tmp_path / "killed"), contents(tmp_path / "whole")
    assert list(killed) == list(whole)
    for name, values in whole.items():
        assert killed[name].tobytes() == values.tobytes()
    assert all(path.suffix == ".zarr" for path in (tmp_path / "killed").iterdir())


@pytest.mark.slow
def test_two_processes_may_fill_the_same_folder(folder, tmp_path):
    both = [run_script(folder, tmp_path / "both", None) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert run_script(folder, tmp_path / "alone", None).wait() == 0
    both, alone = contents(tmp_path / "both"), contents(tmp_path / "alone")
    assert list(both) == list(alone)
    for name, values in alone.items():
        assert both[name].tobytes() == values.tobytes()
    assert all(path.suffix == ".zarr" for path in (tmp_path / "both").iterdir())
