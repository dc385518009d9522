"""Curves of equal score over two sizes: what one is worth in the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._size_axis import name_sizes
from voxscale.reports._style import INK, WIDTH, new_figure, styled
from voxscale.reports._tables import with_minus

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxscale.scaling import ScalingSurface

__all__ = ["contour_levels", "exchange_contours"]

_N_GRID = 80
_MARGIN = 0.06  # of the range of a size, beside its first and last point
_N_LEVELS = 7
_EDGE = 0.05  # of the width or height, where no label fits


@styled
def exchange_contours(
    surface: ScalingSurface,
    axis: str,
    other: str,
    *,
    levels: Sequence[float] | None = None,
    at: Mapping[str, float] | None = None,
    xlabel: str | None = None,
    ylabel: str | None = None,
    r_label: str = "score",
    title: str | None = None,
) -> Figure:
    """Draw contours of equal score over two sizes, and the points that were measured.

    Moving along a contour exchanges one size for the other at the same score.

    Parameters
    ----------
    surface : ScalingSurface
        From :func:`voxscale.scaling.fit_scaling_surface`.
    axis, other : str
        What is drawn to the right, and upwards.
    levels : sequence of float, optional
        Scores of the contours. Default: about seven round ones.
    at : mapping of axis to number, optional
        Size on a third axis, if there is one. Default: its geometric mean.
    xlabel, ylabel : str, optional
        With units. Default: the names of the axes.
    r_label : str
        Of the colour bar: what was scored.
    title : str, optional

    Returns
    -------
    matplotlib Figure
        Both axes logarithmic. Lines are the surface's, within the range of the points; the
        points are filled with the colours of what was measured.

    Raises
    ------
    ValueError
        If the surface has no such axes, or they are the same.

    Examples
    --------
    >>> from voxscale.scaling import fit_scaling_surface
    >>> words, hours = np.meshgrid([8.0, 32.0, 128.0], [1.0, 4.0, 16.0])
    >>> scores = 0.02 * np.log10(words) + 0.05 * np.log10(hours) + 0.1
    >>> x = {"context": words.ravel(), "hours": hours.ravel()}
    >>> surface = fit_scaling_surface(x, scores.ravel(), kind="log-linear")
    >>> figure = exchange_contours(surface, "context", "hours")
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_xscale()
    ('context', 'log')
    """
    from matplotlib.colors import Normalize

    if axis == other or axis not in surface.axes or other not in surface.axes:
        msg = (
            f"axes are {axis!r} and {other!r}; expected two different ones of "
            f"{', '.join(surface.axes)}."
        )
        raise ValueError(msg)
    across, up = (_grid(surface.x[name]) for name in (axis, other))
    x, y = np.meshgrid(across, up)
    predicted = surface.predict({**surface.center, **(at or {}), axis: x, other: y})
    chosen = contour_levels(surface) if levels is None else sorted(map(float, levels))
    measured = surface.mean_scores
    both = np.r_[predicted.ravel(), measured]
    norm = Normalize(float(both.min()), float(both.max()))
    figure, ((ax,),) = new_figure(1, 1, width=WIDTH, height=4.4)
    ax.pcolormesh(x, y, predicted, norm=norm, cmap=_pale(), shading="nearest", rasterized=True)
    ring: dict[str, Any] = {"s": 42, "edgecolors": "white", "linewidths": 1.1, "zorder": 4}
    measures = {"c": measured, "norm": norm, "label": "measured"}
    points = ax.scatter(surface.x[axis], surface.x[other], **measures, **ring)
    name_sizes(ax, surface.x[axis])
    name_sizes(ax, surface.x[other], which="y")
    ax.set(xlabel=xlabel or axis, ylabel=ylabel or other)
    ax.set(xlim=(across[0], across[-1]), ylim=(up[0], up[-1]))
    _draw_lines(ax, x, y, predicted, chosen)
    ax.set_title(title or "")
    ax.grid(visible=False)
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2, ncols=2)
    bar = figure.colorbar(points, ax=ax, pad=0.02)
    bar.set_label(r_label)
    bar.outline.set_visible(False)
    return figure


def _draw_lines(ax: Axes, x: Array, y: Array, predicted: Array, levels: list[float]) -> None:
    """Draw contours with their scores upon them."""
    from matplotlib.patheffects import withStroke

    ax.plot([], [], color=INK, lw=1.1, label="equal score, fitted")
    if not levels:
        return
    lines = ax.contour(x, y, predicted, levels=levels, colors=INK, linewidths=1.1)
    digits = max(len(f"{one:g}".partition(".")[2]) for one in levels)
    names = {one: with_minus(f"{one:.{digits}f}") for one in lines.levels}
    for text in ax.clabel(lines, inline=False, fmt=names, fontsize=8):
        text.set_path_effects([withStroke(linewidth=3.0, foreground="white")])
        place = ax.transAxes.inverted().transform(ax.transData.transform(text.get_position()))
        if not (place.min() > _EDGE and place.max() < 1 - _EDGE):
            text.remove()  # it would hang over the edge


def _pale() -> Any:
    """Make the usual colours paler, so that points stand out upon them."""
    import matplotlib as mpl
    from matplotlib.colors import ListedColormap

    colours = mpl.colormaps["viridis"](np.linspace(0, 1, 256))
    return ListedColormap(0.4 * colours + 0.6)


def contour_levels(surface: ScalingSurface) -> list[float]:
    """Choose round scores between the lowest and the highest that was measured.

    Parameters
    ----------
    surface : ScalingSurface

    Returns
    -------
    list of float
    """
    from matplotlib.ticker import MaxNLocator

    low, high = float(surface.mean_scores.min()), float(surface.mean_scores.max())
    ticks = MaxNLocator(_N_LEVELS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [float(f"{one:.6g}") for one in ticks if low < one < high]


def _grid(sizes: Any) -> Any:
    """Reach a little beyond the points, so that these are not cut in half."""
    low, high = math.log10(sizes.min()), math.log10(sizes.max())
    aside = _MARGIN * (high - low)
    return 10 ** np.linspace(low - aside, high + aside, _N_GRID)
