"""From features and responses of many runs to one X and one Y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array, EventSeries, TRSeries, concatenate
from voxscale.design._delay import delay
from voxscale.design._lanczos import lanczos
from voxscale.design._scale import zscore
from voxscale.errors import AlignmentError

__all__ = ["DesignRecipe", "FeatureSpace"]

FeatureSpace = Mapping[str, EventSeries] | Mapping[str, TRSeries]

_PROTOCOLS = (None, "huth2023")


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
        next, and responses are taken as they are stored.

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
        object.__setattr__(self, "delays", tuple(self.delays))
        object.__setattr__(self, "trim", tuple(self.trim))
        if len(self.trim) != 2 or min(self.trim) < 0:
            msg = f"trim is {self.trim}; expected two counts of TRs, none negative."
            raise ValueError(msg)
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
        """
        values = lanczos(
            events,
            tr_times,
            lobes=self.lobes,
            cutoff_hz=self.cutoff_hz,
            normalize=self.normalize,
        )
        return TRSeries(values, run, 0, np.asarray(tr_times))

    def kept_trs(self, response: TRSeries) -> range:
        """Return the TR numbers that this recipe keeps of a run."""
        n_run_trs = len(_times_of(response))
        kept = range(self.trim[0], n_run_trs - self.trim[1])
        if len(kept) < 2:
            msg = (
                f"run {response.run!r} has {n_run_trs} TRs; trimming {self.trim[0]} at the start "
                f"and {self.trim[1]} at the end leaves {len(kept)}. Trim less."
            )
            raise AlignmentError(msg)
        return kept

    def run_lengths(self, responses: Mapping[str, TRSeries], runs: Sequence[str]) -> list[int]:
        """Count the rows that each run contributes to X and Y, in the order given."""
        return [len(self.kept_trs(_of_run(responses, run, "responses"))) for run in runs]

    def join(
        self,
        events: FeatureSpace | Sequence[FeatureSpace],
        responses: Mapping[str, TRSeries],
        runs: Sequence[str],
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

        Returns
        -------
        X : array of shape (n_trs, n_delays * n_features), float32
        Y : array of shape (n_trs, n_voxels), float32

        Raises
        ------
        AlignmentError
            If a run is missing, its responses carry no TR times, or features and responses do
            not cover the same TRs; the message names the run and both TR ranges.
        """
        spaces = [events] if isinstance(events, Mapping) else list(events)
        if isinstance(runs, str):
            runs = [runs]
        features, matched = [], []
        for run in runs:
            response = _of_run(responses, run, "responses")
            columns = self._features_of(spaces, response)
            features.append(columns)
            matched.append(self._responses_on(response, columns))
        if self.protocol == "huth2023":
            X = delay(concatenate(features), self.delays)
        else:
            delayed = [
                TRSeries(delay(one.values, self.delays), one.run, one.first_tr) for one in features
            ]
            X = concatenate(delayed)
        return X.astype(np.float32, copy=False), concatenate(matched)

    def _features_of(self, spaces: Sequence[FeatureSpace], response: TRSeries) -> TRSeries:
        """Return the trimmed, z-scored features of one run, all spaces side by side."""
        tr_times = _times_of(response)
        kept = self.kept_trs(response)
        blocks = []
        for space in spaces:
            one = _of_run(space, response.run, "features")
            if isinstance(one, EventSeries):
                one = self.downsample(one, tr_times, response.run)
            blocks.append(zscore(one.between(kept.start, kept.stop).values))
        return TRSeries(np.hstack(blocks), response.run, kept.start)

    def _responses_on(self, response: TRSeries, features: TRSeries) -> TRSeries:
        """Return the rows of a response that match the features' TRs."""
        wanted, held = features.trs, response.trs
        if wanted.start < held.start or wanted.stop > held.stop:
            msg = (
                f"run {response.run!r}: features cover TRs {wanted.start}..{wanted.stop - 1} after "
                f"trimming, responses TRs {held.start}..{held.stop - 1}; set trim so that every "
                "TR kept was measured, or check first_tr and the TR report."
            )
            raise AlignmentError(msg)
        rows = response.between(wanted.start, wanted.stop)
        values = np.asarray(rows.values, dtype=np.float32)
        if self.zscore_responses and self.protocol != "huth2023":
            values = zscore(values)
        return TRSeries(values, rows.run, rows.first_tr)


def _of_run(series: Mapping[str, Any], run: str, what: str) -> Any:
    if run not in series:
        msg = f"{what} hold no run {run!r}; they hold {', '.join(sorted(series)) or 'none'}."
        raise AlignmentError(msg)
    return series[run]


def _times_of(response: TRSeries) -> Array:
    if response.tr_times is None:
        msg = (
            f"run {response.run!r}: its responses carry no TR times, so features cannot be "
            "aligned; pass tr_times= when reading them (from a TR report)."
        )
        raise AlignmentError(msg)
    return response.tr_times
