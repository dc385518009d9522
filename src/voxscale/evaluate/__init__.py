"""From predictions to scores: correlation, explained variance, noise ceilings, significance.

Responses and predictions are plain arrays of shape (n_trs, n_voxels) on the same TRs; every
answer is one number per voxel, in float64, and NaN where there is none. What makes one number
of many voxels, or of several feature spaces, says by which rule.
"""

from voxscale.evaluate._baselines import (
    autocorrelated_features,
    estimate_smoothness,
    position_features,
)
from voxscale.evaluate._ceiling import NoiseCeiling, noise_ceiling
from voxscale.evaluate._ceiling_intervals import CeilingIntervals, ceiling_intervals
from voxscale.evaluate._huth2023 import PublishedCeiling, noise_ceiling_huth2023
from voxscale.evaluate._interval import Interval
from voxscale.evaluate._leave_one_out import LeaveOneOut, leave_one_out, leave_one_out_growth
from voxscale.evaluate._metrics import METRICS, STORY_MODES, Metric, score_voxels
from voxscale.evaluate._model_comparison import (
    ModelComparison,
    compare_models,
    noise_normalized_difference,
)
from voxscale.evaluate._multiple import MaxStatistic, fdr, fdr_threshold, max_statistic
from voxscale.evaluate._nested_fits import variance_partition
from voxscale.evaluate._partition import VariancePartition, partition
from voxscale.evaluate._position import score_by_position, state_drift
from voxscale.evaluate._product_measure import ProductMeasure, product_measure
from voxscale.evaluate._reducers import REDUCERS, Reduced, Reducer, reduce_scores
from voxscale.evaluate._reliability import SplitHalf, spearman_brown, split_half
from voxscale.evaluate._scores import correlation, r2, signed_r2
from voxscale.evaluate._selection import BestModels, StoryScores, choose_best, story_scores
from voxscale.evaluate._significance import PermutationTest, permutation_test
from voxscale.evaluate._stacked import StackedScores, stacked_scores
from voxscale.evaluate._union_predictions import union_predictions
from voxscale.evaluate._unique import unique_test

__all__ = [
    "METRICS",
    "REDUCERS",
    "STORY_MODES",
    "BestModels",
    "CeilingIntervals",
    "Interval",
    "LeaveOneOut",
    "MaxStatistic",
    "Metric",
    "ModelComparison",
    "NoiseCeiling",
    "PermutationTest",
    "ProductMeasure",
    "PublishedCeiling",
    "Reduced",
    "Reducer",
    "SplitHalf",
    "StackedScores",
    "StoryScores",
    "VariancePartition",
    "autocorrelated_features",
    "ceiling_intervals",
    "choose_best",
    "compare_models",
    "correlation",
    "estimate_smoothness",
    "fdr",
    "fdr_threshold",
    "leave_one_out",
    "leave_one_out_growth",
    "max_statistic",
    "noise_ceiling",
    "noise_ceiling_huth2023",
    "noise_normalized_difference",
    "partition",
    "permutation_test",
    "position_features",
    "product_measure",
    "r2",
    "reduce_scores",
    "score_by_position",
    "score_voxels",
    "signed_r2",
    "spearman_brown",
    "split_half",
    "stacked_scores",
    "state_drift",
    "story_scores",
    "union_predictions",
    "unique_test",
    "variance_partition",
]
