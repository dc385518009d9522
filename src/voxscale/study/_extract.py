"""Features of many stories on disk, without a study: what is there is not computed again."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import TRSeries
from voxscale.design import DesignRecipe
from voxscale.errors import StoreError, did_you_mean
from voxscale.features import LanguageExtractor, plan_language_states
from voxscale.features._layers import choose_layers
from voxscale.features._runs import as_runs
from voxscale.features._surprisal import check_extras
from voxscale.store import LayerStore, check_writable, hash_array, key_of
from voxscale.study._extracted import Extracted, Told
from voxscale.study._stream import Grid, array_name, stream_story

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.data import Transcript
    from voxscale.features import LanguageCost
    from voxscale.features._reading import Layers

__all__ = ["LanguageExtraction", "extract_language", "read_extracted"]

_WORDS = "words_"  # arrays of words, not of TRs

RECIPE = 2  # raised by hand whenever stored features would differ


def extract_language(
    stories: Mapping[str, Transcript],
    model: LanguageExtractor | str | os.PathLike[str],
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
    it was at, and gives the same numbers (to rounding, where free memory leads to other
    batches). Several processes may fill the same folder: each story is kept once, by whoever
    is first.

    Parameters
    ----------
    stories : mapping of story to Transcript
    model : LanguageExtractor, or str or path
        A name is a model as in `voxscale.language_states`.
    tr_times : mapping of story to array of shape (n_trs,), in seconds
        Middle of each TR, from the onset of the sound.
    out : path
        A zarr group for each story is made there, named by story and by everything that can
        change its numbers. Other layers or extras are other groups.
    layers : "all" or sequence of int
    min_context, max_context : int
        In words.
    extras : sequence of {"surprisal", "entropy", "context_length"}
    keep_words : bool
        Keep the states of each word too ("words_layer_9", …).
    recipe : DesignRecipe, optional
        Its Lanczos filter is used. Unless it normalises, a TR gets the sum over its words.
    progress : callable, optional

    Returns
    -------
    dict of story to Path
        Groups with arrays "layer_0", … of shape (n_trs, n_dims), float32, and those of the
        extras, (n_trs, 1); see :func:`read_extracted`.

    Raises
    ------
    DataError, AlignmentError, ValueError, TypeError
        As `voxscale.language_states` and `voxscale.lanczos`; before any story is run where that
        can be known.
    StoreError
        If the folder cannot be written.
    """
    extraction = LanguageExtraction(
        stories,
        model,
        tr_times,
        out,
        layers=layers,
        min_context=min_context,
        max_context=max_context,
        extras=extras,
        keep_words=keep_words,
        recipe=recipe,
    )
    return extraction.run(progress)


def read_extracted(path: str | Path, feature: int | str) -> TRSeries:
    """Read a feature that :func:`extract_language` kept.

    Parameters
    ----------
    path : path
        Of a story's group.
    feature : int or str
        A layer, or the name of an extra.

    Returns
    -------
    TRSeries
        Of shape (n_trs, n_dims), with the TRs that it was made for. States of single words
        (``keep_words``) are read with `voxscale.store.LayerStore`.

    Raises
    ------
    StoreError
        If it is not there, or damaged.
    """
    path = Path(path)
    store = LayerStore(path.parent)
    key = path.name.removesuffix(store.suffix)
    meta, name = store.meta(key), array_name(feature)
    held = [one for one in store.names(key) if not one.startswith(_WORDS)]
    if name not in held:
        msg = (
            f"{path} has no feature {feature!r}, only {', '.join(held)}{did_you_mean(name, held)}; "
            "ask for one of these (a layer by its number), or extract what is missing."
        )
        raise StoreError(msg)
    if "run" not in meta or "tr_times" not in meta:
        msg = f"{path} does not say which TRs it is for; delete it and run again."
        raise StoreError(msg)
    return TRSeries(store.get(key, name), meta["run"], 0, np.asarray(meta["tr_times"]))


