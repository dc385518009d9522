"""Blocks of speech encoders, of which the last is computed at one position only.

The same arithmetic as the modules of transformers. Of the highest block that is asked for, one
position is wanted: its other queries, its attention there and its feed-forward part are spared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxscale.features._speech_linear import linear

if TYPE_CHECKING:
    import torch

__all__ = ["Block", "blocks_of"]

# transformers' names of the models whose blocks are known here.
_WAVEFORMS = ("data2vec-audio", "hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")


@dataclass(frozen=True, eq=False)
class Block:
    """One block of a transformer encoder.

    Parameters
    ----------
    first_norm, last_norm : torch.nn.LayerNorm
    query, key, value, out, inner, outer : torch.nn.Linear
    activation : callable
    n_heads : int
    is_pre_norm : bool
        Whether the norms come before attention and feed-forward part, or after them.
    gate : module, optional
        WavLM's attention, which gates the bias of relative positions.
    adapter : module, optional
        What is added after the block.
    is_clamped : bool
        Whether half precision is kept from overflowing, as transformers does for Whisper.
    """

    first_norm: Any
    last_norm: Any
    query: Any
    key: Any
    value: Any
    out: Any
    inner: Any
    outer: Any
    activation: Callable[[torch.Tensor], torch.Tensor]
    n_heads: int
    is_pre_norm: bool
    gate: Any = None
    adapter: Any = None
    is_clamped: bool = False

    def run(self, x: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the block at all positions.

        Parameters
        ----------
        x : tensor of shape (n_windows, n_positions, n_dims)
            It may be written over.
        bias : tensor of shape (n_heads, n_positions, n_positions), optional
            Of relative positions, before the gate.

        Returns
        -------
        tensor of the same shape
        """
        seen = self.first_norm(x) if self.is_pre_norm else x
        attended = self._attended(seen, seen, bias)
        return self._ended(x.add_(attended))

    def at(self, x: torch.Tensor, position: int, bias: torch.Tensor | None = None) -> torch.Tensor:
        """Compute the block at one position, (n_windows, n_dims)."""
        seen = self.first_norm(x) if self.is_pre_norm else x
        chosen = slice(position, position + 1)
        rows = None if bias is None else bias[:, chosen]
        attended = self._attended(seen[:, chosen], seen, rows)
        return self._ended(x[:, chosen] + attended)[:, 0]

    def _attended(
        self, asking: torch.Tensor, x: torch.Tensor, bias: torch.Tensor | None
    ) -> torch.Tensor:
        """Attend from some positions to all."""
        import torch

        def heads(of: torch.Tensor, module: Any) -> torch.Tensor:
            made = _apply(module, of)
            return made.view(*of.shape[:2], self.n_heads, -1).transpose(1, 2)

        mask = None if bias is None else self._gate(asking) * bias
        attended = torch.nn.functional.scaled_dot_product_attention(
            heads(asking, self.query), heads(x, self.key), heads(x, self.value), attn_mask=mask
        )
        return _apply(self.out, attended.transpose(1, 2).reshape(asking.shape))

    def _gate(self, x: torch.Tensor) -> torch.Tensor:
        """Gate relative positions by what is at the position that attends."""
        import torch

        by_head = x.view(*x.shape[:2], self.n_heads, -1).transpose(1, 2)
        projected = self.gate.gru_rel_pos_linear(by_head)
        summed = projected.view(*projected.shape[:-1], 2, 4).sum(-1)
        first, second = torch.sigmoid(summed).chunk(2, dim=-1)
        gate: torch.Tensor = first * (second * self.gate.gru_rel_pos_const - 1.0) + 2.0
        return gate

    def _ended(self, x: torch.Tensor) -> torch.Tensor:
        """Do what comes after attention, position by position."""
        import torch

        if self.is_pre_norm:
            x = x.add_(self._fed_forward(self.last_norm(x)))
        else:
            x = self.first_norm(x)
            x = self.last_norm(x.add_(self._fed_forward(x)))
        if self.adapter is not None:
            x = x + self.adapter(x)
        if self.is_clamped and x.dtype == torch.float16:
            most = torch.finfo(x.dtype).max - 1000
            x = x.clamp_(min=-most, max=most)
        return x

    def _fed_forward(self, x: torch.Tensor) -> torch.Tensor:
        if type(self.activation).__name__ in ("GELUActivation", "GELU"):
            return _apply(self.outer, _apply(self.inner, x, gelu=True))
        return _apply(self.outer, self.activation(_apply(self.inner, x)))


def blocks_of(config: Any, layers: Any) -> list[Block] | None:
    """Take the parts of an encoder's blocks; None where this kind of block is not known.

    Parameters
    ----------
    config : transformers configuration
    layers : sequence of torch.nn.Module
    """
    kind = config.model_type
    if not all(_is_plain(layer) for layer in layers):
        return None
    if kind == "whisper":
        return [_of_whisper(layer) for layer in layers]
    if kind in _WAVEFORMS:
        is_pre_norm = bool(getattr(config, "do_stable_layer_norm", False))
        return [
            _of_waveforms(layer, is_pre_norm=is_pre_norm, is_gated=kind == "wavlm")
            for layer in layers
        ]
    return None


def _is_plain(layer: Any) -> bool:
    """Tell whether weights are all there is to a block: no low-rank adapters, no hooks."""
    from torch import nn

    known = (nn.Linear, nn.LayerNorm, nn.Embedding, nn.Dropout)
    leaves = [one for one in layer.modules() if not list(one.children())]
    return all(
        (type(one) in known or not list(one.parameters()))
        and not one._forward_hooks
        and not one._forward_pre_hooks
        for one in leaves
    )


def _of_whisper(layer: Any) -> Block:
    attention = layer.self_attn
    return Block(
        first_norm=layer.self_attn_layer_norm,
        last_norm=layer.final_layer_norm,
        query=attention.q_proj,
        key=attention.k_proj,
        value=attention.v_proj,
        out=attention.out_proj,
        inner=layer.fc1,
        outer=layer.fc2,
        activation=layer.activation_fn,
        n_heads=attention.num_heads,
        is_pre_norm=True,
        is_clamped=True,
    )


def _of_waveforms(layer: Any, *, is_pre_norm: bool, is_gated: bool) -> Block:
    attention, feed_forward = layer.attention, layer.feed_forward
    return Block(
        first_norm=layer.layer_norm,
        last_norm=layer.final_layer_norm,
        query=attention.q_proj,
        key=attention.k_proj,
        value=attention.v_proj,
        out=attention.out_proj,
        inner=feed_forward.intermediate_dense,
        outer=feed_forward.output_dense,
        activation=feed_forward.intermediate_act_fn,
        n_heads=attention.num_heads,
        is_pre_norm=is_pre_norm,
        gate=attention if is_gated else None,
        adapter=getattr(layer, "adapter_layer", None),
    )


def _apply(module: Any, x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
    flat = x.reshape(-1, x.shape[-1])
    return linear(flat, module.weight, module.bias, gelu=gelu).view(*x.shape[:-1], -1)
