"""From values to colours, and the colour bar that says how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._style import layer_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["ColourScale", "colour_scale", "draw_colour_bar"]


class ColourScale(NamedTuple):
    """Values, and how matplotlib colours them."""

    values: Array  # as given; or the place of each among the levels
    cmap: Any
    norm: Any
    extend: str  # where arrows show that values lie beyond
    levels: list[float] | None


def colour_scale(
    values: Array,
    cmap: Any = None,
    vmin: float | None = None,
    vmax: float | None = None,
    levels: Sequence[float] | None = None,
) -> ColourScale:
    """Choose the ends of a colour bar, or a colour for each level.

    Raises
    ------
    ValueError
        If a value is not among the levels.
    """
    import matplotlib as mpl
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    known = values[np.isfinite(values)]
    if levels is not None:
        ordered = sorted({float(level) for level in levels})
        stray = np.setdiff1d(known, ordered)
        if stray.size:
            msg = f"values hold {stray[0]:g}; expected only the levels {ordered}, or NaN."
            raise ValueError(msg)
        n = len(ordered)
        own = layer_colours(n) if cmap is None else list(mpl.colormaps[cmap](np.linspace(0, 1, n)))
        norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
        places = np.where(np.isfinite(values), np.searchsorted(ordered, values), np.nan)
        return ColourScale(places, ListedColormap(own), norm, "neither", ordered)
    low = vmin if vmin is not None else float(known.min()) if known.size else 0.0
    high = vmax if vmax is not None else float(known.max()) if known.size else 1.0
    beyond = bool((known < low).any()), bool((known > high).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
    return ColourScale(values, mpl.colormaps[cmap or "viridis"], Normalize(low, high), extend, None)


def draw_colour_bar(
    figure: Figure | SubFigure, scale: ColourScale, label: str | None, place: dict[str, Any]
) -> None:
    """Draw a colour bar; ``place`` has what matplotlib's ``colorbar`` takes for where."""
    from matplotlib.cm import ScalarMappable

    shades = ScalarMappable(scale.norm, scale.cmap)
    colours = figure.colorbar(shades, extend=scale.extend, **place)
    if scale.levels is not None:
        names = [f"{one:g}" for one in scale.levels]
        colours.set_ticks(list(range(len(names))), labels=names)
        colours.ax.tick_params(which="both", length=0)
    colours.outline.set_visible(False)
    colours.set_label(label or "value")
