"""States of a speech model along a sound, each from a window that ends where the state is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.features._speech_extractor import SpeechClip, SpeechExtractor
from voxscale.features._speech_windows import SpeechWindows

if TYPE_CHECKING:
    import torch

    from voxscale.data import Audio
    from voxscale.features._reading import Devices, Layers

__all__ = ["speech_states"]

Progress = Callable[[int, int], None]


@overload
def speech_states(
    audio: Audio,
    model: Any,
    *,
    layers: Layers = ...,
    stride_s: float = ...,
    context_s: float = ...,
    device: Devices = ...,
    batch_size: int | None = ...,
    dtype: str | torch.dtype | None = ...,
    full_context: bool = ...,
    pad_silence: bool = ...,
    normalize: bool | None = ...,
    trim_padding: bool = ...,
    resample: bool = ...,
    progress: Progress | None = ...,
) -> dict[int, EventSeries]: ...
@overload
def speech_states(
    audio: Mapping[str, Audio],
    model: Any,
    *,
    layers: Layers = ...,
    stride_s: float = ...,
    context_s: float = ...,
    device: Devices = ...,
    batch_size: int | None = ...,
    dtype: str | torch.dtype | None = ...,
    full_context: bool = ...,
    pad_silence: bool = ...,
    normalize: bool | None = ...,
    trim_padding: bool = ...,
    resample: bool = ...,
    progress: Progress | None = ...,
) -> dict[int, dict[str, EventSeries]]: ...
def speech_states(
    audio: Audio | Mapping[str, Audio],
    model: Any,
    *,
    layers: Layers = "all",
    stride_s: float = 0.1,
    context_s: float = 16.0,
    device: Devices = None,
    batch_size: int | None = None,
    dtype: str | torch.dtype | None = None,
    full_context: bool = False,
    pad_silence: bool = False,
    normalize: bool | None = None,
    trim_padding: bool = False,
    resample: bool = True,
    progress: Progress | None = None,
) -> dict[int, EventSeries] | dict[int, dict[str, EventSeries]]:
    """Read the hidden states of a speech model along a sound.

    Speech encoders hear in both directions. So that a state knows nothing of what comes after it,
    the model is run anew on a window of ``stride_s + context_s`` that ends there, every
    ``stride_s``, and no more than the last position that the sound reaches is read. Windows at
    the beginning are shorter.

    Parameters
    ----------
    audio : path, or (samples, hz), or mapping of run to such
        Anything libsndfile reads (wav, flac, ogg, mp3), or a waveform of shape (n_samples,) or
        (n_samples, n_channels) with its sampling rate. Channels are averaged. A mapping loads
        the model once.
    model : str, path, or loaded transformers model
        Name on the Hugging Face hub, local folder, or short name of a packaged model
        ("whisper-tiny.en", "whisper-base"): Whisper, HuBERT, WavLM, wav2vec 2.0, data2vec-audio,
        MMS, Wav2Vec2-BERT, or another encoder with convolutions over the waveform. Only
        safetensors are read, no code of the model's own is run, and the network is used for hub
        names alone.
    layers : "all" or sequence of int
        0 is what the first block is given; there is one more than the model has blocks. The last
        is taken after the final norm, where there is one. Blocks above the highest one asked for
        are not run.
    stride_s, context_s : float, in seconds
        The paper has 0.1 and 16.0.
    device : str, torch.device or sequence of them, optional
        Default: cuda where there is one, else cpu. Several share the windows.
    batch_size : int, optional
        Windows at once. By default as many as memory and speed suggest; halved where memory runs
        out. It does not change the states beyond rounding.
    dtype : str or torch.dtype, optional
        For the computation; float32 by default; float16 and bfloat16 save memory,
        float64 takes twice as much.
    full_context : bool
        Leave out the shorter windows at the beginning.
    pad_silence : bool
        Begin in ``context_s`` of silence, so that every window is whole.
    normalize : bool, optional
        Whether each window is brought to mean 0 and variance 1. Default: as the model was
        trained. Not for Whisper and Wav2Vec2-BERT, which hear frames.
    trim_padding : bool
        For Whisper, which pads every window to 30 s and hears that silence too: leave it out.
        Faster, but other numbers than Whisper was trained for.
    resample : bool
        False: a sound with another sampling rate than the model's, or with several channels, is
        an error.
    progress : callable, optional
        Called with the windows done and their total after every batch.

    Returns
    -------
    mapping of layer to EventSeries, or to mapping of run to EventSeries
        ``values`` of shape (n_windows, n_dims), float32; ``times`` the end of each window, in
        seconds from the beginning of the sound, float64. No window ends after the sound.

    Raises
    ------
    DataError
        If a sound cannot be read, is cut short, silent throughout, not finite, or too short for a
        window; if the model cannot be loaded or is no speech encoder; if a state is not finite, or
        a window does not fit into memory.
    ValueError
        If a layer, the device or the dtype do not exist, or the window is longer than the model
        can hear or shorter than it needs.
    TypeError
        If an argument is of a kind that cannot be used.

    Notes
    -----
    Where a window has ``n`` samples, wav2vec 2.0 and its kin are read at their last position (a
    position every 20 ms), Whisper at position ``min(1499, (ceil(n / 160) + 1) // 2)``: the last
    that sound reaches through its frames and convolutions.

    What comes before the model looks a few milliseconds ahead: resampling, and the frames of mp3
    and ogg. Where that matters, give wav or flac at the model's rate.

    References
    ----------
    Antonello, Vaidya & Huth 2023, Scaling laws for language encoding models in fMRI, NeurIPS 36.
    Vaidya, Jain & Huth 2022, Self-supervised models of audio effectively explain human cortical
    responses to speech, ICML.
    """
    windows = SpeechWindows(stride_s, context_s, full_context, pad_silence)
    extractor = SpeechExtractor(
        model,
        windows,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        normalize=normalize,
        trim_padding=trim_padding,
        resample=resample,
    )
    chosen = extractor.choose_layers(layers)
    if not isinstance(audio, Mapping):
        return _of_clip(extractor, extractor.read(audio), chosen, progress)
    states: dict[int, dict[str, EventSeries]] = {layer: {} for layer in chosen}
    for run, one in audio.items():
        for layer, series in _of_clip(extractor, extractor.read(one), chosen, progress).items():
            states[layer][run] = series
    return states


def _of_clip(
    extractor: SpeechExtractor, clip: SpeechClip, layers: list[int], progress: Progress | None
) -> dict[int, EventSeries]:
    n_windows = len(clip.plan)
    values: dict[int, Array] = {}
    for read in extractor.stream(clip, layers):
        for layer, rows in read.states.items():
            if layer not in values:
                values[layer] = np.empty((n_windows, rows.shape[1]), dtype=np.float32)
            values[layer][read.rows.start : read.rows.stop] = rows
        if progress is not None:
            progress(read.rows.stop, n_windows)
    return {layer: EventSeries(values[layer], clip.times) for layer in layers}
