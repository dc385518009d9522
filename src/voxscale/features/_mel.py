"""Power of a sound in mel bands."""

from __future__ import annotations

import warnings
from operator import index

import numpy as np

from voxscale.arrays import Array

__all__ = ["band_power", "check_n_mels", "decibels", "hann", "mel_weights"]

_LOWEST_HZ, _HIGHEST_HZ = 50.0, 8000.0
_RANGE_DB = 80.0  # below the loudest band of a run, all is silence
_TINY = 1e-30  # of digital silence, so that it has a logarithm


def check_n_mels(n_mels: int) -> int:
    """Return the number of bands.

    Raises
    ------
    ValueError
        If it is not positive.
    """
    n_bands = index(n_mels)
    if n_bands < 1:
        msg = f"n_mels is {n_bands}; expected 1 or more."
        raise ValueError(msg)
    return n_bands


def mel_weights(width: int, hz: float, n_mels: int) -> Array:
    """Weigh the frequencies of a frame of ``width`` samples into bands.

    Slaney's triangles of equal area on his mel scale, from 50 Hz to 8 kHz or to half the sampling
    rate.

    Returns
    -------
    array of shape (n_frequencies, n_mels)

    Raises
    ------
    ValueError
        If a band lies between two frequencies of the frame, so that nothing would be in it.
    """
    from transformers.audio_utils import mel_filter_bank

    highest = min(_HIGHEST_HZ, hz / 2)
    if highest <= _LOWEST_HZ:
        msg = f"the sampling rate is {hz:g} Hz; expected more than {2 * _LOWEST_HZ:g} Hz."
        raise ValueError(msg)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="At least one mel filter has all zero values")
        bands: Array = mel_filter_bank(
            width // 2 + 1, n_mels, _LOWEST_HZ, highest, hz, norm="slaney", mel_scale="slaney"
        )
    n_empty = int(np.sum(~bands.any(axis=0)))
    if n_empty:
        msg = (
            f"n_mels is {n_mels}, but {n_empty} of the bands are narrower than the {hz / width:g} "
            f"Hz that a frame of {width / hz:.3g} s tells apart; use fewer bands, or a longer "
            "window_s."
        )
        raise ValueError(msg)
    return bands


def band_power(frames: Array, weights: Array) -> Array:
    """Return the power of frames under a Hann window in bands, (n_frames, n_bands)."""
    power: Array = np.abs(np.fft.rfft(frames * hann(frames.shape[1]), axis=1)) ** 2
    return power @ weights


def hann(width: int) -> Array:
    """Return a periodic Hann window."""
    return np.hanning(width + 1)[:-1]


def decibels(power: Array) -> Array:
    """Return dB above the floor, which is 80 dB below the loudest; 0 at the floor and below."""
    loudest = max(float(power.max(initial=0.0)), _TINY)
    floor = loudest * 10 ** (-_RANGE_DB / 10)
    return np.asarray(10 * np.log10(np.maximum(power, floor) / floor))
