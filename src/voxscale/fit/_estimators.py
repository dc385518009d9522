"""Ridge regression with the API of scikit-learn, one alpha for each voxel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from voxscale.arrays import Array
from voxscale.errors import AlignmentError, VoxscaleWarning
from voxscale.fit._blocks import (
    VoxelBlocks,
    block_width,
    budget_bytes,
    resolve_device,
    resolve_dtype,
)
from voxscale.fit._decompose import Gram, design_tensor
from voxscale.fit._ridge import (
    Weights,
    check_alphas,
    check_same_rows,
    choose_alphas,
    cv_scores,
    predicted_blocks,
    solve,
    voxel_blocks,
)
from voxscale.fit._scoring import Moments, scoring_function
from voxscale.fit._splits import as_splits

__all__ = ["RidgeCV"]


class RidgeCV(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Fit ridge regression with a penalty chosen for each voxel by cross-validation.

    Minimises ``||Y - X B||² + alpha ||B||²``. Unless ``fit_intercept``, nothing stands for a
    mean: z-score features and responses per run before. ``coef_`` is (n_features, n_voxels),
    the transpose of scikit-learn's own.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
        Penalties on the squared norm of the weights, 0 or more, in any order. 0 means least
        squares, of minimum norm where X has dependent columns.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        None: 5 contiguous folds, since shuffled TRs would validate on the neighbours of the
        rows that trained; an int: that many contiguous folds. For stories, give
        ``chunk_holdout(..., gap=...)`` or ``leave_run_out(...)``.
    scoring : {"r2", "correlation", "huth2023"}
        What is maximised over alphas, and what ``score`` returns. "huth2023" is the signed
        root of the variance explained as the code of Antonello et al. 2023 computes it.
    local_alpha : bool
        False: all voxels share the alpha with the best mean score.
    fit_intercept : bool
        Add a mean for each voxel, which is not penalised.
    device : str, optional
        Default: cuda when there is one, else cpu.
    dtype : {"float32", "float64"}
        Of products with responses, weights and predictions. Decompositions and means are
        float64 anyhow.
    memory_gib : float, optional, in GiB
        Working memory beside X, Y and the results. Default: 70 % of what is free. Results do
        not depend on it.

    Attributes
    ----------
    coef_ : array of shape (n_features, n_voxels)
        Refitted on all rows; (n_features,) if Y was 1-D.
    intercept_ : array of shape (n_voxels,)
        Only with ``fit_intercept``; a number if Y was 1-D.
    best_alphas_ : array of shape (n_voxels,)
    cv_scores_ : array of shape (n_alphas, n_voxels, n_splits)
    form_ : {"primal", "dual"}
        The Gram matrix that was decomposed: features by features, or rows by rows.
    n_features_in_ : int

    Notes
    -----
    A voxel that is not finite or constant, or has no score in any split, is NaN in all of
    these and in its predictions; a single VoxscaleWarning counts such voxels. They never
    disturb the others. A split in which a voxel has no score (its validation part is
    constant, say) does not count for that voxel.

    References
    ----------
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863 (scoring "huth2023", whose alpha
    is the square root of the one here).

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((40, 3))
    >>> Y = X @ np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> model = RidgeCV(alphas=[0.01, 100.0], device="cpu").fit(X, Y)
    >>> model.best_alphas_
    array([0.01, 0.01])
    >>> model.score(X, Y).round(3)
    array([1., 1.])
    """

    def __init__(
        self,
        alphas: ArrayLike,
        cv: Any = None,
        *,
        scoring: str = "r2",
        local_alpha: bool = True,
        fit_intercept: bool = False,
        device: str | torch.device | None = None,
        dtype: Any = "float32",
        memory_gib: float | None = None,
    ) -> None:
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.local_alpha = local_alpha
        self.fit_intercept = fit_intercept
        self.device = device
        self.dtype = dtype
        self.memory_gib = memory_gib

    def fit(self, X: ArrayLike, Y: ArrayLike) -> RidgeCV:
        """Choose an alpha for each voxel, then solve for the weights on all rows.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
        Y : array of shape (n_trs, n_voxels) or (n_trs,)
            May be a memory map; it is read by blocks of voxels.

        Returns
        -------
        RidgeCV
            Itself.

        Raises
        ------
        AlignmentError
            If X and Y differ in rows.
        FitError
            If X is not finite, a split has no rows, or the memory budget is too small.
        ValueError
            If alphas, cv, scoring or dtype cannot be used.
        """
        alphas = check_alphas(self.alphas)
        scoring_function(self.scoring)
        design, responses = np.asarray(X), np.asarray(Y)
        check_same_rows(design.shape, responses.shape)
        splits = as_splits(self.cv, len(design))
        gram = Gram.of(
            design,
            fit_intercept=self.fit_intercept,
            device=self.device,
            dtype=self.dtype,
            memory_gib=self.memory_gib,
        )
        is_single = responses.ndim == 1
        blocks = voxel_blocks(gram, responses[:, None] if is_single else responses)
        self.cv_scores_ = cv_scores(gram, blocks, splits, alphas, scoring=self.scoring)
        self.best_alphas_ = choose_alphas(alphas, self.cv_scores_, local_alpha=self.local_alpha)
        weights = solve(gram, blocks, self.best_alphas_)
        self.coef_ = weights.coef[:, 0] if is_single else weights.coef
        self.__dict__.pop("intercept_", None)  # of an earlier fit
        if weights.intercept is not None:
            self.intercept_ = weights.intercept[0] if is_single else weights.intercept
        self.form_ = gram.form
        self.n_features_in_ = gram.X.shape[1]
        message = _count_undefined(blocks, self.best_alphas_)
        if message:
            warnings.warn(message, VoxscaleWarning, stacklevel=2)
        return self

    def predict(self, X: ArrayLike) -> Array:
        """Predict responses.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)

        Returns
        -------
        array of shape (n_trs, n_voxels)
            NaN for voxels without weights; (n_trs,) if Y was 1-D.

        Raises
        ------
        AlignmentError
            If the number of features differs from the fit's.
        FitError
            If X is not finite.
        """
        design, weights, width = self._prepared(X)
        predictions = np.empty((len(design), weights.coef.shape[1]), dtype=weights.coef.dtype)
        for block, prediction in predicted_blocks(design, weights, width):
            predictions[:, block] = prediction.cpu().numpy()
        return predictions[:, 0] if self.coef_.ndim == 1 else predictions

    def score(self, X: ArrayLike, Y: ArrayLike) -> Array:
        """Score predictions of responses, voxel by voxel, by ``scoring``.

        Parameters
        ----------
        X : array of shape (n_trs, n_features)
        Y : array of shape (n_trs, n_voxels) or (n_trs,)

        Returns
        -------
        array of shape (n_voxels,), float64
            NaN where a voxel has no weights, or is not finite or constant here; a number if
            Y was 1-D.

        Raises
        ------
        AlignmentError
            If X, Y and the fit do not belong together.
        FitError
            If X is not finite.
        """
        function = scoring_function(self.scoring)
        design, weights, width = self._prepared(X)
        responses = np.asarray(Y)
        responses = responses[:, None] if responses.ndim == 1 else responses
        n_voxels = weights.coef.shape[1]
        if responses.shape != (len(design), n_voxels):
            msg = (
                f"X has shape {tuple(design.shape)} but Y has shape {np.shape(Y)}; expected "
                f"{len(design)} rows and the {n_voxels} voxel(s) of the fit."
            )
            raise AlignmentError(msg)
        blocks = VoxelBlocks.of(responses, design.dtype, design.device)
        scores = np.empty(n_voxels)
        predictions = predicted_blocks(design, weights, width)
        for (block, values), (_, prediction) in zip(blocks.read(width), predictions, strict=True):
            scores[block] = function(Moments.of(values, prediction)).cpu().numpy()
        return scores[0] if self.coef_.ndim == 1 else scores

    def _prepared(self, X: ArrayLike) -> tuple[torch.Tensor, Weights, int]:
        check_is_fitted(self)
        device = resolve_device(self.device)
        design = design_tensor(X, device, resolve_dtype(self.dtype))
        if design.shape[1] != self.n_features_in_:
            msg = (
                f"X has shape {tuple(design.shape)}; expected the {self.n_features_in_} features "
                "of the fit."
            )
            raise AlignmentError(msg)
        is_single = self.coef_.ndim == 1
        coef = self.coef_[:, None] if is_single else self.coef_
        intercept = np.atleast_1d(self.intercept_) if hasattr(self, "intercept_") else None
        # Weights, responses and predictions, and what scoring makes of them in float64.
        n_trs, n_features = design.shape
        per_voxel = 2 * coef.itemsize * (n_trs + n_features) + 48 * n_trs
        left_over = budget_bytes(self.memory_gib, device) - design.nbytes
        return design, Weights(coef, intercept), block_width(per_voxel, left_over, device)


def _count_undefined(blocks: VoxelBlocks, alphas: Array) -> str | None:
    """Say how many voxels have no answer, and why; None if all have one."""
    n_undefined = int(np.isnan(alphas).sum())
    if not n_undefined:
        return None
    n_unscored = int((np.isnan(alphas) & ~blocks.undefined).sum())
    reasons = {
        "hold NaN or infinity": int(blocks.not_finite.sum()),
        "are constant": int(blocks.constant.sum()),
        "have no score in any split": n_unscored,
    }
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return (
        f"{n_undefined} of {len(alphas)} voxels could not be fitted ({counted}) and are NaN in "
        "weights, scores and predictions. Leave them out of Y to be rid of this warning."
    )
