"""From scores to laws: how scores grow with the size of models and data, with intervals."""

from voxscale.scaling._fit_surface import fit_scaling_surface
from voxscale.scaling._laws import ScalingLaw, fit_scaling_law
from voxscale.scaling._surface import ScalingSurface
from voxscale.scaling._surface_uncertainty import Estimate

__all__ = [
    "Estimate",
    "ScalingLaw",
    "ScalingSurface",
    "fit_scaling_law",
    "fit_scaling_surface",
]
