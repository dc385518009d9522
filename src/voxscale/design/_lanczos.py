"""Events at any moment → rows at TR times, by a windowed sinc."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from voxscale.arrays import Array, EventSeries
from voxscale.errors import AlignmentError

__all__ = ["lanczos", "lanczos_operator"]

_UNEVEN = 0.01  # share of a TR by which TR times may differ from an even grid
LEAST_WEIGHT = 0.5  # of one event on its TR: below it, a normalised row fades out


def lanczos(
    events: EventSeries,
    tr_times: ArrayLike,
    *,
    lobes: int = 3,
    cutoff_hz: float | None = None,
    normalize: bool = False,
) -> Array:
    """Resample a series of events onto TR times with a Lanczos filter.

    Each output row is a weighted *sum* of the events around that TR, not their mean: a TR
    with more words has larger features. Pass ``normalize=True`` for a weighted mean.

    Parameters
    ----------
    events : EventSeries
        ``values`` of shape (n_events, n_features); ``times`` in seconds, any spacing.
    tr_times : array of shape (n_trs,), in seconds
        Middle of each TR, evenly spaced.
    lobes : int
        Half-width of the filter, in zero crossings.
    cutoff_hz : float, optional
        Zero crossings of the filter per second. Default: one over the TR.
    normalize : bool
        Divide each row by the sum of its weights. Where that sum is below half of one event's
        (a silence), by one half instead, so that such rows fade to zero and never blow up.

    Returns
    -------
    array of shape (n_trs, n_features)
        Same dtype as ``events.values`` if that is floating, else float64.

    Raises
    ------
    AlignmentError
        If ``tr_times`` are fewer than two, not increasing, or uneven by more than 1 % of the TR.
    ValueError
        If ``lobes`` or ``cutoff_hz`` is not positive.

    Notes
    -----
    Not causal: an event contributes up to ``lobes`` TRs before it happens.

    References
    ----------
    Huth et al. 2016, Nature 532:453, doi:10.1038/nature17637.

    Examples
    --------
    >>> one = EventSeries(values=np.ones((1, 1)), times=np.array([4.0]))
    >>> lanczos(one, tr_times=np.array([2.0, 4.0, 6.0])).round(2).ravel()
    array([0., 1., 0.])
    """
    weights = lanczos_operator(events.times, tr_times, lobes=lobes, cutoff_hz=cutoff_hz)
    rows = weights @ events.values.astype(np.float64)
    if normalize:
        rows /= np.maximum(weights.sum(axis=1), LEAST_WEIGHT)[:, None]
    dtype = events.values.dtype
    resampled: Array = rows.astype(dtype if np.issubdtype(dtype, np.floating) else np.float64)
    return resampled


def lanczos_operator(
    times: ArrayLike, tr_times: ArrayLike, *, lobes: int = 3, cutoff_hz: float | None = None
) -> Any:
    """Build the filter as a sparse matrix: about 98 % of a dense one would be zeros.

    Parameters
    ----------
    times : array of shape (n_events,), in seconds
    tr_times : array of shape (n_trs,), in seconds
    lobes, cutoff_hz
        As in :func:`lanczos`.

    Returns
    -------
    scipy.sparse.csr_array of shape (n_trs, n_events), float64
        Weight sinc(x) · sinc(x / lobes) with x = cutoff_hz · (tr_time − event_time), and 0
        farther than ``lobes`` from x = 0.

    Raises
    ------
    AlignmentError, ValueError
        As :func:`lanczos`.
    """
    times = np.asarray(times, dtype=np.float64)
    tr_times = np.asarray(tr_times, dtype=np.float64)
    tr_s = _even_step(tr_times)
    check_filter(lobes, cutoff_hz)
    cutoff_hz = 1 / tr_s if cutoff_hz is None else cutoff_hz
    order = np.argsort(times, kind="stable")
    reach_s = lobes / cutoff_hz
    first = np.searchsorted(times, tr_times - reach_s, side="left", sorter=order)
    last = np.searchsorted(times, tr_times + reach_s, side="right", sorter=order)
    counts = last - first
    indptr = np.concatenate([[0], np.cumsum(counts)])
    within_row = np.arange(indptr[-1]) - np.repeat(indptr[:-1], counts)
    columns = order[np.repeat(first, counts) + within_row]
    x = cutoff_hz * (np.repeat(tr_times, counts) - times[columns])
    weights = np.where(np.abs(x) <= lobes, np.sinc(x) * np.sinc(x / lobes), 0.0)
    return csr_array((weights, columns, indptr), shape=(len(tr_times), len(times)))


def check_filter(lobes: int, cutoff_hz: float | None) -> None:
    """Raise a ValueError unless a filter has a width."""
    if not (lobes > 0 and (cutoff_hz is None or 0 < cutoff_hz < np.inf)):
        msg = (
            f"lobes is {lobes} and cutoff_hz is {cutoff_hz}; expected both to be positive and "
            "finite (cutoff_hz may be None: one over the TR)."
        )
        raise ValueError(msg)


def _even_step(tr_times: Array) -> float:
    """Return the TR in seconds, or say where the grid is not one."""
    if tr_times.ndim != 1 or len(tr_times) < 2:
        msg = f"tr_times have shape {tr_times.shape}; expected at least two times in one row."
        raise AlignmentError(msg)
    steps = np.diff(tr_times)
    tr_s = float(steps.mean())
    uneven = np.flatnonzero(~(np.abs(steps - tr_s) <= _UNEVEN * abs(tr_s)))
    if tr_s <= 0 or len(uneven):
        where = int(uneven[0]) if len(uneven) else 0
        msg = (
            f"TR {where} and TR {where + 1} are {steps[where]:.4f} s apart, the mean is "
            f"{tr_s:.4f} s; expected evenly spaced, increasing TR times. Repair the TR report "
            "or interpolate the responses to an even grid."
        )
        raise AlignmentError(msg)
    return tr_s
