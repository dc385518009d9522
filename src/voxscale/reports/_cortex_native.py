"""Several maps of one subject on the flat map that was made for it, in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxscale.arrays import Array
from voxscale.data import PycortexSubject
from voxscale.reports._flat_values import flat_values, shown_outlines
from voxscale.reports._flatmap_native import paint_native
from voxscale.reports._style import DPI, PAGE_WIDTH
from voxscale.reports._surface import REPORT_ROWS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["native_maps"]

_N_COLUMNS = 2
# In inches, of one map: a title and the names of hemispheres above it, its bar at the right.
_TITLE, _NAMES, _BELOW, _LEFT, _RIGHT = 0.26, 0.2, 0.18, 0.08, 0.85
_BAR, _GAP = 0.1, 0.08


def native_maps(
    rows: Sequence[tuple[str, Array, dict[str, Any]]], subject: PycortexSubject, name: str
) -> Figure:
    """Draw maps beside and below each other.

    Parameters
    ----------
    rows : sequence of title, values and options
        The options are those of a colour bar: ``label``, ``vmin``, ``levels`` …
    subject : PycortexSubject
    name : str
        Of the subject, before each title.

    Returns
    -------
    matplotlib Figure
        Regions have their outlines in each map, and their names in the first.
    """
    from matplotlib.figure import Figure

    first = flat_values(rows[0][1], subject, None, "thick", REPORT_ROWS)
    drawn = shown_outlines(subject, "rois")
    left, right, bottom, top = first.pixels.extent
    width = PAGE_WIDTH / _N_COLUMNS
    across = width - _LEFT - _RIGHT
    high = across * (top - bottom) / (right - left)
    each = _TITLE + _NAMES + high + _BELOW
    whole = each * -(-len(rows) // _N_COLUMNS)
    figure = Figure(figsize=(PAGE_WIDTH, whole), dpi=DPI)
    for i, (title, values, options) in enumerate(rows):
        x, y = width * (i % _N_COLUMNS), whole - each * (i // _N_COLUMNS)
        place: dict[str, Any] = {"x": (x + 0.09) / PAGE_WIDTH, "y": (y - 0.06) / whole}
        heading = f"{name}: {title}"
        figure.text(s=heading, va="top", fontsize=10, fontweight="bold", **place)
        base = y - _TITLE - _NAMES - high
        inches = (x + _LEFT, base, across, high), (
            x + _LEFT + across + _GAP, base + 0.08 * high, _BAR, 0.84 * high
        )  # fmt: skip
        ax, bar = (
            figure.add_axes((a / PAGE_WIDTH, b / whole, w / PAGE_WIDTH, h / whole))
            for a, b, w, h in inches
        )
        shown = replace(first, numbers=first.beside(title, values))
        paint_native(ax, {"cax": bar}, shown, drawn, labels=i == 0, **options)
    return figure
