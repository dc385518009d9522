"""A sound, from a file or from memory, measured a block of frames at a time."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, EventSeries
from voxscale.data._audio import no_samples, open_sound
from voxscale.data._files import FilePath
from voxscale.errors import DataError, VoxscaleWarning

__all__ = [
    "HOP_S",
    "WINDOW_S",
    "Analysis",
    "Audio",
    "Sound",
    "cut",
    "frame_samples",
    "framewise",
    "measured",
    "not_finite",
    "opened",
    "over_runs",
    "rows_at_once",
    "too_short",
    "warn_of_silence",
]

Audio = FilePath | tuple[ArrayLike, float]

WINDOW_S, HOP_S = 0.05, 0.025
_AT_ONCE_S = 200.0  # frames read and transformed at once, laid end to end
_SHORTEST = 8  # samples of a frame


@dataclass(frozen=True)
class Sound:
    """A sound that is open; ``read(size, overlap)`` yields its mono blocks, in samples, float32."""

    name: str
    hz: float
    read: Callable[[int, int], Iterator[Array]]


class Analysis(NamedTuple):
    """How a sound is measured: each row reaches over ``span`` samples, and starts ``hop`` later."""

    span: int
    hop: int
    of_block: Callable[[Array], Array]  # waveform of a block → (n_rows, n_columns)
    n_rows: int  # of a block


def over_runs(
    audio: Audio | Mapping[str, Audio], measure: Callable[[Audio, str], EventSeries]
) -> EventSeries | dict[str, EventSeries]:
    """Measure one sound, or that of each run; the second argument is what errors call it."""
    if isinstance(audio, Mapping):
        return {run: measure(one, f"audio of run {run!r}") for run, one in audio.items()}
    return measure(audio, "audio")


def frame_samples(window_s: float, hop_s: float, hz: float) -> tuple[int, int]:
    """Return the length of a frame and the step to the next, in samples.

    Raises
    ------
    ValueError
        If frames leave samples out between them, or are too short to have a spectrum.
    """
    if not (math.isfinite(window_s) and 0 < hop_s <= window_s):
        msg = (
            f"window_s is {window_s} and hop_s is {hop_s}; expected seconds, 0 < hop_s <= "
            "window_s, so that no part of the sound is left out."
        )
        raise ValueError(msg)
    width, hop = round(window_s * hz), round(hop_s * hz)
    if width < _SHORTEST or hop < 1:
        msg = (
            f"window_s is {window_s} and hop_s is {hop_s}: {width} and {hop} samples at {hz:g} Hz; "
            f"expected frames of {_SHORTEST} samples or more, and a step of one; lengthen them."
        )
        raise ValueError(msg)
    return width, hop


def framewise(
    window_s: float, hop_s: float, measure_for: Callable[[int, float], Callable[[Array], Array]]
) -> Callable[[float], Analysis]:
    """Say how to measure frame by frame.

    ``measure_for(width, hz)`` returns what turns frames (n_frames, width) into rows.
    """

    def analysis(hz: float) -> Analysis:
        width, hop = frame_samples(window_s, hop_s, hz)
        measure = measure_for(width, hz)
        return Analysis(
            width, hop, lambda block: measure(cut(block, width, hop)), rows_at_once(window_s)
        )

    return analysis


def rows_at_once(window_s: float) -> int:
    """Return how many frames to hold: the memory is the same for short and long ones."""
    return max(1, round(_AT_ONCE_S / window_s))


def measured(audio: Audio, what: str, analysis: Callable[[float], Analysis]) -> tuple[Array, Array]:
    """Measure a whole sound.

    Parameters
    ----------
    audio : path, or (samples, hz)
    what : str
        What errors call a sound that is no file.
    analysis : callable
        Given the sampling rate in Hz, says how.

    Returns
    -------
    rows : array of shape (n_rows, n_columns)
    times : array of shape (n_rows,), in seconds
        Middle of the samples that each row comes from.

    Raises
    ------
    DataError
        If there is no sound, it has no samples, is shorter than one row, or holds NaN.

    Warns
    -----
    VoxscaleWarning
        If all its samples are 0.
    """
    with opened(audio, what) as sound:
        span, hop, of_block, n_rows = analysis(sound.hz)
        blocks = sound.read((n_rows - 1) * hop + span, span - hop)
        parts, n_samples, is_silent = [], 0, True
        for block in blocks:
            n_samples += len(block)
            is_silent = is_silent and not block.any()
            if len(block) >= span:
                parts.append(of_block(block))
        if not parts:
            raise too_short(sound, span) if n_samples else no_samples(sound.name)
        rows = np.concatenate(parts)
        if not np.isfinite(rows).all():
            raise not_finite(sound)
        if is_silent:
            warn_of_silence(sound)
        return rows, (np.arange(len(rows)) * hop + span / 2) / sound.hz


def warn_of_silence(sound: Sound) -> None:
    """Warn that all samples of a sound are 0."""
    msg = (
        f"{sound.name} is silent throughout (all samples are 0), and so are its features; "
        "expected a recording; replace it."
    )
    warnings.warn(msg, VoxscaleWarning, stacklevel=6)


def too_short(sound: Sound, span: int) -> DataError:
    """Return the error of a sound that ends within ``span`` samples."""
    return DataError(
        f"{sound.name}: the sound is shorter than one frame of {span / sound.hz:.3g} s; expected "
        "a recording."
    )


def not_finite(sound: Sound) -> DataError:
    """Return the error of a sound that holds what is no number."""
    return DataError(
        f"{sound.name}: the sound holds NaN or infinity; expected a waveform of finite numbers."
    )


def cut(waveform: Array, width: int, hop: int) -> Array:
    """Cut a waveform into whole frames, (n_frames, width), float64."""
    frames = np.lib.stride_tricks.sliding_window_view(waveform, width)[::hop]
    return frames.astype(np.float64)


@contextmanager
def opened(audio: Audio, what: str) -> Iterator[Sound]:
    """Open a sound.

    Raises
    ------
    DataError
        If the file is missing, not fetched or no sound.
    TypeError
        If it is neither a path nor floating-point samples with their rate.
    ValueError
        If samples or rate are not those of a sound.
    """
    if isinstance(audio, tuple):
        yield _of_samples(audio, what)
        return
    if not isinstance(audio, (str, os.PathLike)):
        msg = f"{what} is of type {type(audio).__name__}; expected a path or (samples, hz)."
        raise TypeError(msg)
    with open_sound(audio) as file:
        yield Sound(str(audio), file.hz, file.blocks)


def _of_samples(audio: tuple[Any, ...], what: str) -> Sound:
    if len(audio) != 2:
        msg = f"{what} is a tuple of {len(audio)}; expected (samples, hz)."
        raise TypeError(msg)
    samples, hz = np.asarray(audio[0]), audio[1]
    if samples.dtype.kind != "f":
        msg = (
            f"{what}: samples have dtype {samples.dtype}; expected floating point, from -1 to 1; "
            "divide 16-bit samples by 32768."
        )
        raise TypeError(msg)
    if samples.ndim not in (1, 2) or 0 in samples.shape or samples.shape[-1] > len(samples):
        msg = (
            f"{what}: samples have shape {samples.shape}; expected (n_samples,) or "
            "(n_samples, n_channels); transpose them where channels come first."
        )
        raise ValueError(msg)
    rate = float(hz) if isinstance(hz, Real) else math.nan
    if not 0 < rate < math.inf:
        msg = f"{what}: the sampling rate is {hz!r}; expected (samples, hz), such as (x, 16000)."
        raise ValueError(msg)

    def read(size: int, overlap: int) -> Iterator[Array]:
        for start in range(0, max(1, len(samples) - overlap), size - overlap):
            block = samples[start : start + size].astype(np.float32)
            yield block if block.ndim == 1 else block.mean(axis=1)

    return Sound(what, rate, read)
