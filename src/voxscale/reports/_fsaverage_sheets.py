"""The flattened hemispheres of fsaverage5, with a grid of pixels on each, kept between runs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleError
from voxscale.reports._flat_sheet import N_PIXELS, FlatSheet, pixels_on
from voxscale.reports._kept import kept

__all__ = ["LONGEST_EDGE", "fsaverage_sheets", "nilearn_missing", "nilearn_release"]

LONGEST_EDGE = 30.0  # mm; triangles with a longer one bridge a cut of the sheet
_SIDES = ("left", "right")
_RECIPE = 1  # raise it when the same files give other sheets
_NEEDED = (
    "flat maps need the surface fsaverage5, which nilearn brings and which is not installed; run: "
    "pip install 'voxscale[brain]'."
)


@cache
def fsaverage_sheets() -> dict[str, FlatSheet]:
    """Return the flattened hemispheres, "left" and "right".

    They are kept, since to import nilearn and to find each pixel's triangle takes long.

    Raises
    ------
    VoxscaleError
        If nilearn, which brings the surface, is not installed.
    """
    fields = {"sheets": "fsaverage5", "nilearn": nilearn_release(), "recipe": _RECIPE}
    fields |= {"n_pixels": N_PIXELS, "longest_edge": LONGEST_EDGE}
    return kept("flat-sheets", fields, make=made_sheets, read=_read, write=_write)


def nilearn_release() -> str:
    """Return the version of nilearn without importing it.

    Raises
    ------
    VoxscaleError
        If it is not installed.
    """
    try:
        return version("nilearn")
    except PackageNotFoundError as error:
        raise nilearn_missing() from error


def nilearn_missing() -> VoxscaleError:
    """Return the error that says what to install."""
    return VoxscaleError(_NEEDED)


def made_sheets() -> dict[str, FlatSheet]:
    """Make the sheets from the surfaces that nilearn brings."""
    try:
        from nilearn import datasets
    except ImportError as error:
        raise nilearn_missing() from error
    meshes = datasets.load_fsaverage("fsaverage5")["flat"].parts
    folds = datasets.load_fsaverage_data("fsaverage5", mesh_type="flat", data_type="sulcal")
    return {side: _sheet(meshes[side], folds.data.parts[side]) for side in _SIDES}


def _sheet(mesh: Any, sulcal_depth: Any) -> FlatSheet:
    xy = np.asarray(mesh.coordinates, dtype=np.float64)[:, :2]
    corners = xy[mesh.faces]
    edges = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2)
    faces = np.asarray(mesh.faces)[edges.max(axis=1) <= LONGEST_EDGE]
    depth = np.asarray(sulcal_depth, dtype=np.float64).ravel()
    return FlatSheet(xy, faces, depth, *pixels_on(xy, faces))


def _write(file: Any, sheets: dict[str, FlatSheet]) -> None:
    named: dict[str, Any] = {
        f"{side}_{name}": np.asarray(part) for side, name, part in _parts(sheets)
    }
    np.savez(file, **named)


def _parts(sheets: dict[str, FlatSheet]) -> Iterator[tuple[str, str, Any]]:
    for side, sheet in sheets.items():
        for name, part in sheet._asdict().items():
            yield side, name, part


def _read(path: Path) -> dict[str, FlatSheet]:
    """Read the sheets; numpy checks the sums that a zip file keeps of its parts."""
    sheets = {}
    with path.open("rb") as file, np.load(file, allow_pickle=False) as found:
        for side in _SIDES:
            parts: dict[str, Array] = {name: found[f"{side}_{name}"] for name in FlatSheet._fields}
            left, right, bottom, top = (float(one) for one in parts.pop("extent"))
            if len(parts["sulcal_depth"]) != len(parts["xy"]) or parts["face_at"].ndim != 2:
                msg = f"{path} holds no flat sheets; expected a depth for each vertex."
                raise AlignmentError(msg)
            sheets[side] = FlatSheet(**parts, extent=(left, right, bottom, top))
    return sheets
