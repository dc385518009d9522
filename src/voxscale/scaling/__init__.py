"""From scores to laws: how scores grow with the size of models and data, with intervals."""

from voxscale.scaling._bending import Bending, bending
from voxscale.scaling._block_scores import BlockScores, block_scores
from voxscale.scaling._depth import RelativeDepths, best_relative_depth
from voxscale.scaling._extrapolation import Extrapolation, Needed
from voxscale.scaling._fit_surface import fit_scaling_surface
from voxscale.scaling._law import ScalingLaw
from voxscale.scaling._law_map import LawMap, law_map
from voxscale.scaling._laws import fit_scaling_law
from voxscale.scaling._pooled_law import PooledLaw, fit_pooled_law
from voxscale.scaling._pooling import PooledSlopes, pooled_slopes
from voxscale.scaling._power import (
    SlopeComponents,
    slope_components,
    slope_interval_width,
    slope_power,
)
from voxscale.scaling._selection import LawComparison, LawRow, compare_laws
from voxscale.scaling._slope_map import SlopeMap, slope_map
from voxscale.scaling._surface import ScalingSurface
from voxscale.scaling._surface_extrapolation import SurfaceExtrapolation
from voxscale.scaling._surface_uncertainty import Estimate

__all__ = [
    "Bending",
    "BlockScores",
    "Estimate",
    "Extrapolation",
    "LawComparison",
    "LawMap",
    "LawRow",
    "Needed",
    "PooledLaw",
    "PooledSlopes",
    "RelativeDepths",
    "ScalingLaw",
    "ScalingSurface",
    "SlopeComponents",
    "SlopeMap",
    "SurfaceExtrapolation",
    "bending",
    "best_relative_depth",
    "block_scores",
    "compare_laws",
    "fit_pooled_law",
    "fit_scaling_law",
    "fit_scaling_surface",
    "law_map",
    "pooled_slopes",
    "slope_components",
    "slope_interval_width",
    "slope_map",
    "slope_power",
]
