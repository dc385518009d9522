"""Scores of every alpha on test data: the path of a fit over its penalties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.arrays._stacked import Stacked
from voxscale.fit._cross_validate import check_same_rows, cv_scores, voxel_blocks
from voxscale.fit._fit_each import as_columns, check_same_columns, check_settings, gram_for

if TYPE_CHECKING:
    from voxscale.fit._estimators import RidgeCV

__all__ = ["scores_on_test"]


def scores_on_test(model: RidgeCV, X: Any, Y: Any, X_test: Any, Y_test: Any) -> Array:
    """Score each alpha, (n_alphas, n_voxels), with one split: trained on X, validated on X_test."""
    check_settings(model)
    designs = [Columns.of(X, "X"), Columns.of(X_test, "X_test")]
    responses = [Columns.of(as_columns(Y), "Y"), Columns.of(as_columns(Y_test), "Y_test")]
    for design, response in zip(designs, responses, strict=True):
        check_same_rows(design.shape, response.shape)
    for train, test in (designs, responses):
        check_same_columns(train, test)
    n_train, n_test = (one.shape[0] for one in designs)
    pair = (np.arange(n_train), np.arange(n_train, n_train + n_test))
    gram = gram_for(model, Stacked(designs), None)
    blocks = voxel_blocks(gram, Stacked(responses))
    scores: Array = cv_scores(
        gram,
        blocks,
        [pair],
        model.alphas,
        scoring=model.scoring,
        solver=model.solver,
        tolerance=model.tolerance,
    )[:, :, 0]
    blocks.warn_of(np.asarray(np.isnan(scores).all(axis=0)), stacklevel=4)
    return scores
