"""How steeply the mean score of each region grows, and whether as the rest of the brain does."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.scaling import SlopeMap, slope_map

__all__ = ["RegionSlopes", "region_slopes"]


class RegionSlopes(NamedTuple):
    """Slopes of a subject's regions; made by :func:`region_slopes`.

    ``found`` has the slopes of means over each region's voxels, as those of
    ``slope_map(groups=...)``; ``against`` those of that mean less the mean over all other voxels,
    so that its slopes are differences of slopes. ``n_voxels`` are those that have every score.
    """

    names: tuple[str, ...]
    n_voxels: Array
    found: SlopeMap
    against: SlopeMap


def region_slopes(sizes: Array, scores: Array, regions: Array) -> RegionSlopes | None:
    """Fit a line to the mean score of each region, and test it against the rest of the brain.

    Parameters
    ----------
    sizes : array of shape (n_sizes,)
    scores : array of shape (n_sizes, n_stories, n_voxels)
    regions : array of str, shape (n_voxels,)
        Empty where a voxel is in none; those are part of the rest, and no region.

    Returns
    -------
    RegionSlopes or None
        NaN for a region none of whose voxels has every score, and for differences where there is
        no other voxel. None where no voxel is in a region.
    """
    names, codes = np.unique(regions, return_inverse=True)
    kept = np.asarray(np.isfinite(scores).all(axis=(0, 1)))
    numbers = np.bincount(codes[kept], minlength=len(names)).astype(np.float64)
    totals = np.stack([_totals(of_size, codes, kept, len(names)) for of_size in scores])
    is_region = names != ""
    if not is_region.any():
        return None
    n_others = numbers.sum() - numbers
    with np.errstate(invalid="ignore", divide="ignore"):
        means = totals / numbers
        others = (totals.sum(axis=-1, keepdims=True) - totals) / n_others
    others[..., n_others == 0] = np.nan  # rounding may leave a little over nothing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VoxscaleWarning)  # regions without a score are counted
        found = slope_map(sizes, means[..., is_region])
        against = slope_map(sizes, (means - others)[..., is_region])
    return RegionSlopes(
        tuple(names[is_region].tolist()), numbers[is_region].astype(np.intp), found, against
    )


def _totals(of_size: Array, codes: Array, kept: Array, n_names: int) -> Array:
    """Sum (n_stories, n_voxels) over the voxels of each region that have every score."""
    return np.stack([
        np.bincount(codes[kept], row[kept].astype(np.float64), n_names) for row in of_size
    ])  # fmt: skip
