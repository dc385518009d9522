"""One batch of windows through a speech encoder: states at the end of each, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import DataError
from voxscale.features._forward import evaluating
from voxscale.features._speech_waves import WaveformFront

if TYPE_CHECKING:
    import torch

    from voxscale.features._speech_blocks import Block
    from voxscale.features._speech_models import SpeechModel

__all__ = ["read_windows"]


class _Enough(Exception):
    pass


def read_windows(
    model: SpeechModel, clip: Any, starts: Array, ends: Array, layers: Sequence[int]
) -> dict[int, Array]:
    """Read the states at the ends of windows of one length.

    Blocks above the highest layer asked for are not run.

    Parameters
    ----------
    model : SpeechModel
    clip : object
        What the model's front made of the sound.
    starts, ends : arrays of int of shape (n_windows,), in samples
    layers : sequence of int
        0 is the input of the first block; the highest is taken after the last norm.

    Returns
    -------
    dict of layer to array of shape (n_windows, n_dims), float32

    Raises
    ------
    DataError
        If a state is not finite.
    """
    import torch

    read = _with_hooks if model.blocks is None else _with_blocks
    with torch.inference_mode(), evaluating(model.whole):
        states = read(model, clip, starts, ends, layers)
        values: Array = torch.stack([states[layer] for layer in layers]).float().cpu().numpy()
    is_finite = np.isfinite(values).all(axis=(1, 2))
    if not is_finite.all():
        raise _not_finite(model, min(np.asarray(layers)[~is_finite].tolist()))
    return dict(zip(layers, values, strict=True))


def _with_blocks(
    model: SpeechModel, clip: Any, starts: Array, ends: Array, layers: Sequence[int]
) -> dict[int, torch.Tensor]:
    position = model.front.position(int(ends[0] - starts[0]))
    x = model.front.embed(clip, starts, ends)
    states = {0: x[:, position].clone()}
    blocks: list[Block] = (model.blocks or [])[: max(layers)]
    bias = _relative_positions(model, x.shape[1])
    for number, block in enumerate(blocks, start=1):
        if number < len(blocks):
            x = block.run(x, bias)
            states[number] = x[:, position].clone()
        else:
            states[number] = block.at(x, position, bias)
    last = model.n_layers - 1
    if last in states and model.norms_at_the_end:
        states[last] = model.encoder.layer_norm(states[last])
    return {layer: states[layer] for layer in layers}


def _relative_positions(model: SpeechModel, n_positions: int) -> torch.Tensor | None:
    """Return what WavLM adds to attention, (n_heads, n_positions, n_positions)."""
    if model.config.model_type != "wavlm":
        return None
    held = model.tried.get("bias")
    if held is None or held.shape[-1] != n_positions:
        attention = model.encoder.layers[0].attention
        held = attention.compute_bias(n_positions, n_positions)
        model.tried["bias"] = held
    found: torch.Tensor = held
    return found


def _with_hooks(
    model: SpeechModel, clip: Any, starts: Array, ends: Array, layers: Sequence[int]
) -> dict[int, torch.Tensor]:
    """Let transformers run the blocks, and look at what goes into each."""
    import torch

    states: dict[int, torch.Tensor] = {}
    last = model.n_layers - 1

    def watch(layer: int) -> Callable[..., None]:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            hidden = args[0] if args else kwargs["hidden_states"]
            states[layer] = hidden[:, -1].clone()
            if layer == max(layers):
                raise _Enough

        return hook

    def ended(module: Any, args: Any, output: Any) -> None:
        hidden = output if isinstance(output, torch.Tensor) else output[0]
        states[last] = hidden[:, -1].clone()
        raise _Enough

    with ExitStack() as stack:
        for layer in set(layers) - {last}:
            block = model.encoder.layers[layer]
            stack.callback(block.register_forward_pre_hook(watch(layer), with_kwargs=True).remove)
        # SEW fills up what it gives with zeros, where an odd position is left over.
        end = getattr(model.encoder, "upsample", model.encoder)
        stack.callback(end.register_forward_hook(ended).remove)
        try:
            if isinstance(model.front, WaveformFront):
                model.whole(clip.samples(starts, ends))
            else:
                model.encoder(model.front.embed(clip, starts, ends))
        except _Enough:
            pass
    return {layer: states[layer] for layer in layers}


def _not_finite(model: SpeechModel, layer: int) -> DataError:
    dtype = str(model.dtype).removeprefix("torch.")
    remedy = {
        "float16": "float16 is too narrow for it, use dtype='bfloat16' or 'float32'",
        "bfloat16": "try dtype='float32', and look at the model's weights",
    }.get(dtype, "look at the model's weights, which may be damaged")
    msg = (
        f"model {model.name!r}: states of layer {layer} are not finite; expected numbers "
        f"(computed in {dtype}); {remedy}."
    )
    return DataError(msg)
