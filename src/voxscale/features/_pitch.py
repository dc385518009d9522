"""How high a voice is, and where there is one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.data._audio import no_samples
from voxscale.features._sound_frames import (
    Audio,
    Sound,
    not_finite,
    opened,
    over_runs,
    too_short,
    warn_of_silence,
)

__all__ = ["pitch"]

_PART_S, _MARGIN_S = 300.0, 2.0  # analysed at once; and seen on either side of what is kept
_SILENCE = 0.03  # Praat's: share of the largest amplitude below which a frame is silent
_PERIODS = 3  # of the lowest pitch, in Praat's window


@overload
def pitch(
    audio: Audio, *, floor_hz: float = ..., ceiling_hz: float = ..., hop_s: float = ...
) -> EventSeries: ...
@overload
def pitch(
    audio: Mapping[str, Audio],
    *,
    floor_hz: float = ...,
    ceiling_hz: float = ...,
    hop_s: float = ...,
) -> dict[str, EventSeries]: ...
def pitch(
    audio: Audio | Mapping[str, Audio],
    *,
    floor_hz: float = 75.0,
    ceiling_hz: float = 600.0,
    hop_s: float = 0.01,
) -> EventSeries | dict[str, EventSeries]:
    """Measure the fundamental frequency of voices, with Praat.

    Where there is no voice the frequency is 0, so that it adds nothing to its TR: the mean pitch
    of a TR is the ratio of the two resampled columns.

    Needs parselmouth, which is under the GPL: ``pip install 'voxscale[voice]'``.

    Parameters
    ----------
    audio : path, (samples, hz), or mapping of run to either
        See `sound_features`.
    floor_hz, ceiling_hz : float
        Range of the fundamental frequency. Praat's manual suggests 75 to 300 Hz for men, 100 to
        500 Hz for women.
    hop_s : float
        Time from one frame to the next, in s.

    Returns
    -------
    EventSeries, or mapping of run to EventSeries
        ``values`` of shape (n_frames, 2), float32: the fundamental frequency in Hz, 0 where there
        is none, and whether there is one, 1 or 0. ``times`` the middle of each frame, three
        periods of ``floor_hz`` long. A value depends on the samples of its frame; on its
        neighbours, since Praat looks for a smooth course; and on the largest amplitude of the
        run, which says what is silence.

    Raises
    ------
    DataError
        If a file is missing or no sound, holds NaN, or is shorter than a frame.
    ImportError
        If parselmouth is not installed.
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If floor and ceiling are no range, or the hop is not positive.

    Notes
    -----
    ``Sound: To Pitch (raw autocorrelation)`` with its standard settings, on five minutes at a
    time. Where two such parts meet, what Praat saw of the other side is two seconds of it.

    References
    ----------
    Boersma 1993, Proceedings of the Institute of Phonetic Sciences 17:97. Jadoul, Thompson & de
    Boer 2018, Journal of Phonetics 71:1, doi:10.1016/j.wocn.2018.07.001 (parselmouth).
    """
    _check_range(floor_hz, ceiling_hz, hop_s)
    praat = _praat()

    def measure(one: Audio, what: str) -> EventSeries:
        with opened(one, what) as sound:
            hop = max(1, round(hop_s * sound.hz))
            width = math.ceil(_PERIODS / floor_hz * sound.hz) + 2  # Praat rounds down to frames
            options = {
                "time_step": hop / sound.hz,
                "pitch_floor": floor_hz,
                "pitch_ceiling": ceiling_hz,
            }
            frequency = _course(praat, sound, width, hop, options)
            times = (np.arange(len(frequency)) * hop + width / 2) / sound.hz
        return EventSeries(np.stack([frequency, frequency > 0], axis=1).astype(np.float32), times)

    return over_runs(audio, measure)


def _check_range(floor_hz: float, ceiling_hz: float, hop_s: float) -> None:
    if not (0 < floor_hz < ceiling_hz < math.inf and 0 < hop_s < math.inf):
        msg = (
            f"floor_hz is {floor_hz}, ceiling_hz {ceiling_hz} and hop_s {hop_s}; expected "
            "0 < floor_hz < ceiling_hz, and seconds above 0."
        )
        raise ValueError(msg)


def _praat() -> Any:
    try:
        import parselmouth
    except ImportError as error:
        msg = "pitch needs parselmouth, which is not installed; run: pip install 'voxscale[voice]'."
        raise ImportError(msg) from error
    return parselmouth


def _course(praat: Any, sound: Sound, width: int, hop: int, options: dict[str, float]) -> Array:
    """Return the fundamental frequency of each frame of a sound; 0 where there is no voice."""
    peak = _peak(sound)
    margin = max(1, round(_MARGIN_S * sound.hz / hop))
    n_frames = max(1, round(_PART_S * sound.hz / hop)) + 2 * margin
    parts: list[Array] = []
    blocks = sound.read((n_frames - 1) * hop + width, (2 * margin - 1) * hop + width)
    for block in blocks:
        if len(block) < width:
            break
        whole = block[: (len(block) - width) // hop * hop + width]  # Praat centres its frames
        found = _frequencies(praat, whole.astype(np.float64), sound.hz, peak, options)
        if parts:
            parts[-1], found = parts[-1][:-margin], found[margin:]
        parts.append(found)
    if not parts:
        raise too_short(sound, width)
    return np.concatenate(parts)


def _frequencies(
    praat: Any, waveform: Array, hz: float, peak: float, options: dict[str, float]
) -> Array:
    loudest = float(np.abs(waveform - waveform.mean()).max())
    # Praat compares with the loudest moment of what it is given: here, a part of the run.
    threshold = _SILENCE * peak / loudest if loudest else _SILENCE
    found = praat.Sound(waveform, hz).to_pitch_ac(silence_threshold=threshold, **options)
    return np.asarray(found.selected_array["frequency"], dtype=np.float64)


def _peak(sound: Sound) -> float:
    """Return the largest distance of a sound from its mean."""
    lowest, highest, total, n_samples = math.inf, -math.inf, 0.0, 0
    for block in sound.read(max(1, round(_PART_S * sound.hz)), 0):
        if not np.isfinite(block).all():
            raise not_finite(sound)
        lowest, highest = min(lowest, float(block.min())), max(highest, float(block.max()))
        total, n_samples = total + float(block.sum(dtype=np.float64)), n_samples + len(block)
    if not n_samples:
        raise no_samples(sound.name)
    if lowest == highest == 0:
        warn_of_silence(sound)
    mean = total / n_samples
    return max(highest - mean, mean - lowest)
