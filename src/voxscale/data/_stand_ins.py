"""TextGrids and TR files of published pickles, as this package has them.

One way to read them: the data set does so from the pickle, and a conversion writes what comes out.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import as_number
from voxscale.data._textgrid import Interval, Point, TextGrid, Tier, looks_like_textgrid, parse
from voxscale.data._tr_report import Event, TRReport, kind_of_label, report_of
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["events_of", "textgrid_of", "tr_report_of"]

_NO_SOUND = -1.0  # what the published class holds where the log had no onset of the sound
_SAME_TR = 0.01  # by which the TR of an evened grid may differ from the class's own
_POINTS, _INTERVALS = 2, 3  # what a row of a tier of each kind holds


def textgrid_of(stand_in: Any, label: str) -> TextGrid:
    """Read a TextGrid from the attributes of the published class.

    The text of the file, which the object carries, is read anew where it is there: the
    published reader lost the last interval of a tier in the short format.

    Parameters
    ----------
    stand_in : StandIn
        With ``read_file``, the text, or ``tiers`` with ``simple_transcript``, tuples of text.
    label : str
        For errors.

    Returns
    -------
    TextGrid

    Raises
    ------
    DataError
        If it holds neither, or an interval has no times.
    """
    held = stand_in.attributes
    text = _text(held.get("read_file"), label)
    if looks_like_textgrid(text):
        return parse(text, label)[0]
    if not isinstance(held.get("tiers"), list | tuple) or not held["tiers"]:
        msg = (
            f"{label}: this {stand_in.kind} holds {', '.join(held) or 'nothing'}; expected tiers, "
            "or the text of the file as read_file; fetch the TextGrid itself."
        )
        raise DataError(msg)
    tiers = tuple(_tier(one, f"{label}, tier {i}") for i, one in enumerate(held["tiers"]))
    return TextGrid(min(t.start_s for t in tiers), max(t.end_s for t in tiers), tiers)


def _tier(stand_in: Any, label: str) -> Tier:
    held = getattr(stand_in, "attributes", {})
    rows = held.get("simple_transcript")
    if not isinstance(rows, list | tuple):
        msg = f"{label} has no simple_transcript; expected rows of text; fetch the TextGrid itself."
        raise DataError(msg)
    lengths = {len(row) if isinstance(row, list | tuple) else 0 for row in rows}
    if len(lengths) > 1 or not lengths <= {_POINTS, _INTERVALS}:
        msg = (
            f"{label} has rows of {', '.join(map(str, sorted(lengths)))} parts; expected (onset, "
            "offset, text) in all, or (time, text) in all; fetch the TextGrid itself."
        )
        raise DataError(msg)
    is_points = lengths == {_POINTS} or (not lengths and held.get("classid") == "TextTier")
    times = [[_seconds(one, label) for one in row[:-1]] for row in rows]
    texts = [_text(row[-1], label) for row in rows]
    entries = list(zip(times, texts, strict=True))
    return Tier(
        _text(held.get("nameid"), label),
        _bound(held.get("xmin"), min((row[0] for row in times), default=0.0)),
        _bound(held.get("xmax"), max((row[-1] for row in times), default=0.0)),
        () if is_points else tuple(Interval(row[0], row[1], text) for row, text in entries),
        tuple(Point(row[0], text) for row, text in entries) if is_points else (),
        is_interval_tier=not is_points,
    )


def _text(value: Any, label: str) -> str:
    """Return text, every line ending as it does in files; Python 2's is bytes beyond ASCII."""
    if isinstance(value, bytes | bytearray):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError as error:
            msg = f"{label}: text is not UTF-8 ({error}); expected it; fetch the TextGrid itself."
            raise DataError(msg) from error
    text = "" if value is None else str(value)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _bound(value: Any, instead: float) -> float:
    found = as_number(str(value))
    return found if math.isfinite(found) else instead


def _seconds(value: Any, label: str) -> float:
    found = as_number(value.decode("latin-1") if isinstance(value, bytes) else str(value))
    if not math.isfinite(found):
        msg = f"{label}: {value!r:.80} is no time; expected seconds; fetch the TextGrid itself."
        raise DataError(msg)
    return found


