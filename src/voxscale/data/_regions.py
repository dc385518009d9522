"""The region of each voxel: names that a data set gives, one for each column of its responses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from voxscale.arrays import Array
from voxscale.errors import AlignmentError

__all__ = ["check_one_each", "region_names"]


def region_names(regions: ArrayLike, label: str) -> Array:
    """Take the names of regions as a read-only array of text.

    Parameters
    ----------
    regions : array of str, shape (n_voxels,)
        Empty where a voxel is in no region.
    label : str
        Of the data set, for the error.

    Returns
    -------
    array of str, shape (n_voxels,)

    Raises
    ------
    AlignmentError
        If they have more axes than one, or none.
    TypeError
        If they are not text, bytes for instance.
    """
    given = np.asarray(regions, dtype=object)  # as they are: numpy makes text of a list's None
    if given.ndim != 1:
        msg = f"{label}: regions have shape {given.shape}; expected (n_voxels,), a name for each."
        raise AlignmentError(msg)
    values = given.tolist()
    stray = {type(one).__name__: None for one in values if not isinstance(one, str)}
    if stray:
        msg = (
            f"{label}: regions are of type {', '.join(stray)}; expected str, a name for each "
            "voxel and '' where it is in none; convert them."
        )
        raise TypeError(msg)
    names = np.array(values, dtype=np.str_)
    names.flags.writeable = False
    return names


def check_one_each(regions: Array, n_voxels: int, label: str) -> None:
    """Check that there is a region for each voxel.

    Parameters
    ----------
    regions : array of shape (n_regions,)
    n_voxels : int
    label : str
        Of the data set, for the error.

    Raises
    ------
    AlignmentError
        If there are more or fewer.
    """
    if len(regions) != n_voxels:
        msg = (
            f"{label}: regions are {len(regions)}, voxels {n_voxels}; expected a region for each "
            "voxel, '' where it is in none."
        )
        raise AlignmentError(msg)
