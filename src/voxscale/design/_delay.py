"""Finite impulse responses: the same features, again and again, a little later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array

__all__ = ["delay"]


def delay(features: ArrayLike, delays: Sequence[int] = (1, 2, 3, 4)) -> Array:
    """Stack copies of one run's features, each shifted later by a delay.

    Delay runs one at a time, then concatenate: delaying a concatenation would let the end of
    one story predict the start of the next.

    Parameters
    ----------
    features : array of shape (n_trs, n_features)
        A single run.
    delays : sequence of int, in TRs
        Positive values look into the past.

    Returns
    -------
    array of shape (n_trs, n_delays * n_features)
        Delay-major: all features at the first delay, then all at the second. Rows with no
        past are zero. Same dtype as ``features``.

    Raises
    ------
    ValueError
        If ``features`` is not two-dimensional, there is no delay, or one is as long as the run.

    Examples
    --------
    >>> delay(np.array([[1.0], [2.0], [3.0]]), delays=(0, 1))
    array([[1., 0.],
           [2., 1.],
           [3., 2.]])
    """
    features = np.asarray(features)
    if features.ndim != 2:
        msg = f"features have shape {features.shape}; expected (n_trs, n_features)."
        raise ValueError(msg)
    n_trs, n_features = features.shape
    if len(delays) == 0:
        msg = "delays is empty; name at least one, for instance (1, 2, 3, 4)."
        raise ValueError(msg)
    too_long = [d for d in delays if abs(d) >= n_trs]
    if too_long:
        msg = (
            f"delays {too_long} (TRs) do not fit in a run of {n_trs} TRs; drop them, or check "
            f"that 'features' has time on its first axis (shape is {features.shape})."
        )
        raise ValueError(msg)
    delayed = np.zeros((n_trs, len(delays), n_features), dtype=features.dtype)
    for i, d in enumerate(delays):
        if d >= 0:
            delayed[d:, i] = features[: n_trs - d]
        else:
            delayed[:d, i] = features[-d:]
    return delayed.reshape(n_trs, -1)
