"""Triangles of a cortical surface, and its flattened sheets side by side."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data._files import FilePath, present
from voxscale.data._npz import named_arrays
from voxscale.errors import AlignmentError, DataError, VoxscaleError

__all__ = ["FlatSurface", "SurfaceMesh", "nibabel_or_error", "read_surface", "side_by_side"]

# What nibabel raises, besides errors of XML, for a GIFTI file that is cut short or changed.
_DAMAGED = (AttributeError, LookupError, TypeError, ValueError, OSError, EOFError, zlib.error)


@dataclass(frozen=True, eq=False)
class SurfaceMesh:
    """Vertices and triangles of one hemisphere.

    Parameters
    ----------
    points : array of shape (n_vertices, 3), in mm
    faces : array of int, shape (n_faces, 3)
        Vertices of each triangle. A vertex may be in none, as those of the medial wall are on
        a flattened surface.

    Raises
    ------
    DataError
        If the shapes are others, a coordinate is not finite, or a triangle names a vertex that
        does not exist.
    """

    points: Array
    faces: Array

    def __post_init__(self) -> None:
        points = np.array(self.points, dtype=np.float64)
        faces = np.array(self.faces, dtype=np.int64)
        for name, array in (("points", points), ("faces", faces)):
            if array.ndim != 2 or array.shape[1] != 3 or not len(array):
                msg = f"{name} of a surface have shape {array.shape}; expected (n_{name}, 3)."
                raise DataError(msg)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if not np.isfinite(points).all():
            msg = "points of a surface are not all finite; expected coordinates in mm."
            raise DataError(msg)
        if faces.min() < 0 or faces.max() >= len(points):
            msg = (
                f"faces of a surface name vertices {faces.min()} to {faces.max()}; expected 0 to "
                f"{len(points) - 1}, as there are {len(points):,} points."
            )
            raise DataError(msg)


@dataclass(frozen=True, eq=False)
class FlatSurface:
    """The flattened sheets of both hemispheres in one plane, the left one on the left.

    Parameters
    ----------
    points : array of shape (n_vertices, 2), in mm
        Flat coordinates of every vertex, left hemisphere first; x = 0 where the sheets meet.
    faces : array of int, shape (n_faces, 3)
        The vertices of each triangle.
    """

    points: Array
    faces: Array

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Smallest and largest x, smallest and largest y of all vertices, in mm."""
        (left, bottom), (right, top) = self.points.min(axis=0), self.points.max(axis=0)
        return float(left), float(right), float(bottom), float(top)


def side_by_side(left: SurfaceMesh, right: SurfaceMesh) -> FlatSurface:
    """Put two flattened hemispheres next to each other so that they touch at x = 0.

    Parameters
    ----------
    left, right : SurfaceMesh
        Their third coordinate is left out.

    Returns
    -------
    FlatSurface
    """
    shift = left.points[:, 0].max(), right.points[:, 0].min()
    halves = [
        mesh.points[:, :2] - (one, 0.0) for mesh, one in zip((left, right), shift, strict=True)
    ]
    faces = np.concatenate([left.faces, right.faces + len(left.points)])
    return FlatSurface(np.concatenate(halves), faces)


def read_surface(path: FilePath) -> SurfaceMesh:
    """Read the surface of one hemisphere.

    Parameters
    ----------
    path : path-like
        GIFTI (``.gii``), or numpy's ``.npz`` with ``pts`` and ``polys``.

    Returns
    -------
    SurfaceMesh

    Raises
    ------
    DataError
        If there is no content (see `present`), or it is no surface.
    VoxscaleError
        If nibabel, which reads GIFTI, is not installed.
    """
    path = present(path)
    points, faces = (
        named_arrays(path, ("pts", "polys")) if path.suffix == ".npz" else _of_gifti(path)
    )
    try:
        return SurfaceMesh(points, faces)
    except DataError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from error


def check_same_vertices(meshes: dict[str, SurfaceMesh]) -> None:
    """Check that surfaces of one hemisphere have the same vertices.

    Raises
    ------
    AlignmentError
        If one has more than another.
    """
    counts = {name: len(mesh.points) for name, mesh in meshes.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} has {n:,}" for name, n in counts.items())
        msg = (
            f"surfaces of one hemisphere differ in their vertices: {told}; expected the same "
            "number; they are of different subjects or reconstructions: fetch them again."
        )
        raise AlignmentError(msg)


def nibabel_or_error(what: str) -> Any:
    """Import nibabel, or say how to install it."""
    try:
        import nibabel
    except ImportError as error:
        msg = f"{what} needs nibabel, which is not installed; run: pip install 'voxscale[brain]'."
        raise VoxscaleError(msg) from error
    return nibabel


def _of_gifti(path: Path) -> tuple[Any, Any]:
    nibabel = nibabel_or_error("reading surfaces")
    from xml.parsers.expat import ExpatError

    try:
        image = nibabel.load(path)
        points, faces = (
            image.get_arrays_from_intent(intent)
            for intent in ("NIFTI_INTENT_POINTSET", "NIFTI_INTENT_TRIANGLE")
        )
    except (*_DAMAGED, ExpatError, nibabel.filebasedimages.ImageFileError) as error:
        msg = (
            f"{path} is no complete GIFTI surface ({error}); expected points and triangles; fetch "
            "it again."
        )
        raise DataError(msg) from error
    if len(points) != 1 or len(faces) != 1:
        msg = (
            f"{path} holds {len(points)} sets of points and {len(faces)} of triangles; expected "
            "one of each; name the file of a surface."
        )
        raise DataError(msg)
    return points[0].data, faces[0].data
