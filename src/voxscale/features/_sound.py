"""What a sound is like before anyone understands it: its envelope, and its spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any, overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.data._files import FilePath, present
from voxscale.errors import DataError

__all__ = ["sound_features"]

_WINDOW_S, _HOP_S = 0.05, 0.025
_LOWEST_HZ, _HIGHEST_HZ = 50.0, 8000.0
_RANGE_DB = 80.0  # below the loudest band of a run, all is silence
_TINY = 1e-30  # of digital silence, so that it has a logarithm
_FRAMES = 4000  # read and transformed at once


@overload
def sound_features(audio: FilePath, *, n_mels: int = 32) -> EventSeries: ...
@overload
def sound_features(
    audio: Mapping[str, FilePath], *, n_mels: int = 32
) -> dict[str, EventSeries]: ...
def sound_features(
    audio: FilePath | Mapping[str, FilePath], *, n_mels: int = 32
) -> EventSeries | dict[str, EventSeries]:
    """Measure the envelope and the mel spectrum of sounds.

    What a language model has to beat: much of what auditory cortex does follows from these.

    Parameters
    ----------
    audio : path, or mapping of run to path
        Anything libsndfile reads: wav, flac, ogg, mp3. Channels are averaged.
    n_mels : int
        Bands from 50 Hz to 8 kHz, or to half the sampling rate if that is lower; 1 or more.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_frames, 1 + n_mels), float32: the root mean square of the
        waveform, then the bands in dB above silence, which is 80 dB below the loudest band of
        the run: 0 to 80, so that where there is no sound there is nothing. A frame of 50 ms
        every 25 ms; ``times`` are the middles of the frames, in s from the beginning of the file.
        No frame goes beyond the end.

    Raises
    ------
    DataError
        If a file is missing or no sound, holds NaN, or is shorter than a frame.
    ValueError
        If ``n_mels`` is not positive.

    Notes
    -----
    Power of a Hann window, in Slaney's triangular bands of equal area on his mel scale
    (:func:`transformers.audio_utils.mel_filter_bank`).
    """
    n_bands = index(n_mels)
    if n_bands < 1:
        msg = f"n_mels is {n_bands}; expected 1 or more."
        raise ValueError(msg)
    if isinstance(audio, Mapping):
        return {run: _measured(path, n_bands) for run, path in audio.items()}
    return _measured(audio, n_bands)


def _measured(path: FilePath, n_mels: int) -> EventSeries:
    import soundfile

    path = present(path)
    try:
        with soundfile.SoundFile(str(path)) as sound:
            rate = sound.samplerate
            width, hop = round(_WINDOW_S * rate), round(_HOP_S * rate)
            bands = _bands(width, rate, n_mels)
            parts = [
                _frames(block.mean(axis=1), width, hop, bands)
                for block in sound.blocks(
                    blocksize=(_FRAMES - 1) * hop + width,
                    overlap=width - hop,
                    dtype="float32",
                    always_2d=True,
                )
            ]
    except (soundfile.LibsndfileError, RuntimeError) as error:
        msg = f"{path}: cannot be read ({error}); expected a sound such as wav or flac; convert it."
        raise DataError(msg) from error
    power = np.concatenate(parts) if parts else np.empty((0, 1 + n_mels))
    _check(path, power)
    level = np.sqrt(power[:, :1])
    values = np.hstack([level, _decibels(power[:, 1:])]).astype(np.float32)
    times = (np.arange(len(values)) * hop + width / 2) / rate
    return EventSeries(values, times)


def _bands(width: int, rate: int, n_mels: int) -> Array:
    """Weigh frequencies into bands, of shape (n_frequencies, n_mels)."""
    from transformers.audio_utils import mel_filter_bank

    highest = min(_HIGHEST_HZ, rate / 2)
    bands: Array = mel_filter_bank(
        width // 2 + 1, n_mels, _LOWEST_HZ, highest, rate, norm="slaney", mel_scale="slaney"
    )
    return bands


def _frames(waveform: Array, width: int, hop: int, bands: Array) -> Array:
    """Return the mean square of each whole frame, and its power in each band."""
    if len(waveform) < width:
        return np.empty((0, 1 + bands.shape[1]))
    frames = np.lib.stride_tricks.sliding_window_view(waveform, width)[::hop].astype(np.float64)
    window = np.hanning(width + 1)[:-1]
    spectrum: Any = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    square = np.mean(frames**2, axis=1, keepdims=True)
    return np.hstack([square, spectrum @ bands])


def _decibels(power: Array) -> Array:
    loudest = max(float(power.max(initial=0.0)), _TINY)
    floor = loudest * 10 ** (-_RANGE_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(power, floor) / floor))


def _check(path: FilePath, power: Array) -> None:
    if not len(power):
        msg = f"{path}: the sound is shorter than one frame of {_WINDOW_S} s; expected a recording."
        raise DataError(msg)
    if not np.isfinite(power).all():
        msg = f"{path}: the sound holds NaN or infinity; expected a waveform of finite numbers."
        raise DataError(msg)
