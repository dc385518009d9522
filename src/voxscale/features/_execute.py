"""Batches through one model or several copies of it: in order, and smaller when memory runs out."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.arrays._memory import available_bytes
from voxscale.errors import DataError
from voxscale.features._forward import evaluating, read_batch
from voxscale.features._surprisal import OF_THE_HEAD, context_lengths, word_information

if TYPE_CHECKING:
    import torch

    from voxscale.features._loading import LanguageModel
    from voxscale.features._passes import Pass

__all__ = ["Read", "copies_on", "read_batches", "tokens_per_batch"]

Batch = Sequence["Pass"]
Reduce = Callable[[Batch, Array], Any]

# More tokens at once gain no speed; the widest batch is also bounded by memory.
_COMFORTABLE_TOKENS = {"cpu": 4096, "cuda": 65536}
_SHARE = 0.5  # of the free memory


@dataclass(frozen=True, eq=False)
class Read:
    """What one batch gave.

    Parameters
    ----------
    batch : sequence of Pass
    states : dict of layer, or name of an extra, to what was made of its values
    """

    batch: Batch
    states: dict[int | str, Any]


def read_batches(
    models: Sequence[LanguageModel],
    batches: Iterable[Batch],
    layers: Sequence[int],
    extras: Sequence[str] = (),
    *,
    reduce: Reduce | None = None,
) -> Iterator[Read]:
    """Run batches, those that do not fit into memory in halves, and give them back in order.

    Parameters
    ----------
    models : sequence of LanguageModel
        Copies of one model on several devices share the batches.
    batches : iterable of sequences of Pass
    layers : sequence of int
    extras : sequence of str
        "surprisal", "entropy", "context_length".
    reduce : callable, optional
        Called with a batch and the values of a layer or an extra, (n_words, n_dims) float32;
        what it returns is kept in their place. May be called again for the same words when
        memory ran out in between.

    Yields
    ------
    Read

    Raises
    ------
    DataError
        If a state is not finite, or a single window does not fit into memory.
    """
    task = _Task(tuple(layers), tuple(extras), reduce or _as_they_are)
    with ExitStack() as stack:
        for model in models:
            stack.enter_context(evaluating(model.base))
        if len(models) == 1:
            for batch in batches:
                yield from task(models[0], batch)
            return
        idle: SimpleQueue[LanguageModel] = SimpleQueue()
        for model in models:
            idle.put(model)

        def run(batch: Batch) -> list[Read]:
            model = idle.get()
            try:
                return task(model, batch)
            finally:
                idle.put(model)

        pool = stack.enter_context(ThreadPoolExecutor(len(models)))
        running: deque[Future[list[Read]]] = deque()
        for batch in batches:
            running.append(pool.submit(run, batch))
            if len(running) > 2 * len(models):
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()


def copies_on(loaded: LanguageModel, devices: Sequence[torch.device]) -> list[LanguageModel]:
    """Copy a model to several devices; the first gets the model itself."""
    from voxscale.features._loading import LanguageModel

    copies = []
    for number, device in enumerate(devices):
        whole = loaded.base if loaded.whole is None else loaded.whole
        whole = (copy.deepcopy(whole) if number else whole).to(device)
        base = whole if loaded.whole is None else whole.base_model
        head = None if loaded.whole is None else whole
        copies.append(LanguageModel(loaded.name, base, loaded.tokenizer, loaded.config, head))
    return copies


def tokens_per_batch(loaded: LanguageModel, longest: int) -> int:
    """Choose how many tokens to run at once.

    On a GPU the longest window is run once, and the memory it takes is measured; elsewhere
    it is reckoned from the width of the model.

    Parameters
    ----------
    loaded : LanguageModel
    longest : int
        Tokens of the longest window.

    Returns
    -------
    int
        At least ``longest``; a power of two windows of that length.
    """
    device = loaded.device
    comfortable = _COMFORTABLE_TOKENS.get(device.type, _COMFORTABLE_TOKENS["cpu"])
    if longest >= comfortable:
        return longest
    per_window = _probe(loaded, longest) if device.type == "cuda" else _reckon(loaded, longest)
    fits = int(_SHARE * available_bytes(device)) // max(1, per_window)
    n_windows = max(1, min(fits, comfortable // longest))
    return longest * (1 << (n_windows.bit_length() - 1))


class _Task:
    """What is read of every batch; remembers how many tokens were too many."""

    def __init__(self, layers: tuple[int, ...], extras: tuple[str, ...], reduce: Reduce) -> None:
        self._layers, self._extras, self._reduce = layers, extras, reduce
        self._too_many: float = float("inf")

    def __call__(self, loaded: LanguageModel, batch: Batch) -> list[Read]:
        n_tokens = len(batch) * max(map(len, batch))
        if len(batch) == 1 or n_tokens < self._too_many:
            try:
                return [self._read(loaded, batch)]
            except (RuntimeError, MemoryError) as error:
                if not _ran_out(error):
                    raise
                if len(batch) == 1:
                    raise _too_large(loaded, batch[0]) from error
            self._too_many = min(self._too_many, n_tokens)
            _release(loaded)
        half = (len(batch) + 1) // 2
        return self(loaded, batch[:half]) + self(loaded, batch[half:])

    def _read(self, loaded: LanguageModel, batch: Batch) -> Read:
        states: dict[int | str, Any] = {}

        def take(layer: int, values: Array) -> None:
            if not np.isfinite(values).all():
                raise _not_finite(loaded, layer, batch)
            states[layer] = self._reduce(batch, values)

        of_the_head = [name for name in self._extras if name in OF_THE_HEAD]
        if self._layers or of_the_head:
            output = read_batch(loaded, batch, self._layers, take, to_the_end=bool(of_the_head))
            if output is not None and of_the_head:
                information = word_information(loaded, batch, output)
                states |= {name: self._reduce(batch, information[name]) for name in of_the_head}
        if "context_length" in self._extras:
            states["context_length"] = self._reduce(batch, context_lengths(batch))
        return Read(batch, states)


def _as_they_are(batch: Batch, values: Array) -> Array:
    return values


def _probe(loaded: LanguageModel, longest: int) -> int:
    """Measure the bytes that one window takes on a GPU."""
    import torch

    device = loaded.device
    ids = torch.zeros((1, longest), dtype=torch.long, device=device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    with torch.inference_mode(), evaluating(loaded.base):
        loaded.base(input_ids=ids, use_cache=False, return_dict=True)
    return int(torch.cuda.max_memory_allocated(device) - before)


def _reckon(loaded: LanguageModel, longest: int) -> int:
    """Bytes of one window: a dozen vectors a token, and scores of attention where kept whole."""
    from voxscale.features._models import text_config

    config = text_config(loaded.config)
    width = int(config.hidden_size)
    inner = int(getattr(config, "intermediate_size", None) or 4 * width)
    per_token = 12 * width + 3 * inner
    if getattr(config, "_attn_implementation", "") == "eager":
        per_token += 2 * longest * int(getattr(config, "num_attention_heads", 1))
    return longest * per_token * int(loaded.base.dtype.itemsize)


def _ran_out(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out, on whatever device."""
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        "not enough memory" in str(error) or "can't allocate memory" in str(error)
    )


def _release(loaded: LanguageModel) -> None:
    import torch

    if loaded.device.type == "cuda":
        torch.cuda.empty_cache()


def _too_large(loaded: LanguageModel, one: Pass) -> DataError:
    msg = (
        f"story {one.story!r}: a window of {len(one)} tokens does not fit into the memory of "
        f"{loaded.device} beside model {loaded.name!r}; lower max_context, use "
        "dtype='bfloat16', or spread the model with device='auto'."
    )
    return DataError(msg)


def _not_finite(loaded: LanguageModel, layer: int, batch: Batch) -> DataError:
    stories = ", ".join(sorted({repr(one.story) for one in batch}))
    msg = (
        f"model {loaded.name!r}: states of layer {layer} are not finite in story {stories}; "
        f"expected numbers; {loaded.base.dtype} may be too narrow, use dtype='bfloat16' or "
        "'float32'."
    )
    return DataError(msg)
