"""What is asked of a language model, and how it is read on all of its devices."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from voxscale.arrays import Array, EventSeries
from voxscale.arrays._device import choose_device
from voxscale.data import Transcript
from voxscale.features._batch_size import tokens_per_batch
from voxscale.features._context import Contexts, whole
from voxscale.features._execute import copies_on, read_batches
from voxscale.features._layers import choose_layers
from voxscale.features._loading import SPREAD, LanguageModel, load_model, wrap_model
from voxscale.features._models import find_model
from voxscale.features._passes import Pass, batches
from voxscale.features._surprisal import OF_THE_HEAD, check_extras, check_head
from voxscale.features._windows import StoryPlanner

if TYPE_CHECKING:
    import torch

    Device = str | torch.device | None
    Devices = Device | Sequence[str | torch.device]

__all__ = ["Asked", "check_devices", "load_models", "open_models", "read_states"]

Progress = Callable[[int, int], None]
Layers = Sequence[int] | Literal["all"]


class Asked:
    """What is to be read of a model, once it is known."""

    def __init__(self, layers: Layers, extras: Sequence[str], batch_size: int | None) -> None:
        self._layers, self.extras = layers, check_extras(extras)
        self.batch_size = checked_batch_size(batch_size)

    def layers_of(self, loaded: LanguageModel) -> list[int]:
        if set(self.extras) & set(OF_THE_HEAD):
            check_head(loaded)
        return choose_layers(self._layers, loaded.n_layers, may_be_empty=bool(self.extras))

    def n_tokens(self, loaded: LanguageModel, passes: Sequence[Pass]) -> int | None:
        if self.batch_size is not None:
            return None
        return tokens_per_batch(loaded, max(map(len, passes)))


def open_models(model: Any, *, device: Any, dtype: Any, tokenizer: Any) -> list[LanguageModel]:
    if isinstance(model, str | os.PathLike):
        return load_models(find_model(model), device, dtype, tokenizer)
    if device is not None or dtype is not None:
        msg = "device and dtype are for models named or on disk; move a loaded one yourself."
        raise ValueError(msg)
    return [model if isinstance(model, LanguageModel) else wrap_model(model, tokenizer)]


def check_devices(device: Devices) -> None:
    """Raise ValueError for a device that is not here; without one torch is not asked."""
    some = [device] if isinstance(device, str) or not isinstance(device, Sequence) else device
    for one in some:
        if one is not None and (one != SPREAD or len(some) > 1):
            choose_device(one)


def load_models(files: Any, device: Any, dtype: Any, tokenizer: Any) -> list[LanguageModel]:
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


def checked_batch_size(batch_size: int | None) -> int | None:
    if batch_size is not None and whole("batch_size", batch_size) < 1:
        msg = f"batch_size is {batch_size}; expected 1 or more windows, or None."
        raise ValueError(msg)
    return batch_size


def read_states(
    models: Sequence[LanguageModel],
    runs: Mapping[str, Transcript],
    asked: Asked,
    contexts: Contexts,
    word_vector: str,
    progress: Progress | None,
) -> dict[int | str, dict[str, EventSeries]]:
    """Read all at once; what a loaded model and an extractor have in common."""
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
    return {
        name: {run: EventSeries(of_run[run], one.times) for run, one in runs.items()}
        for name, of_run in values.items()
    }
