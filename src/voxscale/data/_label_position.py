"""Where the name of an outline fits."""

from __future__ import annotations

import numpy as np

from voxscale.arrays import Array

__all__ = ["label_position"]

_N_CELLS = 16  # of the grid that is searched, along each side
_N_ROUNDS = 4  # each looks closer around the best point


def label_position(points: Array, is_closed: bool) -> Array:  # noqa: FBT001
    """Find where a label of a line fits.

    Parameters
    ----------
    points : array of shape (n_points, 2)
    is_closed : bool

    Returns
    -------
    array of shape (2,)
        Of a closed line, the point inside it that is farthest from it, to within a hundredth of
        its size or so; of an open one, or one that holds no area, the middle of its length.
    """
    if is_closed and np.ptp(points, axis=0).all():
        low, high = points.min(axis=0), points.max(axis=0)
        best, found = low, 0.0
        for _ in range(_N_ROUNDS):
            ticks = np.linspace(low, high, _N_CELLS + 1)
            ticks = (ticks[1:] + ticks[:-1]) / 2
            grid = np.stack(np.meshgrid(ticks[:, 0], ticks[:, 1]), axis=-1).reshape(-1, 2)
            room = np.where(_is_inside(grid, points), _distance(grid, points), 0.0)
            if room.max() > found:
                best, found = grid[np.argmax(room)], float(room.max())
            step = 2 * (high - low) / _N_CELLS
            low, high = best - step, best + step
        if found > 0:
            return np.asarray(best)
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    middle = [np.interp(length[-1] / 2, length, axis) for axis in points.T]
    return np.array(middle)


def _is_inside(places: Array, points: Array) -> Array:
    """Tell by the even-odd rule whether places are inside a closed line."""
    (x0, y0), (x1, y1) = points[:-1].T, points[1:].T
    x, y = places[:, :1], places[:, 1:]
    is_beside = (y0 > y) != (y1 > y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    crosses = is_beside & (x < x0 + (y - y0) * (x1 - x0) / rise)
    return np.asarray(crosses.sum(axis=1) % 2 == 1)


def _distance(places: Array, points: Array) -> Array:
    """Return the distance of places from the nearest piece of a line."""
    start, along = points[:-1], np.diff(points, axis=0)
    squared = np.einsum("pc,pc->p", along, along)
    start, along, squared = start[squared > 0], along[squared > 0], squared[squared > 0]
    away = places[:, None] - start
    share = np.clip(np.einsum("qpc,pc->qp", away, along) / squared, 0.0, 1.0)
    gaps = away - share[..., None] * along
    return np.asarray(np.sqrt(np.einsum("qpc,qpc->qp", gaps, gaps).min(axis=1)))
