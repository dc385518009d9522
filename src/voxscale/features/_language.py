"""States of a causal language model at every word of a story, all layers in one pass."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.arrays._device import choose_dtype
from voxscale.data import Transcript
from voxscale.errors import DataError
from voxscale.features._context import check_protocol, check_sizes, whole
from voxscale.features._layers import choose_layers
from voxscale.features._loading import DTYPES, LanguageModel, load_model, wrap_model
from voxscale.features._models import find_model, identify, size_of
from voxscale.features._passes import Pass, StoryWords, batches, check_fits, plan_passes
from voxscale.features._runs import ONLY, as_runs
from voxscale.features._tokens import start_tokens, tokenize_story

if TYPE_CHECKING:
    import torch

__all__ = ["LanguageExtractor", "language_states"]

RECIPE = 1  # raise it when the numbers change

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
    device: str | torch.device | None = ...,
    dtype: str | torch.dtype | None = ...,
    batch_size: int | None = ...,
    tokenizer: Any = ...,
    protocol: str | None = ...,
    progress: Progress | None = ...,
) -> dict[int, EventSeries]: ...
@overload
def language_states(
    transcript: Mapping[str, Transcript],
    model: Any,
    *,
    layers: Layers = ...,
    min_context: int = ...,
    max_context: int = ...,
    device: str | torch.device | None = ...,
    dtype: str | torch.dtype | None = ...,
    batch_size: int | None = ...,
    tokenizer: Any = ...,
    protocol: str | None = ...,
    progress: Progress | None = ...,
) -> dict[int, dict[str, EventSeries]]: ...
def language_states(
    transcript: Transcript | Mapping[str, Transcript],
    model: Any,
    *,
    layers: Layers = "all",
    min_context: int = 256,
    max_context: int = 512,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    batch_size: int | None = None,
    tokenizer: Any = None,
    protocol: str | None = None,
    progress: Progress | None = None,
) -> dict[int, EventSeries] | dict[int, dict[str, EventSeries]]:
    """Read the hidden states of a causal language model at every word of a story.

    Each word is read at its last token, in a context of the words before it. The
    context starts at the story's first word and grows until it holds ``max_context``
    words, the current one included; the next word starts over with ``min_context``
    words, and the context grows again. So every word after the first ``max_context``
    sees between ``min_context`` and ``max_context`` words, and a story of N words costs
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
        taken after the final norm, as transformers counts.
    min_context, max_context : int
        In words, the current one included. Equal numbers give a sliding window.
    device : str or torch.device, optional
        Default: cuda where there is one, else cpu.
    dtype : str or torch.dtype, optional
        For the computation; float32 by default, float16 and bfloat16 save memory.
    batch_size : int, optional
        Windows in a batch. By default as many as hold about 4096 tokens. It does not
        change the states beyond rounding.
    tokenizer : transformers tokenizer, str or path, optional
        Default: the model's own. Needed for a loaded model. A name or a path is found as
        that of a model is; a folder need hold no more than the tokenizer.
    protocol : {None, "huth2023"}
        "huth2023": contexts of the published code, which are one or two words longer
        and count blank words and a lone ``'s`` as parts of the word before them.
    progress : callable, optional
        Called with the passes done and their total after every batch.

    Returns
    -------
    mapping of layer to EventSeries, or of layer to mapping of run to EventSeries
        ``values`` of shape (n_words, n_dims), float32; ``times`` the middle of each word,
        in seconds.

    Raises
    ------
    DataError
        If the model cannot be loaded or is not causal, a window holds more tokens than
        it has positions, a word gives no token, or a state is not finite.
    ValueError
        If a layer, the contexts, the protocol, the device or the dtype do not exist.
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
    check_sizes(min_context, max_context)
    check_protocol(protocol)
    batch_size = _checked_batch_size(batch_size)
    runs = as_runs(transcript)
    loaded = _open(model, device=device, dtype=dtype, tokenizer=tokenizer)
    chosen = choose_layers(layers, loaded.n_layers)
    passes = _plan(runs, loaded, min_context, max_context, protocol)
    values = _run(loaded, passes, runs, chosen, batch_size, progress)
    states = {
        layer: {run: EventSeries(values[layer][run], one.times) for run, one in runs.items()}
        for layer in chosen
    }
    if isinstance(transcript, Mapping):
        return states
    return {layer: by_run[ONLY] for layer, by_run in states.items()}


class LanguageExtractor:
    """A language model as an extractor; it is loaded when first used, and then kept.

    Parameters
    ----------
    model : str or path
        As in `language_states`.
    device, dtype, batch_size, protocol
        As in `language_states`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        batch_size: int | None = None,
        protocol: str | None = None,
    ) -> None:
        check_protocol(protocol)
        self._files = find_model(model)
        self._device, self._dtype = device, dtype
        self._batch_size, self._protocol = batch_size, protocol

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What the numbers depend on, beside words and contexts; found without loading."""
        dtype = str(choose_dtype(self._dtype, DTYPES)).removeprefix("torch.")
        identity = {**identify(self._files), "dtype": dtype, "recipe": RECIPE}
        return identity if self._protocol is None else {**identity, "protocol": self._protocol}

    @property
    def n_layers(self) -> int:
        """Layers, the embeddings included; found without loading the weights."""
        return self._size[0]

    @property
    def n_dims(self) -> int:
        """Dimensions of a layer; found without loading the weights."""
        return self._size[1]

    def extract(
        self,
        transcripts: Mapping[str, Transcript],
        layers: Layers = "all",
        *,
        min_context: int = 256,
        max_context: int = 512,
        progress: Progress | None = None,
    ) -> dict[int, dict[str, EventSeries]]:
        """Return the states of each layer for each run; see `language_states`."""
        return language_states(
            transcripts,
            self._loaded,
            layers=layers,
            min_context=min_context,
            max_context=max_context,
            batch_size=self._batch_size,
            protocol=self._protocol,
            progress=progress,
        )

    @cached_property
    def _size(self) -> tuple[int, int]:
        return size_of(self._files)

    @cached_property
    def _loaded(self) -> LanguageModel:
        return load_model(self._files, device=self._device, dtype=self._dtype)


