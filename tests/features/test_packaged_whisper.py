"""The real models, where their packages are installed; nothing is downloaded."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

import pytest

from voxscale.features._packaged import PACKAGED, prepare

STORIES = Path(__file__).resolve().parents[2] / "src" / "voxscale" / "synthetic" / "stories"


def _installed(name):
    row = PACKAGED[name]
    missing = next((package for package, _ in row.parts if find_spec(package) is None), None)
    return pytest.param(
        name, marks=pytest.mark.skipif(missing is not None, reason=f"{missing} is not installed")
    )


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """Return a packaged Whisper by name: its folder, and the model in single precision."""
    import torch
    from transformers import WhisperForConditionalGeneration

    known = {}

    def load(name):
        if name not in known:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("VOXSCALE_CACHE", str(tmp_path_factory.mktemp("real")))
                folder = prepare(PACKAGED[name])
            model, report = WhisperForConditionalGeneration.from_pretrained(
                folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
            )
            known[name] = folder, model.eval(), report
        return known[name]

    return load


def _sound_and_words(story, until_s):
    """Return the start of a spoken story of the demo, and what is said in it."""
    import soundfile

    from voxscale.data import read_transcript

    sound, hz = soundfile.read(STORIES / f"{story}.ogg", dtype="float32", frames=16000 * until_s)
    assert hz == 16000
    words = read_transcript(STORIES / f"{story}.TextGrid")
    n_words = int((words.offset_s < until_s).sum())
    return sound, list(words.words[:n_words])


def _write_down(model, tokenizer, states):
    """Return the words that the decoder finds likeliest, one token after the other."""
    import torch

    prompt = ["<|startoftranscript|>", "<|notimestamps|>"]
    if model.config.vocab_size > 51864:  # it knows more than English
        prompt[1:1] = ["<|en|>", "<|transcribe|>"]
    ids = tokenizer.convert_tokens_to_ids(prompt)
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    while len(ids) < 60:
        with torch.no_grad():
            scores = model(encoder_outputs=(states,), decoder_input_ids=torch.tensor([ids])).logits
        best = int(scores[0, -1, : end + 1].argmax())
        if best == end:
            break
        ids.append(best)
    text = tokenizer.decode(ids[len(prompt) :]).lower()
    return re.findall(r"[a-z0-9']+", text)


@pytest.mark.slow
@pytest.mark.whisper
@pytest.mark.parametrize("name", [_installed("whisper-tiny.en"), _installed("whisper-base")])
def test_real_whisper_is_whole_and_hears_what_is_said(name, real):
    import torch
    from transformers import AutoFeatureExtractor, AutoTokenizer

    folder, model, report = real(name)
    assert not any(report.values())
    row, config = PACKAGED[name], model.config
    assert (config.encoder_layers + 1, config.d_model) == (row.n_layers, row.n_dims)
    ears = AutoFeatureExtractor.from_pretrained(folder, local_files_only=True)
    assert ears.feature_size == config.num_mel_bins == 80
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    sound, words = _sound_and_words("kitchen", 8)
    frames = ears(sound, sampling_rate=16000, return_tensors="pt").input_features
    with torch.no_grad():
        heard = model.model.encoder(frames, output_hidden_states=True)
    assert [tuple(one.shape) for one in heard.hidden_states] == [
        (1, 1500, row.n_dims)
    ] * row.n_layers
    found = _write_down(model, tokenizer, heard.last_hidden_state)
    assert SequenceMatcher(None, found, words, autojunk=False).ratio() > 0.7, (found, words)


@pytest.mark.slow
@pytest.mark.whisper
@pytest.mark.parametrize("name", [_installed("whisper-tiny.en"), _installed("whisper-base")])
def test_tokens_of_a_real_whisper_are_those_of_its_package(name, real):
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    package, path, _ = PACKAGED[name].beside[0]
    place = find_spec(package).submodule_search_locations[0]
    own = Tokenizer.from_file(str(Path(place, path)))
    tokenizer = AutoTokenizer.from_pretrained(real(name)[0], local_files_only=True)
    for text in ("it's 1997, and nobody ever locked a door", "das Café am Straßenrand, 東京"):
        plain = own.encode(text, add_special_tokens=False).ids
        assert tokenizer(text, add_special_tokens=False)["input_ids"] == plain
