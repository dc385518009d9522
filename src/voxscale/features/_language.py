"""States of a causal language model at every word of a story, all layers in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.arrays._device import choose_device, choose_dtype
from voxscale.data import Transcript
from voxscale.features._context import Contexts, whole
from voxscale.features._execute import Read, Reduce, copies_on, read_batches, tokens_per_batch
from voxscale.features._layers import choose_layers
from voxscale.features._loading import (
    DTYPES,
    LanguageModel,
    load_model,
    load_tokenizer,
    wrap_model,
)
from voxscale.features._models import find_model, identify, read_config, size_of
from voxscale.features._passes import Pass, batches, check_word_vector, in_story_order
from voxscale.features._runs import ONLY, as_runs
from voxscale.features._surprisal import OF_THE_HEAD, check_extras, check_head
from voxscale.features._windows import StoryPlanner

if TYPE_CHECKING:
    import torch

    Device = str | torch.device | None
    Devices = Device | Sequence[str | torch.device]

__all__ = ["LanguageExtractor", "language_states"]

RECIPE = 2  # raise it when the numbers change

Progress = Callable[[int, int], None]
Layers = Sequence[int] | Literal["all"]


@overload
def language_states(
    transcript: Transcript,
    model: Any,
    *,
    layers: Layers = ...,
    min_context: int = ...,
    max_context: int = ...,
    device: Devices = ...,
    dtype: str | torch.dtype | None = ...,
    batch_size: int | None = ...,
    tokenizer: Any = ...,
    policy: str = ...,
    word_vector: str = ...,
    extras: Sequence[str] = ...,
    protocol: str | None = ...,
    progress: Progress | None = ...,
) -> dict[int | str, EventSeries]: ...
@overload
def language_states(
    transcript: Mapping[str, Transcript],
    model: Any,
    *,
    layers: Layers = ...,
    min_context: int = ...,
    max_context: int = ...,
    device: Devices = ...,
    dtype: str | torch.dtype | None = ...,
    batch_size: int | None = ...,
    tokenizer: Any = ...,
    policy: str = ...,
    word_vector: str = ...,
    extras: Sequence[str] = ...,
    protocol: str | None = ...,
    progress: Progress | None = ...,
) -> dict[int | str, dict[str, EventSeries]]: ...
def language_states(
    transcript: Transcript | Mapping[str, Transcript],
    model: Any,
    *,
    layers: Layers = "all",
    min_context: int = 256,
    max_context: int = 512,
    device: Devices = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int | None = None,
    tokenizer: Any = None,
    policy: str = "growing",
    word_vector: str = "last",
    extras: Sequence[str] = (),
    protocol: str | None = None,
    progress: Progress | None = None,
) -> dict[int | str, EventSeries] | dict[int | str, dict[str, EventSeries]]:
    """Read the hidden states of a causal language model at every word of a story.

    Each word is read in a context of the words before it. By default the context starts at
    the story's first word and grows until it holds ``max_context`` words, the current one
    included; the next word starts over with ``min_context`` words, and the context grows
    again. So every word after the first ``max_context`` sees between ``min_context`` and
    ``max_context`` words, and a story of N words costs
    ``1 + ceil((N - max_context) / (max_context - min_context + 1))`` passes, or one.

    Parameters
    ----------
    transcript : Transcript, or mapping of run to Transcript
        A mapping loads the model once.
    model : str, path, or loaded transformers model
        Name on the Hugging Face hub, local folder, GGUF file, or the short name of a
        packaged model ("smollm2", "gemma3-270m"). Only safetensors and GGUF are read, no
        code of the model's own is run, and the network is used for hub names alone.
    layers : "all" or sequence of int
        0 is the embeddings; there are one more than the model has layers. The last is
        taken after the final norm, as transformers counts. Blocks above the highest one
        asked for are not run. May be empty where there are extras.
    min_context, max_context : int
        In words, the current one included.
    device : str, torch.device or sequence of them, optional
        Default: cuda where there is one, else cpu. Several share the windows, each with a
        copy of the model. "auto" spreads one model over all GPUs and the machine's memory.
    dtype : str or torch.dtype, optional
        For the computation; float32 by default, float16 and bfloat16 save memory.
    batch_size : int, optional
        Windows in a batch. By default as many as memory and speed suggest; halved where
        memory runs out. It does not change the states beyond rounding.
    tokenizer : transformers tokenizer, str or path, optional
        Default: the model's own. Needed for a loaded model. A name or a path is found as
        that of a model is; a folder need hold no more than the tokenizer.
    policy : {"growing", "sliding", "full", "sentence"}
        growing: as above. sliding: every word after exactly ``max_context - 1`` others, at
        the cost of a pass a word. full: from the story's first word for as long as the model
        has positions, then growing from ``min_context`` words until they are full again.
        sentence: growing, but from the sentence's first word (. ? ! … end one).
    word_vector : {"last", "first", "mean"}
        Read a word at the last or the first of the tokens that hold its characters, or take
        their mean.
    extras : sequence of {"surprisal", "entropy", "context_length"}
        From the same passes: the sum over each word's tokens of how unexpected they were,
        and of how uncertain the model was, in bits (the story's first word is NaN where the
        tokenizer has no start token); and how many words a word was read after, itself
        included.
    protocol : {None, "huth2023"}
        "huth2023": contexts of the published code, which are one or two words longer
        and count blank words and a lone ``'s`` as parts of the word before them.
    progress : callable, optional
        Called with the passes done and their total after every batch.

    Returns
    -------
    mapping of layer (and extra) to EventSeries, or to mapping of run to EventSeries
        ``values`` of shape (n_words, n_dims), float32, one column for an extra; ``times``
        the middle of each word, in seconds.

    Raises
    ------
    DataError
        If the model cannot be loaded or is not causal, a window holds more tokens than
        it has positions or than fit into memory, a word gives no token, or a state is not
        finite.
    ValueError
        If a layer, the contexts, the policy, the protocol, the device or the dtype do not
        exist.
    TypeError
        If an argument is of a kind that cannot be used, such as a list of words.

    Notes
    -----
    The words are joined with single spaces and tokenised once, without special tokens.
    A token belongs to the word or words whose characters it covers; the space before a
    word is the word's. Windows are slices of these tokens, each after the tokens that the
    tokenizer puts at the start of a text, or else its ``bos`` token, if it has one.

    References
    ----------
    Antonello, Vaidya & Huth 2023, Scaling laws for language encoding models in fMRI,
    NeurIPS 36.
    """
    contexts = Contexts(policy, min_context, max_context, protocol)
    check_word_vector(word_vector, protocol)
    asked = _Asked(layers, check_extras(extras), _checked_batch_size(batch_size))
    runs = as_runs(transcript)
    models = _open(model, device=device, dtype=dtype, tokenizer=tokenizer)
    chosen = asked.layers_of(models[0])
    passes = [
        one
        for story in StoryPlanner(models[0]).plan(runs, contexts, word_vector=word_vector)
        for one in story
    ]
    n_tokens = asked.n_tokens(models[0], passes)
    grouped = batches(passes, asked.batch_size, n_tokens=n_tokens or 0)
    names: list[int | str] = [*chosen, *asked.extras]
    values: dict[int | str, dict[str, Array]] = {name: {} for name in names}
    done = 0
    for read in read_batches(models, grouped, chosen, asked.extras, most_tokens=n_tokens):
        for name, of_batch in read.states.items():
            _spread(values[name], read.batch, of_batch, runs)
        done += read.n_passes
        if progress is not None:
            progress(done, len(passes))
    states = {
        name: {run: EventSeries(of_run[run], one.times) for run, one in runs.items()}
        for name, of_run in values.items()
    }
    if isinstance(transcript, Mapping):
        return states
    return {name: by_run[ONLY] for name, by_run in states.items()}


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
        self.files = find_model(model)
        self.policy, self.word_vector, self.protocol = policy, word_vector, protocol
        self._device, self._dtype = device, dtype
        self._batch_size = _checked_batch_size(batch_size)

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
        return language_states(
            transcripts,
            self._models,
            layers=layers,
            min_context=min_context,
            max_context=max_context,
            batch_size=self._batch_size,
            policy=self.policy,
            word_vector=self.word_vector,
            extras=extras,
            protocol=self.protocol,
            progress=progress,
        )

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
            Called with the passes of a batch and the values of one layer, (n_words, n_dims)
            float32; what it returns is kept in their place.

        Yields
        ------
        Read
            The words of one batch, and each layer's values at them. Batches come in the
            story's order, but for a few whose windows are put together by length.
        """
        asked = _Asked(layers, check_extras(extras), self._batch_size)
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
        asked = _Asked(layers, check_extras(extras), self._batch_size)
        return self._models, asked.layers_of(self._models[0]), asked.extras

    @cached_property
    def _size(self) -> tuple[int, int]:
        return size_of(self.files)

    @cached_property
    def _models(self) -> list[LanguageModel]:
        return _load(self.files, self._device, self._dtype, None)