def _open(model: Any, *, device: Any, dtype: Any, tokenizer: Any) -> LanguageModel:
    if isinstance(model, str | os.PathLike):
        return load_model(find_model(model), device=device, dtype=dtype, tokenizer=tokenizer)
    if device is not None or dtype is not None:
        msg = "device and dtype are for models named or on disk; move a loaded one yourself."
        raise ValueError(msg)
    if isinstance(model, LanguageModel):
        return model
    return wrap_model(model, tokenizer)


def _plan(
    runs: Mapping[str, Transcript],
    loaded: LanguageModel,
    min_context: int,
    max_context: int,
    protocol: str | None,
) -> list[Pass]:
    """Plan the passes of all stories, after every check that needs no pass."""
    start = start_tokens(loaded.tokenizer)
    stories = []
    for run, transcript in runs.items():
        words = transcript.words
        tokens = tokenize_story(words, loaded.tokenizer, run, allow_blank=protocol is not None)
        stories.append(StoryWords(run, words, tokens))
    if not stories:
        msg = "there is no transcript; name at least one run."
        raise DataError(msg)
    check_fits(stories, len(start), loaded.limit, min_context, max_context, protocol)
    passes = [
        one
        for story in stories
        for one in plan_passes(story, start, min_context, max_context, protocol)
    ]
    _check_vocabulary(passes, loaded)
    return passes


def _check_vocabulary(passes: Sequence[Pass], loaded: LanguageModel) -> None:
    n_known = int(loaded.base.get_input_embeddings().weight.shape[0])
    largest = max(int(one.ids.max(initial=-1)) for one in passes)
    if largest >= n_known:
        msg = (
            f"the tokenizer gives token {largest}, but model {loaded.name!r} has {n_known} of "
            "them; expected a model and a tokenizer that belong together; check tokenizer=."
        )
        raise DataError(msg)


def _run(
    loaded: LanguageModel,
    passes: Sequence[Pass],
    runs: Mapping[str, Transcript],
    layers: Sequence[int],
    batch_size: int | None,
    progress: Progress | None,
) -> dict[int, dict[str, Array]]:
    """Values of each layer and run, shape (n_words, n_dims)."""
    values: dict[int, dict[str, Array]] = {layer: {} for layer in layers}
    done = 0
    with _evaluating(loaded.base):
        for batch in batches(passes, batch_size):
            for layer, states in _read(loaded, batch, layers).items():
                if not np.isfinite(states).all():
                    raise _not_finite(loaded, layer, batch)
                of_layer, row = values[layer], 0
                for one in batch:
                    if one.story not in of_layer:
                        shape = (len(runs[one.story]), states.shape[1])
                        of_layer[one.story] = np.empty(shape, dtype=np.float32)
                    read = states[row : row + len(one.words)]
                    of_layer[one.story][one.words.start : one.words.stop] = read
                    row += len(one.words)
            done += len(batch)
            if progress is not None:
                progress(done, len(passes))
    return values


def _read(loaded: LanguageModel, batch: Sequence[Pass], layers: Sequence[int]) -> dict[int, Array]:
    """Run one batch; return each layer's states at the words read, in their order."""
    import torch

    # Padded on the right: with a causal model nothing reaches a token from what follows it.
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(batch):
        ids[row, : len(one)] = one.ids
        mask[row, : len(one)] = 1
    rows = np.repeat(np.arange(len(batch)), [len(one.words) for one in batch])
    columns = np.concatenate([one.positions for one in batch])
    device = loaded.base.device
    with torch.inference_mode():
        output = loaded.base(
            input_ids=torch.from_numpy(ids).to(device),
            attention_mask=torch.from_numpy(mask).to(device),
            output_hidden_states=True,
            use_cache=False,
            return_dict=True,
        )
        hidden_states = output.hidden_states
        if len(hidden_states) != loaded.n_layers:
            msg = (
                f"model {loaded.name!r} gives {len(hidden_states)} layers, its configuration "
                f"says {loaded.n_layers}, the embeddings included; this model cannot be used."
            )
            raise DataError(msg)
        where = torch.from_numpy(rows).to(device), torch.from_numpy(columns).to(device)
        return {layer: hidden_states[layer][where].float().cpu().numpy() for layer in layers}


@contextmanager
def _evaluating(base: Any) -> Iterator[None]:
    """Switch off dropout, and leave the model as it was found."""
    was_training = base.training
    base.eval()
    try:
        yield
    finally:
        base.train(was_training)


def _not_finite(loaded: LanguageModel, layer: int, batch: Sequence[Pass]) -> DataError:
    stories = ", ".join(sorted({repr(one.story) for one in batch}))
    msg = (
        f"model {loaded.name!r}: states of layer {layer} are not finite in story {stories}; "
        f"expected numbers; {loaded.base.dtype} may be too narrow, use dtype='float32'."
    )
    return DataError(msg)


def _checked_batch_size(batch_size: int | None) -> int | None:
    if batch_size is not None and whole("batch_size", batch_size) < 1:
        msg = f"batch_size is {batch_size}; expected 1 or more windows, or None."
        raise ValueError(msg)
    return batch_size
