"""What is there of the speech states of many stories, and what is missing."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import TRSeries
from voxscale.data import check_heard, check_run
from voxscale.data._heard import SILENCE_S
from voxscale.design import DesignRecipe
from voxscale.errors import DataError, VoxscaleWarning
from voxscale.store import LayerStore, check_writable, hash_array, key_of
from voxscale.study._extract import _check_mapping, _times_of
from voxscale.study._sounds import Sounds, SpeechProgress
from voxscale.study._speech_stream import ClipGrid, store_clip

if TYPE_CHECKING:
    from voxscale.arrays import Array
    from voxscale.data import Transcript
    from voxscale.features import SpeechClip, SpeechExtractor
    from voxscale.features._reading import Layers

__all__ = ["SpeechExtraction"]

RECIPE = 1  # raised by hand whenever stored features would differ


class SpeechExtraction:
    """What :func:`extract_speech` would do: what is there, and what is missing.

    Parameters
    ----------
    audio : mapping of story to path
    model : SpeechExtractor, or str or path
        An extractor brings its own windows and options.
    tr_times, out, layers, recipe, words
        As there.

    Raises
    ------
    DataError, ValueError, TypeError
        If the arguments cannot be used.

    Attributes
    ----------
    sounds : Sounds
        With those that are ``absent``, and ``n_windows`` of each.
    failed : dict of story to DataError
        Sounds that the last run could not use.
    """

    parts = "layers"  # what there is several of for each story

    def __init__(
        self,
        audio: Mapping[str, str | os.PathLike[str]],
        model: SpeechExtractor | str | os.PathLike[str],
        tr_times: Mapping[str, Array] | None,
        out: str | Path,
        *,
        layers: Layers = "all",
        recipe: DesignRecipe | None = None,
        words: Mapping[str, Transcript] | None = None,
    ) -> None:
        if not isinstance(recipe, DesignRecipe | None):
            msg = f"recipe is of type {type(recipe).__name__}; expected a DesignRecipe, or None."
            raise TypeError(msg)
        self.sounds = Sounds(audio, model)
        self.sounds.extractor.check_window()
        self._tr_times: dict[str, Array] | None = None
        if tr_times is not None:
            _check_mapping("tr_times", tr_times, "story to its TR times; None keeps every window")
            self._tr_times = {story: _times_of(story, tr_times) for story in self.sounds.paths}
        self._words = {} if words is None else words
        _check_mapping("words", self._words, "story to Transcript")
        self._store = LayerStore(out)
        self._layers = sorted(self.sounds.extractor.choose_layers(layers))
        self._recipe = DesignRecipe() if recipe is None else recipe
        self.failed: dict[str, DataError] = {}

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Everything beside sound, TRs and layer that can change the numbers."""
        recipe = self._recipe
        lanczos = {
            "lobes": recipe.lobes,
            "cutoff_hz": recipe.cutoff_hz,
            "normalize": recipe.normalize,
        }
        return {
            "recipe": RECIPE,
            "extractor": dict(self.sounds.extractor.identity),
            "filter": None if self._tr_times is None else lanczos,
        }

    @cached_property
    def keys(self) -> dict[str, dict[int, str]]:
        """Names in the store of each layer of each story: both, and a hash of what can change it.

        Sounds that are not there have none.
        """
        return {
            story: {layer: self._key(story, layer) for layer in self._layers}
            for story in self.sounds.hashes
        }

    @property
    def missing(self) -> dict[str, list[int]]:
        """Layers that are not in the store, by story."""
        found = {
            story: [layer for layer, key in keys.items() if key not in self._store]
            for story, keys in self.keys.items()
        }
        return {story: layers for story, layers in found.items() if layers}

    def check(self) -> None:
        """Find out whether what is missing can be run, as far as that can be known.

        Raises
        ------
        DataError, AlignmentError, ValueError, TypeError, StoreError
            As :func:`extract_speech`; sounds that cannot be read are left to the run.

        Warns
        -----
        VoxscaleWarning
            Of TRs that go on more than 30 s after their sound, of stories that are there too.
        """
        missing = self.missing
        if missing:
            for story in missing:
                self._check_words(story)
            self.sounds.extractor.load()
            for story in missing:
                self._check_trs(story)
            check_writable(self._store.folder)
        for story in self.keys:
            self._warn_of_late_trs(story)

    def run(
        self, progress: Callable[[SpeechProgress], None] | None = None
    ) -> dict[str, dict[int, Path]]:
        """Fill what is missing, and return what is there; see :func:`extract_speech`.

        Sounds that cannot be used raise nothing: they are in ``failed``.
        """
        self.check()
        self.failed = self.sounds.run(self.missing, self._write, progress)
        return {
            story: {layer: self._store.path(key) for layer, key in keys.items()}
            for story, keys in self.keys.items()
            if story not in self.failed
        }

    def _write(
        self, story: str, clip: SpeechClip, layers: list[int], told: Callable[[int, int], None]
    ) -> None:
        store_clip(
            self.sounds.extractor,
            clip,
            [
                ClipGrid(
                    {layer: self.keys[story][layer] for layer in layers},
                    story,
                    None if self._tr_times is None else self._tr_times[story],
                )
            ],
            self._store,
            recipe=self._recipe,
            meta={**self.settings, "sha256": self.sounds.hashes[story]},
            told=told,
        )

    def _check_words(self, story: str) -> None:
        """Refuse words that are not those of the sound."""
        if story not in self._words or not self.sounds.duration_s(story):
            return
        words = self._words[story]
        check_heard(story, words, self.sounds.paths[story])
        if self._tr_times is not None:
            tr_times = self._tr_times[story]
            nothing = np.empty((len(tr_times), 0), np.float32)
            check_run(words, TRSeries(nothing, story, 0, tr_times), self.sounds.paths[story])

    def _check_trs(self, story: str) -> None:
        plan = self.sounds.plan(story)
        if self._tr_times is None or not len(plan):
            return
        with warnings.catch_warnings():  # the run itself will warn
            warnings.simplefilter("ignore")
            self._recipe.stream(plan.times, self._tr_times[story], story)

    def _warn_of_late_trs(self, story: str) -> None:
        """Say that TRs go on long after a sound, where features are 0."""
        duration_s = self.sounds.duration_s(story)
        if self._tr_times is None or not duration_s:
            return
        last_s = float(self._tr_times[story].max())
        if last_s - duration_s > SILENCE_S:
            msg = (
                f"story {story!r}: its TRs go on to {last_s:.2f} s, the sound "
                f"{self.sounds.paths[story].name} ends at {duration_s:.2f} s; features of TRs "
                "after it are 0; check that both are of the same story, or leave these TRs out."
            )
            warnings.warn(msg, VoxscaleWarning, stacklevel=5)

    def _key(self, story: str, layer: int) -> str:
        fields = {
            **self.settings,
            "story": story,
            "layer": layer,
            "sound": self.sounds.hashes[story],
            "tr_times": None if self._tr_times is None else hash_array(self._tr_times[story]),
        }
        name = re.sub(r"[^A-Za-z0-9_-]", "_", story)[:60]
        return f"{name}-layer_{layer}-{key_of(fields)[:16]}"
