"""From values to colours, and the colour bar that says how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import did_you_mean
from voxscale.reports._style import layer_colours

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["ColourScale", "check_ends", "colour_scale", "draw_colour_bar"]


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
        If a value is not among the levels, the colour map is none of matplotlib's, or the lower end
        of the colour bar is above its upper end.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap, Normalize

    shades = _named("viridis" if cmap is None else cmap)
    known = values[np.isfinite(values)]
    if levels is not None:
        ordered = sorted({float(level) for level in levels})
        stray = np.setdiff1d(known, ordered)
        if stray.size:
            msg = f"values hold {stray[0]:g}; expected only the levels {ordered}, or NaN."
            raise ValueError(msg)
        n = len(ordered)
        own = layer_colours(n) if cmap is None else list(shades(np.linspace(0, 1, n)))
        norm = BoundaryNorm(np.arange(n + 1) - 0.5, n)
        places = np.where(np.isfinite(values), np.searchsorted(ordered, values), np.nan)
        return ColourScale(places, ListedColormap(own), norm, "neither", ordered)
    low = vmin if vmin is not None else float(known.min()) if known.size else 0.0
    high = vmax if vmax is not None else float(known.max()) if known.size else 1.0
    if low > high or None not in (vmin, vmax):  # a map of one value has no other ends than this
        check_ends(("vmin", "vmax"), (low, high), (vmin, vmax))
    beyond = bool((known < low).any()), bool((known > high).any())
    extend = {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[beyond]
    return ColourScale(values, shades, Normalize(low, high), extend, None)


def check_ends(
    names: tuple[str, str], ends: tuple[float, float], given: tuple[float | None, float | None]
) -> None:
    """Check that a colour bar goes upwards; an end that is not given is that of the values.

    Raises
    ------
    ValueError
        If it does not; the message has the names and values of both ends.
    """
    if ends[0] < ends[1]:
        return
    low, high = (
        f"{name} is {end:g}" + ("" if own is not None else f" (the {which} value)")
        for name, end, own, which in zip(names, ends, given, ("smallest", "largest"), strict=True)
    )
    lacking = [name for name, own in zip(names, given, strict=True) if own is None]
    todo = "swap them, or leave both out" if ends[0] > ends[1] else "give another, or neither"
    if lacking:
        todo = f"give {' and '.join(lacking)} too, or neither"
    msg = f"{low} and {high}; expected {names[0]} below {names[1]}; {todo}."
    raise ValueError(msg)


def _named(cmap: Any) -> Any:
    """Find a colour map of matplotlib's."""
    import matplotlib as mpl

    if isinstance(cmap, str) and cmap in mpl.colormaps:
        return mpl.colormaps[cmap]
    hint = did_you_mean(cmap, mpl.colormaps) if isinstance(cmap, str) else ""
    msg = (
        f"cmap is {cmap!r}{hint}; expected the name of a colour map of matplotlib's, such as "
        "'viridis' or 'plasma'; give one of them, or leave it out."
    )
    raise ValueError(msg)


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
