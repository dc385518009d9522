"""Triangles of a flattened hemisphere, and a grid of pixels on them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array

__all__ = ["N_PIXELS", "FlatSheet", "face_values", "pixels_on"]

N_PIXELS = 700  # of the longer side of a sheet's grid


class FlatSheet(NamedTuple):
    """The flattened surface of one hemisphere, and a grid of pixels on it.

    Which triangle a pixel lies in is looked up once: maps then are pictures, not 20,000 polygons.
    """

    xy: Array  # (n_vertices, 2)
    faces: Array  # (n_faces, 3), without those across a cut
    sulcal_depth: Array  # (n_vertices,), positive in sulci
    face_at: Array  # (n_rows, n_columns), from the lower left; -1 outside
    extent: tuple[float, float, float, float]  # left, right, bottom, top of the grid


def face_values(corners: Array, *, is_discrete: bool) -> Array:
    """Reduce (n_faces, 3) corner values to one per face; NaN where no corner has one."""
    count = np.isfinite(corners).sum(axis=1)
    if is_discrete:  # a mean of layers would be a layer that nobody found
        middle = np.maximum(count - 1, 0) // 2
        return np.asarray(np.sort(corners, axis=1)[np.arange(len(corners)), middle])
    total = np.nansum(corners, axis=1)
    nothing = np.full(len(corners), math.nan)
    return np.asarray(np.divide(total, count, out=nothing, where=count > 0))


def pixels_on(xy: Array, faces: Array) -> tuple[Array, tuple[float, float, float, float]]:
    """Find the triangle of every pixel of a grid over all of them."""
    from matplotlib.tri import Triangulation

    corners = xy[np.unique(faces)]
    low, high = corners.min(axis=0), corners.max(axis=0)
    step = (high - low).max() / N_PIXELS
    n_columns, n_rows = np.ceil((high - low) / step).astype(int)
    x = low[0] + step * (np.arange(n_columns) + 0.5)
    y = low[1] + step * (np.arange(n_rows) + 0.5)
    find = Triangulation(xy[:, 0], xy[:, 1], faces).get_trifinder()
    face_at = np.asarray(find(*np.meshgrid(x, y)))
    top_right = low + step * np.array([n_columns, n_rows])
    return face_at, (float(low[0]), float(top_right[0]), float(low[1]), float(top_right[1]))
