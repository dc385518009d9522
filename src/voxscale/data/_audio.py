"""Sound files: how long they last, and their waveform at the rate that a model takes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.errors import DataError

__all__ = [
    "Audio",
    "OpenSound",
    "audio_duration_s",
    "check_as_it_is",
    "no_samples",
    "open_sound",
    "read_audio",
]

Audio = FilePath | tuple[Array, float]

_BLOCK_S = 30.0  # read and resampled at once
_NEVER = 2**62  # samples of a sound whose length nobody knows
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
    with _decoding(path):
        return float(soundfile.info(str(path)).duration)


def check_as_it_is(path: FilePath, hz: int) -> None:
    """Check by its header that a sound file needs no resampling.

    Parameters
    ----------
    path : path-like
    hz : int
        Samples per second that are wanted, of one channel.

    Raises
    ------
    DataError
        If it has another rate or several channels; or as :func:`audio_duration_s`.
    """
    import soundfile

    path = present(path)
    with _decoding(path):
        header = soundfile.info(str(path))
    _check_as_it_is(str(path), header.samplerate, header.channels, hz)


def read_audio(audio: Audio, hz: int = 16000, *, resample: bool = True) -> Array:
    """Read a sound as one channel at a given rate.

    Parameters
    ----------
    audio : path-like, or (samples, hz)
        Anything libsndfile reads (wav, flac, ogg, mp3), of any bit depth; or a waveform of
        shape (n_samples,) or (n_samples, n_channels) with its sampling rate. Channels are
        averaged. Integer samples are divided as libsndfile does it: 16 bits by 32,768.
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


class OpenSound:
    """A sound file that is open; made by :func:`open_sound`.

    Parameters
    ----------
    path : Path
    file : soundfile.SoundFile
    """

    def __init__(self, path: Path, file: Any) -> None:
        self._path, self._file = path, file
        self.hz: int = file.samplerate
        self.n_channels: int = file.channels

    def blocks(self, size: int, overlap: int = 0) -> Iterator[Array]:
        """Read it from the start, channels averaged.

        Parameters
        ----------
        size : int
            Samples of a block; the last one may be shorter.
        overlap : int
            Samples that each block has in common with the one before.

        Yields
        ------
        array of shape (n_samples,), float32

        Raises
        ------
        DataError
            If it cannot be decoded, or ends before its header says.
        """
        self._file.seek(0)
        n_read, held = 0, np.empty(0, np.float32)
        while True:
            with _decoding(self._path):
                n_new = size - len(held)
                new = self._file.read(n_new, dtype="float32", always_2d=True).mean(axis=1)
            n_read += len(new)
            if not len(new):
                break
            block = np.concatenate([held, new])
            yield block
            held = block[len(block) - overlap :]
        if n_read < self._file.frames < _NEVER:
            msg = (
                f"{self._path} is cut short: its header speaks of {self._file.frames:,} samples, "
                f"{n_read:,} are there; fetch it again."
            )
            raise DataError(msg)


@contextmanager
def open_sound(path: FilePath) -> Iterator[OpenSound]:
    """Open a sound file.

    Raises
    ------
    DataError
        If the file is missing, not fetched, no sound, or shorter than its header says.
    """
    import soundfile

    path = present(path)
    with _decoding(path):
        file = soundfile.SoundFile(str(path))
    with file:
        _check_whole(path, file)
        yield OpenSound(path, file)


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    import soundfile

    try:
        yield
    except (soundfile.LibsndfileError, RuntimeError) as error:
        msg = f"{path}: cannot be read ({error}); expected a sound such as wav or flac; convert it."
        raise DataError(msg) from error


def _file_blocks(path: FilePath, hz: int, *, resample: bool) -> Iterator[Array]:
    with open_sound(path) as sound:
        if not resample:
            _check_as_it_is(str(path), sound.hz, sound.n_channels, hz)
        yield from _resampled(sound.blocks(int(_BLOCK_S * sound.hz)), sound.hz, hz)


def _array_blocks(audio: Any, hz: int, *, resample: bool) -> Iterator[Array]:
    samples, rate = _samples_and_rate(audio)
    n_channels = 1 if samples.ndim == 1 else samples.shape[1]
    if not resample:
        _check_as_it_is("the waveform", rate, n_channels, hz)
    scale = -float(np.iinfo(samples.dtype).min) if samples.dtype.kind == "i" else 1.0
    step = int(_BLOCK_S * rate)

    def mono() -> Iterator[Array]:
        for start in range(0, len(samples), step):
            block = np.asarray(samples[start : start + step], dtype=np.float32) / np.float32(scale)
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
    if not 1 <= rate < math.inf:
        msg = f"the sampling rate is {rate}; expected samples per second, such as 16000."
        raise ValueError(msg)
    if samples.ndim not in (1, 2) or samples.dtype.kind not in "iuf":
        msg = (
            f"samples are of shape {samples.shape} and type {samples.dtype}; expected numbers of "
            "shape (n_samples,) or (n_samples, n_channels)."
        )
        raise ValueError(msg)
    if samples.ndim == 2 and samples.shape[1] > len(samples):
        msg = (
            f"samples are of shape {samples.shape}; expected (n_samples, n_channels); transpose "
            "them where channels come first."
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
            f"{label} has {n_channels} channel(s) at {rate:g} Hz; expected 1 at {hz} Hz; pass "
            "resample=True, or convert it."
        )
        raise DataError(msg)


def no_samples(label: str) -> DataError:
    """Return the error of a sound without samples."""
    return DataError(f"{label} has no samples; expected a recording; check how it was written.")


def _check(label: str, waveform: Array) -> None:
    if not len(waveform):
        raise no_samples(label)
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