class LanguageExtraction:
    """What :func:`extract_language` would do: what is there, what is missing, what it costs.

    Parameters
    ----------
    stories, model, tr_times, out, layers, min_context, max_context, extras, keep_words, recipe
        As there.

    Raises
    ------
    DataError, ValueError, TypeError
        If the arguments cannot be used.
    """

    def __init__(
        self,
        stories: Mapping[str, Transcript],
        model: LanguageExtractor | str | os.PathLike[str],
        tr_times: Mapping[str, Array],
        out: str | Path,
        *,
        layers: Layers = "all",
        min_context: int = 256,
        max_context: int = 512,
        extras: Sequence[str] = (),
        keep_words: bool = False,
        recipe: DesignRecipe | None = None,
    ) -> None:
        _check_mapping("stories", stories, "name to Transcript")
        _check_mapping("tr_times", tr_times, "story to the TR times of it, such as report.tr_times")
        if not isinstance(recipe, DesignRecipe | None):
            msg = f"recipe is of type {type(recipe).__name__}; expected a DesignRecipe, or None."
            raise TypeError(msg)
        self._stories = {str(name): one for name, one in as_runs(stories).items()}
        if not self._stories:
            msg = "there is no story; name at least one."
            raise ValueError(msg)
        self._model = model if isinstance(model, LanguageExtractor) else LanguageExtractor(model)
        self._tr_times = {story: _times_of(story, tr_times) for story in self._stories}
        self._store = LayerStore(out)
        self._extras = sorted(check_extras(extras))
        n_layers, may_be_empty = self._model.n_layers, bool(self._extras)
        self._layers = sorted(choose_layers(layers, n_layers, may_be_empty=may_be_empty))
        self._contexts = self._model.contexts(min_context, max_context)
        self._keep_words = keep_words
        self._recipe = DesignRecipe() if recipe is None else recipe

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything beside words and times that can change the numbers."""
        return {
            "recipe": RECIPE,
            "extractor": dict(self._model.identity),
            "layers": self._layers,
            "extras": self._extras,
            **self._contexts.sizes,
            "lobes": self._recipe.lobes,
            "cutoff_hz": self._recipe.cutoff_hz,
            "normalize": self._recipe.normalize,
            "keep_words": self._keep_words,
        }

    @cached_property
    def keys(self) -> dict[str, str]:
        """Each story's name in the store: its own, and a hash of all that can change it."""
        return {story: self._key(story) for story in self._stories}

    @property
    def missing(self) -> dict[str, Transcript]:
        """Stories that are not in the store."""
        return {
            name: one for name, one in self._stories.items() if self.keys[name] not in self._store
        }

    def cost(self, *, probe: bool = True) -> LanguageCost | None:
        """Say what the missing stories cost; None if there are none; errors as :meth:`check`."""
        missing = self.missing
        if not missing:
            return None
        self._check_alignment(missing)
        return plan_language_states(
            missing,
            self._model,
            layers=self._layers,
            extras=self._extras,
            probe=probe,
            **self._sizes,
        )

    def check(self) -> None:
        """Find out whether the missing stories can be run, as far as that can be known.

        Raises
        ------
        DataError, AlignmentError, ValueError, TypeError, StoreError
            As :func:`extract_language`.
        """
        missing = self.missing
        if not missing:
            return
        planner, vector = self._model.planner(), self._model.word_vector
        planner.plan(missing, self._contexts, word_vector=vector)
        self._check_alignment(missing)
        check_writable(self._store.folder)
        self._model.ready(self._layers, self._extras)

    def run(self, progress: Callable[[Extracted], None] | None = None) -> dict[str, Path]:
        """Fill what is missing; see :func:`extract_language`."""
        if not callable(progress) and progress is not None:
            msg = f"progress is {progress!r}; expected something that can be called, or None."
            raise TypeError(msg)
        self.check()
        missing = self.missing
        told = Told(progress, len(self._stories), len(self._stories) - len(missing), missing)
        for story in missing:
            with warnings.catch_warnings():  # said of all stories by the check
                warnings.filterwarnings("ignore", message="policy 'sentence'")
                self._run_one(story, partial(told.add, story))
            told.end(story)
        return {story: self._store.path(key) for story, key in self.keys.items()}

    @property
    def _sizes(self) -> dict[str, int]:
        contexts = self._contexts
        return {"min_context": contexts.min_context, "max_context": contexts.max_context}

    def _check_alignment(self, stories: Mapping[str, Transcript]) -> None:
        with warnings.catch_warnings():  # the run itself will warn
            warnings.simplefilter("ignore")
            for name, one in stories.items():
                self._recipe.stream(one.times, self._tr_times[name], name)

    def _run_one(self, story: str, told: Callable[[int, int], None]) -> None:
        transcript, tr_times = self._stories[story], self._tr_times[story]
        meta = dict(self.settings)
        if self._keep_words:
            meta |= {"words": list(transcript.words), "word_times": transcript.times.tolist()}
        keys: dict[int | str, str] = dict.fromkeys([*self._layers, *self._extras], self.keys[story])
        stream_story(
            self._model,
            transcript,
            [Grid(keys, story, tr_times)],
            self._store,
            self._recipe,
            meta=meta,
            keep_words=self._keep_words,
            told=told,
            **self._sizes,
        )

    def _key(self, story: str) -> str:
        transcript = self._stories[story]
        fields = {
            **self.settings,
            "words": transcript.words,
            "times": hash_array(transcript.times),
            "tr_times": hash_array(self._tr_times[story]),
        }
        name = re.sub(r"[^A-Za-z0-9_-]", "_", story)[:60]
        return f"{name}-{key_of(fields)[:16]}"


def _times_of(story: str, tr_times: Mapping[str, Array]) -> Array:
    if story not in tr_times:
        held = ", ".join(map(repr, tr_times)) or "nothing"
        msg = f"tr_times has no story {story!r}, only {held}; expected the TRs of every story."
        raise ValueError(msg)
    try:
        return np.asarray(tr_times[story], dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = (
            f"tr_times of story {story!r} are of type {type(tr_times[story]).__name__}; expected "
            "an array of seconds, such as report.tr_times."
        )
        raise TypeError(msg) from error


def _check_mapping(name: str, value: object, what: str) -> None:
    if not isinstance(value, Mapping):
        msg = f"{name} is of type {type(value).__name__}; expected a mapping of {what}."
        raise TypeError(msg)
