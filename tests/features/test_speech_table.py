from __future__ import annotations

import dataclasses
import tomllib
from importlib.resources import files

import pytest

from voxscale.features import known_models, model_facts
from voxscale.features._packaged import PACKAGED

ROWS = list(known_models("speech").values())
_LARGE = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
    "intermediate_size": 4096, "feat_extract_norm": "layer", "do_stable_layer_norm": True,
}  # fmt: skip
# Layers and dimensions as the paper on Whisper tells them (its table 1).
_WHISPER = {
    "tiny": (4, 384), "base": (6, 512), "small": (12, 768), "medium": (24, 1024),
    "large": (32, 1280), "large-v2": (32, 1280), "large-v3": (32, 1280),
}  # fmt: skip
CONFIGS = {
    "facebook/hubert-base-ls960": ("Hubert", {}),
    "facebook/hubert-large-ll60k": ("Hubert", {**_LARGE, "conv_bias": True}),
    "facebook/wav2vec2-base": ("Wav2Vec2", {}),
    "facebook/wav2vec2-base-960h": ("Wav2Vec2", {}),
    "microsoft/wavlm-base": ("WavLM", {}),
    "microsoft/wavlm-base-plus": ("WavLM", {}),
    "microsoft/wavlm-large": ("WavLM", {**_LARGE, "conv_bias": False}),
}
for _size, (_layers, _dims) in _WHISPER.items():
    _config = {
        "d_model": _dims, "encoder_layers": _layers, "encoder_attention_heads": _dims // 64,
        "encoder_ffn_dim": 4 * _dims, "num_mel_bins": 128 if _size == "large-v3" else 80,
        "decoder_layers": 1, "decoder_attention_heads": 1,
    }  # fmt: skip
    for _name in (_size, f"{_size}.en") if "large" not in _size else (_size,):
        CONFIGS[f"openai/whisper-{_name}"] = ("Whisper", _config)


def test_rows_are_sorted_by_family_then_parameters_then_id():
    keys = [(row.family, row.n_params, row.id) for row in ROWS]
    assert keys == sorted(keys)
    text = (files("voxscale.features") / "speech_models.toml").read_text(encoding="utf-8")
    assert [row["id"] for row in tomllib.loads(text)["models"]] == [row.id for row in ROWS]


def test_no_model_is_in_both_tables():
    assert known_models("language") == known_models()
    assert not set(known_models("speech")) & set(known_models())
    with pytest.raises(ValueError, match="kind is 'music'; expected one of 'language', 'speech'"):
        known_models("music")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_numbers_are_those_of_the_architecture(row):
    import torch
    import transformers

    kind, arguments = CONFIGS[row.id]
    config = getattr(transformers, f"{kind}Config")(**arguments)
    with torch.device("meta"):
        built = getattr(transformers, f"{kind}Model")(config)
    hears = built.encoder if kind == "Whisper" else built
    assert row.n_params == sum(weight.numel() for weight in hears.parameters())
    assert row.n_layers == config.num_hidden_layers + 1
    assert row.n_dims == config.hidden_size
    assert row.family == config.model_type


def test_names_are_found_as_those_of_language_models():
    assert model_facts("WavLM-large") is known_models("speech")["microsoft/wavlm-large"]


@pytest.mark.parametrize("name", ["whisper-tiny.en", "whisper-base"])
def test_a_packaged_model_is_the_one_of_the_table(name):
    facts, row = model_facts(name), known_models("speech")[PACKAGED[name].like]
    assert facts == dataclasses.replace(row, id=name)
    assert (facts.n_layers, facts.n_dims) == (PACKAGED[name].n_layers, PACKAGED[name].n_dims)
