"""A tiny extractor that knows no language: for tests, for examples, and for the impatient."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.data import Transcript
from voxscale.features._context import plan_windows
from voxscale.features._layers import choose_layers

__all__ = ["Echo"]

RECIPE = 1  # raise it when the numbers change
N_DIMS = 8


class Echo:
    """Hash words into numbers; deeper layers hear more of what came before.

    Layer 0 is the word alone, layer 1 the word and a fading echo of its context, layer 2
    the mean over the context, which starts where a language model's would. Nothing is
    loaded, and the same words give the same numbers on every machine.

    Examples
    --------
    >>> story = Transcript(["one", "two", "one"], onset_s=[0.0, 1.0, 2.0])
    >>> states = Echo().extract({"run": story}, [0, 1], min_context=1, max_context=2)
    >>> states[0]["run"].values.shape
    (3, 8)
    """

    n_layers = 3
    n_dims = N_DIMS

    @property
    def identity(self) -> dict[str, Any]:
        """What the numbers depend on, beside words and contexts."""
        return {"model": "echo", "recipe": RECIPE}

    def extract(
        self,
        transcripts: Mapping[str, Transcript],
        layers: Sequence[int] | Literal["all"] = "all",
        *,
        min_context: int = 256,
        max_context: int = 512,
    ) -> dict[int, dict[str, EventSeries]]:
        """Return the states of each layer for each run.

        Parameters
        ----------
        transcripts : mapping of run to Transcript
        layers : sequence of int, or "all"
            0 to 2.
        min_context, max_context : int
            In words, the current one included; see `language_states`.

        Returns
        -------
        mapping of layer to mapping of run to EventSeries
            ``values`` of shape (n_words, 8), float32.

        Raises
        ------
        ValueError
            If a layer is not 0, 1 or 2, or the contexts are impossible.
        """
        chosen = choose_layers(layers, self.n_layers)
        states: dict[int, dict[str, EventSeries]] = {layer: {} for layer in chosen}
        for run, transcript in transcripts.items():
            values = _states(transcript.words, min_context, max_context)
            for layer in chosen:
                states[layer][run] = EventSeries(values[layer], transcript.times)
        return states


def _states(words: Sequence[str], min_context: int, max_context: int) -> Array:
    """States of shape (n_layers, n_words, n_dims)."""
    hashed = np.stack([_hash(word) for word in words])
    states = np.empty((Echo.n_layers, *hashed.shape), dtype=np.float32)
    for window in plan_windows(len(words), min_context, max_context):
        seen = hashed[window.start : window.stop]
        echo = np.empty_like(seen)
        sound = np.zeros(N_DIMS)
        for i, word in enumerate(seen):
            sound = 0.5 * sound + word
            echo[i] = sound
        mean = np.cumsum(seen, axis=0) / np.arange(1, len(seen) + 1)[:, np.newaxis]
        new = slice(window.first_new - window.start, None)
        for layer, values in enumerate((seen, echo, mean)):
            states[layer, window.first_new : window.stop] = values[new]
    return states


def _hash(word: str) -> Array:
    digest = hashlib.sha256(word.encode()).digest()
    return np.frombuffer(digest, dtype="<u4").astype(np.float64) / 2**31 - 1.0
