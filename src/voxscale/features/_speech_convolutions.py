"""The convolutions of wav2vec 2.0 and its kin, as products with overlapping rows.

In an array of shape (n_frames, n_channels) the frames that a kernel covers lie one after the other,
so that a convolution is a product with a view. The group norm of the first one, over the time of a
window, is folded into its kernel: mean and variance of its output follow from those of its input.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from voxscale.features._speech_linear import linear

if TYPE_CHECKING:
    import torch

__all__ = ["can_convolve", "convolve"]

_ROWS = 2048  # at once, so that what lies between two convolutions stays in the cache

Rows = Callable[[int, int], "torch.Tensor"]


def can_convolve(layers: Sequence[Any]) -> bool:
    """Tell whether these are convolutions of the kind that is known here."""
    from torch import nn

    def is_known(layer: Any, norms: tuple[type, ...]) -> bool:
        conv, norm = getattr(layer, "conv", None), getattr(layer, "layer_norm", None)
        return (
            isinstance(conv, nn.Conv1d)
            and (conv.padding, conv.dilation, conv.groups) == ((0,), (1,), 1)
            and type(getattr(layer, "activation", None)).__name__ in ("GELUActivation", "GELU")
            and (norm is None or isinstance(norm, norms))
        )

    first, *others = layers
    norm = getattr(first, "layer_norm", None)
    if isinstance(norm, nn.GroupNorm) and norm.num_groups != norm.num_channels:
        return False
    return is_known(first, (nn.GroupNorm, nn.LayerNorm)) and all(
        is_known(one, (nn.LayerNorm,)) for one in others
    )


def convolve(layers: Sequence[Any], waveform: torch.Tensor) -> torch.Tensor:
    """Run all convolutions over a waveform.

    Parameters
    ----------
    layers : sequence of torch.nn.Module
        With ``conv``, ``activation`` and perhaps ``layer_norm``.
    waveform : tensor of shape (n_samples,)

    Returns
    -------
    tensor of shape (n_frames, n_channels)
    """
    n_frames = len(waveform)
    rows = _slices(waveform[:, None])
    for number, layer in enumerate(layers):
        n_frames = (n_frames - layer.conv.kernel_size[0]) // layer.conv.stride[0] + 1
        made = _layer(layer, rows, waveform)
        rows = made if number == 0 else _slices(_whole(made, n_frames))
    return rows(0, n_frames)


def _slices(whole: torch.Tensor) -> Rows:
    return lambda start, stop: whole[start:stop]


def _whole(rows: Rows, n_frames: int) -> torch.Tensor:
    import torch

    parts = [rows(at, min(at + _ROWS, n_frames)) for at in range(0, n_frames, _ROWS)]
    return torch.cat(parts)


def _layer(layer: Any, rows: Rows, waveform: torch.Tensor) -> Rows:
    """Return what computes some frames of a layer from those of the one before."""
    from torch import nn

    kernel, stride = layer.conv.kernel_size[0], layer.conv.stride[0]
    norm = getattr(layer, "layer_norm", None)
    weight = layer.conv.weight.permute(0, 2, 1).flatten(1)  # (n_out, kernel · n_in)
    bias = layer.conv.bias
    if isinstance(norm, nn.GroupNorm):
        weight, bias = _folded(norm, weight, bias, waveform, kernel, stride)
        norm = None

    def computed(start: int, stop: int) -> torch.Tensor:
        from torch.nn.functional import gelu

        x = rows(start * stride, (stop - 1) * stride + kernel)
        n_in = x.shape[1]
        covered = x.as_strided((stop - start, kernel * n_in), (stride * n_in, 1))
        if norm is None:
            return linear(covered, weight, bias, gelu=True)
        return gelu(norm(linear(covered, weight, bias)))

    return computed


def _folded(
    norm: Any,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    waveform: torch.Tensor,
    kernel: int,
    stride: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fold a norm over time into a kernel: its output has mean w·m and variance wᵀCw."""
    import torch

    covered = waveform.double().unfold(0, kernel, stride)
    mean = covered.mean(dim=0)
    centred = covered - mean
    covariance = centred.T @ centred / len(covered)
    kernels = weight.double()
    variance = ((kernels @ covariance) * kernels).sum(dim=1)
    scale = norm.weight.double() / torch.sqrt(variance + norm.eps)
    shift = norm.bias.double() - scale * (kernels @ mean)  # its own bias goes with the mean
    return (kernels * scale[:, None]).to(weight.dtype), shift.to(weight.dtype)
