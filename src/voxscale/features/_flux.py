"""How much new sound begins at each moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.features._mel import hann
from voxscale.features._sound_frames import (
    HOP_S,
    WINDOW_S,
    Analysis,
    Audio,
    cut,
    frame_samples,
    measured,
    over_runs,
    rows_at_once,
)

__all__ = ["spectral_flux"]


@overload
def spectral_flux(audio: Audio, *, window_s: float = ..., hop_s: float = ...) -> EventSeries: ...
@overload
def spectral_flux(
    audio: Mapping[str, Audio], *, window_s: float = ..., hop_s: float = ...
) -> dict[str, EventSeries]: ...
def spectral_flux(
    audio: Audio | Mapping[str, Audio], *, window_s: float = WINDOW_S, hop_s: float = HOP_S
) -> EventSeries | dict[str, EventSeries]:
    r"""Measure how much the spectrum grows from each frame to the next.

    Large where a sound sets in, zero where it stays as it is or fades: what fades is not counted
    against what begins.

    Parameters
    ----------
    audio : path, (samples, hz), or mapping of run to either
        See `sound_features`.
    window_s, hop_s : float
        Length of a frame, and the time from one to the next, in s.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_frames - 1, 1), float32, in units of the waveform; ``times`` half
        way between the middles of the two frames. A value depends on the samples of both, up to
        ``(window_s + hop_s) / 2`` before and after its time.

    Raises
    ------
    DataError
        If a file is missing or no sound, holds NaN, or is shorter than two frames.
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If frames leave samples out.

    Notes
    -----
    The sum over frequencies of max(0, \|X(t)\| − \|X(t − 1)\|), where X is the Fourier
    transform under a Hann window, divided by the sum of the window.

    References
    ----------
    Bello et al. 2005, IEEE Transactions on Speech and Audio Processing 13:1035,
    doi:10.1109/TSA.2005.851998. Dixon 2006, Onset detection revisited, DAFx-06.
    """

    def analysis(hz: float) -> Analysis:
        width, hop = frame_samples(window_s, hop_s, hz)
        window = hann(width) / hann(width).sum()

        def of_block(waveform: Array) -> Array:
            magnitude = np.abs(np.fft.rfft(cut(waveform, width, hop) * window, axis=1))
            growth = np.maximum(np.diff(magnitude, axis=0), 0.0)
            return np.asarray(growth.sum(axis=1, keepdims=True))

        return Analysis(width + hop, hop, of_block, rows_at_once(window_s))

    def measure(one: Audio, what: str) -> EventSeries:
        flux, times = measured(one, what, analysis)
        return EventSeries(flux.astype(np.float32), times)

    return over_runs(audio, measure)
