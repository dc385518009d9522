"""From features and responses of many runs to one X and one Y."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, EventSeries, TRSeries, concatenate
from voxscale.arrays._series import check_clocks
from voxscale.design._delay import delay
from voxscale.design._lanczos import check_filter, lanczos
from voxscale.design._scale import zscore, zscore_as_published
from voxscale.design._stream import LanczosStream
from voxscale.errors import AlignmentError, DataError, VoxscaleWarning

__all__ = ["DesignRecipe", "FeatureSpace"]

FeatureSpace = Mapping[str, EventSeries] | Mapping[str, TRSeries]

_PROTOCOLS = (None, "huth2023")
_DTYPES = ("float32", "float64")
_LEAST_HEARD = 0.5  # share of a run's events that must fall within its TRs


@dataclass(frozen=True)
class DesignRecipe:
    """How features become a design matrix: Lanczos → trim → z-score → delays, run by run.

    Rows are matched by TR number, never by slices that happen to fit.

    Parameters
    ----------
    delays : sequence of int, in TRs
        Finite impulse response; positive looks into the past.
    trim : (int, int), in TRs
        TRs left out at the start and at the end of every run, counted on the run's own TRs.
    lobes, cutoff_hz, normalize
        Of the filter, see :func:`lanczos`.
    zscore_responses : bool
        z-score each voxel in each run, over the TRs that are used.
    protocol : {None, "huth2023"}
        ``"huth2023"`` does as the published scripts did: delays run on from one story into the
        next, responses are taken as they are stored, and a feature that is constant but for
        rounding is z-scored to plus or minus one.

    Raises
    ------
    ValueError
        If a setting cannot be used.
    TypeError
        If delays or trim are not sequences of integers.

    Examples
    --------
    >>> tr_times = np.arange(20) * 2.0 + 1
    >>> words = {"story": EventSeries(np.ones((30, 1)), np.linspace(0, 39, 30))}
    >>> bold = {"story": TRSeries(np.ones((10, 3)), "story", first_tr=5, tr_times=tr_times)}
    >>> X, Y = DesignRecipe(delays=(1, 2), trim=(5, 5)).join(words, bold, ["story"])
    >>> X.shape, Y.shape
    ((10, 2), (10, 3))
    """

    delays: tuple[int, ...] = (1, 2, 3, 4)
    trim: tuple[int, int] = (10, 5)
    _: KW_ONLY
    lobes: int = 3
    cutoff_hz: float | None = None
    normalize: bool = False
    zscore_responses: bool = True
    protocol: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "delays", _integers("delays", self.delays))
        object.__setattr__(self, "trim", _integers("trim", self.trim))
        if not self.delays:
            msg = "delays is empty; name at least one, for instance (1, 2, 3, 4)."
            raise ValueError(msg)
        if len(self.trim) != 2 or min(self.trim) < 0:
            msg = f"trim is {self.trim}; expected two counts of TRs, none negative."
            raise ValueError(msg)
        check_filter(self.lobes, self.cutoff_hz)
        if self.protocol not in _PROTOCOLS:
            msg = f"protocol {self.protocol!r} is unknown; choose None or 'huth2023'."
            raise ValueError(msg)

    def downsample(self, events: EventSeries, tr_times: ArrayLike, run: str) -> TRSeries:
        """Resample one run's events onto all of its TRs.

        Parameters
        ----------
        events : EventSeries
        tr_times : array of shape (n_run_trs,), in seconds
        run : str

        Returns
        -------
        TRSeries of shape (n_run_trs, n_features), first TR 0

        Raises
        ------
        AlignmentError
            If the TR times are no even grid; or if no event falls within the run, or fewer than
            half fall within it and the filter's reach: then the two are on different clocks.

        Warns
        -----
        VoxscaleWarning
            If some events lie farther outside than the filter reaches; says how many.
        """
        resampled, outside = self._resampled(events, tr_times, run)
        if outside:
            warnings.warn(outside, VoxscaleWarning, stacklevel=2)
        return resampled

    def _resampled(
        self, events: EventSeries, tr_times: ArrayLike, run: str
    ) -> tuple[TRSeries, str]:
        """Do as `downsample`, and return what to warn of beside it."""
        times = np.asarray(tr_times, dtype=np.float64)
        try:
            values = lanczos(
                events,
                times,
                lobes=self.lobes,
                cutoff_hz=self.cutoff_hz,
                normalize=self.normalize,
            )
        except AlignmentError as error:
            msg = f"run {run!r}: {error}"
            raise AlignmentError(msg) from error
        tr_s = (times[-1] - times[0]) / (len(times) - 1)
        reach_s = self.lobes * tr_s if self.cutoff_hz is None else self.lobes / self.cutoff_hz
        return TRSeries(values, run, 0, times), _check_heard(events, times, tr_s, reach_s, run)

    def stream(self, times: ArrayLike, tr_times: ArrayLike, run: str) -> LanczosStream:
        """Start to resample events that come in pieces, by this recipe's filter.

        Parameters
        ----------
        times : array of shape (n_events,), in seconds
            Of all events that will come.
        tr_times : array of shape (n_run_trs,), in seconds
        run : str

        Returns
        -------
        LanczosStream

        Raises
        ------
        AlignmentError
            As `downsample`.

        Warns
        -----
        VoxscaleWarning
            As `downsample`.
        """
        events = EventSeries(np.ones((len(np.asarray(times)), 1)), times)
        self.downsample(events, tr_times, run)
        return LanczosStream(
            events.times,
            tr_times,
            lobes=self.lobes,
            cutoff_hz=self.cutoff_hz,
            normalize=self.normalize,
        )

    def kept_trs(self, response: TRSeries) -> range:
        """Return the TR numbers that this recipe keeps of a run.

        Parameters
        ----------
        response : TRSeries
            Must carry ``tr_times``.

        Returns
        -------
        range

        Raises
        ------
        AlignmentError
            If trimming leaves fewer than two TRs, or no more than the delays reach; or if there
            are no TR times.
        """
        n_run_trs = len(_times_of(response))
        kept = range(self.trim[0], n_run_trs - self.trim[1])
        # The published protocol delays across runs, where they only need to hold two TRs each.
        reach = 1 if self.protocol == "huth2023" else max(map(abs, self.delays), default=1)
        if len(kept) <= max(1, reach):
            msg = (
                f"run {response.run!r} has {n_run_trs} TRs; trimming {self.trim[0]} at the start "
                f"and {self.trim[1]} at the end leaves {len(kept)}, and delays reach {reach}. "
                "Trim less, or use shorter delays."
            )
            raise AlignmentError(msg)
        return kept

    def run_lengths(self, responses: Mapping[str, TRSeries], runs: Sequence[str]) -> list[int]:
        """Count the rows that each run contributes to X and Y.

        Parameters
        ----------
        responses : mapping of run to TRSeries
        runs : sequence of str

        Returns
        -------
        list of int, in TRs, in the order given

        Raises
        ------
        AlignmentError
            As :meth:`kept_trs`, or if a run is missing.
        """
        return [
            len(self.kept_trs(_of_run(responses, run, "responses", (TRSeries,)))) for run in runs
        ]

    def join(
        self,
        events: FeatureSpace | Sequence[FeatureSpace],
        responses: Mapping[str, TRSeries],
        runs: Sequence[str],
        *,
        dtype: str = "float32",
    ) -> tuple[Array, Array]:
        """Build the design matrix and the responses of several runs, aligned by TR number.

        Parameters
        ----------
        events : mapping of run to EventSeries, or to TRSeries; or a list of such mappings
            The features; several spaces are put side by side.
        responses : mapping of run to TRSeries
            Must carry ``tr_times``.
        runs : sequence of str
            Which runs, in which order.
        dtype : {"float32", "float64"}
            Of both arrays.

        Returns
        -------
        X : array of shape (n_trs, n_delays * n_features)
        Y : array of shape (n_trs, n_voxels)

        Raises
        ------
        AlignmentError
            If a run is missing or a series is of another run, responses carry no TR times,
            features and responses do not cover the TRs that are kept, or the two are on
            different clocks; the message names the run and the TR ranges.
        DataError
            If features are not finite; the message names the run, the TR and the feature.
        TypeError
            If something else than a series is given for a run.
        ValueError
            If there are no features, or the dtype is another.

        Warns
        -----
        VoxscaleWarning
            As :meth:`downsample`, once for each run.
        """
        dtype = _floating(dtype)
        spaces = [events] if isinstance(events, Mapping) else list(events)
        if not spaces:
            msg = "there are no features to join; give at least one mapping of run to EventSeries."
            raise ValueError(msg)
        features, matched = [], []
        told: set[str] = set()
        for run in [runs] if isinstance(runs, str) else runs:
            response = _of_run(responses, run, "responses", (TRSeries,))
            columns, outside = self._features_of(spaces, response)
            told |= outside
            features.append(columns)
            matched.append(self._responses_on(response, columns, dtype))
        for text in sorted(told):
            warnings.warn(text, VoxscaleWarning, stacklevel=2)
        if self.protocol == "huth2023":
            X = delay(concatenate(features), self.delays)
        else:
            delayed = [
                TRSeries(delay(one.values, self.delays), one.run, one.first_tr) for one in features
            ]
            X = concatenate(delayed)
        return X.astype(dtype, copy=False), concatenate(matched)

    def _features_of(
        self, spaces: Sequence[FeatureSpace], response: TRSeries
    ) -> tuple[TRSeries, set[str]]:
        """Return the trimmed, z-scored features of one run side by side, and what to warn of."""
        tr_times = _times_of(response)
        kept = self.kept_trs(response)
        scale = zscore_as_published if self.protocol == "huth2023" else zscore
        blocks: list[Array] = []
        told: set[str] = set()
        for space in spaces:
            one = _of_run(space, response.run, "features", (EventSeries, TRSeries))
            if isinstance(one, EventSeries):
                one, outside = self._resampled(one, tr_times, response.run)
                told |= {outside} - {""}
            _check_within(one, response)
            _check_covered("features", one, kept)
            one = one.between(kept.start, kept.stop)
            _check_finite(one, f" of space {len(blocks)}" if len(spaces) > 1 else "")
            blocks.append(scale(one.values))
        return TRSeries(np.hstack(blocks), response.run, kept.start), told

    def _responses_on(self, response: TRSeries, features: TRSeries, dtype: str) -> TRSeries:
        """Return the rows of a response that match the features' TRs."""
        wanted = features.trs
        _check_covered("responses", response, wanted)
        rows = response.between(wanted.start, wanted.stop)
        values = np.asarray(rows.values)
        if self.zscore_responses and self.protocol != "huth2023":
            # Only z-scores are rounded to the dtype, which may lose a spread on a large mean.
            values = zscore(values.astype(np.promote_types(values.dtype, dtype), copy=False))
        return TRSeries(values.astype(dtype, copy=False), rows.run, rows.first_tr)


