"""From windows of a waveform to what the first block of a speech encoder is given.

One class for each kind of model. ``clip`` does once for a sound what no window changes, ``embed``
does the rest for a batch of windows of one length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from voxscale.arrays import Array
from voxscale.features._speech_convolutions import can_convolve, convolve
from voxscale.features._speech_mel import LogMel, MelClip

if TYPE_CHECKING:
    import torch

__all__ = ["BertFront", "Front", "WaveformFront", "WhisperFront"]

_SHARED_SAMPLES = 480_000  # of a sound that go through shared convolutions at once
_FRAME, _HOP = 400, 160  # samples, of Kaldi's frames of 25 ms every 10 ms at 16 kHz
_BLOCK = 6000  # of these frames at once
_BEYOND = 4  # frames after the last position that its convolutions see


class Front(Protocol):
    """What turns windows into the input of the first block."""

    @property
    def fewest(self) -> int:
        """Samples that a window needs."""
        ...

    @property
    def most(self) -> int | None:
        """Samples that a window may have."""
        ...

    def clip(self, waveform: Array, step: int) -> Any:
        """Prepare a sound whose windows begin at multiples of ``step`` samples."""
        ...

    def embed(self, clip: Any, starts: Array, ends: Array) -> torch.Tensor:
        """Return the input of the first block, (n_windows, n_positions, n_dims)."""
        ...

    def position(self, n_samples: int) -> int:
        """Return which position is the end of a window."""
        ...

    def n_positions(self, n_samples: int) -> int:
        """Count the positions that are computed for a window."""
        ...


def _on(waveform: Array, like: torch.Tensor) -> torch.Tensor:
    """Put a waveform where the weights are; one that is read-only is copied, as torch wants it."""
    import torch

    return torch.from_numpy(np.require(waveform, requirements="W")).to(like.device)


@dataclass(frozen=True, eq=False)
class WhisperFront:
    """Whisper: log-mel frames, two convolutions, learned positions.

    Parameters
    ----------
    encoder : transformers WhisperEncoder
    mel : LogMel
    trims : bool
        Leave out the positions after the window's end, which hold silence up to 30 s.
    """

    encoder: Any
    mel: LogMel
    trims: bool

    @property
    def fewest(self) -> int:
        """Samples of a frame."""
        return self.mel.n_fft

    @property
    def most(self) -> int | None:
        """Samples that the model hears at most."""
        return min(self.mel.n_frames, 2 * self._n_all) * self.mel.hop

    def clip(self, waveform: Array, step: int) -> MelClip:
        """Hold the waveform; frames are made when they are asked for."""
        samples = _on(waveform, self.encoder.conv1.weight)
        return MelClip(self.mel, samples, is_shared=step % self.mel.hop == 0)

    def embed(self, clip: MelClip, starts: Array, ends: Array) -> torch.Tensor:
        """Return the input of the first block."""
        from torch.nn.functional import gelu

        encoder = self.encoder
        n_positions = self.n_positions(int(ends[0] - starts[0]))
        frames = clip.windows(starts, ends, n_frames=2 * n_positions + _BEYOND)
        frames = frames.to(encoder.conv1.weight.dtype)
        hidden = gelu(encoder.conv2(gelu(encoder.conv1(frames)))).transpose(1, 2)
        made: torch.Tensor = hidden[:, :n_positions] + encoder.embed_positions.weight[:n_positions]
        return made.contiguous()

    def position(self, n_samples: int) -> int:
        """Return the last position that sound reaches, through frames and convolutions."""
        n_frames = min(self.mel.n_frames, -(-n_samples // self.mel.hop))
        return min(self._n_all - 1, (n_frames + 1) // 2)

    def n_positions(self, n_samples: int) -> int:
        """Count the positions: those of 30 s, or up to the window's end."""
        return self.position(n_samples) + 1 if self.trims else self._n_all

    @property
    def _n_all(self) -> int:
        return int(self.encoder.embed_positions.weight.shape[0])


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
        n_samples = 1
        for kernel, stride in zip(reversed(self.kernels), reversed(self.strides), strict=True):
            n_samples = (n_samples - 1) * stride + kernel
        return n_samples

    @property
    def most(self) -> int | None:
        """No limit."""
        return None

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
        return _WaveClip(self, _on(waveform, weight), shares)

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


@dataclass(frozen=True, eq=False)
class BertFront:
    """Wav2Vec2-BERT: filter-bank frames, two to a position, brought to mean 0 and variance 1.

    Parameters
    ----------
    model : transformers model
    extractor : transformers SeamlessM4TFeatureExtractor
    """

    model: Any
    extractor: Any

    @property
    def fewest(self) -> int:
        """Samples of two frames."""
        return int(_FRAME + _HOP * (self.extractor.stride - 1))

    @property
    def most(self) -> int | None:
        """No limit."""
        return None

    def clip(self, waveform: Array, step: int) -> tuple[Array, Array | None]:
        """Make the frames of the whole sound, where windows share them."""
        shared = self._frames(waveform) if step % _HOP == 0 else None
        return waveform, shared

    def embed(self, clip: tuple[Array, Array | None], starts: Array, ends: Array) -> torch.Tensor:
        """Return the input of the first block."""
        import torch

        waveform, shared = clip
        inputs = []
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            n_frames = (end - start - _FRAME) // _HOP + 1
            if shared is None:
                frames = self._frames(waveform[start:end])
            else:
                frames = shared[start // _HOP : start // _HOP + n_frames]
            scale = np.sqrt(frames.var(axis=0, ddof=1, keepdims=True) + 1e-7)
            frames = (frames - frames.mean(axis=0, keepdims=True)) / scale
            whole = n_frames - n_frames % self.extractor.stride
            inputs.append(frames[:whole].reshape(whole // self.extractor.stride, -1))
        weight = self.model.feature_projection.projection.weight
        stacked = torch.from_numpy(np.stack(inputs)).to(weight.device, weight.dtype)
        hidden: torch.Tensor = self.model.feature_projection(stacked)[0]
        return hidden

    def position(self, n_samples: int) -> int:
        """Return the last position whose frames are all there."""
        return self.n_positions(n_samples) - 1

    def n_positions(self, n_samples: int) -> int:
        """Count the positions of a window."""
        return int(((n_samples - _FRAME) // _HOP + 1) // self.extractor.stride)

    def _frames(self, waveform: Array) -> Array:
        """Make frames, some at a time: their spectra are large."""
        n_frames = (len(waveform) - _FRAME) // _HOP + 1
        parts = []
        for first in range(0, n_frames, _BLOCK):
            last = min(first + _BLOCK, n_frames) - 1
            cut = waveform[first * _HOP : last * _HOP + _FRAME]
            parts.append(self.extractor._extract_fbank_features(cut))
        return np.concatenate(parts)
