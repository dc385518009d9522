"""Noise of a known colour: white, autoregressive, or one over frequency."""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter

from voxscale.arrays import Array

__all__ = ["COLORS", "coloured_noise"]

COLORS = ("white", "ar1", "1/f")


def coloured_noise(
    n_trs: int,
    n_voxels: int,
    rng: np.random.Generator,
    *,
    color: str = "ar1",
    autocorrelation: float = 0.4,
) -> Array:
    """Draw stationary noise whose population variance is 1, each voxel by itself.

    Parameters
    ----------
    n_trs, n_voxels : int
    rng : numpy Generator
    color : {"white", "ar1", "1/f"}
        "ar1" has the autocorrelation to the power of the lag. "1/f" has a power of one over
        frequency from one cycle in the run up to the fastest, and none that is constant.
    autocorrelation : float
        Of one TR with the next, of "ar1"; between -1 and 1.

    Returns
    -------
    array of shape (n_trs, n_voxels), float64

    Raises
    ------
    ValueError
        If the color is unknown or the autocorrelation out of range.
    """
    if color not in COLORS:
        msg = f"noise {color!r} is unknown; choose one of {', '.join(COLORS)}."
        raise ValueError(msg)
    if not -1 < autocorrelation < 1:
        msg = f"autocorrelation is {autocorrelation}; expected a number between -1 and 1."
        raise ValueError(msg)
    white = rng.standard_normal((n_trs, n_voxels))
    if color == "white":
        return white
    if color == "ar1":
        # The first TR is as variable as all that follow: no burn-in is needed.
        white[1:] *= np.sqrt(1 - autocorrelation**2)
        return np.asarray(lfilter([1.0], [1.0, -autocorrelation], white, axis=0))
    amplitude = _amplitudes(n_trs)
    return np.asarray(np.fft.irfft(np.fft.rfft(white, axis=0) * amplitude[:, None], n_trs, axis=0))


def _amplitudes(n_trs: int) -> Array:
    """Gain at each frequency that makes white noise one over frequency, of variance 1."""
    amplitude = np.zeros(n_trs // 2 + 1)
    amplitude[1:] = 1 / np.sqrt(np.arange(1, len(amplitude)))
    twice = np.full(len(amplitude), 2.0)  # frequencies that stand for a negative one as well
    twice[0] = 1.0
    if n_trs % 2 == 0:
        twice[-1] = 1.0
    return np.asarray(amplitude / np.sqrt((twice * amplitude**2).sum() / n_trs))
