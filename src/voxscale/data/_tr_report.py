"""When each TR began, from the event log of a scan."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, read_text
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["TRReport", "read_tr_report"]

_GAP = 1.5  # of the median gap between triggers: above it, TRs are missing


@dataclass(frozen=True, eq=False)
class TRReport:
    """When the TRs of one run were acquired.

    Parameters
    ----------
    trigger_times : array of shape (n_trs,), in seconds
        Start of each TR, from the onset of the sound.
    tr_s : float, in seconds
        Mean time from one trigger to the next, after repair.
    sound_start_s, sound_stop_s : float, optional
        On the clock of the log, not from the onset of the sound.
    other : tuple of (time in seconds on the clock of the log, label)
        Lines that are neither triggers nor sound.
    n_repaired : int
        TRs whose triggers were missing and were filled in.

    Examples
    --------
    >>> TRReport.simulated(3, tr_s=2.0, start_s=-2.0).tr_times
    array([-1.,  1.,  3.])
    """

    trigger_times: Array
    tr_s: float
    sound_start_s: float | None = None
    sound_stop_s: float | None = None
    other: tuple[tuple[float, str], ...] = ()
    n_repaired: int = 0

    def __post_init__(self) -> None:
        times = np.array(self.trigger_times, dtype=np.float64)
        times.flags.writeable = False
        object.__setattr__(self, "trigger_times", times)

    def __len__(self) -> int:
        return len(self.trigger_times)

    @property
    def tr_times(self) -> Array:
        """Middle of each TR, (n_trs,) in seconds from the onset of the sound."""
        return self.trigger_times + self.tr_s / 2

    @classmethod
    def simulated(cls, n_trs: int, tr_s: float = 2.0, start_s: float = 0.0) -> TRReport:
        """Make up the report of a run whose log is not at hand.

        Parameters
        ----------
        n_trs : int
        tr_s : float, in seconds
        start_s : float, in seconds
            First trigger, from the onset of the sound: negative where the scan starts first.
            In the public data set of Moth stories it is -10.

        Returns
        -------
        TRReport

        Raises
        ------
        ValueError
            If there is no TR, or its length is not above 0.
        """
        if n_trs < 1:
            msg = f"n_trs is {n_trs}; expected 1 or more."
            raise ValueError(msg)
        if not (tr_s > 0 and math.isfinite(tr_s) and math.isfinite(start_s)):
            msg = f"tr_s is {tr_s}, start_s is {start_s}; expected finite seconds, tr_s above 0."
            raise ValueError(msg)
        return cls(start_s + np.arange(n_trs) * tr_s, tr_s, sound_start_s=0.0 - start_s)


def read_tr_report(
    path: FilePath, *, sound_start_s: float | None = None, expected_tr_s: float | None = None
) -> TRReport:
    r"""Read an event log: one event a line, its time in seconds and its label.

    Where the log misses triggers, the TRs are filled in, evenly, with one warning that counts
    them: left out, every later row of the responses would be joined with the wrong words.

    Parameters
    ----------
    path : path-like
    sound_start_s : float, optional, in seconds
        When the sound began, on the clock of the log; for a log that does not say, or says
        it twice.
    expected_tr_s : float, optional, in seconds
        Raise if the median time between triggers differs from this by more than 5 %.

    Returns
    -------
    TRReport

    Raises
    ------
    DataError
        If the file cannot be read, a time is no number, there are fewer than two triggers,
        two triggers are much too close, or the onset of the sound is not known.

    Notes
    -----
    A label of "init-trigger" or "trigger", or beginning "first", is a trigger; "sound-start",
    or beginning "start" or "START", the onset of the sound; "sound-stop", or beginning "END",
    its end.

    A gap above 1.5 times the median gap holds ``round(gap / median) - 1`` missing triggers.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> lines = ["1.0 trigger", "3.0 trigger", "4.0 sound-start", "5.0 trigger"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "story.report")
    ...     _ = path.write_text("\n".join(lines))
    ...     read_tr_report(path).tr_times
    array([-2.,  0.,  2.])
    """
    events = _events(path)
    triggers = np.sort([time for time, kind, _ in events if kind == "trigger"])
    if len(triggers) < 2:
        msg = (
            f"{path}: {len(triggers)} triggers; expected two or more lines such as "
            "'12.3 trigger'; name the log of the scan, or use TRReport.simulated."
        )
        raise DataError(msg)
    if sound_start_s is None:
        sound_start_s = _sound_start(events, path)
    _check_gaps(triggers, expected_tr_s, path)
    repaired = _filled(triggers)
    n_repaired = len(repaired) - len(triggers)
    if n_repaired:
        msg = f"{path}: {n_repaired} of {len(repaired)} TRs have no trigger and were filled in."
        warnings.warn(msg, VoxscaleWarning, stacklevel=2)
    stops = [time for time, kind, _ in events if kind == "stop"]
    return TRReport(
        trigger_times=repaired - sound_start_s,
        tr_s=float(np.diff(repaired).mean()),
        sound_start_s=float(sound_start_s),
        sound_stop_s=stops[-1] if stops else None,
        other=tuple((time, label) for time, kind, label in events if kind == "other"),
        n_repaired=n_repaired,
    )


def _events(path: FilePath) -> list[tuple[float, str, str]]:
    """Read (time, kind, label) of every line that is not blank."""
    events = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        first, *rest = line.split()
        try:
            time = float(first)
        except ValueError:
            time = math.nan
        if not math.isfinite(time) or not rest:
            msg = (
                f"{path}, line {number}: {line.strip()[:60]!r}; expected a time in seconds and "
                "a label, such as '12.3 trigger'; mend the line."
            )
            raise DataError(msg)
        label = " ".join(rest)
        events.append((time, _kind(label), label))
    return events


def _kind(label: str) -> str:
    if label in ("init-trigger", "trigger") or label.startswith("first"):
        return "trigger"
    if label == "sound-start" or label.startswith(("start", "START")):
        return "start"
    if label == "sound-stop" or label.startswith("END"):
        return "stop"
    return "other"


def _sound_start(events: list[tuple[float, str, str]], path: FilePath) -> float:
    starts = [(time, label) for time, kind, label in events if kind == "start"]
    if len(starts) == 1:
        return starts[0][0]
    found = ", ".join(f"{time} {label!r}" for time, label in starts) or "none"
    msg = (
        f"{path}: {len(starts)} sound-start labels ({found}); expected one, since times count "
        "from the onset of the sound; pass sound_start_s=, in seconds on the clock of the log."
    )
    raise DataError(msg)


def _check_gaps(triggers: Array, expected_tr_s: float | None, path: FilePath) -> None:
    gaps = np.diff(triggers)
    median = float(np.median(gaps))
    if expected_tr_s is not None and not abs(median - expected_tr_s) <= 0.05 * expected_tr_s:
        msg = (
            f"{path}: the median time between triggers is {median:.4g} s; expected "
            f"{expected_tr_s} s; check that this is the log of the run."
        )
        raise DataError(msg)
    close = np.flatnonzero(gaps < 0.5 * median) if median > 0 else np.arange(len(gaps))
    if close.size:
        i = int(close[0])
        msg = (
            f"{path}: triggers at {triggers[i]} and {triggers[i + 1]} s are {gaps[i]:.4g} s apart, "
            f"half of them {median:.4g} s or more; expected one trigger for each TR; remove the "
            "one that is too many."
        )
        raise DataError(msg)


def _filled(triggers: Array) -> Array:
    """Fill every gap with as many triggers as it holds, evenly."""
    gaps = np.diff(triggers)
    median = np.median(gaps)
    n_steps = np.where(gaps > _GAP * median, np.rint(gaps / median), 1).astype(int)
    pieces = [
        start + gap * np.arange(steps) / steps
        for start, gap, steps in zip(triggers[:-1], gaps, n_steps, strict=True)
    ]
    return np.concatenate([*pieces, triggers[-1:]])
