"""One sound through a speech model, batch by batch, to wherever the rows of each layer go."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.design import DesignRecipe
    from voxscale.features import SpeechClip, SpeechExtractor
    from voxscale.store import LayerStore, LayerWriter

__all__ = ["STATES", "TIMES", "ClipGrid", "hear", "store_clip"]

STATES, TIMES = "states", "times"  # the arrays of a group

# Called after every batch with the windows done and their total.
Told = Callable[[int, int], None]
# Called with which windows, and a layer's states at their ends, in order.
Sink = Callable[[range, "Array"], None]


def hear(
    extractor: SpeechExtractor,
    clip: SpeechClip,
    sinks: Mapping[int, Sequence[Sink]],
    told: Told | None = None,
) -> None:
    """Read a clip once, and give the rows of each layer to its sinks.

    Parameters
    ----------
    extractor : SpeechExtractor
    clip : SpeechClip
    sinks : mapping of layer to sequence of callable
        Without any layer nothing is run.
    told : callable, optional
    """
    for read in extractor.stream(clip, list(sinks)) if sinks else ():
        for layer, values in read.states.items():
            for sink in sinks[layer]:
                sink(read.rows, values)
        if told is not None:
            told(read.rows.stop, len(clip.plan))


@dataclass(frozen=True, eq=False)
class ClipGrid:
    """Where a clip's layers go: names in the store, and the TRs of a run.

    Parameters
    ----------
    keys : mapping of layer to str
        The group of each layer that is wanted.
    run : str
    tr_times : array of shape (n_trs,), in seconds, optional
        None keeps the states of every window.
    """

    keys: Mapping[int, str]
    run: str
    tr_times: Array | None


def store_clip(
    extractor: SpeechExtractor,
    clip: SpeechClip,
    grids: Sequence[ClipGrid],
    store: LayerStore,
    *,
    recipe: DesignRecipe,
    meta: Mapping[str, Any],
    told: Told | None = None,
) -> None:
    """Read a clip once and store its layers, a group each; no more than a few batches are held.

    Parameters
    ----------
    extractor : SpeechExtractor
    clip : SpeechClip
    grids : sequence of ClipGrid
    store : LayerStore
        A group holds "states": at TR rate (n_trs, n_dims), or (n_windows, n_dims) with "times" of
        shape (n_windows, 2), float64: start and end of each window, in seconds.
    recipe : DesignRecipe
        Its filter is used.
    meta : mapping
        Kept with each group, beside "run", "layer" and "tr_times"; what JSON can hold.
    told : callable, optional
    """
    streams = [
        None if grid.tr_times is None else recipe.stream(clip.times, grid.tr_times, grid.run)
        for grid in grids
    ]
    sinks: dict[int, list[Sink]] = {}
    with ExitStack() as stack:
        # What is entered last is finished first: the highest layer comes last. So after a kill it
        # is among those that are missing, and all are computed as if there had been none.
        for layer in sorted({layer for grid in grids for layer in grid.keys}, reverse=True):
            for grid, stream in zip(grids, streams, strict=True):
                if layer in grid.keys:
                    writer = stack.enter_context(_writing(clip, grid, layer, store, meta))
                    sinks.setdefault(layer, []).append(_sink(writer, layer, stream))
        hear(extractor, clip, sinks, told)


@contextmanager
def _writing(
    clip: SpeechClip, grid: ClipGrid, layer: int, store: LayerStore, meta: Mapping[str, Any]
) -> Iterator[LayerWriter]:
    """Open the group of a layer; of raw states it begins with their times."""
    held = {**meta, "run": grid.run, "layer": layer}
    if grid.tr_times is not None:
        held["tr_times"] = np.asarray(grid.tr_times).tolist()
    n_rows = len(clip.plan) if grid.tr_times is None else len(grid.tr_times)
    with store.writing(grid.keys[layer], n_rows=n_rows, meta=held) as writer:
        if grid.tr_times is None:
            times = np.stack([clip.plan.start_times, clip.plan.times], axis=1)
            writer.append(TIMES, times, dtype="float64")
        yield writer


def _sink(writer: Any, layer: int, stream: Any) -> Sink:
    """Write rows as they are, or those of TRs as soon as they are complete."""

    def take(rows: range, values: Array) -> None:
        if stream is None:
            writer.append(STATES, values)
            return
        stream.add(layer, stream.piece(rows, values))
        writer.append(STATES, stream.take(layer, n_seen=rows.stop)[1])

    return take
