"""What a configuration tells of a speech encoder, without its weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voxscale.errors import DataError

__all__ = [
    "HZ",
    "KINDS",
    "check_speech_kind",
    "fewest_samples",
    "n_dims_of",
    "n_speech_layers_of",
    "window_limits_of",
]

HZ = 16000
KINDS = (
    "Whisper, or a model with convolutions over the waveform (wav2vec 2.0, HuBERT, WavLM, "
    "data2vec-audio, MMS), or Wav2Vec2-BERT"
)
_WHISPER_FRAME, _WHISPER_STEP = 400, 320  # samples of a frame; from one position to the next
_BERT_FRAMES = 560  # samples of the two frames of a position


def n_dims_of(config: Any) -> int:
    """Size of each layer of a speech encoder."""
    return int(config.d_model if config.model_type == "whisper" else config.hidden_size)


def n_speech_layers_of(config: Any) -> int:
    """Layers of a speech encoder, the input of its first block included."""
    is_whisper = config.model_type == "whisper"
    return int(config.encoder_layers if is_whisper else config.num_hidden_layers) + 1


def window_limits_of(config: Any) -> tuple[int, int | None]:
    """Tell how many samples a window needs, and may have (None: any number of them)."""
    if config.model_type == "whisper":
        return _WHISPER_FRAME, int(config.max_source_positions) * _WHISPER_STEP
    if config.model_type == "wav2vec2-bert":
        return _BERT_FRAMES, None
    return fewest_samples(config.conv_kernel, config.conv_stride), None


def fewest_samples(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Count the samples that convolutions need to give one position."""
    n_samples = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples


def check_speech_kind(name: str, config: Any) -> None:
    """Raise DataError unless a configuration is of a speech encoder that can be read."""
    kind = config.model_type
    has_convolutions = hasattr(config, "conv_kernel") and hasattr(config, "conv_stride")
    if kind in ("whisper", "wav2vec2-bert") or has_convolutions:
        return
    msg = (
        f"model {name!r} ({kind}) is no speech encoder that can be read; expected {KINDS}. "
        "Language models are read by language_states."
    )
    raise DataError(msg)
