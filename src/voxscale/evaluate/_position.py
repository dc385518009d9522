"""How scores and states change with the position in a story, whose start is unlike the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.evaluate._columns import paired, unit_columns

__all__ = ["score_by_position", "state_drift"]


def state_drift(values: ArrayLike, *, reference: float = 0.5) -> Array:
    """Measure how unlike a story's later states each of its states is.

    Every dimension is z-scored over the last part of the story, so that a few dimensions with
    massive activations do not hide the rest.

    Parameters
    ----------
    values : array of shape (n_words, n_dims)
        States of one layer, in the story's order.
    reference : float
        The last part of the story, as a share of its words, that the others are compared with.

    Returns
    -------
    array of shape (n_words,), float64
        Root mean square of the z-scores: about 1 where a state is like those of the last part,
        more where it has drifted. NaN without a dimension that varies.

    Raises
    ------
    ValueError
        If there are fewer than two words in the last part, or it is no share.
    """
    values, reference = np.asarray(values, dtype=np.float64), float(reference)
    n_words = len(values)
    last = values[n_words - round(reference * n_words) :] if 0 < reference <= 1 else values[:0]
    if values.ndim != 2 or len(last) < 2:
        msg = (
            f"states have shape {values.shape} and the reference is {reference} of them; expected "
            "(n_words, n_dims), and a share up to 1 with two words or more in it."
        )
        raise ValueError(msg)
    spread = last.std(axis=0)
    varies = spread > 1e-12 * np.abs(last).max(axis=0, initial=0.0)
    if not varies.any():
        return np.full(n_words, np.nan)
    z = (values[:, varies] - last[:, varies].mean(axis=0)) / spread[varies]
    drift: Array = np.sqrt(np.mean(z**2, axis=1))
    return drift


def score_by_position(
    Y: ArrayLike, Y_pred: ArrayLike, run_lengths: Sequence[int], *, window: int = 20
) -> tuple[Array, Array]:
    """Correlate responses and predictions in windows at the same position of every run.

    Parameters
    ----------
    Y, Y_pred : arrays of shape (n_trs, n_voxels)
        Runs one after another.
    run_lengths : sequence of int
        TRs of each run.
    window : int
        TRs of a window. Windows do not overlap; a shorter rest at a run's end is left out.

    Returns
    -------
    first_trs : array of shape (n_windows,)
        Position of each window's first TR among the rows of its run.
    scores : array of shape (n_windows, n_voxels)
        Correlation over the TRs of that window of every run that reaches so far, each run's
        window about its own mean. NaN where undefined.

    Raises
    ------
    AlignmentError
        If the arrays do not match.
    ValueError
        If the runs do not make up the rows, or the window holds fewer than three TRs, or more
        than every run.
    """
    Y, Y_pred = paired(Y, Y_pred)
    if window != int(window) or window < 3 or sum(run_lengths) != len(Y):
        msg = (
            f"window is {window} and run_lengths sum to {sum(run_lengths)}; expected at least 3 "
            f"whole TRs, and runs of {len(Y)} TRs together."
        )
        raise ValueError(msg)
    if window > max(run_lengths):
        msg = f"window is {window} TRs, but no run has more than {max(run_lengths)}; lower it."
        raise ValueError(msg)
    starts = np.concatenate([[0], np.cumsum(run_lengths)[:-1]]).astype(int)
    first_trs = np.arange(0, max(run_lengths) - window + 1, window)
    scores = np.full((len(first_trs), Y.shape[1]), np.nan)
    for number, first in enumerate(first_trs):
        rows = [
            slice(start + first, start + first + window)
            for start, length in zip(starts, run_lengths, strict=True)
            if first + window <= length
        ]
        units = [
            unit_columns(np.concatenate([_about_mean(one[part]) for part in rows]))
            for one in (Y, Y_pred)
        ]
        (left, left_varies), (right, right_varies) = units
        both = left_varies & right_varies
        scores[number, both] = np.einsum("tv,tv->v", left[:, both], right[:, both])
    return first_trs, scores


def _about_mean(part: Array) -> Array:
    part = np.asarray(part, dtype=np.float64)
    centred: Array = part - part.mean(axis=0)
    return centred
