"""Parts of lines that lie on the cortex."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._pixel_map import PixelMap

__all__ = ["inner_parts", "inner_place"]

_STEP = 2.0  # pixels between the places of a line that are looked at
_ROOM = 3  # pixels by which a line along the edge may lie outside


def inner_parts(lines: Iterable[Array], pixels: PixelMap) -> list[Array]:
    """Cut lines where they leave the flattened cortex.

    Parameters
    ----------
    lines : iterable of arrays of shape (n_points, 2), in mm
    pixels : PixelMap

    Returns
    -------
    list of arrays of shape (n, 2)
        A line that does not leave is as it was; one that lies outside is left out.
    """
    from scipy.ndimage import binary_dilation

    near = binary_dilation(pixels.inside, iterations=_ROOM)
    _, _, bottom, top = pixels.extent
    step = _STEP * (top - bottom) / pixels.shape[0]
    return [part for line in lines for part in _cut(line, near, step, pixels)]


def inner_place(line: Array, place: Array, pixels: PixelMap) -> Array | None:
    """Move the place of a label onto the cortex.

    Parameters
    ----------
    line : array of shape (n_points, 2), in mm
    place : array of shape (2,)
    pixels : PixelMap

    Returns
    -------
    array of shape (2,), or None
        ``place`` if it is on the cortex. Or else the middle of what the line encloses of it, or
        the pixel there that is nearest to that; None where it encloses none.
    """
    from matplotlib.path import Path

    if _looked_up(pixels.inside, place[np.newaxis], pixels)[0]:
        return place
    left, right, bottom, top = pixels.extent
    rows, columns = np.nonzero(pixels.inside)
    x = left + (columns + 0.5) * (right - left) / pixels.shape[1]
    y = top - (rows + 0.5) * (top - bottom) / pixels.shape[0]
    low, high = line.min(axis=0), line.max(axis=0)
    is_near = (x >= low[0]) & (x <= high[0]) & (y >= low[1]) & (y <= high[1])
    near = np.stack([x[is_near], y[is_near]], axis=1)
    enclosed = near[Path(line).contains_points(near)] if len(near) else near
    if not len(enclosed):
        return None
    away = np.linalg.norm(enclosed - enclosed.mean(axis=0), axis=1)
    return np.asarray(enclosed[np.argmin(away)])


def _cut(line: Array, near: Array, step: float, pixels: PixelMap) -> list[Array]:
    dense = _dense(line, step)
    is_inside = _looked_up(near, dense, pixels)
    if is_inside.all():
        return [line]
    edges = np.diff(np.concatenate([[False], is_inside, [False]]).astype(int))
    runs = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
    return [dense[start:stop] for start, stop in runs if stop - start > 1]


def _dense(line: Array, step: float) -> Array:
    """Add points to a line so that none is farther than a step from the next."""
    lengths = np.linalg.norm(np.diff(line, axis=0), axis=1)
    pieces = [line[:1]]
    for start, end, length in zip(line[:-1], line[1:], lengths, strict=True):
        shares = np.linspace(0.0, 1.0, max(1, int(np.ceil(length / step))) + 1)[1:, np.newaxis]
        pieces.append(start + shares * (end - start))
    return np.concatenate(pieces)


def _looked_up(mask: Array, places: Array, pixels: PixelMap) -> Array:
    """Return what a mask of pixels has at places (n, 2); False outside the picture."""
    left, right, bottom, top = pixels.extent
    n_rows, n_columns = pixels.shape
    column = np.floor((places[:, 0] - left) / (right - left) * n_columns).astype(int)
    row = np.floor((top - places[:, 1]) / (top - bottom) * n_rows).astype(int)
    is_there = (column >= 0) & (column < n_columns) & (row >= 0) & (row < n_rows)
    found = np.zeros(len(places), dtype=bool)
    found[is_there] = mask[row[is_there], column[is_there]]
    return found
