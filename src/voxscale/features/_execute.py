"""Batches through one model or several copies of it: in order, and smaller when memory runs out."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError
from voxscale.features._batch_size import LEAST_TOKENS
from voxscale.features._forward import evaluating, not_finite, read_batch
from voxscale.features._parts import Parts, can_split, split
from voxscale.features._surprisal import OF_THE_HEAD, context_lengths, word_information

if TYPE_CHECKING:
    import torch

    from voxscale.features._loading import LanguageModel
    from voxscale.features._passes import Pass

__all__ = ["Read", "copies_on", "ran_out", "read_batches"]

Batch = Sequence["Pass"]
Reduce = Callable[[int | str, Batch, Array], Any]


@dataclass(frozen=True, eq=False)
class Read:
    """What one batch gave.

    Parameters
    ----------
    batch : sequence of Pass
    states : dict of layer, or name of an extra, to what was made of its values
    n_passes : int
        Passes that are complete with it: all of the batch, or none where it is a part of a
        window that has to be run in parts, and not the last.
    """

    batch: Batch
    states: dict[int | str, Any]
    n_passes: int


def read_batches(
    models: Sequence[LanguageModel],
    batches: Iterable[Batch],
    layers: Sequence[int],
    extras: Sequence[str] = (),
    *,
    reduce: Reduce | None = None,
    most_tokens: int | None = None,
) -> Iterator[Read]:
    """Run batches, those that do not fit into memory in halves, and give them back in order.

    A single window that does not fit is run in parts, where the model can go on from kept
    keys and values.

    Parameters
    ----------
    models : sequence of LanguageModel
        Copies of one model on several devices share the batches.
    batches : iterable of sequences of Pass
    layers : sequence of int
    extras : sequence of str
        "surprisal", "entropy", "context_length".
    reduce : callable, optional
        Called with a layer or the name of an extra, a batch, and its values, (n_words, n_dims)
        float32; what it returns is kept in their place. May be called again for the same words when
        memory ran out in between.
    most_tokens : int, optional
        As many as are thought to fit at once. Default: to be found out.

    Yields
    ------
    Read

    Raises
    ------
    DataError
        If a state is not finite, or a single window does not fit into memory.
    """
    task = _Task(tuple(layers), tuple(extras), reduce or _as_they_are, most_tokens)
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


class _Task:
    """What is read of every batch; remembers how many tokens were too many."""

    def __init__(
        self,
        layers: tuple[int, ...],
        extras: tuple[str, ...],
        reduce: Reduce,
        most_tokens: int | None,
    ) -> None:
        self._layers, self._extras, self._reduce = layers, extras, reduce
        self._too_many = float("inf") if most_tokens is None else most_tokens + 1

    def __call__(self, loaded: LanguageModel, batch: Batch) -> list[Read]:
        n_tokens = len(batch) * max(map(len, batch))
        reads = self._try(loaded, [batch], n_tokens, None)
        if reads is None and len(batch) > 1:
            half = (len(batch) + 1) // 2
            return self(loaded, batch[:half]) + self(loaded, batch[half:])
        return self._in_parts(loaded, batch[0]) if reads is None else reads

    def _in_parts(self, loaded: LanguageModel, one: Pass) -> list[Read]:
        n_tokens = int(min(self._too_many, len(one))) // 2
        while can_split(loaded) and n_tokens >= LEAST_TOKENS:
            parts = [[part] for part in split(one, n_tokens)]
            reads = self._try(loaded, parts, n_tokens, Parts(loaded))
            if reads is not None:
                reads[-1] = replace(reads[-1], n_passes=1)
                return [read for read in reads if read.states]
            n_tokens //= 2
        raise _too_large(loaded, one)

    def _try(
        self, loaded: LanguageModel, batches: Sequence[Batch], n_tokens: int, parts: Parts | None
    ) -> list[Read] | None:
        """Read batches; None if they hold too many tokens for the memory."""
        if n_tokens >= self._too_many:
            return None
        try:
            return [self._read(loaded, batch, parts) for batch in batches]
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            self._too_many = n_tokens
        _release(loaded)
        return None

    def _read(self, loaded: LanguageModel, batch: Batch, parts: Parts | None) -> Read:
        states: dict[int | str, Any] = {}
        has_words = any(len(one.words) for one in batch)

        def take_layer(layer: int, values: Array) -> None:
            if not np.isfinite(values).all():
                raise not_finite(loaded, layer, batch)
            take(layer, values)

        def take(name: int | str, values: Array) -> None:
            if has_words:
                states[name] = self._reduce(name, batch, values)

        of_the_head = [name for name in self._extras if name in OF_THE_HEAD]
        if self._layers or of_the_head:
            output = read_batch(
                loaded, batch, self._layers, take_layer, to_the_end=bool(of_the_head), parts=parts
            )
            if output is not None and of_the_head:
                told = batch
                if parts is not None:
                    told, output = parts.joined(batch, output)
                for name, values in word_information(loaded, told, output).items():
                    if name in of_the_head:
                        take(name, values)
        if "context_length" in self._extras:
            take("context_length", context_lengths(batch))
        return Read(batch, states, len(batch) if parts is None else 0)


def _as_they_are(name: int | str, batch: Batch, values: Array) -> Array:
    return values


def ran_out(error: BaseException) -> bool:
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
        f"{loaded.device} beside model {loaded.name!r}; lower max_context (or "
        "choose another policy than full), use dtype='bfloat16', or spread the model with "
        "device='auto'."
    )
    return DataError(msg)
