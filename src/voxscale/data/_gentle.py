"""Words as the aligner gentle writes them, some of which it did not find in the sound."""

from __future__ import annotations

import csv
import json
import math
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, as_number, read_text
from voxscale.data._transcript import Transcript
from voxscale.errors import DataError, VoxscaleWarning

__all__ = ["read_gentle"]

_HEADER = ("word", "words")


def read_gentle(path: FilePath, *, missing: str = "interpolate") -> Transcript:
    """Read ``align.csv`` or ``align.json`` of gentle.

    Parameters
    ----------
    path : path-like
        The table has no header and four columns: word, word as it was aligned, onset, offset (s,
        from the onset of the sound). Cells of words that were not found are empty.
    missing : {"interpolate", "drop"}
        What becomes of words that were not found, or were found before the word before them:
        spread evenly between their neighbours, which keeps the text whole, or left out. Those
        before the first and after the last word that was found are left out in any case.

    Returns
    -------
    Transcript

    Raises
    ------
    DataError
        If the file cannot be read, or no word was found.
    ValueError
        If ``missing`` is neither.

    Warns
    -----
    VoxscaleWarning
        If words were not found; says how many of how many.
    """
    if missing not in ("interpolate", "drop"):
        msg = f"missing is {missing!r}; expected 'interpolate' or 'drop'."
        raise ValueError(msg)
    path = Path(path)
    rows = _of_json(path) if path.suffix == ".json" else _of_csv(path)
    words = [word for word, _, _ in rows]
    times = np.array([(onset, offset) for _, onset, offset in rows], dtype=float).reshape(-1, 2)
    found = _usable(times)
    if not found.any():
        msg = f"{path}: none of {len(rows)} words has a time; expected onsets; align them again."
        raise DataError(msg)
    n_missing = int((~found).sum())
    if missing == "interpolate":
        times, found = _spread(times, found), _between(found)
    if n_missing:
        told = f"{n_missing} of {len(rows)} words have no time of their own"
        spread = int(found.sum()) - (len(rows) - n_missing)
        done = [f"{spread} are spread between their neighbours"] if spread else []
        done += [f"{n_missing - spread} are left out"] if n_missing > spread else []
        warnings.warn(f"{path}: {told}; {', '.join(done)}.", VoxscaleWarning, stacklevel=2)
    kept = np.flatnonzero(found)
    return Transcript([words[i] for i in kept], times[kept, 0], times[kept, 1])


def _of_csv(path: Path) -> list[tuple[str, float, float]]:
    rows = []
    for number, cells in enumerate(csv.reader(read_text(path).split("\n")), start=1):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != 4:
            msg = (
                f"{path}, line {number}: {len(cells)} cells; expected 4: word, aligned word, "
                "onset, offset; fetch or align it again."
            )
            raise DataError(msg)
        word, _, onset, offset = (cell.strip() for cell in cells)
        if number == 1 and word.lower() in _HEADER and onset and math.isnan(as_number(onset)):
            continue
        rows.append((word, _time(onset, path, number), _time(offset, path, number)))
    return rows


def _time(cell: str, path: Path, line: int) -> float:
    if not cell.strip():
        return math.nan
    value = as_number(cell)
    if not math.isfinite(value):
        msg = f"{path}, line {line}: {cell!r} is no time; expected seconds, or nothing; mend it."
        raise DataError(msg)
    return value


def _of_json(path: Path) -> list[tuple[str, float, float]]:
    try:
        found: Any = json.loads(read_text(path))
        return [
            (
                str(one["word"]),
                float(one.get("start", math.nan)),
                float(one.get("end", math.nan)),
            )
            for one in found["words"]
        ]
    except (json.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        msg = (
            f"{path}: is no alignment of gentle ({error}); expected words with word, start and "
            "end; fetch or align it again."
        )
        raise DataError(msg) from error


def _usable(times: Array) -> Array:
    """Tell which words have a time that goes on from the words before them."""
    usable = np.isfinite(times).all(axis=1) & (times[:, 1] >= times[:, 0])
    latest = -math.inf
    for i in np.flatnonzero(usable):
        if times[i, 0] < latest:
            usable[i] = False
        else:
            latest = times[i, 0]
    return usable


def _between(found: Array) -> Array:
    """Tell which words lie between the first and the last that was found."""
    places = np.flatnonzero(found)
    inside = np.zeros_like(found)
    inside[places[0] : places[-1] + 1] = True
    return inside


def _spread(times: Array, found: Array) -> Array:
    """Divide the time between two words that were found among those between them."""
    times = times.copy()
    places = np.flatnonzero(found)
    for before, after in pairwise(places):
        n_between = after - before - 1
        if n_between:
            start = min(times[before, 1], times[after, 0])  # words may overlap
            edges = np.linspace(start, times[after, 0], n_between + 1)
            times[before + 1 : after, 0] = edges[:-1]
            times[before + 1 : after, 1] = edges[1:]
    return times
