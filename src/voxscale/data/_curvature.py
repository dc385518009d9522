"""Curvature of a folded surface, from its triangles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._npz import named_arrays
from voxscale.data._surface_mesh import SurfaceMesh
from voxscale.errors import AlignmentError, DataError

__all__ = ["read_curvature", "smoothed_mean_curvature"]

_SMOOTHING = 20.0  # mm²: time of the heat flow that pycortex smooths curvature by
_TOLERANCE = 1e-5  # of the residual; a picture of folds needs no more
_N_ROUNDS = 2000


def read_curvature(path: Path, n_vertices: int) -> Array:
    """Read a curvature that pycortex stored.

    Parameters
    ----------
    path : Path
        Of an ``.npz`` file with the arrays ``left`` and ``right``.
    n_vertices : int
        Of both hemispheres.

    Returns
    -------
    array of shape (n_vertices,), in 1/mm

    Raises
    ------
    DataError
        If the file has no content or other arrays.
    AlignmentError
        If there are more or fewer values than vertices.
    """
    left, right = named_arrays(path, ("left", "right"))
    values = np.concatenate([left.ravel(), right.ravel()]).astype(np.float64)
    if values.shape != (n_vertices,):
        msg = (
            f"{path} has {values.size:,} values, the surfaces have {n_vertices:,} vertices; "
            "expected one each; remove it, as it can be computed."
        )
        raise AlignmentError(msg)
    return values


def smoothed_mean_curvature(mesh: SurfaceMesh, smoothing: float = _SMOOTHING) -> Array:
    """Compute the mean curvature of each vertex and let it flow over the surface.

    The curvature is the Laplace-Beltrami operator of the coordinates, with cotangent weights
    and a third of the area of its triangles for each vertex, along the vertex's normal. It is
    twice the mean of the principal curvatures. Smoothing is one implicit step of heat flow.

    Parameters
    ----------
    mesh : SurfaceMesh
        Its triangles turn counter-clockwise when seen from outside.
    smoothing : float, in mm²
        Length of the step; 0 for none.

    Returns
    -------
    array of shape (n_vertices,), in 1/mm
        Above 0 where the surface bulges outwards, as on gyri. NaN where a vertex is in no
        triangle of any area.

    References
    ----------
    Meyer, Desbrun, Schröder & Barr 2003, Visualization and Mathematics III, p. 35,
    doi:10.1007/978-3-662-05105-4_2 (the operator).
    Desbrun, Meyer, Schröder & Barr 1999, SIGGRAPH, p. 317, doi:10.1145/311535.311576 (implicit
    smoothing).
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import cg

    stiffness, area, normals = _operator(mesh)
    has = area > 0
    force = np.einsum("vc,vc->v", stiffness @ mesh.points, normals)  # area times curvature
    curvature = np.full(len(area), np.nan)
    curvature[has] = force[has] / area[has]
    if not smoothing:
        return curvature
    system = (diags_array(area) + smoothing * stiffness).tocsr()[has][:, has]
    precondition = diags_array(1.0 / system.diagonal())
    options: dict[str, Any] = {"rtol": _TOLERANCE, "maxiter": _N_ROUNDS, "M": precondition}
    smooth, stopped = cg(system, force[has], **options)
    if stopped:
        msg = (
            "the curvature of a surface could not be smoothed: its triangles are degenerate; "
            "expected a surface of the cortex; give surface-info/curvature.npz."
        )
        raise DataError(msg)
    curvature[has] = smooth
    return curvature


def _operator(mesh: SurfaceMesh) -> tuple[Any, Array, Array]:
    """Return the cotangent Laplacian, areas (n_vertices,) in mm² and unit normals of vertices."""
    from scipy.sparse import coo_array, diags_array

    faces, n = mesh.faces, len(mesh.points)
    corners = mesh.points[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    twice = np.linalg.norm(across, axis=1)
    whole = twice > 0
    rows, columns, weights = [], [], []
    for k in range(3):  # the corner whose angle weighs the edge across from it
        one, other = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        along = (mesh.points[one] - mesh.points[faces[:, k]])[whole]
        beside = (mesh.points[other] - mesh.points[faces[:, k]])[whole]
        cotangent = np.einsum("fc,fc->f", along, beside) / twice[whole]
        rows += [one[whole], other[whole]]
        columns += [other[whole], one[whole]]
        weights += [cotangent / 2, cotangent / 2]
    edges = coo_array(
        (np.concatenate(weights), (np.concatenate(rows), np.concatenate(columns))), shape=(n, n)
    ).tocsr()
    area = np.bincount(faces.ravel(), np.repeat(twice / 6, 3), minlength=n)
    unit = across / np.where(whole, twice, 1.0)[:, np.newaxis]
    spread = [np.repeat(unit[:, c], 3) for c in range(3)]
    summed = np.stack([np.bincount(faces.ravel(), one, minlength=n) for one in spread], axis=1)
    length = np.linalg.norm(summed, axis=1, keepdims=True)
    normals = np.divide(summed, length, out=np.zeros((n, 3)), where=length > 0)
    return diags_array(edges.sum(axis=1)) - edges, area, normals
