"""One story through a model, batch by batch, into the store at the TRs of its runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.features import LanguageExtractor

if TYPE_CHECKING:
    from voxscale.data import Transcript
    from voxscale.design import DesignRecipe, LanczosStream
    from voxscale.features import Extractor
    from voxscale.store import LayerStore, LayerWriter

__all__ = ["Grid", "array_name", "stream_story"]

# Called after every batch with the words read and the tokens run.
Told = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where a story's features go: a name in the store, and the TRs of a run.

    Parameters
    ----------
    key, run : str
    tr_times : array of shape (n_trs,), in seconds
    """

    key: str
    run: str
    tr_times: Array


def array_name(feature: int | str) -> str:
    """Name the array of a layer or an extra."""
    return feature if isinstance(feature, str) else f"layer_{feature}"


def stream_story(
    extractor: Extractor,
    transcript: Transcript,
    layers: Sequence[int],
    grids: Sequence[Grid],
    store: LayerStore,
    recipe: DesignRecipe,
    *,
    min_context: int,
    max_context: int,
    meta: Mapping[str, Any],
    extras: Sequence[str] = (),
    keep_words: bool = False,
    told: Told | None = None,
) -> None:
    """Read a story's states and store them at TR rate; no more than a few batches are held.

    Parameters
    ----------
    extractor : Extractor
        One that does not stream gives the whole story at once.
    transcript : Transcript
    layers : sequence of int
    grids : sequence of Grid
        One for each run of the story, all in one pass.
    store : LayerStore
        Arrays are named "layer_9", "surprisal", …; (n_trs, n_dims) each.
    recipe : DesignRecipe
        Its filter is used.
    min_context, max_context : int
        In words.
    meta : mapping
        Kept with each group; what JSON can hold.
    extras : sequence of str
        A word without surprisal (the first, without a start token) adds nothing to its TRs.
    keep_words : bool
        Keep the states of each word too, as "words_layer_9", …; (n_words, n_dims) each.
    told : callable, optional
        Called after every batch with the words read and the tokens run in it.
    """
    streams = [recipe.stream(transcript.times, grid.tr_times, grid.run) for grid in grids]
    with ExitStack() as stack:
        writers = [
            stack.enter_context(
                store.writing(grid.key, n_rows=len(grid.tr_times), meta={**meta, "run": grid.run})
            )
            for grid in grids
        ]
        sink = _Sink(streams, writers, len(transcript), keep_words=keep_words)
        options = {"min_context": min_context, "max_context": max_context}
        if not isinstance(extractor, LanguageExtractor):
            run = grids[0].run
            states = extractor.extract({run: transcript}, layers, **options)
            everything = [range(len(transcript))]
            weighed: dict[int | str, list[Any]] = {
                layer: sink.weigh(everything, states[layer][run].values) for layer in states
            }
            sink.take(everything, weighed)
            return
        for read in extractor.stream(
            transcript,
            layers,
            run=grids[0].run,
            extras=extras,
            reduce=lambda batch, values: sink.weigh([one.words for one in batch], values),
            **options,
        ):
            sink.take([one.words for one in read.batch], read.states)
            if told is not None:
                n_words = sum(len(one.words) for one in read.batch)
                told(n_words, sum(map(len, read.batch)))


class _Sink:
    """Adds up what batches give, and writes rows as soon as they are complete."""

    def __init__(
        self,
        streams: Sequence[LanczosStream],
        writers: Sequence[LayerWriter],
        n_words: int,
        *,
        keep_words: bool,
    ) -> None:
        self._streams, self._writers = streams, writers
        self._n_words, self._keep_words = n_words, keep_words
        self._read_from: dict[int, int] = {}  # first word of a pass: the one after its last
        self._n_seen = 0
        self._words: dict[tuple[str, int], Array] = {}

    def weigh(self, words: Sequence[range], values: Array) -> list[Any]:
        """Reduce the values of a batch to what each run's TRs get of them."""
        pieces, row = [], 0
        for of_pass in words:
            own = values[row : row + len(of_pass)]
            known = np.nan_to_num(own, nan=0.0)
            weighed = [stream.piece(of_pass, known) for stream in self._streams]
            pieces.append((weighed, own if self._keep_words else None))
            row += len(of_pass)
        return pieces

    def take(self, words: Sequence[range], states: Mapping[int | str, list[Any]]) -> None:
        """Add what a batch gave, and write what it completes."""
        for of_pass in words:
            self._read_from[of_pass.start] = of_pass.stop
        for feature, pieces in states.items():
            name = array_name(feature)
            for of_pass, (weighed, own) in zip(words, pieces, strict=True):
                for stream, piece in zip(self._streams, weighed, strict=True):
                    stream.add(name, piece)
                if own is not None:
                    self._words[name, of_pass.start] = own
        before = self._n_seen
        while self._n_seen in self._read_from:
            self._n_seen = self._read_from.pop(self._n_seen)
        if self._n_seen > before:
            for feature in states:
                self._write(array_name(feature), before)

    def _write(self, name: str, first_word: int) -> None:
        for stream, writer in zip(self._streams, self._writers, strict=True):
            writer.append(name, stream.take(name, n_seen=self._n_seen)[1])
        while (own := self._words.pop((name, first_word), None)) is not None:
            for writer in self._writers:
                writer.append(f"words_{name}", own, n_rows=self._n_words)
            first_word += len(own)
