"""What the flat maps of a report are drawn on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from voxscale.data import PycortexSubject, read_pycortex_subject
from voxscale.errors import VoxscaleError, VoxscaleWarning
from voxscale.reports._flat_values import FSAVERAGE, shown_outlines
from voxscale.reports._pixel_maps import flat_picture

__all__ = ["N_VERTICES", "REPORT_ROWS", "MapSurface", "surface_of"]

N_VERTICES = 20_484  # of fsaverage5, both hemispheres
REPORT_ROWS = 512  # of pixels on a subject's own cortex: about as many as a page shows


@dataclass(frozen=True, eq=False)
class MapSurface:
    """What a subject's flat maps are drawn on, or why there are none.

    Parameters
    ----------
    subject : PycortexSubject, "fsaverage5" or None
    why_not : str
        A sentence for the reader, where there is no surface.
    unit, units : str
        What a value belongs to: "vertex" and "vertices", or "voxel" and "voxels".
    """

    subject: PycortexSubject | str | None
    why_not: str = ""
    unit: str = "vertex"
    units: str = "vertices"

    @property
    def where(self) -> str:
        """Whose cortex, for a caption."""
        if isinstance(self.subject, PycortexSubject):
            return "the subject's own flattened cortex"
        return f"the flattened {FSAVERAGE}"


def surface_of(whose: str, n_voxels: int, space: str | None, cortex: Path | None) -> MapSurface:
    """Find what the values of a subject can be drawn on.

    Parameters
    ----------
    whose : str
        The subject's name in the data set.
    n_voxels : int
    space : str or None
        Where the values lie, by the data set.
    cortex : Path or None
        The subject's folder in a filestore of pycortex, by the data set.

    Returns
    -------
    MapSurface

    Warns
    -----
    VoxscaleWarning
        If there is a cortex that cannot be read, or that has another number of voxels.
    """
    if space == FSAVERAGE and n_voxels == N_VERTICES:
        return MapSurface(FSAVERAGE)
    if cortex is None:
        where = f"in {space!r}" if space else "in no space that the data set names"
        return MapSurface(
            None,
            f"The responses of {whose} lie {where}, and it names no cortex of theirs; flat maps "
            f"exist for {FSAVERAGE!r} and for subjects of pycortex.",
        )
    try:
        subject = _readable(cortex, n_voxels)
    except VoxscaleError as error:
        told = f"There are no flat maps of {whose}: {error}"
        warnings.warn(told, VoxscaleWarning, stacklevel=3)
        return MapSurface(None, told)
    if n_voxels == subject.n_vertices:
        return MapSurface(subject)
    return MapSurface(subject, unit="voxel", units="voxels")


def _readable(cortex: Path, n_voxels: int) -> PycortexSubject:
    """Read all that a map needs, so that nothing of it fails when maps are drawn."""
    subject = read_pycortex_subject(cortex)
    flat_picture(np.full(n_voxels, np.nan), subject, n_rows=REPORT_ROWS)
    shown_outlines(subject, "rois")
    return subject
