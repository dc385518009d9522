"""A made-up subject in pycortex's folders: two folded sheets, a scan around them, three regions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.data import SurfaceMesh, VoxelTransform, side_by_side
from voxscale.data._pycortex_volume import near_mask
from voxscale.errors import VoxscaleError
from voxscale.store import folder_aside

__all__ = ["SMALL_REGIONS", "write_pycortex_subject"]

# Name: centre and radius on the unit disc that each hemisphere is.
SMALL_REGIONS = {
    "AC": (-0.05, -0.1, 0.24),
    "Broca": (-0.6, 0.05, 0.2),
    "PFC": (-0.45, 0.6, 0.2),
    "AG": (0.5, 0.35, 0.24),
}
_WIDTH_MM, _HEIGHT_MM = 62.0, 46.0  # half axes of a flattened sheet
_CORTEX_MM = 2.5  # thickness
_FOLD_MM = 3.0
_VOXEL_MM = 5.0
_MARGIN_MM = 12.0
_THICK_MM = 6.0


def write_pycortex_subject(
    folder: str | Path, *, transform: str | None = None, n_across: int = 41
) -> Path:
    """Write a made-up subject as pycortex stores one, for tests and examples.

    Surfaces, curvature to be computed, a transform with a mask, and outlines of three regions.

    Parameters
    ----------
    folder : path
        The subject's folder, whose name is the subject's, in what is a filestore then.
    transform : str, optional
        Its name; by default ``<subject>_auto``.
    n_across : int
        Vertices across a sheet; both sheets together have about 1.5 times its square.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    StoreError
        If it cannot be written.
    VoxscaleError
        If nibabel is not installed.
    """
    folder = Path(folder)
    try:
        import nibabel
    except ImportError as error:
        msg = "writing surfaces needs nibabel; run: pip install 'voxscale[brain]'."
        raise VoxscaleError(msg) from error
    uv, faces = _disc(n_across)
    flats, pials = [], []
    with folder_aside(folder) as aside:
        (aside / "surfaces").mkdir()
        for side, sign in (("lh", -1), ("rh", 1)):
            flat = np.c_[-sign * uv[:, 0] * _WIDTH_MM, uv[:, 1] * _HEIGHT_MM, np.zeros(len(uv))]
            wm = _folded(uv, sign)
            pia = wm + _CORTEX_MM * _normals(wm, faces, sign)
            for kind, points in (("flat", flat), ("wm", wm), ("pia", pia)):
                image = _gifti(nibabel, points, faces if sign > 0 else faces[:, ::-1])
                nibabel.save(image, aside / "surfaces" / f"{kind}_{side}.gii")
            flats.append(SurfaceMesh(flat, faces))
            pials.append((wm + pia) / 2)
        place = aside / "transforms" / (transform or f"{folder.name}_auto")
        place.mkdir(parents=True)
        _write_scan(nibabel, place, np.concatenate(pials))
        bounds = side_by_side(flats[0], flats[1]).bounds
        (aside / "overlays.svg").write_text(_drawing(bounds), encoding="utf-8")
    return folder


def _disc(n_across: int) -> tuple[Array, Array]:
    """Return points on the unit disc, (n, 2), and triangles between them."""
    from scipy.spatial import Delaunay

    line = np.linspace(-1, 1, n_across)
    u, v = np.meshgrid(line, line)
    u = u + np.where(np.arange(n_across) % 2, line[1] - line[0], 0.0)[:, None] / 2
    points = np.c_[u.ravel(), v.ravel()]
    points = points[np.hypot(*points.T) <= 1]
    return points, np.asarray(Delaunay(points).simplices)


def _folded(uv: Array, sign: int) -> Array:
    """Bend a disc into half an egg with folds; x to the right, y to the front, z up."""
    u, v = uv.T
    bulge = np.sqrt(1 - 0.9 * (u**2 + v**2))
    folds = _FOLD_MM * np.sin(3.5 * np.pi * (u + 0.4 * v)) * np.cos(2.5 * np.pi * v)
    return np.column_stack([sign * (6 + 34 * bulge + folds), -55 * u, 40 * v])


def _normals(points: Array, faces: Array, sign: int) -> Array:
    """Return unit normals of vertices that point away from the middle."""
    a, b, c = (points[faces[:, i]] for i in range(3))
    of_faces = np.cross(b - a, c - a)
    of_faces *= np.sign(of_faces[:, :1]) * sign
    total = np.zeros_like(points)
    for corner in range(3):
        np.add.at(total, faces[:, corner], of_faces)
    normals: Array = total / np.linalg.norm(total, axis=1, keepdims=True)
    return normals


def _gifti(nibabel: Any, points: Array, faces: Array) -> Any:
    arrays = [
        nibabel.gifti.GiftiDataArray(points.astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nibabel.gifti.GiftiDataArray(faces.astype(np.int32), "NIFTI_INTENT_TRIANGLE"),
    ]
    return nibabel.gifti.GiftiImage(darrays=arrays)


def _write_scan(nibabel: Any, place: Path, points: Array) -> None:
    """Write a reference, a mask of voxels near the cortex, and how to get there."""
    low = points.min(axis=0) - _MARGIN_MM
    size = points.max(axis=0) + _MARGIN_MM - low
    shape = tuple(int(one) for one in np.ceil(size / _VOXEL_MM))
    to_mm = np.diag([_VOXEL_MM] * 3 + [1.0])
    to_mm[:3, 3] = low
    matrix = np.linalg.inv(to_mm)
    scan = VoxelTransform(place.name, matrix, (shape[2], shape[1], shape[0]))
    mask = near_mask(scan, points, _THICK_MM)
    for name, volume in (("reference", mask * 100.0), ("mask_thick", mask)):
        image = nibabel.Nifti1Image(volume.T.astype(np.float32), to_mm)
        nibabel.save(image, place / f"{name}.nii.gz")
    (place / "matrices.xfm").write_text(
        json.dumps({"coord": matrix.tolist(), "magnet": matrix.tolist()}), encoding="utf-8"
    )


def _drawing(bounds: tuple[float, float, float, float]) -> str:
    """Draw the regions on both hemispheres, as Inkscape would save them."""
    left, right, bottom, top = bounds
    width, height = right - left, top - bottom
    groups = []
    for name, (u, v, radius) in SMALL_REGIONS.items():
        paths = [
            _circle(place * _WIDTH_MM + sign * u * _WIDTH_MM - left, top - v * _HEIGHT_MM, radius)
            for place, sign in ((-1, 1), (1, -1))
        ]
        lines = "".join(f'<path d="{path}"/>' for path in paths)
        groups.append(f'<g inkscape:label="{name}">{lines}</g>')
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" '
        f'width="{width:.3f}" height="{height:.3f}">'
        '<g inkscape:label="rois" inkscape:groupmode="layer">'
        f'<g inkscape:label="shapes">{"".join(groups)}</g></g></svg>'
    )


def _circle(x: float, y: float, radius: float) -> str:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    xs, ys = x + radius * _WIDTH_MM * np.cos(angles), y + radius * _HEIGHT_MM * np.sin(angles)
    points = " L ".join(f"{a:.3f},{b:.3f}" for a, b in zip(xs, ys, strict=True))
    return f"M {points} Z"