class _Asked:
    """What is to be read of a model, once it is known."""

    def __init__(self, layers: Layers, extras: tuple[str, ...], batch_size: int | None) -> None:
        self._layers, self.extras, self.batch_size = layers, extras, batch_size

    def layers_of(self, loaded: LanguageModel) -> list[int]:
        if self.extras:
            if set(self.extras) & set(OF_THE_HEAD):
                check_head(loaded)
            if not isinstance(self._layers, str) and len(self._layers) == 0:
                return []
        return choose_layers(self._layers, loaded.n_layers)

    def n_tokens(self, loaded: LanguageModel, passes: Sequence[Pass]) -> int | None:
        if self.batch_size is not None:
            return None
        return tokens_per_batch(loaded, max(map(len, passes)))


def _open(model: Any, *, device: Any, dtype: Any, tokenizer: Any) -> list[LanguageModel]:
    if isinstance(model, str | os.PathLike):
        return _load(find_model(model), device, dtype, tokenizer)
    if device is not None or dtype is not None:
        msg = "device and dtype are for models named or on disk; move a loaded one yourself."
        raise ValueError(msg)
    if isinstance(model, list):
        return model
    return [wrap_model(model, tokenizer)]


def _load(files: Any, device: Any, dtype: Any, tokenizer: Any) -> list[LanguageModel]:
    if device is None or isinstance(device, str) or not isinstance(device, Sequence):
        return [load_model(files, device=device, dtype=dtype, tokenizer=tokenizer)]
    if not device:
        msg = "device is an empty list; name at least one, or leave it out."
        raise ValueError(msg)
    devices = [choose_device(one) for one in device]
    loaded = load_model(files, device=devices[0], dtype=dtype, tokenizer=tokenizer)
    return copies_on(loaded, devices)


def _spread(
    of_run: dict[str, Array],
    batch: Sequence[Pass],
    values: Array,
    runs: Mapping[str, Transcript],
) -> None:
    """Put the values of a batch where they belong in the arrays of their runs."""
    row = 0
    for one in batch:
        if one.story not in of_run:
            shape = (len(runs[one.story]), values.shape[1])
            of_run[one.story] = np.empty(shape, dtype=np.float32)
        read = values[row : row + len(one.words)]
        of_run[one.story][one.words.start : one.words.stop] = read
        row += len(one.words)


def _checked_batch_size(batch_size: int | None) -> int | None:
    if batch_size is not None and whole("batch_size", batch_size) < 1:
        msg = f"batch_size is {batch_size}; expected 1 or more windows, or None."
        raise ValueError(msg)
    return batch_size
