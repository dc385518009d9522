"""From the space of a subject's surfaces to the voxels of its scans: transforms and masks."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data._files import present, read_text
from voxscale.data._surface_mesh import nibabel_or_error
from voxscale.errors import AlignmentError, DataError

__all__ = [
    "MASK_DISTANCES",
    "VoxelTransform",
    "check_voxel_count",
    "near_mask",
    "read_mask",
    "read_transform",
]

# Masks that pycortex makes from distance: voxels whose centre is nearer than this, in mm, to a
# vertex half-way between white matter and pia.
MASK_DISTANCES = {"thick": 8.0, "thin": 2.0}
# Voxels of mask_thick of public subjects: what 94,251 voxels are is known without their files.
_PUBLIC_COUNTS = {81_126: "UTS01", 94_251: "UTS02", 95_556: "UTS03"}


@dataclass(frozen=True, eq=False)
class VoxelTransform:
    """Where a point of the surfaces lies among the voxels of a scan.

    Parameters
    ----------
    name : str
    matrix : array of shape (4, 4)
        Affine from surface coordinates (x, y, z) in mm to indices (x, y, z) of voxels; the
        centre of the first voxel is (0, 0, 0).
    shape : tuple of int
        Of a volume, (z, y, x): pycortex stores volumes with z first.
    affine : array of shape (4, 4), optional
        Affine of the reference image, from indices (x, y, z) to scanner coordinates in mm: what a
        NIfTI image of these voxels needs. None where the reference is not there.
    """

    name: str
    matrix: Array
    shape: tuple[int, int, int]
    affine: Array | None = None

    def voxel_coordinates(self, points: ArrayLike) -> Array:
        """Return the coordinates (x, y, z) in voxels of points (n_points, 3) in mm."""
        return np.asarray(points) @ self.matrix[:3, :3].T + self.matrix[:3, 3]


def read_transform(folder: Path) -> VoxelTransform:
    """Read a folder of ``transforms``: ``matrices.xfm`` and ``reference.nii.gz``.

    Where the reference is not there, the shape is that of a mask.

    Raises
    ------
    DataError
        If a file has no content or is not what it says.
    VoxscaleError
        If nibabel is not installed.
    """
    path = folder / "matrices.xfm"
    try:
        matrix = np.array(json.loads(read_text(path))["coord"], dtype=np.float64)
    except (ValueError, KeyError, TypeError) as error:
        msg = (
            f"{path} is no transform ({type(error).__name__}: {error}); expected JSON with the "
            "matrix 'coord', 4 by 4; fetch it again."
        )
        raise DataError(msg) from error
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or not np.linalg.det(matrix):
        msg = (
            f"{path}: 'coord' has shape {matrix.shape}, or is not finite or not invertible; "
            "expected an affine of shape (4, 4); fetch the file again."
        )
        raise DataError(msg)
    reference = folder / "reference.nii.gz"
    masks = sorted(folder.glob("mask_*.nii.gz"))
    first = next((mask for mask in masks if _has_content(mask)), None)
    is_reference = _has_content(reference) or first is None
    image = _loaded(reference if is_reference or first is None else first)
    shape = tuple(int(n) for n in image.shape[:3][::-1])
    if len(shape) != 3:
        msg = f"{image.get_filename()} has shape {image.shape}; expected a volume (x, y, z)."
        raise DataError(msg)
    return VoxelTransform(folder.name, matrix, shape, np.array(image.affine, dtype=np.float64))


def read_mask(path: Path, transform: VoxelTransform) -> Array:
    """Read a mask as an array of bool, shape (z, y, x).

    Raises
    ------
    AlignmentError
        If its shape is not that of the transform's volumes.
    DataError
        If the file has no content or is no image.
    """
    image = _loaded(path)
    try:
        mask = np.asarray(image.dataobj).T != 0
    except (OSError, EOFError, ValueError, zlib.error) as error:
        msg = f"{path} is cut short or damaged ({error}); expected a mask; fetch it again."
        raise DataError(msg) from error
    if mask.shape != transform.shape:
        msg = (
            f"{path} has shape {mask.shape} (z, y, x), volumes of {transform.name} have "
            f"{transform.shape}; expected the same; they belong to different scans."
        )
        raise AlignmentError(msg)
    return np.asarray(mask)


def near_mask(transform: VoxelTransform, points: Array, distance: float) -> Array:
    """Find the voxels whose centre is nearer than a distance to one of the points.

    Parameters
    ----------
    transform : VoxelTransform
    points : array of shape (n_points, 3), in mm
    distance : float, in mm

    Returns
    -------
    array of bool, shape (z, y, x)
    """
    from scipy.spatial import KDTree

    z, y, x = (axis.ravel() for axis in np.indices(transform.shape))
    back = np.linalg.inv(transform.matrix)
    centres = np.stack([x, y, z], axis=1) @ back[:3, :3].T + back[:3, 3]
    nearest, _ = KDTree(points).query(centres, distance_upper_bound=distance, workers=-1)
    return np.asarray(nearest < distance).reshape(transform.shape)


def check_voxel_count(n_values: int, mask: Array, where: str) -> None:
    """Check that there is one value for each voxel of a mask.

    Parameters
    ----------
    n_values : int
    mask : array of bool
    where : str
        Such as "mask_thick of UTS03_auto", for the error.

    Raises
    ------
    AlignmentError
        If there are more or fewer; the message has both counts, and says whose they are.
    """
    n_voxels = int(np.count_nonzero(mask))
    if n_values == n_voxels:
        return
    whose = _PUBLIC_COUNTS.get(n_values)
    guess = f"; {n_values:,} is the number of {whose}'s, so name that subject" if whose else ""
    msg = (
        f"values have {n_values:,} voxels, {where} has {n_voxels:,}; expected one value for each"
        f"{guess or '; name the subject, transform and mask that they were fitted with'}."
    )
    raise AlignmentError(msg)


def _has_content(path: Path) -> bool:
    try:
        present(path)
    except DataError:
        return False
    return True


def _loaded(path: Path) -> Any:
    path = present(path)
    nibabel = nibabel_or_error("reading masks and transforms")
    try:
        return nibabel.load(path)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(_no_image(path, error)) from error
    except (nibabel.filebasedimages.ImageFileError, nibabel.spatialimages.HeaderDataError) as error:
        raise DataError(_no_image(path, error)) from error


def _no_image(path: Path, error: Exception) -> str:
    return f"{path} is no NIfTI image ({error}); expected one; fetch it again."
