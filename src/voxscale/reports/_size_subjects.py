"""What the laws of a study's sweeps are in each subject alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.reports._law_words import line_fit
from voxscale.reports._size_laws import line_of, worth
from voxscale.reports._size_words import factor_text
from voxscale.reports._tables import Table, as_text, with_minus

if TYPE_CHECKING:
    from voxscale.reports._size_laws import Sweep

__all__ = ["subjects_table"]

_COLUMNS = (
    "sweep", "subject", "test stories", "slope per decade", "95 % interval over its stories",
    "R² of the line", "ten times it, in hours",
)  # fmt: skip
_NOTE = (
    "Slopes of each subject alone, with an interval by Student's t over its test stories: for "
    "other stories that this subject could hear. Last column: by what factor the hours of training "
    "data would have to grow for what ten times the size brings, as the text above says it of all."
)


def subjects_table(sweeps: Mapping[str, Sweep]) -> list[Table]:
    """Tabulate the slopes of each subject; nothing where there is one alone."""
    import pandas as pd

    numbers = [
        _numbers(sweep, subject, sweeps.get("n_stories"))
        for sweep in sweeps.values()
        if len(sweep.subjects) > 1
        for subject in sweep.subjects
    ]
    if not numbers:
        return []
    names = {sweep.axis: sweep.what for sweep in sweeps.values()}
    rows = [
        (names[one["sweep"]], one["subject"], as_text(one["n_stories"]),
         with_minus(f"{one['slope']:+.4f}"), _ends(one["low"], one["high"]),
         as_text(one["r2"], 3), "–" if math.isnan(one["factor"]) else factor_text(one["factor"]))
        for one in numbers
    ]  # fmt: skip
    return [Table(_COLUMNS, rows, _NOTE, "size-subjects", pd.DataFrame(numbers))]


def _numbers(sweep: Sweep, subject: str, hours: Sweep | None) -> dict[str, Any]:
    units = sweep.units[[subject]]
    line = line_of(units)
    low, high = line.slope_interval
    factor = math.nan
    if hours is not None and hours is not sweep and subject in hours.subjects:
        factor = worth(sweep, hours, subject).factor
    return {
        "sweep": sweep.axis, "subject": subject, "n_stories": units.shape[1],
        "slope": line.slope, "low": low, "high": high,
        "r2": line_fit(line).r2 if len(line.x) > 2 else np.nan, "factor": factor,
    }  # fmt: skip


def _ends(low: float, high: float) -> str:
    return "–" if math.isnan(low) else with_minus(f"{low:+.4f} to {high:+.4f}")
