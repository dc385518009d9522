"""Weights of voxels, or of vertices, in the pixels of a flat map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.reports._pixel_grid import PixelGrid

if TYPE_CHECKING:
    from voxscale.data import FlatSurface, VoxelTransform

__all__ = ["vertex_weights", "voxel_weights"]

_PER_BLOCK = 100_000  # pixels that are followed through the cortex together, to bound memory


def voxel_weights(
    grid: PixelGrid, pia: Array, wm: Array, transform: VoxelTransform, n_depths: int
) -> Any:
    """Weigh the voxels that each pixel passes through, from white matter to pia.

    A pixel's place among the corners of its triangle is the same on both surfaces. Points at
    the depths k / (n_depths + 1), k = 1 … n_depths, between the two each count the voxel whose
    centre is nearest. Points outside the volume do not count.

    Parameters
    ----------
    grid : PixelGrid
    pia, wm : array of shape (n_vertices, 3), in mm
    transform : VoxelTransform
    n_depths : int

    Returns
    -------
    scipy.sparse CSR array of shape (n_pixels_inside, z·y·x), float32
        A row sums to 1, or is empty where all of a pixel is outside the volume.
    """
    from scipy.sparse import csr_array

    inner, outer = (transform.voxel_coordinates(points) for points in (wm, pia))
    counts, columns, lengths = [], [], []
    for start in range(0, len(grid.corners), _PER_BLOCK):
        rows = slice(start, start + _PER_BLOCK)
        corners, shares = grid.corners[rows], grid.barycentric[rows]
        ends = [np.einsum("pk,pkc->pc", shares, points[corners]) for points in (inner, outer)]
        voxels = _voxels_between(ends[0], ends[1], transform.shape, n_depths)
        count, column, length = _runs(voxels)
        counts.append(count)
        columns.append(column)
        lengths.append(length)
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
    shape = len(grid.corners), int(np.prod(transform.shape))
    return csr_array((np.concatenate(counts), np.concatenate(columns), indptr), shape=shape)


def vertex_weights(grid: PixelGrid, flat: FlatSurface, *, is_linear: bool = False) -> Any:
    """Weigh the vertices at each pixel.

    Parameters
    ----------
    grid : PixelGrid
    flat : FlatSurface
        That the grid was laid over.
    is_linear : bool
        Weigh the three vertices around a pixel by its barycentric coordinates; or else take the
        nearest vertex of any triangle alone, so that no value is shown that no vertex has.

    Returns
    -------
    scipy.sparse CSR array of shape (n_pixels_inside, n_vertices), float32
        A row sums to 1.
    """
    from scipy.sparse import csr_array
    from scipy.spatial import KDTree

    n_pixels = len(grid.corners)
    shares, columns, per_pixel = grid.barycentric, grid.corners, 3
    if not is_linear:
        places = np.einsum("pk,pkc->pc", grid.barycentric, flat.points[grid.corners])
        used = np.unique(flat.faces)
        columns = used[KDTree(flat.points[used]).query(places, workers=-1)[1]]
        shares, per_pixel = np.ones(n_pixels), 1
    indptr = np.arange(n_pixels + 1) * per_pixel
    parts = (shares.astype(np.float32).ravel(), columns.astype(np.int32).ravel(), indptr)
    return csr_array(parts, shape=(n_pixels, len(flat.points)))


def _voxels_between(
    inner: Array, outer: Array, shape: tuple[int, int, int], n_depths: int
) -> Array:
    """Return the index of the voxel at each depth, (n_pixels, n_depths); -1 outside."""
    depths = np.linspace(0.0, 1.0, n_depths + 2)[1:-1]
    index = np.zeros((len(inner), n_depths), np.int32)
    is_outside = np.zeros(index.shape, np.bool_)
    stride = 1
    for axis, size in enumerate(reversed(shape)):  # x, y, z: x is fastest
        along = np.rint(outer[:, axis, None] * depths + inner[:, axis, None] * (1.0 - depths))
        is_outside |= (along < 0) | (along >= size)
        index += (np.clip(along, 0, size - 1) * stride).astype(np.int32)
        stride *= size
    index[is_outside] = -1
    return index


def _runs(voxels: Array) -> tuple[Array, Array, Array]:
    """Return weights, voxels and number of voxels of each pixel.

    A straight line is in a voxel once, from one place to another: equal indices are neighbours.
    """
    is_new = np.ones(voxels.shape, np.bool_)
    is_new[:, 1:] = voxels[:, 1:] != voxels[:, :-1]
    begins = np.flatnonzero(is_new)
    count = np.diff(begins, append=voxels.size)
    column, row = voxels.ravel()[begins], begins // voxels.shape[1]
    count, column, row = (one[column >= 0] for one in (count, column, row))
    n_inside = np.bincount(row, count, minlength=len(voxels))
    weight = (count / n_inside[row]).astype(np.float32)
    return weight, column, np.bincount(row, minlength=len(voxels))
