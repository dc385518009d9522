"""A language model as an extractor: identified without loading, loaded once, then kept."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from voxscale.arrays import EventSeries
from voxscale.arrays._device import choose_dtype
from voxscale.data import Transcript
from voxscale.features._context import Contexts
from voxscale.features._execute import Read, Reduce, read_batches
from voxscale.features._loading import DTYPES, LanguageModel, load_tokenizer
from voxscale.features._models import find_model, identify, read_config, size_of
from voxscale.features._passes import check_word_vector, in_story_order
from voxscale.features._reading import (
    Asked,
    Layers,
    Progress,
    check_devices,
    checked_batch_size,
    load_models,
    read_states,
)
from voxscale.features._runs import ONLY, as_runs
from voxscale.features._windows import StoryPlanner

if TYPE_CHECKING:
    import torch

    from voxscale.features._reading import Devices

__all__ = ["LanguageExtractor"]

RECIPE = 2  # raise it when the numbers change


class LanguageExtractor:
    """A language model as an extractor; it is loaded when first used, and then kept.

    Parameters
    ----------
    model : str or path
        As in `language_states`.
    device, dtype, batch_size, policy, word_vector, protocol
        As in `language_states`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        device: Devices = None,
        dtype: str | torch.dtype | None = None,
        batch_size: int | None = None,
        policy: str = "growing",
        word_vector: str = "last",
        protocol: str | None = None,
    ) -> None:
        Contexts(policy, protocol=protocol)
        check_word_vector(word_vector, protocol)
        check_devices(device)
        self.files = find_model(model)
        self.policy, self.word_vector, self.protocol = policy, word_vector, protocol
        self._device, self._dtype = device, dtype
        self._batch_size = checked_batch_size(batch_size)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the numbers depend on, beside words and contexts; found without loading."""
        dtype = str(choose_dtype(self._dtype, DTYPES)).removeprefix("torch.")
        told = {"policy": self.policy, "word_vector": self.word_vector, "protocol": self.protocol}
        usual = {"policy": "growing", "word_vector": "last", "protocol": None}
        unusual = {name: value for name, value in told.items() if value != usual[name]}
        return {**identify(self.files), "dtype": dtype, "recipe": RECIPE, **unusual}

    @property
    def n_layers(self) -> int:
        """Layers, the embeddings included; found without loading the weights."""
        return self._size[0]

    @property
    def n_dims(self) -> int:
        """Dimensions of a layer; found without loading the weights."""
        return self._size[1]

    def contexts(self, min_context: int, max_context: int) -> Contexts:
        """Return the contexts of these sizes by this extractor's policy and protocol."""
        return Contexts(self.policy, min_context, max_context, self.protocol)

    def planner(self) -> StoryPlanner:
        """Return what plans this model's passes, without loading the weights.

        Raises
        ------
        DataError
            If the configuration or the tokenizer cannot be had.
        """
        config = read_config(self.files)  # first: without it transformers blames the tokenizer
        tokenizer = load_tokenizer(self.files)
        return StoryPlanner(LanguageModel(self.files.name, None, tokenizer, config))

    def load(self) -> LanguageModel:
        """Load the weights, once, and return the model; errors as `language_states`."""
        return self._models[0]

    def extract(
        self,
        transcripts: Mapping[str, Transcript],
        layers: Layers = "all",
        *,
        min_context: int = 256,
        max_context: int = 512,
        extras: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> dict[int | str, dict[str, EventSeries]]:
        """Return the states of each layer for each run; see `language_states`."""
        asked = Asked(layers, extras, self._batch_size)
        contexts = self.contexts(min_context, max_context)
        runs = as_runs(transcripts)
        return read_states(self._models, runs, asked, contexts, self.word_vector, progress)

    def stream(
        self,
        transcript: Transcript,
        layers: Layers = "all",
        *,
        run: str = ONLY,
        min_context: int = 256,
        max_context: int = 512,
        extras: Sequence[str] = (),
        reduce: Reduce | None = None,
    ) -> Iterator[Read]:
        """Read a story batch by batch, so that no more than a few batches are held at once.

        Parameters
        ----------
        transcript : Transcript
        layers, min_context, max_context, extras
            As in `language_states`.
        run : str
            Named in errors.
        reduce : callable, optional
            Called with a layer or the name of an extra, the passes of a batch and its values
            at their words, (n_words, n_dims) float32; what it returns is kept in their place.

        Yields
        ------
        Read
            The words of one batch, and each layer's values at them. Batches come in the
            story's order, but for a few whose windows are put together by length.
        """
        asked = Asked(layers, extras, self._batch_size)
        chosen = asked.layers_of(self._models[0])
        contexts = self.contexts(min_context, max_context)
        planner = StoryPlanner(self._models[0])
        [passes] = planner.plan({run: transcript}, contexts, word_vector=self.word_vector)
        n_tokens = asked.n_tokens(self._models[0], passes)
        grouped = in_story_order(passes, self._batch_size, n_tokens=n_tokens or 0)
        yield from read_batches(
            self._models, grouped, chosen, asked.extras, reduce=reduce, most_tokens=n_tokens
        )

    def ready(
        self, layers: Layers, extras: Sequence[str] = ()
    ) -> tuple[list[LanguageModel], list[int], tuple[str, ...]]:
        """Load the model on all of its devices, and check what is asked of it.

        Returns
        -------
        models : list of LanguageModel
            One for each device.
        layers : list of int
        extras : tuple of str

        Raises
        ------
        DataError, ValueError, TypeError
            As `language_states`.
        """
        asked = Asked(layers, extras, self._batch_size)
        return self._models, asked.layers_of(self._models[0]), asked.extras

    @cached_property
    def _size(self) -> tuple[int, int]:
        return size_of(self.files)

    @cached_property
    def _models(self) -> list[LanguageModel]:
        return load_models(self.files, self._device, self._dtype, None)
