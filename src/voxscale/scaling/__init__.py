"""From scores to laws: how scores grow with the size of models and data, with intervals."""

from voxscale.scaling._bending import Bending, bending
from voxscale.scaling._block_scores import BlockScores, block_scores
from voxscale.scaling._fit_surface import fit_scaling_surface
from voxscale.scaling._law import ScalingLaw
from voxscale.scaling._laws import fit_scaling_law
from voxscale.scaling._selection import LawComparison, LawRow, compare_laws
from voxscale.scaling._surface import ScalingSurface
from voxscale.scaling._surface_uncertainty import Estimate

__all__ = [
    "Bending",
    "BlockScores",
    "Estimate",
    "LawComparison",
    "LawRow",
    "ScalingLaw",
    "ScalingSurface",
    "bending",
    "block_scores",
    "compare_laws",
    "fit_scaling_law",
    "fit_scaling_surface",
]
