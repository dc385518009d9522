"""TextGrids, TR files and word sequences of published pickles, as this package has them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import as_number
from voxscale.data._textgrid import Interval, Point, TextGrid, Tier, looks_like_textgrid, parse
from voxscale.data._tr_report import TRReport
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["textgrid_of", "tr_report_of"]

_NO_SOUND = -1.0  # what the published class holds where the log had no onset of the sound
_SAME_TR = 0.01  # by which the TR of an evened grid may differ from the class's own


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
    text = held.get("read_file")
    if isinstance(text, str) and looks_like_textgrid(text):
        return parse(text.replace("\r\n", "\n").replace("\r", "\n"), label)[0]
    if not isinstance(held.get("tiers"), Sequence) or not held["tiers"]:
        msg = (
            f"{label}: this {stand_in.kind} holds {', '.join(held) or 'nothing'}; expected tiers, "
            "or the text of the file as read_file; fetch the TextGrid itself."
        )
        raise DataError(msg)
    tiers = tuple(_tier(one, f"{label}, tier {i}") for i, one in enumerate(held["tiers"]))
    return TextGrid(min(t.start_s for t in tiers), max(t.end_s for t in tiers), tiers)


def _tier(stand_in: Any, label: str) -> Tier:
    held = stand_in.attributes
    rows = held.get("simple_transcript")
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        msg = f"{label} has no simple_transcript; expected rows of text; fetch the TextGrid itself."
        raise DataError(msg)
    intervals = tuple(_interval(row, label) for row in rows if len(row) == 3)
    points = tuple(Point(_seconds(row[0], label), str(row[1])) for row in rows if len(row) == 2)
    ends = [one.offset_s for one in intervals] + [one.time_s for one in points]
    starts = [one.onset_s for one in intervals] + [one.time_s for one in points]
    return Tier(
        str(held.get("nameid", "")),
        _bound(held.get("xmin"), min(starts, default=0.0)),
        _bound(held.get("xmax"), max(ends, default=0.0)),
        intervals,
        points,
        is_interval_tier=not points,
    )


def _interval(row: Sequence[Any], label: str) -> Interval:
    return Interval(_seconds(row[0], label), _seconds(row[1], label), str(row[2]))


def _bound(value: Any, instead: float) -> float:
    found = as_number(str(value))
    return found if math.isfinite(found) else instead


def _seconds(value: Any, label: str) -> float:
    found = as_number(str(value))
    if not math.isfinite(found):
        msg = f"{label}: {value!r} is no time; expected seconds; fetch the TextGrid itself."
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
        start_s = float(held.get("soundstarttime", _NO_SOUND))
    except (TypeError, ValueError) as error:
        msg = f"{label}: the times are no numbers ({error}); expected seconds; fetch the TR report."
        raise DataError(msg) from error
    if times.ndim != 1 or len(times) < 2 or not np.isfinite(times).all():
        msg = f"{label}: {times.size} times of TRs; expected two or more; fetch the TR report."
        raise DataError(msg)
    if start_s == _NO_SOUND or not math.isfinite(start_s):
        msg = (
            f"{label}: the log has no onset of the sound, for which its class holds {start_s:g}; "
            "expected seconds on the clock of the log; fetch the TR report, and read it with "
            "sound_start_s=."
        )
        raise DataError(msg)
    times = _in_order(times, held.get("expectedtr"), label)
    stop_s = held.get("soundstoptime")
    return TRReport(
        trigger_times=times - start_s,
        tr_s=float(np.diff(times).mean()),
        sound_start_s=start_s,
        sound_stop_s=None if stop_s in (None, _NO_SOUND) else float(stop_s),
    )


def _in_order(times: Array, expected_tr_s: Any, label: str) -> Array:
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
