"""Predictions of fitted weights, and their scores, a block of voxels at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.arrays._linalg import matmul
from voxscale.errors import AlignmentError, FitError
from voxscale.fit._blocks import (
    VoxelBlocks,
    block_width,
    budget_bytes,
    check_budget,
    resolve_device,
    resolve_dtype,
)
from voxscale.fit._design import design_tensor
from voxscale.fit._samples import Samples
from voxscale.fit._scoring import Moments, scoring_function
from voxscale.fit._solve import Weights, predicted_blocks

if TYPE_CHECKING:
    from voxscale.fit._estimators import RidgeCV

__all__ = ["Predictor", "predictor_of"]


@dataclass(frozen=True, eq=False)
class Predictor:
    """What multiplies weights to predict.

    Parameters
    ----------
    design : tensor of shape (n_trs, n_coef)
        Features, or their products with those of the rows that trained.
    weights : Weights
        ``coef`` of shape (n_coef, n_voxels), in memory or on disk.
    budget : int
        Bytes that may be used.
    at_mean : tensor of shape (n_coef,), float64, or None
        What weights of 1 predict for the mean that the design is about; None: it is about 0.
    """

    design: Tensor
    weights: Weights
    budget: int
    at_mean: Tensor | None = None

    @property
    def n_voxels(self) -> int:
        """Columns of the weights."""
        return int(self.weights.coef.shape[1])

    @property
    def width(self) -> int:
        """Voxels worked on at once."""
        n_trs, n_rows = self.design.shape
        # Weights, responses and predictions, and what scoring makes of them in float64.
        per_voxel = 2 * self.design.element_size() * (n_trs + n_rows) + 48 * n_trs
        return block_width(per_voxel, self.budget - self.design.nbytes, self.design.device)

    def blocks(self, blocks: Iterable[slice]) -> Iterator[tuple[slice, Tensor]]:
        """Yield predictions, of shape (n_trs, n_block_voxels), a block of voxels at a time."""
        return predicted_blocks(self.design, self.weights, blocks, self.at_mean)

    def into(self, out: Any) -> Any:
        """Write predictions to an array of shape (n_trs, n_voxels); None: a new one."""
        shape = (len(self.design), self.n_voxels)
        if out is None:
            out = np.empty(shape, dtype=self.weights.coef.dtype)
        elif tuple(out.shape) != shape:
            msg = f"out has shape {tuple(out.shape)}; expected {shape}."
            raise AlignmentError(msg)
        width = self.width
        blocks = [
            slice(start, min(start + width, self.n_voxels))
            for start in range(0, self.n_voxels, width)
        ]
        for block, prediction in self.blocks(blocks):
            out[:, block] = prediction.cpu().numpy()
        return out

    def scores(self, Y: Columns, scoring: str, samples: Samples) -> Array:
        """Score predictions of the TRs that count; (n_voxels,), float64."""
        function, design = scoring_function(scoring), self.design
        if samples.kept is not None:
            design = design[torch.from_numpy(samples.kept).to(design.device)]
        counted = Samples(samples.n_trs, samples.kept, None)
        blocks = VoxelBlocks.of(Y, design.dtype, design.device, counted)
        scores = np.empty(self.n_voxels)
        places = blocks.slices(self.width)
        predictions = predicted_blocks(design, self.weights, places, self.at_mean)
        for (block, values), (_, prediction) in zip(blocks.read(places), predictions, strict=True):
            scores[block] = function(Moments.of(values, prediction)).cpu().numpy()
        return scores


def predictor_of(model: RidgeCV, X: Any) -> Predictor:
    """Read a design, and put it together with the weights of a fit.

    Raises
    ------
    AlignmentError
        If the number of features differs from the fit's.
    FitError
        If X is not finite or does not fit the memory budget, or the fit has kept no weights.
    """
    check_is_fitted(model)
    if model.weights is None:
        msg = 'the fit kept no weights (weights=None); fit with weights="primal" to predict.'
        raise FitError(msg)
    device, dtype = resolve_device(model.device), resolve_dtype(model.dtype)
    # About the mean of the fit: float32 would lose in a large mean what the intercept takes
    # away again.
    means = model._fit_means if hasattr(model, "intercept_") else None
    n_trs, n_features = Columns.of(X, "X").shape
    if n_features != model.n_features_in_:
        msg = (
            f"X has {n_features} features; expected the {model.n_features_in_} features of the fit."
        )
        raise AlignmentError(msg)
    budget = budget_bytes(model.memory_gib, device)
    numbers = n_trs * n_features
    if model.weights == "dual":  # the rows that trained, a part of them, and products with them
        n_fitted = np.shape(model.X_fit_)[0]
        numbers += n_fitted * (2 * n_features + n_trs)
    check_budget(dtype.itemsize * numbers, budget, f"X of {n_trs} TRs to predict")
    design = design_tensor(X, device, dtype, means=means)
    at_mean = None if means is None else torch.from_numpy(means).to(device)
    coef = model.dual_coef_ if model.weights == "dual" else model.coef_
    if model.weights == "dual":
        # Rows that did not count may hold anything, NaN too; their coefficients are 0.
        fitted = design_tensor(model.X_fit_, device, dtype, model._kept_rows, means)
        design = matmul(design, fitted.T)
        at_mean = None if at_mean is None else fitted.double() @ at_mean
    coef = coef[:, None] if model._is_single else coef
    intercept = np.atleast_1d(model.intercept_) if hasattr(model, "intercept_") else None
    return Predictor(design, Weights(coef, intercept), budget, at_mean)
