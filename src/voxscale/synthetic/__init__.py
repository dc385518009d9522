"""Brains whose answers are known: planted signal, noise and layer preference.

Every number of the demo can be checked against what was put in.
"""

from voxscale.synthetic._cortex import Layout, fsaverage5_coordinates, language_network
from voxscale.synthetic._planting import (
    expected_correlation,
    planted_signal,
    principal_components,
    slow_noise,
)

__all__ = [
    "Layout",
    "expected_correlation",
    "fsaverage5_coordinates",
    "language_network",
    "planted_signal",
    "principal_components",
    "slow_noise",
]
