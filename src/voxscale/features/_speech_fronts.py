"""From windows of a waveform to what the first block of a speech encoder is given.

One class for each kind of model; that of waveforms is in a file of its own. ``clip`` does once for
a sound what no window changes, ``embed`` does the rest for a batch of windows of one length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from voxscale.arrays import Array
from voxscale.features._speech_mel import LogMel, MelClip
from voxscale.features._speech_waves import as_tensor

if TYPE_CHECKING:
    import torch

__all__ = ["BertFront", "Front", "WhisperFront"]

_FRAME, _HOP = 400, 160  # samples, of Kaldi's frames of 25 ms every 10 ms at 16 kHz
_BLOCK = 6000  # of these frames at once
_BEYOND = 4  # frames after the last position that its convolutions see


class Front(Protocol):
    """What turns windows into the input of the first block."""

    @property
    def fewest(self) -> int:
        """Samples that a window needs."""
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

    def clip(self, waveform: Array, step: int) -> MelClip:
        """Hold the waveform; frames are made when they are asked for."""
        samples = as_tensor(waveform, self.encoder.conv1.weight)
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
