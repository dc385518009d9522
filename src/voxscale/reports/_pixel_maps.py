"""Pixel maps of subjects of pycortex and of fsaverage5."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data import FlatSurface, PycortexSubject, SurfaceMesh, side_by_side
from voxscale.errors import AlignmentError
from voxscale.reports._fsaverage_sheets import LONGEST_EDGE, nilearn_missing, nilearn_release
from voxscale.reports._pixel_grid import PixelGrid, pixel_grid
from voxscale.reports._pixel_map import PixelMap
from voxscale.reports._pixel_map_cache import kept_pixel_map
from voxscale.reports._pixel_weights import vertex_weights, voxel_weights
from voxscale.store import hash_array, hash_file

__all__ = ["flat_picture", "fsaverage_pixel_map", "pixel_map"]

_FEWEST_ROWS = 16
_HEIGHT = 1024  # rows of pixels, as pycortex has by default
_N_DEPTHS = 32  # from white matter to pia, as pycortex has by default


def pixel_map(
    subject: PycortexSubject,
    transform: str | None = None,
    *,
    on: str = "voxels",
    interpolation: str = "nearest",
    n_rows: int = _HEIGHT,
    n_depths: int = _N_DEPTHS,
) -> PixelMap:
    """Find what each pixel of a subject's flat map shows.

    Both hemispheres lie side by side. A pixel's place in its triangle of the flattened surface
    is its place on the pial surface and on that of the white matter; between them, its value is
    the mean of the nearest voxels at evenly spaced depths.

    The map is kept in the user's cache folder, under a name made of the contents of the files.

    Parameters
    ----------
    subject : PycortexSubject
    transform : str, optional
        By default the only one, or ``<subject>_auto``. Not looked at for vertices.
    on : {"voxels", "vertices"}
        Whether values are those of a volume (z, y, x), or of vertices (n_vertices,), left
        hemisphere first.
    interpolation : {"nearest", "linear"}
        Of vertices: a pixel shows the nearest vertex, so that no value is shown that no vertex
        has, or the mean of the three of its triangle by its place among them.
    n_rows : int
        Rows of pixels, 16 or more.
    n_depths : int
        Depths k / (n_depths + 1), k = 1 … n_depths, between white matter (0) and pia (1).

    Returns
    -------
    PixelMap

    Raises
    ------
    DataError
        If a file that is needed does not exist, has no content or is not what it says.
    ValueError
        If ``on`` or ``interpolation`` is neither, or a number is too small.

    References
    ----------
    Gao, Huth, Lescroart & Gallant 2015, Frontiers in Neuroinformatics 9:23,
    doi:10.3389/fninf.2015.00023 (pycortex).
    """
    if on not in ("voxels", "vertices"):
        msg = f"on is {on!r}; expected 'voxels' or 'vertices'."
        raise ValueError(msg)
    if n_depths < 1:
        msg = f"n_depths is {n_depths}; expected 1 or more."
        raise ValueError(msg)
    _check(n_rows, interpolation)
    files = [*subject.surface_files("flat")]
    fields: dict[str, Any] = {"on": on, "n_rows": n_rows, "curvature": _curvature_key(subject)}
    if on == "vertices":
        fields["interpolation"] = interpolation
    if on == "voxels":
        files += [path for kind in ("pia", "wm") for path in subject.surface_files(kind)]
        place = subject.transform(transform)
        fields |= {"n_depths": n_depths, "shape": place.shape, "matrix": hash_array(place.matrix)}
    fields["surfaces"] = [hash_file(path) for path in files]

    def make() -> PixelMap:
        flat = subject.flat
        grid = pixel_grid(flat.points, flat.faces, n_rows)
        if on == "vertices":
            return _of_vertices(grid, flat, subject.curvature, interpolation)
        pia, wm = (_points(subject, kind, len(flat.points)) for kind in ("pia", "wm"))
        weights = voxel_weights(grid, pia, wm, place, n_depths)
        folds = vertex_weights(grid, flat) @ subject.curvature
        return _whole(grid, weights, place.shape, folds)

    return kept_pixel_map(fields, make)


def fsaverage_pixel_map(*, interpolation: str = "nearest", n_rows: int = _HEIGHT) -> PixelMap:
    """Find what each pixel of the flat map of fsaverage5 shows.

    Parameters
    ----------
    interpolation : {"nearest", "linear"}
        A pixel shows the nearest vertex, or the mean of the three of its triangle by its place
        among them.
    n_rows : int
        Rows of pixels, 16 or more.

    Returns
    -------
    PixelMap
        Of values (20484,), left hemisphere first. The curvature is FreeSurfer's, its sign
        turned so that gyri are above 0.

    Raises
    ------
    ValueError
        If ``n_rows`` is too small, or the interpolation is neither.
    VoxscaleError
        If nilearn, which brings the surface, is not installed.

    References
    ----------
    Fischl, Sereno & Dale 1999, NeuroImage 9:195, doi:10.1006/nimg.1998.0396.
    """
    _check(n_rows, interpolation)
    release = nilearn_release()

    def make() -> PixelMap:
        flat, curvature = _fsaverage()
        grid = pixel_grid(flat.points, flat.faces, n_rows)
        return _of_vertices(grid, flat, curvature, interpolation)

    fields = {"surface": "fsaverage5", "nilearn": release, "n_rows": n_rows}
    return kept_pixel_map({**fields, "interpolation": interpolation}, make)


def flat_picture(
    values: ArrayLike,
    subject: PycortexSubject | str = "fsaverage5",
    *,
    transform: str | None = None,
    mask: str = "thick",
    interpolation: str = "nearest",
    n_rows: int = _HEIGHT,
) -> tuple[Array, PixelMap]:
    """Show values on a flat map, whatever they are values of.

    Parameters
    ----------
    values : array of shape (n_voxels,), (z, y, x) or (n_vertices,)
        One for each voxel of the mask, in its C order over (z, y, x); a volume; or one for each
        vertex, left hemisphere first. NaN is no answer.
    subject : PycortexSubject, or "fsaverage5"
    transform : str, optional
        By default the only one, or ``<subject>_auto``.
    mask : str
        Of which the values are, where they are of voxels.
    interpolation : {"nearest", "linear"}
        Of values of vertices (see `pixel_map`).
    n_rows : int
        Rows of pixels.

    Returns
    -------
    picture : array of shape (n_rows, n_columns)
        The top row first; NaN where there is no answer.
    pixels : PixelMap
        With ``extent``, ``inside`` and ``curvature`` of the picture.

    Raises
    ------
    AlignmentError
        If there are neither as many values as voxels of the mask nor as many as vertices; the
        message has all counts.
    DataError
        If a file that is needed does not exist, has no content or is not what it says.
    ValueError
        If the subject is another name.
    """
    shape = np.shape(values)
    if isinstance(subject, str):
        if subject != "fsaverage5":
            msg = (
                f"subject is {subject!r}; expected 'fsaverage5', or what "
                "voxscale.data.read_pycortex_subject returns."
            )
            raise ValueError(msg)
        pixels = fsaverage_pixel_map(interpolation=interpolation, n_rows=n_rows)
        return pixels.picture(values), pixels
    if len(shape) == 1 and shape[0] == subject.n_vertices:
        pixels = pixel_map(subject, on="vertices", interpolation=interpolation, n_rows=n_rows)
        return pixels.picture(values), pixels
    try:
        volume = subject.volume(values, transform, mask)
    except AlignmentError as error:
        msg = f"{error} One value for each of {subject.n_vertices:,} vertices would do as well."
        raise AlignmentError(msg) from error
    pixels = pixel_map(subject, transform, n_rows=n_rows)
    return pixels.picture(volume), pixels


def _check(n_rows: int, interpolation: str) -> None:
    if n_rows < _FEWEST_ROWS:
        msg = f"n_rows is {n_rows}; expected {_FEWEST_ROWS} or more."
        raise ValueError(msg)
    if interpolation not in ("nearest", "linear"):
        msg = f"interpolation is {interpolation!r}; expected 'nearest' or 'linear'."
        raise ValueError(msg)


def _of_vertices(
    grid: PixelGrid, flat: FlatSurface, curvature: Array, interpolation: str
) -> PixelMap:
    nearest = vertex_weights(grid, flat)
    weights = nearest if interpolation == "nearest" else vertex_weights(grid, flat, is_linear=True)
    return _whole(grid, weights, (len(flat.points),), nearest @ curvature)


def _whole(grid: PixelGrid, weights: Any, value_shape: tuple[int, ...], folds: Array) -> PixelMap:
    curvature = np.full(grid.inside.shape, np.nan)
    curvature[grid.inside] = folds
    return PixelMap(weights, grid.inside, grid.extent, value_shape, curvature)


def _curvature_key(subject: PycortexSubject) -> list[str]:
    """Name the curvature by its file, or by those that it is computed from."""
    stored = subject.folder / "surface-info" / "curvature.npz"
    if stored.is_file():
        return [hash_file(stored)]
    kinds = ("fiducial",) if "fiducial" in subject.surfaces else ("wm", "pia")
    return [hash_file(path) for kind in kinds for path in subject.surface_files(kind)]


def _points(subject: PycortexSubject, kind: str, n_vertices: int) -> Array:
    points = np.concatenate([mesh.points for mesh in subject.surface(kind)])
    if len(points) != n_vertices:
        msg = (
            f"surface {kind} of subject {subject.name} has {len(points):,} vertices, its flat one "
            f"{n_vertices:,}; expected the same; fetch both again."
        )
        raise AlignmentError(msg)
    return points


def _fsaverage() -> tuple[FlatSurface, Array]:
    """Return the flat surface of fsaverage5 without triangles across cuts, and its curvature."""
    try:
        from nilearn import datasets
    except ImportError as error:
        raise nilearn_missing() from error
    meshes = datasets.load_fsaverage("fsaverage5")["flat"].parts
    folds = datasets.load_fsaverage_data("fsaverage5", mesh_type="flat", data_type="curvature")
    halves = []
    for side in ("left", "right"):
        points, faces = np.asarray(meshes[side].coordinates), np.asarray(meshes[side].faces)
        corners = points[faces][..., :2]
        edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
        halves.append(SurfaceMesh(points, faces[edges.max(axis=1) <= LONGEST_EDGE]))
    curvature = [np.asarray(folds.data.parts[side]).ravel() for side in ("left", "right")]
    return side_by_side(halves[0], halves[1]), -np.concatenate(curvature).astype(np.float64)
