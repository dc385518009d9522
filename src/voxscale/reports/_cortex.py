"""Four maps of one subject in one figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.data import PycortexSubject
from voxscale.reports._cortex_native import native_maps
from voxscale.reports._flatmap import draw_flatmap, flat_axes
from voxscale.reports._style import DPI, PAGE_WIDTH, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxscale.reports._reading import SubjectMaps

__all__ = ["RELIABLE_CC_MAX", "subject_maps"]

# With five repeats, ceilings of voxels without signal scatter up to about this value.
RELIABLE_CC_MAX = 0.5


@styled
def subject_maps(maps: SubjectMaps, layers: Sequence[int], *, r_end: float = 1.0) -> Figure:
    """Draw correlation, its share of the ceiling, best layer and room for improvement.

    Parameters
    ----------
    maps : SubjectMaps
        With a surface.
    layers : sequence of int
        Those of the study, so that subjects share their colours.
    r_end : float
        Upper end of the colour bar of the correlation.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    VoxscaleError
        If nilearn, which brings fsaverage5, is not installed.
    """
    from matplotlib.figure import Figure

    shown = maps.is_shown
    room = np.where(maps.cc_max > RELIABLE_CC_MAX, maps.cc_max - maps.r_repeated, np.nan)
    rows: list[tuple[str, Any, dict[str, Any]]] = [
        ("test correlation, all test stories", maps.r, {"label": "r", "vmin": 0.0, "vmax": r_end}),
        (
            "share of the noise ceiling, repeated story",
            np.where(shown, maps.cc_norm, np.nan),
            {"label": "cc_norm = r / cc_max", "vmin": 0.0, "vmax": 1.0},
        ),
        (
            "best layer",
            np.where(shown, maps.best_layer, np.nan),
            {"label": "layer", "levels": layers},
        ),
        (
            "room for improvement, repeated story",
            room,
            {"label": "cc_max − r", "vmin": 0.0, "vmax": 1.0, "cmap": "cividis"},
        ),
    ]
    if isinstance(maps.surface.subject, PycortexSubject):
        return native_maps(rows, maps.surface.subject, maps.subject)
    figure = Figure(figsize=(PAGE_WIDTH, 0.56 * PAGE_WIDTH), dpi=DPI)
    parts: Any = figure.subfigures(2, 2, wspace=0.02, hspace=0.02)
    for part, (title, values, options) in zip(parts.ravel(), rows, strict=True):
        heading = f"{maps.subject}: {title}"
        part.suptitle(heading, x=0.01, ha="left", fontsize=10, fontweight="bold")
        axes, bar = flat_axes(part)
        draw_flatmap(axes, values, bar=bar, **options)
    return figure
