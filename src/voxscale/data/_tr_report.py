"""When each TR began, from the event log of a scan."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, as_number, read_text
from voxscale.data._triggers import UNEVEN, is_even, line_through, repaired_triggers
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["Event", "TRReport", "kind_of_label", "read_tr_report", "report_of"]


class Event(NamedTuple):
    """A line of a log: seconds on its clock, what it is about, and its label."""

    time_s: float
    kind: str  # trigger, start, stop, other
    label: str


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
        """Middle of each TR, (n_trs,) in seconds from the onset of the sound.

        Scanners are even and logs jitter: where triggers are uneven by 0.9 % of a TR or more,
        these are the middles on the straight line that fits the triggers best (least squares).
        Where a trigger lies 10 % of a TR or more from that line, the triggers are kept as
        they are, and `voxscale.lanczos` refuses them.
        """
        times = self.trigger_times
        if not is_even(times):
            line = line_through(times)
            times = line if np.abs(times - line).max() < UNEVEN * self.tr_s else times
        return times + self.tr_s / 2

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
        TypeError
            If ``n_trs`` is not a whole number.
        """
        try:
            n_trs = index(n_trs)
        except TypeError as error:
            msg = f"n_trs is {n_trs!r}; expected a whole number of TRs, 1 or more."
            raise TypeError(msg) from error
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
    them: left out, every later row of the responses would be joined with the wrong words. The
    same warning says by how much triggers jitter, where `TRReport.tr_times` evens them out.

    Parameters
    ----------
    path : path-like
    sound_start_s : float, optional, in seconds
        When the sound began, on the clock of the log; for a log that does not say, or says
        it twice.
    expected_tr_s : float, optional, in seconds
        The TR, to within 5 %. Without it the shortest time that often lies between triggers is
        taken for the TR, so it is needed where no two triggers of neighbouring TRs are logged.

    Returns
    -------
    TRReport

    Raises
    ------
    DataError
        If the file cannot be read, a time is no number, there are fewer than two triggers,
        two triggers are much too close, the time between two is no multiple of the TR, or the
        onset of the sound is not known.
    ValueError
        If ``expected_tr_s`` is not above 0, or ``sound_start_s`` is not finite.

    Notes
    -----
    A label of "init-trigger" or "trigger", or beginning "first", is a trigger; "sound-start",
    or beginning "start" or "START", the onset of the sound; "sound-stop", or beginning "END",
    its end.

    A gap between triggers holds ``round(gap / TR) - 1`` missing ones. The TR is the median of
    the gaps up to 1.5 times the smallest, not counting as smallest what would mean that three
    in four triggers are missing. Where such gaps are fewer than 5 %, it is the median gap. A
    gap that then differs from a multiple of the TR by more than 10 % of a TR is an error.

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
    if expected_tr_s is not None and not (expected_tr_s > 0 and math.isfinite(expected_tr_s)):
        msg = f"expected_tr_s is {expected_tr_s}; expected finite seconds above 0."
        raise ValueError(msg)
    if sound_start_s is not None and not math.isfinite(sound_start_s):
        msg = f"sound_start_s is {sound_start_s}; expected finite seconds on the clock of the log."
        raise ValueError(msg)
    report, note = report_of(_events(path), path, sound_start_s, expected_tr_s)
    if note:
        warnings.warn(f"{path}: {note}", VoxscaleWarning, stacklevel=2)
    return report


def report_of(
    events: Sequence[Event],
    path: FilePath,
    sound_start_s: float | None = None,
    expected_tr_s: float | None = None,
) -> tuple[TRReport, str]:
    """Make the report of some events; return it, and what is odd in them, if anything is.

    Parameters
    ----------
    events : sequence of Event
    path : path-like
        For errors.
    sound_start_s, expected_tr_s : float, optional
        As for `read_tr_report`, whose errors it raises.
    """
    triggers = np.sort([one.time_s for one in events if one.kind == "trigger"])
    if len(triggers) < 2:
        msg = (
            f"{path}: {len(triggers)} triggers; expected two or more lines such as "
            "'12.3 trigger'; name the log of the scan, or use TRReport.simulated."
        )
        raise DataError(msg)
    if sound_start_s is None:
        sound_start_s = _sound_start(events, path)
    repaired = repaired_triggers(triggers, expected_tr_s, path)
    stops = [one.time_s for one in events if one.kind == "stop"]
    report = TRReport(
        trigger_times=repaired - sound_start_s,
        tr_s=float(np.diff(repaired).mean()),
        sound_start_s=float(sound_start_s),
        sound_stop_s=stops[-1] if stops else None,
        other=tuple((one.time_s, one.label) for one in events if one.kind == "other"),
        n_repaired=len(repaired) - len(triggers),
    )
    return report, _note(repaired, len(repaired) - len(triggers))


def _events(path: FilePath) -> list[Event]:
    """Read every line that is not blank."""
    events = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        first, *rest = line.split()
        time = as_number(first)
        if not math.isfinite(time) or not rest:
            msg = (
                f"{path}, line {number}: {line.strip()[:60]!r}; expected a time in seconds and "
                "a label, such as '12.3 trigger'; mend the line."
            )
            raise DataError(msg)
        label = " ".join(rest)
        events.append(Event(time, kind_of_label(label), label))
    return events


def kind_of_label(label: str) -> str:
    """Tell what a line of a log is about by its label."""
    if label in ("init-trigger", "trigger") or label.startswith("first"):
        return "trigger"
    if label == "sound-start" or label.startswith(("start", "START")):
        return "start"
    if label == "sound-stop" or label.startswith("END"):
        return "stop"
    return "other"


def _sound_start(events: Sequence[Event], path: FilePath) -> float:
    starts = [one for one in events if one.kind == "start"]
    if len(starts) == 1:
        return starts[0].time_s
    found = ", ".join(f"{one.time_s} {one.label!r}" for one in starts) or "none"
    msg = (
        f"{path}: {len(starts)} sound-start labels ({found}); expected one, since times count "
        "from the onset of the sound; pass sound_start_s=, in seconds on the clock of the log."
    )
    raise DataError(msg)


def _note(triggers: Array, n_filled: int) -> str:
    """Say what was filled in, and what is to be evened out, if anything."""
    tr_s = np.diff(triggers).mean()
    notes = []
    if n_filled:
        notes.append(
            f"{n_filled} of {len(triggers)} TRs have no trigger and were filled in; a TR is "
            f"{tr_s:.4g} s (if not, pass expected_tr_s=)."
        )
    if not is_even(triggers):
        off_s = np.abs(triggers - line_through(triggers)).max()
        does = "is evened out" if off_s < UNEVEN * tr_s else "is too much to be evened out"
        notes.append(f"triggers lie up to {1000 * off_s:.0f} ms off an even grid, which {does}.")
    return " ".join(notes)
