"""From scores to laws: how scores grow with the size of models and data, with intervals."""

from voxscale.scaling._laws import ScalingLaw, fit_scaling_law

__all__ = ["ScalingLaw", "fit_scaling_law"]
