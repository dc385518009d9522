"""Features of many stories on disk, without a study: what is there is not computed again."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxscale.design import DesignRecipe
from voxscale.store import LayerStore, check_writable, hash_array, key_of
from voxscale.study._stream import Grid, stream_story

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.data import Transcript
    from voxscale.features import LanguageExtractor
    from voxscale.features._language import Layers

__all__ = ["Extracted", "extract_language", "story_key"]

RECIPE = 1  # raised by hand whenever stored features would differ


@dataclass(frozen=True)
class Extracted:
    """How far an extraction is; what a progress callable is given after every batch.

    Parameters
    ----------
    story : str
    n_stories_done, n_stories : int
    n_words_done, n_words : int
        Of all stories that had to be run.
    n_tokens : int
        Run so far.
    seconds : float
        Since the first batch began.
    """

    story: str
    n_stories_done: int
    n_stories: int
    n_words_done: int
    n_words: int
    n_tokens: int
    seconds: float

    @property
    def tokens_per_s(self) -> float:
        """Tokens run in a second."""
        return self.n_tokens / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long the rest may take; None before the first batch is done."""
        if not self.n_words_done:
            return None
        return self.seconds / self.n_words_done * (self.n_words - self.n_words_done)


def extract_language(
    stories: Mapping[str, Transcript],
    model: LanguageExtractor,
    tr_times: Mapping[str, Array],
    out: str | Path,
    *,
    layers: Layers = "all",
    min_context: int = 256,
    max_context: int = 512,
    extras: Sequence[str] = (),
    keep_words: bool = False,
    recipe: DesignRecipe | None = None,
    progress: Callable[[Extracted], None] | None = None,
) -> dict[str, Path]:
    """Read stories with a language model and keep their features at TR rate, a folder each.

    A story that is there is complete and left alone; a killed run goes on with the story
    it was at, and gives the same numbers. Several processes may fill the same folder: each
    story is kept once, by whoever is first.

    Parameters
    ----------
    stories : mapping of story to Transcript
    model : LanguageExtractor
    tr_times : mapping of story to array of shape (n_trs,), in seconds
        Middle of each TR, from the onset of the sound.
    out : path
        A zarr group for each story is made there, named by story and by everything that can
        change its numbers.
    layers : "all" or sequence of int
    min_context, max_context : int
        In words.
    extras : sequence of {"surprisal", "entropy", "context_length"}
    keep_words : bool
        Keep the states of each word too ("words_layer_9", …).
    recipe : DesignRecipe, optional
        Its Lanczos filter is used.
    progress : callable, optional

    Returns
    -------
    dict of story to Path
        Groups with arrays "layer_0", … of shape (n_trs, n_dims), float32, and those of the
        extras, (n_trs, 1).

    Raises
    ------
    DataError, AlignmentError, ValueError, TypeError
        As `voxscale.language_states` and `voxscale.lanczos`; before any story is run where that
        can be known.
    StoreError
        If the folder cannot be written.
    """
    store = LayerStore(out)
    recipe = DesignRecipe() if recipe is None else recipe
    numbers = [int(one) for one in (range(model.n_layers) if isinstance(layers, str) else layers)]
    settings = {
        "recipe": RECIPE,
        "extractor": dict(model.identity),
        "layers": numbers,
        "extras": list(extras),
        "min_context": min_context,
        "max_context": max_context,
        "lobes": recipe.lobes,
        "cutoff_hz": recipe.cutoff_hz,
        "normalize": recipe.normalize,
        "keep_words": keep_words,
    }
    keys = {
        story: story_key(story, transcript, tr_times[story], settings)
        for story, transcript in stories.items()
    }
    missing = {story: one for story, one in stories.items() if not store.has(keys[story])}
    if missing:
        model.planner().plan(missing, model.contexts(min_context, max_context))
        for story, transcript in missing.items():
            recipe.stream(transcript.times, tr_times[story], story)
        check_writable(out)
        model.ready(layers, extras)
    told = _Told(progress, len(stories), len(stories) - len(missing), missing)
    for story, transcript in missing.items():
        stream_story(
            model,
            transcript,
            numbers,
            [Grid(keys[story], story, tr_times[story])],
            store,
            recipe,
            min_context=min_context,
            max_context=max_context,
            meta={**settings, "story": story},
            extras=extras,
            keep_words=keep_words,
            told=partial(told.add, story),
        )
        told.end(story)
    return {story: store.path(key) for story, key in keys.items()}


def story_key(
    story: str, transcript: Transcript, tr_times: Array, settings: Mapping[str, Any]
) -> str:
    """Name a story's features: its own name, and a hash of all that can change them."""
    fields = {
        **settings,
        "words": transcript.words,
        "times": hash_array(transcript.times),
        "tr_times": hash_array(tr_times),
    }
    name = re.sub(r"[^A-Za-z0-9_-]", "_", story)[:60]
    return f"{name}-{key_of(fields)[:16]}"


class _Told:
    """Counts what is read and tells somebody."""

    def __init__(
        self,
        progress: Callable[[Extracted], None] | None,
        n_stories: int,
        n_done: int,
        missing: Mapping[str, Transcript],
    ) -> None:
        self._progress, self._n_stories, self._n_done = progress, n_stories, n_done
        self._n_words = sum(map(len, missing.values()))
        self._n_words_done = self._n_tokens = 0
        self._began = time.monotonic()

    def add(self, story: str, n_words: int, n_tokens: int) -> None:
        self._n_words_done += n_words
        self._n_tokens += n_tokens
        self._tell(story)

    def end(self, story: str) -> None:
        self._n_done += 1
        self._tell(story)

    def _tell(self, story: str) -> None:
        if self._progress is not None:
            self._progress(
                Extracted(
                    story,
                    self._n_done,
                    self._n_stories,
                    self._n_words_done,
                    self._n_words,
                    self._n_tokens,
                    time.monotonic() - self._began,
                )
            )
