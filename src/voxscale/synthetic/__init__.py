"""Brains whose answers are known: planted signal, noise, layer preference and scaling laws.

Every number of the demo can be checked against what was put in.
"""

from voxscale.synthetic._antonello2023 import (
    MiniatureTruth,
    kept_miniature,
    write_antonello2023,
)
from voxscale.synthetic._cortex import Layout, fsaverage5_coordinates, language_network
from voxscale.synthetic._planting import (
    expected_correlation,
    planted_signal,
    principal_components,
    slow_noise,
)
from voxscale.synthetic._scaling_brains import BrainTruth, PlantedLaw, ScalingBrains
from voxscale.synthetic._scaling_noise import coloured_noise
from voxscale.synthetic._scaling_scores import planted_scores
from voxscale.synthetic._small_cortex import SMALL_REGIONS, write_pycortex_subject

__all__ = [
    "SMALL_REGIONS",
    "BrainTruth",
    "Layout",
    "MiniatureTruth",
    "PlantedLaw",
    "ScalingBrains",
    "coloured_noise",
    "expected_correlation",
    "fsaverage5_coordinates",
    "kept_miniature",
    "language_network",
    "planted_scores",
    "planted_signal",
    "principal_components",
    "slow_noise",
    "write_antonello2023",
    "write_pycortex_subject",
]
