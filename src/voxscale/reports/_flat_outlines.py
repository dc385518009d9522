"""Outlines of regions on a flat map, and their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data import Outline
from voxscale.reports._flat_clip import inner_parts, inner_place
from voxscale.reports._pixel_map import PixelMap

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_outlines", "placed_labels"]

_LINE, _HALO = "#111317", "#ffffff"
_SIZE = 7.0  # points
_N_RINGS, _N_ANGLES = 6, 12  # places around its own where a name is tried


def draw_outlines(ax: Axes, outlines: Sequence[Outline], pixels: PixelMap, *, labels: bool) -> None:
    """Draw outlines, and the name of each once in each hemisphere.

    Lines and names stay lines and text in a vector graphic; their halos are drawn below them.

    Parameters
    ----------
    ax : matplotlib Axes
        With its limits set and its place in the figure.
    outlines : sequence of Outline
        What lies outside the cortex is not drawn.
    pixels : PixelMap
    labels : bool
    """
    from matplotlib.collections import LineCollection

    lines = inner_parts([line for one in outlines for line in one.lines], pixels)
    if not lines:
        return
    halo: dict[str, Any] = {"capstyle": "round", "joinstyle": "round"}
    ax.add_collection(LineCollection(lines, colors=_HALO, linewidths=2.0, alpha=0.75, **halo))
    ax.add_collection(LineCollection(lines, colors=_LINE, linewidths=0.8, gid="outlines", **halo))
    if labels:
        _draw_labels(ax, outlines, pixels)


def placed_labels(anchors: Array, sizes: Array) -> Array:
    """Move labels apart, those that come first the least.

    Parameters
    ----------
    anchors : array of shape (n_labels, 2)
        Where the middle of each would be best.
    sizes : array of shape (n_labels, 2)
        Width and height, in the same unit.

    Returns
    -------
    array of shape (n_labels, 2)
        The nearest place of those tried where a label meets none before it; its anchor where
        there is no such place.
    """
    angles = 2 * np.pi * np.arange(_N_ANGLES) / _N_ANGLES
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rings = [ring * circle for ring in range(1, _N_RINGS + 1)]
    tries = np.concatenate([np.zeros((1, 2)), *rings])
    placed = np.array(anchors, dtype=np.float64)
    for i, (anchor, size) in enumerate(zip(anchors, sizes, strict=True)):
        places = anchor + tries * 0.7 * size[1]
        gaps = np.abs(places[:, np.newaxis] - placed[:i])
        meets = (gaps < (size + sizes[:i]) / 2).all(axis=2).any(axis=1)
        if not meets.all():
            placed[i] = places[np.argmin(meets)]
    return placed


def _draw_labels(ax: Axes, outlines: Sequence[Outline], pixels: PixelMap) -> None:
    from matplotlib.patheffects import Stroke

    names, anchors = _largest_of_each_side(outlines, pixels)
    if not names:
        return
    unit = _data_per_point(ax)
    sizes = unit * np.array([_extent(name) for name in names])
    placed = placed_labels(anchors, sizes)
    where: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": _SIZE}
    halo = [Stroke(linewidth=2.2, foreground=_HALO, alpha=0.9)]
    for name, (x, y), anchor, size in zip(names, placed, anchors, sizes, strict=True):
        if np.hypot(x - anchor[0], y - anchor[1]) > 1.5 * size[1]:
            ax.plot(*zip(anchor, (x, y), strict=True), color=_LINE, linewidth=0.5)
        # A halo turns text into paths: it is drawn by a text of its own, below the real one.
        ax.text(x, y, name, color=_HALO, path_effects=halo, gid="halo", **where)
        ax.text(x, y, name, color=_LINE, gid="label", **where)


def _largest_of_each_side(outlines: Sequence[Outline], pixels: PixelMap) -> tuple[list[str], Array]:
    """Return names and places, those of the largest outlines first."""
    found: dict[tuple[str, bool], tuple[float, Array]] = {}
    for one in outlines:
        for line, best in zip(one.lines, one.label_positions, strict=True):
            position = inner_place(line, best, pixels)
            if position is None:
                continue
            area = float(np.ptp(line, axis=0).prod())
            key = one.name, bool(position[0] < 0)
            if key not in found or area > found[key][0]:
                found[key] = area, position
    ordered = sorted(found.items(), key=lambda item: -item[1][0])
    return [name for (name, _), _ in ordered], np.array([place for _, (_, place) in ordered])


def _extent(name: str) -> tuple[float, float]:
    """Return the width and height of a name in points, with a little room."""
    from matplotlib.textpath import TextPath

    box = TextPath((0, 0), name or " ", size=_SIZE).get_extents()
    return box.width + 2.0, _SIZE + 1.0


def _data_per_point(ax: Axes) -> float:
    """Return what a point of text measures in the units of the axes, whose aspect is equal."""
    box = ax.get_position()
    width, height = ax.figure.get_size_inches() if hasattr(ax.figure, "get_size_inches") else (6, 4)
    spans = abs(np.diff(ax.get_xlim())[0]), abs(np.diff(ax.get_ylim())[0])
    inches = box.width * width, box.height * height
    return float(max(span / size for span, size in zip(spans, inches, strict=True)) / 72)
