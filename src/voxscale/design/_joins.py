"""Whether one run's features and responses belong together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from voxscale.arrays import Array, EventSeries, TRSeries
from voxscale.arrays._series import check_clocks
from voxscale.errors import AlignmentError, DataError

__all__ = ["check_covered", "check_finite", "check_heard", "check_within", "of_run", "times_of"]

_LEAST_HEARD = 0.5  # share of a run's events that must fall within its TRs


def check_heard(events: EventSeries, times: Array, tr_s: float, reach_s: float, run: str) -> str:
    """Raise an AlignmentError unless events were heard in the run; return what to warn of."""
    outside_s = np.abs(events.times - times.mean()) - len(times) * tr_s / 2
    n_events, n_lost = len(events), int(np.sum(outside_s > reach_s))
    trs = f"{times[0]:.1f}..{times[-1]:.1f} s"
    if not np.any(outside_s <= 0) or n_events - n_lost < _LEAST_HEARD * n_events:
        span = f"{events.times.min():.1f}..{events.times.max():.1f} s" if n_events else "none"
        msg = (
            f"run {run!r}: its TRs lie at {trs}, its events at {span}: {n_lost} of {n_events} lie "
            f"more than {reach_s:.1f} s outside; both must count from the onset of the sound. "
            "Check whether the TR times or the words are on another clock, or in milliseconds; "
            "where only a part of the story was scanned, keep the words of that part."
        )
        raise AlignmentError(msg)
    if n_lost == 0:
        return ""
    return (
        f"run {run!r}: {n_lost} of {n_events} events lie more than {reach_s:.1f} s outside its "
        f"TRs ({trs}) and are lost; check whether both count from the onset of the sound."
    )


def check_within(features: TRSeries, response: TRSeries) -> None:
    """Raise an AlignmentError if features are on another clock, or reach past the run."""
    check_clocks({"responses": response, "features": features})
    n_run_trs = len(times_of(response))
    if features.trs.stop > n_run_trs:
        msg = (
            f"run {response.run!r}: features cover TRs {features.trs.start}.."
            f"{features.trs.stop - 1}, but its responses say that the run has TRs "
            f"0..{n_run_trs - 1}; make the features at the TR times of the responses."
        )
        raise AlignmentError(msg)


def check_covered(what: str, series: TRSeries, kept: range) -> None:
    """Raise an AlignmentError unless a series holds every TR that is kept of its run."""
    held = series.trs
    if kept.start < held.start or kept.stop > held.stop:
        msg = (
            f"run {series.run!r}: {what} cover TRs {held.start}..{held.stop - 1}, but after "
            f"trimming TRs {kept.start}..{kept.stop - 1} of the run are kept; set trim so that "
            "every TR kept is covered, or check first_tr and the TR report."
        )
        raise AlignmentError(msg)


def check_finite(features: TRSeries, space: str) -> None:
    """Raise a DataError that names the first TR and feature which hold no number."""
    bad = ~np.isfinite(features.values)
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        msg = (
            f"run {features.run!r}: feature {column}{space} is {features.values[row, column]} at "
            f"TR {features.first_tr + row} (delays not counted), one of {int(bad.sum())} such "
            "values; expected finite numbers. Repair the features, or leave the run out."
        )
        raise DataError(msg)


def of_run(series: Mapping[str, Any], run: str, what: str, kinds: tuple[type, ...]) -> Any:
    """Return the series of one run, which must say that it is of that run."""
    expected = " or ".join(kind.__name__ for kind in kinds)
    if run not in series:
        held = ", ".join(map(repr, series)) or "none"
        msg = f"{what} hold no run {run!r}; they hold {held}."
        raise AlignmentError(msg)
    found = series[run]
    if not isinstance(found, kinds):
        msg = (
            f"{what} of run {run!r} are of type {type(found).__name__}; expected {expected} for "
            "each run."
        )
        raise TypeError(msg)
    if isinstance(found, TRSeries) and found.run != run:
        msg = (
            f"{what} listed under run {run!r} say that they are of run {found.run!r}; "
            "give each series under its own run."
        )
        raise AlignmentError(msg)
    return found


def times_of(response: TRSeries) -> Array:
    if response.tr_times is None:
        msg = (
            f"run {response.run!r}: its responses carry no TR times, so features cannot be "
            "aligned; pass tr_times= when reading them (from a TR report)."
        )
        raise AlignmentError(msg)
    return response.tr_times
