"""Scans of runs, read when they are asked for, on the clock of the sound."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.data._brain_images import cleaned, confounds_of, read_images
from voxscale.data._lazy_runs import LazyRuns
from voxscale.data._responses import check_responses
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["Cleaning", "Scan", "lazy_scans"]


@dataclass(frozen=True)
class Cleaning:
    """What is taken out of responses; by default nothing.

    Parameters
    ----------
    confounds : tuple of str
        Strategy of ``nilearn.interfaces.fmriprep.load_confounds``, such as
        ("motion", "wm_csf", "high_pass"); none where it is empty.
    detrend : bool
        Take a linear trend out of each voxel.
    high_pass_hz : float, optional
        Take out what is slower.
    """

    confounds: tuple[str, ...] = ()
    detrend: bool = False
    high_pass_hz: float | None = None

    @property
    def is_none(self) -> bool:
        """Whether stored numbers are left as they are."""
        return not (self.confounds or self.detrend or self.high_pass_hz)

    def __str__(self) -> str:
        told = [f"confounds {', '.join(self.confounds)}"] if self.confounds else []
        told += ["a linear trend"] if self.detrend else []
        told += [f"drift slower than {self.high_pass_hz:g} Hz"] if self.high_pass_hz else []
        return "taken out: " + " and ".join(told) if told else "numbers as they are stored"


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan of a run.

    Parameters
    ----------
    run : str
    files : tuple of Path
        See `read_images`.
    mask : Path, array of shape (x, y, z), or None
    tr_s : float, in seconds
    sound_start_s : float, in seconds
        Onset of the sound, from the start of the first TR in the files.
    cleaning : Cleaning
    """

    run: str
    files: tuple[Path, ...]
    mask: Path | Array | None
    tr_s: float
    sound_start_s: float = 0.0
    cleaning: Cleaning = Cleaning()

    def read(self) -> TRSeries:
        """Read it: (n_trs, n_voxels), float32; TRs before a steady state are left out."""
        values = read_images(self.files, self.mask)
        tr_times = (np.arange(len(values)) + 0.5) * self.tr_s - self.sound_start_s
        first, confounds = 0, None
        if self.cleaning.confounds:
            confounds, first = confounds_of(self.files, self.cleaning.confounds)
            if len(confounds) != len(values):
                msg = (
                    f"{self.files[0]}: {len(values)} TRs, but its confounds have {len(confounds)}; "
                    "expected a row for each TR; fetch both again."
                )
                raise DataError(msg)
            values, confounds = values[first:], confounds[first:]
        if not self.cleaning.is_none:
            values = cleaned(
                values,
                tr_s=self.tr_s,
                confounds=confounds,
                detrend=self.cleaning.detrend,
                high_pass_hz=self.cleaning.high_pass_hz,
            )
        return check_responses(TRSeries(values, self.run, first, tr_times))


def lazy_scans(
    scans: Mapping[str, Sequence[Scan]],
) -> tuple[LazyRuns[TRSeries], LazyRuns[tuple[TRSeries, ...]]]:
    """Return responses and trials: of a run that was scanned more than once, mean and repeats."""
    reader = _Reader({run: tuple(some) for run, some in scans.items()})
    repeated = [run for run, some in scans.items() if len(some) > 1]
    return LazyRuns(scans, reader.responses), LazyRuns(repeated, reader.repeats)


@dataclass(frozen=True)
class _Reader:
    scans: Mapping[str, tuple[Scan, ...]]

    def responses(self, run: str) -> TRSeries:
        some = self.scans[run]
        if len(some) == 1:
            return some[0].read()
        repeats = self.repeats(run)
        mean = np.mean([one.values for one in repeats], axis=0)
        return TRSeries(mean, run, repeats[0].first_tr, repeats[0].tr_times)

    def repeats(self, run: str) -> tuple[TRSeries, ...]:
        """Read the repeats, cut to the TRs that all have."""
        some = self.scans[run]
        starts = [one.sound_start_s for one in some]
        if max(starts) - min(starts) > 0.01 * some[0].tr_s:
            msg = (
                f"run {run!r}: in its repeats the sound starts at {', '.join(map(str, starts))} s; "
                "expected the same, or their TRs do not correspond; load them as runs of their own."
            )
            raise DataError(msg)
        read = [one.read() for one in some]
        first, stop = max(one.trs.start for one in read), min(one.trs.stop for one in read)
        if len({one.trs for one in read}) > 1:
            spans = ", ".join(f"{one.trs.start}..{one.trs.stop - 1}" for one in read)
            note = f"run {run!r}: its repeats cover TRs {spans}; cut to {first}..{stop - 1}."
            warnings.warn(note, VoxscaleWarning, stacklevel=2)
        times = min((one.tr_times for one in read if one.tr_times is not None), key=len)
        return tuple(
            TRSeries(one.values[first - one.first_tr : stop - one.first_tr], run, first, times)
            for one in read
        )
