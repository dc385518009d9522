"""Slopes of a subject's voxels and regions along an axis, and which of them are shown."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from voxscale.arrays import Array
from voxscale.errors import VoxscaleWarning
from voxscale.evaluate import fdr
from voxscale.reports._reading import Q_LEVEL
from voxscale.reports._slope_regions import RegionSlopes, region_slopes
from voxscale.scaling import SlopeMap, slope_map

if TYPE_CHECKING:
    from voxscale.reports._reading import SubjectMaps
    from voxscale.reports._slope_axes import Axis, VoxelScores

__all__ = ["FEWEST_STORIES", "VoxelSlopes", "q_of", "voxel_slopes_of"]

FEWEST_STORIES = 3  # that p-values are told of


class VoxelSlopes(NamedTuple):
    """Slopes of a subject's voxels along an axis, and which of them are shown.

    ``q_values`` are of slopes of 0, ``difference_q_values`` of the slope of the subject's other
    voxels, both by the study's method.
    """

    maps: SubjectMaps
    axis: Axis
    sizes: Array
    found: SlopeMap
    q_values: Array
    difference_q_values: Array
    shown: Array
    regions: RegionSlopes | None
    method: str

    @property
    def n_stories(self) -> int:
        """Test stories, over which slopes are tested."""
        return self.found.n_members

    @property
    def is_tested(self) -> bool:
        """Whether there are enough of them."""
        return self.n_stories >= FEWEST_STORIES

    @property
    def differs(self) -> Array:
        """Where the slope is not that of the rest of the brain; nowhere if that is not tested."""
        if not self.is_tested:
            return np.zeros(len(self.shown), dtype=bool)
        return np.asarray(self.difference_q_values < Q_LEVEL)


def voxel_slopes_of(maps: SubjectMaps, along: VoxelScores, method: str) -> VoxelSlopes:
    """Fit a line to each voxel's scores, and to those of regions where the data set has some.

    Parameters
    ----------
    maps : SubjectMaps
    along : VoxelScores
    method : {"bh", "by"}
        By which rates of false discoveries are adjusted.

    Returns
    -------
    VoxelSlopes
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VoxscaleWarning)  # voxels without a score are counted
        found = slope_map(along.sizes, along.scores)
    q_values = q_of(found, method)
    if along.scores.shape[1] >= FEWEST_STORIES:
        shown = q_values < Q_LEVEL
    else:
        shown = maps.is_validated & np.isfinite(found.slopes)
    return VoxelSlopes(
        maps=maps,
        axis=along.axis,
        sizes=along.sizes,
        found=found,
        q_values=q_values,
        difference_q_values=_adjusted(found.difference_p_values, method),
        shown=np.asarray(shown),
        regions=(None if maps.regions is None else region_slopes(*along[1:], regions=maps.regions)),
        method=method,
    )


def q_of(found: SlopeMap, method: str) -> Array:
    """Take the q-values of slopes of 0 by a method."""
    return found.q_values_by if method == "by" else found.q_values


def _adjusted(p_values: Array, method: str) -> Array:
    if not np.isfinite(p_values).any():
        return np.full(p_values.shape, np.nan)
    return np.asarray(fdr(p_values, method=method))
