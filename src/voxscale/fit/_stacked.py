"""Stacked regression: several models of the same responses, mixed voxel by voxel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from voxscale.arrays import Array
from voxscale.arrays._columns import Columns
from voxscale.errors import AlignmentError
from voxscale.fit._blocks import budget_bytes, check_budget, resolve_dtype
from voxscale.fit._estimators import RidgeCV
from voxscale.fit._held_out import folds, held_out_predictions
from voxscale.fit._splits import Split
from voxscale.fit._stacking import residual_covariance, stacked_prediction, stacking_weights

__all__ = ["Stacking"]

# Of the memory that may be used: what held-out predictions of a block of voxels may take, beside
# what the solver of their weights takes.
_SHARE = 0.4


class Stacking(BaseEstimator):  # type: ignore[misc]
    """Fit a ridge regression to each of several designs, and mix what they predict.

    Each voxel has its own mix: weights of at least 0 whose sum is 1, those that err least on
    training rows that were left out of the fit. Designs may be layers, models, or low-level
    features; a voxel that one of them explains as well as all together needs no others.

    Parameters
    ----------
    estimator : RidgeCV, optional
        Its settings serve every design. Default: ``RidgeCV()``.
    cv : None, int, list of (train_rows, validation_rows), or scikit-learn splitter
        Which rows are left out together to see how models err; no row twice. Default: 5
        contiguous folds. For stories, give ``leave_run_out(...)``.

    Attributes
    ----------
    models_ : list of RidgeCV
        One for each design, fitted to all rows.
    weights_ : array of shape (n_voxels, n_models), float64
        Of the mix. NaN for voxels that some model could not be fitted to.
    residual_covariance_ : array of shape (n_voxels, n_models, n_models), float64
        Products of the models' residuals on rows left out, averaged.

    References
    ----------
    Breiman 1996, "Stacked regressions", Machine Learning 24:49-64, doi:10.1007/BF00117832.
    Antonello, Vaidya & Huth 2023, NeurIPS, arXiv:2305.11863, who stack the layers of a speech
    model and a language model so.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> true, noise = rng.standard_normal((2, 60, 3))
    >>> stacked = Stacking(RidgeCV([1.0], device="cpu")).fit([true, noise], true)
    >>> bool((stacked.weights_[:, 0] > 0.9).all())
    True
    """

    def __init__(self, estimator: RidgeCV | None = None, cv: Any = None) -> None:
        self.estimator = estimator
        self.cv = cv

    def fit(
        self, designs: Sequence[Any], Y: Any, sample_weight: ArrayLike | None = None
    ) -> Stacking:
        """Fit each design, then weigh them by how they err on rows left out.

        Parameters
        ----------
        designs : sequence of array of shape (n_trs, n_features)
            Of as many rows; features may differ in number.
        Y : array of shape (n_trs, n_voxels)
            In memory or on disk.
        sample_weight : array of shape (n_trs,), optional
            As :meth:`RidgeCV.fit`. TRs of weight 0 say nothing about the mix, either.

        Returns
        -------
        Stacking
            Itself.

        Raises
        ------
        AlignmentError, DataError, FitError, ValueError
            As :meth:`RidgeCV.fit`; also if Y has one axis, or splits leave a row out twice.
        TypeError
            If the estimator is no RidgeCV.

        Warns
        -----
        VoxscaleWarning
            Counts voxels that could not be fitted, and those without weights of the mix.
        """
        settings = RidgeCV() if self.estimator is None else self.estimator
        if not isinstance(settings, RidgeCV):
            msg = (
                f"estimator is {settings!r}; expected a RidgeCV, whose settings serve all designs."
            )
            raise TypeError(msg)
        responses = Columns.of(Y, "Y")
        n_trs, n_voxels = responses.shape
        splits = folds(self.cv, n_trs, sample_weight)
        widths = [Columns.of(X, "X").shape[1] for X in designs]
        blocks = _blocks(settings, (n_trs, n_voxels), widths)
        rows = _rows_left_out(splits, sample_weight)
        self.models_ = settings.fit_designs(designs, Y, sample_weight)
        R = np.empty((n_voxels, len(designs), len(designs)))
        for voxels in blocks:
            held = [
                held_out_predictions(
                    model, X, Y, splits, voxels=voxels, sample_weight=sample_weight
                )[rows]
                for model, X in zip(self.models_, designs, strict=True)
            ]
            R[voxels] = residual_covariance(responses.read(voxels, "float64")[rows], held)
        self.residual_covariance_ = R
        self.weights_ = stacking_weights(R)
        return self

    def predict(self, designs: Sequence[Any]) -> Array:
        """Predict responses by the mix.

        Parameters
        ----------
        designs : sequence of array of shape (n_trs, n_features)
            In the order of the fit.

        Returns
        -------
        array of shape (n_trs, n_voxels), float64
            NaN for voxels without weights.

        Raises
        ------
        AlignmentError
            If there is another number of designs, or of features, than in the fit.
        """
        return np.asarray(stacked_prediction(self.predict_each(designs), self.weights_))

    def predict_each(self, designs: Sequence[Any]) -> list[Array]:
        """Predict responses by each model alone, (n_trs, n_voxels) each; as :meth:`predict`."""
        check_is_fitted(self)
        if len(designs) != len(self.models_):
            msg = f"there are {len(designs)} designs; expected the {len(self.models_)} of the fit."
            raise AlignmentError(msg)
        return [model.predict(X) for model, X in zip(self.models_, designs, strict=True)]


def _rows_left_out(splits: Sequence[Split], sample_weight: ArrayLike | None) -> Array:
    """Rows that are left out once, and count."""
    rows: Array = np.sort(np.concatenate([held for _, held in splits]))
    return rows if sample_weight is None else rows[np.asarray(sample_weight)[rows] != 0]


def _blocks(settings: RidgeCV, shape: tuple[int, int], widths: Sequence[int]) -> list[slice]:
    """Cut the voxels so that all models' predictions of a block may be held at once.

    They are held in the machine's own memory, wherever the algebra runs.
    """
    n_trs, n_voxels = shape
    itemsize = resolve_dtype(settings.dtype).itemsize
    # Beside predictions: the rows that count of one, responses, residuals, and a fold's weights.
    per_voxel = n_trs * ((len(widths) + 1) * itemsize + 8 * (len(widths) + 2))
    per_voxel += itemsize * max(widths, default=0)
    room = int(_SHARE * budget_bytes(settings.memory_gib, torch.device("cpu")))
    check_budget(per_voxel, room, "holding one voxel's predictions by all models")
    width = room // per_voxel
    return [slice(start, min(start + width, n_voxels)) for start in range(0, n_voxels, width)]
