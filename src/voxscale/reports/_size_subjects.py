"""What the laws of a study's sweeps are in each subject alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.errors import FitError
from voxscale.reports._law_words import line_fit, size_text
from voxscale.reports._size_laws import line_of, worth
from voxscale.reports._size_words import factor_text
from voxscale.reports._tables import Table, as_text, with_minus
from voxscale.study._common_sizes import own_units

if TYPE_CHECKING:
    from voxscale.reports._size_laws import Sweep

__all__ = ["subjects_table"]

_COLUMNS = (
    "sweep", "subject", "test stories", "sizes", "slope per decade",
    "95 % interval over its stories", "R² of the line", "ten times it, in hours",
)  # fmt: skip
_NOTE = (
    "Slopes of each subject alone, over all sizes of its own (how many, from where to where), with "
    "an interval by Student's t over its test stories: for other stories that this subject could "
    "hear. Last column: by what factor the hours of training data would have to grow for what ten "
    "times the size brings, as the text above says it of all."
)


def subjects_table(
    points: Mapping[str, Any], names: Mapping[str, str], sweeps: Mapping[str, Sweep]
) -> list[Table]:
    """Tabulate the slopes of each subject along each axis; nothing where there is one alone."""
    import pandas as pd

    own = {axis: _own_units(some) for axis, some in points.items()}
    numbers = [
        _numbers(axis, subject, own, sweeps) for axis, units in own.items() for subject in units
    ]
    if not numbers:
        return []
    rows = [
        (names[one["sweep"]], one["subject"], as_text(one["n_stories"]), _range(one),
         with_minus(f"{one['slope']:+.4f}"), _ends(one["low"], one["high"]),
         as_text(one["r2"], 3), "–" if math.isnan(one["factor"]) else factor_text(one["factor"]))
        for one in numbers
    ]  # fmt: skip
    return [Table(_COLUMNS, rows, _NOTE, "size-subjects", pd.DataFrame(numbers))]


def _own_units(points: Any) -> dict[str, Any]:
    """Tabulate the scores of each subject with a line; none where there is one subject alone."""
    every = list(dict.fromkeys(points["subject"]))
    if len(every) < 2:
        return {}
    units = {one: own_units(points, one) for one in every}
    return {one: own for one, own in units.items() if own.shape[1] and own.index.nunique() > 1}


def _numbers(
    axis: str, subject: str, own: Mapping[str, Any], sweeps: Mapping[str, Sweep]
) -> dict[str, Any]:
    units = own[axis][subject]
    line = line_of(units)
    low, high = line.slope_interval
    factor = math.nan
    hours = own.get("n_stories", {}).get(subject)
    if axis in sweeps and "n_stories" in sweeps and axis != "n_stories" and hours is not None:
        with suppress(FitError):  # too few sizes of its own for the law of all
            factor = worth(sweeps[axis], sweeps["n_stories"], (units, hours)).factor
    return {
        "sweep": axis, "subject": subject, "n_stories": units.shape[1],
        "n_sizes": len(line.x), "smallest": line.x.min(), "largest": line.x.max(),
        "slope": line.slope, "low": low, "high": high,
        "r2": line_fit(line).r2 if len(line.x) > 2 else np.nan, "factor": factor,
    }  # fmt: skip


def _ends(low: float, high: float) -> str:
    return "–" if math.isnan(low) else with_minus(f"{low:+.4f} to {high:+.4f}")


def _range(one: Mapping[str, Any]) -> str:
    return f"{one['n_sizes']}: {size_text(one['smallest'])} to {size_text(one['largest'])}"
