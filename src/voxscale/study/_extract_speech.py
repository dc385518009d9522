"""Speech states of many stories on disk, and how they are read again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxscale.arrays import EventSeries, TRSeries
from voxscale.errors import StoreError
from voxscale.features import SpeechExtractor, SpeechWindows
from voxscale.store import LayerStore
from voxscale.study._sounds import SpeechProgress, all_or_error
from voxscale.study._speech_extraction import SpeechExtraction
from voxscale.study._speech_npz import SpeechNpz
from voxscale.study._speech_stream import STATES, TIMES

if TYPE_CHECKING:
    import torch

    from voxscale.arrays import Array
    from voxscale.data import Transcript
    from voxscale.design import DesignRecipe
    from voxscale.features._reading import Devices, Layers

__all__ = ["extract_speech", "extract_speech_npz", "read_extracted_speech"]


def extract_speech(
    audio: Mapping[str, str | os.PathLike[str]],
    model: str | os.PathLike[str],
    tr_times: Mapping[str, Array] | None,
    out: str | Path,
    *,
    layers: Layers = "all",
    stride_s: float = 0.1,
    context_s: float = 16.0,
    full_context: bool = False,
    pad_silence: bool = False,
    normalize: bool | None = None,
    trim_padding: bool = False,
    resample: bool = True,
    device: Devices = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int | None = None,
    recipe: DesignRecipe | None = None,
    words: Mapping[str, Transcript] | None = None,
    progress: Callable[[SpeechProgress], None] | None = None,
) -> dict[str, dict[int, Path]]:
    """Run a speech model over sounds and keep its states on disk, each layer of each story apart.

    A layer that is there is complete and left alone: asking for more layers computes those, and a
    killed run goes on with the layers it had not finished. All layers of a sound come from one
    pass over it.

    Parameters
    ----------
    audio : mapping of story to path
    model : str or path
        As in `voxscale.speech_states`.
    tr_times : mapping of story to array of shape (n_trs,), in seconds; or None
        Middle of each TR, from the onset of the sound. None keeps the states of every window.
    out : path
        A zarr group for each layer of each story is made there, named by both and by everything
        that can change its numbers.
    layers, stride_s, context_s, full_context, pad_silence, normalize, trim_padding, resample, \
device, dtype, batch_size
        As in `voxscale.speech_states`.
    recipe : DesignRecipe, optional
        Its Lanczos filter is used. Unless it normalises, a TR gets the sum over its windows.
    words : mapping of story to Transcript, optional
        Words that go with a sound; it is checked that they are as long.
    progress : callable, optional
        Given a `SpeechProgress` after every batch.

    Returns
    -------
    dict of story to dict of layer to Path
        See :func:`read_extracted_speech`.

    Raises
    ------
    DataError
        As `voxscale.speech_states`. Where some sounds cannot be used, the others are done first,
        and one error lists them.
    AlignmentError
        If words go on for more than a second after their sound, or TRs and sound share no time;
        before any sound is run.
    ValueError, TypeError
        As `voxscale.speech_states` and `voxscale.lanczos`.
    StoreError
        If the folder cannot be written.

    Warns
    -----
    VoxscaleWarning
        As `voxscale.DesignRecipe.downsample`, and `voxscale.data.check_run` where there are words;
        and once for each story whose TRs go on more than 30 s after its sound.
    """
    extractor = SpeechExtractor(
        model,
        SpeechWindows(stride_s, context_s, full_context, pad_silence),
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        normalize=normalize,
        trim_padding=trim_padding,
        resample=resample,
    )
    extraction = SpeechExtraction(
        audio, extractor, tr_times, out, layers=layers, recipe=recipe, words=words
    )
    kept = extraction.run(progress)
    all_or_error(extraction.failed, len(audio))
    return kept


def extract_speech_npz(
    audio: Mapping[str, str | os.PathLike[str]],
    model: str | os.PathLike[str],
    out: str | Path,
    *,
    layers: Layers = "all",
    stride_s: float = 0.1,
    context_s: float = 16.0,
    chunk_s: float | None = None,
    full_context: bool = False,
    pad_silence: bool = False,
    normalize: bool | None = None,
    trim_padding: bool = False,
    resample: bool = True,
    device: Devices = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int | None = None,
    overwrite: bool = False,
    progress: Callable[[SpeechProgress], None] | None = None,
) -> dict[str, Path]:
    """Run a speech model over sounds and write npz files, laid out as the published scripts do.

    Parameters
    ----------
    audio, model, out, layers, stride_s, context_s, full_context, pad_silence, normalize, \
trim_padding, resample, device, dtype, batch_size, progress
        As for :func:`extract_speech`.
    chunk_s : float, optional
        For the published scripts' own ``stride``: windows last ``chunk_s + context_s``, and step
        by ``stride_s``.
    overwrite : bool
        Compute anew what is there.

    Returns
    -------
    dict of story to Path
        Of its last layer; `SpeechNpz` says what lies around it.

    Raises
    ------
    DataError, ValueError, TypeError, StoreError
        As :func:`extract_speech`; StoreError too if files there were made from something else.
    """
    extractor = SpeechExtractor(
        model,
        SpeechWindows.chunked(
            chunk_s, stride_s, context_s, full_context=full_context, pad_silence=pad_silence
        ),
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        normalize=normalize,
        trim_padding=trim_padding,
        resample=resample,
    )
    files = SpeechNpz(audio, extractor, out, layers=layers, chunk_s=chunk_s, overwrite=overwrite)
    kept = files.run(progress)
    all_or_error(files.failed, len(audio))
    return kept


def read_extracted_speech(path: str | Path) -> TRSeries | EventSeries:
    """Read a layer of a story that :func:`extract_speech` kept.

    Parameters
    ----------
    path : path
        Of the layer's group.

    Returns
    -------
    TRSeries or EventSeries
        At TR rate (n_trs, n_dims), with the TRs that it was made for. Where every window was
        kept, (n_windows, n_dims) with the end of each window, float64, in seconds.

    Raises
    ------
    StoreError
        If it is not there, or damaged.
    """
    path = Path(path)
    store = LayerStore(path.parent)
    key = path.name.removesuffix(store.suffix)
    meta = store.meta(key)
    names = store.names(key)
    if STATES not in names or "run" not in meta or not (TIMES in names or "tr_times" in meta):
        msg = f"{path} is no layer of a speech model; expected a group that extract_speech made."
        raise StoreError(msg)
    values = store.get(key, STATES)
    if TIMES in names:
        return EventSeries(values, store.get(key, TIMES)[:, 1])
    return TRSeries(values, meta["run"], 0, np.asarray(meta["tr_times"]))
