"""Whisper's log-mel frames: computed once for a sound, but for those that a window's edge touches.

Whisper hears 30 s. A shorter window is followed by silence, its first frames see its beginning
mirrored, and everything more than eight decades below its loudest frame is raised to there. So
frames inside a window are those of the whole sound; the few at its edges, and the floor, are its
own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array

if TYPE_CHECKING:
    import torch

__all__ = ["LogMel", "MelClip"]

_SILENCE = -10.0  # log10 of the least power that counts
_DECADES = 8.0
_BLOCK = 6000  # frames transformed at once


@dataclass(frozen=True, eq=False)
class LogMel:
    """How Whisper makes frames of a waveform.

    Parameters
    ----------
    filters : tensor of shape (n_bands, n_frequencies)
    taper : tensor of shape (n_fft,)
        What a frame is weighed by.
    n_fft, hop : int
        Samples of a frame, and from one to the next.
    n_frames : int
        That the model hears.
    """

    filters: torch.Tensor
    taper: torch.Tensor
    n_fft: int
    hop: int
    n_frames: int

    @classmethod
    def of(cls, extractor: Any, device: Any) -> LogMel:
        """Take the settings of a transformers feature extractor."""
        import torch

        filters = torch.from_numpy(np.asarray(extractor.mel_filters, dtype=np.float32))
        return cls(
            filters.t().contiguous().to(device),
            torch.hann_window(int(extractor.n_fft), device=device),
            int(extractor.n_fft),
            int(extractor.hop_length),
            int(extractor.nb_max_frames),
        )

    def n_heard(self, n_samples: int) -> int:
        """Frames of a window that hold any of its samples, those at its end included."""
        return min(self.n_frames, -(-(n_samples + self.n_fft // 2) // self.hop))

    def log_power(self, padded: torch.Tensor) -> torch.Tensor:
        """Transform waveforms that are padded by half a frame, (n, n_bands, n_frames)."""
        import torch

        spectrum = torch.stft(
            padded, self.n_fft, self.hop, window=self.taper, center=False, return_complex=True
        )
        power = self.filters @ (spectrum.abs() ** 2)
        return torch.clamp(power, min=10**_SILENCE).log10()


@dataclass(frozen=True, eq=False)
class MelClip:
    """The frames of one sound, of which windows take theirs.

    Parameters
    ----------
    mel : LogMel
    waveform : tensor of shape (n_samples,), float32
    is_shared : bool
        Whether windows begin at multiples of the hop, so that frames are shared.
    """

    mel: LogMel
    waveform: torch.Tensor
    is_shared: bool
    _blocks: dict[int, torch.Tensor] = field(default_factory=dict, repr=False)

    def windows(self, starts: Array, ends: Array, n_frames: int | None = None) -> torch.Tensor:
        """Return the frames of windows of one length, scaled as Whisper takes them.

        Parameters
        ----------
        starts, ends : arrays of int of shape (n_windows,), in samples
            Evenly spaced.
        n_frames : int, optional
            How many frames are wanted, of those that the model hears. Default: all.

        Returns
        -------
        tensor of shape (n_windows, n_bands, n_frames)
        """
        import torch

        mel, n_samples = self.mel, int(ends[0] - starts[0])
        n_heard = mel.n_heard(n_samples)
        n_kept = mel.n_frames if n_frames is None else min(n_frames, mel.n_frames)
        shape = (len(starts), len(mel.filters), max(n_kept, n_heard))
        frames = torch.full(shape, _SILENCE, device=self.waveform.device)
        first, last = self._inside(n_samples)
        is_followed_by_silence = n_samples + mel.n_fft // 2 <= mel.n_frames * mel.hop
        if self.is_shared and last > first and is_followed_by_silence:
            frames[..., first:last] = self._shared(starts, first, last)
            frames[..., :first] = self._head(starts, first)
            frames[..., last:n_heard] = self._tail(starts, n_samples, last, n_heard)
        else:
            frames[..., :n_heard] = mel.log_power(self._whole(starts, n_samples))[..., :n_heard]
        floor = frames.amax(dim=(1, 2), keepdim=True) - _DECADES
        return torch.maximum(frames[..., :n_kept], floor).add_(4.0).div_(4.0)

    def _inside(self, n_samples: int) -> tuple[int, int]:
        """Frames that no edge of a window touches: the first, and the one after the last."""
        half, hop = self.mel.n_fft // 2, self.mel.hop
        return -(-half // hop), (n_samples - half) // hop + 1

    def _shared(self, starts: Array, first: int, last: int) -> torch.Tensor:
        """Cut frames out of those of the whole sound, (n_windows, n_bands, last - first)."""
        import torch

        hop = self.mel.hop
        at, stop = int(starts[0]) // hop + first, int(starts[-1]) // hop + last
        for block in [one for one in self._blocks if one < at // _BLOCK]:
            del self._blocks[block]  # windows come in order
        parts = []
        while at < stop:
            block = at // _BLOCK
            until = min(stop, (block + 1) * _BLOCK)
            parts.append(self._block(block)[:, at - block * _BLOCK : until - block * _BLOCK])
            at = until
        frames = torch.cat(parts, dim=1)
        return frames.unfold(1, last - first, _step(starts) // hop or 1).transpose(0, 1)

    def _block(self, block: int) -> torch.Tensor:
        """Compute frames of the whole sound when they are first asked for."""
        if block not in self._blocks:
            half, hop = self.mel.n_fft // 2, self.mel.hop
            start = block * _BLOCK * hop - half
            stop = start + (_BLOCK - 1) * hop + self.mel.n_fft
            self._blocks[block] = self.mel.log_power(self._cut(start, stop)[None])[0]
        return self._blocks[block]

    def _cut(self, start: int, stop: int) -> torch.Tensor:
        """Cut samples out of the sound, zeros where there is none."""
        import torch

        inside = self.waveform[max(0, start) : max(0, stop)]
        before = max(0, -start)
        return torch.nn.functional.pad(inside, (before, stop - start - before - len(inside)))

    def _cuts(self, starts: Array, begin: int, end: int) -> torch.Tensor:
        """Cut the same stretch out of every window, (n_windows, end - begin)."""
        whole = self._cut(int(starts[0]) + begin, int(starts[-1]) + end)
        return whole.unfold(0, end - begin, _step(starts))

    def _head(self, starts: Array, n_frames: int) -> torch.Tensor:
        """Compute the first frames of windows, which see their beginning mirrored."""
        import torch

        half = self.mel.n_fft // 2
        length = (n_frames - 1) * self.mel.hop + half
        cut = self._cuts(starts, 0, length)
        return self.mel.log_power(torch.cat([cut[:, 1 : half + 1].flip(1), cut], dim=1))

    def _tail(self, starts: Array, n_samples: int, first: int, last: int) -> torch.Tensor:
        """Compute the last frames of windows, in which silence begins."""
        import torch

        half, hop = self.mel.n_fft // 2, self.mel.hop
        begin = first * hop - half
        length = (last - 1 - first) * hop + self.mel.n_fft
        cut = self._cuts(starts, begin, n_samples)
        padded = torch.nn.functional.pad(cut, (0, length - cut.shape[1]))
        return self.mel.log_power(padded)

    def _whole(self, starts: Array, n_samples: int) -> torch.Tensor:
        """Pad windows as Whisper does: mirrored at the beginning, silence after the end."""
        import torch

        mel, half = self.mel, self.mel.n_fft // 2
        full = mel.n_frames * mel.hop
        cut = self._cuts(starts, 0, n_samples)
        padded = torch.nn.functional.pad(cut, (0, full - n_samples))
        mirrored = torch.nn.functional.pad(padded[:, None], (half, half), mode="reflect")[:, 0]
        n_heard = mel.n_heard(n_samples)
        return mirrored[:, : (n_heard - 1) * mel.hop + mel.n_fft]


def _step(starts: Array) -> int:
    """Return the samples from one window to the next."""
    return int(starts[1] - starts[0]) if len(starts) > 1 else 1
