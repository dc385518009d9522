"""Subjects of pycortex, read from their files: no pycortex, Inkscape or screen is needed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.data._curvature import read_curvature, smoothed_mean_curvature
from voxscale.data._files import kind_of
from voxscale.data._outlines import Outline, read_outlines
from voxscale.data._pycortex_volume import (
    MASK_DISTANCES,
    VoxelTransform,
    check_voxel_count,
    near_mask,
    read_mask,
    read_transform,
)
from voxscale.data._surface_mesh import (
    FlatSurface,
    SurfaceMesh,
    check_same_vertices,
    read_surface,
    side_by_side,
)
from voxscale.errors import AlignmentError, DataError, did_you_mean

__all__ = ["PycortexSubject"]

_HEMISPHERES = ("lh", "rh")
_FORMATS = (".gii", ".npz")
_DRAWINGS = ("overlays.svg", "rois.svg")  # the second is what older versions wrote


@dataclass(frozen=True)
class PycortexSubject:
    """A subject's folder in a filestore of pycortex; files are read when they are asked for.

    Made by `read_pycortex_subject`.

    Parameters
    ----------
    name : str
    folder : Path
    """

    name: str
    folder: Path

    @cached_property
    def transforms(self) -> tuple[str, ...]:
        """Names of the transforms, each with masks of its own."""
        found = (self.folder / "transforms").glob("*/matrices.xfm")
        return tuple(sorted(path.parent.name for path in found))

    @cached_property
    def surfaces(self) -> tuple[str, ...]:
        """Kinds of surface that both hemispheres have, such as "flat" and "pia"."""
        kinds = [
            {path.name.removesuffix(f"_{side}{path.suffix}") for path in self._surfaces_of(side)}
            for side in _HEMISPHERES
        ]
        return tuple(sorted(set.intersection(*kinds)))

    def masks(self, transform: str | None = None) -> tuple[str, ...]:
        """Return the names of a transform's masks that are stored."""
        folder = self.folder / "transforms" / self.transform_name(transform)
        paths = sorted(folder.glob("mask_*.nii.gz"))
        return tuple(path.name.removeprefix("mask_").removesuffix(".nii.gz") for path in paths)

    def transform_name(self, name: str | None = None) -> str:
        """Check the name of a transform, or choose the only one, or ``<subject>_auto``.

        Raises
        ------
        DataError
            If there is none of that name, or several to choose from.
        """
        known = self.transforms
        if name is None:
            usual = f"{self.name}_auto"
            if len(known) == 1 or usual in known:
                return usual if usual in known else known[0]
            msg = (
                f"subject {self.name} has {len(known)} transforms: {_listed(known)}; expected one "
                "to be named; pass transform=."
            )
            raise DataError(msg)
        check_known(f"subject {self.name} has no transform", name, known)
        return name

    def transform(self, name: str | None = None) -> VoxelTransform:
        """Read a transform.

        Parameters
        ----------
        name : str, optional
            By default the only one, or ``<subject>_auto``.

        Returns
        -------
        VoxelTransform

        Raises
        ------
        DataError
            If it does not exist, or a file has no content or is not what it says.
        """
        return read_transform(self.folder / "transforms" / self.transform_name(name))

    def mask(self, transform: str | None = None, mask: str = "thick") -> Array:
        """Read a mask, or make it where pycortex would.

        pycortex stores a mask when it is first asked for. Until then "thick" and "thin" are
        made from their definition: voxels whose centre is nearer than 8 mm, or 2 mm, to a vertex
        half-way between white matter and pia.

        Parameters
        ----------
        transform : str, optional
            By default the only one, or ``<subject>_auto``.
        mask : str

        Returns
        -------
        array of bool, shape (z, y, x)
            Values of masked voxels are in its C order: x is fastest.

        Raises
        ------
        DataError
            If there is no such mask.
        AlignmentError
            If its shape is not that of the transform.
        """
        name = self.transform_name(transform)
        known = self.masks(name)
        if mask in known:
            path = self.folder / "transforms" / name / f"mask_{mask}.nii.gz"
            return read_mask(path, self.transform(name))
        able = sorted({*known, *MASK_DISTANCES})
        check_known(f"transform {name} of subject {self.name} has no mask", mask, able)
        points = np.concatenate([mesh.points for mesh in self.surface("fiducial")])
        return near_mask(self.transform(name), points, MASK_DISTANCES[mask])

    def surface(self, kind: str) -> tuple[SurfaceMesh, SurfaceMesh]:
        """Read a surface of both hemispheres.

        Parameters
        ----------
        kind : str
            Such as "flat", "pia", "wm", "inflated". "fiducial", half-way between white matter
            and pia, is made where it is not stored.

        Returns
        -------
        left, right : SurfaceMesh

        Raises
        ------
        DataError
            If there is no such surface, or a file has no content or is not what it says.
        """
        if kind == "fiducial" and kind not in self.surfaces:
            middle = []
            for wm, pia in zip(self.surface("wm"), self.surface("pia"), strict=True):
                check_same_vertices({"wm": wm, "pia": pia})
                middle.append(SurfaceMesh((wm.points + pia.points) / 2, wm.faces))
            return middle[0], middle[1]
        left, right = (read_surface(path) for path in self.surface_files(kind))
        return left, right

    def surface_files(self, kind: str) -> tuple[Path, Path]:
        """Return the files of a surface, left hemisphere first.

        Raises
        ------
        DataError
            If there is no such surface.
        """
        what = f"subject {self.name} has, as {' or '.join(_FORMATS)} files, no surface"
        check_known(what, kind, self.surfaces)
        found = [
            next(path for path in self._surfaces_of(side) if path.stem == f"{kind}_{side}")
            for side in _HEMISPHERES
        ]
        return found[0], found[1]

    @cached_property
    def flat(self) -> FlatSurface:
        """The flattened hemispheres side by side."""
        return side_by_side(*self.surface("flat"))

    @property
    def n_vertices(self) -> int:
        """Of both hemispheres."""
        return len(self.flat.points)

    @cached_property
    def curvature(self) -> Array:
        """Mean curvature of each vertex, (n_vertices,), in 1/mm; above 0 on gyri.

        From ``surface-info/curvature.npz``, or else that of the fiducial surface, smoothed as
        pycortex smooths it (see `smoothed_mean_curvature`).
        """
        path = self.folder / "surface-info" / "curvature.npz"
        if kind_of(path)[1] == "nothing":
            return np.concatenate([smoothed_mean_curvature(m) for m in self.surface("fiducial")])
        return read_curvature(path, self.n_vertices)

    @cached_property
    def outline_layers(self) -> tuple[str, ...]:
        """Layers of outlines that were drawn, such as "rois" and "sulci"."""
        return tuple(self._outlines)

    def outlines(self, layer: str = "rois") -> tuple[Outline, ...]:
        """Read the outlines of a layer of ``overlays.svg``, or of ``rois.svg``.

        Parameters
        ----------
        layer : str

        Returns
        -------
        tuple of Outline
            In flat coordinates. Empty where nothing was drawn for this subject at all.

        Raises
        ------
        DataError
            If there is no such layer, or the file cannot be read.
        """
        known = self._outlines
        if known:
            check_known(f"subject {self.name} has no layer", layer, known)
        return known.get(layer, ())

    def volume(self, values: ArrayLike, transform: str | None = None, mask: str = "thick") -> Array:
        """Put values of voxels where they belong.

        Parameters
        ----------
        values : array of shape (n_voxels,) or (z, y, x)
            One for each voxel of the mask, in its C order, or a volume. Masked values of a
            masked array are NaN.
        transform : str, optional
            By default the only one, or ``<subject>_auto``.
        mask : str
            Not looked at where a volume is given.

        Returns
        -------
        array of shape (z, y, x), float64
            NaN where there is no value.

        Raises
        ------
        AlignmentError
            If the number of values is not that of the mask's voxels, or the shape not that of
            the transform's volumes.
        """
        numbers = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
        name = self.transform_name(transform)
        if numbers.ndim == 3:
            shape = self.transform(name).shape
            if numbers.shape != shape:
                msg = (
                    f"values are a volume of shape {numbers.shape}, those of {name} have {shape} "
                    "(z, y, x); expected the same; nibabel's arrays need .T to have z first."
                )
                raise AlignmentError(msg)
            return numbers
        if numbers.ndim != 1:
            msg = f"values have shape {numbers.shape}; expected (n_voxels,) or (z, y, x)."
            raise AlignmentError(msg)
        inside = self.mask(name, mask)
        check_voxel_count(numbers.size, inside, f"mask_{mask} of {name}")
        whole = np.full(inside.shape, np.nan)
        whole[inside] = numbers
        return whole

    @cached_property
    def _outlines(self) -> dict[str, tuple[Outline, ...]]:
        for name in _DRAWINGS:
            if kind_of(self.folder / name)[1] != "nothing":
                return read_outlines(self.folder / name, self.flat.bounds)
        return {}

    def _surfaces_of(self, side: str) -> list[Path]:
        found = (self.folder / "surfaces").glob(f"*_{side}.*")
        return sorted(path for path in found if path.suffix in _FORMATS)


def check_known(what: str, name: str, known: Iterable[str]) -> None:
    """Check that a name is one of those that there are; the error lists them."""
    names = list(known)
    if name not in names:
        msg = f"{what} {name!r}{did_you_mean(name, names)}; expected one of: {_listed(names)}."
        raise DataError(msg)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
