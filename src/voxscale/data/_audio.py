"""Sound files: how long they last, and their waveform at the rate that a model takes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.errors import DataError

__all__ = ["Audio", "audio_duration_s", "read_audio"]

Audio = FilePath | tuple[Array, float]

_BLOCK_S = 30.0  # read and resampled at once
_UNKNOWN_SIZES = (0, 2**32 - 1)  # of a recording that was written as a stream
_CUT_SHORT = re.compile(r"^data : (\d+) \(should be (\d+)\)", re.MULTILINE)


def audio_duration_s(path: FilePath) -> float:
    """Return the duration of a sound file from its header, in seconds.

    Parameters
    ----------
    path : path-like
        Anything libsndfile reads: wav, flac, ogg, mp3.

    Raises
    ------
    DataError
        If the file is missing, not fetched, or not a sound.
    """
    import soundfile

    path = present(path)
    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def read_audio(audio: Audio, hz: int = 16000, *, resample: bool = True) -> Array:
    """Read a sound as one channel at a given rate.

    Parameters
    ----------
    audio : path-like, or (samples, hz)
        Anything libsndfile reads (wav, flac, ogg, mp3), of any bit depth; or a waveform of
        shape (n_samples,) or (n_samples, n_channels) with its sampling rate. Channels are
        averaged. Integer samples are divided by their largest value.
    hz : int
        Samples per second of the answer.
    resample : bool
        False: another sampling rate, or more than one channel, is an error.

    Returns
    -------
    array of shape (n_samples,), float32

    Raises
    ------
    DataError
        If a file is missing, no sound, or cut short; if the sound has no samples, or is silent
        throughout, or holds NaN or infinity; or if it would have to be changed and must not.
    TypeError
        If samples are given without their rate.
    ValueError
        If the rate is not above 0, or samples have more than two dimensions.

    Notes
    -----
    Resampled by soxr at its high quality, which keeps what lies below half the lower rate. A
    file is read in blocks of 30 s: an hour takes 230 MB at 16 kHz, whatever it took before.
    """
    if isinstance(audio, str | os.PathLike):
        label = str(audio)
        blocks = _file_blocks(audio, hz, resample=resample)
    else:
        label = "the waveform"
        blocks = _array_blocks(audio, hz, resample=resample)
    parts = list(blocks)
    waveform: Array = np.concatenate(parts) if parts else np.empty(0, np.float32)
    _check(label, waveform)
    return waveform


def _file_blocks(path: FilePath, hz: int, *, resample: bool) -> Iterator[Array]:
    import soundfile

    path = present(path)
    try:
        with soundfile.SoundFile(str(path)) as sound:
            _check_whole(path, sound)
            if not resample:
                _check_as_it_is(str(path), sound.samplerate, sound.channels, hz)
            blocks = sound.blocks(
                blocksize=int(_BLOCK_S * sound.samplerate), dtype="float32", always_2d=True
            )
            yield from _resampled((one.mean(axis=1) for one in blocks), sound.samplerate, hz)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def _array_blocks(audio: Any, hz: int, *, resample: bool) -> Iterator[Array]:
    samples, rate = _samples_and_rate(audio)
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    if not resample:
        _check_as_it_is("the waveform", rate, n_channels, hz)
    largest = np.iinfo(samples.dtype).max if samples.dtype.kind in "iu" else 1
    step = int(_BLOCK_S * rate)

    def mono() -> Iterator[Array]:
        for start in range(0, len(samples), step):
            block = np.asarray(samples[start : start + step], dtype=np.float32) / largest
            yield block if block.ndim == 1 else block.mean(axis=1)

    return _resampled(mono(), rate, hz)


def _samples_and_rate(audio: Any) -> tuple[Array, float]:
    if not (isinstance(audio, tuple) and len(audio) == 2):
        msg = (
            f"audio is of type {type(audio).__name__}; expected a path, or a waveform with its "
            "sampling rate: (samples, 16000)."
        )
        raise TypeError(msg)
    samples, rate = np.asarray(audio[0]), float(audio[1])
    if not rate >= 1:
        msg = f"the sampling rate is {rate}; expected samples per second, such as 16000."
        raise ValueError(msg)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
        msg = (
            f"samples are of shape {samples.shape} and type {samples.dtype}; expected numbers of "
            "shape (n_samples,) or (n_samples, n_channels)."
        )
        raise ValueError(msg)
    if samples.dtype.kind == "u":
        msg = "samples are unsigned; expected silence at 0: subtract the middle and give floats."
        raise ValueError(msg)
    return samples, rate


def _resampled(blocks: Iterator[Array], rate: float, hz: int) -> Iterator[Array]:
    if rate == hz:
        yield from blocks
        return
    import soxr

    stream = soxr.ResampleStream(rate, hz, 1, dtype="float32")
    for block in blocks:
        yield stream.resample_chunk(block)
    yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _check_whole(path: FilePath, sound: Any) -> None:
    cut = _CUT_SHORT.search(sound.extra_info)
    if cut and int(cut[1]) not in _UNKNOWN_SIZES and int(cut[2]) < int(cut[1]):
        msg = (
            f"{path} is cut short: its header speaks of {int(cut[1]):,} bytes of sound, "
            f"{int(cut[2]):,} are there; fetch it again."
        )
        raise DataError(msg)


def _check_as_it_is(label: str, rate: float, n_channels: int, hz: int) -> None:
    if rate != hz or n_channels != 1:
        msg = (
            f"{label} has {n_channels} channel(s) at {rate:g} Hz; expected 1 at {hz} Hz; allow "
            "resampling, or convert it."
        )
        raise DataError(msg)


def _check(label: str, waveform: Array) -> None:
    if not len(waveform):
        msg = f"{label} has no samples; expected a recording; check how it was written."
        raise DataError(msg)
    n_bad = int(np.count_nonzero(~np.isfinite(waveform)))
    if n_bad:
        msg = (
            f"{label} holds NaN or infinity in {n_bad:,} of {len(waveform):,} samples; expected "
            "finite numbers; repair or cut these."
        )
        raise DataError(msg)
    if not waveform.any():
        msg = f"{label} is silent throughout (all samples are 0); expected a recording; replace it."
        raise DataError(msg)


def _unreadable(path: FilePath, error: Exception) -> DataError:
    msg = f"{path}: cannot be read ({error}); expected a sound such as wav or flac; convert it."
    return DataError(msg)
