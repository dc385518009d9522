"""From predictions to scores: correlation, explained variance, noise ceilings, significance.

Responses and predictions are plain arrays of shape (n_trs, n_voxels) on the same TRs; every
answer is one number per voxel, in float64, and NaN where there is none.
"""

from voxscale.evaluate._ceiling import NoiseCeiling, noise_ceiling
from voxscale.evaluate._ceiling_intervals import CeilingIntervals, ceiling_intervals
from voxscale.evaluate._interval import Interval
from voxscale.evaluate._leave_one_out import LeaveOneOut, leave_one_out, leave_one_out_growth
from voxscale.evaluate._position import score_by_position, state_drift
from voxscale.evaluate._reliability import SplitHalf, spearman_brown, split_half
from voxscale.evaluate._scores import correlation, r2, signed_r2
from voxscale.evaluate._significance import PermutationTest, permutation_test

__all__ = [
    "CeilingIntervals",
    "Interval",
    "LeaveOneOut",
    "NoiseCeiling",
    "PermutationTest",
    "SplitHalf",
    "ceiling_intervals",
    "correlation",
    "leave_one_out",
    "leave_one_out_growth",
    "noise_ceiling",
    "permutation_test",
    "r2",
    "score_by_position",
    "signed_r2",
    "spearman_brown",
    "split_half",
    "state_drift",
]
