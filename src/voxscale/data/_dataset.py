"""What one subject heard and how the brain responded, with its splits."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array, TRSeries
from voxscale.data._regions import check_one_each, region_names
from voxscale.data._transcript import Transcript
from voxscale.errors import AlignmentError, DataError, did_you_mean

__all__ = ["Dataset", "check_subject"]

_TR_SHARE = 0.01  # by which tr_s may differ from the TR times: nominal TRs are rounded


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """One subject's stories, responses and splits.

    A mapping may be lazy and read a run when it is asked for: of a mapping that is not a plain
    dict only the names are checked here, and nothing is read.

    Parameters
    ----------
    name, subject : str
    words : mapping of run to Transcript
    responses : mapping of run to TRSeries
        Values of shape (n_trs, n_voxels). Where a run was repeated: the mean over repeats.
    trials : mapping of run to tuple of TRSeries
        Each repeat, for runs with two or more; what a noise ceiling needs.
    train, test : sequence of str
        Runs to learn from and runs to score; no run is in both.
    tr_s : float, in seconds
    audio : mapping of run to Path
    space : str, optional
        Where the voxels lie, for instance "fsaverage5".
    licence, citation : str
    truth : mapping of str to array, optional
        What was planted, where the data are simulated.
    regions : array of str, shape (n_voxels,), optional
        Name of the region that each voxel lies in; "" where it lies in none. Reports then tell
        slopes of regions too. No score depends on it.
    cortex : path-like, optional
        Folder of the subject in a pycortex filestore, with its only transform, or
        ``<folder>_auto``, and ``mask_thick`` for its voxels. Reports then draw flat maps. No
        score depends on it, and nothing of it is read here.

    Raises
    ------
    AlignmentError
        If a run of the splits has no words or responses, runs differ in their voxels, trials
        of one run in their TRs, or ``tr_s`` and the times of TRs by more than 1 %; or if there
        is not one region for each voxel (not checked where responses are a lazy mapping).
    DataError
        If the splits share a run or name one twice, or a run with trials has fewer than two.
    TypeError
        If words are no Transcript, responses or trials no TRSeries, regions no text, or cortex
        no path.
    ValueError
        If ``tr_s`` is not above 0.

    Examples
    --------
    >>> runs = {name: TRSeries(np.ones((4, 5)), name) for name in ("a", "b")}
    >>> words = {name: Transcript(["hi"], [0.5]) for name in runs}
    >>> data = Dataset("mine", "01", words, runs, {}, train=("a",), test=("b",), tr_s=2.0)
    >>> data.split(), data.n_voxels
    ((['a'], ['b']), 5)
    """

    name: str
    subject: str
    words: Mapping[str, Transcript]
    responses: Mapping[str, TRSeries]
    trials: Mapping[str, tuple[TRSeries, ...]]
    train: tuple[str, ...]
    test: tuple[str, ...]
    tr_s: float
    audio: Mapping[str, Path] = field(default_factory=dict)
    space: str | None = None
    licence: str = ""
    citation: str = ""
    truth: Mapping[str, Array] | None = None
    regions: Array | None = None
    cortex: Path | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        self._check_types()
        if not (self.tr_s > 0 and math.isfinite(self.tr_s)):
            msg = f"{self._label}: tr_s is {self.tr_s}; expected seconds above 0."
            raise ValueError(msg)
        for split in ("train", "test"):
            runs = getattr(self, split)
            if isinstance(runs, str):
                msg = f"{self._label}: {split} is {runs!r}; expected a sequence of runs."
                raise TypeError(msg)
            object.__setattr__(self, split, tuple(runs))
        self._check_names()
        self._check_trials()
        self._check_series()
        self._take_regions()
        self._take_cortex()

    @property
    def _label(self) -> str:
        return f"dataset {self.name!r}, subject {self.subject!r}"

    @property
    def n_voxels(self) -> int:
        """Number of voxels; reads one run of a lazy mapping."""
        return int(self.responses[next(iter(self.responses))].values.shape[1])

    def split(self) -> tuple[list[str], list[str]]:
        """Return the runs to train on and the runs to test on."""
        return list(self.train), list(self.test)

    def __repr__(self) -> str:
        return (
            f"Dataset({self.name!r}, subject {self.subject!r}: {len(self.train)} training and "
            f"{len(self.test)} test runs, TR {self.tr_s} s)"
        )

    def _check_types(self) -> None:
        self._expect(self.tr_s, Real, "tr_s", "seconds")
        for what in ("words", "responses", "trials", "audio"):
            self._expect(getattr(self, what), Mapping, what, "a mapping with runs for names")
        for run, one in _in_hand(self.words):
            self._expect(one, Transcript, f"words of run {run!r}", "a Transcript")
        for run, one in _in_hand(self.responses):
            self._expect(one, TRSeries, f"responses of run {run!r}", "a TRSeries")
        for run, repeats in _in_hand(self.trials):
            what = f"trials of run {run!r}"
            self._expect(repeats, Sequence, what, "a tuple of TRSeries")
            for one in repeats:
                self._expect(one, TRSeries, f"one of the {what}", "a TRSeries")

    def _expect(self, value: Any, kind: Any, what: str, expected: str) -> None:
        if not isinstance(value, kind):
            given = type(value).__name__
            msg = f"{self._label}: {what} is of type {given}; expected {expected}."
            raise TypeError(msg)

    def _check_names(self) -> None:
        runs = (*self.train, *self.test)
        if not runs:
            msg = f"{self._label}: no runs in train or test; expected at least one; name them."
            raise DataError(msg)
        twice = sorted({run for run in runs if runs.count(run) > 1})
        if twice:
            msg = (
                f"{self._label}: runs {_listed(twice)} are named twice in train and test; "
                "expected each run once, or scores are of what was learned; remove one."
            )
            raise DataError(msg)
        for what in ("words", "responses"):
            # Iterating asks a lazy mapping for names; "in" could read the run.
            known = set(getattr(self, what))
            absent = [run for run in runs if run not in known]
            if absent:
                msg = (
                    f"{self._label}: runs {_listed(absent)} are in train or test but have no "
                    f"{what}; expected both; they exist for {_listed(sorted(known)) or 'no run'}."
                )
                raise AlignmentError(msg)
        stray = sorted(set(self.trials) - set(self.responses))
        if stray:
            msg = (
                f"{self._label}: runs {_listed(stray)} have trials but no responses; expected "
                "their mean among the responses; add it."
            )
            raise AlignmentError(msg)

    def _check_trials(self) -> None:
        for run, repeats in _in_hand(self.trials):
            if len(repeats) < 2:
                msg = (
                    f"{self._label}: run {run!r} has {len(repeats)} trials; expected two or "
                    "more; leave a run that was not repeated out of trials."
                )
                raise DataError(msg)
            spans = list(dict.fromkeys(f"{one.trs.start}..{one.trs.stop - 1}" for one in repeats))
            if len(spans) > 1:
                msg = (
                    f"{self._label}: the trials of run {run!r} cover TRs {' and '.join(spans)}; "
                    "expected the same TRs in each; cut them to those that they share."
                )
                raise AlignmentError(msg)

    def _check_series(self) -> None:
        in_hand = _in_hand(self.responses)
        in_hand += [(run, one) for run, repeats in _in_hand(self.trials) for one in repeats]
        for run, series in in_hand:
            first, of_first = in_hand[0]
            if series.values.shape[1] != of_first.values.shape[1]:
                msg = (
                    f"{self._label}: run {run!r} has {series.values.shape[1]} voxels, run "
                    f"{first!r} has {of_first.values.shape[1]}; expected the same for every run."
                )
                raise AlignmentError(msg)
            if series.run != run:
                msg = (
                    f"{self._label}: the responses of run {run!r} say that they are of run "
                    f"{series.run!r}; expected the same name; mend one."
                )
                raise AlignmentError(msg)
            times = series.tr_times
            step_s = self.tr_s if times is None or len(times) < 2 else np.diff(times).mean()
            if abs(step_s - self.tr_s) > _TR_SHARE * self.tr_s:
                msg = (
                    f"{self._label}: the TRs of run {run!r} are {step_s:.4g} s apart, tr_s is "
                    f"{self.tr_s} s; expected the same to within 1 %; mend tr_s, or tr_times."
                )
                raise AlignmentError(msg)

    def _take_regions(self) -> None:
        if self.regions is None:
            return
        object.__setattr__(self, "regions", region_names(self.regions, self._label))
        for _, series in _in_hand(self.responses)[:1]:
            check_one_each(self.regions, series.values.shape[1], self._label)

    def _take_cortex(self) -> None:
        if self.cortex is not None:
            self._expect(self.cortex, str | os.PathLike, "cortex", "a folder's path")
            object.__setattr__(self, "cortex", Path(self.cortex))


def check_subject(name: str, subject: str, known: Sequence[str]) -> None:
    """Check that a data set has a subject.

    Parameters
    ----------
    name : str
        Of the data set.
    subject : str
    known : sequence of str
        Its subjects.

    Raises
    ------
    DataError
        If it has not; the message lists those that it has.
    """
    if subject not in known:
        hint = did_you_mean(subject, known)
        msg = (
            f"dataset {name!r} has no subject {subject!r}; choose one of "
            f"{', '.join(known) or 'none'}{hint}."
        )
        raise DataError(msg)


def _in_hand(runs: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return what can be looked at without reading it: nothing of a lazy mapping."""
    return list(runs.items()) if isinstance(runs, dict) else []


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:8])) + (" …" if len(names) > 8 else "")