def _check_heard(events: EventSeries, times: Array, tr_s: float, reach_s: float, run: str) -> str:
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


def _check_within(features: TRSeries, response: TRSeries) -> None:
    """Raise an AlignmentError if features are on another clock, or reach past the run."""
    check_clocks({"responses": response, "features": features})
    n_run_trs = len(_times_of(response))
    if features.trs.stop > n_run_trs:
        msg = (
            f"run {response.run!r}: features cover TRs {features.trs.start}.."
            f"{features.trs.stop - 1}, but its responses say that the run has TRs "
            f"0..{n_run_trs - 1}; make the features at the TR times of the responses."
        )
        raise AlignmentError(msg)


def _check_covered(what: str, series: TRSeries, kept: range) -> None:
    """Raise an AlignmentError unless a series holds every TR that is kept of its run."""
    held = series.trs
    if kept.start < held.start or kept.stop > held.stop:
        msg = (
            f"run {series.run!r}: {what} cover TRs {held.start}..{held.stop - 1}, but after "
            f"trimming TRs {kept.start}..{kept.stop - 1} of the run are kept; set trim so that "
            "every TR kept is covered, or check first_tr and the TR report."
        )
        raise AlignmentError(msg)


def _check_finite(features: TRSeries, space: str) -> None:
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


def _of_run(series: Mapping[str, Any], run: str, what: str, kinds: tuple[type, ...]) -> Any:
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


def _integers(name: str, values: Any) -> tuple[int, ...]:
    try:
        return tuple(index(value) for value in values)
    except TypeError as error:
        msg = f"{name} is {values!r}; expected a sequence of whole numbers of TRs."
        raise TypeError(msg) from error


def _floating(dtype: Any) -> str:
    """Return the full name of a dtype that X and Y may have."""
    try:
        name = "" if dtype is None else np.dtype(dtype).name
    except TypeError:
        name = ""
    if name not in _DTYPES:
        msg = f"dtype {dtype!r} is unknown; choose one of {', '.join(_DTYPES)}."
        raise ValueError(msg)
    return name


def _times_of(response: TRSeries) -> Array:
    if response.tr_times is None:
        msg = (
            f"run {response.run!r}: its responses carry no TR times, so features cannot be "
            "aligned; pass tr_times= when reading them (from a TR report)."
        )
        raise AlignmentError(msg)
    return response.tr_times
