"""X, Y → weights, predictions, cross-validated scores.

One eigendecomposition of the design serves every voxel and every alpha; voxels only multiply,
a block at a time. Arrays in, arrays out: torch works underneath, on an explicit device. The
estimator :class:`RidgeCV` is put together from the functions beside it.
"""

from __future__ import annotations

from voxscale.fit._banded import BandedRidgeCV
from voxscale.fit._choose import choose_alphas
from voxscale.fit._cross_validate import cv_scores, cv_scores_of_designs
from voxscale.fit._decompose import Gram
from voxscale.fit._decompositions import Decomposition
from voxscale.fit._estimators import RidgeCV
from voxscale.fit._held_out import held_out_predictions
from voxscale.fit._nested import NestedScores, nested_scores
from voxscale.fit._plan import FitPlan
from voxscale.fit._results import Results
from voxscale.fit._scoring import SCORINGS
from voxscale.fit._solve import Weights, solve
from voxscale.fit._split_scores import correlation_split, r2_split
from voxscale.fit._splits import as_splits, chunk_holdout, contiguous_folds, leave_run_out
from voxscale.fit._stacked import Stacking
from voxscale.fit._stacking import (
    center_of_mass,
    residual_covariance,
    stacked_prediction,
    stacking_weights,
)
from voxscale.fit._streamed import BlockedWeights, predict_streamed

__all__ = [
    "SCORINGS",
    "BandedRidgeCV",
    "BlockedWeights",
    "Decomposition",
    "FitPlan",
    "Gram",
    "NestedScores",
    "Results",
    "RidgeCV",
    "Stacking",
    "Weights",
    "as_splits",
    "center_of_mass",
    "choose_alphas",
    "chunk_holdout",
    "contiguous_folds",
    "correlation_split",
    "cv_scores",
    "cv_scores_of_designs",
    "held_out_predictions",
    "leave_run_out",
    "nested_scores",
    "predict_streamed",
    "r2_split",
    "residual_covariance",
    "solve",
    "stacked_prediction",
    "stacking_weights",
]
