"""Tiny speech models with random weights, of every family; not a test."""

from __future__ import annotations

import torch
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    SEWConfig,
    SEWModel,
    UniSpeechConfig,
    UniSpeechModel,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2Config,
    Wav2Vec2ConformerConfig,
    Wav2Vec2ConformerModel,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperModel,
)

_SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "layer_norm_eps": 1e-5,
}
_WAVES = {
    **_SMALL,
    "conv_dim": [8] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
_STABLE = {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}
_WHISPER = {
    "d_model": 16,
    "encoder_layers": 3,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "vocab_size": 30,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}

FAMILIES = {
    "whisper": (WhisperModel, WhisperConfig, _WHISPER),
    "hubert": (HubertModel, HubertConfig, _WAVES),
    "hubert-large": (HubertModel, HubertConfig, _WAVES | _STABLE),
    "wavlm": (WavLMModel, WavLMConfig, _WAVES),
    "wavlm-large": (WavLMModel, WavLMConfig, _WAVES | _STABLE),
    "wav2vec2": (Wav2Vec2Model, Wav2Vec2Config, _WAVES),
    "mms": (Wav2Vec2Model, Wav2Vec2Config, _WAVES | _STABLE | {"adapter_attn_dim": 4}),
    "data2vec-audio": (
        Data2VecAudioModel,
        Data2VecAudioConfig,
        _WAVES | {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 19},
    ),
    "unispeech": (UniSpeechModel, UniSpeechConfig, _WAVES),
    "wav2vec2-conformer": (
        Wav2Vec2ConformerModel,
        Wav2Vec2ConformerConfig,
        _WAVES | {"position_embeddings_type": "rotary"},
    ),
    "sew": (
        SEWModel,
        SEWConfig,
        _WAVES
        | {
            "squeeze_factor": 2,
            "conv_kernel": [10, 3, 3, 3, 3, 2, 2],
            "conv_stride": [5, 2, 2, 2, 2, 2, 2],
        },
    ),
    "wav2vec2-bert": (Wav2Vec2BertModel, Wav2Vec2BertConfig, _SMALL),
}  # fmt: skip


def tiny(family, seed=0):
    """Make a tiny model of a family; the same for the same seed."""
    model, config, fields = FAMILIES[family]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = model(config(**fields))
        for name, weight in made.named_parameters():
            if "norm" not in name and weight.ndim > 1:  # states that differ from place to place
                torch.nn.init.normal_(weight, std=0.3)
    return made.eval()


def save_tiny(family, folder, *, do_normalize=True, seed=0):
    """Save a tiny model, and how it wants its sound, as a folder from the hub has them."""
    from transformers import Wav2Vec2FeatureExtractor, WhisperFeatureExtractor

    tiny(family, seed).save_pretrained(folder)
    if family == "whisper":
        WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    else:
        Wav2Vec2FeatureExtractor(do_normalize=do_normalize).save_pretrained(folder)
    return folder
