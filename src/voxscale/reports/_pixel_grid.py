"""A grid of pixels over triangles: which triangle each pixel lies in, and where."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array

__all__ = ["PixelGrid", "pixel_grid"]

_PER_BLOCK = 50_000  # triangles that are looked at together, to bound memory
_ROUNDING = 1e-9  # what a pixel on an edge may lie beyond it, in pixels or barycentric


class PixelGrid(NamedTuple):
    """Pixels whose centres lie on a sheet of triangles, and their place there."""

    inside: Array  # (n_rows, n_columns), the top row first
    extent: tuple[float, float, float, float]  # left, right, bottom, top: edges, not centres
    corners: Array  # (n_inside, 3), the vertices around each pixel
    barycentric: Array  # (n_inside, 3), shares of the corners; a row sums to 1


def pixel_grid(points: Array, faces: Array, n_rows: int) -> PixelGrid:
    """Lay a grid of pixels over triangles in a plane.

    The centres of the first and last row lie on the lowest and highest of all points, as those of
    pycortex's pictures do; so do those of columns, up to a part of a pixel.

    Parameters
    ----------
    points : array of shape (n_points, 2)
    faces : array of int, shape (n_faces, 3)
        Of triangles that overlap, the first is taken.
    n_rows : int

    Returns
    -------
    PixelGrid
    """
    low, high = points.min(axis=0), points.max(axis=0)
    size = high - low
    n_columns = max(2, int(size[0] / size[1] * n_rows))
    n = np.array([n_columns, n_rows])
    step = size / (n - 1)
    face_at = np.full((n_rows, n_columns), -1)
    barycentric = np.zeros((n_rows, n_columns, 3))
    corners = (points[faces] - low) / step  # (n_faces, 3, 2), in pixels from the lower left
    for start in reversed(range(0, len(faces), _PER_BLOCK)):
        face, x, y, shares = _covered(corners[start : start + _PER_BLOCK], n)
        face_at[y[::-1], x[::-1]] = face[::-1] + start  # written last is the first triangle
        barycentric[y[::-1], x[::-1]] = shares[::-1]
    face_at, barycentric = face_at[::-1], barycentric[::-1]
    inside = face_at >= 0
    (left, bottom), (right, top) = low - step / 2, high + step / 2
    extent = float(left), float(right), float(bottom), float(top)
    return PixelGrid(inside, extent, faces[face_at[inside]], barycentric[inside])


def _covered(corners: Array, n: Array) -> tuple[Array, Array, Array, Array]:
    """Return triangle, column, row and barycentric coordinates of each pixel that is covered.

    Every pixel of a triangle's bounding box is tried.
    """
    first = np.maximum(np.ceil(corners.min(axis=1) - _ROUNDING), 0).astype(np.int64)
    last = np.minimum(np.floor(corners.max(axis=1) + _ROUNDING), n - 1).astype(np.int64)
    sides = np.maximum(last - first + 1, 0)
    counts = sides.prod(axis=1)
    face = np.repeat(np.arange(len(corners)), counts)
    order = np.arange(len(face)) - np.repeat(np.cumsum(counts) - counts, counts)
    x = first[face, 0] + order % sides[face, 0]
    y = first[face, 1] + order // sides[face, 0]
    origin = corners[:, 2]
    (a, b), (c, d) = (corners[:, :2] - origin[:, None]).transpose(1, 2, 0)
    area = a * d - b * c
    with np.errstate(divide="ignore", invalid="ignore"):  # triangles without area cover nothing
        dx, dy = x - origin[face, 0], y - origin[face, 1]
        one = (dx * d[face] - dy * c[face]) / area[face]
        other = (dy * a[face] - dx * b[face]) / area[face]
        shares = np.stack([one, other, 1.0 - one - other], axis=1)
        covered = (shares >= -_ROUNDING).all(axis=1) & np.isfinite(shares).all(axis=1)
    return face[covered], x[covered], y[covered], shares[covered]
