"""X, Y → weights, predictions, cross-validated scores.

One eigendecomposition of the design serves every voxel and every alpha; voxels only multiply,
a block at a time. Arrays in, arrays out: torch works underneath, on an explicit device. The
estimator :class:`RidgeCV` is put together from the functions beside it.
"""

from __future__ import annotations

from voxscale.fit._decompose import Decomposition, Gram
from voxscale.fit._estimators import RidgeCV
from voxscale.fit._ridge import Weights, choose_alphas, cv_scores, solve
from voxscale.fit._scoring import SCORINGS
from voxscale.fit._splits import as_splits, chunk_holdout, contiguous_folds, leave_run_out

__all__ = [
    "SCORINGS",
    "Decomposition",
    "Gram",
    "RidgeCV",
    "Weights",
    "as_splits",
    "choose_alphas",
    "chunk_holdout",
    "contiguous_folds",
    "cv_scores",
    "leave_run_out",
    "solve",
]
