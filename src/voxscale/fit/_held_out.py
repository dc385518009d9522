"""Predictions of training rows by weights that have not seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.arrays._linalg import one_torch_thread
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import VoxelBlocks
from voxscale.fit._cross_validate import check_same_rows
from voxscale.fit._estimators import RidgeCV
from voxscale.fit._fit_each import gram_for
from voxscale.fit._fold import Fold
from voxscale.fit._held_out_covariance import FoldsMemory
from voxscale.fit._samples import Samples
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
        If two splits leave out the same row, or voxels are not neighbours.

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
    samples = Samples.of(sample_weight, n_trs)
    splits = samples.splits(folds(cv, n_trs, sample_weight))
    memory = FoldsMemory.of(model, [design.shape[1]], samples, splits)
    memory.check()
    start, stop, step = voxels.indices(n_voxels)
    if step != 1:
        msg = f"voxels are {voxels}; expected a slice of neighbours, in order."
        raise ValueError(msg)
    gram = gram_for(model, design, sample_weight)
    blocks = VoxelBlocks.of(responses, gram.X.dtype, gram.X.device, samples)
    width = responses.aligned(memory.block_width(blocks.device))
    todo = [slice(first, min(first + width, stop)) for first in range(start, stop, width)]
    rows = np.arange(n_trs) if samples.kept is None else samples.kept
    found = np.full((n_trs, max(0, stop - start)), np.nan, dtype=blocks.dtype_name)
    for split in splits:
        fold = Fold.of(gram, split)
        with one_torch_thread(blocks.device):
            for block, values in blocks.read(todo):
                alphas = np.where(blocks.undefined[block], np.nan, model.best_alphas_[block])
                place = slice(block.start - start, block.stop - start)
                found[rows[split[1]], place] = fold(values, alphas).cpu().numpy()
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
