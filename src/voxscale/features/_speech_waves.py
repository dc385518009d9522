"""The front of wav2vec 2.0 and its kin: convolutions over the waveform, and their projection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.features._speech_config import fewest_samples
from voxscale.features._speech_convolutions import can_convolve, convolve

if TYPE_CHECKING:
    import torch

__all__ = ["WaveformFront", "as_tensor"]

_SHARED_SAMPLES = 480_000  # of a sound that go through shared convolutions at once


def as_tensor(waveform: Array, like: torch.Tensor) -> torch.Tensor:
    """Put a waveform where the weights are; one that is read-only is copied, as torch wants it."""
    import torch

    return torch.from_numpy(np.require(waveform, requirements="W")).to(like.device)


@dataclass(frozen=True, eq=False)
class WaveformFront:
    """wav2vec 2.0 and its kin: convolutions over the waveform.

    Parameters
    ----------
    model : transformers model
        With ``feature_extractor``, ``feature_projection`` and ``encoder``.
    normalizes : bool
        Whether each window is brought to mean 0 and variance 1.
    kernels, strides : sequence of int
        Of the convolutions.
    """

    model: Any
    normalizes: bool
    kernels: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def fewest(self) -> int:
        """Samples that reach one position."""
        return fewest_samples(self.kernels, self.strides)

    @property
    def hop(self) -> int:
        """Samples from one position to the next."""
        return int(np.prod(self.strides))

    @property
    def _norms_over_time(self) -> bool:
        """Whether a window's convolutions depend on all of the window."""
        return getattr(self.model.config, "feat_extract_norm", "layer") == "group"

    def n_positions(self, n_samples: int) -> int:
        """Count the positions of a window."""
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            n_samples = (n_samples - kernel) // stride + 1
        return n_samples

    def clip(self, waveform: Array, step: int) -> _WaveClip:
        """Hold the waveform, and what of it is shared."""
        weight = self.model.feature_extractor.conv_layers[0].conv.weight
        shares = not self.normalizes and not self._norms_over_time and step % self.hop == 0
        return _WaveClip(self, as_tensor(waveform, weight), shares)

    def embed(self, clip: _WaveClip, starts: Array, ends: Array) -> torch.Tensor:
        """Return the input of the first block."""
        projected = clip.projected(starts, ends)
        encoder = self.model.encoder
        hidden = projected + encoder.pos_conv_embed(projected)
        if not getattr(self.model.config, "do_stable_layer_norm", False):
            hidden = encoder.layer_norm(hidden)
        made: torch.Tensor = hidden.contiguous()
        return made

    def position(self, n_samples: int) -> int:
        """Return the last position."""
        return self.n_positions(n_samples) - 1

    def project(self, samples: torch.Tensor) -> torch.Tensor:
        """Run convolutions and projection over waveforms, (n_windows, n_positions, n_dims)."""
        import torch

        layers = self.model.feature_extractor.conv_layers
        is_plain = samples.device.type == "cpu" and samples.dtype == torch.float32
        if is_plain and can_convolve(layers):
            extracted = torch.stack([convolve(layers, one) for one in samples])
        else:
            extracted = self.model.feature_extractor(samples).transpose(1, 2)
        projected = self.model.feature_projection(extracted)
        made: torch.Tensor = projected[0] if isinstance(projected, tuple) else projected
        return made


@dataclass(frozen=True, eq=False)
class _WaveClip:
    """A waveform, and its projected convolutions where they are shared."""

    front: WaveformFront
    waveform: torch.Tensor
    is_shared: bool
    _blocks: dict[int, torch.Tensor] = field(default_factory=dict, repr=False)

    def projected(self, starts: Array, ends: Array) -> torch.Tensor:
        import torch

        front, n_samples = self.front, int(ends[0] - starts[0])
        if self.is_shared:
            n_positions = front.n_positions(n_samples)
            rows = [self._rows(start // front.hop, n_positions) for start in starts.tolist()]
            return torch.stack(rows)
        return front.project(self.samples(starts, ends))

    def samples(self, starts: Array, ends: Array) -> torch.Tensor:
        """Cut windows out, scaled as the model takes them, (n_windows, n_samples)."""
        import torch

        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        windows = torch.stack([self.waveform[start:end] for start, end in pairs])
        if self.front.normalizes:
            variance, mean = torch.var_mean(windows, dim=1, correction=0, keepdim=True)
            windows = (windows - mean) / torch.sqrt(variance + 1e-7)
        return windows.to(self._dtype)

    def _rows(self, first: int, n_positions: int) -> torch.Tensor:
        """Cut positions out of those of the whole sound."""
        import torch

        size = _SHARED_SAMPLES // self.front.hop
        parts, at, stop = [], first, first + n_positions
        for block in [one for one in self._blocks if one < first // size]:
            del self._blocks[block]  # windows come in order
        while at < stop:
            block = at // size
            until = min(stop, (block + 1) * size)
            parts.append(self._block(block)[at - block * size : until - block * size])
            at = until
        return torch.cat(parts)

    def _block(self, block: int) -> torch.Tensor:
        if block not in self._blocks:
            front = self.front
            size = _SHARED_SAMPLES // front.hop
            start = block * size * front.hop
            stop = start + (size - 1) * front.hop + front.fewest
            self._blocks[block] = front.project(self.waveform[None, start:stop].to(self._dtype))[0]
        return self._blocks[block]

    @property
    def _dtype(self) -> Any:
        return self.front.model.feature_extractor.conv_layers[0].conv.weight.dtype
