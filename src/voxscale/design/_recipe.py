"""From features and responses of many runs to one X and one Y."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, EventSeries, TRSeries, concatenate
from voxscale.design._delay import delay
from voxscale.design._joins import (
    check_covered,
    check_finite,
    check_heard,
    check_within,
    of_run,
    times_of,
)
from voxscale.design._lanczos import check_filter, lanczos
from voxscale.design._scale import zscore, zscore_as_published
from voxscale.design._stream import LanczosStream
from voxscale.errors import AlignmentError, VoxscaleWarning

__all__ = ["DesignRecipe", "FeatureSpace"]

FeatureSpace = Mapping[str, EventSeries] | Mapping[str, TRSeries]

_PROTOCOLS = (None, "huth2023")
_DTYPES = ("float32", "float64")


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
    trims : mapping of run to (int, int), in TRs
        Other trims for some runs: the published scripts cut 50 TRs off the start of the story
        that they test on.

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
    trims: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "delays", _integers("delays", self.delays))
        object.__setattr__(self, "trim", _trim("trim", self.trim))
        trims = {run: _trim(f"trim of run {run!r}", one) for run, one in self.trims.items()}
        object.__setattr__(self, "trims", trims)
        if not self.delays:
            msg = "delays is empty; name at least one, for instance (1, 2, 3, 4)."
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
        return TRSeries(values, run, 0, times), check_heard(events, times, tr_s, reach_s, run)

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
        n_run_trs = len(times_of(response))
        first, last = self.trims.get(response.run, self.trim)
        kept = range(first, n_run_trs - last)
        # The published protocol delays across runs, where they only need to hold two TRs each.
        reach = 1 if self.protocol == "huth2023" else max(map(abs, self.delays), default=1)
        if len(kept) <= max(1, reach):
            msg = (
                f"run {response.run!r} has {n_run_trs} TRs; trimming {first} at the start "
                f"and {last} at the end leaves {len(kept)}, and delays reach {reach}. "
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
            len(self.kept_trs(of_run(responses, run, "responses", (TRSeries,)))) for run in runs
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
            response = of_run(responses, run, "responses", (TRSeries,))
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
        tr_times = times_of(response)
        kept = self.kept_trs(response)
        scale = zscore_as_published if self.protocol == "huth2023" else zscore
        blocks: list[Array] = []
        told: set[str] = set()
        for space in spaces:
            one = of_run(space, response.run, "features", (EventSeries, TRSeries))
            if isinstance(one, EventSeries):
                one, outside = self._resampled(one, tr_times, response.run)
                told |= {outside} - {""}
            check_within(one, response)
            check_covered("features", one, kept)
            one = one.between(kept.start, kept.stop)
            check_finite(one, f" of space {len(blocks)}" if len(spaces) > 1 else "")
            blocks.append(scale(one.values))
        return TRSeries(np.hstack(blocks), response.run, kept.start), told

    def _responses_on(self, response: TRSeries, features: TRSeries, dtype: str) -> TRSeries:
        """Return the rows of a response that match the features' TRs."""
        wanted = features.trs
        check_covered("responses", response, wanted)
        rows = response.between(wanted.start, wanted.stop)
        values = np.asarray(rows.values)
        if self.zscore_responses and self.protocol != "huth2023":
            # Only z-scores are rounded to the dtype, which may lose a spread on a large mean.
            values = zscore(values.astype(np.promote_types(values.dtype, dtype), copy=False))
        return TRSeries(values.astype(dtype, copy=False), rows.run, rows.first_tr)


def _integers(name: str, values: Any) -> tuple[int, ...]:
    try:
        return tuple(index(value) for value in values)
    except TypeError as error:
        msg = f"{name} is {values!r}; expected a sequence of whole numbers of TRs."
        raise TypeError(msg) from error


def _trim(name: str, values: Any) -> tuple[int, ...]:
    trim = _integers(name, values)
    if len(trim) != 2 or min(trim) < 0:
        msg = f"{name} is {trim}; expected two counts of TRs, none negative."
        raise ValueError(msg)
    return trim


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
