"""One batch of windows through a model: hooks keep the wanted positions, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError

if TYPE_CHECKING:
    import torch

    from voxscale.features._loading import LanguageModel
    from voxscale.features._parts import Parts
    from voxscale.features._passes import Pass

__all__ = ["evaluating", "not_finite", "read_batch"]

Take = Callable[[int, Array], None]


class _Enough(Exception):
    pass


def read_batch(
    loaded: LanguageModel,
    batch: Sequence[Pass],
    layers: Sequence[int],
    take: Take,
    *,
    to_the_end: bool = False,
    parts: Parts | None = None,
) -> torch.Tensor | None:
    """Run one batch, handing over each layer's states at the words as soon as they are there.

    Blocks above the highest layer asked for are not run, unless ``to_the_end``.

    Parameters
    ----------
    loaded : LanguageModel
    batch : sequence of Pass
    layers : sequence of int
        0 is the embeddings, ``loaded.n_layers - 1`` what the model gives after its last norm.
    take : callable
        Called with a layer and its states, (n_words, n_dims) float32: the words of the first
        pass in their order, then those of the second, …
    to_the_end : bool
    parts : Parts, optional
        The batch is one pass, a part of a window that goes on from the part before.

    Returns
    -------
    tensor of shape (n_windows, n_tokens, n_dims), or None
        The model's output; None where it was not run to the end.
    """
    import torch

    device = loaded.device
    ids, mask = _padded(batch)
    options: dict[str, Any] = {"use_cache": False}
    if parts is not None:
        options = parts.arguments(batch[0])
    elif not mask.all():  # attention is faster without
        options["attention_mask"] = torch.from_numpy(mask).to(device)
    gather = _Gather(batch)
    last = loaded.n_layers - 1
    wanted = set(layers)
    stop_at = None if to_the_end else max(wanted)

    def watch(layer: int) -> Callable[..., None]:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            hidden = args[0] if args else kwargs.get("hidden_states")
            if not isinstance(hidden, torch.Tensor) or hidden.ndim != 3:
                raise _unreadable(loaded)
            take(layer, gather(hidden))
            if layer == stop_at:
                raise _Enough

        return hook

    with ExitStack() as stack, torch.inference_mode():
        for layer in wanted - {last}:
            hook = loaded.blocks[layer].register_forward_pre_hook(watch(layer), with_kwargs=True)
            stack.callback(hook.remove)
        try:
            output: torch.Tensor = loaded.base(
                input_ids=torch.from_numpy(ids).to(device), return_dict=True, **options
            ).last_hidden_state
        except _Enough:
            return None
        if last in wanted:
            take(last, gather(output))
        return output


class _Gather:
    """Picks the words' vectors out of a layer of a padded batch."""

    def __init__(self, batch: Sequence[Pass]) -> None:
        rows = [np.full(len(one.positions), row) for row, one in enumerate(batch)]
        self._rows = np.concatenate(rows)
        self._columns = np.concatenate([one.positions for one in batch])
        counts = np.concatenate([one.counts for one in batch])
        self._counts = None if (counts == 1).all() else counts

    def __call__(self, hidden: torch.Tensor) -> Array:
        import torch

        where = [torch.from_numpy(index).to(hidden.device) for index in (self._rows, self._columns)]
        states = hidden[where[0], where[1]].float()
        if self._counts is not None:
            counts = torch.from_numpy(self._counts).to(hidden.device)
            words = torch.repeat_interleave(torch.arange(len(counts), device=hidden.device), counts)
            means = torch.zeros((len(counts), states.shape[1]), device=hidden.device)
            states = means.index_add_(0, words, states) / counts[:, None]
        values: Array = states.cpu().numpy()
        return values


@contextmanager
def evaluating(base: Any) -> Iterator[None]:
    """Switch off dropout, and leave the model as it was found."""
    was_training = base.training
    base.eval()
    try:
        yield
    finally:
        base.train(was_training)


def not_finite(loaded: LanguageModel, layer: int, batch: Sequence[Pass] = ()) -> DataError:
    """Return the error that says which layer overflowed, and what to do about it."""
    stories = ", ".join(sorted({repr(one.story) for one in batch}))
    where = f" in story {stories}" if batch else ""
    dtype = str(loaded.base.dtype).removeprefix("torch.")
    remedy = {
        "float16": "float16 is too narrow for it, use dtype='bfloat16' or 'float32'",
        "bfloat16": "try dtype='float32', and look at the model's weights",
    }.get(dtype, "look at the model's weights, which may be damaged")
    msg = (
        f"model {loaded.name!r}: states of layer {layer} are not finite{where}; "
        f"expected numbers (computed in {dtype}); {remedy}."
    )
    return DataError(msg)


def _unreadable(loaded: LanguageModel) -> DataError:
    msg = (
        f"the blocks of model {loaded.name!r} are not handed states of shape (windows, tokens, "
        "dims); this kind of model cannot be read."
    )
    return DataError(msg)


def _padded(batch: Sequence[Pass]) -> tuple[Array, Array]:
    """Ids and mask; padded on the right: nothing reaches a token from what follows it."""
    ids = np.zeros((len(batch), max(map(len, batch))), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, one in enumerate(batch):
        ids[row, : len(one)] = one.ids
        mask[row, : len(one)] = 1
    return ids, mask
