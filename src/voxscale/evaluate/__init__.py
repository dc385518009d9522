"""From predictions to scores: correlation, explained variance, noise ceilings, significance.

Responses and predictions are plain arrays of shape (n_trs, n_voxels) on the same TRs; every
answer is one number per voxel, in float64, and NaN where there is none.
"""

from voxscale.evaluate._ceiling import NoiseCeiling, noise_ceiling
from voxscale.evaluate._position import score_by_position, state_drift
from voxscale.evaluate._scores import correlation, r2, signed_r2
from voxscale.evaluate._significance import PermutationTest, permutation_test
from voxscale.evaluate._stacked import StackedScores, stacked_scores

__all__ = [
    "NoiseCeiling",
    "PermutationTest",
    "StackedScores",
    "correlation",
    "noise_ceiling",
    "permutation_test",
    "r2",
    "score_by_position",
    "signed_r2",
    "stacked_scores",
    "state_drift",
]
