"""How a sound swells and fades: slowly, as phrases do, or as fast as syllables and faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, EventSeries
from voxscale.features._mel import band_power, check_n_mels, hann, mel_weights
from voxscale.features._sound_frames import (
    Analysis,
    Audio,
    cut,
    frame_samples,
    measured,
    over_runs,
)

__all__ = ["modulation_power"]

_OCTAVES = ((1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 32.0))
_FRAME_S, _STEP_S = 0.02, 0.005  # of the envelopes
_HIGHEST_HZ = 50.0  # such frames halve modulations of this frequency
_QUIETEST = 0.01  # of the loudest band's mean envelope: 40 dB
_AT_ONCE_S = 50.0  # of sound


@overload
def modulation_power(
    audio: Audio,
    *,
    bands_hz: Sequence[tuple[float, float]] = ...,
    n_mels: int = ...,
    average: bool = ...,
    window_s: float = ...,
    hop_s: float = ...,
) -> EventSeries: ...
@overload
def modulation_power(
    audio: Mapping[str, Audio],
    *,
    bands_hz: Sequence[tuple[float, float]] = ...,
    n_mels: int = ...,
    average: bool = ...,
    window_s: float = ...,
    hop_s: float = ...,
) -> dict[str, EventSeries]: ...
def modulation_power(
    audio: Audio | Mapping[str, Audio],
    *,
    bands_hz: Sequence[tuple[float, float]] = _OCTAVES,
    n_mels: int = 16,
    average: bool = True,
    window_s: float = 2.0,
    hop_s: float = 0.25,
) -> EventSeries | dict[str, EventSeries]:
    """Measure how strongly the envelope of sounds is modulated, at slow and fast rates.

    Of speech, 2 to 8 Hz is the rate of syllables.

    Parameters
    ----------
    audio : path, (samples, hz), or mapping of run to either
        See `sound_features`.
    bands_hz : sequence of (low, high)
        Bands of modulation frequencies, ``low`` included and ``high`` not, in Hz: from
        ``2 / window_s``, below which a window holds less than two periods, to 50.
    n_mels : int
        Spectral bands whose envelopes are taken, as in `mel_bands`.
    average : bool
        Average over the spectral bands; otherwise each has its own columns.
    window_s, hop_s : float
        Length of the window in which modulations are measured, and the time to the next, in s.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_windows, n_bands), or (n_windows, n_mels * n_bands), one spectral
        band after the other; float32; ``times`` the middle of each window. A value depends on
        the samples of its window, up to ``window_s / 2`` before and after its time, and, through
        the mean of each envelope, on the whole run.

    Raises
    ------
    DataError
        If a file is missing or no sound, holds NaN, or is shorter than a window.
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If bands are no bands or out of reach, ``n_mels`` is not positive or too many, or windows
        leave samples out.

    Notes
    -----
    The envelope of a spectral band is the square root of its power in frames of 20 ms every 5 ms,
    divided by its mean over the windows of the run, so that neither gain nor the colour of the
    sound matters. Its power is that of its Fourier transform under a Hann window, summed over the
    modulation frequencies of a band and scaled so that a sinusoid of depth m has m² / 2. The
    frames weaken fast modulations: of a tone, by 3 % of their power at 8 Hz and 40 % at 32 Hz.
    Rates within a step of ``1 / window_s`` of an edge are shared with the band beyond it.

    A spectral band more than 40 dB below the loudest is divided by that level, not by its own
    mean: there may be nothing in it but noise and what leaks from its neighbours.

    References
    ----------
    Greenberg & Kingsbury 1997, ICASSP, doi:10.1109/ICASSP.1997.598826 (the modulation
    spectrogram). Ding et al. 2017, Neuroscience & Biobehavioral Reviews 81:181,
    doi:10.1016/j.neubiorev.2017.02.011 (modulation spectra of speech and music).
    """
    n_spectral = check_n_mels(n_mels)
    bands = _checked(bands_hz, window_s)

    def analysis(hz: float) -> Analysis:
        width, step = frame_samples(_FRAME_S, _STEP_S, hz)
        length, hop = frame_samples(window_s, hop_s, hz / step)  # of windows, in frames
        weights = mel_weights(width, hz, n_spectral)
        bins = _bins(bands, length, hz / step)

        def of_block(waveform: Array) -> Array:
            envelopes = np.sqrt(band_power(cut(waveform, width, step), weights))
            windows = np.lib.stride_tricks.sliding_window_view(envelopes, length, axis=0)[::hop]
            parts = [_modulations(windows[:, band], bins) for band in range(n_spectral)]
            return np.hstack(parts)

        span, n_rows = (length - 1) * step + width, max(1, round(_AT_ONCE_S / hop_s))
        return Analysis(span, hop * step, of_block, n_rows)

    def measure(one: Audio, what: str) -> EventSeries:
        rows, times = measured(one, what, analysis)
        parts = rows.reshape(len(rows), n_spectral, 1 + len(bands))
        level = parts[:, :, 0].mean(axis=0)
        level = np.maximum(level, _QUIETEST * level.max())
        power = parts[:, :, 1:] / np.where(level > 0, level, 1.0)[:, None] ** 2
        values = power.mean(axis=1) if average else power.reshape(len(rows), -1)
        return EventSeries(values.astype(np.float32), times)

    return over_runs(audio, measure)


def _checked(bands_hz: ArrayLike, window_s: float) -> Array:
    """Return bands of modulation frequencies, (n_bands, 2)."""
    bands = np.array(bands_hz, dtype=np.float64)
    if bands.ndim != 2 or bands.shape[1] != 2 or not len(bands):
        msg = f"bands_hz has shape {bands.shape}; expected (low, high) of each band, in Hz."
        raise ValueError(msg)
    lowest = 2 / window_s if window_s > 0 else np.inf
    for low, high in bands.tolist():
        if not lowest <= low < high <= _HIGHEST_HZ:
            msg = (
                f"a band of modulations is {low:g} to {high:g} Hz; expected low < high within "
                f"{lowest:g} to {_HIGHEST_HZ:g} Hz; windows of {window_s:g} s hold two periods of "
                "the lowest: lengthen window_s for slower ones."
            )
            raise ValueError(msg)
    return bands


def _bins(bands: Array, length: int, hz: float) -> Array:
    """Assign the frequencies of a window to bands, (n_frequencies, n_bands) of 0 and 1."""
    frequencies = np.fft.rfftfreq(length, 1 / hz)[:, None]
    # The sampling rate may not be a multiple of the steps, which shifts frequencies a little.
    slack = hz / length / 4
    inside = (frequencies >= bands[:, 0] - slack) & (frequencies < bands[:, 1] - slack)
    return inside.astype(np.float64)


def _modulations(windows: Array, bins: Array) -> Array:
    """Return the mean level of windows, and their power in bands: (n_windows, 1 + n_bands)."""
    window = hann(windows.shape[1])
    spectrum = np.fft.rfft(windows * window, axis=1)
    level = np.abs(spectrum[:, :1]) / window.sum()
    power = 2 * np.abs(spectrum) ** 2 / (len(window) * np.sum(window**2))
    return np.hstack([level, power @ bins])
