"""What a sound is like before anyone understands it: its envelope, and its spectrum."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.features._mel import band_power, check_n_mels, decibels, mel_weights
from voxscale.features._sound_frames import HOP_S, WINDOW_S, Audio, framewise, measured, over_runs

__all__ = ["envelope", "mel_bands", "sound_features"]


@overload
def sound_features(audio: Audio, *, n_mels: int = 32) -> EventSeries: ...
@overload
def sound_features(audio: Mapping[str, Audio], *, n_mels: int = 32) -> dict[str, EventSeries]: ...
def sound_features(
    audio: Audio | Mapping[str, Audio], *, n_mels: int = 32
) -> EventSeries | dict[str, EventSeries]:
    """Measure the envelope and the mel spectrum of sounds.

    What a language model has to beat: much of what auditory cortex does follows from these.

    Parameters
    ----------
    audio : path, (samples, hz), or mapping of run to either
        A path of anything libsndfile reads: wav, flac, ogg, mp3. Or floating-point samples of
        shape (n_samples,) or (n_samples, n_channels), and their sampling rate. Channels are
        averaged.
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
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If ``n_mels`` is not positive, or too many for a band to hold a frequency.

    Warns
    -----
    VoxscaleWarning
        If a sound is silent throughout; the other features of sounds do so too.

    Notes
    -----
    Power of a Hann window, in Slaney's triangular bands of equal area on his mel scale
    (:func:`transformers.audio_utils.mel_filter_bank`).
    """
    n_bands = check_n_mels(n_mels)

    def measure_for(width: int, hz: float) -> Callable[[Array], Array]:
        weights = mel_weights(width, hz, n_bands)
        return lambda frames: np.hstack([_mean_square(frames), band_power(frames, weights)])

    analysis = framewise(WINDOW_S, HOP_S, measure_for)

    def measure(one: Audio, what: str) -> EventSeries:
        power, times = measured(one, what, analysis)
        values = np.hstack([np.sqrt(power[:, :1]), decibels(power[:, 1:])])
        return EventSeries(values.astype(np.float32), times)

    return over_runs(audio, measure)


@overload
def envelope(audio: Audio, *, window_s: float = ..., hop_s: float = ...) -> EventSeries: ...
@overload
def envelope(
    audio: Mapping[str, Audio], *, window_s: float = ..., hop_s: float = ...
) -> dict[str, EventSeries]: ...
def envelope(
    audio: Audio | Mapping[str, Audio], *, window_s: float = WINDOW_S, hop_s: float = HOP_S
) -> EventSeries | dict[str, EventSeries]:
    """Measure how loud sounds are, as the root mean square of each frame.

    Parameters
    ----------
    audio : path, (samples, hz), or mapping of run to either
        See `sound_features`.
    window_s, hop_s : float
        Length of a frame, and the time from one to the next, in s.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_frames, 1), float32, in units of the waveform; ``times`` the middle
        of each frame. A value depends on the samples of its frame alone, up to ``window_s / 2``
        before and after its time.

    Raises
    ------
    DataError
        If a file is missing or no sound, holds NaN, or is shorter than a frame.
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If frames leave samples out.

    Examples
    --------
    >>> second = np.sin(2 * np.pi * 200 * np.arange(8000) / 8000)
    >>> envelope((second, 8000)).values[:2].round(3)
    array([[0.707],
           [0.707]], dtype=float32)
    """
    analysis = framewise(window_s, hop_s, lambda width, hz: _mean_square)

    def measure(one: Audio, what: str) -> EventSeries:
        square, times = measured(one, what, analysis)
        return EventSeries(np.sqrt(square).astype(np.float32), times)

    return over_runs(audio, measure)


@overload
def mel_bands(
    audio: Audio, *, n_mels: int = ..., log: bool = ..., window_s: float = ..., hop_s: float = ...
) -> EventSeries: ...
@overload
def mel_bands(
    audio: Mapping[str, Audio],
    *,
    n_mels: int = ...,
    log: bool = ...,
    window_s: float = ...,
    hop_s: float = ...,
) -> dict[str, EventSeries]: ...
def mel_bands(
    audio: Audio | Mapping[str, Audio],
    *,
    n_mels: int = 32,
    log: bool = True,
    window_s: float = WINDOW_S,
    hop_s: float = HOP_S,
) -> EventSeries | dict[str, EventSeries]:
    """Measure the spectrum of sounds, in bands as wide as the ear's.

    Parameters
    ----------
    audio : path, (samples, hz), or mapping of run to either
        See `sound_features`.
    n_mels : int
        Bands from 50 Hz to 8 kHz, or to half the sampling rate if that is lower; 1 or more.
    log : bool
        Return dB above silence, which is 80 dB below the loudest band of the run: 0 to 80.
        Otherwise power: the squared magnitude of the Fourier transform, weighed.
    window_s, hop_s : float
        Length of a frame, and the time from one to the next, in s.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_frames, n_mels), float32; ``times`` the middle of each frame. A
        value depends on the samples of its frame alone, up to ``window_s / 2`` before and after
        its time; in dB also, through the level of silence, on the loudest band of the run.

    Raises
    ------
    DataError
        If a file is missing or no sound, holds NaN, or is shorter than a frame.
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If ``n_mels`` is not positive, or too many for a band to hold a frequency, or frames
        leave samples out.

    References
    ----------
    Slaney 1998, Auditory Toolbox, Interval Research technical report 1998-010 (the mel scale).
    """
    n_bands = check_n_mels(n_mels)

    def measure_for(width: int, hz: float) -> Callable[[Array], Array]:
        weights = mel_weights(width, hz, n_bands)
        return lambda frames: band_power(frames, weights)

    analysis = framewise(window_s, hop_s, measure_for)

    def measure(one: Audio, what: str) -> EventSeries:
        power, times = measured(one, what, analysis)
        return EventSeries((decibels(power) if log else power).astype(np.float32), times)

    return over_runs(audio, measure)


def _mean_square(frames: Array) -> Array:
    return np.asarray(np.mean(frames**2, axis=1, keepdims=True))
