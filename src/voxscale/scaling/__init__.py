"""From scores to laws: how scores grow with the size of models and data, with intervals."""

from voxscale.scaling._bending import Bending, bending
from voxscale.scaling._block_scores import BlockScores, block_scores
from voxscale.scaling._extrapolation import Extrapolation, Needed
from voxscale.scaling._law import ScalingLaw
from voxscale.scaling._law_map import LawMap, law_map
from voxscale.scaling._laws import fit_scaling_law
from voxscale.scaling._selection import LawComparison, LawRow, compare_laws
from voxscale.scaling._slope_map import SlopeMap, slope_map

__all__ = [
    "Bending",
    "BlockScores",
    "Extrapolation",
    "LawComparison",
    "LawMap",
    "LawRow",
    "Needed",
    "ScalingLaw",
    "SlopeMap",
    "bending",
    "block_scores",
    "compare_laws",
    "fit_scaling_law",
    "law_map",
    "slope_map",
]
