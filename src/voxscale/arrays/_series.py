"""Arrays that know their time: events at any moment, and rows once per TR."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from voxscale.errors import AlignmentError

__all__ = ["Array", "EventSeries", "TRSeries", "concatenate", "on_shared_trs"]

Array = NDArray[Any]

_SAME_CLOCK = 0.01  # share of a TR by which two reports of one TR's time may differ


@dataclass(frozen=True, eq=False)
class EventSeries:
    """Values at moments in time, evenly spaced or not.

    Parameters
    ----------
    values : array of shape (n_events, n_features)
    times : array of shape (n_events,), in seconds
        From the onset of the sound. For words: the middle of each word.

    Raises
    ------
    AlignmentError
        If the two differ in length, or a time is not finite.
    TypeError
        If the values are not real numbers.

    Examples
    --------
    >>> EventSeries(values=np.ones((2, 1)), times=[0.5, 1.0]).times
    array([0.5, 1. ])
    """

    values: Array
    times: Array

    def __init__(self, values: ArrayLike, times: ArrayLike) -> None:
        values = np.asarray(values)
        times = np.asarray(times, dtype=np.float64)
        if values.dtype.kind not in "fiub":
            msg = f"values have dtype {values.dtype}; expected real numbers or truth values."
            raise TypeError(msg)
        if values.ndim != 2:
            msg = f"values have shape {values.shape}; expected (n_events, n_features)."
            raise AlignmentError(msg)
        if times.shape != (len(values),):
            msg = (
                f"values have shape {values.shape} but times have shape {times.shape}; "
                f"expected one time for each of the {len(values)} events."
            )
            raise AlignmentError(msg)
        if not np.isfinite(times).all():
            first = int(np.flatnonzero(~np.isfinite(times))[0])
            msg = f"time {first} is {times[first]}; expected finite seconds."
            raise AlignmentError(msg)
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "times", times)

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, eq=False)
class TRSeries:
    """Rows sampled once per TR, and the TR each row belongs to.

    Parameters
    ----------
    values : array of shape (n_trs, n_columns)
        May be a memory map; nothing is copied.
    run : str
        One scan of a story.
    first_tr : int
        TR number of row 0, counted from the first TR of the run.
    tr_times : array of shape (n_run_trs,), in seconds, optional
        Middle of *every* TR of the run, TR 0 first, from the onset of the sound.

    Raises
    ------
    AlignmentError
        If the rows reach past the run's last TR, or a TR time is not finite.
    TypeError
        If ``first_tr`` is not an integer.
    """

    values: Array
    run: str
    first_tr: int = 0
    tr_times: Array | None = None

    def __post_init__(self) -> None:
        if not hasattr(self.values, "shape"):
            object.__setattr__(self, "values", np.asarray(self.values))
        object.__setattr__(self, "first_tr", index(self.first_tr))
        if len(self.values.shape) != 2:
            msg = f"run {self.run!r}: values have shape {self.values.shape}; expected (n_trs, n)."
            raise AlignmentError(msg)
        if self.first_tr < 0:
            msg = f"run {self.run!r}: first_tr is {self.first_tr}; expected 0 or more."
            raise AlignmentError(msg)
        if self.tr_times is not None:
            object.__setattr__(self, "tr_times", np.asarray(self.tr_times, dtype=np.float64))
            if self.tr_times.ndim != 1 or not np.isfinite(self.tr_times).all():
                msg = (
                    f"run {self.run!r}: tr_times have shape {self.tr_times.shape}; expected "
                    "finite seconds, one for each TR of the run."
                )
                raise AlignmentError(msg)
            if self.trs.stop > len(self.tr_times):
                msg = (
                    f"run {self.run!r}: rows cover TRs {_span(self.trs)}, but the run has TRs "
                    f"{_span(range(len(self.tr_times)))}; check first_tr and the TR report."
                )
                raise AlignmentError(msg)

    def __len__(self) -> int:
        return int(self.values.shape[0])

    @property
    def trs(self) -> range:
        """TR numbers of the rows."""
        return range(self.first_tr, self.first_tr + len(self))

    def between(self, start: int, stop: int) -> TRSeries:
        """Keep TRs ``start`` to ``stop - 1``, counted in the run, not in the array.

        Parameters
        ----------
        start, stop : int
            TR numbers.

        Returns
        -------
        TRSeries of shape (stop - start, n_columns)

        Raises
        ------
        AlignmentError
            If the array does not hold all of these TRs.
        """
        if start < self.trs.start or stop > self.trs.stop or start >= stop:
            msg = (
                f"run {self.run!r}: asked for TRs {start}..{stop - 1}, but this array "
                f"covers TRs {_span(self.trs)}."
            )
            raise AlignmentError(msg)
        rows = slice(start - self.first_tr, stop - self.first_tr)
        return replace(self, values=self.values[rows], first_tr=start)


def on_shared_trs(*series: TRSeries) -> tuple[TRSeries, ...]:
    """Cut series of one run to the TRs that all of them cover.

    Parameters
    ----------
    *series : TRSeries of shape (n_trs, n_columns)
        Each with its own TRs and columns.

    Returns
    -------
    tuple of TRSeries of equal length

    Raises
    ------
    AlignmentError
        If they belong to different runs or share no TR, or if their TR times differ: in
        number, or by more than 1 % of a TR.
    """
    runs = sorted({one.run for one in series})
    if len(runs) != 1:
        msg = f"series belong to runs {', '.join(map(repr, runs))}; join one run at a time."
        raise AlignmentError(msg)
    check_clocks({f"series {number}": one for number, one in enumerate(series)})
    start = max(one.trs.start for one in series)
    stop = min(one.trs.stop for one in series)
    if start >= stop:
        spans = ", ".join(_span(one.trs) for one in series)
        msg = f"run {runs[0]!r}: the series cover TRs {spans} and share none."
        raise AlignmentError(msg)
    return tuple(one.between(start, stop) for one in series)


def check_clocks(series: Mapping[str, TRSeries]) -> None:
    """Raise an AlignmentError if series of one run, by what they are, differ in their TR times.

    Those without TR times are left alone.
    """
    timed = [(what, one, one.tr_times) for what, one in series.items() if one.tr_times is not None]
    for what, one, times in timed[1:]:
        first, _, expected = timed[0]
        tr_s = float(np.abs(np.diff(expected)).mean()) if len(expected) > 1 else 0.0
        if times.shape == expected.shape and np.allclose(
            times, expected, rtol=0, atol=_SAME_CLOCK * tr_s
        ):
            continue
        msg = (
            f"run {one.run!r}: its {first} and its {what} are on different clocks: the former "
            f"have {_clock(expected)}, the latter {_clock(times)}. Give both the TR times of the "
            "same run; resample one of them where they were sampled at other moments."
        )
        raise AlignmentError(msg)


def concatenate(series: Sequence[TRSeries]) -> Array:
    """Stack the rows of several runs, in the order given.

    Parameters
    ----------
    series : sequence of TRSeries of shape (n_trs, n_columns)

    Returns
    -------
    array of shape (sum of n_trs, n_columns)

    Raises
    ------
    AlignmentError
        If there is nothing to stack, or the runs differ in their number of columns.
    """
    if not series:
        msg = "there is no run to concatenate; name at least one."
        raise AlignmentError(msg)
    first = series[0]
    for one in series:
        if one.values.shape[1] != first.values.shape[1]:
            msg = (
                f"run {one.run!r} has {one.values.shape[1]} columns, run {first.run!r} has "
                f"{first.values.shape[1]}; every run must have the same."
            )
            raise AlignmentError(msg)
    return np.concatenate([one.values for one in series])


def _clock(times: Array) -> str:
    if len(times) < 2:
        return f"{len(times)} TR at {', '.join(f'{time:.2f} s' for time in times) or 'no time'}"
    tr_s = (times[-1] - times[0]) / (len(times) - 1)
    return f"{len(times)} TRs of {tr_s:.3f} s at {times[0]:.2f}..{times[-1]:.2f} s"


def _span(trs: range) -> str:
    return f"{trs.start}..{trs.stop - 1}"
