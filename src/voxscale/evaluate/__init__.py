"""From predictions to scores: correlation, explained variance, noise ceilings, significance.

Responses and predictions are plain arrays of shape (n_trs, n_voxels) on the same TRs; every
answer is one number per voxel, in float64, and NaN where there is none.
"""

from voxscale.evaluate._ceiling import NoiseCeiling, noise_ceiling
from voxscale.evaluate._model_comparison import (
    ModelComparison,
    compare_models,
    noise_normalized_difference,
)
from voxscale.evaluate._multiple import MaxStatistic, fdr, fdr_threshold, max_statistic
from voxscale.evaluate._position import score_by_position, state_drift
from voxscale.evaluate._scores import correlation, r2, signed_r2
from voxscale.evaluate._selection import BestModels, StoryScores, choose_best, story_scores
from voxscale.evaluate._significance import PermutationTest, permutation_test

__all__ = [
    "BestModels",
    "MaxStatistic",
    "ModelComparison",
    "NoiseCeiling",
    "PermutationTest",
    "StoryScores",
    "choose_best",
    "compare_models",
    "correlation",
    "fdr",
    "fdr_threshold",
    "max_statistic",
    "noise_ceiling",
    "noise_normalized_difference",
    "permutation_test",
    "r2",
    "score_by_position",
    "signed_r2",
    "state_drift",
    "story_scores",
]
