"""One story through a model, batch by batch, into the store at the TRs of its runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.features import LanguageExtractor

if TYPE_CHECKING:
    from voxscale.data import Transcript
    from voxscale.design import DesignRecipe, LanczosStream
    from voxscale.features import Extractor
    from voxscale.store import LayerStore, LayerWriter

__all__ = ["Grid", "array_name", "stream_story"]

# Called after every batch with the words read and the tokens run.
Told = Callable[[int, int], None]
# Words, what the TRs get of each feature at them, and the tokens that were run.
_Weighed = tuple[list[range], Mapping[int | str, list[Any]], int]


@dataclass(frozen=True, eq=False)
class Grid:
    """Where a story's features go: names in the store, and the TRs of a run.

    Parameters
    ----------
    keys : mapping of layer or name of an extra to str
        The group of each feature that is wanted; several may share one.
    run : str
    tr_times : array of shape (n_trs,), in seconds
    """

    keys: Mapping[int | str, str]
    run: str
    tr_times: Array


def array_name(feature: int | str) -> str:
    """Name the array of a layer or an extra."""
    return feature if isinstance(feature, str) else f"layer_{feature}"


def stream_story(
    extractor: Extractor,
    transcript: Transcript,
    grids: Sequence[Grid],
    store: LayerStore,
    recipe: DesignRecipe,
    *,
    min_context: int,
    max_context: int,
    meta: Mapping[str, Any],
    keep_words: bool = False,
    told: Told | None = None,
) -> None:
    """Read a story's states and store them at TR rate; no more than a few batches are held.

    Parameters
    ----------
    extractor : Extractor
        One that does not stream gives the whole story at once.
    transcript : Transcript
    grids : sequence of Grid
        One for each run of the story, all in one pass: of the layers and extras (surprisal, …)
        that any of them wants. A word without surprisal (one that begins its context, without a
        start token) adds nothing to its TRs; a VoxscaleWarning counts them.
    store : LayerStore
        Arrays are named "layer_9", "surprisal", …; (n_trs, n_dims) each.
    recipe : DesignRecipe
        Its filter is used.
    min_context, max_context : int
        In words.
    meta : mapping
        Kept with each group, beside "run", "layers" and "tr_times"; what JSON can hold.
    keep_words : bool
        Keep the states of each word too, as "words_layer_9", …; (n_words, n_dims) each.
    told : callable, optional
        Called after every batch with the words read and the tokens run in it.
    """
    streams = [recipe.stream(transcript.times, grid.tr_times, grid.run) for grid in grids]
    wanted = {feature for grid in grids for feature in grid.keys}
    layers = sorted(one for one in wanted if isinstance(one, int))
    extras = sorted(one for one in wanted if isinstance(one, str))
    with ExitStack() as stack:
        writers = [_writers(stack, grid, store, meta) for grid in grids]
        sink = _Sink(streams, writers, len(transcript), keep_words=keep_words)
        options: dict[str, Any] = {"min_context": min_context, "max_context": max_context}
        run = grids[0].run
        if isinstance(extractor, LanguageExtractor):
            options |= {"run": run, "extras": extras}
            reads = _batches(extractor, transcript, layers, sink, options)
        else:
            reads = _at_once(extractor, transcript, layers, sink, run, options)
        for words, states, n_tokens in reads:
            sink.take(words, states)
            if told is not None:
                told(sum(map(len, words)), n_tokens)
    _warn_of_unknown(run, sink.n_unknown, len(transcript))


def _writers(
    stack: ExitStack, grid: Grid, store: LayerStore, meta: Mapping[str, Any]
) -> dict[str, LayerWriter]:
    """Open the groups of a run; return the one that each array goes to.

    What is entered last is finished first: the lowest layer comes last in place. So after a kill
    the highest is among those that are missing, and what is computed is as if there had been none.
    """
    ordered = sorted(grid.keys, key=lambda one: (isinstance(one, int), one))
    opened: dict[str, LayerWriter] = {}
    for key in dict.fromkeys(grid.keys[feature] for feature in ordered):
        layers = [one for one in ordered if isinstance(one, int) and grid.keys[one] == key]
        times = np.asarray(grid.tr_times).tolist()
        held = {**meta, "run": grid.run, "layers": layers, "tr_times": times}
        opened[key] = stack.enter_context(store.writing(key, n_rows=len(grid.tr_times), meta=held))
    return {array_name(feature): opened[key] for feature, key in grid.keys.items()}


def _batches(
    extractor: LanguageExtractor,
    transcript: Transcript,
    layers: Sequence[int],
    sink: _Sink,
    options: Mapping[str, Any],
) -> Iterator[_Weighed]:
    def weigh(name: int | str, batch: Sequence[Any], values: Array) -> list[Any]:
        return sink.weigh(name, [one.words for one in batch], values)

    for read in extractor.stream(transcript, layers, reduce=weigh, **options):
        yield [one.words for one in read.batch], read.states, sum(map(len, read.batch))


def _at_once(
    extractor: Extractor,
    transcript: Transcript,
    layers: Sequence[int],
    sink: _Sink,
    run: str,
    options: Mapping[str, Any],
) -> Iterator[_Weighed]:
    """Read a story with an extractor that does not stream."""
    states = extractor.extract({run: transcript}, layers, **options)
    words = [range(len(transcript))]
    yield words, {one: sink.weigh(one, words, states[one][run].values) for one in states}, 0


def _warn_of_unknown(run: str, n_unknown: int, n_words: int) -> None:
    if n_unknown:
        msg = (
            f"story {run!r}: {n_unknown} of {n_words} words have no surprisal or entropy, since "
            "nothing comes before them in their context; they add nothing to their TRs."
        )
        warnings.warn(msg, VoxscaleWarning, stacklevel=4)


class _Sink:
    """Adds up what batches give, and writes rows as soon as they are complete."""

    def __init__(
        self,
        streams: Sequence[LanczosStream],
        writers: Sequence[Mapping[str, LayerWriter]],
        n_words: int,
        *,
        keep_words: bool,
    ) -> None:
        self._streams, self._writers = streams, writers
        self._n_words, self._keep_words = n_words, keep_words
        self._read_from: dict[int, int] = {}  # first word of a pass: the one after its last
        self._n_seen = 0
        self._words: dict[tuple[str, int], Array] = {}
        self._unknown: dict[str, int] = {}

    @property
    def n_unknown(self) -> int:
        """Words without surprisal or entropy."""
        return max(self._unknown.values(), default=0)

    def weigh(self, name: int | str, words: Sequence[range], values: Array) -> list[Any]:
        """Reduce the values of a batch to what each run's TRs get of them."""
        pieces, row = [], 0
        for of_pass in words:
            own = values[row : row + len(of_pass)]
            is_unknown = np.isnan(own) if isinstance(name, str) else np.zeros(own.shape, bool)
            known = np.where(is_unknown, 0, own)
            weighed = [
                stream.piece(of_pass, known) if array_name(name) in writers else None
                for stream, writers in zip(self._streams, self._writers, strict=True)
            ]
            pieces.append((weighed, own if self._keep_words else None, int(is_unknown.sum())))
            row += len(of_pass)
        return pieces

    def take(self, words: Sequence[range], states: Mapping[int | str, list[Any]]) -> None:
        """Add what a batch gave, and write what it completes."""
        for of_pass in words:
            self._read_from[of_pass.start] = of_pass.stop
        for feature, pieces in states.items():
            name = array_name(feature)
            for of_pass, (weighed, own, n_unknown) in zip(words, pieces, strict=True):
                self._unknown[name] = self._unknown.get(name, 0) + n_unknown
                for stream, piece in zip(self._streams, weighed, strict=True):
                    if piece is not None:
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
        wanted = [
            (stream, writers[name])
            for stream, writers in zip(self._streams, self._writers, strict=True)
            if name in writers
        ]
        for stream, writer in wanted:
            writer.append(name, stream.take(name, n_seen=self._n_seen)[1])
        while (own := self._words.pop((name, first_word), None)) is not None:
            for _, writer in wanted:
                writer.append(f"words_{name}", own, n_rows=self._n_words)
            first_word += len(own)
