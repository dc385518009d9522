"""From series in time to a design matrix: Lanczos to TRs, trim, z-score, delays."""

from voxscale.design._delay import delay
from voxscale.design._hrf import double_gamma_hrf
from voxscale.design._lanczos import lanczos, lanczos_operator
from voxscale.design._recipe import DesignRecipe, FeatureSpace
from voxscale.design._scale import zscore
from voxscale.design._stream import LanczosStream

__all__ = [
    "DesignRecipe",
    "FeatureSpace",
    "LanczosStream",
    "delay",
    "double_gamma_hrf",
    "lanczos",
    "lanczos_operator",
    "zscore",
]
