"""Which stretch of a sound a speech model hears for each feature: it ends where the feature is."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from voxscale.arrays import Array

__all__ = ["SpeechWindows", "WindowPlan"]


@dataclass(frozen=True)
class SpeechWindows:
    """A window that slides over a sound, and ends where the feature is.

    Parameters
    ----------
    stride_s, context_s : float, in seconds
        A window every ``stride_s``; it holds ``context_s`` beside the stride itself.
    full_context : bool
        Leave out windows that the beginning of the sound cuts short.
    pad_silence : bool
        Put ``context_s`` of silence before the sound, so that every window is whole.

    Raises
    ------
    ValueError
        If the stride is not above 0, or the context below 0.
    """

    stride_s: float = 0.1
    context_s: float = 16.0
    full_context: bool = False
    pad_silence: bool = False

    def __post_init__(self) -> None:
        if not (self.stride_s > 0 and math.isfinite(self.stride_s)):
            msg = f"stride_s is {self.stride_s}; expected seconds above 0, such as 0.1."
            raise ValueError(msg)
        if not (self.context_s >= 0 and math.isfinite(self.context_s)):
            msg = f"context_s is {self.context_s}; expected seconds, 0 or more, such as 16.0."
            raise ValueError(msg)
        for name in ("stride_s", "context_s"):  # 16 and 16.0 are one setting
            object.__setattr__(self, name, float(getattr(self, name)))

    @classmethod
    def chunked(
        cls,
        chunk_s: float | None,
        stride_s: float,
        context_s: float,
        *,
        full_context: bool = False,
        pad_silence: bool = False,
    ) -> SpeechWindows:
        """Lay windows of a chunk and its context every ``stride_s``, as the published scripts can.

        Parameters
        ----------
        chunk_s : float, in seconds, or None
            None: the stride.
        stride_s, context_s, full_context, pad_silence
            As of the class; the context is that beside the chunk.
        """
        beside_s = 0.0 if chunk_s is None else chunk_s - stride_s
        return cls(stride_s, round(context_s + beside_s, 9), full_context, pad_silence)

    @property
    def window_s(self) -> float:
        """Length of a whole window, in seconds."""
        return self.stride_s + self.context_s

    def sizes(self, hz: int) -> tuple[int, int]:
        """Return stride and context in samples."""
        stride = round(self.stride_s * hz)
        if stride < 1:
            msg = f"stride_s is {self.stride_s}, less than a sample at {hz} Hz; raise it."
            raise ValueError(msg)
        return stride, round(self.context_s * hz)

    def plan(self, n_samples: int, hz: int, fewest: int) -> WindowPlan:
        """Lay windows over a sound.

        Parameters
        ----------
        n_samples : int
        hz : int
        fewest : int
            Samples that the model needs; shorter windows are left out.

        Returns
        -------
        WindowPlan

        Notes
        -----
        With stride c and context x, in samples, windows that the beginning cuts short end at c,
        2c, … below c + x, whole ones at c + x, 2c + x, …; none ends after the sound. So where the
        context is not a multiple of the stride, one step between the two is shorter than the
        stride (as in the published scripts).
        """
        stride, context = self.sizes(hz)
        before = context if self.pad_silence else 0
        whole = stride + context
        growing = np.arange(stride, whole, stride, dtype=np.int64)
        if self.full_context or self.pad_silence:
            growing = growing[:0]
        full = np.arange(whole, n_samples + before + 1, stride, dtype=np.int64)
        ends = np.concatenate([growing[growing <= n_samples + before], full])
        starts = np.maximum(0, ends - whole)
        is_long_enough = ends - starts >= fewest
        return WindowPlan(starts[is_long_enough], ends[is_long_enough], before, hz)


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """The windows of one sound.

    Parameters
    ----------
    starts, ends : arrays of int of shape (n_windows,)
        Samples, the end not included; from the beginning of the silence before, if there is one.
    n_before : int
        Samples of silence before the sound.
    hz : int
    """

    starts: Array = field(repr=False)
    ends: Array = field(repr=False)
    n_before: int
    hz: int

    def __len__(self) -> int:
        return len(self.ends)

    @property
    def times(self) -> Array:
        """Where each window ends, from the beginning of the sound: float64, in seconds."""
        return (self.ends - self.n_before) / self.hz

    @property
    def start_times(self) -> Array:
        """Where each begins, in seconds; 0 where that is in the silence before."""
        return np.asarray(np.maximum(0, self.starts - self.n_before) / self.hz)

    def groups(self) -> list[range]:
        """Return runs of windows of one length, in order."""
        lengths = self.ends - self.starts
        cuts = [0, *(np.flatnonzero(np.diff(lengths)) + 1).tolist(), len(lengths)]
        return [range(cuts[i], cuts[i + 1]) for i in range(len(cuts) - 1) if cuts[i + 1] > cuts[i]]
