"""One sound through a speech model, batch by batch, into the store: a group for each layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.data import Audio
    from voxscale.design import DesignRecipe
    from voxscale.features import SpeechExtractor
    from voxscale.store import LayerStore

__all__ = ["STATES", "TIMES", "stream_clip"]

STATES, TIMES = "states", "times"  # the arrays of a group

# Called after every batch with the windows done and their total.
Told = Callable[[int, int], None]


def stream_clip(
    extractor: SpeechExtractor,
    audio: Audio,
    keys: Mapping[int, str],
    store: LayerStore,
    *,
    run: str,
    tr_times: Array | None,
    recipe: DesignRecipe,
    meta: Mapping[str, Any],
    told: Told | None = None,
) -> None:
    """Read a sound's states and store them; no more than a few batches are held.

    A layer is there when its group is: one that is there already is left alone, and need not be
    among the keys.

    Parameters
    ----------
    extractor : SpeechExtractor
    audio : path, or (samples, hz)
    keys : mapping of layer to str
        The group of each layer that is wanted.
    store : LayerStore
        A group holds "states": at TR rate (n_trs, n_dims), or (n_windows, n_dims) with "times" of
        shape (n_windows, 2), start and end of each window in seconds (float32 keeps them to
        milliseconds over hours).
    run : str
    tr_times : array of shape (n_trs,), in seconds, optional
        None keeps the states of every window.
    recipe : DesignRecipe
        Its filter is used.
    meta : mapping
        Kept with each group, beside "run", "layer" and "tr_times"; what JSON can hold.
    told : callable, optional
    """
    clip = extractor.read(audio)
    n_windows = len(clip.plan)
    stream = None if tr_times is None else recipe.stream(clip.times, tr_times, run)
    held = {**meta, "run": run}
    held |= {} if tr_times is None else {"tr_times": np.asarray(tr_times).tolist()}
    with ExitStack() as stack:
        writers = {
            layer: stack.enter_context(
                store.writing(
                    key,
                    n_rows=n_windows if tr_times is None else len(tr_times),
                    meta={**held, "layer": layer},
                )
            )
            for layer, key in keys.items()
        }
        for read in extractor.stream(clip, list(keys)):
            for layer, values in read.states.items():
                if stream is None:
                    writers[layer].append(STATES, values)
                    continue
                stream.add(layer, stream.piece(read.rows, values))
                writers[layer].append(STATES, stream.take(layer, n_seen=read.rows.stop)[1])
            if told is not None:
                told(read.rows.stop, n_windows)
        if stream is None:
            times = np.stack([clip.plan.start_times, clip.plan.times], axis=1)
            for writer in writers.values():
                writer.append(TIMES, times)