def tr_report_of(stand_in: Any, label: str) -> TRReport:
    """Read the times of TRs from the attributes of the published class.

    Parameters
    ----------
    stand_in : StandIn, or a list that begins with one
        With ``trtimes`` and ``soundstarttime``, in seconds on the clock of the log.
    label : str
        For errors.

    Returns
    -------
    TRReport
        As `voxscale.data.read_tr_report` gives it from the log that is made of `events_of`.

    Raises
    ------
    DataError
        As `events_of`; or if the times are no even TRs.

    Warns
    -----
    VoxscaleWarning
        As `events_of`; and if TRs are missing, which are filled in, or jitter.
    """
    report, note = report_of(events_of(stand_in, label), label)
    if note:
        warnings.warn(f"{label}: {note}", VoxscaleWarning, stacklevel=2)
    return report


def events_of(stand_in: Any, label: str) -> list[Event]:
    """Return the log that the published class was read from, in order of time.

    Parameters
    ----------
    stand_in : StandIn, or a list that begins with one
        With ``trtimes`` and ``soundstarttime``, in seconds on the clock of the log.
    label : str
        For errors.

    Returns
    -------
    list of Event
        Other labels that would read as a trigger, or as the sound, begin with "other".

    Raises
    ------
    DataError
        If there are fewer than two TRs, the log had no onset of the sound, or times are out of
        order and no even grid fits them.

    Warns
    -----
    VoxscaleWarning
        If times are out of order, as the published repair of several gaps leaves them; they
        are put on the even grid of as many TRs.
    """
    if isinstance(stand_in, list | tuple) and stand_in:
        stand_in = stand_in[0]  # of several logs of a story the published code takes the first
    held = getattr(stand_in, "attributes", {})
    try:
        times = np.asarray(held.get("trtimes", ()), dtype=np.float64)
        start_s, stop_s = (_sound(held, name) for name in ("soundstarttime", "soundstoptime"))
        others = [_other(time, text, label) for time, text in held.get("otherlabels") or ()]
        usual_s = None if held.get("expectedtr") is None else float(held["expectedtr"])
    except (TypeError, ValueError) as error:
        msg = f"{label}: the times are no numbers ({error}); expected seconds; fetch the TR report."
        raise DataError(msg) from error
    if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all():
        msg = f"{label}: {times.size} times of TRs; expected two or more; fetch the TR report."
        raise DataError(msg)
    if start_s is None:
        msg = (
            f"{label}: the log has no onset of the sound, for which its class holds {_NO_SOUND:g}; "
            "expected seconds on the clock of the log; fetch the TR report, and read it with "
            "sound_start_s=."
        )
        raise DataError(msg)
    triggers = _in_order(times, usual_s, label).tolist()
    events = [Event(time, "trigger", "trigger") for time in triggers]
    events.append(Event(start_s, "start", "sound-start"))
    if stop_s is not None:
        events.append(Event(stop_s, "stop", "sound-stop"))
    return sorted([*events, *others], key=lambda one: one.time_s)


def _sound(held: Any, name: str) -> float | None:
    found = float(_NO_SOUND if held.get(name) is None else held[name])
    return found if math.isfinite(found) and found != _NO_SOUND else None


def _other(time: Any, text: Any, label: str) -> Event:
    words = " ".join(_text(text, label).split())
    if kind_of_label(words) != "other" or not words:
        words = f"other {words}".strip()
    return Event(_seconds(time, label), "other", words)


def _in_order(times: Array, expected_tr_s: float | None, label: str) -> Array:
    if (np.diff(times) > 0).all():
        return times
    n_trs, first, last = len(times), float(times.min()), float(times.max())
    tr_s = (last - first) / (n_trs - 1)
    usual = float(np.median(np.abs(np.diff(times)))) if expected_tr_s is None else expected_tr_s
    if not abs(tr_s - usual) <= _SAME_TR * usual:
        msg = (
            f"{label}: times of TRs are out of order, and {n_trs} even TRs from {first:g} to "
            f"{last:g} s would be {tr_s:.4g} s each where {usual:.4g} s are expected; fetch the "
            "TR report itself."
        )
        raise DataError(msg)
    note = (
        f"{label}: times of TRs are out of order, as the published repair of gaps leaves them; "
        f"they are put on an even grid of {n_trs} TRs, {tr_s:.4g} s apart."
    )
    warnings.warn(note, VoxscaleWarning, stacklevel=3)
    grid: Array = np.linspace(first, last, n_trs)
    return grid
