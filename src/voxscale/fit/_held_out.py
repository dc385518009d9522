"""Predictions of training rows by weights that have not seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import budget_bytes, resolve_dtype
from voxscale.fit._cross_validate import check_same_rows
from voxscale.fit._design import read_design
from voxscale.fit._estimators import RidgeCV
from voxscale.fit._fit_each import gram_for
from voxscale.fit._predict import Predictor
from voxscale.fit._samples import Samples
from voxscale.fit._solve import solve
from voxscale.fit._splits import Split, as_splits

__all__ = ["folds", "held_out_predictions"]


def held_out_predictions(
    model: RidgeCV,
    X: Any,
    Y: Any,
    cv: Any = None,
    *,
    voxels: slice = slice(None),
    sample_weight: ArrayLike | None = None,
) -> Array:
    """Predict each training row from the others, every voxel at the alpha that the fit chose.

    Parameters
    ----------
    model : RidgeCV
        Fitted; its ``best_alphas_`` and settings are used, its weights are not.
    X : array of shape (n_trs, n_features)
        What the model was fitted to.
    Y : array of shape (n_trs, n_voxels)
        As X; only ``voxels`` are read.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        As :class:`RidgeCV` takes it, but no row may be left out twice. Default: 5 contiguous
        folds. For stories, give ``leave_run_out(...)``.
    voxels : slice
        Columns of Y that are wanted. Default: all.
    sample_weight : array of shape (n_trs,), optional
        As :meth:`RidgeCV.fit`.

    Returns
    -------
    array of shape (n_trs, n_chosen), of the model's dtype
        NaN for rows that no split leaves out or that are censored, and for voxels without an
        alpha.

    Raises
    ------
    AlignmentError
        If X, Y and the fit do not belong together.
    FitError
        If X is not finite, or the memory budget is too small.
    ValueError
        If two splits leave out the same row.

    Notes
    -----
    The weights have never seen the row that they predict; the alphas, one number for each voxel,
    were chosen with it among the others, as is usual for stacked regression.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((40, 3))
    >>> model = RidgeCV([1.0], device="cpu").fit(X, X)
    >>> held_out_predictions(model, X, X).shape
    (40, 3)
    """
    check_is_fitted(model)
    design, responses = Columns.of(X, "X"), Columns.of(Y, "Y")
    check_same_rows(design.shape, responses.shape)
    n_trs, n_voxels = responses.shape
    if (design.shape[1], n_voxels) != (model.n_features_in_, len(model.best_alphas_)):
        msg = (
            f"X has {design.shape[1]} features and Y {n_voxels} voxels; expected the "
            f"{model.n_features_in_} and {len(model.best_alphas_)} of the fit."
        )
        raise AlignmentError(msg)
    splits = folds(cv, n_trs, sample_weight)
    dtype = str(resolve_dtype(model.dtype)).removeprefix("torch.")
    chosen = responses.read(slice(*voxels.indices(n_voxels)), dtype)
    alphas = np.asarray(model.best_alphas_)[voxels]
    weights = Samples.of(sample_weight, n_trs).weights
    found = np.full(chosen.shape, np.nan, dtype=dtype)
    for train, left_out in splits:
        held = left_out[weights[left_out] > 0]
        found[held] = _predicted(model, X, chosen, alphas, _only(train, weights), held)
    return found


def folds(cv: Any, n_trs: int, sample_weight: ArrayLike | None) -> list[Split]:
    """Resolve splits that leave out no row twice; rows left out ascend.

    Raises
    ------
    FitError
        If a split has too few rows that count.
    ValueError
        If two splits leave out the same row.
    """
    splits = [(train, np.sort(held)) for train, held in as_splits(cv, n_trs)]
    counts = np.bincount(np.concatenate([held for _, held in splits]), minlength=n_trs)
    if counts.max() > 1:
        msg = (
            f"{int((counts > 1).sum())} rows are left out by more than one split; expected folds, "
            "which leave out each row once, such as leave_run_out(run_lengths)."
        )
        raise ValueError(msg)
    Samples.of(sample_weight, n_trs).splits(splits)
    return splits


def _predicted(
    model: RidgeCV, X: Any, Y: Array, alphas: Array, sample_weight: Array, held: Array
) -> Array:
    """Fit the rows that have a weight, and predict others, of shape (n_held, n_voxels)."""
    gram = gram_for(model, X, sample_weight)
    weights = solve(gram, Y, alphas)
    means = None if gram.means is None else gram.means.cpu().numpy()
    columns = Columns.of(X, "X")
    rows = read_design(columns, Samples(columns.shape[0], held, None), Y.dtype.name, means)
    design = torch.from_numpy(rows).to(gram.X.device)
    budget = budget_bytes(model.memory_gib, gram.X.device)
    predictions: Array = Predictor(design, weights, budget, gram.means).into(None)
    return predictions


def _only(train: Array, weights: Array) -> Array:
    """Weights of the rows that train; none for the others."""
    kept = np.zeros_like(weights)
    kept[train] = weights[train]
    return kept
